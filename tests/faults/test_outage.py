"""A real API server that is killed and comes back, and watches that are told to begin anew."""

import asyncio
import itertools
import json
from collections import Counter
from pathlib import Path

import pytest
from aiohttp import web
from support.api import Api, path, until
from support.control_plane import ControlPlane, own_control_plane
from support.kubelet import Kubelet
from support.operator import operator
from support.prometheus import PrometheusServer, seen
from support.proxy import Proxy
from support.story import LOW, in_service, jobs_of, until_version

pytestmark = [pytest.mark.api, pytest.mark.slow, pytest.mark.timeout(900)]

AWAY_SECONDS = 10.0
"""Long enough for every request to fail several times; tests/shell has the five minutes."""


async def test_a_killed_api_server_is_waited_for_and_the_run_goes_on(
    prometheus_server: PrometheusServer,
) -> None:
    await seen(prometheus_server, f"{LOW} offset 5s", 60)
    plane_of_its_own = own_control_plane()
    plane = await asyncio.to_thread(plane_of_its_own.__enter__)
    try:
        async with (
            Api(plane.kubeconfig) as api,
            operator(plane.kubeconfig, "default", {"default": prometheus_server.url}) as process,
        ):
            trainer = await in_service(api, "default", query=LOW)

            async def diagnosing() -> bool:
                return len(await jobs_of(api, "default")) == 1

            await until(diagnosing, 60, "the diagnosis has a Job")
            pid = process.pid
            outage = plane.without_api_server()
            await asyncio.to_thread(outage.__enter__)
            await asyncio.sleep(AWAY_SECONDS)
            assert process.running
            assert any("failed" in line["message"] for line in process.log()), "it has noticed"
            await asyncio.to_thread(outage.__exit__, None, None, None)
            async with Kubelet(api, "default", trainer).running():
                await until_version(api, "default", 2)
            assert (process.running, process.pid) == (True, pid)
            assert len(trainer.trained) == 2
            created = [w for w in plane.writes("default") if w.startswith("create jobs")]
            assert len(created) == len(set(created)) == 2, "never a second Job"
    finally:
        await asyncio.to_thread(plane_of_its_own.__exit__, None, None, None)


async def test_watches_whose_version_is_too_old_begin_anew(
    api: Api,
    plane: ControlPlane,
    namespace: str,
    prometheus_server: PrometheusServer,
    tmp_path: Path,
) -> None:
    await seen(prometheus_server, f"{LOW} offset 5s", 60)
    gone = {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old version"}
    event = json.dumps({"type": "ERROR", "object": gone}).encode()
    asked: dict[str, itertools.count[int]] = {}
    told: Counter[str] = Counter()

    def spoil(request: web.Request) -> tuple[int, bytes] | None:
        """Two of three watches of each kind end at once."""
        if "watch" not in request.query:
            return None
        if next(asked.setdefault(request.path, itertools.count(1))) % 3 == 0:
            return None
        told[request.path.rsplit("/", 1)[1]] += 1
        return 200, event

    async with Proxy(api).running() as proxy:
        proxy.spoil = spoil
        async with operator(
            proxy.kubeconfig(tmp_path), namespace, {"default": prometheus_server.url}
        ) as process:
            trainer = await in_service(api, namespace, query=LOW)
            async with Kubelet(api, namespace, trainer).running():
                await until_version(api, namespace, 2)
            assert told == {"modelmaintenances": 2, "jobs": 2, "configmaps": 2}
            jobs = [write for write in plane.writes(namespace) if write.startswith("create jobs")]
            assert len(jobs) == 2
            assert process.complaints() == []
            health = await process.page("/healthz")
            assert health == (200, "ok\n")
            assert [e["outcome"] for e in (await status(api, namespace))["history"]] == ["Promoted"]


async def status(api: Api, namespace: str) -> dict[str, list[dict[str, str]]]:
    """Of the one resource."""
    return (await api.get(path("modelmaintenances", namespace, "news")))["status"]

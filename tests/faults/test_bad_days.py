"""Days on which much goes wrong a little: replies that fail, large specs, long names."""

import asyncio
import contextlib
import itertools
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from support.api import Api, ApiError, path, until
from support.control_plane import ControlPlane
from support.kubelet import Kubelet
from support.objects import resource
from support.operator import operator
from support.prometheus import Exporter, PrometheusServer, seen
from support.proxy import Proxy
from support.story import LOW, in_service, jobs_of, status_of, until_condition, until_version

from maintenance_core.watch.common_cause import FEW

pytestmark = [pytest.mark.api, pytest.mark.slow, pytest.mark.timeout(900)]

PRIME = 23
"""One request in so many, and not always the same one of a pass."""
EVERY = 5
"""One reply in so many goes wrong."""
CROWD = 24


@contextlib.asynccontextmanager
async def unreliable(server: PrometheusServer, counted: list[int]) -> AsyncIterator[str]:
    """A proxy of a Prometheus: one reply in so many is a 503, one is late."""
    numbers = itertools.count(1)

    async def pass_on(request: web.Request) -> web.StreamResponse:
        number = next(numbers)
        counted.append(number)
        if number % EVERY == 0:
            return web.Response(status=503, text="overloaded")
        if number % EVERY == EVERY // 2:
            await asyncio.sleep(2)
        url = f"{server.url}{request.path_qs}"
        async with session.post(url, data=await request.post()) as reply:
            return web.Response(status=reply.status, body=await reply.read())

    app = web.Application()
    app.router.add_post("/{path:.*}", pass_on)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        async with aiohttp.ClientSession() as session:
            yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def test_a_prometheus_that_fails_now_and_then_is_asked_again_and_not_complained_about(
    api: Api, plane: ControlPlane, namespace: str, prometheus_server: PrometheusServer
) -> None:
    await seen(prometheus_server, f"{LOW} offset 5s")
    counted: list[int] = []
    async with (
        unreliable(prometheus_server, counted) as url,
        operator(plane.kubeconfig, namespace, {"default": url}) as process,
    ):
        trainer = await in_service(api, namespace, query=LOW)
        async with Kubelet(api, namespace, trainer).running():
            await until_version(api, namespace, 2)
            enough = len(counted) + 2 * EVERY

            async def asked_enough() -> bool:
                return len(counted) >= enough

            await until(asked_enough, 120, "Prometheus has failed twice more")
        told = {
            event["reason"]
            for event in (await api.get(path("events", namespace)))["items"]
            if event.get("reportingController") == "modelmaintenance.dev/operator"
        }
        assert "MetricsUnavailable" not in told
        assert len(trainer.trained) == 2
        assert process.complaints() == []


async def test_an_api_server_that_asks_for_patience_now_and_then(
    api: Api,
    plane: ControlPlane,
    namespace: str,
    prometheus_server: PrometheusServer,
    tmp_path: Any,
) -> None:
    await seen(prometheus_server, f"{LOW} offset 5s")
    numbers = itertools.count(1)
    refusals = itertools.cycle(
        [
            (429, b'{"kind": "Status", "reason": "TooManyRequests", "code": 429}'),
            (500, b'{"kind": "Status", "reason": "InternalError", "code": 500}'),
            (409, b'{"kind": "Status", "reason": "Conflict", "code": 409}'),
        ]
    )

    def spoil(request: web.Request) -> tuple[int, bytes] | None:
        watching = "watch" in request.query
        return None if watching or next(numbers) % PRIME else next(refusals)

    async with (
        Proxy(api).running() as proxy,
        operator(
            proxy.kubeconfig(tmp_path), namespace, {"default": prometheus_server.url}
        ) as process,
    ):
        proxy.spoil = spoil
        trainer = await in_service(api, namespace, query=LOW)
        async with Kubelet(api, namespace, trainer).running():
            status = await until_version(api, namespace, 2)
        proxy.spoil = lambda _: None
        assert [entry["outcome"] for entry in status["history"]] == ["Promoted"]
        assert len(trainer.trained) == 2
        jobs = [write for write in plane.writes(namespace) if write.startswith("create jobs")]
        assert len(jobs) == 2
        assert process.running


async def test_the_longest_name_and_the_largest_spec(
    api: Api, plane: ControlPlane, namespace: str, prometheus_server: PrometheusServer
) -> None:
    await seen(prometheus_server, f"{LOW} offset 5s")
    longest = "n" * 200 + "." + "m" * 43
    with pytest.raises(ApiError, match="choose a shorter one") as refused:
        await api.create(path("modelmaintenances", namespace), resource(f"{longest}x", query=LOW))
    assert refused.value.status == 422
    huge = resource("huge", query=LOW)
    huge["spec"]["training"]["retrain"] = {"arguments": {"lr_scheduler_kwargs": {"a": "x" * 10**6}}}
    assert len(json.dumps(huge)) > 10**6
    async with operator(plane.kubeconfig, namespace, {"default": prometheus_server.url}) as process:
        trainer = await in_service(api, namespace, longest, query=LOW)
        await api.create(path("modelmaintenances", namespace), huge)
        async with Kubelet(api, namespace, trainer).running():
            await until_version(api, namespace, 2, longest)
        condition = await until_condition(api, namespace, "huge", "Ready", "InvalidSpec")
        assert "spec.training.retrain.arguments: " in condition["message"]
        assert "bytes; at most 32768" in condition["message"]
        assert "run" not in await status_of(api, namespace, "huge")
        assert all(len(name) <= 63 for name in await jobs_of(api, namespace))
        assert process.complaints() == []


def matching(query: str, model: str) -> dict[str, Any]:
    """A metric of many models, of which one series is meant."""
    metrics = resource(query=query)["spec"]["metrics"]
    metrics["performance"]["match"] = {"model": model}
    return dict(metrics)


async def test_a_fault_of_what_is_measured_begins_few_runs(
    api: Api,
    plane: ControlPlane,
    namespace: str,
    prometheus_server: PrometheusServer,
    exporter: Exporter,
) -> None:
    names = [f"model-{number:02}" for number in range(CROWD)]

    def all_at(value: float) -> None:
        for name in names:
            exporter[f'crowd_accuracy{{model="{name}"}}'] = value

    async def held() -> list[str]:
        found = (await api.get(path("modelmaintenances", namespace)))["items"]
        return [
            body["metadata"]["name"]
            for body in found
            for row in (body.get("status") or {}).get("conditions", ())
            if (row["type"], row["reason"]) == ("Training", "Held")
        ]

    all_at(0.95)
    await seen(prometheus_server, f'crowd_accuracy{{model="{names[-1]}"}} offset 5s')
    async with operator(plane.kubeconfig, namespace, {"default": prometheus_server.url}) as process:
        for name in names:
            await in_service(api, namespace, name, metrics=matching("crowd_accuracy", name))
        for name in names:
            await until_condition(api, namespace, name, "Degraded", "WithinRange")
        all_at(0.4)

        async def most_are_held() -> bool:
            return len(await held()) >= CROWD - FEW

        await until(most_are_held, 30, "the resources are held")
        begun = await jobs_of(api, namespace)
        assert len(begun) <= FEW
        all_at(0.95)
        for name in await held():
            await until_condition(api, namespace, name, "Degraded", "WithinRange")

        async def nobody_is_held() -> bool:
            return await held() == []

        await until(nobody_is_held, 30, "the resources go on")
        assert len(await jobs_of(api, namespace)) <= FEW
        told = [line["message"] for line in process.log() if line["message"].startswith("Many ")]
        assert len(told) == 1
        assert process.complaints() == []

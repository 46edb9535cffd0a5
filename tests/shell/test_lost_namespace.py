"""A namespace that is gone, or forbidden, does not stop the others."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from aiohttp import web
from support.api import Api, path, until
from support.objects import resource
from support.operator import operator
from support.prometheus import PrometheusServer
from support.proxy import Proxy
from support.story import status_of

from maintenance_core.errors import ClusterError, Gone
from maintenance_operator import __main__ as main
from maintenance_operator.health import REFUSED_SECONDS, SILENCE_SECONDS, Watches

FORBIDDEN = ClusterError("403", refused=True, code=403, words="Forbidden: User cannot list")
AWAY = ClusterError("away")
NO_KIND = ClusterError("404", refused=True, code=404, words="NotFound")


def a_cluster(**answers: Exception | list[str]) -> mock.Mock:
    """By namespace: what a list of it shows, or raises."""

    async def listed(namespace: str | None) -> AsyncIterator[Any]:
        answer = answers[namespace or "all"]
        if isinstance(answer, Exception):
            raise answer
        for name in answer:
            yield {"metadata": {"namespace": namespace, "name": name}}

    async def served(namespace: str | None) -> None:
        answer = answers[namespace or "all"]
        if isinstance(answer, Exception):
            raise answer

    return mock.Mock(resources=listed, config_maps=listed, served=served)


def watching(*namespaces: str) -> Any:
    return mock.Mock(watch_namespaces=namespaces)


@pytest.mark.parametrize("order", [("gone", "there"), ("there", "gone")])
async def test_what_is_in_the_other_namespaces_is_listed(order: tuple[str, ...]) -> None:
    cluster = a_cluster(gone=FORBIDDEN, there=["a-champion", "b-champion"])
    unlisted = {"there"}
    listed = [
        body["metadata"]["name"] async for body in main._listed(cluster, watching(*order), unlisted)
    ]
    assert listed == ["a-champion", "b-champion"]
    keys = [key async for key, _ in main._listed_config_maps(cluster, watching(*order), unlisted)]
    assert keys == [("there", "a"), ("there", "b")]
    assert unlisted == {"gone"}
    await main._until_crd(cluster, order, asyncio.Event())


@pytest.mark.parametrize(
    "answers, namespaces",
    [
        ({"a": FORBIDDEN, "b": FORBIDDEN}, ("a", "b")),
        ({"a": AWAY, "b": ["x"]}, ("a", "b")),
        ({"a": NO_KIND, "b": NO_KIND}, ("a", "b")),
        ({"a": FORBIDDEN}, ("a",)),
        ({"all": FORBIDDEN}, ()),
    ],
)
async def test_nothing_is_passed_over_where_there_is_nothing_else(
    answers: dict[str, Any], namespaces: tuple[str, ...]
) -> None:
    cluster = a_cluster(**answers)
    with pytest.raises(ClusterError):
        _ = [body async for body in main._listed(cluster, watching(*namespaces), set())]
    with pytest.raises((ClusterError, Gone)):
        await main._served_somewhere(cluster, namespaces)


def test_a_namespace_that_is_forbidden_for_long_is_not_waited_for() -> None:
    now = 1000.0
    watches = Watches([("gone", "jobs"), ("there", "jobs")], lambda: now)
    watches.refused(("gone", "jobs"))
    now += REFUSED_SECONDS
    assert not watches.out_of_reach(("gone", "jobs")), "none may be watched: that is another matter"
    watches.sign(("there", "jobs"))
    assert watches.out_of_reach(("gone", "jobs"))
    assert watches.is_news(("gone", "jobs"))
    assert not watches.is_news(("gone", "jobs"))
    assert watches.awaited() == []
    now += SILENCE_SECONDS
    assert watches.silent() == []
    watches.sign(("gone", "jobs"))
    assert not watches.out_of_reach(("gone", "jobs"))
    assert watches.is_news(("gone", "jobs"))


def test_what_is_forbidden_for_a_moment_is_waited_for() -> None:
    now = 1000.0
    watches = Watches([("a", "jobs"), ("b", "jobs")], lambda: now)
    watches.sign(("b", "jobs"))
    watches.refused(("a", "jobs"))
    now += REFUSED_SECONDS - 1
    assert watches.awaited() == ["jobs in a: not heard of yet"]


@pytest.mark.api
@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_the_others_are_followed_and_the_operator_is_ready(
    api: Api, namespace: str, prometheus_server: PrometheusServer, tmp_path: Path
) -> None:
    gone = f"{namespace}-gone"
    answer = {
        "kind": "Status",
        "status": "Failure",
        "reason": "Forbidden",
        "code": 403,
        "message": 'jobs is forbidden: User "x" cannot list resource',
        "details": {},
    }

    def forbid(request: web.Request) -> tuple[int, bytes] | None:
        return (403, json.dumps(answer).encode()) if f"/{gone}/" in request.path else None

    async with Proxy(api).running() as proxy:
        proxy.spoil = forbid
        servers = {"default": prometheus_server.url}
        kubeconfig = proxy.kubeconfig(tmp_path)
        async with operator(kubeconfig, [gone, namespace], servers, wait=False) as process:
            await api.create(path("modelmaintenances", namespace), resource())

            async def followed() -> bool:
                return bool(await status_of(api, namespace))

            await until(followed, 30, "the other namespace is followed")
            await process.ready(90)
            assert (await process.page("/healthz"))[0] == 200

            async def told() -> bool:
                lines = [line for line in process.log() if "may not be watched (" in str(line)]
                return len(lines) == 3

            await until(told, 30, "each kind of it is told")
            before = len(process.log())
            await asyncio.sleep(20)
            assert not [line for line in process.log()[before:] if line.get("level") == "error"]

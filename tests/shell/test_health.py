"""Signs of life of the watches, and what becomes of the operator without them."""

import asyncio
import json
from pathlib import Path

import pytest
from aiohttp.test_utils import TestClient, TestServer
from support.api import Api
from support.operator import operator
from support.proxy import Proxy
from yarl import URL

from maintenance_operator.health import (
    OUTAGE_SECONDS,
    SILENCE_SECONDS,
    WATCH_SECONDS,
    Watches,
    application,
)
from maintenance_operator.watching import PATIENCE, expected_watches, watch_of


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_watch_for_each_kind_and_namespace() -> None:
    assert expected_watches([]) == [
        (None, "modelmaintenances"),
        (None, "jobs"),
        (None, "configmaps"),
    ]
    assert len(expected_watches(["a", "b"])) == 6


@pytest.mark.parametrize(
    "path, watch",
    [
        ("/apis/modelmaintenance.dev/v1alpha1/modelmaintenances", (None, "modelmaintenances")),
        (
            "/apis/modelmaintenance.dev/v1alpha1/namespaces/a/modelmaintenances",
            ("a", "modelmaintenances"),
        ),
        ("/apis/batch/v1/namespaces/a/jobs", ("a", "jobs")),
        ("/api/v1/configmaps", (None, "configmaps")),
        ("/api/v1/namespaces/a/configmaps", ("a", "configmaps")),
        ("/api/v1/namespaces/a/configmaps/one", None),
        ("/api/v1/namespaces/a/pods", None),
        ("/apis/apps/v1/deployments", None),
        ("/apis", None),
    ],
)
def test_a_sign_is_told_by_its_request(path: str, watch: tuple[str | None, str] | None) -> None:
    url = URL(f"https://10.0.0.1:443{path}?labelSelector=a%3Db&watch=true")
    assert watch_of(url) == watch


def test_one_silent_watch_is_named() -> None:
    clock = Clock()
    watches = Watches([(None, "jobs"), (None, "configmaps")], clock)
    assert len(watches.awaited()) == 2
    watches.sign((None, "jobs"))
    watches.sign((None, "configmaps"))
    assert watches.awaited() == []
    clock.now += SILENCE_SECONDS - 1
    watches.sign((None, "jobs"))
    assert watches.silent() == []
    clock.now += 2
    (silent,) = watches.silent()
    assert silent.startswith("configmaps in all namespaces: no sign of life for")
    watches.sign((None, "configmaps"))
    assert watches.silent() == []


def test_a_watch_that_never_began_is_silent_too() -> None:
    clock = Clock()
    watches = Watches([("a", "jobs")], clock)
    clock.now += SILENCE_SECONDS + 1
    assert len(watches.silent()) == 1
    watches.sign(("b", "jobs"))
    assert len(watches.silent()) == 1, "another namespace's sign is not its own"


def test_a_healthy_watch_gives_a_sign_often_enough() -> None:
    kopfs_patience = 70
    assert WATCH_SECONDS + kopfs_patience + OUTAGE_SECONDS < SILENCE_SECONDS


def test_an_api_server_that_is_away_for_five_minutes_ends_no_process() -> None:
    assert sum(PATIENCE) > OUTAGE_SECONDS >= 300
    assert max(PATIENCE) <= 10, "and it is heard of soon after it is back"


async def test_the_pages_say_what_is_wrong() -> None:
    clock = Clock()
    watches = Watches([("a", "jobs")], clock)
    pages = application(watches, lambda names: "".join(["up 1\n", *names]).encode())
    async with TestClient(TestServer(pages)) as client:
        assert (await client.get("/healthz")).status == 200
        assert (await client.get("/readyz")).status == 503
        watches.sign(("a", "jobs"))
        assert (await client.get("/readyz")).status == 200
        clock.now += SILENCE_SECONDS + 1
        reply = await client.get("/healthz")
        assert (reply.status, await reply.text()) == (
            503,
            f"jobs in a: no sign of life for {SILENCE_SECONDS + 1} s\n",
        )
        metrics = await client.get("/metrics")
        assert (await metrics.text(), metrics.content_type) == ("up 1\n", "text/plain")
        some = await client.get("/metrics?name[]=a&name[]=b")
        assert await some.text() == "up 1\nab"


@pytest.mark.slow
@pytest.mark.api
async def test_a_watch_that_dies_for_good_ends_the_process(
    api: Api, namespace: str, tmp_path: Path
) -> None:
    error = {"type": "ERROR", "object": {"kind": "Status", "code": 500, "message": "broken"}}
    async with (
        Proxy(api).running() as proxy,
        operator(proxy.kubeconfig(tmp_path), namespace, {}) as process,
    ):
        assert await process.page("/healthz") == (200, "ok\n")
        await process.stop()
        proxy.spoil = lambda request: (
            (200, json.dumps(error).encode())
            if "/jobs" in request.path and "watch" in request.query
            else None
        )
        await process.start()
        assert await process.ended(60) == 1
        assert "WatchingError" in "".join(process.complaints())


@pytest.mark.slow
@pytest.mark.api
async def test_sigterm_ends_it_within_seconds(api: Api, namespace: str, tmp_path: Path) -> None:
    async with (
        Proxy(api).running() as proxy,
        operator(proxy.kubeconfig(tmp_path), namespace, {}) as process,
    ):
        loop = asyncio.get_running_loop()
        started = loop.time()
        assert await process.stop() == 0
        assert loop.time() - started < 10
        assert process.complaints() == []

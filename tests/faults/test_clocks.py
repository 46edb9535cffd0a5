"""Clocks that differ by ten minutes: said, harmless, and over when it is over."""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from support.api import Api
from support.control_plane import ControlPlane
from support.kubelet import Kubelet
from support.operator import operator
from support.prometheus import Exporter, PrometheusServer
from support.story import in_service, jobs_of, status_of, until_condition, until_version

pytestmark = [pytest.mark.api, pytest.mark.slow, pytest.mark.timeout(900)]

TEN_MINUTES = 600.0
SERIES = 'model_accuracy{model="skewed"}'
QUERY = f"avg by (model) ({SERIES})"  # what was scraped has more labels than what was given


class Skewed:
    """A wire to Prometheus whose far end lives ``ahead`` seconds later (earlier: negative)."""

    def __init__(self, server: PrometheusServer, ahead: float) -> None:
        self._server = server
        self.ahead = ahead
        self.url = ""

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator["Skewed"]:
        app = web.Application()
        app.router.add_post("/{path:.*}", self._pass_on)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            async with aiohttp.ClientSession() as self._session:
                yield self
        finally:
            await runner.cleanup()

    async def _pass_on(self, request: web.Request) -> web.StreamResponse:
        """What is 12:00 there is 12:00 less ``ahead`` here."""
        ahead, form = self.ahead, dict(await request.post())
        for name in ("start", "end"):
            form[name] = str(float(str(form[name])) - ahead)
        async with self._session.post(f"{self._server.url}{request.path_qs}", data=form) as reply:
            document = json.loads(await reply.read())
        for series in document.get("data", {}).get("result", []):
            series["values"] = [[at + ahead, value] for at, value in series["values"]]
        there = datetime.now(UTC) + timedelta(seconds=ahead)
        return web.json_response(
            document,
            status=reply.status,
            headers={"Date": format_datetime(there, usegmt=True)},
        )


@pytest.fixture
def with_a_past(exporter: Exporter, tmp_path: Path) -> Iterator[PrometheusServer]:
    """A Prometheus that has seen low accuracy for a quarter of an hour."""
    server = PrometheusServer(exporter, tmp_path)
    now = time.time()
    past = [(now - seconds, 0.5) for seconds in range(900, 5, -5)]
    server.backfill({SERIES: past})
    exporter[SERIES] = 0.5
    server.start()
    yield server
    server.stop()
    exporter[SERIES] = None


async def test_a_prometheus_that_lags_has_no_reading_yet_and_the_clocks_are_named(
    api: Api, plane: ControlPlane, namespace: str, with_a_past: PrometheusServer
) -> None:
    async with (
        Skewed(with_a_past, -TEN_MINUTES).running() as wire,
        operator(plane.kubeconfig, namespace, {"default": wire.url}) as process,
    ):
        trainer = await in_service(api, namespace, query=QUERY)
        held = await until_condition(api, namespace, "news", "MetricsAvailable", "NoData")
        assert held["message"].startswith(
            "The clock of Prometheus server 'default' is 10m behind the operator's: set both by NTP"
        )
        told = [line for line in process.log() if "set both clocks by NTP" in line["message"]]
        assert len(told) == 1, "once, not at each reading"
        assert await jobs_of(api, namespace) == []
        wire.ahead = 0.0
        async with Kubelet(api, namespace, trainer).running():
            await until_version(api, namespace, 2)
        assert process.complaints() == []


async def test_a_prometheus_that_is_ahead_shows_the_past_and_starts_no_second_run(
    api: Api, plane: ControlPlane, namespace: str, with_a_past: PrometheusServer
) -> None:
    """Readings are ten minutes old, so after a promotion the old version's still come."""
    async with (
        Skewed(with_a_past, TEN_MINUTES).running() as wire,
        operator(plane.kubeconfig, namespace, {"default": wire.url}) as process,
    ):
        trainer = await in_service(api, namespace, query=QUERY)
        async with Kubelet(api, namespace, trainer).running():
            await until_version(api, namespace, 2)
            await until_condition(api, namespace, "news", "Degraded", "BelowThreshold")
            await asyncio.sleep(6)  # another reading, as low as before
        status = await status_of(api, namespace)
        assert "run" not in status, "the cooldown outlasts what old readings say"
        assert len(await jobs_of(api, namespace)) == 2
        told = [line["message"] for line in process.log() if "set both clocks" in line["message"]]
        assert len(told) == 1
        assert process.complaints() == []

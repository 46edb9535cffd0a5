"""Counters in the operator's own process: learnt, watched at no cost, acted on."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
from support.api import Api, path, until
from support.control_plane import ControlPlane
from support.kubelet import Kubelet
from support.operator import operator
from support.prometheus import Exporter, PrometheusServer
from support.story import in_service, jobs_of, status_of, until_condition, until_version

pytestmark = [pytest.mark.api, pytest.mark.slow, pytest.mark.timeout(900)]

PER_SECOND = 40


class Served:
    """A model that counts its labelled predictions; ``wrong`` of each forty are."""

    def __init__(self, exporter: Exporter, counter: str) -> None:
        self._exporter, self._counter = exporter, counter
        self._totals: dict[str, float] = {}
        self.wrong = {"1": 4, "2": 4}

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        counting = asyncio.create_task(self._count())
        try:
            yield
        finally:
            counting.cancel()
            await asyncio.gather(counting, return_exceptions=True)
            for series in self._totals:
                self._exporter[series] = None

    async def _count(self) -> None:
        while True:
            for version, wrong in self.wrong.items():
                for right, count in (("true", PER_SECOND - wrong), ("false", wrong)):
                    labels = f'version="{version}",true_class="a",correct="{right}"'
                    series = f"{self._counter}{{{labels}}}"
                    self._totals[series] = self._totals.get(series, 0.0) + count
                    self._exporter[series] = self._totals[series]
            await asyncio.sleep(1)


async def until_learnt(api: Api, namespace: str, version: int) -> dict[str, Any]:
    """The status once it holds what that version achieves."""

    async def look() -> dict[str, Any] | None:
        status = await status_of(api, namespace)
        return status if status.get("monitor", {}).get("version") == version else None

    return await until(look, 180, f"what version {version} achieves is learnt")


async def test_a_rise_of_the_error_is_found_by_the_counters(
    api: Api,
    plane: ControlPlane,
    namespace: str,
    exporter: Exporter,
    prometheus_server: PrometheusServer,
) -> None:
    counter = f"predictions_{namespace}_total".replace("-", "_")
    metrics = {
        "interval": "5s",
        "outcomes": {"counter": counter, "versionLabel": "version", "baselineSamples": 400},
    }
    served = Served(exporter, counter)
    async with (
        served.serving(),
        operator(plane.kubeconfig, namespace, {"default": prometheus_server.url}) as process,
    ):
        trainer = await in_service(api, namespace, metrics=metrics)
        learnt = await until_learnt(api, namespace, 1)
        assert float(learnt["champion"]["baseline"]["value"]) == pytest.approx(0.9, abs=0.02)
        await until_condition(api, namespace, "news", "Degraded", "WithinRange")
        quiet = await api.get(path("modelmaintenances", namespace, "news"))
        await asyncio.sleep(15)  # three readings: what is not written cannot be waited for
        again = await api.get(path("modelmaintenances", namespace, "news"))
        assert again["metadata"]["resourceVersion"] == quiet["metadata"]["resourceVersion"]
        assert await jobs_of(api, namespace) == []

        async with Kubelet(api, namespace, trainer).running():
            served.wrong["1"] = 16
            status = await until_version(api, namespace, 2, seconds=180)
            assert status["decision"]["trigger"] == "PerformanceDrop"
            assert "The error rate rose: " in status["decision"]["message"]
            names = [evidence["name"] for evidence in status["decision"]["path"][0]["evidence"]]
            assert names == ["accuracy", "errorEvidence"]
            # The new version is its own measure; the old one's errors are not its.
            learnt = await until_learnt(api, namespace, 2)
            assert float(learnt["champion"]["baseline"]["value"]) == pytest.approx(0.9, abs=0.02)
            await until_condition(api, namespace, "news", "Degraded", "WithinRange")
        assert process.complaints() == []


async def test_labels_that_do_not_tell_right_from_wrong_are_named(
    api: Api,
    plane: ControlPlane,
    namespace: str,
    exporter: Exporter,
    prometheus_server: PrometheusServer,
) -> None:
    counter = f"odd_{namespace}_total".replace("-", "_")
    exporter[f'{counter}{{true_class="a",correct="yes"}}'] = 5
    metrics = {"interval": "5s", "outcomes": {"counter": counter}}
    async with operator(plane.kubeconfig, namespace, {"default": prometheus_server.url}):
        await in_service(api, namespace, metrics=metrics)
        told = await until_condition(
            api, namespace, "news", "MetricsAvailable", "OutcomesUnreadable", 120
        )
        assert "true or false; a series has 'yes'" in told["message"]
        ready = await until_condition(api, namespace, "news", "Ready", "Watching")
        assert ready["status"] == "True"
    exporter[f'{counter}{{true_class="a",correct="yes"}}'] = None

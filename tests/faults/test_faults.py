"""What people and machines do to a story while it is told."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from support.api import Api, path, until
from support.control_plane import ControlPlane
from support.kubelet import Kubelet
from support.objects import resource
from support.operator import operator
from support.prometheus import Exporter, PrometheusServer, seen
from support.proxy import Proxy
from support.story import (
    HIGH,
    LOW,
    in_service,
    jobs_of,
    status_of,
    until_condition,
    until_version,
)
from support.trainer import Ending, Trainer

from maintenance_contract import Operation, TrainingRequest

pytestmark = [pytest.mark.api, pytest.mark.slow, pytest.mark.timeout(900)]


class Hanging:
    """A trainer whose pods of one operation run on until they are told to end."""

    def __init__(self, trainer: Trainer, operation: Operation) -> None:
        self._trainer = trainer
        self._operation = operation
        self.reached = asyncio.Event()
        self.go_on = asyncio.Event()

    async def __call__(self, request: TrainingRequest) -> Ending:
        if request.operation is self._operation and not self.go_on.is_set():
            self.reached.set()
            await self.go_on.wait()
        return self._trainer(request)


@contextlib.asynccontextmanager
async def story_at(
    api: Api, namespace: str, operation: Operation, **spec: object
) -> AsyncIterator[tuple[Trainer, Hanging]]:
    """A performance drop whose Job of that operation runs."""
    trainer = await in_service(api, namespace, query=LOW, **spec)
    hanging = Hanging(trainer, operation)
    async with Kubelet(api, namespace, hanging).running():
        await asyncio.wait_for(hanging.reached.wait(), 300)
        yield trainer, hanging


async def until_no_jobs(api: Api, namespace: str) -> None:
    async def look() -> bool:
        pods = await api.get(path("pods", namespace))
        return not await jobs_of(api, namespace) and not pods["items"]

    await until(look, 60, "all Jobs and pods are gone")


@pytest.mark.parametrize("operation", [Operation.DIAGNOSE, Operation.TRAIN])
async def test_a_resource_deleted_in_a_step_takes_its_jobs_along_and_may_come_back(
    api: Api,
    plane: ControlPlane,
    namespace: str,
    prometheus_server: PrometheusServer,
    operation: Operation,
) -> None:
    await seen(prometheus_server, f"{LOW} offset 5s", 60)
    async with operator(plane.kubeconfig, namespace, {"default": prometheus_server.url}) as process:
        async with story_at(api, namespace, operation) as (trainer, hanging):
            await api.delete(path("modelmaintenances", namespace, "news"))
            await until_no_jobs(api, namespace)
            hanging.go_on.set()
            await asyncio.sleep(2)
            assert await jobs_of(api, namespace) == [], (
                "nobody starts one for a resource that is gone"
            )
            # The ConfigMap outlives it: a resource of that name takes the champion over.
            await api.create(path("modelmaintenances", namespace), resource(query=LOW))
            status = await until_version(api, namespace, 2)
        assert [entry["outcome"] for entry in status["history"]] == ["Promoted"]
        assert len(trainer.trained) == 2, "version 1, and the one training of the story"
        assert process.complaints() == []


async def test_a_diagnosis_deleted_by_hand_ends_the_run_and_says_so(
    api: Api, plane: ControlPlane, namespace: str, prometheus_server: PrometheusServer
) -> None:
    await seen(prometheus_server, f"{LOW} offset 5s", 60)
    async with (
        operator(plane.kubeconfig, namespace, {"default": prometheus_server.url}) as process,
        story_at(api, namespace, Operation.DIAGNOSE),
    ):
        (name,) = await jobs_of(api, namespace)
        await api.delete(path("jobs", namespace, name))

        async def over() -> bool:
            return "run" not in await status_of(api, namespace)

        await until(over, 60, "the run is over")
        status = await status_of(api, namespace)
        assert status["history"][0]["outcome"] == "Failed"
        assert status["history"][0]["reason"] == "JobDeleted"
        await asyncio.sleep(6)  # another reading, still low
        assert await jobs_of(api, namespace) == [], "not again before recheckAfter"
        assert status["champion"]["version"] == 1
        assert process.complaints() == []


async def test_a_training_that_ended_is_not_repeated_when_its_job_is_deleted(
    api: Api, plane: ControlPlane, namespace: str, prometheus_server: PrometheusServer
) -> None:
    await seen(prometheus_server, f"{LOW} offset 5s", 60)
    servers = {"default": prometheus_server.url}
    async with (
        operator(plane.kubeconfig, namespace, servers) as process,
        story_at(api, namespace, Operation.TRAIN) as (trainer, hanging),
    ):

        async def adopted() -> bool:
            return "jobUID" in (await status_of(api, namespace)).get("run", {})

        await until(adopted, 30, "the operator has seen the training's Job")
        process.kill()
        await process.ended()
        hanging.go_on.set()
        name = next(job for job in await jobs_of(api, namespace) if job.endswith("-train"))

        async def complete() -> bool:
            status = (await api.get(path("jobs", namespace, name)))["status"]
            return bool(status.get("completionTime"))

        await until(complete, 30, "the training is complete")
        await api.delete(path("jobs", namespace, name))
        await process.start()
        status = await until_version(api, namespace, 2)
        assert len(trainer.trained) == 2, "version 1, and one training"
        assert status["history"][0]["outcome"] == "Promoted"
        created = Counter(w for w in plane.writes(namespace) if w.startswith("create jobs"))
        assert sorted(write.rsplit("-", 1)[1] for write in created) == [
            "diagnose",
            "report",
            "train",
        ]


async def test_a_training_deleted_by_hand_is_looked_for_and_given_up(
    api: Api, plane: ControlPlane, namespace: str, prometheus_server: PrometheusServer
) -> None:
    await seen(prometheus_server, f"{LOW} offset 5s", 60)
    async with (
        operator(plane.kubeconfig, namespace, {"default": prometheus_server.url}),
        story_at(api, namespace, Operation.TRAIN) as (trainer, _),
    ):

        async def adopted() -> bool:
            return "jobUID" in (await status_of(api, namespace)).get("run", {})

        await until(adopted, 30, "the operator has seen the training's Job")
        name = next(job for job in await jobs_of(api, namespace) if job.endswith("-train"))
        await api.delete(path("jobs", namespace, name))

        async def over() -> bool:
            return "run" not in await status_of(api, namespace)

        await until(over, 60, "the run is over")
        status = await status_of(api, namespace)
        assert status["history"][0]["outcome"] == "Failed"
        assert status["history"][0]["reason"] == "ReportMissing"
        assert len(trainer.trained) == 1, "only version 1"
        assert status["champion"]["version"] == 1


async def test_suspend_stops_a_live_run(
    api: Api, plane: ControlPlane, namespace: str, prometheus_server: PrometheusServer
) -> None:
    await seen(prometheus_server, f"{LOW} offset 5s", 60)
    async with (
        operator(plane.kubeconfig, namespace, {"default": prometheus_server.url}) as process,
        story_at(api, namespace, Operation.TRAIN),
    ):
        await api.patch(path("modelmaintenances", namespace, "news"), {"spec": {"suspend": True}})

        async def over() -> bool:
            return "run" not in await status_of(api, namespace)

        await until(over, 60, "the run is over")
        status = await status_of(api, namespace)
        assert status["history"][0]["outcome"] == "Stopped"
        assert not [job for job in await jobs_of(api, namespace) if job.endswith("-train")]
        assert process.complaints() == []


# --- Prometheus --------------------------------------------------------------------------


@pytest.fixture
def own_prometheus(exporter: Exporter, tmp_path: Path) -> Iterator[PrometheusServer]:
    """A Prometheus that the test may stop; it is not started yet."""
    server = PrometheusServer(exporter, tmp_path)
    yield server
    server.stop()


async def test_prometheus_away_at_the_start_and_in_the_middle(
    api: Api,
    plane: ControlPlane,
    namespace: str,
    prometheus_server: PrometheusServer,
    own_prometheus: PrometheusServer,
) -> None:
    servers = {"default": own_prometheus.url, "other": prometheus_server.url}
    await seen(prometheus_server, f"{LOW} offset 5s", 60)
    async with operator(plane.kubeconfig, namespace, servers) as process:
        trainer = await in_service(api, namespace, query=HIGH)
        away = await until_condition(api, namespace, "news", "MetricsAvailable", "Unreachable")
        assert away["status"] == "False"
        assert await ready(api, namespace), "an outage of Prometheus is no fault of the resource"

        await asyncio.to_thread(own_prometheus.start)
        back = await until_condition(api, namespace, "news", "MetricsAvailable", "Reading")
        assert back["status"] == "True"

        await asyncio.to_thread(own_prometheus.stop)
        await until_condition(api, namespace, "news", "MetricsAvailable", "Unreachable")
        assert await ready(api, namespace)

        metrics = resource(query=LOW)["spec"]["metrics"] | {"server": "other"}
        undisturbed = await in_service(api, namespace, "spam", metrics=metrics)
        async with Kubelet(api, namespace, undisturbed).running():
            await until_version(api, namespace, 2, "spam")
        assert trainer.trained == [0], "no reading, no run"
        assert (
            "history" not in await status_of(api, namespace)
            or not (await status_of(api, namespace))["history"]
        )
        assert process.complaints() == []


async def ready(api: Api, namespace: str) -> bool:
    conditions = (await status_of(api, namespace))["conditions"]
    return any((c["type"], c["status"]) == ("Ready", "True") for c in conditions)


# --- the API server ----------------------------------------------------------------------


async def test_nothing_is_written_while_nothing_changes(
    api: Api,
    plane: ControlPlane,
    namespace: str,
    exporter: Exporter,
    prometheus_server: PrometheusServer,
) -> None:
    wobbling = 'model_accuracy{model="wobbling"}'
    exporter[wobbling] = 0.95
    await seen(prometheus_server, f"{wobbling} offset 5s", 60)
    async with operator(plane.kubeconfig, namespace, {"default": prometheus_server.url}):
        await in_service(api, namespace, query=wobbling)
        await until_condition(api, namespace, "news", "MetricsAvailable", "Reading")
        await asyncio.sleep(1)
        before = plane.writes(namespace)
        for reading in (0.93, 0.97, 0.91, 0.99):
            exporter[wobbling] = reading
            await asyncio.sleep(4)
        assert plane.writes(namespace) == before
    exporter[wobbling] = None


async def test_an_api_server_that_is_away_for_a_while(
    api: Api,
    plane: ControlPlane,
    namespace: str,
    prometheus_server: PrometheusServer,
    tmp_path: Path,
) -> None:
    await seen(prometheus_server, f"{LOW} offset 5s", 60)
    async with (
        Proxy(api).running() as proxy,
        operator(
            proxy.kubeconfig(tmp_path), namespace, {"default": prometheus_server.url}
        ) as process,
        story_at(api, namespace, Operation.DIAGNOSE) as (trainer, hanging),
    ):
        proxy.spoil = lambda _: (503, b'{"kind": "Status", "reason": "ServiceUnavailable"}')
        hanging.go_on.set()
        await asyncio.sleep(6)
        assert process.running
        assert (await status_of(api, namespace))["run"]["step"] == "Diagnose"
        proxy.spoil = lambda _: None
        await until_version(api, namespace, 2)
        assert len(trainer.trained) == 2
        jobs = [write for write in plane.writes(namespace) if write.startswith("create jobs")]
        assert len(jobs) == 2
        assert process.running

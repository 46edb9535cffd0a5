"""A Job whose labels somebody changed lives on: no run ends for that."""

from dataclasses import replace
from datetime import timedelta
from typing import Any
from unittest import mock

import pytest
from support.api import Api, path
from support.control_plane import ControlPlane
from support.kubelet import Kubelet
from support.operator import operator
from support.prometheus import PrometheusServer, seen
from support.story import LOW, in_service, jobs_of, status_of, until_condition, until_version
from support.trainer import Ending
from support.world import START, World

from maintenance_contract import Operation, TrainingRequest
from maintenance_core import status as status_json
from maintenance_core.errors import ClusterError, Gone
from maintenance_core.lifecycle.jobs import TrainerImage
from maintenance_core.model import JobView
from maintenance_core.watch.common_cause import CommonCause
from maintenance_operator.adapters.calendar import Clock
from maintenance_operator.adapters.job_views import job_view
from maintenance_operator.reconcile import Reconciler

OWNER = {"kind": "ModelMaintenance", "name": "news", "uid": "1a2b3c4d", "controller": True}
LABELS = {
    "app.kubernetes.io/managed-by": "model-maintenance",
    "modelmaintenance.dev/uid": "1a2b3c4d",
}


async def jobs_seen(world: World, **by_name: Any) -> tuple[JobView, ...] | None:
    """The Jobs of a look at a resource with a live run, whose list is empty."""
    identity = world.identity
    reconcile = Reconciler(
        cluster=mock.Mock(
            config_map=mock.AsyncMock(return_value=None),
            jobs=mock.AsyncMock(return_value=[]),
            job=mock.AsyncMock(**by_name),
        ),
        metrics=mock.Mock(
            admit=mock.AsyncMock(),
            range=mock.AsyncMock(return_value=()),
            skew=mock.Mock(return_value=timedelta()),
        ),
        resources=mock.MagicMock(config_map=mock.Mock(return_value=None)),
        telemetry=mock.Mock(),
        trainer=TrainerImage("trainer:1"),
        clock=mock.Mock(now=mock.Mock(return_value=START), due=Clock().due),
        fleet_breaches=mock.Mock(record=mock.Mock(return_value=CommonCause.ALLOW)),
    )
    metadata = {
        "namespace": identity.namespace,
        "name": identity.name,
        "uid": identity.uid,
        "generation": 1,
    }
    body = {"metadata": metadata, "spec": world.spec, "status": world.status}
    return (await reconcile._observer(body, None, live=True)).jobs


def training() -> tuple[World, JobView]:
    world = World().degraded()
    world.finish(world.diagnosis())
    (name,) = world.live
    return world, world.jobs[name]


async def test_a_job_that_no_list_shows_is_asked_for_by_its_name() -> None:
    world, job = training()
    assert await jobs_seen(world, return_value=job) == (job,)
    assert await jobs_seen(world, return_value=replace(job, uid="made-again")) == ()
    assert await jobs_seen(world, side_effect=Gone("not there")) == ()
    forbidden = ClusterError("no", refused=True, code=403, words="Forbidden: no")
    assert await jobs_seen(world, side_effect=forbidden) is None, "nothing is known of it"


async def test_a_job_that_was_never_made_is_not_asked_for() -> None:
    world, _ = training()
    status = world.parsed
    assert status.run is not None
    world.status = status_json.write(replace(status, run=replace(status.run, job_uid="")))
    assert await jobs_seen(world, side_effect=AssertionError) == ()


@pytest.mark.parametrize(
    "labels, told",
    [
        (LABELS, ""),
        (
            LABELS | {"app.kubernetes.io/managed-by": "platform"},
            "app.kubernetes.io/managed-by is platform, not model-maintenance",
        ),
        (
            {"app.kubernetes.io/managed-by": "model-maintenance"},
            "modelmaintenance.dev/uid is gone, not 1a2b3c4d",
        ),
    ],
)
def test_labels_that_were_changed_are_named(labels: dict[str, str], told: str) -> None:
    metadata = {"name": "news-1", "uid": "u", "labels": labels, "ownerReferences": [OWNER]}
    assert job_view({"metadata": metadata, "spec": {}, "status": {}}, []).relabelled == told


def test_a_relabelled_job_is_told_and_its_run_goes_on() -> None:
    world, job = training()
    world.jobs[job.name] = replace(job, relabelled="app.kubernetes.io/managed-by is platform")
    world.settle()
    assert world.condition("Training") == ("True", "JobRelabelled")
    told = world.parsed.condition("Training")
    assert told is not None
    assert "managed-by is platform" in told.message
    world.settle()
    assert world.notes.count("JobRelabelled") == 1
    assert world.condition("Ready") == ("True", "Watching")
    world.finish(world.training())
    assert "Promoted" in world.notes


@pytest.mark.api
@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("label", LABELS)
async def test_a_training_whose_job_is_relabelled_goes_on(
    api: Api,
    plane: ControlPlane,
    namespace: str,
    prometheus_server: PrometheusServer,
    label: str,
) -> None:
    await seen(prometheus_server, LOW)
    async with operator(plane.kubeconfig, namespace, {"default": prometheus_server.url}):
        trainer = await in_service(api, namespace, query=LOW)
        asked: list[TrainingRequest] = []

        async def relabelled(request: TrainingRequest) -> Ending:
            asked.append(request)
            if request.operation is Operation.TRAIN:
                (job,) = [name for name in await jobs_of(api, namespace) if "-train" in name]
                await api.patch(
                    path("jobs", namespace, job), {"metadata": {"labels": {label: "platform"}}}
                )
                await until_condition(api, namespace, "news", "Training", "JobRelabelled", 90)
            return trainer(request)

        async with Kubelet(api, namespace, relabelled).running():
            await until_version(api, namespace, 2, seconds=150)
    assert [request.run for request in asked if request.operation is Operation.TRAIN] == [1]
    history = (await status_of(api, namespace))["history"]
    assert [entry["outcome"] for entry in history] == ["Promoted"]

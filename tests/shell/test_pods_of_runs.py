"""The operator beside what stands between a pod and its report: queues, quotas, meshes, forgers."""

from copy import deepcopy
from typing import Any

import pytest
from support.api import Api, path, until
from support.control_plane import ControlPlane
from support.kubelet import Kubelet
from support.objects import resource
from support.operator import operator
from support.prometheus import PrometheusServer, seen
from support.story import (
    LOW,
    in_service,
    jobs_of,
    status_of,
    until_condition,
    until_told,
    until_version,
)

pytestmark = [pytest.mark.api, pytest.mark.slow, pytest.mark.timeout(600)]

EVENTS_SECONDS = 120
"""A refusal is looked up at the second look, half a minute after the first."""


async def state_of(api: Api, namespace: str, word: str) -> str:
    """The message of Training, once it has Kubernetes' word."""

    async def look() -> str:
        rows = (await status_of(api, namespace)).get("conditions", ())
        told = [row["message"] for row in rows if row["type"] == "Training"]
        return told[0] if told and f"State: {word}" in told[0] else ""

    return await until(look, EVENTS_SECONDS, f"Training says {word}")


async def the_job(api: Api, namespace: str) -> str:
    async def look() -> list[str]:
        return await jobs_of(api, namespace)

    (name,) = await until(look, 60, "the run has its Job")
    return name


async def the_pod(api: Api, namespace: str) -> dict[str, Any]:
    async def look() -> list[dict[str, Any]]:
        pods: list[dict[str, Any]] = (await api.get(path("pods", namespace)))["items"]
        return pods

    (pod,) = await until(look, 60, "the Job has its pod")
    return pod


async def ended(api: Api, namespace: str) -> dict[str, Any]:
    async def look() -> dict[str, Any] | None:
        return next(iter((await status_of(api, namespace)).get("history", ())), None)

    return await until(look, 240, "the run has ended")


async def test_a_pod_that_a_limit_range_refuses_and_a_job_that_a_queue_holds(
    api: Api, plane: ControlPlane, namespace: str, prometheus_server: PrometheusServer
) -> None:
    await seen(prometheus_server, f"{LOW} offset 5s")
    limit = {"type": "Container", "max": {"memory": "1Gi"}}
    spec = {"kind": "LimitRange", "metadata": {"name": "small"}, "spec": {"limits": [limit]}}
    core = f"/api/v1/namespaces/{namespace}/limitranges"
    await api.create(core, {"apiVersion": "v1", **spec})
    training = resource()["spec"]["training"] | {"pendingTimeout": "45s"}
    async with operator(plane.kubeconfig, namespace, {"default": prometheus_server.url}) as process:
        await in_service(api, namespace, query=LOW, training=training)
        told = await state_of(api, namespace, "FailedCreate")
        assert "A Job looks for the cause" in told
        assert "maximum memory usage per Container is 1Gi" in told
        job = path("jobs", namespace, await the_job(api, namespace))
        await api.patch(job, {"spec": {"suspend": True}})
        await state_of(api, namespace, "Suspended")
        assert not (await status_of(api, namespace)).get("history")
        await api.delete(f"{core}/small")
        await api.patch(job, {"spec": {"suspend": False}})
        entry = await ended(api, namespace)
        assert entry["reason"] == "PendingTimeout"
        assert process.complaints() == []


async def test_a_run_whose_time_is_over_ends_though_its_node_is_lost(
    api: Api, plane: ControlPlane, namespace: str, prometheus_server: PrometheusServer
) -> None:
    """A pod on a node whose kubelet is gone: it is deleted, and stays for ever."""
    await seen(prometheus_server, f"{LOW} offset 5s")
    diagnosis = {**resource()["spec"].get("diagnosis", {}), "timeout": "5s"}
    node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": f"lost-{namespace}"}}
    await api.create("/api/v1/nodes", node)
    async with operator(plane.kubeconfig, namespace, {"default": prometheus_server.url}) as process:
        await in_service(api, namespace, query=LOW, diagnosis=diagnosis)
        pod = await the_pod(api, namespace)
        where = path("pods", namespace, pod["metadata"]["name"])
        target = {"kind": "Node", "name": node["metadata"]["name"]}  # type: ignore[index]
        binding = {"apiVersion": "v1", "kind": "Binding", "target": target}
        bound = {**binding, "metadata": {"name": pod["metadata"]["name"]}}
        await api.create(f"{where}/binding", bound)
        async with Kubelet(api, namespace, lambda _: None).running():

            async def runs() -> bool:
                return bool((await api.get(where))["status"].get("phase") == "Running")

            await until(runs, 60, "its pod runs")
        await api.delete(where)
        entry = await ended(api, namespace)
        assert entry["reason"] == "DeadlineExceeded"
        assert "spec.diagnosis.timeout" in entry["message"]
        assert "Terminating: pod" in entry["message"]
        assert process.complaints() == []
    await api.delete(f"/api/v1/nodes/{node['metadata']['name']}")  # type: ignore[index]


async def test_a_sidecar_that_outlives_the_trainer_costs_no_report(
    api: Api, plane: ControlPlane, namespace: str, prometheus_server: PrometheusServer
) -> None:
    await seen(prometheus_server, f"{LOW} offset 5s")
    async with operator(plane.kubeconfig, namespace, {"default": prometheus_server.url}) as process:
        trainer = await in_service(api, namespace, query=LOW)
        async with Kubelet(api, namespace, trainer, sidecar="istio-proxy").running():
            status = await until_version(api, namespace, 2)
            assert [entry["outcome"] for entry in status["history"]] == ["Promoted"]
            assert len(trainer.trained) == 2

            async def no_job() -> bool:
                return await jobs_of(api, namespace) == []

            await until(no_job, 60, "what keeps the pods is ended")
        assert process.complaints() == []


async def test_a_forged_report_is_not_believed_and_is_told(
    api: Api, plane: ControlPlane, namespace: str, prometheus_server: PrometheusServer
) -> None:
    """A pod with everything of the Job's own but its image, which says that all is well."""
    await seen(prometheus_server, f"{LOW} offset 5s")
    async with operator(plane.kubeconfig, namespace, {"default": prometheus_server.url}) as process:
        trainer = await in_service(api, namespace, query=LOW)
        genuine = await the_pod(api, namespace)
        forged = deepcopy(genuine)
        forged["metadata"] = {
            key: value
            for key, value in genuine["metadata"].items()
            if key in {"labels", "annotations", "ownerReferences"}
        } | {"name": "forged"}
        forged["spec"]["containers"][0]["image"] = "forger:1"
        forged.pop("status")
        await api.create(path("pods", namespace), forged)
        said = {"exitCode": 0, "reason": "Completed", "message": "FORGED REPORT"}
        state = {"terminated": said}
        container = {"name": "trainer", "image": "x", "imageID": "", "ready": False}
        statuses = [{**container, "restartCount": 0, "state": state}]
        await api.patch(
            path("pods", namespace, "forged", "status"),
            {"status": {"phase": "Succeeded", "containerStatuses": statuses}},
        )
        held = await until_condition(api, namespace, "news", "Training", "ForeignPod", 120)
        assert "forged (the image of container trainer is another)" in held["message"]
        await api.delete(path("pods", namespace, "forged"))
        async with Kubelet(api, namespace, trainer).running():
            status = await until_version(api, namespace, 2)
        assert "FORGED" not in str(status)
        assert [entry["outcome"] for entry in status["history"]] == ["Promoted"]
        await until_told(api, namespace, {"ForeignPod"})
        assert process.complaints() == []

"""What the API server refuses: it is told, nothing else stops, and it clears by itself."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from support.api import Api, path, until
from support.control_plane import ControlPlane
from support.kubelet import Kubelet
from support.operator import operator
from support.prometheus import PrometheusServer, seen
from support.proxy import Proxy
from support.story import (
    LOW,
    in_service,
    jobs_of,
    status_of,
    until_condition,
    until_told,
    until_version,
)
from support.trainer import Ending, Trainer

from maintenance_contract import Operation, TrainingRequest

pytestmark = [pytest.mark.api, pytest.mark.slow, pytest.mark.timeout(900)]

POLICIES = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolic"


class Patient:
    """A trainer whose trainings wait until they are told to end."""

    def __init__(self, trainer: Trainer) -> None:
        self._trainer = trainer
        self.training, self.go_on = asyncio.Event(), asyncio.Event()

    async def __call__(self, request: TrainingRequest) -> Ending:
        if request.operation is Operation.TRAIN:
            self.training.set()
            await self.go_on.wait()
        return self._trainer(request)


@contextlib.asynccontextmanager
async def in_training(api: Api, namespace: str) -> AsyncIterator[Patient]:
    """A drop whose training runs."""
    patient = Patient(await in_service(api, namespace, query=LOW))
    async with Kubelet(api, namespace, patient).running():
        await patient.training.wait()

        async def adopted() -> bool:
            return "jobUID" in (await status_of(api, namespace)).get("run", {})

        await until(adopted, 60, "the operator has seen the training's Job")
        yield patient


@contextlib.asynccontextmanager
async def policy(api: Api, namespace: str, group: str, what: str, verb: str) -> AsyncIterator[None]:
    """A policy of the cluster that denies one verb on one kind, in that namespace."""
    name = f"{namespace}-{what}"
    rule = {
        "apiGroups": [group],
        "apiVersions": ["v1"],
        "operations": [verb],
        "resources": [what],
    }
    spec = {
        "matchConstraints": {"resourceRules": [rule]},
        "validations": [{"expression": "false", "message": "not on a Friday"}],
    }
    binding = {
        "policyName": name,
        "validationActions": ["Deny"],
        "matchResources": {
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}}
        },
    }
    group_version = {"apiVersion": "admissionregistration.k8s.io/v1", "metadata": {"name": name}}
    kind = "ValidatingAdmissionPolicy"
    await api.create(f"{POLICIES}ies", {**group_version, "kind": kind, "spec": spec})
    await api.create(
        f"{POLICIES}ybindings", {**group_version, "kind": f"{kind}Binding", "spec": binding}
    )
    await asyncio.sleep(5)  # the API server looks for policies now and then
    try:
        yield
    finally:
        await api.delete(f"{POLICIES}ybindings/{name}")
        await api.delete(f"{POLICIES}ies/{name}")


async def until_observed(api: Api, namespace: str, **spec: Any) -> None:
    """An edit of the spec is looked at."""
    where = path("modelmaintenances", namespace, "news")
    generation = (await api.patch(where, {"spec": spec}))["metadata"]["generation"]

    async def look() -> bool:
        return bool((await status_of(api, namespace))["observedGeneration"] == generation)

    await until(look, 30, "the edit is observed")


async def until_ready(api: Api, namespace: str, seconds: float = 90) -> None:
    await until_condition(api, namespace, "news", "Ready", "Watching", seconds)


async def test_an_immutable_config_map_is_told_and_made_anew_when_it_was_deleted(
    api: Api, plane: ControlPlane, namespace: str, prometheus_server: PrometheusServer
) -> None:
    await seen(prometheus_server, f"{LOW} offset 5s", 60)
    where = path("configmaps", namespace, "news-champion")
    async with (
        operator(plane.kubeconfig, namespace, {"default": prometheus_server.url}),
        in_training(api, namespace) as patient,
    ):
        await api.patch(where, {"immutable": True})
        patient.go_on.set()
        told = await until_condition(api, namespace, "news", "Ready", "ChampionConfigMapRefused")
        assert "it names version 1, and version 2 is the champion" in told["message"]
        assert "delete it, and the operator makes it anew" in told["message"]
        await until_observed(api, namespace, gate={"confidence": 0.9})
        await until_condition(api, namespace, "news", "MetricsAvailable", "Reading")
        writes = len(plane.writes(namespace))
        await asyncio.sleep(10)
        assert len(plane.writes(namespace)) == writes, "what is refused writes nothing"
        await api.delete(where)
        await until_ready(api, namespace, 30)
        assert (await api.get(where))["data"]["version"] == "2"


async def test_a_policy_that_denies_the_config_map_is_told_until_it_is_gone(
    api: Api, plane: ControlPlane, namespace: str, prometheus_server: PrometheusServer
) -> None:
    await seen(prometheus_server, f"{LOW} offset 5s", 60)
    async with (
        operator(plane.kubeconfig, namespace, {"default": prometheus_server.url}),
        in_training(api, namespace) as patient,
    ):
        async with policy(api, namespace, "", "configmaps", "UPDATE"):
            patient.go_on.set()
            told = await until_condition(
                api, namespace, "news", "Ready", "ChampionConfigMapRefused"
            )
            assert "not on a Friday" in told["message"]
            assert "Do what that policy asks for" in told["message"]
            await until_observed(api, namespace, gate={"confidence": 0.9})
        await until_version(api, namespace, 2)
        await until_ready(api, namespace)


@pytest.mark.parametrize("by", ["quota", "policy"])
async def test_a_refused_job_is_told_and_made_when_it_may_be(
    api: Api, plane: ControlPlane, namespace: str, prometheus_server: PrometheusServer, by: str
) -> None:
    await seen(prometheus_server, f"{LOW} offset 5s", 60)
    quota = path("resourcequotas", namespace)

    @contextlib.asynccontextmanager
    async def none_left() -> AsyncIterator[None]:
        spec = {"hard": {"count/jobs.batch": "0"}}
        await api.create(quota, {"metadata": {"name": "none"}, "spec": spec})

        async def enforced() -> bool:
            return "hard" in (await api.get(f"{quota}/none"))["status"]

        await until(enforced, 30, "the quota is known")
        yield
        await api.delete(f"{quota}/none")

    denied = none_left() if by == "quota" else policy(api, namespace, "batch", "jobs", "CREATE")
    async with operator(plane.kubeconfig, namespace, {"default": prometheus_server.url}):
        async with denied:
            trainer = await in_service(api, namespace, query=LOW)
            told = await until_condition(api, namespace, "news", "Ready", "JobRefused")
            words = "exceeded quota: none" if by == "quota" else "not on a Friday"
            assert words in told["message"]
            number = (await status_of(api, namespace))["run"]["number"]
            await asyncio.sleep(5)
            assert (await status_of(api, namespace))["run"]["number"] == number
        async with Kubelet(api, namespace, trainer).running():
            await until_version(api, namespace, 2)
        await until_ready(api, namespace)
        assert [e["outcome"] for e in (await status_of(api, namespace))["history"]] == ["Promoted"]


async def test_a_job_that_a_finalizer_holds_is_deleted_once_and_waited_for(
    api: Api, plane: ControlPlane, namespace: str, prometheus_server: PrometheusServer
) -> None:
    await seen(prometheus_server, f"{LOW} offset 5s", 60)
    async with (
        operator(plane.kubeconfig, namespace, {"default": prometheus_server.url}) as process,
        in_training(api, namespace),
    ):
        [name] = [job for job in await jobs_of(api, namespace) if job.endswith("-train")]
        job = path("jobs", namespace, name)
        await api.patch(job, {"metadata": {"finalizers": ["example.com/hold"]}})
        await api.patch(path("modelmaintenances", namespace, "news"), {"spec": {"suspend": True}})
        told = await until_condition(api, namespace, "news", "Training", "Terminating")
        assert "held by finalizer example.com/hold" in told["message"]

        async def stopped() -> bool:
            pods = (await api.get(path("pods", namespace)))["items"]
            return not [pod for pod in pods if pod["metadata"]["name"].startswith(name)]

        await until(stopped, 60, "its pod is gone though the Job is held")
        writes = plane.writes(namespace)
        await asyncio.sleep(10)
        assert plane.writes(namespace) == writes
        assert sum(write.startswith("delete jobs") for write in writes) == 1
        await api.patch(job, {"metadata": {"finalizers": None}})

        async def over() -> bool:
            return "run" not in await status_of(api, namespace)

        await until(over, 60, "the run is over")
        assert (await status_of(api, namespace))["history"][0]["outcome"] == "Stopped"
        assert process.complaints() == []


def without_right(method: str, where: str) -> Callable[[web.Request], tuple[int, bytes] | None]:
    """As the API server answers where a rule of RBAC is missing."""
    message = f'{where} is forbidden: User "operator" cannot {method} resource "{where}"'
    answer = {"kind": "Status", "reason": "Forbidden", "message": message, "code": 403}

    def spoil(request: web.Request) -> tuple[int, bytes] | None:
        asked = request.method == method and "watch" not in request.query
        end = request.path.rstrip("/")
        meant = end.endswith(f"/{where}") or (f"/{where}/" in end and where != "status")
        return (403, json.dumps(answer).encode()) if asked and meant else None

    return spoil


@pytest.mark.parametrize(
    "right",
    [
        ("PUT", "configmaps", "ChampionConfigMapRefused"),
        ("GET", "configmaps", "ChampionConfigMapRefused"),
        ("POST", "jobs", "JobRefused"),
        ("GET", "jobs", "JobsUnreadable"),
        ("GET", "pods", "JobsUnreadable"),
    ],
    ids=lambda right: " ".join(right[:2]),
)
async def test_a_right_that_is_missing_is_told_and_the_story_goes_on_when_it_is_given(
    api: Api,
    plane: ControlPlane,
    namespace: str,
    prometheus_server: PrometheusServer,
    tmp_path: Path,
    right: tuple[str, str, str],
) -> None:
    method, where, reason = right
    await seen(prometheus_server, f"{LOW} offset 5s", 60)
    async with (
        Proxy(api).running() as proxy,
        operator(
            proxy.kubeconfig(tmp_path), namespace, {"default": prometheus_server.url}
        ) as process,
    ):
        await asyncio.sleep(1)
        proxy.spoil = without_right(method, where)
        trainer = await in_service(api, namespace, query=LOW)
        async with Kubelet(api, namespace, trainer).running():
            if where == "configmaps" and method == "GET":
                await api.delete(path("configmaps", namespace, "news-champion"))
            told = await until_condition(api, namespace, "news", "Ready", reason)
            assert "must grant the operator's service account that right" in told["message"]
            await until_observed(api, namespace, gate={"confidence": 0.9})
            proxy.spoil = lambda _: None
            await until_version(api, namespace, 2)
            await until_ready(api, namespace)
        assert process.running


async def test_a_status_that_may_not_be_written_is_told_by_an_event(
    api: Api,
    plane: ControlPlane,
    namespace: str,
    prometheus_server: PrometheusServer,
    tmp_path: Path,
) -> None:
    await seen(prometheus_server, f"{LOW} offset 5s", 60)
    async with (
        Proxy(api).running() as proxy,
        operator(proxy.kubeconfig(tmp_path), namespace, {"default": prometheus_server.url}),
    ):
        proxy.spoil = without_right("PUT", "status")
        trainer = await in_service(api, namespace, query=LOW)
        await until_told(api, namespace, {"StatusRefused"})
        assert await jobs_of(api, namespace) == []
        proxy.spoil = lambda _: None
        async with Kubelet(api, namespace, trainer).running():
            await until_version(api, namespace, 2)
        await until_ready(api, namespace)


async def test_a_status_that_the_schema_refuses_is_told_by_one_that_says_only_that(
    api: Api,
    plane: ControlPlane,
    namespace: str,
    prometheus_server: PrometheusServer,
    tmp_path: Path,
) -> None:
    """As where the installed CRD is of another release: the run's step is not one of its words."""
    await seen(prometheus_server, f"{LOW} offset 5s", 60)
    message = "status.run.step: Unsupported value"
    answer = {"kind": "Status", "reason": "Invalid", "message": message, "code": 422}
    refuse_runs = asyncio.Event()

    async with (
        Proxy(api).running() as proxy,
        operator(proxy.kubeconfig(tmp_path), namespace, {"default": prometheus_server.url}),
    ):
        refuse_runs.set()
        proxy.refuse = lambda request, body: (  # by what is in it
            (422, json.dumps(answer).encode())
            if request.method == "PUT" and b'"run":' in body and refuse_runs.is_set()
            else None
        )
        trainer = await in_service(api, namespace, query=LOW)
        told = await until_condition(api, namespace, "news", "Ready", "StatusRefused")
        assert message in told["message"]
        await until_observed(api, namespace, gate={"confidence": 0.9})
        refuse_runs.clear()
        async with Kubelet(api, namespace, trainer).running():
            await until_version(api, namespace, 2)
        await until_ready(api, namespace)

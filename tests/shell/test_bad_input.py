"""Many bad resources beside a good one: each says what is wrong and who must act; none disturbs.

One operator, one namespace; the failing diagnoses are the trainer's own words for bad data.
"""

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from support.api import Api, path
from support.control_plane import ControlPlane
from support.kubelet import Kubelet
from support.objects import resource
from support.operator import operator
from support.prometheus import Exporter, PrometheusServer, free_port, seen
from support.story import LOW, in_service, status_of, until_condition, until_version
from support.trainer import Ending, Trainer

from maintenance_contract import Operation, Outcome, TrainingReport, TrainingRequest

pytestmark = [pytest.mark.api, pytest.mark.slow, pytest.mark.timeout(900)]

METRICS = {
    "wrong-promql": ({"query": "avg("}, "default", "InvalidQuery", "parse error"),
    "no-series": ({"query": "nothing_here"}, "default", "NoData", "no series"),
    "two-series": ({"query": 'model_accuracy{model=~"low|high"}'}, "default", "Ambiguous", "low"),
    "nan": ({"query": 'model_accuracy{model="nan"}'}, "default", "NotANumber", ""),
    "stale": (
        {"query": LOW, "samples": {"query": "nothing_here", "min": 10}},
        "default",
        "Stale",
        "",
    ),
    "few-samples": (
        {"query": LOW, "samples": {"query": LOW, "min": 10}},
        "default",
        "InsufficientSamples",
        "",
    ),
    "unknown-server": ({"query": LOW}, "elsewhere", "UnknownServer", "known: away, default"),
    "away": ({"query": LOW}, "away", "Unreachable", "away"),
}
BLOCKED = {
    "data-missing": ("DataMissing", "pvc://data/news/original holds no files."),
    "column-missing": ("ColumnMissing", "updates/1.csv has no column 'label'."),
    "base-model-missing": ("BaseModelMissing", "pvc://models/base/encoder does not exist."),
    "argument-unknown": ("ArgumentUnknown", "num_train_epoch: do you mean num_train_epochs?"),
}


def metrics(performance: dict[str, Any], server: str) -> dict[str, Any]:
    usual = resource()["spec"]["metrics"]
    return usual | {"server": server, "performance": usual["performance"] | performance}


class Blocking(Trainer):
    """A trainer whose diagnosis fails."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(alter=self._fail)
        self._reason, self._message = reason, message

    def _fail(self, request: TrainingRequest, report: TrainingReport) -> TrainingReport:
        assert request.operation is Operation.DIAGNOSE, "never trained on what cannot be read"
        return replace(report, outcome=Outcome.FAILED, reason=self._reason, message=self._message)


async def test_each_says_what_is_wrong_and_none_disturbs_another(
    api: Api,
    plane: ControlPlane,
    namespace: str,
    exporter: Exporter,
    prometheus_server: PrometheusServer,
) -> None:
    exporter['model_accuracy{model="nan"}'] = float("nan")
    await seen(prometheus_server, 'model_accuracy{model="nan"} offset 5s')
    servers = {"default": prometheus_server.url, "away": f"http://127.0.0.1:{free_port()}"}
    trainers: dict[str, Trainer] = {}

    def work(request: TrainingRequest) -> Ending:
        if request.resource.name == "crashing":
            return Ending("", 1, "Error")
        return trainers[request.resource.name](request)

    async with (
        operator(plane.kubeconfig, namespace, servers) as process,
        Kubelet(api, namespace, work).running(),
    ):
        for name, (performance, server, _, _) in METRICS.items():
            trainers[name] = await in_service(
                api, namespace, name, metrics=metrics(performance, server)
            )
        for name, (reason, message) in BLOCKED.items():
            trainers[name] = Blocking(reason, message)
            await api.create(path("modelmaintenances", namespace), resource(name, query=LOW))
        await api.create(path("modelmaintenances", namespace), resource("crashing", query=LOW))
        trainers["good"] = await in_service(api, namespace, "good", query=LOW)

        await until_version(api, namespace, 2, "good")
        await asyncio.gather(
            *(
                holds(api, namespace, name, reason, part)
                for name, (_, _, reason, part) in METRICS.items()
            )
        )
        await asyncio.gather(
            *(blocks(api, namespace, name, message) for name, (_, message) in BLOCKED.items())
        )
        await fails(api, namespace, "crashing")
        assert process.complaints() == []
    assert all(len(trainers[name].trained) <= 1 for name in trainers if name != "good")
    exporter['model_accuracy{model="nan"}'] = None


async def holds(api: Api, namespace: str, name: str, reason: str, part: str) -> None:
    condition = await until_condition(api, namespace, name, "MetricsAvailable", reason)
    assert condition["status"] == "False"
    assert part in condition["message"]
    status = await status_of(api, namespace, name)
    assert "run" not in status
    ready = next(c for c in status["conditions"] if c["type"] == "Ready")
    at_fault = reason in {"InvalidQuery", "UnknownServer"}
    assert ready["status"] == ("False" if at_fault else "True"), f"{name}: {ready}"


async def blocks(api: Api, namespace: str, name: str, message: str) -> None:
    await until_condition(api, namespace, name, "Training", "Idle")

    async def decided() -> dict[str, Any]:
        return (await status_of(api, namespace, name)).get("decision") or {}

    for _ in range(600):
        decision = await decided()
        if decision:
            break
        await asyncio.sleep(0.1)
    assert (decision["action"], decision["reason"]) == ("Blocked", "DataUnusable")
    assert message in decision["message"]


async def fails(api: Api, namespace: str, name: str) -> None:
    for _ in range(1200):
        history = (await status_of(api, namespace, name)).get("history")
        if history:
            break
        await asyncio.sleep(0.1)
    assert history[0]["outcome"] == "Failed"
    assert history[0]["reason"] == "JobFailed"
    assert "exit code 1" in history[0]["message"]

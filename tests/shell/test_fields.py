"""Fields at work in the operator's own process: what triggers, what holds, what ends a run."""

import asyncio
from typing import Any

import pytest
from support.api import Api, path, until
from support.control_plane import ControlPlane
from support.kubelet import Kubelet
from support.objects import resource
from support.operator import operator
from support.prometheus import Exporter, PrometheusServer, seen
from support.story import (
    HIGH,
    LOW,
    in_service,
    jobs_of,
    status_of,
    until_condition,
    until_told,
    until_version,
)

pytestmark = [pytest.mark.api, pytest.mark.slow, pytest.mark.timeout(900)]


def metrics(query: str, **performance: Any) -> dict[str, Any]:
    usual = resource(query=query)["spec"]["metrics"]
    return usual | {"performance": usual["performance"] | performance}


async def until_run(api: Api, namespace: str, name: str, number: int) -> dict[str, Any]:
    """The decision of that number, once it is taken."""

    async def look() -> dict[str, Any] | None:
        decision = (await status_of(api, namespace, name)).get("decision") or {}
        return decision if decision.get("number", 0) >= number else None

    return await until(look, 180, f"decision {number} of {name}")


async def test_a_drop_below_the_baseline_is_seen_above_the_floor(
    api: Api,
    plane: ControlPlane,
    namespace: str,
    exporter: Exporter,
    prometheus_server: PrometheusServer,
) -> None:
    series = f'model_accuracy{{model="{namespace}"}}'
    exporter[series] = 0.97
    await seen(prometheus_server, f"{series} offset 15s")
    dropping = metrics(series, maxDrop=0.03, recover=0.96)
    async with operator(plane.kubeconfig, namespace, {"default": prometheus_server.url}) as process:
        trainer = await in_service(api, namespace, metrics=dropping)
        async with Kubelet(api, namespace, trainer).running():

            async def known() -> dict[str, Any] | None:
                champion = (await status_of(api, namespace)).get("champion") or {}
                return champion.get("baseline")

            baseline = await until(known, 60, "the baseline")
            assert (baseline["value"], baseline["source"]) == ("0.97", "Production")
            assert await jobs_of(api, namespace) == []
            exporter[series] = 0.93
            decision = await until_run(api, namespace, "news", 1)
            assert decision["trigger"] == "PerformanceDrop"
            assert "Accuracy 0.93 was below 0.94" in decision["message"]
            condition = await until_condition(api, namespace, "news", "Degraded", "BelowThreshold")
            assert "0.93 against 0.94 (maxDrop 0.03 from the baseline)" in condition["message"]
            await until_version(api, namespace, 2)
            exporter[series] = 0.955  # within the range again, but not recovered
            await until_condition(api, namespace, "news", "MetricsAvailable", "Reading")
            exporter[series] = 0.97
            await until_condition(api, namespace, "news", "Degraded", "WithinRange")
        assert process.complaints() == []
    assert trainer.trained == [0, 1], "the one of before, and the one that the drop asked for"
    exporter[series] = None


async def test_schedule_new_labels_and_a_missing_metric_begin_a_run(
    api: Api,
    plane: ControlPlane,
    namespace: str,
    exporter: Exporter,
    prometheus_server: PrometheusServer,
) -> None:
    arrived, gone = f"labels_{namespace}".replace("-", "_"), f"gone_{namespace}".replace("-", "_")
    exporter[arrived], exporter[gone] = 1200, 0.95
    await seen(prometheus_server, f"{gone} offset 10s")
    trainers: dict[str, Any] = {}
    async with (
        operator(plane.kubeconfig, namespace, {"default": prometheus_server.url}) as process,
        Kubelet(api, namespace, lambda asked: trainers[asked.resource.name](asked)).running(),
    ):
        good = metrics(HIGH)
        trainers["scheduled"] = await in_service(
            api, namespace, "scheduled", metrics=good, triggers={"schedule": {"cron": "* * * * *"}}
        )
        trainers["labelled"] = await in_service(
            api,
            namespace,
            "labelled",
            metrics=good,
            triggers={"newData": {"query": arrived, "min": 1000}},
        )
        trainers["unlabelled"] = await in_service(
            api,
            namespace,
            "unlabelled",
            metrics=good,
            triggers={"newData": {"query": arrived, "min": 1300}},
        )
        trainers["missing"] = await in_service(
            api, namespace, "missing", metrics=metrics(gone, onMissing="Breach")
        )
        trainers["holding"] = await in_service(api, namespace, "holding", metrics=metrics(gone))
        await until_condition(api, namespace, "missing", "MetricsAvailable", "Reading")
        exporter[gone] = None
        for name, trigger in (
            ("labelled", "NewData"),
            ("missing", "PerformanceDrop"),
            ("scheduled", "Schedule"),
        ):
            decision = await until_run(api, namespace, name, 1)
            assert decision["trigger"] == trigger
            question = decision["path"][0]
            assert (question["question"], question["answer"]) == ("PerformanceDrop", "Yes")
        await until_condition(api, namespace, "holding", "MetricsAvailable", "NoData")
        for name in ("unlabelled", "holding"):
            assert "decision" not in await status_of(api, namespace, name)
        assert process.complaints() == []
    exporter[arrived] = None


async def test_what_a_namespace_may_not_ask_is_said_and_not_asked(
    api: Api, plane: ControlPlane, namespace: str, prometheus_server: PrometheusServer
) -> None:
    url = prometheus_server.url
    servers = {
        "default": url,
        "others": {"url": url, "namespaces": ["finance"]},
        "fenced": {"url": url, "enforcedMatchers": {"namespace": "{{ namespace }}"}},
    }
    zoned = resource("bad-zone", query=HIGH, triggers={
        "schedule": {"cron": "0 3 * * 1", "timeZone": "Europe/Atlantis"}
    })  # fmt: skip
    async with operator(plane.kubeconfig, namespace, servers) as process:
        for server in ("others", "fenced"):
            await api.create(
                path("modelmaintenances", namespace),
                resource(server, metrics=metrics(HIGH) | {"server": server}),
            )
        await api.create(path("modelmaintenances", namespace), zoned)
        for name, reason, part in (
            ("others", "ServerForbidden", f"not for namespace {namespace}"),
            ("fenced", "QueryForbidden", f'lacks namespace="{namespace}"'),
            ("bad-zone", "InvalidSpec", "spec.triggers.schedule.timeZone"),
        ):
            condition = await until_condition(api, namespace, name, "Ready", reason)
            assert condition["status"] == "False"
            assert part in condition["message"]
        assert await jobs_of(api, namespace) == []
        assert process.complaints() == []


async def test_a_job_that_never_starts_is_given_up_and_the_breaker_opens(
    api: Api, plane: ControlPlane, namespace: str, prometheus_server: PrometheusServer
) -> None:
    await seen(prometheus_server, f"{LOW} offset 5s")
    training = resource()["spec"]["training"] | {"pendingTimeout": "2s"}
    async with operator(plane.kubeconfig, namespace, {"default": prometheus_server.url}) as process:
        await in_service(
            api,
            namespace,
            query=LOW,
            training=training,
            decision={"recheckAfter": "1s"},
            limits={"cooldown": "1s", "consecutiveFailures": 2},
        )  # and no Kubelet
        stalled = await until_condition(api, namespace, "news", "Stalled", "RepeatedFailures", 180)
        assert "2 runs in a row failed" in stalled["message"]
        assert "PendingTimeout" in stalled["message"]
        history = (await status_of(api, namespace))["history"]
        assert [entry["reason"] for entry in history] == ["PendingTimeout"] * 2
        told = await until_told(api, namespace, {"RunFailed", "RepeatedFailures"})
        assert "Decided" not in told

        async def no_job() -> bool:
            return await jobs_of(api, namespace) == []

        await until(no_job, 30, "its Jobs are gone")
        await asyncio.sleep(6)  # another reading, still low
        assert await jobs_of(api, namespace) == [], "a person must look first"
        await api.patch(
            path("modelmaintenances", namespace, "news"),
            {"metadata": {"annotations": {"modelmaintenance.dev/breaker-reset": _later(history)}}},
        )

        async def again() -> bool:
            return len((await status_of(api, namespace))["history"]) > len(history)

        await until(again, 60, "another run")
        assert process.complaints() == []


def _later(history: list[dict[str, Any]]) -> str:
    """The time when the last run ended."""
    return str(history[0]["endTime"])

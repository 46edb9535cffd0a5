"""The operator's own process against a real API server and a real Prometheus."""

import contextlib
import json
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml
from support.api import Api, ApiError, path, until
from support.control_plane import ROOT, ControlPlane
from support.kubelet import Kubelet
from support.objects import resource
from support.operator import OperatorProcess, operator
from support.prometheus import Exporter, PrometheusServer, seen
from support.story import HIGH, in_service, until_condition, until_told, until_version
from support.trainer import Trainer

from maintenance_contract import TrainingAction
from maintenance_core.lifecycle import projection
from maintenance_core.lifecycle.jobs import Identity
from maintenance_core.model import Champion

LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)

pytestmark = [pytest.mark.api, pytest.mark.slow, pytest.mark.timeout(900)]


async def test_from_first_run_to_a_better_model_in_service(
    api: Api,
    plane: ControlPlane,
    namespace: str,
    exporter: Exporter,
    prometheus_server: PrometheusServer,
) -> None:
    exporter['model_accuracy{model="news"}'] = 0.95
    await seen(prometheus_server, 'model_accuracy{model="news"}')
    trainer = Trainer()
    servers = {"default": prometheus_server.url}
    async with (
        operator(plane.kubeconfig, namespace, servers) as process,
        Kubelet(api, namespace, trainer).running(),
    ):
        await api.create(
            path("modelmaintenances", namespace),
            resource(query='model_accuracy{model="news"}', limits={"cooldown": "1s"}),
        )
        first = await until_version(api, namespace, 1)
        assert first["decision"]["trigger"] == "Initial"
        assert first["decision"]["action"] == "Retrain"

        exporter['model_accuracy{model="news"}'] = 0.5
        second = await until_version(api, namespace, 2)
        assert second["decision"]["trigger"] == "PerformanceDrop"
        assert second["decision"]["action"] == "FineTune"
        assert [entry["outcome"] for entry in second["history"]] == ["Promoted", "Promoted"]
        exporter['model_accuracy{model="news"}'] = 0.95

        data = (await api.get(path("configmaps", namespace, "news-champion")))["data"]
        assert data["storageUri"] == "pvc://models/news/versions/2"
        assert json.loads(data["champion.json"])["digest"] == data["digest"]
        assert process.complaints() == []
        status, metrics = await process.page("/metrics")
        assert status == 200
        assert 'model_maintenance_runs_total{action="FineTune",outcome="Promoted"} 1.0' in metrics
        await answers(process)
        assert await process.stop() == 0
    assert trainer.trained == [1, 2]
    exporter['model_accuracy{model="news"}'] = None


async def answers(process: OperatorProcess) -> None:
    assert await process.page("/healthz") == (200, "ok\n")


async def test_the_rights_it_is_given_are_enough_in_all_namespaces(
    api: Api,
    plane: ControlPlane,
    namespace: str,
    prometheus_server: PrometheusServer,
    tmp_path: Path,
) -> None:
    kubeconfig = await service_account(api, plane, tmp_path)
    trainer = Trainer()
    async with (
        operator(kubeconfig, None, {"default": prometheus_server.url}) as process,
        Kubelet(api, namespace, trainer).running(),
    ):
        await api.create(path("modelmaintenances", namespace), resource(query=HIGH))
        await until_version(api, namespace, 1)
        await until_told(
            api, namespace, {"DiagnosisStarted", "Decided", "TrainingStarted", "Promoted"}
        )
        # Resources of other tests are seen, too, and may be on their way out.
        assert [text for text in process.complaints() if "forbidden: User" in text] == []
        assert process.complaints(namespace) == []
    agents = {
        event["user"]["username"]
        for event in plane.audit(namespace)
        if event.get("userAgent", "").startswith("model-maintenance-operator")
    }
    assert agents == {"system:serviceaccount:model-maintenance:model-maintenance"}


async def service_account(api: Api, plane: ControlPlane, directory: Path) -> Path:
    """A kubeconfig of the operator's own service account, bound as the manifests bind it."""
    home = "model-maintenance"
    with contextlib.suppress(ApiError):  # another test's
        await api.create("/api/v1/namespaces", {"metadata": {"name": home}})
    for part in ("serviceaccount", "clusterrole", "clusterrolebinding"):
        plane.kubectl("apply", "-n", home, "-f", str(ROOT / f"manifests/rbac/{part}.yaml"))
    reply = await api.create(
        path("serviceaccounts", home, home, "token"),
        {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}},
    )
    config = yaml.safe_load(plane.kubeconfig.read_text(encoding="utf-8"))
    config["users"][0]["user"] = {"token": reply["status"]["token"]}
    file = directory / "kubeconfig"
    file.write_text(yaml.safe_dump(config), encoding="utf-8")
    return file


async def test_a_start_asks_for_all_at_once_and_writes_nothing(
    api: Api,
    plane: ControlPlane,
    namespace: str,
    exporter: Exporter,
    prometheus_server: PrometheusServer,
) -> None:
    series = 'model_accuracy{model="start"}'
    exporter[series] = 0.95
    await seen(prometheus_server, f"{series} offset 5s")
    servers = {"default": prometheus_server.url}
    names = [f"model-{number}" for number in range(12)]
    async with operator(plane.kubeconfig, namespace, servers) as process:
        for name in names:
            await in_service(api, namespace, name, query=series)
        for name in names:
            await until_condition(api, namespace, name, "Degraded", "WithinRange")
        assert await process.stop() == 0
    before = len(asked_by_us(plane, namespace))
    async with operator(plane.kubeconfig, namespace, servers) as process:

        async def all_are_looked_at() -> bool:
            query = "name[]=model_maintenance_resources_awaited&name[]=model_maintenance_resources"
            _, page = await process.page(f"/metrics?{query}")
            return "resources 12.0\n" in page and "resources_awaited 0.0\n" in page

        await until(all_are_looked_at, 30, "all are looked at")
        await answers(process)
        assert process.complaints() == []
    asked = asked_by_us(plane, namespace)[before:]
    kinds = ("modelmaintenances", "configmaps", "modelmaintenances")
    assert asked[:3] == list(zip(("list", "watch", "watch"), kinds, strict=True))
    assert set(asked[3:]) <= {("list", "configmaps"), ("list", "modelmaintenances")}, "kopf's"
    assert len(asked) <= 5
    exporter[series] = None


async def test_a_champion_is_taken_over_with_a_look_at_each_and_one_write(
    api: Api,
    plane: ControlPlane,
    namespace: str,
    exporter: Exporter,
    prometheus_server: PrometheusServer,
) -> None:
    series = 'model_accuracy{model="taken-over"}'
    exporter[series] = 0.95
    await seen(prometheus_server, f"{series} offset 5s")
    names = [f"model-{number}" for number in range(4)]
    for name in names:
        identity = Identity(namespace, name, "")
        champion = Champion(
            1, f"pvc://models/{name}/versions/1", "sha256:1", LONG_AGO, TrainingAction.RETRAIN
        )
        config_map = projection.manifest(identity, champion, None)
        await api.create(path("configmaps", namespace), config_map)
        await api.create(path("modelmaintenances", namespace), resource(name, query=series))
    async with operator(plane.kubeconfig, namespace, {"default": prometheus_server.url}) as process:
        for name in names:
            await until_condition(api, namespace, name, "Degraded", "WithinRange")
        assert await process.stop() == 0
        assert process.complaints() == []
    asked = Counter(asked_by_us(plane, namespace))
    assert {verb: asked[verb] for verb in asked if verb[0] not in {"list", "watch"}} == {
        ("get", "configmaps"): 4,
        ("get", "modelmaintenances"): 4,
        ("update", "modelmaintenances"): 4,
        ("create", "events"): 4,
    }
    assert ("list", "jobs") not in asked
    exporter[series] = None


def asked_by_us(plane: ControlPlane, namespace: str) -> list[tuple[str, str]]:
    """Verb and kind of what operators asked the API server in a namespace, oldest first."""
    return [
        (event["verb"], event["objectRef"]["resource"])
        for event in plane.audit(namespace)
        if event.get("userAgent", "").startswith("model-maintenance-operator")
    ]

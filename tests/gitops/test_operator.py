"""GitOps tools beside the operator's own process: what they apply, wait for and claim."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from gitops.judging import Judge
from gitops.shell import PAGE, shell, succeed
from support.api import Api, path
from support.control_plane import ControlPlane
from support.kubelet import Kubelet
from support.objects import resource
from support.operator import operator
from support.prometheus import PrometheusServer
from support.story import HIGH, until_condition, until_version
from support.trainer import Trainer

pytestmark = [pytest.mark.api, pytest.mark.slow, pytest.mark.timeout(900)]

WAITS = [block for block in PAGE if "kubectl wait" in block]
THEIRS = {
    "labels": {
        "app.kubernetes.io/instance": "models",
        "app.kubernetes.io/managed-by": "Helm",
        "argocd.argoproj.io/instance": "models",
        "kustomize.toolkit.fluxcd.io/name": "models",
        "kustomize.toolkit.fluxcd.io/namespace": "flux-system",
    },
    "annotations": {
        "argocd.argoproj.io/tracking-id": (
            "models:modelmaintenance.dev/ModelMaintenance:finance/news"
        ),
        "argocd.argoproj.io/sync-wave": "2",
        "meta.helm.sh/release-name": "models",
    },
}
OURS = ("modelmaintenance.dev/",)
KUBERNETES = ("batch.kubernetes.io/", "controller-uid", "job-name")


def foreign(child: Mapping[str, Any]) -> dict[str, str]:
    """Labels and annotations that neither we nor Kubernetes gave it."""
    metadata = child["metadata"]
    marks = {**metadata.get("labels", {}), **metadata.get("annotations", {})}
    assert marks.pop("app.kubernetes.io/managed-by") == "model-maintenance"
    return {
        name: value for name, value in marks.items() if not name.startswith((*OURS, *KUBERNETES))
    }


async def test_children_carry_nothing_that_a_tool_tracks_by(
    api: Api, plane: ControlPlane, namespace: str, prometheus_server: PrometheusServer
) -> None:
    manifests = {}
    for name, how in (("news", ""), ("mail", "--server-side")):
        git = resource(name, query=HIGH)
        git["metadata"] |= THEIRS
        manifests[name] = (f"-n {namespace} {how} -f -", yaml.safe_dump(git))
    async with (
        operator(plane.kubeconfig, namespace, {"default": prometheus_server.url}),
        Kubelet(api, namespace, _by_store({})).running(),
    ):
        for target, manifest in manifests.values():
            await succeed(plane, f"kubectl apply {target}", manifest)
        for name in manifests:
            await until_version(api, namespace, 1, name)
        for name, (target, manifest) in manifests.items():
            assert await succeed(plane, f"kubectl diff {target}", manifest) == ""
            await succeed(plane, f"kubectl apply {target}", manifest)
            live = await api.get(path("modelmaintenances", namespace, name))
            _only_status_is_the_operator_s(live)

    jobs = (await api.get(path("jobs", namespace)))["items"]
    pods = (await api.get(path("pods", namespace)))["items"]
    champions = [
        await api.get(path("configmaps", namespace, f"{name}-champion")) for name in manifests
    ]
    assert len(jobs) == len(pods) == 4, "a diagnosis and a training of each"
    for child in (*jobs, *pods, *champions):
        assert foreign(child) == {}
    for champion in champions:
        assert "ownerReferences" not in champion["metadata"]


def _by_store(trainers: dict[str, Trainer]) -> Any:
    """One store for each resource."""
    return lambda request: trainers.setdefault(request.resource.name, Trainer())(request)


def _only_status_is_the_operator_s(live: Mapping[str, Any]) -> None:
    metadata = live["metadata"]
    assert metadata["generation"] == live["status"]["observedGeneration"] == 1
    assert metadata["labels"] == THEIRS["labels"]
    assert THEIRS["annotations"].items() <= metadata["annotations"].items()
    assert "finalizers" not in metadata
    writers = {entry["manager"]: entry.get("subresource") for entry in metadata["managedFields"]}
    kubectl = {name for name in writers if name.startswith("kubectl")}
    assert {where for name, where in writers.items() if name not in kubectl} == {"status"}


async def test_the_waits_of_the_page_end_when_they_should(
    api: Api, plane: ControlPlane, namespace: str, prometheus_server: PrometheusServer
) -> None:
    name = "news-sentiment"
    assert len(WAITS) == 5

    def here(block: str) -> str:
        # Hours and minutes are meant for a quiet machine; --timeout=0 stays.
        return block.replace("-n finance", f"-n {namespace}").replace("=2m", "=12m")

    async with (
        operator(plane.kubeconfig, namespace, {"default": prometheus_server.url}),
        Kubelet(api, namespace, Trainer()).running(),
    ):
        await api.create(path("modelmaintenances", namespace), resource(name, query=HIGH))
        for block in WAITS:
            await succeed(plane, here(block))
        status = (await api.get(path("modelmaintenances", namespace, name)))["status"]
        assert status["champion"]["version"] == 1

        [pipeline] = [block for block in WAITS if "--timeout=0\n" in block]
        await api.patch(
            path("modelmaintenances", namespace, name),
            {"spec": {"metrics": {"performance": {"query": "sum("}}}},
        )
        await until_condition(api, namespace, name, "Stalled", "InvalidQuery")
        failed = await shell(plane, here(pipeline))
        assert failed.returncode == 1
        assert "parse error" in failed.stdout, "what to mend is printed"


CHART = """\
apiVersion: v2
name: models
version: 0.1.0
"""


async def test_helm_waits_and_fails_as_kstatus_says(
    api: Api,
    plane: ControlPlane,
    namespace: str,
    prometheus_server: PrometheusServer,
    judge: Judge,
    tmp_path: Path,
) -> None:
    """The release's only resource; nobody plays its pods, so a run stays live all the time."""
    where = path("modelmaintenances", namespace, "news")

    def chart(query: str) -> None:
        (tmp_path / "templates").mkdir(exist_ok=True)
        (tmp_path / "Chart.yaml").write_text(CHART)
        (tmp_path / "templates/news.json").write_text(json.dumps(resource(query=query)))

    async def verdict() -> tuple[str, str]:
        [said] = judge([await api.get(where)])
        return said["kstatus"]["status"], said["argocd"]["status"]

    release = f"models {tmp_path} -n {namespace}"
    wait = "--wait --timeout 12m"
    chart(HIGH)
    await succeed(plane, f"helm install {release}")
    assert await verdict() == ("InProgress", "Progressing"), "nobody looks yet"

    async with operator(plane.kubeconfig, namespace, {"default": prometheus_server.url}):
        await succeed(plane, f"helm upgrade {release} {wait}")
        assert await verdict() == ("Current", "Healthy")
        live = await api.get(where)
        assert live["status"]["run"]["step"] == "Diagnose"
        assert live["metadata"]["generation"] == 1, "the same release changes nothing"

        chart("sum(")
        failed = await shell(plane, f"helm upgrade {release} {wait}")
        assert failed.returncode != 0
        assert "status: Failed" in failed.stderr
        assert "parse error" in failed.stderr, "Helm prints what to mend"
        assert await verdict() == ("Failed", "Degraded")

        chart(HIGH)
        await succeed(plane, f"helm upgrade {release} {wait}")
        assert await verdict() == ("Current", "Healthy")

"""A release's life on a real API server: upgraded, tested, uninstalled; models outlive it."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.installed import until
from support.pace import timeout_flag
from support.programs import ROOT, Programs, empty_control_plane

pytestmark = [pytest.mark.api, pytest.mark.timeout(600)]

CHART = ROOT / "charts/model-maintenance"
SAMPLE = str(ROOT / "manifests/samples/minimal.yaml")
NAMESPACE = "model-maintenance"
KIND = "modelmaintenances.modelmaintenance.dev"


@pytest.fixture(scope="module")
def cluster() -> Iterator[Programs]:
    """Nothing is installed; apart from the other files, whose CRD would be taken away here."""
    with empty_control_plane() as running:
        for namespace in ("finance", NAMESPACE):
            running.kubectl("create", "namespace", namespace)
        # Nobody makes it there: there are no controllers.
        running.kubectl("create", "serviceaccount", "default", "--namespace", NAMESPACE)
        yield running


def _crd(cluster: Programs) -> dict[str, Any]:
    return json.loads(cluster.kubectl("get", "crd", KIND, "-o", "json").stdout)


def _fields(crd: dict[str, Any]) -> dict[str, Any]:
    schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return schema["properties"]["spec"]["properties"]


@pytest.fixture
def older_chart(tmp_path: Path) -> Path:
    """A chart of an earlier version, whose kind lacks a field."""
    folder = tmp_path / "model-maintenance"
    shutil.copytree(CHART, folder)
    for name in ("Chart.yaml", "files/modelmaintenances.yaml"):
        document = yaml.safe_load((folder / name).read_text())
        if name == "Chart.yaml":
            document |= {"version": "0.0.9", "appVersion": "0.0.9"}
        else:
            del _fields(document)["gate"]
            spec = document["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"][
                "spec"
            ]
            rules = spec["x-kubernetes-validations"]
            spec["x-kubernetes-validations"] = [one for one in rules if "gate" not in one["rule"]]
        (folder / name).write_text(json.dumps(document))  # YAML's own dump leaves "n" unquoted
    return folder


def _helm(cluster: Programs, *arguments: str) -> subprocess.CompletedProcess[str]:
    return cluster.helm(*arguments, "--namespace", NAMESPACE)


def _install(cluster: Programs, chart: Path, *flags: str) -> None:
    _helm(cluster, "upgrade", "--install", "model-maintenance", str(chart), *flags)
    until(lambda: not cluster.kubectl("get", "mm", "-A", check=False).returncode, "served")


def _ours(cluster: Programs) -> set[str]:
    """Everything that carries the release's label, wherever it lies."""
    kinds = "deploy,svc,cm,sa,netpol,pdb,pod,role,rolebinding,clusterrole,clusterrolebinding"
    label = "app.kubernetes.io/instance=model-maintenance"
    named = cluster.kubectl("get", kinds, "-A", "-l", label, "-o", "name")
    return set(named.stdout.split())


def test_an_upgrade_brings_fields_and_moves_rights_and_keeps_models(
    cluster: Programs, older_chart: Path
) -> None:
    _install(cluster, older_chart)
    cluster.kubectl("-n", "finance", "apply", "-f", SAMPLE)
    before = _crd(cluster)
    uid = ["-n", "finance", "get", "-f", SAMPLE, "-o", "jsonpath={.metadata.uid}"]
    model = cluster.kubectl(*uid).stdout

    upgrade = ["upgrade", "model-maintenance", str(CHART), "--reset-then-reuse-values"]
    _helm(cluster, *upgrade, "--set=watchNamespaces={finance}")
    after = _crd(cluster)

    assert "gate" not in _fields(before)
    assert "gate" in _fields(after)
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    assert cluster.kubectl(*uid).stdout == model
    found = _ours(cluster)
    roles = "role.rbac.authorization.k8s.io/model-maintenance"
    assert roles in found
    assert f"cluster{roles}" not in found

    _helm(cluster, *upgrade, "--set=watchNamespaces=null")  # and back to all namespaces
    found = _ours(cluster)
    assert roles not in found
    assert f"cluster{roles}" in found


@pytest.mark.parametrize("phase, code", [("Succeeded", 0), ("Failed", 1)])
def test_helm_test_ends_as_its_pod_ends(cluster: Programs, phase: str, code: int) -> None:
    """The node's part is played here; what the pod runs is tested beside a real operator."""
    _install(cluster, CHART)
    pod = ["--namespace", NAMESPACE, "pod", "model-maintenance-test"]
    cluster.kubectl("delete", *pod, "--ignore-not-found", "--grace-period=0", "--force")
    test = subprocess.Popen(
        [cluster.folder / "helm", "test", "model-maintenance", "--namespace", NAMESPACE],
        env={"KUBECONFIG": str(cluster.kubeconfig), "HOME": str(cluster.kubeconfig.parent)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        until(lambda: not cluster.kubectl("get", *pod, check=False).returncode, "the test's pod")
        ended = json.dumps({"status": {"phase": phase}})
        cluster.kubectl("patch", *pod, "--subresource=status", "--type=merge", "-p", ended)
        said, _ = test.communicate()
    finally:
        test.kill()
        test.wait()

    assert test.returncode == code, said
    assert f"Phase:          {phase}" in said
    # A failed one stays, for its log.
    assert cluster.kubectl("get", *pod, check=False).returncode == 1 - code


def test_uninstall_leaves_the_kind_and_models_and_nothing_else(cluster: Programs) -> None:
    """And nothing that stays is in the way of deleting it."""
    _install(cluster, CHART, "--set=networkPolicy.enabled=true", "--set=replicas=2")
    cluster.kubectl("-n", "finance", "apply", "-f", SAMPLE)
    installed = _ours(cluster)
    _helm(cluster, "uninstall", "model-maintenance")
    until(lambda: not {one for one in _ours(cluster) if "-test" not in one}, "all is gone")

    assert {name.split("/")[0].split(".")[0] for name in installed} >= {
        "deployment",
        "service",
        "configmap",
        "serviceaccount",
        "networkpolicy",
        "poddisruptionbudget",
        "clusterrole",
        "clusterrolebinding",
    }
    model = json.loads(cluster.kubectl("-n", "finance", "get", "-f", SAMPLE, "-o", "json").stdout)
    assert "finalizers" not in model["metadata"]
    cluster.kubectl("-n", "finance", "delete", "-f", SAMPLE, timeout_flag(60))
    cluster.kubectl("delete", "crd", KIND, timeout_flag(60))

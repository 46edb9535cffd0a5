"""The demo on a cluster that is there: what is looked at first, and what is fitted to it."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.programs import ROOT, Programs, empty_control_plane

sys.path[:0] = [str(ROOT / "examples/support")]

from maintenance_examples.clusters import (  # noqa: E402  # found through the path above
    DEFAULT_CLASS,
    Cluster,
    given_cluster,
)
from maintenance_examples.deployment import Example  # noqa: E402
from maintenance_examples.shell import Failure  # noqa: E402

NODE = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "worker"}}
STORAGE_CLASS = {
    "apiVersion": "storage.k8s.io/v1",
    "kind": "StorageClass",
    "metadata": {"name": "local", "annotations": {DEFAULT_CLASS: "true"}},
    "provisioner": "example.com/local",
}
TRAINER = {"names": ["docker.io/model-maintenance/trainer:0.1.0"], "sizeBytes": 6_000_000_000}


@pytest.fixture(scope="module")
def cluster() -> Iterator[Programs]:
    """A real API server without anything of ours."""
    with empty_control_plane() as plane:
        yield plane


@pytest.fixture(autouse=True)
def programs_on_the_path(cluster: Programs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(cluster.folder), prepend=":")


def test_all_that_is_missing_is_said_at_once_and_then_it_is_taken_as_it_is(
    cluster: Programs,
) -> None:
    with pytest.raises(Failure) as lacking:
        given_cluster(cluster.kubeconfig, "")
    for told in ("default StorageClass", "REGISTRY=", "kind load docker-image"):
        assert told in str(lacking.value)

    for thing in (NODE, STORAGE_CLASS):
        cluster.kubectl("apply", "-f", "-", stdin=json.dumps(thing))
    status = json.dumps({"status": {"images": [TRAINER]}})
    cluster.kubectl("patch", "node", "worker", "--subresource=status", "--type=merge", "-p", status)
    found = given_cluster(cluster.kubeconfig, "")
    assert (found.gpus, found.shared_volumes) == (False, False)

    cluster.kubectl("apply", "-f", str(ROOT / "manifests/crd"))
    cluster.kubectl("create", "namespace", "package-sections")
    with pytest.raises(Failure, match=r"package-sections\n.*installation would read"):
        given_cluster(cluster.kubeconfig, "")
    _fits(cluster, found)


def _fits(cluster: Programs, found: Cluster) -> None:
    """One node without a GPU: claims that any storage class can do, no GPU asked for."""
    example = Example(found, "package-sections")
    cluster.kubectl("create", "serviceaccount", "default", "-n", example.name)
    example.apply("storage.yaml")
    claim = example.kubectl("get", "pvc", "models", "-o", "jsonpath={.spec.accessModes}")
    assert json.loads(claim) == ["ReadWriteOnce"]
    example.apply("modelmaintenance.yaml")
    limits = "jsonpath={.spec.training.resources.limits}"
    assert "memory" in example.kubectl("get", "mm", example.name, "-o", limits)
    assert "gpu" not in example.kubectl("get", "mm", example.name, "-o", limits)


def test_images_come_from_the_registry_that_is_given() -> None:
    nothing = Path("/nowhere")
    cluster = Cluster(nothing, nothing, nothing, "registry.example/team")
    assert cluster.image("model-maintenance/serving:dev") == (
        "registry.example/team/model-maintenance/serving:0.1.0"
    )
    assert cluster.image("other/image:1") == "other/image:1"

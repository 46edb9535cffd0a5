"""The demo on a cluster that is there: what is looked at, fitted, and removed again."""

import json
import socket
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.programs import ROOT, Programs, empty_control_plane

sys.path[:0] = [str(ROOT / "examples/support")]

from maintenance_examples import given  # noqa: E402  # found through the path above
from maintenance_examples.clusters import IMAGES, PART_OF, Cluster, as_written  # noqa: E402
from maintenance_examples.deployment import Example  # noqa: E402
from maintenance_examples.given import DEFAULT_CLASS, given_cluster, reached  # noqa: E402
from maintenance_examples.leaving import remove  # noqa: E402
from maintenance_examples.shell import Failure  # noqa: E402

STORAGE_CLASS = {
    "apiVersion": "storage.k8s.io/v1",
    "kind": "StorageClass",
    "metadata": {"name": "local"},
    "provisioner": "example.com/local",
}
HELD = [{"names": [f"docker.io/{as_written(name)}"], "sizeBytes": 6_000_000} for name in IMAGES]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Programs]:
    """A real API server without anything of ours."""
    with empty_control_plane() as plane:
        yield plane


@pytest.fixture(autouse=True)
def programs_on_the_path(cluster: Programs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(cluster.folder), prepend=":")


def node(cluster: Programs, name: str, **status: Any) -> None:
    """A node that is Ready."""
    labels = {"kubernetes.io/hostname": f"{name}.example"}
    made = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": labels}}
    cluster.kubectl("apply", "-f", "-", stdin=json.dumps(made))
    whole = {"status": {"conditions": [{"type": "Ready", "status": "True"}], **status}}
    cluster.kubectl("patch", "node", name, "--subresource=status", "--type=merge", "-p",
                    json.dumps(whole))  # fmt: skip
    cluster.kubectl("taint", "node", name, "--all", "node.kubernetes.io/not-ready-", check=False)


def refusal(cluster: Programs, registry: str = "") -> str:
    with pytest.raises(Failure) as refused:
        given_cluster(cluster.kubeconfig, registry)
    return str(refused.value)


def test_all_that_is_missing_is_said_at_once_and_then_it_is_taken_as_it_is(
    cluster: Programs,
) -> None:
    told = refusal(cluster)
    for lack in ("a node that is Ready", "a default StorageClass", "install a provisioner"):
        assert lack in told, told

    cluster.kubectl("apply", "-f", "-", stdin=json.dumps(STORAGE_CLASS))
    node(cluster, "worker", images=HELD[:1])
    told = refusal(cluster)
    assert "There are local; to make one the default:  kubectl annotate storageclass NAME " in told
    assert f"{DEFAULT_CLASS}=true" in told
    assert "worker lacks trainer, prometheus, serving" in told, "the operator's is there"
    for hint in ("REGISTRY=", "kind load docker-image", "minikube image load", "docker build"):
        assert hint in told

    cluster.kubectl("annotate", "storageclass", "local", f"{DEFAULT_CLASS}=true")
    node(cluster, "worker", images=HELD)
    found = given_cluster(cluster.kubeconfig, "")
    assert (found.gpus, found.shared_volumes, found.node) == (False, False, "")
    _fits(cluster, found)


def _fits(cluster: Programs, found: Cluster) -> None:
    """One node without a GPU: claims that any storage class can do, no GPU asked for."""
    cluster.kubectl("apply", "-f", str(ROOT / "manifests/crd"))
    example = Example(found, "package-sections")
    example.apply("namespace.yaml")
    cluster.kubectl("create", "serviceaccount", "default", "-n", example.name)
    example.apply("storage.yaml")
    claim = example.kubectl("get", "pvc", "models", "-o", "jsonpath={.spec.accessModes}")
    assert json.loads(claim) == ["ReadWriteOnce"]
    example.apply("modelmaintenance.yaml")
    limits = "jsonpath={.spec.training.resources.limits}"
    assert "memory" in example.kubectl("get", "mm", example.name, "-o", limits)
    assert "gpu" not in example.kubectl("get", "mm", example.name, "-o", limits)
    assert not example.kubectl("get", "pod", "loader", "-o", "jsonpath={.spec.nodeSelector}")


@pytest.fixture
def namespaces_end(cluster: Programs) -> Iterator[None]:
    """In place of the controller that a real cluster has: namespaces that are deleted go."""
    ended = threading.Event()

    def control() -> None:
        while not ended.wait(0.3):
            said = cluster.kubectl("get", "namespaces", "-o", "json", check=False).stdout
            for one in json.loads(said or '{"items": []}')["items"]:
                if "deletionTimestamp" in one["metadata"]:
                    one["spec"] = {}
                    path = f"/api/v1/namespaces/{one['metadata']['name']}/finalize"
                    cluster.kubectl("replace", "--raw", path, "-f", "-", stdin=json.dumps(one),
                                    check=False)  # fmt: skip

    controller = threading.Thread(target=control)
    controller.start()
    yield
    ended.set()
    controller.join()


@pytest.mark.usefixtures("namespaces_end")
def test_what_an_earlier_demo_left_is_told_and_removed_and_nothing_else(
    cluster: Programs,
) -> None:
    cluster.kubectl("create", "namespace", "model-maintenance")
    assert "make demo-down KUBECONFIG=" in refusal(cluster)

    def namespaces() -> dict[str, str]:
        said = json.loads(cluster.kubectl("get", "namespaces", "-o", "json").stdout)["items"]
        return {one["metadata"]["name"]: one["status"]["phase"] for one in said}

    foreign = reached(cluster.kubeconfig)
    cluster.kubectl("delete", "pod", "loader", "-n", "package-sections", "--force")
    told = [*remove(foreign)]
    assert told == ["namespace package-sections"], "the operator's namespace is another's"
    assert "package-sections" not in namespaces()
    assert namespaces()["model-maintenance"] == "Active"
    assert cluster.kubectl("get", "crd", "modelmaintenances.modelmaintenance.dev").stdout
    assert [*remove(foreign)] == ["Nothing of the demo is in this cluster."]

    told_again = refusal(cluster)
    assert "namespaces are there already, and not the demo's: model-maintenance" in told_again
    assert "another installation would read the demo's resource" in told_again

    cluster.kubectl("label", "namespace", "model-maintenance",
                    f"app.kubernetes.io/part-of={PART_OF}")  # fmt: skip
    assert [line.split()[0] for line in remove(foreign)] == ["CRD", "namespace"]
    assert "model-maintenance" not in namespaces()
    assert given_cluster(cluster.kubeconfig, ""), "it is free again"


def test_on_several_nodes_all_that_mounts_a_claim_shares_one(
    cluster: Programs, monkeypatch: pytest.MonkeyPatch
) -> None:
    node(cluster, "with-gpu", images=HELD, allocatable={"nvidia.com/gpu": "2"})
    node(cluster, "without-images")
    assert "without-images lacks operator, trainer, prometheus, serving" in refusal(cluster)
    cluster.kubectl("cordon", "without-images")
    found = given_cluster(cluster.kubeconfig, "")
    assert (found.gpus, found.node) == (True, "with-gpu.example")
    applied: list[dict[str, Any]] = []
    monkeypatch.setattr(Cluster, "kubectl", lambda *_, stdin="", **__: applied.extend(
        yaml.safe_load_all(stdin)))  # fmt: skip
    example = Example(found, "package-sections")
    for file in ("storage.yaml", "serving.yaml", "traffic.yaml", "prometheus.yaml",
                 "modelmaintenance.yaml"):  # fmt: skip
        example.apply(file)
    here = {"kubernetes.io/hostname": "with-gpu.example"}
    for one in applied:
        pod = one["spec"] if one["kind"] == "Pod" else one.get("spec", {}).get("template", {}).get(
            "spec", {})  # fmt: skip
        if pod:
            assert pod.get("nodeSelector") == (
                None if one["metadata"]["name"] == "prometheus" else here
            )
    training = next(one for one in applied if one["kind"] == "ModelMaintenance")["spec"]["training"]
    assert training["pod"]["nodeSelector"] == here
    assert training["resources"]["limits"]["nvidia.com/gpu"] == 1


def test_a_cluster_that_is_not_reached_is_told_with_what_to_try(
    cluster: Programs, tmp_path: Path
) -> None:
    with pytest.raises(Failure, match="nowhere: there is no such file"):
        given_cluster(tmp_path / "nowhere", "")
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    config = yaml.safe_load(cluster.kubeconfig.read_text())
    config["clusters"][0]["cluster"]["server"] = f"https://127.0.0.1:{port}"
    unreached = tmp_path / "kubeconfig"
    unreached.write_text(yaml.safe_dump(config))
    with pytest.raises(
        Failure, match=r"cannot be looked at(.|\n)*kubectl .* get nodes(.|\n)*refused"
    ):
        given_cluster(unreached, "")
    with pytest.raises(Failure, match="refused"):
        list(remove(reached(unreached)))


@pytest.mark.parametrize(
    "registry, told",
    [
        ("https://registry.example/team", "without https://"),
        ("registry.example/Team", "in small letters"),
        ("registry.example/", "host and path"),
        ("127.0.0.1:1", "http://127.0.0.1:1/v2/: [Errno 111] Connection refused"),
        ("registry.invalid/team", "https://registry.invalid/v2/: "),
    ],
)
def test_a_registry_that_cannot_be_is_told_before_anything_is_built(
    cluster: Programs, registry: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(given, "run_loudly", lambda *_: pytest.fail("built"))
    assert told in refusal(cluster, registry)


class Registry(BaseHTTPRequestHandler):
    """It asks for a login."""

    def do_GET(self) -> None:
        """Of any path."""
        self.send_response(401)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Not on the screen."""


def test_what_cannot_be_pushed_says_how_to_log_in_and_puts_nothing_into_the_cluster(
    cluster: Programs, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster.kubectl("apply", "-f", "-", stdin=json.dumps(STORAGE_CLASS))
    cluster.kubectl("annotate", "storageclass", "local", f"{DEFAULT_CLASS}=true", "--overwrite")
    node(cluster, "worker", images=HELD)
    server = HTTPServer(("127.0.0.1", 0), Registry)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    registry = f"127.0.0.1:{server.server_port}/team"

    def denied(*command: object) -> str:
        assert command[1:] == ("--push", registry, *IMAGES)
        raise Failure("dev/images/build: exit code 1")

    monkeypatch.setattr(given, "run_loudly", denied)
    try:
        told = refusal(cluster, registry)
    finally:
        server.shutdown()
        server.server_close()
    assert f"docker login 127.0.0.1:{server.server_port}  " in told
    assert "Nothing was put into the cluster" in told


def test_images_come_from_the_registry_that_is_given_and_are_asked_for_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    nothing = Path("/nowhere")
    cluster = Cluster(nothing, nothing, nothing, "registry.example/team")
    assert cluster.image("model-maintenance/serving:dev") == (
        "registry.example/team/model-maintenance/serving:0.1.0"
    )
    assert cluster.image("other/image:1") == "other/image:1"
    applied: list[dict[str, Any]] = []
    monkeypatch.setattr(Cluster, "kubectl", lambda *_, stdin="", **__: applied.extend(
        yaml.safe_load_all(stdin)))  # fmt: skip
    Example(cluster, "package-sections").apply("traffic.yaml")
    (container,) = next(one for one in applied if one["kind"] == "Deployment")["spec"]["template"][
        "spec"]["containers"]  # fmt: skip
    assert container["image"] == "registry.example/team/model-maintenance/serving:0.1.0"
    assert container["imagePullPolicy"] == "Always", "the tag is that of the last push, too"

"""The cluster an example runs in: one made for it, or one that is there."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from maintenance_examples.shell import ROOT, Failure, run, run_loudly

RELEASE: Final = "model-maintenance"
MONITORING: Final = "examples-monitoring"
KIND: Final = "modelmaintenances.modelmaintenance.dev"
IMAGES: Final = ("operator", "trainer", "prometheus", "serving")
GPU: Final = "nvidia.com/gpu"
DEFAULT_CLASS: Final = "storageclass.kubernetes.io/is-default-class"
LOAD: Final = """\
    docker build -f Dockerfile.operator -t model-maintenance/operator:{version} .
    docker build -f Dockerfile.trainer -t model-maintenance/trainer:{version} .
    docker build -t model-maintenance/prometheus:dev dev/images/prometheus
    docker build -t model-maintenance/serving:dev examples/serving
    kind load docker-image model-maintenance/{{operator,trainer}}:{version} \\
        model-maintenance/{{prometheus,serving}}:dev    # minikube image load ... for minikube"""


@dataclass(frozen=True, slots=True)
class Cluster:
    """A cluster and the programs to work on it.

    ``registry``: where its nodes get the images from; empty where they have them. ``gpus`` tells
    whether a node offers any, ``shared_volumes`` whether claims must be mounted on several nodes.
    """

    kubectl_program: Path
    helm_program: Path
    kubeconfig: Path
    registry: str = ""
    gpus: bool = True
    shared_volumes: bool = True

    def kubectl(self, *arguments: str, stdin: str | bytes | None = None,
                seconds: float = 120) -> str:  # fmt: skip
        """``kubectl``; its output."""
        return run(self.kubectl_program, f"--kubeconfig={self.kubeconfig}", *arguments,
                   stdin=stdin, seconds=seconds)  # fmt: skip

    def helm(self, *arguments: str, seconds: float = 300) -> str:
        """``helm``; its output."""
        return run(self.helm_program, f"--kubeconfig={self.kubeconfig}", *arguments,
                   seconds=seconds)  # fmt: skip

    def image(self, written: str) -> str:
        """An image of ours as this cluster's nodes find it."""
        if not self.registry or not written.startswith("model-maintenance/"):
            return written
        return f"{self.registry}/{written.rpartition(':')[0]}:{_version()}"


def fresh_cluster(*, loud: bool = True) -> Cluster:
    """The development cluster, up and empty, with all images.

    Raises:
        Failure: it does not come up.
    """
    call = run_loudly if loud else lambda *command: run(*command, seconds=1800)
    programs = Path(call(ROOT / "dev/cluster/build").strip().splitlines()[-1])
    call(programs / "mm-cluster", "down")
    call(programs / "mm-cluster", "up")
    call(ROOT / "dev/images/build")
    kubeconfig = Path(run(programs / "mm-cluster", "kubeconfig").strip())
    return Cluster(programs / "kubectl", programs / "helm", kubeconfig)


def given_cluster(kubeconfig: Path, registry: str) -> Cluster:
    """A cluster that is there, looked at before anything is put into it.

    Raises:
        Failure: it lacks what the example needs; names all of it, and what to do.
    """
    kubectl, helm = (_program(name) for name in ("kubectl", "helm"))
    cluster = Cluster(kubectl, helm, kubeconfig.absolute(), registry)
    nodes = _items(cluster, "nodes")
    if lacks := list(_lacks(cluster, nodes)):
        raise Failure("This cluster is not ready for the demo:\n"
                      + "\n".join(f"- {line}" for line in lacks))  # fmt: skip
    if registry:
        run_loudly(ROOT / "dev/images/build", "--push", registry, *IMAGES)
    gpus = any(node["status"].get("allocatable", {}).get(GPU, "0") != "0" for node in nodes)
    return Cluster(kubectl, helm, kubeconfig.absolute(), registry, gpus, len(nodes) > 1)


def _lacks(cluster: Cluster, nodes: list[dict[str, Any]]) -> Iterator[str]:
    classes = _items(cluster, "storageclasses")
    annotations = [one["metadata"].get("annotations", {}) for one in classes]
    if not any(notes.get(DEFAULT_CLASS) == "true" for notes in annotations):
        yield "a default StorageClass: the demo's claims name none"
    taken = {RELEASE, MONITORING, "package-sections"}
    there = taken & {one["metadata"]["name"] for one in _items(cluster, "namespaces")}
    if there:
        yield f"namespaces of these names are there already: {', '.join(sorted(there))}"
    kinds = {one["metadata"]["name"] for one in _items(cluster, "customresourcedefinitions")}
    if KIND in kinds:
        yield f"{KIND} is there already: another installation would read the demo's resource, too"
    names = [
        name for node in nodes for image in node["status"].get("images", [])
        for name in image.get("names") or []
    ]  # fmt: skip
    if not cluster.registry and not any("/trainer:" in name for name in names):
        yield (
            "the images: give REGISTRY=registry.example/team, which this machine may push to and "
            "the nodes pull from, or build and load them into the nodes:\n"
            + LOAD.format(version=_version())
        )


def _items(cluster: Cluster, kind: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(cluster.kubectl("get", kind, "-o", "json"))["items"]
    return found


def _program(name: str) -> Path:
    found = shutil.which(name)
    if found is None:
        raise Failure(f"{name} is not on the PATH; it is needed to put the demo into a cluster")
    return Path(found)


def _version() -> str:
    text = (ROOT / "operator/pyproject.toml").read_text(encoding="utf-8")
    return next(line.split('"')[1] for line in text.splitlines() if line.startswith("version = "))

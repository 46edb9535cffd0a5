"""The cluster an example runs in."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from maintenance_examples import cases
from maintenance_examples.shell import ROOT, run, run_loudly

RELEASE: Final = "model-maintenance"
MONITORING: Final = "examples-monitoring"
KIND: Final = "modelmaintenances.modelmaintenance.dev"
IMAGES: Final = ("operator", "trainer", "prometheus", "serving")
GPU: Final = "nvidia.com/gpu"
HOSTNAME: Final = "kubernetes.io/hostname"
NAMESPACES: Final = (*cases.names(), MONITORING, RELEASE)
"""What the demos make, in the order in which it is removed."""
PART_OF: Final = "model-maintenance-demo"
"""The label app.kubernetes.io/part-of of the namespaces that an example makes."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """A cluster and the programs to work on it.

    ``registry``: where its nodes get the images from; empty where they have them. ``gpus`` tells
    whether a node offers any, ``shared_volumes`` whether any node can mount any claim. Where not,
    all that mounts one runs on ``node``, if there are several: every class of storage can do that.
    """

    kubectl_program: Path
    helm_program: Path
    kubeconfig: Path
    registry: str = ""
    gpus: bool = True
    shared_volumes: bool = True
    node: str = ""

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
        return f"{self.registry}/{written.rpartition(':')[0]}:{version()}"


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


def as_written(image: str) -> str:
    """The name under which manifests and chart know an image of ours."""
    tag = version() if image in {"operator", "trainer"} else "dev"
    return f"model-maintenance/{image}:{tag}"


def version() -> str:
    """Of the product."""
    text = (ROOT / "operator/pyproject.toml").read_text(encoding="utf-8")
    return next(line.split('"')[1] for line in text.splitlines() if line.startswith("version = "))

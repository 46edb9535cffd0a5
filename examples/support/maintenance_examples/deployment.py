"""The example in a real cluster, put there by the same commands that a person would use."""

import io
import tarfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from maintenance_examples.shell import ROOT, Failure, run, run_loudly

MANIFESTS: Final = ROOT / "examples/package-sections/manifests"
TEMPLATE_NAME: Final = "package-sections"
RELEASE: Final = "model-maintenance"
PROMETHEUS: Final = "http://prometheus.monitoring.svc:9090"
Change = Callable[[dict[str, Any]], None]


@dataclass(frozen=True, slots=True)
class Cluster:
    """The development cluster: its programs and how to reach it."""

    programs: Path
    kubeconfig: Path

    def kubectl(self, *arguments: str, stdin: str | bytes | None = None,
                seconds: float = 120) -> str:  # fmt: skip
        """``kubectl``; its output."""
        return run(self.programs / "kubectl", f"--kubeconfig={self.kubeconfig}", *arguments,
                   stdin=stdin, seconds=seconds)  # fmt: skip

    def helm(self, *arguments: str, seconds: float = 300) -> str:
        """``helm``; its output."""
        return run(self.programs / "helm", f"--kubeconfig={self.kubeconfig}", *arguments,
                   seconds=seconds)  # fmt: skip

    def service_url(self, namespace: str, name: str) -> str:
        """A Service's address. This machine is the node, so ClusterIPs can be reached from it."""
        form = "jsonpath={.spec.clusterIP}:{.spec.ports[0].port}"
        return "http://" + self.kubectl("get", "service", name, "-n", namespace, "-o", form)


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
    return Cluster(programs, kubeconfig)


def install_operator(cluster: Cluster) -> None:
    """``helm install`` and ``helm test``, the namespace under Pod Security "restricted"."""
    namespace = {
        "apiVersion": "v1", "kind": "Namespace",
        "metadata": {"name": RELEASE,
                     "labels": {"pod-security.kubernetes.io/enforce": "restricted"}},
    }  # fmt: skip
    cluster.kubectl("apply", "-f", "-", stdin=yaml.safe_dump(namespace))
    cluster.helm(
        "install", RELEASE, str(ROOT / "charts/model-maintenance"), "--namespace", RELEASE,
        "--set", f"prometheus.servers.default.url={PROMETHEUS}", "--wait", "--timeout", "10m",
        seconds=700,
    )  # fmt: skip
    cluster.helm("test", RELEASE, "--namespace", RELEASE, "--timeout", "10m", seconds=700)


@dataclass(frozen=True, slots=True)
class Example:
    """An example in a namespace of its own name: claims with data, server, traffic, resource.

    The manifests are those of ``examples/package-sections``, with another name where it differs.
    """

    cluster: Cluster
    name: str

    def kubectl(self, *arguments: str, stdin: str | bytes | None = None,
                seconds: float = 120) -> str:  # fmt: skip
        """``kubectl`` in the example's namespace."""
        return self.cluster.kubectl("--namespace", self.name, *arguments, stdin=stdin,
                                    seconds=seconds)  # fmt: skip

    def apply(self, file: str, change: Change | None = None) -> None:
        """Apply a manifest of the example; ``change`` edits each of its documents first."""
        text = (MANIFESTS / file).read_text(encoding="utf-8").replace(TEMPLATE_NAME, self.name)
        documents = list(yaml.safe_load_all(text))
        for document in documents:
            if change is not None:
                change(document)
        where = () if file == "namespace.yaml" else ("--namespace", self.name)
        if file == "prometheus.yaml":
            where = ()
        self.cluster.kubectl("apply", *where, "-f", "-", stdin=yaml.safe_dump_all(documents))

    def rollout(self, *deployments: str, namespace: str | None = None) -> None:
        """Wait until Deployments are there."""
        for name in deployments:
            self.cluster.kubectl("rollout", "status", f"deployment/{name}", "--timeout=600s",
                                 "--namespace", namespace or self.name, seconds=620)  # fmt: skip

    def load(self, folder: Path) -> None:
        """Claims, and in them the base model and what lies in ``folder``.

        Raises:
            Failure: the loader's pod does not start.
        """
        self.apply("namespace.yaml")
        self._apply_when_account_is_there("storage.yaml")
        self.kubectl("wait", "--for=condition=Ready", "pod/loader", "--timeout=600s", seconds=620)
        inside = ("exec", "-i", "loader", "--")
        self.kubectl(*inside, "tar", "--extract", "--no-same-owner", "--directory",
                     "/mnt/claims/data", stdin=_archive(folder))  # fmt: skip
        self.kubectl(*inside, "mkdir", "-p", "/mnt/claims/data/updates")
        self.kubectl(*inside, "python", "-m", "base_model", "/mnt/claims/models/base")
        self.kubectl("delete", "pod", "loader", "--wait=false")

    def set_traffic(self, stretch: str) -> None:
        """Change the world."""
        self.kubectl("patch", "configmap", f"{self.name}-traffic", "--patch",
                     f'{{"data":{{"stretch":"{stretch}"}}}}')  # fmt: skip

    def _apply_when_account_is_there(self, file: str) -> None:
        # A pod is refused until the controller has made the new namespace's service account.
        for _ in range(60):
            try:
                self.apply(file)
            except Failure as failure:
                if "serviceaccount" not in str(failure):
                    raise
                time.sleep(0.5)
            else:
                return
        raise Failure(f"namespace {self.name} has no service account after 30 s")


def _archive(folder: Path) -> bytes:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for child in sorted(folder.iterdir()):
            tar.add(child, arcname=child.name, filter=_plain)
    return archive.getvalue()


def _plain(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 65532
    member.mode = 0o775 if member.isdir() else 0o664
    return member

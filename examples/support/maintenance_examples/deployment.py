"""The example in a real cluster, put there by the same commands that a person would use."""

import io
import tarfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from maintenance_examples import waiting
from maintenance_examples.cases import ENCODER
from maintenance_examples.clusters import GPU, HOSTNAME, MONITORING, PART_OF, RELEASE, Cluster
from maintenance_examples.shell import ROOT, Failure

MANIFESTS: Final = ROOT / "examples/package-sections/manifests"
TEMPLATE_NAME: Final = "package-sections"
SHARED: Final = "prometheus.yaml"
"""Of all examples in a cluster, in a namespace of its own."""
BASE_MODEL_SECONDS: Final = 600
PROMETHEUS: Final = f"http://prometheus.{MONITORING}.svc:9090"
Change = Callable[[dict[str, Any]], None]


def install_operator(cluster: Cluster) -> None:
    """``helm install`` and ``helm test``, the namespace under Pod Security "restricted"."""
    namespace = {
        "apiVersion": "v1", "kind": "Namespace",
        "metadata": {"name": RELEASE,
                     "labels": {"pod-security.kubernetes.io/enforce": "restricted"}},
    }  # fmt: skip
    _fit(namespace, cluster)
    cluster.kubectl("apply", "-f", "-", stdin=yaml.safe_dump(namespace))
    images = (
        "--set", f"image.repository={cluster.registry}/model-maintenance/operator",
        "--set", f"trainer.image.repository={cluster.registry}/model-maintenance/trainer",
        # The tag is that of the last push, too.
        "--set", "image.pullPolicy=Always", "--set", "trainer.image.pullPolicy=Always",
    ) if cluster.registry else ()  # fmt: skip
    cluster.helm(
        "install", RELEASE, str(ROOT / "charts/model-maintenance"), "--namespace", RELEASE, *images,
        "--set", f"prometheus.servers.default.url={PROMETHEUS}",
    )  # fmt: skip
    waiting.rolled_out(cluster, RELEASE, RELEASE)
    cluster.helm("test", RELEASE, "--namespace", RELEASE, "--timeout", "10m", seconds=700)


@dataclass(frozen=True, slots=True)
class Example:
    """An example in a namespace of its own name: claims with data, server, traffic, resource.

    The manifests are those of ``examples/<name>/manifests``, and where it has none those of
    ``examples/package-sections``, with another name.
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
        own = ROOT / "examples" / self.name / "manifests" / file
        path = own if own.is_file() else MANIFESTS / file
        text = path.read_text(encoding="utf-8")
        if file != SHARED:
            text = text.replace(TEMPLATE_NAME, self.name)
        documents = list(yaml.safe_load_all(text))
        for document in documents:
            _fit(document, self.cluster)
            if change is not None:
                change(document)
        where = () if file == "namespace.yaml" else ("--namespace", self.name)
        if file == SHARED:
            where = ()
        self.cluster.kubectl("apply", *where, "-f", "-", stdin=yaml.safe_dump_all(documents))

    def rollout(self, *deployments: str, namespace: str | None = None) -> None:
        """Wait until Deployments are there."""
        waiting.rolled_out(self.cluster, namespace or self.name, *deployments)

    def load(
        self, folder: Path, *, base_model: bool = True, made_by: Sequence[str] = ENCODER
    ) -> None:
        """Claims, and in them what lies in ``folder``, and a base model, made in the cluster.

        Raises:
            Failure: the loader's pod does not start.
        """
        self.apply("namespace.yaml")
        self._apply_when_account_is_there("storage.yaml")
        waiting.ready(self.cluster, self.name, "loader")
        inside = ("exec", "-i", "loader", "--")
        self.kubectl(*inside, "tar", "--extract", "--no-same-owner", "--directory",
                     "/mnt/claims/data", stdin=_archive(folder))  # fmt: skip
        self.kubectl(*inside, "mkdir", "-p", "/mnt/claims/data/updates")
        if base_model:
            self.kubectl(*inside, "python", "-m", *made_by, "/mnt/claims/models/base",
                         seconds=BASE_MODEL_SECONDS)  # fmt: skip
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


def _fit(document: dict[str, Any], cluster: Cluster) -> None:
    """To a cluster that is not the development cluster: its images, volumes and GPUs."""
    kind, spec = document["kind"], document.get("spec", {})
    if kind == "Namespace":
        document["metadata"].setdefault("labels", {})["app.kubernetes.io/part-of"] = PART_OF
    pod = spec if kind == "Pod" else spec.get("template", {}).get("spec", {})
    for container in pod.get("containers", []):
        image = cluster.image(container["image"])
        if image != container["image"]:
            container |= {"image": image, "imagePullPolicy": "Always"}
    if kind == "PersistentVolumeClaim" and not cluster.shared_volumes:
        spec["accessModes"] = ["ReadWriteOnce"]  # what every storage class can do
    if cluster.node and any("persistentVolumeClaim" in one for one in pod.get("volumes", [])):
        pod["nodeSelector"] = {HOSTNAME: cluster.node}
    if kind == "ModelMaintenance":
        training = spec["training"]
        if cluster.node:
            training["pod"] = {"nodeSelector": {HOSTNAME: cluster.node}}
        if not cluster.gpus:
            training["resources"]["limits"].pop(GPU, None)


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

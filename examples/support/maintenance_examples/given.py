"""A cluster that is there: looked at before anything is put into it."""

import json
import re
import shutil
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from maintenance_examples.clusters import (
    GPU,
    HOSTNAME,
    IMAGES,
    KIND,
    NAMESPACES,
    PART_OF,
    Cluster,
    as_written,
    version,
)
from maintenance_examples.shell import ROOT, Failure, run_loudly

DEFAULT_CLASS: Final = "storageclass.kubernetes.io/is-default-class"
MOST_IMAGES_TOLD: Final = 50
"""A node's status names so many of its images at most, the largest first."""
REGISTRY: Final = re.compile(
    r"(?P<host>[A-Za-z0-9.-]+(:[0-9]+)?|\[[0-9a-fA-F:]+\](:[0-9]+)?)"
    r"(/[a-z0-9]+([._-]+[a-z0-9]+)*)*"
)
LOOPBACK: Final = re.compile(r"(localhost|127\.[0-9.]+|\[::1\])(:[0-9]+)?")
LOAD: Final = """\
    docker build -f Dockerfile.operator -t model-maintenance/operator:{version} .
    docker build -f Dockerfile.trainer -t model-maintenance/trainer:{version} .
    docker build -t model-maintenance/prometheus:dev dev/images/prometheus
    docker build -t model-maintenance/serving:dev examples/serving
  and then
    kind load docker-image {images}
  or, on minikube
    minikube image load {images}
  or, where a node's containerd is at hand
    docker save {images} | ctr --namespace k8s.io images import -"""
Document = dict[str, Any]


def given_cluster(kubeconfig: Path, registry: str) -> Cluster:
    """The cluster of a kubeconfig, once it has all that the example needs; images are pushed.

    Raises:
        Failure: it lacks something; names all of it, and what to do.
    """
    cluster = reached(kubeconfig, registry)
    nodes = [node for node in _nodes(cluster) if _takes_pods(node)]
    if lacks := list(_lacks(cluster, nodes)):
        raise Failure("This cluster is not ready for the demo. It lacks:\n"
                      + "\n".join(f"- {line}" for line in lacks))  # fmt: skip
    if registry:
        _push(registry)
    chosen = max(nodes, key=_offers_gpus)
    return Cluster(
        cluster.kubectl_program, cluster.helm_program, cluster.kubeconfig, registry,
        gpus=_offers_gpus(chosen), shared_volumes=False,
        node=_hostname(chosen) if len(nodes) > 1 else "",
    )  # fmt: skip


def reached(kubeconfig: Path, registry: str = "") -> Cluster:
    """Whatever cluster the file tells of, not looked at yet.

    Raises:
        Failure: there is no such file, or no kubectl and helm.
    """
    file = kubeconfig.expanduser().absolute()
    if not file.is_file():
        raise Failure(f"KUBECONFIG={kubeconfig}: there is no such file")
    return Cluster(_program("kubectl"), _program("helm"), file, registry)


def _nodes(cluster: Cluster) -> list[Document]:
    try:
        return _items(cluster, "nodes", "--request-timeout=10s")
    except Failure as failure:
        raise Failure(
            f"The cluster of KUBECONFIG={cluster.kubeconfig} cannot be looked at. Is it running, "
            "is its address reached from here, and may this user list nodes? To try:  "
            f"kubectl --kubeconfig={cluster.kubeconfig} get nodes\n{failure}"
        ) from None


def _lacks(cluster: Cluster, nodes: list[Document]) -> Iterator[str]:
    if not nodes:
        yield "a node that is Ready, not cordoned and without a taint that keeps pods away"
    yield from _lacks_class(cluster)
    yield from _taken(cluster)
    yield from _lacks_registry(cluster.registry) if cluster.registry else _lacks_images(nodes)


def _lacks_class(cluster: Cluster) -> Iterator[str]:
    classes = _items(cluster, "storageclasses")
    annotations = [one["metadata"].get("annotations", {}) for one in classes]
    if any(notes.get(DEFAULT_CLASS) == "true" for notes in annotations):
        return
    names = ", ".join(one["metadata"]["name"] for one in classes)
    yield (
        "a default StorageClass: the demo's claims name none. "
        + (f"There are {names}; to make one the default" if names else
           "There is no class at all; install a provisioner, and make its class the default")
        + f":  kubectl annotate storageclass NAME {DEFAULT_CLASS}=true"
    )  # fmt: skip


def _taken(cluster: Cluster) -> Iterator[str]:
    there = {
        one["metadata"]["name"]: one["metadata"].get("labels", {}).get("app.kubernetes.io/part-of")
        for one in _items(cluster, "namespaces")
        if one["metadata"]["name"] in NAMESPACES
    }
    if PART_OF in there.values():
        yield (
            "room: an earlier demo is there still. To remove it:  "
            f"make demo-down KUBECONFIG={cluster.kubeconfig}"
        )
        return
    if there:
        names = ", ".join(sorted(there))
        yield f"free names: these namespaces are there already, and not the demo's: {names}"
    kinds = {one["metadata"]["name"] for one in _items(cluster, "customresourcedefinitions")}
    if KIND in kinds:
        yield (
            f"a free kind: {KIND} is there already; another installation would read the demo's "
            "resource, too. Take a cluster without one"
        )


def _lacks_images(nodes: list[Document]) -> Iterator[str]:
    lacking = {}
    for node in nodes:
        images = node["status"].get("images") or []
        names = {name for image in images for name in image.get("names") or []}
        # The trainer is the largest by far: where not all are told, it would be.
        asked = IMAGES if len(images) < MOST_IMAGES_TOLD else ("trainer",)
        without = [name for name in asked if f"docker.io/{as_written(name)}" not in names]
        if without:
            lacking[node["metadata"]["name"]] = ", ".join(without)
    if lacking:
        where = "; ".join(f"{node} lacks {names}" for node, names in lacking.items())
        yield (
            f"images on its nodes ({where}). Give REGISTRY=registry.example/team, to which this "
            "machine may push and from which the nodes pull; or build and load them:\n"
            + LOAD.format(version=version(), images=" ".join(map(as_written, IMAGES)))
        )


def _lacks_registry(registry: str) -> Iterator[str]:
    found = REGISTRY.fullmatch(registry)
    if found is None:
        yield (
            f"a registry: REGISTRY={registry} is none. Write host and path as in an image's name, "
            "without https:// and in small letters, like registry.example/team or 127.0.0.1:5000"
        )
        return
    host = found["host"]
    url = f"{'http' if LOOPBACK.fullmatch(host) else 'https'}://{host}/v2/"
    try:
        urllib.request.urlopen(url, timeout=15).close()  # noqa: S310  # one of the two schemes
    except urllib.error.HTTPError:
        return  # It is there, whatever it asks for.
    except (OSError, ValueError) as error:
        yield (
            f"a registry that answers: {url}: {getattr(error, 'reason', error)}. This machine "
            "pushes to it by HTTPS; by plain HTTP only at localhost and 127.0.0.1"
        )


def _push(registry: str) -> None:
    try:
        run_loudly(ROOT / "dev/images/build", "--push", registry, *IMAGES)
    except Failure as failure:
        host = registry.partition("/")[0]
        raise Failure(
            f"The images were not built, or not pushed to {registry}; what was said stands above. "
            f"Where it is denied or unauthorized:  docker login {host}  (its credentials are read "
            f"from ~/.docker/config.json). Nothing was put into the cluster.\n{failure}"
        ) from None


def _takes_pods(node: Document) -> bool:
    conditions = {c["type"]: c["status"] for c in node["status"].get("conditions", [])}
    taints = node["spec"].get("taints", [])
    return (
        conditions.get("Ready") == "True"
        and not node["spec"].get("unschedulable", False)
        and all(taint["effect"] == "PreferNoSchedule" for taint in taints)
    )


def _offers_gpus(node: Mapping[str, Any]) -> bool:
    return bool(node["status"].get("allocatable", {}).get(GPU, "0") != "0")


def _hostname(node: Document) -> str:
    return str(node["metadata"].get("labels", {}).get(HOSTNAME, node["metadata"]["name"]))


def _items(cluster: Cluster, kind: str, *options: str) -> list[Document]:
    said = cluster.kubectl("get", kind, "-o", "json", *options)
    found: list[Document] = json.loads(said)["items"]
    return found


def _program(name: str) -> Path:
    found = shutil.which(name)
    if found is None:
        raise Failure(f"{name} is not on the PATH; it is needed to put the demo into a cluster")
    return Path(found)

"""Taking the example out of a cluster again."""

import json
from collections.abc import Iterator
from typing import Final

from maintenance_examples.clusters import KIND, NAMESPACES, PART_OF, RELEASE, Cluster
from maintenance_examples.shell import Failure

SECONDS: Final = 300


def remove(cluster: Cluster) -> Iterator[str]:
    """Remove what the demo has made and wait until it is gone; tells each step before it.

    Only namespaces that the demo labelled are its own; release and CRD go with the operator's.
    Done twice it finds nothing.

    Raises:
        Failure: something does not go.
    """
    own = _own(cluster)
    if not own:
        yield "Nothing of the demo is in this cluster."
        return
    for name in NAMESPACES:
        if name not in own:
            continue
        if name == RELEASE:
            yield from _uninstall(cluster)
        yield f"namespace {name}"
        cluster.kubectl("delete", "namespace", name, f"--timeout={SECONDS}s", seconds=SECONDS + 20)
    yield from _volumes_left(cluster)


def _own(cluster: Cluster) -> set[str]:
    ours = f"--selector=app.kubernetes.io/part-of={PART_OF}"
    try:
        said = cluster.kubectl("get", "namespaces", ours, "-o", "json", "--request-timeout=10s")
    except Failure as failure:
        raise Failure(f"KUBECONFIG={cluster.kubeconfig}: {failure}") from None
    return {one["metadata"]["name"] for one in json.loads(said)["items"]}


def _uninstall(cluster: Cluster) -> Iterator[str]:
    if _installed(cluster):
        yield f"release {RELEASE} (helm uninstall)"
        cluster.helm("uninstall", RELEASE, "--namespace", RELEASE, "--wait", seconds=SECONDS)
    yield f"CRD {KIND}"
    cluster.kubectl("delete", "crd", KIND, "--ignore-not-found", f"--timeout={SECONDS}s",
                    seconds=SECONDS + 20)  # fmt: skip


def _installed(cluster: Cluster) -> bool:
    try:
        cluster.helm("status", RELEASE, "--namespace", RELEASE)
    except Failure as failure:
        if "not found" not in str(failure):
            raise
        return False
    return True


def _volumes_left(cluster: Cluster) -> Iterator[str]:
    """Volumes that the storage class keeps; one that is being deleted takes its time."""
    volumes = json.loads(cluster.kubectl("get", "persistentvolumes", "-o", "json"))["items"]
    for volume in volumes:
        claim = volume["spec"].get("claimRef") or {}
        if (
            claim.get("namespace") in NAMESPACES
            and volume["spec"].get("persistentVolumeReclaimPolicy") == "Retain"
        ):
            name = volume["metadata"]["name"]
            yield (
                f"Volume {name} of claim {claim['namespace']}/{claim['name']} stays, as its class "
                f"asks. To remove it:  kubectl delete persistentvolume {name}"
            )

"""Why pods do not run yet, and waiting for them as long as they get on."""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from maintenance_examples.clusters import Cluster
from maintenance_examples.shell import Failure, until

STILL_SECONDS: Final = 300
"""For pods that do not get on. The kubelet tells nothing while it pulls, so it is generous."""
PULL_SECONDS: Final = 45
"""After that a pull that fails is not a registry that hiccups."""
NO_PULL: Final = frozenset({"ErrImagePull", "ImagePullBackOff", "InvalidImageName"})
Document = Mapping[str, Any]


def reasons(pods: Sequence[Document]) -> Iterator[tuple[str, str, str]]:
    """Of each pod that waits for something: its name, the reason and the message."""
    for pod in pods:
        name, status = pod["metadata"]["name"], pod.get("status", {})
        for condition in status.get("conditions", []):
            if condition["type"] == "PodScheduled" and condition["status"] == "False":
                yield name, condition.get("reason", ""), condition.get("message", "")
        for container in status.get("containerStatuses", []):
            state = container.get("state", {}).get("waiting") or {}
            ended = container.get("lastState", {}).get("terminated") or {}
            if state:
                told = state.get("message", "") or ended.get("message", "")
                yield name, state.get("reason", ""), told


@dataclass(slots=True)
class Pods:
    """The pods of a namespace, looked at again and again.

    A pull that keeps failing ends the wait at once; the message names the image and the cause.
    """

    cluster: Cluster
    namespace: str
    _failing_since: dict[str, float] = field(default_factory=dict)

    def look(self) -> tuple[object, ...]:
        """A value that changes as long as they get on.

        Raises:
            Failure: an image cannot be had.
        """
        said = self.cluster.kubectl("get", "pods", "--namespace", self.namespace, "-o", "json")
        pods = json.loads(said)["items"]
        waits = list(reasons(pods))
        self._pulled(waits)
        phases = [(pod["metadata"]["name"], pod.get("status", {}).get("phase")) for pod in pods]
        return *phases, *(f"{name}: {why}: {told}" for name, why, told in waits)

    def _pulled(self, waits: Sequence[tuple[str, str, str]]) -> None:
        now = time.monotonic()
        failing = {name: told or why for name, why, told in waits if why in NO_PULL}
        self._failing_since = {name: self._failing_since.get(name, now) for name in failing}
        for name, since in self._failing_since.items():
            if now - since >= PULL_SECONDS:
                raise Failure(
                    f"Pod {self.namespace}/{name} does not get its image: {failing[name]}\n"
                    + (f"Can the nodes reach {self.cluster.registry}, and may they pull from it? "
                       "(The demo sets no imagePullSecrets.)" if self.cluster.registry else
                       "Load the images into the nodes, or give REGISTRY=registry.example/team.")
                )  # fmt: skip


def rolled_out(cluster: Cluster, namespace: str, *deployments: str) -> None:
    """Wait until Deployments are available.

    Raises:
        Failure: their pods do not get on; says what they wait for.
    """
    pods = Pods(cluster, namespace)
    for name in deployments:

        def available(name: str = name) -> bool | None:
            said = cluster.kubectl(
                "get", "deployment", name, "--namespace", namespace, "-o", "json"
            )
            found = json.loads(said)
            status = found.get("status", {})
            return (
                status.get("observedGeneration", 0) >= found["metadata"]["generation"]
                and status.get("updatedReplicas", 0) == found["spec"]["replicas"]
                and status.get("availableReplicas", 0) == found["spec"]["replicas"]
            ) or None

        until(f"Deployment {namespace}/{name} available", available, seconds=STILL_SECONDS,
              every=0.5, progress=pods.look)  # fmt: skip


def ready(cluster: Cluster, namespace: str, pod: str) -> None:
    """Wait until a pod is ready.

    Raises:
        Failure: it does not get on; says what it waits for.
    """

    def is_ready() -> bool | None:
        said = cluster.kubectl("get", "pod", pod, "--namespace", namespace, "-o", "json")
        conditions = json.loads(said).get("status", {}).get("conditions", [])
        return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions) or None

    until(f"pod {namespace}/{pod} ready", is_ready, seconds=STILL_SECONDS, every=0.5,
          progress=Pods(cluster, namespace).look)  # fmt: skip

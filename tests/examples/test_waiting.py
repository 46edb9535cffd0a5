"""Waiting for pods: as long as they get on, and what is said when they do not."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "examples/support")]

from maintenance_examples import shell, waiting  # noqa: E402  # found through the path above
from maintenance_examples.clusters import Cluster  # noqa: E402
from maintenance_examples.shell import Failure  # noqa: E402

BACK_OFF = 'Back-off pulling image "registry.example/serving:1": not found'
UNBOUND = "0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims."


class Clock:
    """A second passes by each sleep."""

    now = 0.0

    def monotonic(self) -> float:
        """The time."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.now += max(seconds, 1.0)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """In place of the machine's."""
    made = Clock()
    for module in (shell, waiting):
        monkeypatch.setattr(module, "time", made)
    return made


def pod(phase: str, **status: Any) -> dict[str, Any]:
    return {"metadata": {"name": "loader"}, "status": {"phase": phase, **status}}


def waits(reason: str, message: str) -> dict[str, Any]:
    state = {"waiting": {"reason": reason, "message": message}}
    return pod("Pending", containerStatuses=[{"state": state}])


def played(monkeypatch: pytest.MonkeyPatch, look: Any, registry: str = "") -> Cluster:
    """A cluster whose one pod is what ``look`` says."""

    def kubectl(_: Cluster, *arguments: str, **__: object) -> str:
        found = look()
        return json.dumps({"items": [found]} if arguments[1] == "pods" else found)

    monkeypatch.setattr(Cluster, "kubectl", kubectl)
    nothing = Path("/nowhere")
    return Cluster(nothing, nothing, nothing, registry)


def test_a_pod_that_cannot_get_its_image_ends_the_wait_with_the_cause(
    monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    cluster = played(monkeypatch, lambda: waits("ImagePullBackOff", BACK_OFF), "registry.example")
    with pytest.raises(Failure) as failed:
        waiting.ready(cluster, "ns", "loader")
    assert BACK_OFF in str(failed.value)
    assert "Can the nodes reach registry.example" in str(failed.value)
    assert clock.now < 2 * waiting.PULL_SECONDS


def test_a_pull_that_hiccups_is_waited_for(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    def look() -> dict[str, Any]:
        if clock.now > waiting.PULL_SECONDS * 3:
            return pod("Running", conditions=[{"type": "Ready", "status": "True"}])
        failing = int(clock.now / (waiting.PULL_SECONDS / 2)) % 2 == 0
        return waits("ErrImagePull", "timeout") if failing else waits("ContainerCreating", "")

    waiting.ready(played(monkeypatch, look), "ns", "loader")


def test_a_claim_without_a_volume_is_told_once_nothing_gets_on(
    monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    unbound = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable",
               "message": UNBOUND}  # fmt: skip
    cluster = played(monkeypatch, lambda: pod("Pending", conditions=[unbound]))
    with pytest.raises(Failure, match="unbound immediate PersistentVolumeClaims"):
        waiting.ready(cluster, "ns", "loader")
    assert clock.now >= waiting.STILL_SECONDS

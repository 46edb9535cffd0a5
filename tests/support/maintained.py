"""Resources of one kind of model on a real node, and what has become of them.

The metric of each is a constant that is never good enough, so that every resource looks at its new
rows at once and nothing has to be served.
"""

import contextlib
import copy
import dataclasses
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import yaml
from maintenance_examples.clusters import MONITORING, Cluster
from maintenance_examples.deployment import Example
from maintenance_examples.shell import run, until
from maintenance_examples.watching import Watched

from maintenance_contract import LOSSES

SAMPLES: Final = Path(__file__).resolve().parents[2] / "manifests/samples"
DECIDED_SECONDS, TRAINED_SECONDS, BLOCKED_SECONDS = 600, 900, 240
METRICS: Final = {
    "server": "default",
    "interval": "5s",
    "performance": {
        "query": "vector(0.5)",
        "thresholdRange": {"min": 0.9},
        "breach": {"count": 3, "of": 5},
    },
}


def resource(sample: str, name: str, data: str, *, initial: str = "") -> dict[str, Any]:
    """A sample for people, with the durations of a test.

    Args:
        sample: the file's name in ``manifests/samples`` without its suffix.
        name: of the resource; its versions lie in a folder of this name.
        data: ``storageUri`` of the folder that has ``original``; there are no updates.
        initial: ``storageUri`` of a version to take over.
    """
    text = (SAMPLES / f"{sample}.yaml").read_text(encoding="utf-8")
    found: dict[str, Any] = yaml.safe_load(text)
    found["metadata"] = {"name": name}
    spec = found["spec"]
    spec["suspend"] = False
    spec["model"]["storage"] = {"storageUri": f"pvc://models/{name}"}
    if initial:
        spec["model"]["initialModel"] = {"storageUri": initial}
    spec["data"] |= {
        "original": {"storageUri": f"{data}/original"},
        "updates": {"storageUri": f"{data}/nothing"},
    }
    spec["metrics"] = copy.deepcopy(METRICS)
    spec["decision"] = {"recheckAfter": "24h"}
    spec["training"] = {
        "resources": {
            "limits": {"nvidia.com/gpu": 1, "memory": "4Gi"},
            "requests": {"cpu": "500m", "memory": "1Gi"},
        },
        "timeout": "20m",
    }
    spec["limits"] = {"cooldown": "10s"}
    return found


@contextlib.contextmanager
def begun(
    cluster: Cluster, fill: Callable[[Path], None], wanted: dict[str, Any], **loading: bool
) -> Iterator[Watched]:
    """A namespace of the resource's name with its data and Prometheus, and version 1 in service.

    All resources of the namespace go afterwards: more than ten that breach at once would hold
    each other (``watch/common_cause.py``).

    Args:
        cluster: the node.
        fill: writes the folders of claim ``data``.
        wanted: the resource.
        **loading: what ``Example.load`` is told.
    """
    example = Example(cluster, wanted["metadata"]["name"])
    with tempfile.TemporaryDirectory() as folder:
        fill(Path(folder))
        example.load(Path(folder), **loading)
    example.apply("prometheus.yaml")
    example.rollout("prometheus", namespace=MONITORING)
    watched = applied(Watched(example), wanted)
    try:
        in_service(watched)
        yield watched
    finally:
        example.kubectl("delete", "modelmaintenances", "--all")


def applied(beside: Watched, wanted: dict[str, Any]) -> Watched:
    """Apply a resource beside another one."""
    beside.example.kubectl("apply", "-f", "-", stdin=yaml.safe_dump(wanted))
    return dataclasses.replace(beside, name=wanted["metadata"]["name"], decisions={})


def taken_over(beside: Watched, wanted: dict[str, Any]) -> Watched:
    """Apply a resource as long as all is well, and with its new rows once version 1 is in service.

    For changes after which nobody would take the model for the right one.
    """
    before = copy.deepcopy(wanted)
    before["spec"]["metrics"]["performance"]["thresholdRange"] = {"min": 0.1}
    updates = before["spec"]["data"]["updates"]
    updates["storageUri"] = updates["storageUri"].rpartition("/")[0] + "/nothing"
    in_service(applied(beside, before))
    return applied(beside, wanted)


def in_service(watched: Watched) -> dict[str, Any]:
    """The first entry of its history, once version 1 is in service."""
    _until(watched, "version 1", lambda: watched.status().get("champion"), DECIDED_SECONDS)
    first: dict[str, Any] = watched.status()["history"][0]
    return first


def decision(watched: Watched, action: str) -> dict[str, Any]:
    """The first decision to do this, as soon as it is there; else what was decided instead."""

    def decided() -> dict[str, Any] | None:
        watched.status()
        every = [d for d in watched.decisions.values() if d["trigger"] == "PerformanceDrop"]
        return next((d for d in every if d["action"] == action), next(iter(every), None))

    return _until(watched, "the decision", decided, DECIDED_SECONDS)


def blocked(watched: Watched) -> str:
    """The message of a decision that only people can get past; nothing is in service."""
    found = _until(watched, "a decision", lambda: watched.status().get("decision"), BLOCKED_SECONDS)
    assert (found["action"], found["reason"]) == ("Blocked", "DataUnusable"), found
    assert "champion" not in watched.status()
    return str(found["message"])


def trained(watched: Watched) -> dict[str, Any]:
    """The entry of history for the first training."""

    def ended() -> dict[str, Any] | None:
        history = watched.status().get("history", [])
        return next((entry for entry in history if entry["action"] != "Import"), None)

    return _until(watched, "the end", ended, TRAINED_SECONDS)


def won(watched: Watched, action: str) -> bool:
    """Whether the first training did this and its version 2 is promoted, better on new rows."""
    entry = trained(watched)
    assert (entry["trigger"], entry["action"]) == ("PerformanceDrop", action), entry
    assert (entry["outcome"], entry["version"]) == ("Promoted", 2), entry
    return better(entry["scores"]["new"])


def better(scores: dict[str, Any]) -> bool:
    """Whether the challenger is, by the metric that the scores are of."""
    challenger, champion = float(scores["challenger"]), float(scores["champion"])
    return challenger < champion if scores.get("metric") in LOSSES else challenger > champion


def why(watched: Watched) -> str:
    """What ``kubectl mm why`` says, on one line."""
    where = (
        f"--kubeconfig={watched.example.cluster.kubeconfig}",
        "--namespace",
        watched.example.name,
    )
    told = run(sys.executable, "-m", "maintenance_operator.cli", "why", watched.name, *where)
    return " ".join(told.split())


def _until(watched: Watched, what: str, found: Callable[[], Any], seconds: int) -> Any:
    return until(f"{what} of {watched.name}", found, seconds=seconds, progress=watched.how_far)

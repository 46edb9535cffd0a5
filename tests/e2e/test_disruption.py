"""Pods taken away on a real node, by an eviction and by the scheduler: nothing is lost by it."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from maintenance_examples.shell import until
from maintenance_examples.watching import Watched

ROOT = Path(__file__).resolve().parents[2]
NAME = "disturbed"
URGENT = "urgent-work"
GPU = "nvidia.com/gpu"
pytestmark = pytest.mark.timeout(900)


def _resource() -> dict[str, Any]:
    text = (ROOT / "examples/green-bonds/modelmaintenance.yaml").read_text(encoding="utf-8")
    resource: dict[str, Any] = yaml.safe_load(text)
    resource["metadata"]["name"] = NAME
    resource["spec"]["model"]["storage"]["storageUri"] = f"pvc://models/{NAME}"
    resource["spec"]["metrics"]["performance"]["match"] = {"model": "green-bonds"}
    return resource


def _pods(watched: Watched, step: str) -> list[dict[str, Any]]:
    """The pods of the resource's step, oldest first."""
    ours = f"--selector=modelmaintenance.dev/step={step}"
    pods = json.loads(watched.example.kubectl("get", "pods", ours, "-o", "json"))["items"]
    pods = [pod for pod in pods if pod["metadata"]["name"].startswith(f"{NAME}-")]
    return sorted(pods, key=lambda pod: pod["metadata"]["creationTimestamp"])


def _running(watched: Watched, step: str) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        running = [pod for pod in _pods(watched, step) if pod["status"]["phase"] == "Running"]
        return running[-1] if running else None

    return until(f"a pod of {step} that runs", look, seconds=240, progress=watched.how_far)


def _evict(watched: Watched, pod: str) -> None:
    """As ``kubectl drain`` does."""
    example = watched.example
    eviction = {
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {"name": pod, "namespace": example.name},
    }
    where = f"/api/v1/namespaces/{example.name}/pods/{pod}/eviction"
    example.kubectl("create", "--raw", where, "-f", "-", stdin=json.dumps(eviction))


def _urgent_work(watched: Watched) -> None:
    """A pod of higher priority that wants every GPU of the node for some seconds."""
    example = watched.example
    nodes = json.loads(example.kubectl("get", "nodes", "-o", "json"))["items"]
    gpus = nodes[0]["status"]["allocatable"][GPU]
    trained = _pods(watched, "train")[-1]["spec"]
    container = trained["containers"][0]
    priority = {
        "apiVersion": "scheduling.k8s.io/v1",
        "kind": "PriorityClass",
        "metadata": {"name": URGENT},
        "value": 1000,
    }
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": URGENT},
        "spec": {
            "priorityClassName": URGENT,
            "restartPolicy": "Never",
            "securityContext": trained["securityContext"],
            "containers": [
                {
                    "name": "work",
                    "image": container["image"],
                    "securityContext": container["securityContext"],
                    "command": ["sleep", "5"],
                    "resources": {"limits": {GPU: gpus}},
                }
            ],
        },
    }
    example.kubectl("apply", "-f", "-", stdin=yaml.safe_dump_all([priority, pod]))


def _disrupted(watched: Watched, step: str) -> list[str]:
    """Why pods of the step were taken away, by their conditions."""
    return [
        condition["reason"]
        for pod in _pods(watched, step)
        for condition in pod["status"]["conditions"]
        if (condition["type"], condition["status"]) == ("DisruptionTarget", "True")
    ]


def test_evicted_and_preempted_pods_come_again_and_count_for_nothing(green_bonds: Watched) -> None:
    example = green_bonds.example
    example.kubectl("apply", "-f", "-", stdin=yaml.safe_dump(_resource()))
    watched = dataclasses.replace(green_bonds, name=NAME, decisions={})
    first = _running(watched, "diagnose")["metadata"]["name"]
    _evict(watched, first)
    until(
        "another pod after the eviction",
        lambda: [pod for pod in _pods(watched, "diagnose") if pod["metadata"]["name"] != first],
        seconds=120,
    )
    preempted = _running(watched, "train")["metadata"]["name"]
    _urgent_work(watched)
    why = until("the preemption", lambda: _disrupted(watched, "train") or None, seconds=120)
    assert why == ["PreemptionByScheduler"]

    def ended() -> dict[str, Any] | None:
        return next(iter(watched.status().get("history", [])), None)

    run = until("the end of the run", ended, seconds=400, progress=watched.how_far)
    assert (run["number"], run["outcome"]) == (1, "Promoted"), run
    assert len(watched.status()["history"]) == 1
    assert preempted not in {pod["metadata"]["name"] for pod in _pods(watched, "train")}
    example.kubectl("delete", "pod", URGENT)
    example.kubectl("delete", "priorityclass", URGENT)
    example.kubectl("delete", "modelmaintenance", NAME)

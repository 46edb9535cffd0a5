"""Three drops that no training would mend, on a real node: None, Wait and Blocked, and why.

The model is the one of the example, taken over by ``spec.model.initialModel``. The metric is a
constant that is never good enough, so each asks its newly labelled rows at once, and nothing has to
be served.
"""

import copy
import dataclasses
import json
import random
import sys
from pathlib import Path
from typing import Any

import headlines
import pytest
import yaml
from maintenance_examples.shell import run, until
from maintenance_examples.watching import Watched, condition
from support import maintained

ROOT = Path(__file__).resolve().parents[2]
RESOURCE = ROOT / "examples/green-bonds/modelmaintenance.yaml"
pytestmark = pytest.mark.timeout(900)

WRITE = """
import pathlib, sys
file = pathlib.Path(sys.argv[1])
file.parent.mkdir(parents=True, exist_ok=True)
file.write_text(sys.stdin.read())
"""


@pytest.fixture(scope="module")
def version_1(green_bonds: Watched) -> Watched:
    """The example's first version is in the store."""
    green_bonds.example.kubectl("apply", "-f", str(RESOURCE))
    until(
        "version 1",
        lambda: green_bonds.status().get("champion"),
        seconds=400,
        progress=green_bonds.how_far,
    )
    return green_bonds


def _rows(count: int, *, shuffled: bool = False) -> str:
    news = headlines.Newsroom(seed=99).write(count)
    labels = [row.label for row in news]
    if shuffled:
        random.Random(5).shuffle(labels)  # noqa: S311  # a seeded sample, no secret
    rows = zip(news, labels, strict=True)
    return "".join(json.dumps({"text": r.text, "label": label}) + "\n" for r, label in rows)


def _resource(name: str) -> dict[str, Any]:
    resource: dict[str, Any] = yaml.safe_load(RESOURCE.read_text(encoding="utf-8"))
    resource["metadata"]["name"] = name
    spec = resource["spec"]
    spec["model"]["initialModel"] = {"storageUri": "pvc://models/green-bonds/versions/1"}
    spec["model"]["storage"]["storageUri"] = f"pvc://models/{name}"
    spec["data"]["updates"]["storageUri"] = f"pvc://data/{name}"
    spec["metrics"] = copy.deepcopy(maintained.METRICS)
    spec["decision"]["recheckAfter"] = "24h"
    return resource


def _why(watched: Watched) -> str:
    kubeconfig = watched.example.cluster.kubeconfig
    where = (f"--kubeconfig={kubeconfig}", "--namespace", watched.example.name)
    return run(sys.executable, "-m", "maintenance_operator.cli", "why", watched.name, *where)


CASES = {
    "nothing-new": (_rows(600), "None", "NoCauseFound"),
    "few-labels": (_rows(40), "Wait", "NotEnoughNewRows"),
    "shuffled": (_rows(600, shuffled=True), "Blocked", "DataUnusable"),
}


@pytest.fixture(scope="module")
def asked(version_1: Watched) -> dict[str, Watched]:
    """All three resources, applied together; their Jobs share the wait."""
    example, found = version_1.example, {}
    for name, (rows, _, _) in CASES.items():
        target = f"/mnt/claims/data/{name}/u.jsonl"
        example.kubectl(
            "exec", "-i", "deployment/traffic", "--", "python", "-c", WRITE, target, stdin=rows
        )
        example.kubectl("apply", "-f", "-", stdin=yaml.safe_dump(_resource(name)))
        found[name] = dataclasses.replace(version_1, name=name, decisions={})
    return found


@pytest.mark.parametrize("name", CASES)
def test_no_training_is_started_that_would_mend_nothing(
    asked: dict[str, Watched], name: str
) -> None:
    watched, (_, action, reason) = asked[name], CASES[name]

    def decided() -> dict[str, Any] | None:
        decision: dict[str, Any] | None = watched.status().get("decision")
        return decision if decision and decision["trigger"] == "PerformanceDrop" else None

    decision = until(f"the decision on {name}", decided, seconds=400, progress=watched.how_far)
    assert (decision["action"], decision["reason"]) == (action, reason), decision["message"]
    assert {
        "nothing-new": "do not show the drop" in decision["message"]
        or "training would fit noise" in decision["message"],
        "few-labels": "40 newly labelled rows, 50 are needed" in decision["message"],
        "shuffled": "LabelsUnpredictable: data.updates: the labels of" in decision["message"],
    }[name], decision["message"]

    status = watched.status()
    assert [entry["action"] for entry in status["history"]] == ["Import"]
    assert status["champion"]["action"] == "Import"
    runs = [job for job in watched.jobs() if job.startswith(f"{name}-")]
    trained = [job for job in runs if job.endswith("-train")]
    assert len(trained) == 1, "the one that took the model over"
    ready, degraded = condition(status, "Ready"), condition(status, "Degraded")
    assert ready is not None
    assert degraded is not None
    assert (ready["status"], degraded["status"]) == ("True", "True")
    told = _why(watched)
    assert reason in told
    assert "PerformanceDrop" in told
    watched.example.kubectl("delete", "modelmaintenance", name)

"""The workflow's own case, on a real node: green bonds enter financial news."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from maintenance_examples.shell import until
from maintenance_examples.watching import Watched, is_true

ROOT = Path(__file__).resolve().parents[2]
RESOURCE = ROOT / "examples/green-bonds/modelmaintenance.yaml"
pytestmark = pytest.mark.timeout(900)


def _floor() -> float:
    spec = yaml.safe_load(RESOURCE.read_text(encoding="utf-8"))["spec"]
    return float(spec["metrics"]["performance"]["thresholdRange"]["min"])


def _ended(watched: Watched, number: int) -> dict[str, Any]:
    """The run's entry in history, once it has ended."""

    def look() -> dict[str, Any] | None:
        entries = watched.status().get("history", [])
        return next((entry for entry in entries if entry["number"] == number), None)

    return until(f"the end of run {number}", look, seconds=400, progress=watched.how_far)


def _healthy(watched: Watched, version: int) -> bool | None:
    accuracy = watched.accuracy(10)
    served = watched.served_version() == version
    return (served and accuracy is not None and accuracy >= _floor()) or None


def test_a_domain_that_the_model_has_not_seen_is_fine_tuned_and_promoted(
    green_bonds: Watched,
) -> None:
    example = green_bonds.example
    example.kubectl("apply", "-f", str(RESOURCE))
    first = _ended(green_bonds, 1)
    assert (first["trigger"], first["action"], first["outcome"]) == (
        "Initial", "Retrain", "Promoted",
    ), first  # fmt: skip
    until("version 1 above its floor", lambda: _healthy(green_bonds, 1), seconds=120)

    example.set_traffic("green-bonds")
    second = _ended(green_bonds, 2)
    assert (second["trigger"], second["action"], second["outcome"]) == (
        "PerformanceDrop", "FineTune", "Promoted",
    ), second  # fmt: skip
    assert second["version"] == 2
    scores = second["scores"]["new"]
    assert float(scores["challenger"]) > float(scores["champion"])
    decision = green_bonds.decisions[2]
    answers = {step["question"]: step["answer"] for step in decision["path"]}
    assert answers["DataDistributionShift"] == "Minor"
    assert answers["ConceptDrift"] != "Major"

    run = "/mnt/claims/models/green-bonds/runs/2"
    kept = example.kubectl("exec", "deployment/serving", "--", "ls", run)
    assert {"decision.json", "decision.svg", "report.json"} <= set(kept.split())
    until("version 2 above the floor", lambda: _healthy(green_bonds, 2), seconds=120)
    until("the end of Degraded", lambda: not is_true(green_bonds.status(), "Degraded") or None,
          seconds=60)  # fmt: skip
    assert len(green_bonds.status()["history"]) == 2
    champion = example.kubectl("get", "configmap", "green-bonds-champion", "-o",
                               "jsonpath={.data.version}")  # fmt: skip
    assert champion == "2"
    # Nobody asks the model any more; it would take its part of the machine from the tests to come.
    example.kubectl("scale", "deployment/serving", "--replicas=0")

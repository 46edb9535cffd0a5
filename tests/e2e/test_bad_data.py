"""Bad data on a real node: said clearly, nothing trained, nobody else disturbed."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import yaml
from maintenance_examples.shell import until
from maintenance_examples.watching import Watched

ROOT = Path(__file__).resolve().parents[2]
NAME = "wrong-column"
pytestmark = pytest.mark.timeout(600)


def _resource() -> dict[str, Any]:
    text = (ROOT / "examples/green-bonds/modelmaintenance.yaml").read_text(encoding="utf-8")
    resource: dict[str, Any] = yaml.safe_load(text)
    resource["metadata"]["name"] = NAME
    resource["spec"]["model"]["storage"]["storageUri"] = f"pvc://models/{NAME}"
    resource["spec"]["data"]["columns"] = {"text": "text", "label": "mood"}
    return resource


def test_a_column_that_is_not_there_blocks_and_trains_nothing(green_bonds: Watched) -> None:
    example = green_bonds.example
    example.kubectl("apply", "-f", "-", stdin=yaml.safe_dump(_resource()))
    watched = dataclasses.replace(green_bonds, name=NAME, decisions={})

    def blocked() -> dict[str, Any] | None:
        decision: dict[str, Any] | None = watched.status().get("decision")
        return decision

    decision = until("a decision", blocked, seconds=240, progress=watched.how_far)
    assert (decision["action"], decision["reason"]) == ("Blocked", "DataUnusable")
    assert "mood" in decision["message"]
    assert "label" in decision["message"], "the columns that are there are named"
    steps = [name.rsplit("-", 1)[1] for name in watched.jobs() if name.startswith(f"{NAME}-")]
    assert steps == ["diagnose"]
    assert "champion" not in watched.status()
    example.kubectl("delete", "modelmaintenance", NAME)

"""A laptop decides by what a resource at the API's defaults would be decided by."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from maintenance_core.spec import parse
from maintenance_trainer.cli.rules import DEFAULTS

ROOT = Path(__file__).resolve().parents[2]
CRD = ROOT / "manifests/crd/modelmaintenances.yaml"


def completed(value: Any, schema: Mapping[str, Any]) -> Any:
    """A value as the API server completes it: defaults of properties that are not there."""
    if not isinstance(value, dict):
        return value
    filled = dict(value)
    for name, its in schema.get("properties", {}).items():
        if name not in filled and "default" in its:
            filled[name] = its["default"]
        if name in filled:
            filled[name] = completed(filled[name], its)
    return filled


@pytest.mark.slow
def test_the_defaults_by_hand_are_those_of_the_api() -> None:
    version = yaml.safe_load(CRD.read_text(encoding="utf-8"))["spec"]["versions"][0]
    schema = version["schema"]["openAPIV3Schema"]["properties"]["spec"]
    places = {"model": DEFAULTS["model"], "data": {}, "metrics": {}}
    places["data"] = {
        key: {"storageUri": DEFAULTS["data"][key]["storageUri"]} for key in ("original", "updates")
    }
    performance = DEFAULTS["metrics"]["performance"]
    places["metrics"] = {
        "performance": {key: performance[key] for key in ("query", "thresholdRange")}
    }
    api, by_hand = parse(completed(places, schema)), parse(DEFAULTS)
    training = replace(api.training, resources=by_hand.training.resources)
    assert replace(api, training=training, diagnosis=by_hand.diagnosis) == by_hand

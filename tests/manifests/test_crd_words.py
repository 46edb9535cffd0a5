"""What the schema's words promise is so."""

import re
from collections.abc import Iterator
from typing import Any

import yaml
from support.programs import ROOT

from maintenance_core.lifecycle.conditions import (
    DEGRADED,
    METRICS_AVAILABLE,
    READY,
    STALLED,
    TRAINING,
)

CRD = yaml.safe_load((ROOT / "manifests/crd/modelmaintenances.yaml").read_text(encoding="utf-8"))
SCHEMA = CRD["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]
NO_VALUE = {
    "model.baseModel.revision",
    "model.initialModel.revision",
    "metrics.performance.recover",
    "metrics.outcomes.versionLabel",
}
"""Left out, they stand for no value that could change."""


def test_the_conditions_that_are_described_are_those_that_are_written() -> None:
    conditions = SCHEMA["status"]["properties"]["conditions"]
    described = " ".join(
        (
            conditions["description"],
            conditions["items"]["properties"]["type"]["description"],
        )
    )
    written = {READY, STALLED, METRICS_AVAILABLE, DEGRADED, TRAINING}
    assert set(re.findall(r"\b[A-Z][A-Za-z]+", described)) - {"True", "Job"} == written


def undefaulted(schema: dict[str, Any], path: str = "") -> Iterator[str]:
    """Fields whose default stands in words alone."""
    for name, its in (schema.get("properties") or {}).items():
        here = f"{path}.{name}".removeprefix(".")
        said = " ".join(str(its.get("description", "")).split())
        by_words = re.search(r"left out|by default|the default", said, re.IGNORECASE)
        value = "default" not in its and "properties" not in its and here not in NO_VALUE
        if by_words and value:
            yield here
        yield from undefaulted(its, here)


def test_defaults_that_move_with_the_operator_are_named_where_upgrades_are_promised() -> None:
    page = (ROOT / "docs/versions.md").read_text(encoding="utf-8")
    promise = page.partition("**API** ")[2].partition("- **status**")[0]
    named = re.findall(r"`([a-z][A-Za-z.]+)`", promise)
    unnamed = {
        field
        for field in undefaulted(SCHEMA["spec"])
        if not any(f"{field}.".startswith(f"{name}.") for name in named)
    }
    assert unnamed == set()

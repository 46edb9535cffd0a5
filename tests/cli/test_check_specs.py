"""What check calls usable is what the operator follows: over specs that are changed at random."""

import asyncio
import copy
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from support.objects import resource
from support.prometheus import free_port

from maintenance_core.errors import SpecError
from maintenance_operator import observer, specs
from maintenance_operator.adapters.calendar import Clock
from maintenance_operator.cli import resource as read_by_the_plugin
from maintenance_operator.cli.check import Source, Surroundings, check
from maintenance_operator.cli.schema import of_crd, violations, with_defaults

ROOT = Path(__file__).resolve().parents[2]
CRD = of_crd(yaml.safe_load((ROOT / "manifests/crd/modelmaintenances.yaml").read_text()))
AROUND = Surroundings(
    "finance",
    explicit_namespace=False,
    access=None,
    crd=CRD,
    prometheus=f"http://127.0.0.1:{free_port()}",
    operator_namespace="mm",
    now=datetime.now(UTC),
)
WHOLE = yaml.safe_load((ROOT / "manifests/samples/news-sentiment.yaml").read_text())["spec"]
CHANGES: dict[str, list[Any]] = {
    "triggers.schedule.timeZone": ["Berlin", "Europe/Berlin", "europe/berlin", "UTC+1", "Etc/UTC"],
    "triggers.schedule.cron": ["0 3 * * 1", "61 * * * *", "0 0 31 2 *", "0 3 * * MON", "@daily x"],
    "model.baseModel.storageUri": ["pvc://models/base", "s3://models/../x", "file:///m", "models"],
    "model.storage.storageUri": ["pvc://models/x", "hf://a/b", "s3://data/news/updates/store"],
    "data.updates.storageUri": ["s3://models/financial-news/in", "pvc://data/x", "gs://a/b"],
    "metrics.interval": ["5m", "0s", "5 minutes", "1h30m", "1d"],
    "metrics.performance.thresholdRange": [{"min": 0.9}, {"max": 0.9}, {}, {"min": 1, "max": 2}],
    "metrics.performance.recover": [0.91, 0.5, 0.95],
    "metrics.performance.maxDrop": [0.03, 0, -1],
    "metrics.performance.breach": [{"count": 3, "of": 5}, {"count": 6, "of": 5}],
    "decision.thresholds.newDomain": [0.07, 0.5],
    "gate.confidence": [0.95, 1, 0.4],
    "limits.cooldown": ["6h", "1d", ""],
    "training.pod.env": [[{"name": "A"}], [{"name": "HOME"}], [{"name": "PYTHONPATH"}]],
    "training.fineTune.arguments": [{}, {"a": "x" * 40_000}],
}


@st.composite
def changed(draw: st.DrawFn) -> dict[str, Any]:
    spec = copy.deepcopy(WHOLE)
    for path in draw(st.lists(st.sampled_from(sorted(CHANGES)), max_size=3, unique=True)):
        *parents, last = path.split(".")
        inner = spec
        for parent in parents:
            inner = inner[parent]
        inner[last] = draw(st.sampled_from(CHANGES[path]))
    return spec


def followed(spec: dict[str, Any]) -> str:
    """What the operator says of it once the API server has filled in the defaults."""
    assert CRD is not None
    filled = with_defaults({"spec": spec}, CRD)["spec"]
    read, _ = specs.read_spec(filled, Clock(), datetime.now(UTC), namespace="finance")
    return read.field if isinstance(read, SpecError) else ""


def refused(spec: dict[str, Any]) -> set[str]:
    """Fields that check calls wrong, whatever Prometheus says."""
    found = asyncio.run(check(Source("f", resource() | {"spec": spec}), AROUND))
    return {one.field for one in found.findings if not one.ok} - {"spec.metrics.server"}


def beyond(spec: dict[str, Any]) -> set[str]:
    """Fields that the API server's schema refuses before the operator sees them."""
    assert CRD is not None
    return {path for path, _ in violations(spec, CRD["properties"]["spec"], "spec")}


def assert_alike(spec: dict[str, Any]) -> None:
    field, outside, wrong = followed(spec), beyond(spec), refused(spec)
    assert bool(wrong) == bool(field or outside)
    assert wrong - outside <= {field}
    assert outside or wrong == ({field} if field else set())


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(changed())
def test_check_and_the_operator_agree(spec: dict[str, Any]) -> None:
    assert_alike(spec)


@pytest.mark.parametrize(
    "path, value", [(path, value) for path, values in CHANGES.items() for value in values]
)
def test_each_change_is_judged_alike(path: str, value: Any) -> None:
    spec = copy.deepcopy(WHOLE)
    *parents, last = path.split(".")
    inner = spec
    for parent in parents:
        inner = inner[parent]
    inner[last] = value
    assert_alike(spec)


def test_there_is_one_door() -> None:
    assert observer.read_spec is read_by_the_plugin.read_spec is specs.read_spec

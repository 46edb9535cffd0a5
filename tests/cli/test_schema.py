"""Defaults and unknown fields, from the CRD alone."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from support.objects import resource

from maintenance_core.spec import parse
from maintenance_operator.cli.schema import (
    of_crd,
    of_openapi,
    suggestion,
    unknown_fields,
    violations,
    with_defaults,
)

ROOT = Path(__file__).resolve().parents[2]
CRD = of_crd(yaml.safe_load((ROOT / "manifests/crd/modelmaintenances.yaml").read_text()))
assert CRD is not None


@pytest.mark.parametrize("sample", sorted((ROOT / "manifests/samples").glob("*.yaml")))
def test_a_sample_has_no_unknown_field_and_is_parsed_with_its_defaults(sample: Path) -> None:
    assert CRD is not None
    document = yaml.safe_load(sample.read_text())
    assert not list(unknown_fields(document["spec"], CRD["properties"]["spec"], "spec"))
    parse(with_defaults(document, CRD)["spec"])


@pytest.mark.slow
def test_samples_can_be_applied_together() -> None:
    """No two are one resource, or keep their versions in one place."""
    read = [
        yaml.safe_load(file.read_text()) for file in (ROOT / "manifests/samples").glob("*.yaml")
    ]
    names = [document["metadata"]["name"] for document in read]
    stores = [document["spec"]["model"]["storage"]["storageUri"] for document in read]
    assert sorted(set(names)) == sorted(names)
    assert sorted(set(stores)) == sorted(stores)


def test_the_first_resource_harms_no_model_in_service() -> None:
    """What pages lead with starts nothing, and names the model that serves."""
    page = (ROOT / "README.md").read_text(encoding="utf-8")
    shown = yaml.safe_load(page.split("```yaml\n", 1)[1].split("```", 1)[0])
    sample = yaml.safe_load((ROOT / "manifests/samples/initial-model.yaml").read_text())
    for document in (shown, sample):
        assert CRD is not None
        spec = with_defaults(document, CRD)["spec"]
        assert not list(unknown_fields(spec, CRD["properties"]["spec"], "spec"))
        read = parse(spec)
        assert read.suspend
        assert read.initial_model is not None
    listed = (ROOT / "manifests/samples/README.md").read_text(encoding="utf-8")
    assert listed.index("| [initial-model.yaml]") < listed.index("| [minimal.yaml]")


def test_defaults_do_not_overwrite_and_are_not_shared() -> None:
    schema = {
        "properties": {
            "a": {"default": 1},
            "b": {"default": {}, "properties": {"c": {"default": []}}},
            "d": {"items": {"properties": {"e": {"default": "x"}}}},
            "f": {"additionalProperties": {"properties": {"g": {"default": 2}}}},
        }
    }
    given: dict[str, Any] = {"a": 0, "d": [{}], "f": {"any": {}}}
    filled = with_defaults(given, schema)
    assert filled == {"a": 0, "b": {"c": []}, "d": [{"e": "x"}], "f": {"any": {"g": 2}}}
    assert given == {"a": 0, "d": [{}], "f": {"any": {}}}
    filled["b"]["c"].append(1)
    assert with_defaults({}, schema)["b"] == {"c": []}


@pytest.mark.parametrize(
    "change, path, instead",
    [
        ({"metric": {}}, "spec.metric", "do you mean metrics?"),
        ({"metrics": {"performence": {}}}, "spec.metrics.performence", "do you mean performance?"),
        (
            {"limits": {"zzz": 1}},
            "spec.limits.zzz",
            "known are consecutiveFailures, cooldown, runs",
        ),
    ],
)
def test_an_unknown_field_is_named_with_the_nearest(
    change: dict[str, Any], path: str, instead: str
) -> None:
    assert CRD is not None
    spec = resource()["spec"] | change
    found = list(unknown_fields(spec, CRD["properties"]["spec"], "spec"))
    assert found == [(path, instead)]
    assert suggestion(path, CRD) == instead


def test_free_form_arguments_are_not_judged() -> None:
    assert CRD is not None
    spec = {"training": {"retrain": {"arguments": {"anything": {"goes": 1}}}}}
    assert not list(unknown_fields(spec, CRD["properties"]["spec"], "spec"))


def test_lists_are_walked() -> None:
    schema: dict[str, Any] = {"properties": {"a": {"items": {"properties": {"name": {}}}}}}
    assert list(unknown_fields({"a": [{}, {"nmae": 1}]}, schema, "spec")) == [
        ("spec.a[1].nmae", "do you mean name?")
    ]
    assert suggestion("a[1].nmae", schema) == "do you mean name?"
    assert suggestion("nowhere.at", schema) == "remove it"


@pytest.mark.parametrize(
    "path, value, told",
    [
        ("decision.minNewRows", 0, "must be at least 1"),
        ("decision.minNewRows", True, "must be of type integer"),
        ("decision.minNewRows", "many", "must be of type integer"),
        ("decision.policy", "Guess", "must be one of Evidence, Workflow"),
        ("gate.confidence", 1, "must be below 1"),
        ("metrics.performance.query", "", "must be of at least 1 characters"),
        ("metrics.performance.query", "x" * 4097, "must be of at most 4096 characters"),
        ("training.resources.limits", {"memory": "lots"}, "must be like "),
        ("training.pod.env", [{"value": "a"}], "is required"),
        ("data.holdout.updatesPercent", 91, "must be at most 90"),
        ("data.holdout.updatesPercent", 10.5, "must be a whole number or a word"),
    ],
)
def test_what_lies_beyond_a_bound_is_named(path: str, value: Any, told: str) -> None:
    assert CRD is not None
    *parents, last = path.split(".")
    spec: dict[str, Any] = resource()["spec"]
    inner = spec
    for parent in parents:
        inner = inner.setdefault(parent, {})
    inner[last] = value
    [(where, said)] = violations(spec, CRD["properties"]["spec"], "spec")
    assert where.startswith(f"spec.{path}")
    assert said.startswith(told)


@pytest.mark.parametrize("sample", sorted((ROOT / "manifests/samples").glob("*.yaml")))
def test_a_sample_lies_within_all_bounds(sample: Path) -> None:
    assert CRD is not None
    spec = with_defaults(yaml.safe_load(sample.read_text()), CRD)["spec"]
    assert list(violations(spec, CRD["properties"]["spec"], "spec")) == []


@pytest.mark.parametrize(
    "document", [None, [], {}, {"kind": "CustomResourceDefinition", "spec": {"names": {}}}]
)
def test_what_is_not_our_crd(document: Any) -> None:
    assert of_crd(document) is None
    assert not isinstance(document, dict) or of_openapi(document) is None

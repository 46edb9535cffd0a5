"""Which edits make a spec another one for trainings."""

import json
from typing import Any

import pytest
from support.plain import merged, plain_spec

from maintenance_core.spec_digest import digest_of

SPEC = plain_spec()


@pytest.mark.parametrize(
    "edit",
    [
        {"suspend": True},
        {"suspend": False},
        {"history": {"runs": 3}},
        {"limits": {"cooldown": "1h", "runs": {"max": 9}, "consecutiveFailures": 9}},
        {"triggers": {"schedule": {"cron": "0 3 * * 1"}}},
        {"decision": {"recheckAfter": "5m"}},
    ],
    ids=json.dumps,
)
def test_what_says_when_and_how_often_makes_no_other_training(edit: dict[str, Any]) -> None:
    assert digest_of(merged(SPEC, edit)) == digest_of(SPEC)


@pytest.mark.parametrize(
    "edit",
    [
        {"model": {"baseModel": {"storageUri": "pvc://models/larger"}}},
        {"data": {"updates": {"storageUri": "pvc://data/cleaned"}}},
        {"data": {"holdout": {"updatesPercent": 40}}},
        {"metrics": {"performance": {"thresholdRange": {"min": 0.8}}}},
        {"decision": {"policy": "Evidence"}},
        {"decision": {"minNewRows": 50}},
        {"diagnosis": {"resources": {"limits": {"memory": "16Gi"}}}},
        {"training": {"fineTune": {"arguments": {"num_train_epochs": 5}}}},
        {"training": {"resources": {"limits": {"memory": "64Gi"}}}},
        {"training": {"pod": {"nodeSelector": {"gpu": "yes"}}}},
        {"gate": {"minImprovement": 0.01}},
        {"whatComesNext": {"limits": 1}},
    ],
    ids=json.dumps,
)
def test_all_else_does_what_is_not_known_yet_included(edit: dict[str, Any]) -> None:
    assert digest_of(merged(SPEC, edit)) != digest_of(SPEC)


def test_the_order_of_fields_and_the_way_through_the_api_server_change_nothing() -> None:
    turned = dict(reversed(json.loads(json.dumps(SPEC)).items()))
    assert digest_of(turned) == digest_of(SPEC)
    assert digest_of(SPEC).startswith("sha256:")


def test_what_is_no_json_has_none() -> None:
    deep: dict[str, Any] = {}
    for _ in range(100_000):
        deep = {"x": deep}
    assert digest_of({"training": deep}) == ""
    assert digest_of({"training": float("nan")}) == ""
    assert digest_of({"decision": "?"}) != ""

"""Rules, brakes, gate and words of a kind that ranks: rows are right or wrong and have no class."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from support.plain import plain_spec

from maintenance_contract import (
    COUNTED,
    HITS,
    Answer,
    Candidate,
    Diagnosis,
    Evaluation,
    Evidence,
    Finding,
    HeldOut,
    Operation,
    Outcome,
    PairedCounts,
    Question,
    Reference,
    RowCounts,
    ScoreMetric,
    TrainingAction,
    TrainingReport,
)
from maintenance_contract.evidence_names import NEW_ITEMS, UNEXPLAINED_ERROR_RISE
from maintenance_core.decide.decision import decide
from maintenance_core.decide.gate import judge
from maintenance_core.model import (
    Action,
    Champion,
    Degraded,
    Reading,
    Situation,
    Spec,
    ThresholdRange,
    Thresholds,
    Trigger,
)
from maintenance_core.reasons import DecisionReason, VerdictReason
from maintenance_core.spec import parse

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
SERVED = Champion(3, "", "sha256:three", NOW, TrainingAction.RETRAIN)
DOWN = Degraded(Reading(NOW, 0.31, 500.0), 3, 5, ThresholdRange(min=0.4))
AT_10 = ScoreMetric.HIT_RATE_AT_10


def ranking() -> Spec:
    filled = parse(plain_spec(decision={"policy": "Evidence", "minNewRows": 50}))
    return replace(
        filled,
        gate=replace(filled.gate, metric=AT_10),
        thresholds=Thresholds(class_mix=None),
    )


def decided(new_items: float, *, rise: float = 0.0, now: int = 60, of: int = 200) -> Any:
    space = Answer.MAJOR if new_items >= 0.5 else Answer.MINOR if new_items >= 0.05 else Answer.NO
    findings = (
        Finding(Question.DATA_DISTRIBUTION_SHIFT, Answer.NO),
        Finding(
            Question.CONCEPT_DRIFT,
            Answer.NO,
            (Evidence(UNEXPLAINED_ERROR_RISE, rise, 0.03, 1e-9 if rise else 1.0, 300, rise, rise),),
        ),
        Finding(Question.FEATURE_SPACE_CHANGE, space, (Evidence(NEW_ITEMS, new_items, 0.05),)),
    )
    diagnosis = Diagnosis(
        rows=RowCounts(200, of, 700, 300),
        findings=findings,
        new=HeldOut(of, now),
        old=HeldOut(300, 150),
    )
    report = TrainingReport(
        Operation.DIAGNOSE, 4, "sha256:r", Outcome.SUCCEEDED, diagnosis=diagnosis
    )
    return decide(
        Situation(
            number=4,
            trigger=Trigger.PERFORMANCE_DROP,
            spec=ranking(),
            report=report,
            now=NOW,
            degraded=DOWN,
            champion=SERVED,
        )
    )


def test_the_default_is_ten_and_all_are_counted() -> None:
    assert next(iter(HITS.items())) == (AT_10, 10)
    assert {*HITS} < COUNTED
    resource = plain_spec()
    resource["model"] = {"task": "NextItem", "storage": resource["model"]["storage"]}
    resource["data"].pop("columns", None)
    assert parse(resource).gate.metric is AT_10
    assert parse(resource).thresholds.class_mix is None
    resource["model"]["baseModel"] = {"storageUri": "pvc://models/base/items"}
    assert str(parse(resource).base_model) == "pvc://models/base/items"


def test_a_launch_is_fine_tuned_and_another_catalogue_retrained() -> None:
    launch = decided(0.3)
    assert (launch.action, launch.reason) == (Action.FINE_TUNE, DecisionReason.DOMAIN_EXPANSION)
    assert "30% of the new interactions are with items that the champion does not know" in (
        launch.message
    )
    assert "The hit rate 0.31 was below 0.4" in launch.message
    assert "has the next item of 50% of new rows among its first 10" in launch.message
    other = decided(0.7)
    assert (other.action, other.reason) == (Action.RETRAIN, DecisionReason.FEATURE_SPACE_CHANGED)


def test_another_taste_is_retrained_and_a_week_without_a_drop_of_hits_is_left_alone() -> None:
    taste = decided(0.0, rise=0.3)
    assert taste.reason in {DecisionReason.CONCEPT_DRIFT, DecisionReason.CONCEPT_REPLACED}
    sale = decided(0.0, now=110)
    assert (sale.action, sale.reason) == (Action.NONE, DecisionReason.NO_CAUSE_FOUND)


def test_a_small_drop_of_hits_is_not_worth_a_run() -> None:
    small = decided(0.06, now=99)
    assert (small.action, small.reason) == (Action.WAIT, DecisionReason.GAIN_TOO_SMALL)
    assert "has the next item of 49" in small.message


@pytest.mark.parametrize("served", [None, SERVED])
def test_the_gate_counts_hits_exactly_and_says_so(served: Champion | None) -> None:
    reference = Reference.CHAMPION if served else Reference.BASELINE
    report = TrainingReport(
        Operation.TRAIN,
        7,
        "sha256:r",
        Outcome.SUCCEEDED,
        candidate=Candidate(7, "sha256:seven", TrainingAction.FINE_TUNE),
        evaluation=Evaluation(
            reference, PairedCounts(200, 60, 5, 60), PairedCounts(300, 150, 6, 9)
        ),
    )
    verdict = judge(report, gate=ranking().gate, champion=served, concept_drift=False)
    assert verdict.promote, verdict.message
    if served:
        assert verdict.reason is VerdictReason.CHALLENGER_WINS
        assert "60% hits among the first 10, the champion 32.5%" in verdict.message
    else:
        assert "by always showing the most popular items" in verdict.message
        assert "held-out users among its first 10" in verdict.message
    worse = replace(report, evaluation=Evaluation(reference, PairedCounts(200, 60, 30, 2)))
    refused = judge(worse, gate=ranking().gate, champion=served, concept_drift=False)
    expected = VerdictReason.NO_IMPROVEMENT if served else VerdictReason.NOT_BETTER_THAN_BASELINE
    assert refused.reason is expected

"""Kinds of model whose answers are numbers: from the rows to the decision and the verdict."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.kinds import BEND
from support.laboratory import champion

from maintenance_contract import (
    HeldOutLoss,
    Operation,
    Outcome,
    PairedLoss,
    Question,
    ScoreMetric,
    TrainingReport,
)
from maintenance_core.decide.decision import decide
from maintenance_core.decide.gate import gate_for, judge
from maintenance_core.decide.training_plan import plan_of
from maintenance_core.model import (
    Action,
    Champion,
    Decision,
    Degraded,
    Reading,
    Situation,
    Spec,
    ThresholdRange,
    Thresholds,
    Trigger,
    Verdict,
)
from maintenance_core.reasons import DecisionReason, VerdictReason
from maintenance_core.spec import parse
from maintenance_trainer.cli.rules import DEFAULTS

from .test_kinds import FINE_TUNE, RETRAIN, Levels, answers, plane, registered

__all__ = ["registered"]

NOW = datetime(2026, 11, 29, tzinfo=UTC)
Rows = list[tuple[float, float, str]]


class Lines(Levels):
    """Points with a number that lies on a plane, but for noise."""

    kind = "Line"


def spec() -> Spec:
    filled = parse(DEFAULTS)
    return replace(
        filled,
        gate=replace(filled.gate, metric=ScoreMetric.MAE),
        thresholds=Thresholds(class_mix=None),
        metrics=replace(filled.metrics, threshold=ThresholdRange(max=0.6)),  # type: ignore[arg-type]
    )


def rows(
    seed: int,
    count: int,
    *,
    slope: float = 2.0,
    centre: tuple[float, float] = (0.0, 0.0),
    bend: float = 0.0,
    unit: float = 1.0,
) -> Rows:
    """What the label is: slope x - y, another slope where x is large, and noise."""
    chance = np.random.default_rng(seed)
    x, y = chance.normal(centre, 1, size=(count, 2)).round(4).T
    label = slope * x - y + bend * np.maximum(x - BEND, 0) + 0.5 * chance.standard_normal(count)
    return [
        (float(a), float(b), f"{unit * value:.6g}") for a, b, value in zip(x, y, label, strict=True)
    ]


def served(lab: Lines) -> TrainingReport:
    lab.points("original/first.csv", rows(1, 1000))
    return lab.train(1, RETRAIN, lab.diagnose(1))


def decided(report: TrainingReport, first: TrainingReport) -> Decision:
    """After a drop of the metric."""
    return decide(
        Situation(
            number=report.run,
            trigger=Trigger.PERFORMANCE_DROP,
            spec=spec(),
            report=report,
            now=NOW,
            degraded=Degraded(Reading(NOW, 0.9, 500.0), 3, 5, ThresholdRange(max=0.6)),
            champion=in_service(first),
        )
    )


def in_service(first: TrainingReport) -> Champion:
    reference = champion(first)
    return Champion(reference.version, "", reference.digest, NOW, RETRAIN)


def verdict(report: TrainingReport, decision: Decision, first: TrainingReport) -> Verdict:
    plan = plan_of(decision, spec())
    return judge(
        report,
        gate=gate_for(spec().gate, plan),
        champion=in_service(first),
        concept_drift=plan.exclude_contradicted,
    )


NEW: dict[str, tuple[Rows, Action, DecisionReason]] = {
    "nothing": (rows(2, 300), Action.NONE, DecisionReason.NO_CAUSE_FOUND),
    "a column that means no more loss": (
        rows(3, 300, centre=(0.0, 1.2)),
        Action.NONE,
        DecisionReason.NO_CAUSE_FOUND,
    ),
    "a slope": (rows(4, 300, slope=1.0), Action.RETRAIN, DecisionReason.CONCEPT_DRIFT),
    "a new region": (
        [*rows(5, 240), *rows(6, 60, centre=(6.0, 0.0), bend=-4.0)],
        Action.FINE_TUNE,
        DecisionReason.DOMAIN_EXPANSION,
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("change", NEW)
def test_what_is_done_about_a_change(tmp_path: Path, change: str) -> None:
    new, action, reason = NEW[change]
    lab = plane(Lines, tmp_path)
    first = served(lab)
    lab.points("updates/new.csv", new)
    found = lab.diagnose(2, champion=champion(first))
    decision = decided(found, first)
    assert (decision.action, decision.reason) == (action, reason), (decision.message, found)
    assert found.diagnosis is not None
    before = found.diagnosis.old
    assert isinstance(before, HeldOutLoss)
    assert before.score == pytest.approx(0.78, abs=0.05)
    if action is Action.NONE:
        return
    assert "a model that has a MAE of " in decision.message
    plan = plan_of(decision, spec())
    way = FINE_TUNE if action is Action.FINE_TUNE else RETRAIN
    trained = lab.train(
        2,
        way,
        found,
        champion=champion(first),
        exclude_contradicted=plan.exclude_contradicted,
    )
    judged = verdict(trained, decision, first)
    assert judged.promote, judged.message
    assert judged.new is not None
    assert judged.new.metric == "MAE"
    assert judged.new.challenger < judged.new.champion
    manifest = json.loads((lab.store / "versions/2/manifest.json").read_text())
    assert (manifest["excludedContradicted"] > 150) == (change == "a slope")


@pytest.mark.slow
@pytest.mark.parametrize(
    "change, reason, said",
    [
        ("shuffled", "LabelsUnpredictable", "do not follow from their inputs"),
        ("another unit", "LabelsRescaled", "times as large as old ones of such inputs"),
        ("all alike", "LabelsConstant", "all 300 new rows are labelled 7"),
    ],
)
def test_labels_that_teach_nothing_are_blocked(
    tmp_path: Path, change: str, reason: str, said: str
) -> None:
    lab = plane(Lines, tmp_path)
    first = served(lab)
    new = rows(7, 300, unit=1000.0 if change == "another unit" else 1.0)
    if change == "shuffled":
        new = [(x, y, label) for (x, y, _), (*_, label) in zip(new, new[1:] + new[:1], strict=True)]
    if change == "all alike":
        new = [(x, y, "7") for x, y, _ in new]
    lab.points("updates/new.csv", new)
    report, _ = lab.do(lab.request(Operation.DIAGNOSE, 2, champion=champion(first)))
    assert (report.outcome, report.reason) == (Outcome.FAILED, reason)
    assert said in report.message
    decision = decided(report, first)
    assert decision.action is Action.BLOCKED
    assert said in decision.message


@pytest.mark.slow
def test_inputs_that_come_again_with_other_numbers_are_drift_and_noise_is_none(
    tmp_path: Path,
) -> None:
    lab = plane(Lines, tmp_path)
    first = served(lab)
    chance = np.random.default_rng(8)
    old = rows(1, 1000)[:300]

    def again(shift: float) -> Rows:
        noise = 0.5 * chance.standard_normal(300)
        return [
            (x, y, f"{2 * x - y + by + shift:.6g}")
            for (x, y, _), by in zip(old, noise, strict=True)
        ]

    for run, shift in ((2, 0.0), (3, 0.4)):
        lab.points("updates/again.csv", again(shift))
        found = lab.diagnose(run, champion=champion(first))
        assert found.diagnosis is not None
        drift = next(
            each for each in found.diagnosis.findings if each.question is Question.CONCEPT_DRIFT
        )
        evidence = {each.name: each for each in drift.evidence}["changeAtSameInput"]
        assert evidence.n == 300
        assert evidence.p_value is not None
        assert (evidence.p_value < 1e-4) == bool(shift)
        reason = decided(found, first).reason
        assert (reason == DecisionReason.CONCEPT_DRIFT) == bool(shift), (shift, reason)


@pytest.mark.slow
def test_a_first_version_must_beat_the_median(tmp_path: Path) -> None:
    lab = plane(Lines, tmp_path)
    first = served(lab)
    assert first.evaluation is not None
    assert first.evaluation.scores is not None
    together = first.evaluation.scores.all
    assert isinstance(together, PairedLoss)
    assert together.champion == pytest.approx(together.baseline, rel=0.1)
    judged = judge(first, gate=spec().gate, champion=None, concept_drift=False)
    assert judged.reason is VerdictReason.FIRST_VERSION, judged.message
    # The report is read again from the manifest, as after a restart.
    diagnosed = lab.diagnose(1)
    assert lab.train(1, RETRAIN, diagnosed).evaluation == first.evaluation

    (tmp_path / "level").mkdir()
    other = plane(Levels, tmp_path / "level")
    other.points("original/first.csv", rows(1, 300))
    level = other.train(1, RETRAIN, other.diagnose(1))
    refused = judge(level, gate=spec().gate, champion=None, concept_drift=False)
    assert refused.reason is VerdictReason.NOT_BETTER_THAN_BASELINE


def test_numbers_that_are_all_alike_are_nothing_to_learn(tmp_path: Path) -> None:
    lab = plane(Lines, tmp_path)
    lab.points("original/first.csv", [(x, y, "3") for x, y, _ in rows(1, 100)])
    report, _ = lab.do(lab.request(Operation.DIAGNOSE, 1))
    assert report.reason == "DataEmpty"
    assert "all of them are labelled '3'" in report.message


@pytest.mark.slow
def test_a_race_goes_to_the_smaller_error(tmp_path: Path) -> None:
    lab = plane(Lines, tmp_path)
    first = served(lab)
    lab.points("updates/new.csv", rows(4, 300, slope=1.0))
    found = lab.diagnose(2, champion=champion(first))
    raced = lab.train(
        2, FINE_TUNE, found, champion=champion(first), race=True, exclude_contradicted=True
    )
    assert "has a MAE of" in raced.message
    assert raced.candidate is not None
    assert raced.candidate.action is RETRAIN


@pytest.mark.slow
def test_a_loop_without_classes_answers_every_question(tmp_path: Path) -> None:
    lab = plane(Lines, tmp_path)
    first = served(lab)
    lab.points("updates/new.csv", rows(2, 300))
    found = lab.diagnose(2, champion=champion(first), metric=ScoreMetric.RMSE)
    assert set(answers(found)) == {
        Question.DATA_DISTRIBUTION_SHIFT,
        Question.CONCEPT_DRIFT,
        Question.FEATURE_SPACE_CHANGE,
    }
    assert found.diagnosis is not None
    its: Any = found.diagnosis.new
    assert its.metric is ScoreMetric.RMSE
    assert its.loss == pytest.approx(0.5, abs=0.06)

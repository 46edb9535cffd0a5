"""Rules, brakes and readings of a kind whose answers are numbers."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from support.plain import plain_spec

from maintenance_contract import (
    Answer,
    Diagnosis,
    Evidence,
    Finding,
    HeldOutLoss,
    Operation,
    Outcome,
    Question,
    RowCounts,
    ScoreMetric,
    TrainingAction,
    TrainingReport,
)
from maintenance_contract.evidence_names import (
    CHANGE_AT_SAME_INPUT,
    INPUT_SHIFT_AUC,
    OUTSIDE_SUPPORT,
    UNEXPLAINED_ERROR_RISE,
)
from maintenance_core.decide.counterfactual import counterfactual
from maintenance_core.decide.decision import decide
from maintenance_core.decide.evidence import Cause, cause
from maintenance_core.decide.findings import drop_p_value, expected_score
from maintenance_core.decide.worth import power_of, worth
from maintenance_core.model import (
    Action,
    Baseline,
    Champion,
    Degraded,
    Healthy,
    Metrics,
    OnConceptDrift,
    Policy,
    Reading,
    Series,
    Situation,
    Spec,
    ThresholdRange,
    Thresholds,
    Trigger,
)
from maintenance_core.reasons import DecisionReason
from maintenance_core.spec import parse
from maintenance_core.watch.assess import Bounds, assess, in_force

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
CEILING = ThresholdRange(max=3.5)
SERVED = Champion(3, "", "sha256:three", NOW, TrainingAction.RETRAIN)
DOWN = Degraded(Reading(NOW, 4.1, 500.0), 3, 5, CEILING)


def of_numbers(**changes: Any) -> Spec:
    filled = parse(plain_spec(decision={"policy": "Evidence", "minNewRows": 50}))
    assert isinstance(filled.metrics, Metrics)
    return replace(
        filled,
        gate=replace(filled.gate, metric=ScoreMetric.MAE),
        thresholds=Thresholds(class_mix=None),
        metrics=replace(filled.metrics, threshold=CEILING),
        **changes,
    )


def a_score(loss: float, n: int = 200, deviation: float = 0.3, baseline: float = 10.0) -> Any:
    return HeldOutLoss(ScoreMetric.MAE, n, n, loss, baseline, deviation)


def evidence(
    *, rise: float = 0.0, outside: float = 0.0, auc: float = 0.5, same: float | None = None
) -> tuple[Finding, ...]:
    def number(name: str, value: float, nothing: float) -> Evidence:
        p = 1e-9 if value > nothing else 0.6
        return Evidence(name, value, None, p, 300, upper=value + 0.03)

    at_same = () if same is None else (number(CHANGE_AT_SAME_INPUT, same, 0.0),)
    return (
        Finding(
            Question.DATA_DISTRIBUTION_SHIFT,
            Answer.UNDETERMINED,
            (number(OUTSIDE_SUPPORT, outside, 0.0), number(INPUT_SHIFT_AUC, auc, 0.5)),
        ),
        Finding(
            Question.CONCEPT_DRIFT,
            Answer.UNDETERMINED,
            (number(UNEXPLAINED_ERROR_RISE, rise, 0.0), *at_same),
        ),
        Finding(Question.FEATURE_SPACE_CHANGE, Answer.NO),
    )


def situation(
    *found: Finding,
    new: Any = ...,
    old: Any = ...,
    trigger: Trigger = Trigger.PERFORMANCE_DROP,
    spec: Spec | None = None,
) -> Situation:
    new = a_score(4.1) if new is ... else new
    old = a_score(3.0, n=500) if old is ... else old
    rows = RowCounts(300, 0 if new is None else new.n, 1000, 0 if old is None else old.n)
    return Situation(
        number=7,
        trigger=trigger,
        spec=spec or of_numbers(),
        report=TrainingReport(
            Operation.DIAGNOSE,
            7,
            "sha256:request",
            Outcome.SUCCEEDED,
            diagnosis=Diagnosis(rows, found or evidence(rise=0.11), new=new, old=old),
        ),
        now=NOW,
        degraded=DOWN if trigger is Trigger.PERFORMANCE_DROP else None,
        champion=SERVED,
    )


@pytest.mark.parametrize("side", ["new", "old"])
def test_one_stretch_of_time_shows_neither_a_drop_nor_none(side: str) -> None:
    """An error twice as large is not "no worse" because there is one stretch to tell it by."""
    whole = {"new": a_score(8.0, n=44), "old": a_score(3.0, n=500)}
    one = whole | {side: replace(whole[side], units=1)}
    unprompted = decide(situation(**one, trigger=Trigger.SCHEDULE))
    assert (unprompted.action, unprompted.reason) == (
        Action.WAIT,
        DecisionReason.NOT_ENOUGH_HELD_OUT_ROWS,
    )
    assert (
        f"The {whole[side].n} {side} held-out rows tell no more than one row would"
        in unprompted.message
    )
    assert decide(situation(**one)).reason != DecisionReason.NO_DROP_FOUND


def test_a_rise_that_inputs_do_not_explain_is_drift_and_is_told_in_units() -> None:
    decision = decide(situation())
    assert (decision.action, decision.reason) == (Action.RETRAIN, DecisionReason.CONCEPT_DRIFT)
    assert decision.message.startswith("The error 4.1 was above 3.5 in 3 of 5 readings (500 samp")
    assert (
        "a model that has a MAE of 3 on new rows (the champion has 4.1) is promoted with a chance"
    ) in decision.message
    assert "at stake are 8.8 points of the baseline's MAE (10)" in decision.message
    first = decision.path[0].evidence[0]
    assert (first.name, first.value, first.threshold) == ("error", "4.1", "3.5")
    told = counterfactual(decision, of_numbers())
    assert told.decided


def test_a_slight_drift_is_fine_tuned_and_one_that_loses_most_is_retrained() -> None:
    assert decide(situation(*evidence(rise=0.05))).action is Action.FINE_TUNE
    lost = situation(*evidence(rise=0.5), new=a_score(9.0), old=a_score(3.0, n=50_000))
    assert decide(lost).reason == DecisionReason.CONCEPT_DRIFT


def test_other_numbers_at_the_same_inputs_are_drift() -> None:
    decision = decide(situation(*evidence(same=0.2)))
    assert (decision.action, decision.reason) == (Action.RETRAIN, DecisionReason.CONCEPT_DRIFT)


def test_a_class_mix_that_nobody_can_have_keeps_nothing_undetermined() -> None:
    without = Thresholds(class_mix=None)
    assert cause(evidence(), without) is Cause.NONE
    assert cause(evidence(), Thresholds()) is Cause.UNDETERMINED
    decision = decide(situation(*evidence()))
    assert (decision.action, decision.reason) == (Action.NONE, DecisionReason.NO_CAUSE_FOUND)


def test_inputs_that_moved_where_nothing_is_lost_are_let_be() -> None:
    moved = evidence(auc=0.8)
    assert decide(situation(*moved, new=a_score(3.1))).reason == DecisionReason.BENIGN_SHIFT
    assert decide(situation(*moved, new=a_score(3.0))).action is Action.NONE


def test_without_a_drop_the_labels_must_show_one() -> None:
    """Welch's test of the mean losses takes the place of Fisher's of right rows."""
    quiet = situation(new=a_score(3.1), trigger=Trigger.SCHEDULE)
    p = drop_p_value(quiet)
    assert p is not None
    assert p > 0.3
    decision = decide(quiet)
    assert decision.reason == DecisionReason.NO_DROP_FOUND
    assert (
        "The champion has a MAE of 3.1 on 200 new held-out rows; that it does worse there than on "
        "500 old ones (3) is not shown"
    ) in decision.message
    told = decision.path[0].evidence[0]
    assert (told.name, told.value, told.threshold) == ("lossOnNewRows", "3.1", "3")
    worse = drop_p_value(situation(trigger=Trigger.SCHEDULE))
    assert worse is not None
    assert worse < 0.001
    # Few units say little, however many rows they have.
    few = replace(a_score(4.1), units=2)
    unsure = drop_p_value(situation(new=few, trigger=Trigger.SCHEDULE))
    assert unsure is not None
    assert unsure > worse


@pytest.mark.parametrize(
    "threshold, expected",
    [(ThresholdRange(max=3.5), 0.65), (ThresholdRange(min=0.8), None)],
)
def test_without_old_rows_the_ceiling_is_expected_in_units_of_the_label(
    threshold: ThresholdRange, expected: float | None
) -> None:
    spec = of_numbers()
    spec = replace(spec, metrics=replace(spec.metrics, threshold=threshold))  # type: ignore[arg-type]
    found = situation(old=None, spec=spec)
    assert expected_score(found) == (None if expected is None else pytest.approx(expected))
    assert (drop_p_value(found) is None) == (expected is None)
    fine = decide(situation(new=a_score(3.2), old=None, spec=spec, trigger=Trigger.SCHEDULE))
    if expected is not None:
        assert "than where spec.metrics asks for (3.5) is not shown" in fine.message


def test_what_can_be_gained_is_a_share_of_the_baselines_error() -> None:
    small = decide(situation(new=a_score(3.05)))
    assert small.reason == DecisionReason.GAIN_TOO_SMALL
    assert (
        "at most 0.4% of the baseline's MAE (10) can be gained: the champion has a MAE of 3.05 on "
        "new held-out rows, 3 would be as before. A run must promise 0.5%"
    ) in small.message
    # Another unit of the label changes nothing.
    for unit in (1e-6, 1e6):
        scaled = situation(
            new=a_score(4.1 * unit, baseline=10.0 * unit),
            old=a_score(3.0 * unit, n=500, baseline=10.0 * unit),
        )
        found, plain = worth(scaled), worth(situation())
        assert found is not None
        assert plain is not None
        assert (found.stake, found.chance) == pytest.approx((plain.stake, plain.chance))


def test_few_rows_that_vary_much_wait_for_more() -> None:
    noisy = situation(new=a_score(3.3, n=20, deviation=1.5), old=a_score(3.0, n=100, deviation=1.5))
    decision = decide(noisy)
    assert decision.reason == DecisionReason.NOT_ENOUGH_HELD_OUT_ROWS, decision.message
    assert "more rows" in decision.message
    power = power_of(noisy)
    assert power is not None
    assert power.smallest_gain > 0.3
    calm = power_of(situation(new=a_score(3.3, n=20, deviation=0.1)))
    assert calm is not None
    assert calm.smallest_gain < power.smallest_gain


def test_a_proof_is_asked_for_where_old_rows_could_give_it() -> None:
    spec = of_numbers()
    gate = replace(spec.gate, max_old_loss=0.001, on_concept_drift=OnConceptDrift.JUDGE)
    strict = replace(spec, gate=gate)
    many = situation(old=a_score(3.0, n=5000), spec=strict)
    decision = decide(many)
    assert decision.reason == DecisionReason.NOT_ENOUGH_HELD_OUT_ROWS
    assert "that it loses no more than 0.1% of the baseline's MAE (10)" in decision.message
    assert decide(situation(old=a_score(3.0, n=100), spec=strict)).action is Action.RETRAIN


def test_the_workflow_decides_by_the_trainers_answers() -> None:
    findings = tuple(
        replace(finding, answer=Answer.MAJOR)
        if finding.question is Question.CONCEPT_DRIFT
        else finding
        for finding in evidence(rise=0.2)
    )
    spec = of_numbers(policy=Policy.WORKFLOW)
    assert decide(situation(*findings, spec=spec)).reason == DecisionReason.CONCEPT_DRIFT


def test_a_baseline_and_a_drop_in_units_of_the_label() -> None:
    spec = of_numbers()
    assert isinstance(spec.metrics, Metrics)
    metrics = replace(spec.metrics, max_drop=1.0, recover=2.5)
    fresh = replace(SERVED, baseline=Baseline(2.2, NOW))
    assert in_force(metrics, None, degraded=False) == Bounds(CEILING)
    bounds = in_force(metrics, fresh, degraded=False)
    assert bounds.threshold.bound == pytest.approx(3.2)
    grid = tuple(NOW + timedelta(minutes=5) * step for step in range(5))

    def judged(values: list[float], *, degraded: bool) -> Any:
        series = Series({}, tuple(zip(grid, values, strict=True)))
        return assess(
            metrics, [series], None, grid, None, in_force(metrics, fresh, degraded=degraded)
        )

    assert isinstance(judged([2.2, 2.1, 2.3, 2.2, 2.2], degraded=False), Healthy)
    assert isinstance(judged([2.2, 2.2, 3.3, 3.4, 3.3], degraded=False), Degraded)
    recovering = judged([2.9] * 5, degraded=True)
    assert isinstance(recovering, Degraded)
    assert recovering.recovering
    assert isinstance(judged([2.4] * 5, degraded=True), Healthy)

"""Every rule and every brake, then what holds in any situation."""

import re
import runpy
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.plain import plain_spec

from maintenance_contract import (
    Answer,
    Diagnosis,
    Evidence,
    Finding,
    HeldOut,
    Holdout,
    LeftOut,
    LeftOutFile,
    Operation,
    Outcome,
    Question,
    RowCounts,
    Sampling,
    StorageUri,
    TrainingAction,
    TrainingReport,
    held_out_rows,
)
from maintenance_core import status as status_json
from maintenance_core.decide.brakes import BRAKES
from maintenance_core.decide.decision import decide, propose
from maintenance_core.decide.findings import (
    CAUSES,
    cause_open,
    concept_drift,
    drop_p_value,
    expected_score,
)
from maintenance_core.decide.rules import EVIDENCE, WORKFLOW
from maintenance_core.decide.training_plan import plan_of
from maintenance_core.decide.worth import could_show, power_of
from maintenance_core.model import (
    Action,
    Baseline,
    Champion,
    Decision,
    Degraded,
    HistoryEntry,
    OnConceptDrift,
    Proof,
    Reading,
    RejectedAction,
    RunOutcome,
    Situation,
    Spec,
    Status,
    ThresholdRange,
    Trigger,
)
from maintenance_core.reasons import DecisionReason
from maintenance_core.spec import parse

ROOT = Path(__file__).parents[2]

calmly = settings(deadline=None, max_examples=40)

NOW = datetime(2026, 11, 23, 18, 0, 3, tzinfo=UTC)
SPEC = parse(plain_spec())
BY_HAND = replace(SPEC, holdout=Holdout(10, 30))
DOWN = Degraded(Reading(NOW, 0.87, 1250.0), 3, 5, ThresholdRange(min=0.9))
CHAMPION = Champion(6, "pvc://models/news/versions/6", "sha256:six", NOW, TrainingAction.RETRAIN)
SUPPORT = Evidence("outsideSupport", 0.18, 0.3, 0.00001, 1000)
ENOUGH = RowCounts(new_train=700, new_held_out=300, old_train=5000, old_held_out=5000)


def findings(
    shift: Answer = Answer.NO, drift: Answer = Answer.NO, space: Answer = Answer.NO
) -> tuple[Finding, ...]:
    return (
        Finding(CAUSES[0], shift, (SUPPORT,)),
        Finding(CAUSES[1], drift, (Evidence("errorChange", 0.213456, 0.1, 0.00004, 300),)),
        Finding(CAUSES[2], space),
    )


def a_report(*found: Finding, **changes: Any) -> TrainingReport:
    return TrainingReport(
        Operation.DIAGNOSE,
        7,
        "sha256:request",
        Outcome.SUCCEEDED,
        snapshot_digest="sha256:data",
        diagnosis=Diagnosis(
            **{
                "rows": ENOUGH,
                "findings": found,
                "new": HeldOut(300, 210),
                "old": HeldOut(5000, 4500),
                **changes,
            }
        ),
    )


def a_situation(*found: Finding, **changes: Any) -> Situation:
    of_diagnosis = {key: changes.pop(key) for key in ("rows", "new", "old") if key in changes}
    return Situation(
        **{
            "number": 7,
            "trigger": Trigger.PERFORMANCE_DROP,
            "spec": SPEC,
            "report": a_report(*found, **of_diagnosis),
            "now": NOW,
            "degraded": DOWN,
            "champion": CHAMPION,
            **changes,
        }
    )


def initial(**changes: Any) -> Situation:
    return a_situation(
        **{
            "trigger": Trigger.INITIAL,
            "champion": None,
            "degraded": None,
            "new": None,
            "old": None,
            "rows": RowCounts(0, 0, 4500, 500),
            **changes,
        }
    )


def escalation(**changes: Any) -> Situation:
    return a_situation(
        *findings(Answer.MINOR),
        **{
            "trigger": Trigger.ESCALATION,
            "number": 8,
            "escalated_from": 7,
            "history": (entry(Action.FINE_TUNE),),
            **changes,
        },
    )


def entry(action: Action, number: int = 7, **changes: Any) -> HistoryEntry:
    return HistoryEntry(
        **{
            "number": number,
            "trigger": Trigger.PERFORMANCE_DROP,
            "action": action,
            "reason": "NoImprovement",
            "outcome": RunOutcome.REJECTED,
            "message": "",
            "start_time": NOW - timedelta(hours=2),
            "end_time": NOW - timedelta(hours=1),
            "data_digest": "sha256:data",
            "champion_digest": "sha256:six",
            "trained": True,
            **changes,
        }
    )


def verdict(decision: Decision) -> tuple[Action, str]:
    return decision.action, str(decision.reason)


# --- rules ------------------------------------------------------------------------------


def test_the_articles_case_in_words_and_numbers() -> None:
    """Green bonds: a minor share of the inputs is new, the rest is as before."""
    decision = decide(a_situation(*findings(Answer.MINOR)))
    assert verdict(decision) == (Action.FINE_TUNE, "DomainExpansion")
    assert decision.message == (
        "Accuracy 0.87 was below 0.9 in 3 of 5 readings (1250 samples). 18% of the new rows lie "
        "outside what the champion was trained on, and no question is answered Major. Minor "
        "change: fine-tune, replaying old rows. By 300 new and 5000 old held-out rows, a model "
        "that gets 90% of new rows right (the champion gets 70%) is promoted with a chance of 99%; "
        "at stake are 16 points, so 16 points are to be expected of a run, and 0.5 points are "
        "asked for (spec.decision.minExpectedGain)."
    )
    assert (decision.number, decision.trigger, decision.time) == (7, Trigger.PERFORMANCE_DROP, NOW)
    assert decision.rejected == (
        RejectedAction(Action.NONE, "There is a cause that training can mend."),
        RejectedAction(Action.RETRAIN, "No question is answered Major."),
    )
    assert [(step.question.value, step.answer.value) for step in decision.path] == [
        ("PerformanceDrop", "Yes"),
        ("DataDistributionShift", "Minor"),
        ("ConceptDrift", "No"),
        ("FeatureSpaceChange", "No"),
        ("MonitorAndOptimize", "Yes"),
    ]
    drop, shift, *_ = decision.path
    assert [(e.name, e.value, e.threshold, e.n) for e in drop.evidence] == [
        ("accuracy", "0.87", "0.9", 1250),
        ("breachedReadings", "3", "3", 5),
    ]
    assert [(e.name, e.value, e.threshold, e.p_value, e.n) for e in shift.evidence] == [
        ("outsideSupport", "0.18", "0.3", "<0.0001", 1000)
    ]


def test_a_decision_survives_status() -> None:
    decision = decide(a_situation(*findings(Answer.MINOR, Answer.UNDETERMINED)))
    again = status_json.read(status_json.write(Status(decision=decision))).decision
    assert again == decision


@pytest.mark.parametrize(
    "report, said",
    [
        (
            {"reason": "ColumnMissing", "message": "updates/a.csv has no column 'label'."},
            "ColumnMissing: updates/a.csv has no column 'label'.",
        ),
        ({}, "NoReason: The trainer does not say why."),
    ],
)
def test_a_failed_diagnosis_blocks_with_the_trainers_words(
    report: dict[str, Any], said: str
) -> None:
    failed = replace(a_report(*findings(Answer.MAJOR)), outcome=Outcome.FAILED, **report)
    decision = decide(a_situation(report=failed))
    assert verdict(decision) == (Action.BLOCKED, "DataUnusable")
    assert decision.message.endswith(said)
    assert {rejected.action for rejected in decision.rejected} == {
        Action.NONE,
        Action.FINE_TUNE,
        Action.RETRAIN,
    }


def test_success_without_a_diagnosis_blocks() -> None:
    decision = decide(a_situation(report=replace(a_report(), diagnosis=None)))
    assert verdict(decision) == (Action.BLOCKED, "DataUnusable")
    assert "ReportInvalid" in decision.message
    assert [step.question for step in decision.path] == [
        Question.PERFORMANCE_DROP,
        Question.MONITOR_AND_OPTIMIZE,
    ]


def test_a_long_message_of_the_trainer_is_cut() -> None:
    failed = replace(
        a_report(), outcome=Outcome.FAILED, reason="DataUnreadable", message="x" * 9000
    )
    message = decide(a_situation(report=failed)).message
    assert len(message) == 1024
    assert message.endswith("x…")


def test_the_first_version_is_trained_from_the_base_model() -> None:
    decision = decide(initial())
    assert verdict(decision) == (Action.RETRAIN, "FirstVersion")
    assert decision.message == (
        "There is no champion yet. 4500 labelled rows to train on, 500 held out: train the first "
        "version from the base model."
    )
    assert [(step.question, step.answer) for step in decision.path] == [
        (Question.PERFORMANCE_DROP, Answer.NO),
        (Question.MONITOR_AND_OPTIMIZE, Answer.YES),
    ]


def bringing(**changes: Any) -> Situation:
    given = StorageUri.parse("hf://org/news")
    spec = replace(SPEC, initial_model=given, initial_revision="v1", **changes)
    found = replace(a_report().diagnosis, new=HeldOut(200, 150), old=HeldOut(300, 250))  # type: ignore[type-var]
    return initial(spec=spec, report=replace(a_report(), diagnosis=found))


def test_a_model_that_is_given_is_taken_over_and_nothing_is_trained() -> None:
    decision = decide(bringing())
    assert verdict(decision) == (Action.IMPORT, "InitialModel")
    assert "spec.model.initialModel is given: hf://org/news at v1 becomes the" in decision.message
    assert "It gets 80% of them right." in decision.message
    assert decision.path[-1].answer is Answer.YES, "there will be something to watch"
    assert {other.action for other in decision.rejected} == {Action.FINE_TUNE, Action.RETRAIN}


def test_an_import_needs_no_power_and_no_training_left_but_new_evidence() -> None:
    few = Diagnosis(RowCounts(0, 1, 5, 1), new=HeldOut(1, 1), old=HeldOut(1, 1))
    sparse = replace(bringing(), report=replace(a_report(), diagnosis=few))
    assert verdict(decide(sparse))[0] is Action.IMPORT
    tried = entry(Action.RETRAIN, outcome=RunOutcome.FAILED)
    spent = replace(sparse, history=(tried,) * SPEC.limits.max_runs)
    assert verdict(decide(spent))[0] is Action.IMPORT
    refused = entry(
        Action.IMPORT,
        reason="WorseThanMajority",
        champion_digest="",
        generation=sparse.generation,
    )
    assert verdict(decide(replace(sparse, history=(refused,)))) == (Action.WAIT, "NoNewEvidence")
    mended = replace(sparse, history=(refused,), generation=sparse.generation + 1)
    assert verdict(decide(mended))[0] is Action.IMPORT


def test_a_model_is_given_for_a_first_version_alone() -> None:
    given = replace(SPEC, initial_model=StorageUri.parse("pvc://models/old"))
    assert verdict(decide(a_situation(spec=given)))[0] is not Action.IMPORT
    assert verdict(decide(a_situation(spec=given, champion=None)))[0] is Action.RETRAIN


def test_without_a_first_version_there_is_nothing_to_watch() -> None:
    failed = replace(a_report(), outcome=Outcome.FAILED, reason="DataMissing", message="Nothing.")
    decision = decide(initial(report=failed))
    assert verdict(decision) == (Action.BLOCKED, "DataUnusable")
    assert decision.path[-1].answer is Answer.NO


def test_a_champion_lost_on_the_way_is_a_first_version() -> None:
    assert verdict(decide(a_situation(champion=None))) == (Action.RETRAIN, "FirstVersion")


def test_a_rejected_fine_tune_escalates() -> None:
    decision = decide(escalation())
    assert verdict(decision) == (Action.RETRAIN, "FineTuneRejected")
    assert "of run 7" in decision.message
    assert decision.escalated_from == 7
    assert decide(escalation(escalated_from=None)).action is Action.RETRAIN


def test_an_escalation_outlives_the_diagnosis_that_led_to_it() -> None:
    decision = decide(escalation(report=replace(a_report(), diagnosis=None)))
    assert verdict(decision) == (Action.RETRAIN, "FineTuneRejected")


@pytest.mark.parametrize(
    "rows, reason, said",
    [
        (RowCounts(0, 0, 5000, 500), "NoNewRows", "300 are needed"),
        (RowCounts(200, 99, 5000, 500), "NotEnoughNewRows", "1 are missing"),
    ],
)
def test_it_waits_for_labels(rows: RowCounts, reason: str, said: str) -> None:
    decision = decide(a_situation(*findings(Answer.MAJOR), rows=rows))
    assert verdict(decision) == (Action.WAIT, reason)
    assert said in decision.message
    assert len(decision.rejected) == 3


def test_min_new_rows_are_enough() -> None:
    exactly = RowCounts(200, 100, 5000, 500)
    assert decide(a_situation(*findings(Answer.MAJOR), rows=exactly)).action is Action.RETRAIN


@pytest.mark.parametrize("told_by, expected", [("", 0.93), ("1a2b3c4d5e6f", None)])
def test_with_counters_a_gauges_baseline_is_not_what_the_champion_is_worth(
    told_by: str, expected: float | None
) -> None:
    counter = {"counter": "seen", "classLabel": "true_class", "correctLabel": "correct"}
    spec = parse(plain_spec(metrics={"performance": None, "outcomes": counter}))
    baseline = Baseline(0.93 if expected else 93.0, NOW, metric=told_by)
    situation = a_situation(
        *findings(), spec=spec, old=None, champion=replace(CHAMPION, baseline=baseline)
    )
    assert expected_score(situation) == expected


def test_no_cause_no_training() -> None:
    decision = decide(a_situation(*findings()))
    assert verdict(decision) == (Action.NONE, "NoCauseFound")
    assert "noise" in decision.message


@pytest.mark.parametrize("correct", [270, 271, 300])
def test_no_harm_no_training(correct: int) -> None:
    decision = decide(a_situation(*findings(Answer.MAJOR), new=HeldOut(300, correct)))
    assert verdict(decision) == (Action.NONE, "NoCauseFound")
    assert "old ones 90%" in decision.message


def test_rows_that_belong_together_tell_as_much_as_fewer_single_ones() -> None:
    single, few = HeldOut(300, 260), HeldOut(30, 26)
    together = replace(single, design_effect=10.0)
    situations = [a_situation(*findings(Answer.MAJOR), new=new) for new in (single, few, together)]
    surely, hardly, as_hardly = map(drop_p_value, situations)
    assert surely is not None
    assert hardly is not None
    assert hardly == as_hardly > surely
    told = [power_of(situation) for situation in situations]
    chances = [power.chance for power in told if power]
    assert chances[0] > chances[1] == chances[2]
    assert [power.new_held_out for power in told if power] == [300, 30, 300]


def test_a_handful_of_rows_shows_no_absence_of_harm() -> None:
    decision = decide(a_situation(*findings(Answer.MAJOR), new=HeldOut(4, 4)))
    assert verdict(decision) == (Action.WAIT, "NotEnoughHeldOutRows")


def test_without_old_rows_the_metrics_floor_is_expected() -> None:
    fine = a_situation(*findings(Answer.MAJOR), new=HeldOut(300, 271), old=None)
    decision = decide(fine)
    assert verdict(decision) == (Action.NONE, "NoCauseFound")
    assert "spec.metrics asks for 90%" in decision.message
    worse = a_situation(*findings(Answer.MAJOR), new=HeldOut(300, 200), old=HeldOut(0, 0))
    assert decide(worse).action is Action.RETRAIN


def test_an_error_rates_ceiling_is_expected_too() -> None:
    errors = replace(SPEC, metrics=replace(SPEC.metrics, threshold=ThresholdRange(max=0.1)))
    down = replace(DOWN, reading=Reading(NOW, 0.13), threshold=ThresholdRange(max=0.1))
    fine = a_situation(
        *findings(Answer.MAJOR), new=HeldOut(300, 271), old=None, spec=errors, degraded=down
    )
    decision = decide(fine)
    assert decision.action is Action.NONE
    assert decision.message.startswith("The error rate 0.13 was above 0.1 in 3 of 5 readings. ")
    assert decision.path[0].evidence[0].name == "errorRate"
    assert decision.path[0].evidence[0].n is None


def test_a_threshold_that_is_no_share_expects_nothing() -> None:
    per_cent = replace(SPEC, metrics=replace(SPEC.metrics, threshold=ThresholdRange(min=90.0)))
    situation = a_situation(*findings(Answer.MAJOR), new=HeldOut(300, 300), old=None, spec=per_cent)
    assert decide(situation).action is Action.RETRAIN


@pytest.mark.parametrize(
    "found, action, reason",
    [
        (findings(space=Answer.MAJOR), Action.RETRAIN, "FeatureSpaceChanged"),
        (findings(drift=Answer.MAJOR), Action.RETRAIN, "ConceptDrift"),
        (findings(shift=Answer.MAJOR), Action.RETRAIN, "DistributionShift"),
        (findings(*[Answer.MAJOR] * 3), Action.RETRAIN, "FeatureSpaceChanged"),
        (findings(Answer.MAJOR, Answer.MAJOR), Action.RETRAIN, "ConceptDrift"),
        (findings(Answer.MINOR, Answer.MAJOR), Action.RETRAIN, "ConceptDrift"),
        (findings(drift=Answer.MINOR), Action.FINE_TUNE, "MinorChange"),
        (findings(Answer.MINOR, Answer.MINOR), Action.FINE_TUNE, "DomainExpansion"),
        (findings(Answer.UNDETERMINED), Action.FINE_TUNE, "Undetermined"),
        (findings(Answer.YES), Action.FINE_TUNE, "Undetermined"),
        (findings(Answer.MINOR, Answer.UNDETERMINED), Action.FINE_TUNE, "DomainExpansion"),
        ((), Action.FINE_TUNE, "Undetermined"),
    ],
)
def test_the_graver_answer_decides(found: tuple[Finding, ...], action: Action, reason: str) -> None:
    assert verdict(decide(a_situation(*found))) == (action, reason)


def test_the_number_behind_a_major_answer_is_in_the_message() -> None:
    decision = decide(a_situation(*findings(drift=Answer.MAJOR)))
    assert (
        "ConceptDrift is Major (errorChange 0.2135, threshold 0.1, p <0.0001, n 300)"
        in decision.message
    )


def test_a_minor_answer_without_evidence_is_told_as_it_is() -> None:
    decision = decide(a_situation(*findings(space=Answer.MINOR)))
    assert verdict(decision) == (Action.FINE_TUNE, "MinorChange")
    assert "FeatureSpaceChange is Minor. Minor change" in decision.message


def test_evidence_may_be_a_bare_number() -> None:
    bare = Finding(CAUSES[0], Answer.MINOR, (Evidence("classMix", 0.2),))
    decision = decide(a_situation(bare, *findings()[1:]))
    assert "DataDistributionShift is Minor (classMix 0.2)." in decision.message


def test_a_label_never_seen_is_a_domain_expansion() -> None:
    grown = Finding(CAUSES[2], Answer.MINOR, (Evidence("newLabels", 0.046, 0.3, None, 1000),))
    decision = decide(a_situation(*findings()[:2], grown))
    assert verdict(decision) == (Action.FINE_TUNE, "DomainExpansion")
    assert "4.6% of the new rows have a label" in decision.message


def test_a_trigger_without_a_breach_still_says_yes() -> None:
    step = decide(a_situation(*findings(Answer.MINOR), degraded=None)).path[0]
    assert (step.answer, step.evidence) == (Answer.YES, ())


def test_concept_drift_is_read_from_the_path() -> None:
    assert concept_drift(decide(a_situation(*findings(drift=Answer.MAJOR))).path)
    assert not concept_drift(decide(a_situation(*findings(drift=Answer.MINOR))).path)
    assert not concept_drift(())


# --- brakes -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "action, answer", [(Action.FINE_TUNE, Answer.MINOR), (Action.RETRAIN, Answer.MAJOR)]
)
def test_the_same_evidence_is_not_tried_twice(action: Action, answer: Answer) -> None:
    history = (entry(Action.NONE, 8, outcome=RunOutcome.FAILED), entry(action, 5))
    decision = decide(a_situation(*findings(answer), history=history))
    assert verdict(decision) == (Action.WAIT, "NoNewEvidence")
    assert "in run 5 (NoImprovement)" in decision.message
    assert decision.rejected[-1] == RejectedAction(action, DecisionReason.NO_NEW_EVIDENCE.sentence)


@pytest.mark.parametrize(
    "change",
    [
        {"outcome": RunOutcome.FAILED},
        {"outcome": RunOutcome.STOPPED},
        {"data_digest": "sha256:other"},
        {"champion_digest": "sha256:five"},
        {"action": Action.RETRAIN},
    ],
)
def test_other_evidence_may_be_tried(change: dict[str, Any]) -> None:
    tried = entry(**{"action": Action.FINE_TUNE, **change})
    assert decide(a_situation(*findings(Answer.MINOR), history=(tried,))).action is Action.FINE_TUNE


def test_data_without_a_digest_are_never_the_same() -> None:
    report = replace(a_report(*findings(Answer.MINOR)), snapshot_digest="")
    tried = entry(Action.FINE_TUNE, data_digest="")
    assert decide(a_situation(report=report, history=(tried,))).action is Action.FINE_TUNE


def test_an_escalation_is_not_repeated() -> None:
    history = (entry(Action.RETRAIN, 8), entry(Action.FINE_TUNE))
    assert verdict(decide(escalation(history=history))) == (Action.WAIT, "NoNewEvidence")


def test_a_rejected_first_version_is_not_repeated() -> None:
    tried = entry(Action.RETRAIN, 1, trigger=Trigger.INITIAL, champion_digest="")
    assert verdict(decide(initial(history=(tried,)))) == (Action.WAIT, "NoNewEvidence")


def trainings(*days_ago: float, **changes: Any) -> tuple[HistoryEntry, ...]:
    return tuple(
        entry(
            Action.RETRAIN,
            number,
            **{"data_digest": "sha256:old", "end_time": NOW - timedelta(days=days), **changes},
        )
        for number, days in enumerate(days_ago, start=1)
    )


def test_the_run_limit_says_when_a_run_is_free() -> None:
    decision = decide(a_situation(*findings(Answer.MINOR), history=trainings(1, 2, 3, 6.5)))
    assert verdict(decision) == (Action.WAIT, "RunLimitReached")
    assert decision.message.endswith(
        "FineTune is due (DomainExpansion), but 4 trainings ended within 168h and "
        "spec.limits.runs allows 4: the next may start at 2026-11-24 06:00 UTC."
    )


def test_a_lowered_limit_waits_for_more_than_one_to_leave() -> None:
    decision = decide(a_situation(*findings(Answer.MINOR), history=trainings(1, 2, 3, 4, 6.5)))
    assert "2026-11-26 18:00 UTC" in decision.message


@pytest.mark.parametrize(
    "history", [trainings(1, 2, 3), trainings(1, 2, 3, 7), trainings(1, 2, 3, 4, trained=False)]
)
def test_within_the_limit_a_run_may_start(history: tuple[HistoryEntry, ...]) -> None:
    assert decide(a_situation(*findings(Answer.MINOR), history=history)).action is Action.FINE_TUNE


def test_too_few_new_held_out_rows_for_any_win() -> None:
    decision = decide(a_situation(*findings(Answer.MINOR), spec=BY_HAND, new=HeldOut(4, 0)))
    assert verdict(decision) == (Action.WAIT, "NotEnoughHeldOutRows")
    assert decision.message.endswith(
        "FineTune is due (DomainExpansion), but could not be judged on 4 new held-out rows: 5 are "
        "needed to show any win with 95% confidence. Label 4 more rows "
        "(spec.data.holdout.updatesPercent is 30)."
    )


@pytest.mark.parametrize("new", [None, HeldOut(0, 0)])
def test_no_new_held_out_row_at_all(new: HeldOut | None) -> None:
    assert decide(a_situation(*findings(Answer.MINOR), new=new)).action is Action.WAIT


@pytest.mark.parametrize(
    "holdout, new_train, held_out_of",
    [
        (Holdout(), 30, lambda more: held_out_rows(60 + more) - 30),
        (Holdout(10, 50), 30, lambda more: more // 2),
        (Holdout(10, 30), 70, lambda more: more * 30 // 100),
    ],
)
def test_a_shallow_drop_waits_for_more_rows_and_says_how_many(
    holdout: Holdout, new_train: int, held_out_of: Callable[[int], int]
) -> None:
    """As many as the holdout turns into held-out rows that are enough."""
    known = {
        "spec": replace(SPEC, holdout=holdout, min_new_rows=50),
        "rows": RowCounts(new_train, 30, 4500, 500),
        "old": HeldOut(500, 440),
    }
    decision = decide(a_situation(*findings(Answer.MINOR), new=HeldOut(30, 26), **known))
    assert verdict(decision) == (Action.WAIT, "NotEnoughHeldOutRows")
    assert (
        "By 30 new and 500 old held-out rows, a model that gets 88% of new rows right (the "
        "champion gets 86.7%) is promoted with a chance of 28%"
    ) in decision.message
    assert "at stake are 1.1 points, so 0.3 points are to be expected of a run" in decision.message
    assert "0.5 points are asked for (spec.decision.minExpectedGain)" in decision.message
    missing = int(re.search(r"Label about (\d+) more rows\.$", decision.message).group(1))  # type: ignore[union-attr]
    rows = 30 + held_out_of(missing)
    assert rows == pytest.approx(255, abs=1)
    then = HeldOut(rows, rows * 26 // 30)
    assert decide(a_situation(*findings(Answer.MINOR), new=then, **known)).action is (
        Action.FINE_TUNE
    )


def test_a_deep_drop_is_tried_on_the_rows_that_there_are() -> None:
    """Fifty points are lost: no number of labels is worth waiting for."""
    decision = decide(
        a_situation(*findings(Answer.MINOR), new=HeldOut(30, 12), old=HeldOut(100, 90))
    )
    assert verdict(decision) == (Action.FINE_TUNE, "DomainExpansion")
    assert "at stake are 40 points" in decision.message


def test_status_keeps_what_the_rows_could_show_and_what_more_would_buy() -> None:
    """Half of 60 rows are held out, so a hundred more labelled ones hold out fifty more."""
    few = {"new": HeldOut(30, 23), "old": HeldOut(100, 90), "rows": RowCounts(30, 30, 150, 100)}
    spec = replace(SPEC, min_new_rows=50)
    power = decide(a_situation(*findings(Answer.MINOR), spec=spec, **few)).power
    assert power is not None
    assert (power.new_held_out, power.old_held_out, power.more_rows) == (30, 100, 100)
    assert power.chance == pytest.approx(0.82, abs=0.01)
    assert power.stake == pytest.approx(0.8 * (0.9 - 23 / 30), abs=1e-4)
    assert power.chance_with_more == pytest.approx(0.98, abs=0.01)
    assert could_show(power) == (
        "30 new and 100 old held-out rows show a gain of 12.5 points four times in five; with 100 "
        "more labelled rows a gain of 6.4 points four times in five"
    )
    assert (
        "(98% with 100 more labelled rows)"
        in decide(a_situation(*findings(Answer.MINOR), spec=spec, **few)).message
    )


def test_the_chance_is_smaller_where_no_cause_is_named() -> None:
    """The gate asks for more there, so the chance is smaller."""
    few = {"new": HeldOut(30, 23), "old": HeldOut(100, 90)}
    named, left_open = (
        decide(a_situation(*findings(answer), **few))
        for answer in (Answer.MINOR, Answer.UNDETERMINED)
    )
    assert not cause_open(named.path)
    assert cause_open(left_open.path)
    assert named.power is not None
    assert left_open.power is not None
    assert left_open.power.chance < named.power.chance - 0.2
    assert plan_of(left_open, SPEC).cause_open


def test_the_power_told_is_what_the_chance_says() -> None:
    """A gain as small as the one named is promoted four times in five."""
    situation = a_situation(*findings(Answer.MINOR), new=HeldOut(150, 120), old=HeldOut(300, 270))
    power = decide(situation).power
    assert power is not None
    fallen = HeldOut(150, round(150 * (0.9 - power.smallest_gain)))
    there = decide(a_situation(*findings(Answer.MINOR), new=fallen, old=HeldOut(300, 270))).power
    assert there is not None
    assert there.chance == pytest.approx(0.8, abs=0.03)


def test_what_cannot_be_gained_is_not_waited_for() -> None:
    decision = decide(
        a_situation(*findings(Answer.MINOR), new=HeldOut(100_000, 89_999), old=HeldOut(5000, 4500))
    )
    assert verdict(decision) == (Action.WAIT, "GainTooSmall")
    assert "at most" in decision.message
    assert "spec.decision.minExpectedGain" in decision.message


def test_a_price_of_nothing_tries_always() -> None:
    spec = replace(SPEC, min_expected_gain=0.0)
    shallow = {"new": HeldOut(30, 26), "old": HeldOut(500, 450)}
    decision = decide(a_situation(*findings(Answer.MINOR), spec=spec, **shallow))
    assert decision.action is Action.FINE_TUNE


@pytest.mark.slow
def test_the_gain_that_the_gate_asks_for_is_the_least_to_train_for() -> None:
    """A large minImprovement is easier to show than a small drop, and harder to reach."""
    asked = replace(SPEC, gate=replace(SPEC.gate, min_improvement=0.2))
    small = {"new": HeldOut(300, 267)}
    assert decide(a_situation(*findings(Answer.MINOR), **small)).action is Action.WAIT
    assert decide(a_situation(*findings(Answer.MINOR), spec=asked, **small)).action is (
        Action.FINE_TUNE
    )


def required(spec: Spec = SPEC, **changes: Any) -> Spec:
    return replace(spec, gate=replace(spec.gate, proof=Proof.REQUIRED, **changes))


def test_too_few_old_held_out_rows_for_a_proof_that_is_required() -> None:
    few = {"old": HeldOut(500, 450)}
    assert decide(a_situation(*findings(Answer.MINOR), **few)).action is Action.FINE_TUNE
    decision = decide(a_situation(*findings(Answer.MINOR), spec=required(BY_HAND), **few))
    assert verdict(decision) == (Action.WAIT, "NotEnoughHeldOutRows")
    assert "500 old held-out rows: 895 are needed" in decision.message
    assert "it loses no more than 2%" in decision.message
    assert "Label 3950 more rows (spec.data.holdout.originalPercent is 10)" in decision.message
    assert "originalPercent is 10); or raise spec.gate.oldData.maxLoss, or" in decision.message
    assert decision.message.endswith("write Auto for spec.gate.oldData.proof.")


def test_much_to_win_needs_no_old_rows_for_the_proof_of_a_smaller_loss() -> None:
    """The gate would let a loss pass that is little beside it, whatever maxLoss is."""
    lost = {"new": HeldOut(300, 75), "old": HeldOut(1600, 1280)}
    strict = replace(SPEC, gate=replace(SPEC.gate, max_old_loss=0.01))
    decision = decide(a_situation(*findings(Answer.MINOR), spec=strict, **lost))
    assert decision.action is Action.FINE_TUNE
    assert decision.power is not None
    assert decision.power.chance == pytest.approx(0.9, abs=0.03)
    little = {**lost, "new": HeldOut(300, 210)}
    waits = decide(a_situation(*findings(Answer.MINOR), spec=strict, **little))
    assert verdict(waits) == (Action.WAIT, "NotEnoughHeldOutRows")
    assert "1600 old held-out rows: 5970 are needed" in waits.message
    proof = decide(a_situation(*findings(Answer.MINOR), spec=required(strict), **lost))
    assert verdict(proof) == (Action.WAIT, "NotEnoughHeldOutRows")


def test_an_automatic_holdout_says_how_many_rows_make_up_what_is_missing() -> None:
    few = {"old": HeldOut(500, 450), "rows": RowCounts(700, 300, 2000, 500)}
    message = decide(a_situation(*findings(Answer.MINOR), spec=required(), **few)).message
    assert "500 old held-out rows: 895 are needed" in message
    said = re.search(
        r"Label (\d+) more rows \(spec.data.holdout.originalPercent is Auto\)", message
    )
    assert said is not None
    label = int(said[1])
    assert held_out_rows(2500 + label) == 895
    assert held_out_rows(2500 + label - 1) < 895


@pytest.mark.parametrize(
    "mode, action",
    [(OnConceptDrift.REPORT_ONLY, Action.RETRAIN), (OnConceptDrift.JUDGE, Action.WAIT)],
)
def test_after_concept_drift_old_rows_are_needed_only_if_judged(
    mode: OnConceptDrift, action: Action
) -> None:
    spec = required(on_concept_drift=mode)
    few = a_situation(*findings(drift=Answer.MAJOR), old=HeldOut(500, 450), spec=spec)
    assert decide(few).action is action


@pytest.mark.parametrize(
    "spec, wish",
    [
        (BY_HAND, "Label 10 more rows (spec.data.holdout.originalPercent is 10)."),
        (SPEC, "Label 2 more rows (spec.data.holdout.originalPercent is Auto)."),
    ],
)
def test_too_few_rows_for_a_first_version(spec: Spec, wish: str) -> None:
    decision = decide(initial(spec=spec, rows=RowCounts(0, 2, 40, 2)))
    assert verdict(decision) == (Action.WAIT, "NotEnoughHeldOutRows")
    assert "4 held-out rows: 5 are needed" in decision.message
    assert wish in decision.message
    assert decision.path[-1].answer is Answer.NO
    assert decide(initial(rows=RowCounts(0, 0, 40, 5))).action is Action.RETRAIN


# --- what holds in any situation --------------------------------------------------------

answers = st.sampled_from(list(Answer))
graver = {
    Answer.NO: (Answer.MINOR, Answer.MAJOR),
    Answer.MINOR: (Answer.MAJOR,),
    Answer.UNDETERMINED: (Answer.MAJOR,),
    Answer.YES: (Answer.MAJOR,),
    Answer.MAJOR: (),
}
small = st.integers(0, 800)
evidence = st.builds(
    Evidence,
    st.sampled_from(["outsideSupport", "newLabels", "errorChange"]),
    st.floats(allow_nan=False, allow_infinity=False),
    st.none() | st.floats(-10, 10),
    st.none() | st.floats(0, 1),
    st.none() | st.integers(0, 10**6),
)
some_findings = st.lists(
    st.builds(
        Finding, st.sampled_from(list(Question)), answers, st.lists(evidence, max_size=3).map(tuple)
    ),
    max_size=5,
).map(tuple)
held_outs = st.none() | st.tuples(st.integers(0, 6000), st.floats(0, 1)).map(
    lambda pair: HeldOut(pair[0], round(pair[0] * pair[1]))
)
diagnoses = st.builds(
    Diagnosis, st.builds(RowCounts, small, small, small, small), some_findings, held_outs, held_outs
)
reports = st.builds(
    TrainingReport,
    st.just(Operation.DIAGNOSE),
    st.just(7),
    st.just("sha256:request"),
    st.sampled_from(list(Outcome)),
    reason=st.sampled_from(["", "DataMissing"]),
    message=st.text(max_size=30) | st.just("long " * 500),
    snapshot_digest=st.sampled_from(["", "sha256:data"]),
    diagnosis=st.none() | diagnoses,
)
entries = st.builds(
    entry,
    st.sampled_from(list(Action)),
    outcome=st.sampled_from(list(RunOutcome)),
    end_time=st.integers(0, 300).map(lambda hours: NOW - timedelta(hours=hours)),
    trained=st.booleans(),
)
situations = st.builds(
    Situation,
    number=st.just(7),
    trigger=st.sampled_from(list(Trigger)),
    spec=st.builds(
        lambda minimum, gate, limit: replace(
            SPEC, min_new_rows=minimum, gate=gate, limits=replace(SPEC.limits, max_runs=limit)
        ),
        st.integers(1, 500),
        st.builds(
            lambda improvement, confidence, loss, mode: replace(
                SPEC.gate,
                min_improvement=improvement,
                confidence=confidence,
                max_old_loss=loss,
                on_concept_drift=mode,
            ),
            st.floats(0, 1),
            st.floats(0.5, 0.9999),
            st.floats(0, 1),
            st.sampled_from(list(OnConceptDrift)),
        ),
        st.integers(1, 10),
    ),
    report=reports,
    now=st.just(NOW),
    degraded=st.none() | st.just(DOWN),
    champion=st.none() | st.just(CHAMPION),
    history=st.lists(entries, max_size=10).map(tuple),
    escalated_from=st.none() | st.just(6),
)
weight = {Action.BLOCKED: 0, Action.WAIT: 0, Action.NONE: 1, Action.FINE_TUNE: 2, Action.RETRAIN: 3}


@pytest.mark.slow
@settings(deadline=None, max_examples=120)
@given(situations)
def test_every_situation_has_one_decision_that_explains_itself(situation: Situation) -> None:
    decision = decide(situation)
    assert decide(situation) == decision
    assert isinstance(decision.reason, DecisionReason)
    assert 0 < len(decision.message) <= 1024
    assert decision.path[0].question is Question.PERFORMANCE_DROP
    assert decision.path[-1].question is Question.MONITOR_AND_OPTIMIZE
    others = [rejected.action for rejected in decision.rejected]
    assert len(set(others)) == len(others)
    assert decision.action not in others
    assert all(rejected.because for rejected in decision.rejected)
    if situation.report.outcome is Outcome.FAILED:
        assert verdict(decision) == (Action.BLOCKED, "DataUnusable")
    if decision.action is Action.FINE_TUNE:
        assert situation.champion is not None


@pytest.mark.slow
@calmly
@given(situations, st.integers(0, 2), st.data())
def test_a_graver_answer_never_asks_for_less(
    situation: Situation, index: int, data: st.DataObject
) -> None:
    given_answers = [data.draw(answers) for _ in CAUSES]
    worse = list(given_answers)
    if graver[worse[index]]:
        worse[index] = data.draw(st.sampled_from(graver[worse[index]]))
    before, after = (
        propose(_with_findings(situation, *found)).action for found in (given_answers, worse)
    )
    assert weight[after] >= weight[before]


def _with_findings(situation: Situation, *found: Answer) -> Situation:
    diagnosis = situation.report.diagnosis
    if diagnosis is None:
        return situation
    diagnosis = replace(diagnosis, findings=tuple(map(Finding, CAUSES, found)))
    return replace(situation, report=replace(situation.report, diagnosis=diagnosis))


@pytest.mark.slow
@calmly
@given(situations)
def test_a_brake_only_ever_stops(situation: Situation) -> None:
    wanted, decision = propose(situation), decide(situation)
    if decision.action is not wanted.action:
        assert wanted.action.training is not None
        assert decision.action is Action.WAIT


def test_each_rule_and_brake_is_a_sentence() -> None:
    for step in (*WORKFLOW, *EVIDENCE, *BRAKES):
        assert step.__doc__ is not None
        first = step.__doc__.partition("\n")[0]
        assert first.endswith("."), first
        assert any(f"{action.value}" in first for action in Action), first


def test_the_decision_table_says_what_the_code_says() -> None:
    page = runpy.run_path(str(ROOT / "dev" / "decision_table.py"))["page"]
    written = (ROOT / "docs" / "decision-table.md").read_text(encoding="utf-8")
    assert written == page(), "run make docs"


TARGETED = replace(a_situation().spec, sampling=Sampling.TARGETED)


def test_targeted_rows_are_tried_and_the_old_rows_must_show_it() -> None:
    open_ = findings(Answer.UNDETERMINED, Answer.UNDETERMINED, Answer.UNDETERMINED)
    decision = decide(a_situation(*open_, spec=TARGETED, new=None))

    assert verdict(decision) == (Action.FINE_TUNE, "Undetermined")
    assert "sampling is Targeted, so no shift and no drift is read" in decision.message


def test_targeted_rows_cannot_show_a_drop_by_themselves() -> None:
    open_ = findings(Answer.UNDETERMINED, Answer.UNDETERMINED, Answer.UNDETERMINED)
    situation = a_situation(
        *open_, spec=TARGETED, new=None, trigger=Trigger.SCHEDULE, degraded=None
    )

    assert verdict(decide(situation)) == (Action.NONE, "NoDropFound")


def test_targeted_rows_wait_for_old_held_out_rows() -> None:
    open_ = findings(Answer.UNDETERMINED, Answer.UNDETERMINED, Answer.UNDETERMINED)
    decision = decide(a_situation(*open_, spec=TARGETED, new=None, old=HeldOut(3, 2)))

    assert verdict(decision) == (Action.WAIT, "NotEnoughHeldOutRows")
    assert "3 old held-out rows" in decision.message


@pytest.mark.parametrize(
    "counts, told",
    [
        (RowCounts(20, 10, 5000, 5000), "30 newly labelled rows; with fewer than 40 no test"),
        (RowCounts(700, 300, 5000, 12), "12 old held-out rows; with fewer than 40 no test"),
    ],
)
def test_an_open_question_names_the_rows_that_were_too_few(counts: RowCounts, told: str) -> None:
    open_ = (Finding(question, Answer.UNDETERMINED) for question in CAUSES)
    spec = replace(SPEC, min_new_rows=10)
    proposed = propose(a_situation(*open_, rows=counts, spec=spec))
    decision = decide(a_situation(*(Finding(q, Answer.UNDETERMINED) for q in CAUSES),
                                  rows=counts, spec=spec))  # fmt: skip
    assert proposed.reason is DecisionReason.UNDETERMINED
    assert told in proposed.message
    drift = next(step for step in decision.path if step.question is Question.CONCEPT_DRIFT)
    [few] = drift.evidence
    assert (few.value, few.threshold) == (told.split(maxsplit=1)[0], "")
    settled = decide(a_situation(*findings(), rows=counts, spec=spec))
    assert all("RowsToCompare" not in e.name for step in settled.path for e in step.evidence)


def test_what_was_not_read_is_in_the_message_however_long_the_reason_is() -> None:
    left = LeftOut.of(
        [LeftOutFile(f"updates/w{n}.csv.gz", "compressed or packed: unpack it") for n in range(9)]
    )
    report = replace(a_report(*findings()), left_out=left)
    assert "Not read, of the data: 9 files: updates/w0.csv.gz (compressed" in (
        decide(a_situation(report=report)).message
    )
    broken = replace(
        report, outcome=Outcome.FAILED, reason="DataUnreadable", message="m" * 3000, diagnosis=None
    )
    message = decide(a_situation(report=broken)).message
    assert len(message) <= 1024
    assert message.endswith("updates/w2.csv.gz (compressed or packed: unpack it) and 6 more.")
    assert "Not read" not in decide(a_situation(report=a_report(*findings()))).message


def test_what_the_trainer_remarks_is_in_the_message_however_long_the_reason_is() -> None:
    said = (
        "updates/w.csv, line 2: the label 'BILLING' counts as a class of its own beside 'billing'"
    )
    report = replace(a_report(*findings()), message=f"{said}.\x1b[2J")
    assert decide(a_situation(report=report)).message.endswith(f" Of the data: {said}.?[2J")
    long = decide(a_situation(report=replace(report, message=said * 50))).message
    assert len(long) <= 1024
    assert said in long
    assert "Of the data" not in decide(a_situation(report=a_report(*findings()))).message
    failed = replace(report, outcome=Outcome.FAILED, reason="LabelsDoubled", diagnosis=None)
    assert decide(a_situation(report=failed)).message.count("BILLING") == 1

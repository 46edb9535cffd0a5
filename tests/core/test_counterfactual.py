"""What would have changed a decision: asked of the rules, and held against ``decide`` itself."""

import math
from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.bodies import SPEC as RAW_SPEC
from support.situations import diagnosed

from maintenance_contract import (
    Answer,
    Evidence,
    Finding,
    Outcome,
    Question,
)
from maintenance_core.decide.counterfactual import GRAVITY, changed, counterfactual
from maintenance_core.decide.decision import decide
from maintenance_core.decide.findings import CAUSES
from maintenance_core.model import (
    Action,
    Decision,
    Situation,
    Trigger,
)
from maintenance_core.spec import parse

SPEC = parse(RAW_SPEC)
ANSWERS = (*GRAVITY, Answer.UNDETERMINED)
SHIFT, DRIFT, SPACE = CAUSES


def situation(findings: tuple[Finding, ...], held_out: int = 300) -> Situation:
    """Rows enough for every brake, unless there are fewer held out."""
    return diagnosed(SPEC, findings, held_out=held_out, right=held_out * 7 // 10)


def decided(*findings: Finding, held_out: int = 300) -> Decision:
    return decide(situation(findings, held_out))


def evidence(name: str, value: float, threshold: float | None = 0.1) -> Evidence:
    return Evidence(name, value, threshold, 0.001, 1000)


def three(shift: Answer, drift: Answer, space: Answer) -> tuple[Finding, ...]:
    return (
        Finding(SHIFT, shift, (evidence("outsideSupport", 0.18, 0.05),)),
        Finding(DRIFT, drift, (evidence("errorRiseAtEqualClass", 0.21),)),
        Finding(SPACE, space),
    )


some_evidence = st.lists(
    st.builds(
        evidence,
        st.sampled_from(["outsideSupport", "classMix", "newLabels", "errorRiseAtEqualClass"]),
        st.integers(-300, 900).map(lambda thousandths: thousandths / 1000),
        st.sampled_from([None, 0.05, 0.1, 0.3]),
    ),
    max_size=3,
    unique_by=lambda one: one.name,
).map(tuple)
some_findings = st.tuples(
    *(
        st.builds(Finding, st.just(question), st.sampled_from(ANSWERS), some_evidence)
        for question in CAUSES
    )
)


@pytest.mark.slow
@settings(deadline=None, max_examples=60)
@given(some_findings)
def test_what_it_names_really_changes_the_decision(findings: tuple[Finding, ...]) -> None:
    decision = decide(situation(findings))
    would = counterfactual(decision, SPEC)
    assert would.decided, "rows enough and a harmful drop: the answers decide"
    for change in would.changes:
        then = decide(situation(changed(findings, change)))
        assert (then.action, str(then.reason)) == (change.action, change.reason)
        assert then.action is not decision.action
    distances = [change.distance for change in would.changes]
    assert distances == sorted(distances)


@pytest.mark.slow
@pytest.mark.parametrize("answers", list(product(ANSWERS, repeat=3)))
def test_no_single_answer_that_would_have_changed_it_is_left_out(
    answers: tuple[Answer, Answer, Answer],
) -> None:
    findings = three(*answers)
    decision = decide(situation(findings))
    named = {(change.question, change.after) for change in counterfactual(decision, SPEC).changes}
    for index, question in enumerate(CAUSES):
        for after in GRAVITY:
            others = [*findings]
            others[index] = replace(findings[index], answer=after)
            other = decide(situation(tuple(others)))
            if after is not findings[index].answer:
                assert ((question, after) in named) == (other.action is not decision.action)


def test_a_number_at_its_threshold_is_named_with_its_distance() -> None:
    decision = decided(*three(Answer.MINOR, Answer.NO, Answer.NO))
    first = counterfactual(decision, SPEC).changes[0]
    assert (first.question, first.after, first.action) == (SHIFT, Answer.NO, Action.NONE)
    assert [(one.name, one.value, one.threshold) for one in first.evidence] == [
        ("outsideSupport", "0.18", "0.05")
    ]
    assert math.isclose(first.distance, (0.18 - 0.05) / 0.05)


def test_all_numbers_beyond_their_thresholds_must_come_back() -> None:
    both = (evidence("outsideSupport", 0.18), evidence("classMix", 0.3), evidence("newLabels", 0.0))
    decision = decided(
        Finding(SHIFT, Answer.MINOR, both), Finding(DRIFT, Answer.NO), Finding(SPACE, Answer.NO)
    )
    first = counterfactual(decision, SPEC).changes[0]
    assert [one.name for one in first.evidence] == ["outsideSupport", "classMix"]
    assert math.isclose(first.distance, 2.0)


def test_the_number_that_would_have_risen_is_the_one_that_the_answer_turns_on() -> None:
    low = (evidence("outsideSupport", 0.0, 0.05), evidence("classMix", 0.08))
    decision = decided(
        Finding(SHIFT, Answer.NO, low), Finding(DRIFT, Answer.NO), Finding(SPACE, Answer.NO)
    )
    first = counterfactual(decision, SPEC).changes[0]
    assert [one.name for one in first.evidence] == ["classMix"]
    assert (first.action, first.reason) == (Action.FINE_TUNE, "MinorChange")


@pytest.mark.parametrize(
    "answer, value",
    [
        (Answer.MINOR, 0.02),  # what the answer turns on lies below its threshold: not understood
        (Answer.UNDETERMINED, 0.18),
    ],
)
def test_no_number_is_named_where_the_path_does_not_tell(answer: Answer, value: float) -> None:
    decision = decided(
        Finding(SHIFT, answer, (evidence("outsideSupport", value),)),
        Finding(DRIFT, Answer.NO),
        Finding(SPACE, Answer.NO),
    )
    changes = counterfactual(decision, SPEC).changes
    assert changes
    assert [change.evidence for change in changes if change.question is SHIFT] == [(), ()]


def test_minor_names_no_number_up_to_major_because_status_has_none() -> None:
    decision = decided(*three(Answer.MINOR, Answer.NO, Answer.NO))
    graver = [
        change for change in counterfactual(decision, SPEC).changes if change.after is Answer.MAJOR
    ]
    assert {change.question for change in graver} == {*CAUSES}
    assert all(not change.evidence and change.distance == math.inf for change in graver)


def test_where_a_brake_objected_it_is_what_the_answers_ask_for_that_is_told() -> None:
    decision = decided(*three(Answer.MINOR, Answer.NO, Answer.NO), held_out=4)
    assert decision.action is Action.WAIT
    would = counterfactual(decision, SPEC)
    assert not would.decided
    assert would.asked is not None
    assert would.asked.action is Action.FINE_TUNE


@pytest.mark.parametrize("trigger", [Trigger.INITIAL, Trigger.ESCALATION])
def test_what_does_not_turn_on_answers_has_no_otherwise(trigger: Trigger) -> None:
    seen = replace(
        situation(three(Answer.MAJOR, Answer.NO, Answer.NO)), trigger=trigger, degraded=None
    )
    would = counterfactual(decide(seen), SPEC)
    assert (would.asked, would.changes) == (None, ())


def test_without_a_diagnosis_nothing_is_asked() -> None:
    seen = situation(())
    failed = replace(seen.report, outcome=Outcome.FAILED, diagnosis=None)
    decision = decide(replace(seen, report=failed))
    assert [step.question for step in decision.path] == [
        Question.PERFORMANCE_DROP,
        Question.MONITOR_AND_OPTIMIZE,
    ]
    assert counterfactual(decision, SPEC).asked is None

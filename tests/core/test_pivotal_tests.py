"""Which tests a decision under Evidence turns on, held against ``decide`` itself."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.bodies import SPEC as RAW_SPEC
from support.situations import diagnosed

from maintenance_contract import (
    Answer,
    Evidence,
    Finding,
)
from maintenance_contract.evidence_names import (
    CLASS_MIX,
    ERROR_RISE_AT_EQUAL_CLASS,
    ERROR_RISE_OUTSIDE,
    EXPECTED_ERROR_RISE,
    INPUT_SHIFT_AUC,
    OUTSIDE_SUPPORT,
    SHIFT_WITHIN_CLASSES_AUC,
    UNEXPLAINED_ERROR_RISE,
)
from maintenance_core.decide.counterfactual import counterfactual
from maintenance_core.decide.decision import decide
from maintenance_core.decide.evidence import DEFAULTS
from maintenance_core.decide.findings import CAUSES
from maintenance_core.decide.pivotal_tests import HypotheticalTest, moved, pivotal_tests
from maintenance_core.decide.proposal import Proposal
from maintenance_core.model import (
    Action,
    Decision,
    Policy,
)
from maintenance_core.reasons import DecisionReason
from maintenance_core.spec import parse

SPEC = replace(parse(RAW_SPEC), policy=Policy.EVIDENCE)
SHIFT, DRIFT, SPACE = CAUSES
OF_SHIFT = (
    OUTSIDE_SUPPORT,
    ERROR_RISE_OUTSIDE,
    CLASS_MIX,
    INPUT_SHIFT_AUC,
    SHIFT_WITHIN_CLASSES_AUC,
    EXPECTED_ERROR_RISE,
)
QUIET = {
    OUTSIDE_SUPPORT: (0.004, 0.6, 0.03),
    ERROR_RISE_OUTSIDE: (0.01, 0.5, 0.2),
    CLASS_MIX: (0.02, 0.7, 0.06),
    INPUT_SHIFT_AUC: (0.51, 0.5, 0.55),
    SHIFT_WITHIN_CLASSES_AUC: (0.5, 0.6, 0.55),
    EXPECTED_ERROR_RISE: (0.0, 0.6, 0.02),
    UNEXPLAINED_ERROR_RISE: (0.0, 0.5, 0.04),
    ERROR_RISE_AT_EQUAL_CLASS: (0.0, 0.6, 0.05),
}
"""Value, p, upper bound of every test where nothing has happened."""


def findings(**tests: tuple[float, float, float]) -> tuple[Finding, ...]:
    """A diagnosis that is quiet but for these: value, p, upper bound."""
    numbers = {
        name: Evidence(name, value, None, p, 1000, 2 * value - upper, upper)
        for name, (value, p, upper) in {**QUIET, **tests}.items()
    }
    return (
        Finding(SHIFT, Answer.UNDETERMINED, tuple(numbers[name] for name in OF_SHIFT)),
        Finding(
            DRIFT,
            Answer.UNDETERMINED,
            tuple(number for name, number in numbers.items() if name not in OF_SHIFT),
        ),
        Finding(SPACE, Answer.NO),
    )


def decided(found: tuple[Finding, ...], *, harm: bool = True) -> Decision:
    """With rows enough for every brake."""
    return decide(diagnosed(SPEC, found, held_out=600, right=420 if harm else 539))


NEW_DOMAIN = {OUTSIDE_SUPPORT: (0.18, 1e-5, 0.21), ERROR_RISE_OUTSIDE: (0.3, 1e-5, 0.4)}
COVARIATE = {INPUT_SHIFT_AUC: (0.7, 1e-5, 0.75), EXPECTED_ERROR_RISE: (0.05, 1e-5, 0.07)}


def turns(found: tuple[Finding, ...], *, harm: bool = True) -> dict[tuple[str, ...], Action]:
    would = counterfactual(decided(found, harm=harm), SPEC)
    assert would.decided
    return {
        tuple(f"{_sign(move)}{test.name}" for test, move in turn.tests): turn.action
        for turn in would.turns
    }


def _sign(move: HypotheticalTest) -> str:
    if move.at_least is not None:
        return "++"
    return "+" if move.shown else "-"


@pytest.mark.slow
def test_a_new_domain_needs_two_tests_and_either_would_have_changed_it() -> None:
    found = turns(findings(**NEW_DOMAIN))
    assert found[f"-{OUTSIDE_SUPPORT}",] is Action.NONE
    assert found[f"++{UNEXPLAINED_ERROR_RISE}",] is Action.RETRAIN
    assert found[f"++{OUTSIDE_SUPPORT}",] is Action.RETRAIN, "another stream's"
    assert (f"+{UNEXPLAINED_ERROR_RISE}",) not in found, "a slight drift asks for a fine-tune, too"


@pytest.mark.slow
def test_a_slight_drift_would_have_had_to_be_larger() -> None:
    found = turns(findings(**{UNEXPLAINED_ERROR_RISE: (0.04, 1e-5, 0.06)}))
    assert found[f"++{UNEXPLAINED_ERROR_RISE}",] is Action.RETRAIN
    assert found[f"-{UNEXPLAINED_ERROR_RISE}",] is Action.NONE
    found = turns(findings(**{UNEXPLAINED_ERROR_RISE: (0.2, 1e-5, 0.26)}))
    assert found[f"+{UNEXPLAINED_ERROR_RISE}",] is Action.FINE_TUNE


@pytest.mark.slow
def test_a_replaced_concept_is_asked_with_its_accuracy_lost() -> None:
    lost = decide(
        diagnosed(
            SPEC, findings(**{UNEXPLAINED_ERROR_RISE: (0.5, 1e-5, 0.6)}), held_out=600, right=200
        )
    )
    assert lost.reason == DecisionReason.CONCEPT_REPLACED
    would = counterfactual(lost, SPEC)
    assert would.decided
    assert would.asked is not None
    assert would.asked.action is Action.FINE_TUNE


@pytest.mark.slow
def test_concept_drift_within_classes_would_have_needed_a_pair() -> None:
    found = turns(findings())
    assert found[f"+{UNEXPLAINED_ERROR_RISE}",] is Action.FINE_TUNE
    assert found[f"++{UNEXPLAINED_ERROR_RISE}",] is Action.RETRAIN
    assert (
        found[f"+{ERROR_RISE_AT_EQUAL_CLASS}", f"+{SHIFT_WITHIN_CLASSES_AUC}"] is Action.FINE_TUNE
    )
    assert found[f"++{ERROR_RISE_AT_EQUAL_CLASS}", f"+{SHIFT_WITHIN_CLASSES_AUC}"] is Action.RETRAIN
    assert all(len(names) == 1 for names in found if UNEXPLAINED_ERROR_RISE in "".join(names))


@pytest.mark.slow
def test_a_harmless_shift_is_asked_without_harm() -> None:
    found = turns(findings(**{INPUT_SHIFT_AUC: (0.7, 1e-5, 0.75)}), harm=False)
    assert found[f"+{EXPECTED_ERROR_RISE}",] is Action.FINE_TUNE


@pytest.mark.slow
def test_answers_that_follow_from_tests_are_not_changed_by_themselves() -> None:
    would = counterfactual(decided(findings(**COVARIATE)), SPEC)
    assert {change.question for change in would.changes} <= {SPACE}


@pytest.mark.slow
def test_under_workflow_no_test_is_moved() -> None:
    workflow = replace(SPEC, policy=Policy.WORKFLOW)
    assert counterfactual(decided(findings(**COVARIATE)), workflow).turns == ()


NUMBERS = st.tuples(
    st.sampled_from([0.0, 0.03, 0.2, 0.6]),
    st.sampled_from([1e-6, 0.008, 0.4, 1.0]),
    st.sampled_from([0.01, 0.7]),
)


def asked(found: tuple[Finding, ...]) -> Proposal:
    decision = decided(found)
    return Proposal(decision.action, DecisionReason(decision.reason), "")  # type: ignore[call-arg]


@pytest.mark.slow
@settings(deadline=None, max_examples=40)
@given(st.fixed_dictionaries(dict.fromkeys(QUIET, NUMBERS)))
def test_what_it_names_changes_the_action_and_no_smaller_set_does(
    tests: dict[str, tuple[float, float, float]],
) -> None:
    found = findings(**tests)
    now = asked(found).action
    named = list(pivotal_tests(found, DEFAULTS, asked))
    sets = [frozenset(move.evidence.name for move in moves) for moves, _ in named]
    for (moves, proposed), names in zip(named, sets, strict=True):
        assert asked(moved(found, moves, DEFAULTS)).action is proposed.action is not now
        assert not any(other < names for other in sets)
        for move in moves:
            if len(moves) > 1:
                assert asked(moved(found, [move], DEFAULTS)).action is now


@pytest.mark.parametrize("name", sorted(QUIET))
def test_a_test_is_moved_to_the_other_side(name: str) -> None:
    loud = dict.fromkeys(QUIET, (0.7, 1e-06, 0.9))
    for found, shown in ((findings(), True), (findings(**loud), False)):
        one = next(
            move
            for moves, _ in pivotal_tests(found, DEFAULTS, _unless(found))
            for move in moves
            if move.evidence.name == name
        )
        assert one.shown is shown


def _unless(found: tuple[Finding, ...]) -> Callable[[tuple[Finding, ...]], Proposal]:
    """Another action for whatever is not these findings: every test is named then."""

    def ask(changed: tuple[Finding, ...]) -> Proposal:
        action = Action.NONE if changed == found else Action.RETRAIN
        return Proposal(action, DecisionReason.NO_CAUSE_FOUND, "")

    return ask

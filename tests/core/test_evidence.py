"""The cause that the tests name, and what Evidence makes of it."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.bodies import SPEC as BODY

from maintenance_contract import (
    Answer,
    Diagnosis,
    Evidence,
    Finding,
    HeldOut,
    Operation,
    Outcome,
    Question,
    RowCounts,
    TrainingAction,
    TrainingReport,
)
from maintenance_contract.evidence_names import (
    CLASS_MIX,
    ERROR_RISE_AT_EQUAL_CLASS,
    ERROR_RISE_OUTSIDE,
    EXPECTED_ERROR_RISE,
    GAIN_AT_NEW_MIX,
    INPUT_SHIFT_AUC,
    OUTSIDE_SUPPORT,
    RELABELLED_TEXTS,
    SHIFT_WITHIN_CLASSES_AUC,
    UNEXPLAINED_ERROR_RISE,
)
from maintenance_contract.holm import holm
from maintenance_core.decide.decision import decide
from maintenance_core.decide.evidence import CLAIMS, LARGEST_UNSEEN, Cause, answers, cause
from maintenance_core.decide.findings import CAUSES
from maintenance_core.model import (
    Action,
    Champion,
    Decision,
    Degraded,
    Policy,
    Reading,
    Situation,
    ThresholdRange,
    Thresholds,
    Trigger,
)
from maintenance_core.spec import parse

NOW = datetime(2026, 11, 25, 9, 0, tzinfo=UTC)
SPEC = replace(parse(BODY), policy=Policy.EVIDENCE)
QUIET = {
    OUTSIDE_SUPPORT: (0.01, 0.6, 0.03),
    CLASS_MIX: (0.01, 0.5, 0.06),
    INPUT_SHIFT_AUC: (0.51, 0.4, 0.55),
    SHIFT_WITHIN_CLASSES_AUC: (0.51, 0.5, 0.55),
    EXPECTED_ERROR_RISE: (0.0, 0.7, 0.01),
    ERROR_RISE_OUTSIDE: (0.0, 0.5, 0.1),
    UNEXPLAINED_ERROR_RISE: (0.005, 0.4, 0.04),
    ERROR_RISE_AT_EQUAL_CLASS: (0.005, 0.4, 0.04),
}
"""Effect, p-value and upper bound where nothing has changed."""
SHOWN = {
    OUTSIDE_SUPPORT: (0.2, 1e-6, 0.25),
    ERROR_RISE_OUTSIDE: (0.3, 1e-6, 0.4),
    CLASS_MIX: (0.2, 1e-6, 0.25),
    INPUT_SHIFT_AUC: (0.7, 1e-6, 0.75),
    SHIFT_WITHIN_CLASSES_AUC: (0.7, 1e-6, 0.75),
    EXPECTED_ERROR_RISE: (0.03, 1e-6, 0.05),
    UNEXPLAINED_ERROR_RISE: (0.12, 1e-6, 0.2),
    ERROR_RISE_AT_EQUAL_CLASS: (0.1, 1e-6, 0.2),
    RELABELLED_TEXTS: (0.2, 1e-6, 0.3),
}
OF_DRIFT = {UNEXPLAINED_ERROR_RISE, ERROR_RISE_AT_EQUAL_CLASS, RELABELLED_TEXTS}


def findings(*shown: str, space: Answer = Answer.NO, **numbers: Any) -> tuple[Finding, ...]:
    values = QUIET | {name: SHOWN[name] for name in shown} | numbers
    evidence = [
        Evidence(name, effect, None, p, 500, upper=upper)
        for name, (effect, p, upper) in values.items()
    ]
    return (
        Finding(CAUSES[0], Answer.NO, tuple(e for e in evidence if e.name not in OF_DRIFT)),
        Finding(CAUSES[1], Answer.NO, tuple(e for e in evidence if e.name in OF_DRIFT)),
        Finding(CAUSES[2], space),
    )


@pytest.mark.parametrize(
    "shown, named",
    [
        ((), Cause.NONE),
        ((INPUT_SHIFT_AUC, SHIFT_WITHIN_CLASSES_AUC), Cause.BENIGN_SHIFT),
        ((INPUT_SHIFT_AUC, SHIFT_WITHIN_CLASSES_AUC, EXPECTED_ERROR_RISE), Cause.COVARIATE_SHIFT),
        ((CLASS_MIX, INPUT_SHIFT_AUC, EXPECTED_ERROR_RISE), Cause.LABEL_SHIFT),
        ((CLASS_MIX, SHIFT_WITHIN_CLASSES_AUC, EXPECTED_ERROR_RISE), Cause.COVARIATE_SHIFT),
        (
            (
                OUTSIDE_SUPPORT,
                ERROR_RISE_OUTSIDE,
                INPUT_SHIFT_AUC,
                SHIFT_WITHIN_CLASSES_AUC,
                EXPECTED_ERROR_RISE,
            ),
            Cause.NEW_DOMAIN,
        ),
        ((OUTSIDE_SUPPORT, INPUT_SHIFT_AUC), Cause.BENIGN_SHIFT),
        ((UNEXPLAINED_ERROR_RISE,), Cause.CONCEPT_DRIFT),
        ((ERROR_RISE_AT_EQUAL_CLASS, CLASS_MIX, SHIFT_WITHIN_CLASSES_AUC), Cause.CONCEPT_DRIFT),
        ((ERROR_RISE_AT_EQUAL_CLASS, CLASS_MIX), Cause.LABEL_SHIFT),
        ((RELABELLED_TEXTS,), Cause.CONCEPT_DRIFT),
        (tuple(SHOWN), Cause.CONCEPT_DRIFT),
    ],
)
def test_the_gravest_cause_that_is_shown(shown: tuple[str, ...], named: Cause) -> None:
    assert cause(findings(*shown)) is named


@pytest.mark.parametrize("name", sorted(LARGEST_UNSEEN))
def test_none_is_a_claim_that_needs_each_effect_excluded(name: str) -> None:
    effect, p, _ = QUIET[name]
    wide = findings(**{name: (effect, p, 0.9)})
    assert cause(wide) is Cause.UNDETERMINED
    assert Answer.UNDETERMINED in {found.answer for found in answers(wide)}


@pytest.mark.parametrize("name", sorted(LARGEST_UNSEEN))
def test_what_was_not_measured_is_not_excluded(name: str) -> None:
    less = tuple(
        replace(found, evidence=tuple(e for e in found.evidence if e.name != name))
        for found in findings()
    )
    assert cause(less) is Cause.UNDETERMINED


def test_an_effect_that_does_not_matter_names_nothing_however_sure() -> None:
    assert cause(findings(**{UNEXPLAINED_ERROR_RISE: (0.019, 1e-9, 0.03)})) is Cause.NONE
    assert cause(findings(**{OUTSIDE_SUPPORT: (0.06, 1e-9, 0.099)})) is Cause.NONE


def test_thresholds_of_the_spec_decide() -> None:
    small = findings(**{UNEXPLAINED_ERROR_RISE: (0.019, 0.001, 0.03)})
    assert cause(small, Thresholds(error_rise=0.01)) is Cause.CONCEPT_DRIFT
    unsure = findings(**{UNEXPLAINED_ERROR_RISE: (0.06, 0.02, 0.09)})
    assert cause(unsure) is Cause.NONE
    assert cause(unsure, Thresholds(alpha=0.1)) is Cause.CONCEPT_DRIFT


@pytest.mark.parametrize("share, action", [(0.2, Action.FINE_TUNE), (1.0, Action.RETRAIN)])
def test_how_much_accuracy_a_replaced_concept_costs_is_the_specs(
    share: float, action: Action
) -> None:
    spec = replace(SPEC, thresholds=Thresholds(concept_replaced=share))
    none_right = HeldOut(300, 0 if share == 1.0 else 210)
    assert decision(*findings(UNEXPLAINED_ERROR_RISE), new=none_right, spec=spec).action is action


@pytest.mark.parametrize("size, action", [(0.0, Action.RETRAIN), (0.5, Action.FINE_TUNE)])
def test_which_concept_drift_is_slight_is_the_specs(size: float, action: Action) -> None:
    spec = replace(SPEC, thresholds=Thresholds(slight_drift=size))
    assert decision(*findings(UNEXPLAINED_ERROR_RISE), spec=spec).action is action


def test_claims_share_one_error_budget() -> None:
    level = 0.01 / len(CLAIMS)
    p = dict.fromkeys(CLAIMS, 0.9)
    assert holm(p | {UNEXPLAINED_ERROR_RISE: level}, 0.01) == {UNEXPLAINED_ERROR_RISE}
    assert holm(p | {UNEXPLAINED_ERROR_RISE: level * 1.01}, 0.01) == set()


P_VALUES = st.dictionaries(st.sampled_from(CLAIMS), st.floats(0, 1))


@pytest.mark.slow
@given(P_VALUES, st.floats(1e-4, 0.2))
def test_a_larger_budget_never_loses_a_claim(p: dict[str, float], alpha: float) -> None:
    assert holm(p, alpha) <= holm(p, min(1.0, 2 * alpha))


# --- decisions --------------------------------------------------------------------------


def decision(*found: Finding, **changes: Any) -> Decision:
    of_diagnosis = {
        "rows": RowCounts(700, 300, 5000, 5000),
        "findings": found,
        "new": HeldOut(300, 210),
        "old": HeldOut(5000, 4500),
    } | {key: changes.pop(key) for key in ("new", "old") if key in changes}
    report = TrainingReport(
        Operation.DIAGNOSE,
        7,
        "",
        Outcome.SUCCEEDED,
        diagnosis=Diagnosis(**of_diagnosis),
    )
    return decide(
        Situation(
            number=7,
            trigger=Trigger.PERFORMANCE_DROP,
            spec=changes.pop("spec", SPEC),
            report=changes.pop("report", report),
            now=NOW,
            degraded=Degraded(Reading(NOW, 0.7, 1250.0), 3, 5, ThresholdRange(min=0.9)),
            champion=Champion(6, "", "sha256:six", NOW, TrainingAction.RETRAIN),
        )
    )


AS_GOOD = HeldOut(300, 268)
HALF, LESS = HeldOut(300, 135), HeldOut(300, 134)
"""Of the accuracy on old rows, .9."""
MANY, FEW = HeldOut(1000, 900), HeldOut(500, 450)
"""Old rows that are enough for a proof, or not."""


@pytest.mark.parametrize(
    "found, changes, action, reason",
    [
        (findings(UNEXPLAINED_ERROR_RISE), {}, Action.RETRAIN, "ConceptDrift"),
        (findings(RELABELLED_TEXTS), {}, Action.RETRAIN, "ConceptDrift"),
        (
            findings(**{UNEXPLAINED_ERROR_RISE: (0.09, 1e-9, 0.12)}),
            {},
            Action.FINE_TUNE,
            "SlightConceptDrift",
        ),
        (
            findings(UNEXPLAINED_ERROR_RISE),
            {"new": HALF, "old": MANY},
            Action.RETRAIN,
            "ConceptDrift",
        ),
        (
            findings(UNEXPLAINED_ERROR_RISE),
            {"new": LESS, "old": MANY},
            Action.FINE_TUNE,
            "ConceptReplaced",
        ),
        (
            findings(RELABELLED_TEXTS),
            {"new": LESS, "old": MANY},
            Action.FINE_TUNE,
            "ConceptReplaced",
        ),
        (
            findings(UNEXPLAINED_ERROR_RISE),
            {"new": LESS, "old": FEW},
            Action.RETRAIN,
            "ConceptDrift",
        ),
        (findings(RELABELLED_TEXTS), {"new": LESS, "old": None}, Action.RETRAIN, "ConceptDrift"),
        (findings(UNEXPLAINED_ERROR_RISE), {"new": None}, Action.WAIT, "NotEnoughHeldOutRows"),
        (
            findings(OUTSIDE_SUPPORT, ERROR_RISE_OUTSIDE),
            {"new": LESS},
            Action.FINE_TUNE,
            "DomainExpansion",
        ),
        (
            findings(UNEXPLAINED_ERROR_RISE, space=Answer.MAJOR),
            {"new": LESS},
            Action.RETRAIN,
            "FeatureSpaceChanged",
        ),
        (
            findings(OUTSIDE_SUPPORT, ERROR_RISE_OUTSIDE, INPUT_SHIFT_AUC),
            {},
            Action.FINE_TUNE,
            "DomainExpansion",
        ),
        (
            findings(INPUT_SHIFT_AUC, ERROR_RISE_OUTSIDE, **{OUTSIDE_SUPPORT: (0.4, 1e-9, 0.5)}),
            {},
            Action.RETRAIN,
            "DistributionShift",
        ),
        (findings(CLASS_MIX, INPUT_SHIFT_AUC), {}, Action.FINE_TUNE, "LabelShift"),
        (findings(INPUT_SHIFT_AUC, EXPECTED_ERROR_RISE), {}, Action.FINE_TUNE, "CovariateShift"),
        (findings(INPUT_SHIFT_AUC), {"new": AS_GOOD}, Action.NONE, "BenignShift"),
        (findings(INPUT_SHIFT_AUC), {}, Action.FINE_TUNE, "MinorChange"),
        (
            findings(INPUT_SHIFT_AUC, EXPECTED_ERROR_RISE),
            {"new": HeldOut(300, 290)},
            Action.NONE,
            "NoCauseFound",
        ),
        (findings(), {}, Action.NONE, "NoCauseFound"),
        (findings(space=Answer.MAJOR), {}, Action.RETRAIN, "FeatureSpaceChanged"),
        (findings(space=Answer.MINOR), {}, Action.FINE_TUNE, "MinorChange"),
        (
            findings(**{UNEXPLAINED_ERROR_RISE: (0.05, 0.05, 0.2)}),
            {},
            Action.FINE_TUNE,
            "Undetermined",
        ),
    ],
)
def test_each_cause_has_its_action(
    found: tuple[Finding, ...], changes: dict[str, Any], action: Action, reason: str
) -> None:
    decided = decision(*found, **changes)
    assert (decided.action, decided.reason) == (action, reason)


def test_the_path_shows_the_answers_of_the_evidence_and_what_decides_first() -> None:
    decided = decision(*findings(UNEXPLAINED_ERROR_RISE, INPUT_SHIFT_AUC))
    path = {step.question: step for step in decided.path}
    drift = path[Question.CONCEPT_DRIFT]
    assert drift.answer is Answer.MAJOR
    assert drift.evidence[0].name == UNEXPLAINED_ERROR_RISE
    assert path[Question.DATA_DISTRIBUTION_SHIFT].answer is Answer.MINOR


def test_a_benign_shift_says_so_with_its_numbers() -> None:
    decided = decision(*findings(INPUT_SHIFT_AUC), new=AS_GOOD)
    assert "(inputShiftAuc 0.7, p <0.0001, 500 rows)" in decided.message
    assert {rejected.action for rejected in decided.rejected} == {Action.FINE_TUNE, Action.RETRAIN}


NUMBERS = st.tuples(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
FOUND = st.dictionaries(st.sampled_from([*QUIET, RELABELLED_TEXTS]), NUMBERS).map(
    lambda numbers: findings(**numbers)
)


@pytest.mark.slow
@given(FOUND, st.integers(0, 300))
def test_total_and_the_same_twice(found: tuple[Finding, ...], correct: int) -> None:
    decided = decision(*found, new=HeldOut(300, correct))
    assert decision(*found, new=HeldOut(300, correct)) == decided
    if decided.action is Action.NONE:
        assert cause(found) is not Cause.CONCEPT_DRIFT


@pytest.mark.slow
@given(FOUND)
def test_answers_are_settled_by_the_evidence_alone(found: tuple[Finding, ...]) -> None:
    """Whatever the trainer answered: it is the operator that answers, and asking twice is safe."""
    said = tuple(replace(one, answer=Answer.MAJOR) for one in found[:2])
    assert answers((*said, found[2])) == answers(found)
    assert answers(answers(found)) == answers(found)


SHIFTED = (CLASS_MIX, INPUT_SHIFT_AUC, EXPECTED_ERROR_RISE)


def test_a_label_shift_is_acted_on_where_knowing_the_new_shares_would_pay() -> None:
    """Even though the champion does better than before: the classes that come are easier."""
    easier = HeldOut(300, 282), HeldOut(5000, 4500)
    paying = findings(*SHIFTED, **{GAIN_AT_NEW_MIX: (0.05, 1e-6, 0.05)})
    unsure = findings(*SHIFTED, **{GAIN_AT_NEW_MIX: (0.05, 0.2, 0.05)})

    acted = decision(*paying, new=easier[0], old=easier[1])
    left = decision(*unsure, new=easier[0], old=easier[1])

    assert (acted.action, acted.reason) == (Action.FINE_TUNE, "LabelShift")
    assert "would get 5% more of the new rows right" in acted.message
    assert "judged in the classes' new shares" in acted.message
    assert (left.action, left.reason) == (Action.NONE, "NoCauseFound")


def test_without_a_label_shift_the_gain_says_nothing() -> None:
    """Another prior may fit a drifted concept, too: that is no reason."""
    easier = HeldOut(300, 282), HeldOut(5000, 4500)
    gain = {GAIN_AT_NEW_MIX: (0.05, 1e-6, 0.05)}

    assert decision(*findings(**gain), new=easier[0], old=easier[1]).action is Action.NONE


def test_the_rows_needed_are_those_that_show_the_gain() -> None:
    small = findings(*SHIFTED, **{GAIN_AT_NEW_MIX: (0.04, 1e-6, 0.04)})
    rows = RowCounts(new_train=350, new_held_out=60, old_train=5000, old_held_out=5000)

    waits = decision(*small, rows=rows, new=HeldOut(60, 55), old=HeldOut(5000, 4500))

    assert (waits.action, waits.reason) == (Action.WAIT, "NotEnoughHeldOutRows")
    assert "a model that gets 95.7% of new rows right (the champion gets 91.7%)" in waits.message

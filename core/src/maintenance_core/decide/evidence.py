"""What the tests of a diagnosis show, all under one error budget: the cause, named or left open.

Two adjustments name it. What the inputs explain is a shift, what the class mix explains is one of
the labels; an error that has risen beyond both, where the model was trained, is concept drift. A
claim needs a test that survives Holm's correction over all claims *and* an effect that matters.
*None* is a claim, too: every interval must lie within its tolerance.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from maintenance_contract import Answer, Evidence, Finding, Question
from maintenance_contract.evidence_names import (
    CHANGE_AT_SAME_INPUT,
    CLASS_MIX,
    ERROR_RISE_AT_EQUAL_CLASS,
    ERROR_RISE_OUTSIDE,
    EXPECTED_ERROR_RISE,
    INPUT_SHIFT_AUC,
    OUTSIDE_SUPPORT,
    RELABELLED_TEXTS,
    SHIFT_WITHIN_CLASSES_AUC,
    UNEXPLAINED_ERROR_RISE,
)
from maintenance_contract.holm import holm
from maintenance_core.model import Thresholds


class Cause(StrEnum):
    """Why the champion does worse on new rows."""

    NONE = "None"
    BENIGN_SHIFT = "BenignShift"
    COVARIATE_SHIFT = "CovariateShift"
    LABEL_SHIFT = "LabelShift"
    NEW_DOMAIN = "NewDomain"
    CONCEPT_DRIFT = "ConceptDrift"
    UNDETERMINED = "Undetermined"


DEFAULTS: Final = Thresholds()

LARGEST_UNSEEN: Final[Mapping[str, float]] = {
    OUTSIDE_SUPPORT: 0.10,
    CLASS_MIX: 0.15,
    INPUT_SHIFT_AUC: 0.62,
    UNEXPLAINED_ERROR_RISE: 0.10,
}
"""Tolerances: *none* is claimed where each effect's upper bound lies below. Two hundred new rows
can exclude no less."""

CLAIMS: Final = (
    UNEXPLAINED_ERROR_RISE,
    ERROR_RISE_AT_EQUAL_CLASS,
    OUTSIDE_SUPPORT,
    CLASS_MIX,
    INPUT_SHIFT_AUC,
    RELABELLED_TEXTS,
    CHANGE_AT_SAME_INPUT,
)
"""Tests that share the budget; the others only tell a shown shift's kind."""
RELABELLED_RISE: Final = 0.03
"""Share of inputs that come again with another label: fewer are slips of labelling."""
AT_CLASS_RISE: Final = 0.05
"""Rise of the error within classes: of those that remain, where others have vanished into them."""


@dataclass(frozen=True, slots=True)
class Tests:
    """The evidence of a diagnosis by name, and which claims survive Holm's correction."""

    by_name: Mapping[str, Evidence]
    significant: frozenset[str]
    at: Thresholds

    @classmethod
    def of(cls, findings: tuple[Finding, ...], at: Thresholds) -> "Tests":
        """All evidence of the findings; of two with one name the first."""
        by_name: dict[str, Evidence] = {}
        for finding in findings:
            for evidence in finding.evidence:
                by_name.setdefault(evidence.name, evidence)
        p: dict[str, float | None] = {
            name: by_name[name].p_value
            for name in CLAIMS
            if name in by_name and by_name[name].p_value is not None
        }
        tested = {name: value for name, value in p.items() if value is not None}
        return cls(by_name, holm(tested, at.alpha), at)

    def shown(self, name: str, least: float = float("-inf")) -> bool:
        """Whether the claim survives and its effect matters."""
        return name in self.significant and self.by_name[name].value >= least

    def rejects_alone(self, name: str) -> bool:
        """Whether a test that tells the kind of a shift rejects by itself."""
        found = self.by_name.get(name)
        return found is not None and found.p_value is not None and found.p_value <= self.at.alpha

    def asked(self, name: str) -> bool:
        """Whether the question has a meaning: of a class mix only where there are classes."""
        return name != CLASS_MIX or self.at.class_mix is not None

    def excluded(self, name: str) -> bool:
        """Whether the effect is shown to lie within its tolerance."""
        found = self.by_name.get(name)
        return found is not None and found.upper is not None and found.upper <= LARGEST_UNSEEN[name]


def cause(findings: tuple[Finding, ...], at: Thresholds = DEFAULTS) -> Cause:
    """The gravest cause that is shown; None where all are excluded; else Undetermined."""
    tests = Tests.of(findings, at)
    return next(name for name, shows in _CAUSES if shows(tests))


def drift_size(findings: tuple[Finding, ...], at: Thresholds) -> float:
    """The largest effect that shows a concept drift, a share of the rows; 0 where none does."""
    tests = Tests.of(findings, at)
    return max((tests.by_name[name].value for name in _drifted(tests)), default=0.0)


def _concept_drift(tests: Tests) -> bool:
    return bool(_drifted(tests))


def _drifted(tests: Tests) -> list[str]:
    """Beyond inputs and class mix; or within classes, whose moved inputs no class mix explains."""
    shown = {
        UNEXPLAINED_ERROR_RISE: tests.shown(UNEXPLAINED_ERROR_RISE, tests.at.error_rise),
        ERROR_RISE_AT_EQUAL_CLASS: tests.rejects_alone(SHIFT_WITHIN_CLASSES_AUC)
        and tests.shown(ERROR_RISE_AT_EQUAL_CLASS, AT_CLASS_RISE),
        RELABELLED_TEXTS: tests.shown(RELABELLED_TEXTS, RELABELLED_RISE),
        CHANGE_AT_SAME_INPUT: tests.shown(CHANGE_AT_SAME_INPUT, RELABELLED_RISE),
    }
    return [name for name, shows in shown.items() if shows]


def _new_domain(tests: Tests) -> bool:
    """Rows unlike any before, on which the champion does worse: others need no training."""
    return tests.shown(OUTSIDE_SUPPORT, tests.at.new_domain) and tests.rejects_alone(
        ERROR_RISE_OUTSIDE
    )


def _mix_moved(tests: Tests) -> bool:
    least = tests.at.class_mix
    return least is not None and tests.shown(CLASS_MIX, least)


def _label_shift(tests: Tests) -> bool:
    return (
        _mix_moved(tests)
        and SHIFT_WITHIN_CLASSES_AUC in tests.by_name
        and not tests.rejects_alone(SHIFT_WITHIN_CLASSES_AUC)
    )


def _shifted(tests: Tests) -> bool:
    return tests.shown(INPUT_SHIFT_AUC) or (
        _mix_moved(tests) and tests.rejects_alone(SHIFT_WITHIN_CLASSES_AUC)
    )


def _covariate_shift(tests: Tests) -> bool:
    return _shifted(tests) and tests.rejects_alone(EXPECTED_ERROR_RISE)


def _none(tests: Tests) -> bool:
    return all(tests.excluded(name) for name in LARGEST_UNSEEN if tests.asked(name))


_CAUSES: Final = (
    (Cause.CONCEPT_DRIFT, _concept_drift),
    (Cause.NEW_DOMAIN, _new_domain),
    (Cause.LABEL_SHIFT, _label_shift),
    (Cause.COVARIATE_SHIFT, _covariate_shift),
    (Cause.BENIGN_SHIFT, _shifted),
    (Cause.NONE, _none),
    (Cause.UNDETERMINED, lambda _: True),
)


def answers(findings: tuple[Finding, ...], at: Thresholds = DEFAULTS) -> tuple[Finding, ...]:
    """The findings with the answers that the evidence gives, for the questions that it settles.

    What a diagnosis counted rather than tested (the feature space) keeps its answer.
    """
    tests, named = Tests.of(findings, at), cause(findings, at)
    return tuple(
        Finding(
            found.question,
            _answer(found, tests, named),
            tuple(_held(item, at) for item in _first(found.evidence, named)),
        )
        for found in findings
    )


def bound(name: str, at: Thresholds) -> float:
    """From which value on a claim's effect matters; -inf where any does."""
    return _bounds(at).get(name, float("-inf"))


def larger(name: str, at: Thresholds) -> float | None:
    """From which value on a claim's effect asks for a retrain; None where none does."""
    drift = dict.fromkeys(_DECISIVE[Cause.CONCEPT_DRIFT], at.slight_drift)
    value = {OUTSIDE_SUPPORT: at.other_stream, **drift}.get(name)
    return None if value is None or value <= bound(name, at) else value


def _bounds(at: Thresholds) -> dict[str, float]:
    return {
        OUTSIDE_SUPPORT: at.new_domain,
        **({} if at.class_mix is None else {CLASS_MIX: at.class_mix}),
        UNEXPLAINED_ERROR_RISE: at.error_rise,
        ERROR_RISE_AT_EQUAL_CLASS: AT_CLASS_RISE,
        RELABELLED_TEXTS: RELABELLED_RISE,
        CHANGE_AT_SAME_INPUT: RELABELLED_RISE,
    }


def _held(evidence: Evidence, at: Thresholds) -> Evidence:
    """With the bound that this policy holds it against; none where it holds it against none."""
    tested = evidence.p_value is not None
    return replace(evidence, threshold=_bounds(at).get(evidence.name)) if tested else evidence


def _answer(found: Finding, tests: Tests, named: Cause) -> Answer:
    match found.question:
        case Question.DATA_DISTRIBUTION_SHIFT:
            if _new_domain(tests) and tests.shown(OUTSIDE_SUPPORT, tests.at.other_stream):
                return Answer.MAJOR
            if _new_domain(tests) or _label_shift(tests) or _shifted(tests):
                return Answer.MINOR
            excluded = all(
                tests.excluded(name)
                for name in (OUTSIDE_SUPPORT, CLASS_MIX, INPUT_SHIFT_AUC)
                if tests.asked(name)
            )
            return Answer.NO if excluded else Answer.UNDETERMINED
        case Question.CONCEPT_DRIFT:
            if named is Cause.CONCEPT_DRIFT:
                return Answer.MAJOR
            return Answer.NO if tests.excluded(UNEXPLAINED_ERROR_RISE) else Answer.UNDETERMINED
        case _:
            return found.answer


_DECISIVE: Final[Mapping[Cause, tuple[str, ...]]] = {
    Cause.CONCEPT_DRIFT: (
        UNEXPLAINED_ERROR_RISE,
        ERROR_RISE_AT_EQUAL_CLASS,
        RELABELLED_TEXTS,
        CHANGE_AT_SAME_INPUT,
    ),
    Cause.NEW_DOMAIN: (OUTSIDE_SUPPORT,),
    Cause.LABEL_SHIFT: (CLASS_MIX,),
    Cause.COVARIATE_SHIFT: (EXPECTED_ERROR_RISE,),
    Cause.BENIGN_SHIFT: (INPUT_SHIFT_AUC,),
}


def _first(evidence: tuple[Evidence, ...], named: Cause) -> tuple[Evidence, ...]:
    """What the cause rests on first."""
    decisive = _DECISIVE.get(named, ())
    return tuple(sorted(evidence, key=lambda item: item.name not in decisive))

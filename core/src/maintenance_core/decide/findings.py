"""What a situation's numbers say, read in one place by rules and by those who narrate them."""

from collections.abc import Iterable
from typing import Final

from maintenance_contract import (
    LEAST_ROWS,
    Answer,
    AnyHeldOut,
    Diagnosis,
    Finding,
    HeldOut,
    HeldOutLoss,
    Outcome,
    Question,
    RowCounts,
    Sampling,
)
from maintenance_contract.evidence_names import (
    GAIN_AT_NEW_MIX,
    NEW_ROWS_TO_COMPARE,
    OLD_ROWS_TO_COMPARE,
    TRAINED_ROWS_TO_COMPARE,
)
from maintenance_core.decide.evidence import Cause, Tests, answers, cause
from maintenance_core.decide.power import Level, effective_rows
from maintenance_core.decide.scale import Scale
from maintenance_core.model import OutcomeCounters, PathStep, Policy, Situation, Trigger
from maintenance_core.statistics import binomial_at_least, fewer_right
from maintenance_core.student import means_differ

TOO_FEW: Final = frozenset({NEW_ROWS_TO_COMPARE, OLD_ROWS_TO_COMPARE, TRAINED_ROWS_TO_COMPARE})
"""Evidence: sides of a comparison that are too small for a test."""

CAUSES: Final = (
    Question.DATA_DISTRIBUTION_SHIFT,
    Question.CONCEPT_DRIFT,
    Question.FEATURE_SPACE_CHANGE,
)
"""The questions that a diagnosis answers, in the workflow's order."""


def usable(situation: Situation) -> bool:
    """Whether there is a diagnosis to decide on.

    An escalation is decided on the data of the fine-tune before it: its numbers may be gone.
    """
    report = situation.report
    return report.outcome is Outcome.SUCCEEDED and (
        report.diagnosis is not None or situation.trigger is Trigger.ESCALATION
    )


def diagnosis_of(situation: Situation) -> Diagnosis:
    """The diagnosis; without rows where there is none, so that every rule is total."""
    return situation.report.diagnosis or Diagnosis(RowCounts())


def new_rows(situation: Situation) -> int:
    """Newly labelled rows, on both sides of the split."""
    rows = diagnosis_of(situation).rows
    return rows.new_train + rows.new_held_out


def findings(situation: Situation) -> tuple[Finding, ...]:
    """One finding a question, in the workflow's order.

    Undetermined where the report is silent, or says Yes, which is no answer to these questions.
    Under ``Evidence`` the answers follow from the tests, as one family.
    """
    found = tuple(_finding(situation, question) for question in CAUSES)
    if situation.spec.policy is not Policy.EVIDENCE:
        return found
    return answers(found, situation.spec.thresholds)


def where_expected(situation: Situation) -> str:
    """What ``expected_score`` is taken from, in words."""
    old = diagnosis_of(situation).old
    preposition = "on" if isinstance(diagnosis_of(situation).new, HeldOutLoss) else "of"
    return f"{preposition} {rows(old)} old ones" if rows(old) else "where spec.metrics asks for"


def _finding(situation: Situation, question: Question) -> Finding:
    for finding in diagnosis_of(situation).findings:
        if finding.question is question:
            settled = finding.answer is not Answer.YES
            return finding if settled else Finding(question, Answer.UNDETERMINED, finding.evidence)
    return Finding(question, Answer.UNDETERMINED)


def answered(situation: Situation, answer: Answer) -> tuple[Finding, ...]:
    """The findings with that answer."""
    return tuple(finding for finding in findings(situation) if finding.answer is answer)


def cause_open(steps: Iterable[Finding | PathStep]) -> bool:
    """Whether findings, or a decision's path, name no cause: each is answered No or left open."""
    return not any(
        step.question in CAUSES and step.answer in {Answer.MINOR, Answer.MAJOR} for step in steps
    )


def gain_at_new_mix(situation: Situation) -> float | None:
    """What the champion would gain on new rows if it knew the classes' new shares; None: nothing.

    A fine-tune can gain that much, however well the champion does already.
    """
    spec, found = situation.spec, findings(situation)
    if spec.policy is not Policy.EVIDENCE or cause(found, spec.thresholds) is not Cause.LABEL_SHIFT:
        return None
    tests = Tests.of(found, spec.thresholds)
    return tests.by_name[GAIN_AT_NEW_MIX].value if tests.rejects_alone(GAIN_AT_NEW_MIX) else None


def score(held_out: AnyHeldOut | None) -> float | None:
    """The champion's accuracy, or its skill, on held-out rows; None without rows."""
    return None if held_out is None or held_out.n == 0 else held_out.score


def level(held_out: AnyHeldOut | None) -> Level | None:
    """The same, with what is known of how its losses vary."""
    if held_out is None or held_out.n == 0:
        return None
    if isinstance(held_out, HeldOutLoss):
        return Level(held_out.n, held_out.score, held_out.deviation)
    return Level(held_out.n, held_out.score, design_effect=held_out.design_effect)


def rows(held_out: AnyHeldOut | None) -> int:
    """How many held-out rows there are."""
    return 0 if held_out is None else held_out.n


def too_few_to_compare(situation: Situation) -> tuple[str, int] | None:
    """The side of the comparison that has too few rows for any test, and how many; else None."""
    counts = diagnosis_of(situation).rows
    sides = {
        NEW_ROWS_TO_COMPARE: counts.new_train + counts.new_held_out,
        OLD_ROWS_TO_COMPARE: counts.old_held_out,
        TRAINED_ROWS_TO_COMPARE: counts.old_train,
    }
    few = ((name, rows) for name, rows in sides.items() if rows < LEAST_ROWS)
    return next(few, None)


def targeted(situation: Situation) -> bool:
    """Whether the new rows were chosen because they are hard: they tell nothing of what changed."""
    return situation.spec.sampling is Sampling.TARGETED


def unprompted(situation: Situation) -> bool:
    """Whether the run began without a drop of the metric: then the labels must show one."""
    return situation.degraded is None and situation.trigger in {Trigger.SCHEDULE, Trigger.NEW_DATA}


def drop_p_value(situation: Situation) -> float | None:
    """How likely chance alone makes the champion so bad on new held-out rows.

    Against its old held-out rows; without those, against the metric's threshold. None without
    rows, or without anything to hold them against.
    """
    new, old = diagnosis_of(situation).new, diagnosis_of(situation).old
    if new is None or new.n == 0:
        return None
    expected = expected_score(situation)
    if isinstance(new, HeldOutLoss):
        return _rise_p_value(new, old, expected)
    right, n = _effective(new)
    if isinstance(old, HeldOut) and old.n > 0:
        return fewer_right(right, n, *_effective(old))
    return None if expected is None else 1.0 - binomial_at_least(right + 1, n, expected)


def independent(held_out: AnyHeldOut) -> int:
    """As how many independent rows held-out ones count: units, or rows over the design effect."""
    return held_out.units if isinstance(held_out, HeldOutLoss) else _effective(held_out)[1]


def _effective(held_out: HeldOut) -> tuple[int, int]:
    """How many are right of as many independent rows as tell as much.

    Counts over the design effect: J. N. K. Rao and A. J. Scott, Biometrics 48 (1992).
    """
    n = effective_rows(held_out.n, held_out.design_effect)
    return (held_out.correct, n) if n == held_out.n else (round(held_out.score * n), n)


def _rise_p_value(new: HeldOutLoss, old: AnyHeldOut | None, expected: float | None) -> float | None:
    """The one-sided p-value that the mean loss is so much larger by chance alone."""
    then = old if isinstance(old, HeldOutLoss) else None
    before = then.score if then else expected
    if before is None:
        return None
    errors = [(each.deviation / each.n**0.5, each.units) for each in (new, then) if each]
    return means_differ(before - new.score, errors)


def expected_score(situation: Situation) -> float | None:
    """What the champion is worth where nothing has changed: its score on old held-out rows.

    Without such rows the metric's threshold stands in, or with counters what it achieved when it
    was new; None where that is no share. Where the loss is a real number an error's ceiling is in
    units of the label.
    """
    new, old = diagnosis_of(situation).new, score(diagnosis_of(situation).old)
    if old is not None:
        return old
    metrics, champion = situation.spec.metrics, situation.champion
    by_loss = isinstance(new, HeldOutLoss)
    if isinstance(metrics, OutcomeCounters):
        baseline = champion.baseline if champion is not None else None
        if baseline is None or baseline.metric or by_loss:  # a metric: of a gauge before
            return None
        return baseline.value
    threshold = metrics.threshold
    if isinstance(new, HeldOutLoss):
        return None if threshold.max is None else 1.0 - threshold.max / new.baseline
    floor = threshold.bound if threshold.min is not None else 1.0 - threshold.bound
    return floor if 0.0 <= floor <= 1.0 else None


def scale(situation: Situation) -> Scale:
    """How the champion's scores are told."""
    return Scale.of(diagnosis_of(situation).new, situation.spec.gate.metric)


def concept_drift(steps: Iterable[PathStep]) -> bool:
    """Whether a decision's path says that the same inputs now mean something else, at large.

    Then the old held-out labels are wrong by construction, and contradicted old rows are not
    trained on.
    """
    return any(
        step.question is Question.CONCEPT_DRIFT and step.answer is Answer.MAJOR for step in steps
    )

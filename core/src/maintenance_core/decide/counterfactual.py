"""What would have changed a decision: the rules asked again, with one answer changed.

Status keeps a decision's answers and their numbers, not the whole situation. So the rules are
first asked with the answers as they stand, for a resource that has rows enough and a harmful drop;
only where they then say what was decided, the answers are what the decision turned on, and only
then one of them is changed. Where something else stopped a training, that is told instead. Under
``Evidence`` answers follow from tests, so tests are changed there: one, or two at once.
"""

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import Final

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
from maintenance_core.decide.decision import propose
from maintenance_core.decide.findings import CAUSES
from maintenance_core.decide.pivotal_tests import HypotheticalTest, pivotal_tests
from maintenance_core.decide.proposal import Proposal
from maintenance_core.model import (
    Action,
    Champion,
    Decision,
    PathStep,
    Policy,
    Situation,
    Spec,
    StatusEvidence,
    Trigger,
)
from maintenance_core.reasons import DecisionReason

Ask = Callable[[tuple[Finding, ...]], Proposal]
"""What the rules want on these findings."""
GRAVITY: Final = (Answer.NO, Answer.MINOR, Answer.MAJOR)
"""From mild to grave; Undetermined is none of them: nothing was shown."""
_FROM_TESTS: Final = frozenset(
    (Policy.EVIDENCE, question)
    for question in (Question.DATA_DISTRIBUTION_SHIFT, Question.CONCEPT_DRIFT)
)
"""Answers that this policy takes from the tests of all questions together."""
_ROWS: Final = 1_000_000
_HARMED: Final = 0.95
_STILL_RIGHT: Final[dict[str, float]] = {
    DecisionReason.BENIGN_SHIFT: 1.0 - 1.0 / _ROWS,
    DecisionReason.CONCEPT_REPLACED: 0.0,
}
"""Which part of its accuracy is left of a champion about which that was decided."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Change:
    """One answer changed, and what the rules would have asked for then.

    ``evidence`` are the numbers that would have had to cross their thresholds (all of them), and
    ``distance`` how far the farthest is from it, relative to the threshold; both empty where no
    number of the path tells.
    """

    question: Question
    before: Answer
    after: Answer
    action: Action
    reason: str
    evidence: tuple[StatusEvidence, ...] = ()
    distance: float = math.inf


@dataclass(frozen=True, slots=True)
class Turn:
    """Tests that, shown or not shown the other way round, lead to another action."""

    tests: tuple[tuple[StatusEvidence, HypotheticalTest], ...]
    """Each as it was, and how it would have come out."""
    action: Action
    reason: str


@dataclass(frozen=True, slots=True)
class Counterfactual:
    """What the answers ask for, and what would have changed that, the nearest first.

    ``asked`` is None where no cause was asked. ``decided`` tells whether that is what was decided;
    otherwise something else than the answers stood against it, and ``changes`` and ``turns`` are of
    what they ask for. ``turns``: under ``Evidence`` alone.
    """

    asked: Proposal | None
    decided: bool
    changes: tuple[Change, ...] = ()
    turns: tuple[Turn, ...] = ()


def counterfactual(decision: Decision, spec: Spec) -> Counterfactual:
    """Ask the rules of ``spec.decision.policy`` what would have been.

    First versions and escalations do not turn on answers: there is nothing to change.
    """
    found = tuple(map(_finding, (step for step in decision.path if step.question in CAUSES)))
    if not found or decision.trigger in {Trigger.INITIAL, Trigger.ESCALATION}:
        return Counterfactual(None, decided=False)
    ask = partial(_ask, spec=spec, right=_STILL_RIGHT.get(decision.reason, _HARMED))
    asked = ask(found)
    decided = (asked.action, str(asked.reason)) == (decision.action, str(decision.reason))
    changes = sorted(
        _changes(decision, found, asked.action, spec.policy, ask),
        key=lambda change: change.distance,
    )
    turns = _turns(decision, found, spec, ask) if spec.policy is Policy.EVIDENCE else ()
    return Counterfactual(asked, decided, tuple(changes), tuple(turns))


def _turns(decision: Decision, found: tuple[Finding, ...], spec: Spec, ask: Ask) -> Iterator[Turn]:
    shown = {each.name: each for step in decision.path for each in step.evidence}
    for moves, proposed in pivotal_tests(found, spec.thresholds, ask):
        tests = tuple((shown[move.evidence.name], move) for move in moves)
        yield Turn(tests, proposed.action, str(proposed.reason))


def changed(findings: Iterable[Finding], change: Change) -> tuple[Finding, ...]:
    """The findings as the change would have them: the answer, and the numbers at the threshold.

    What an answer turns on comes first among its evidence, as in every report.
    """
    crossed = {evidence.name: _number(evidence.threshold) for evidence in change.evidence}
    milder = _milder(change.before, change.after)
    return tuple(
        replace(
            finding,
            answer=change.after,
            evidence=tuple(
                sorted(
                    (
                        _hypothetical(evidence, crossed, milder=milder)
                        for evidence in finding.evidence
                    ),
                    key=lambda evidence: not milder and evidence.name not in crossed,
                )
            ),
        )
        if finding.question is change.question
        else finding
        for finding in findings
    )


def _hypothetical(
    evidence: Evidence, crossed: dict[str, float | None], *, milder: bool
) -> Evidence:
    bound = crossed.get(evidence.name)
    if bound is None:
        return evidence
    value = math.nextafter(bound, -math.inf) if milder else bound
    return replace(evidence, value=value, lower=None, upper=None)


def _changes(
    decision: Decision, found: tuple[Finding, ...], asked: Action, policy: Policy, ask: Ask
) -> Iterator[Change]:
    for step in decision.path:
        if step.question not in CAUSES or (policy, step.question) in _FROM_TESTS:
            continue
        for after in GRAVITY:
            if after is step.answer:
                continue
            evidence, distance = _crossing(step, after)
            change = Change(step.question, step.answer, after, asked, "", evidence, distance)
            proposed = ask(changed(found, change))
            if proposed.action is not asked:
                yield replace(change, action=proposed.action, reason=str(proposed.reason))


def _crossing(step: PathStep, after: Answer) -> tuple[tuple[StatusEvidence, ...], float]:
    """The numbers that stand between two answers, where the path knows their thresholds.

    A threshold on the path is the one that its answer turns on: to the next graver answer one
    number below it must rise, to the next milder one all that reach it must fall.
    """
    if step.answer not in GRAVITY or abs(_rank(step.answer) - _rank(after)) != 1:
        return (), math.inf
    measured = [
        (evidence, gap) for evidence in step.evidence if (gap := _gap(evidence)) is not None
    ]
    if _milder(step.answer, after):
        # Those behind the answer come first; the first must be among them to be understood.
        if not measured or measured[0][1] < 0:
            return (), math.inf
        over = [(evidence, gap) for evidence, gap in measured if gap >= 0]
        return tuple(evidence for evidence, _ in over), max(gap for _, gap in over)
    if step.answer is not Answer.NO:
        return (), math.inf  # the path holds the threshold below, not the one above
    under = [(evidence, -gap) for evidence, gap in measured if gap < 0]
    if not under:
        return (), math.inf
    nearest = min(under, key=lambda one: one[1])
    return (nearest[0],), nearest[1]


def _gap(evidence: StatusEvidence) -> float | None:
    """How far a value is above its threshold, relative to it; None where that says nothing."""
    value, bound = _number(evidence.value), _number(evidence.threshold)
    if value is None or bound is None or bound == 0:
        return None
    return (value - bound) / abs(bound)


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _rank(answer: Answer) -> int:
    return GRAVITY.index(answer)


def _milder(before: Answer, after: Answer) -> bool:
    return before in GRAVITY and _rank(after) < _rank(before)


def _finding(step: PathStep) -> Finding:
    """A step of the path as the diagnosis reported it, as far as status tells."""
    return Finding(
        step.question,
        step.answer,
        tuple(
            Evidence(
                evidence.name,
                _number(evidence.value) or 0.0,
                _number(evidence.threshold),
                _number(evidence.p_value.removeprefix("<")),
                evidence.n,
                _number(evidence.lower),
                _number(evidence.upper),
            )
            for evidence in step.evidence
        ),
    )


def _ask(findings: tuple[Finding, ...], spec: Spec, *, right: float) -> Proposal:
    return propose(_standard(findings, spec, right=right))


def _standard(findings: tuple[Finding, ...], spec: Spec, *, right: float) -> Situation:
    """A resource with these findings, rows enough, and a drop.

    ``right``: the share of new rows on which the champion still is, of the old ones all.
    """
    held_out = spec.min_new_rows + _ROWS
    return Situation(
        number=1,
        trigger=Trigger.PERFORMANCE_DROP,
        spec=spec,
        report=TrainingReport(
            Operation.DIAGNOSE,
            1,
            "",
            Outcome.SUCCEEDED,
            diagnosis=Diagnosis(
                RowCounts(held_out, held_out, held_out, held_out),
                findings,
                new=HeldOut(held_out, math.floor(right * held_out)),
                old=HeldOut(held_out, held_out),
            ),
        ),
        now=_EPOCH,
        champion=Champion(1, "", "", _EPOCH, TrainingAction.RETRAIN),
    )

"""What keeps a training from starting: the first brake that objects turns it into Wait."""

import math
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Final

from maintenance_contract import AUTO, Answer, Question
from maintenance_core.findings import (
    accuracy,
    answered,
    diagnosis_of,
    expected_accuracy,
    gain_at_new_mix,
    rows,
    targeted,
)
from maintenance_core.model import (
    Action,
    HistoryEntry,
    Limits,
    OnConceptDrift,
    RunOutcome,
    Situation,
)
from maintenance_core.numbers import duration, moment, percent
from maintenance_core.power import (
    MOST_ROWS,
    POWER,
    fewest_rows,
    rows_to_show_no_loss,
    rows_to_show_win,
)
from maintenance_core.proposal import Brake, Proposal
from maintenance_core.reasons import DecisionReason

NO_CONTEST: Final = (DecisionReason.FIRST_VERSION, DecisionReason.INITIAL_MODEL)
"""Proposals of a version that has no champion to beat."""


def no_new_evidence(situation: Situation, wanted: Proposal) -> Proposal | None:
    """The gate already rejected this action for this champion, data and spec: Wait for a change.

    A rejected FineTune is not taken for a reason to Retrain here: its escalation was that.
    """
    champion = situation.champion.digest if situation.champion else ""
    evidence = (wanted.action, champion, situation.report.snapshot_digest, situation.generation)
    tried = (
        entry
        for entry in situation.history
        if entry.outcome is RunOutcome.REJECTED
        and entry.data_digest
        and (entry.action, entry.champion_digest, entry.data_digest, entry.generation) == evidence
    )
    before = next(tried, None)
    if before is None:
        return None
    return Proposal(
        Action.WAIT,
        DecisionReason.NO_NEW_EVIDENCE,
        f"{wanted.action.value} on the same data was rejected in run {before.number} "
        f"({before.reason}). It will be tried again when newly labelled rows "
        "arrive or the spec changes.",
    )


def runs_left(history: Iterable[HistoryEntry], limits: Limits, now: datetime) -> int:
    """How many trainings ``spec.limits.runs`` still allows."""
    return max(0, limits.max_runs - len(_trainings(history, limits, now)))


def _trainings(history: Iterable[HistoryEntry], limits: Limits, now: datetime) -> list[datetime]:
    """When the trainings in the window ended, oldest first."""
    return sorted(
        entry.end_time for entry in history if entry.trained and entry.end_time > now - limits.per
    )


def run_limit(situation: Situation, wanted: Proposal) -> Proposal | None:
    """`spec.limits.runs` is used up: Wait until the oldest training leaves the window."""
    if wanted.action is Action.IMPORT:
        return None
    limits = situation.spec.limits
    ends = _trainings(situation.history, limits, situation.now)
    if len(ends) < limits.max_runs:
        return None
    free = ends[len(ends) - limits.max_runs] + limits.per
    return Proposal(
        Action.WAIT,
        DecisionReason.RUN_LIMIT_REACHED,
        f"{_due(wanted)}, but {len(ends)} trainings ended within {duration(limits.per)} and "
        f"spec.limits.runs allows {limits.max_runs}: the next may start at {moment(free)}.",
    )


def too_few_rows_for_a_first_win(situation: Situation, wanted: Proposal) -> Proposal | None:
    """First version: too few held-out rows to beat the majority class by any score: Wait."""
    if wanted.reason is not DecisionReason.FIRST_VERSION:
        return None
    gate, counts = situation.spec.gate, diagnosis_of(situation).rows
    return _shortage(
        wanted,
        kind="held-out rows",
        have=counts.new_held_out + counts.old_held_out,
        need=fewest_rows(gate.confidence),
        show=f"with {percent(gate.confidence)} confidence that it beats the majority class",
        wish=_label(situation, "originalPercent"),
    )


def too_few_new_rows_for_a_win(situation: Situation, wanted: Proposal) -> Proposal | None:
    """The new held-out rows could not show that the champion's error is mended: Wait."""
    spec, held_out = situation.spec, diagnosis_of(situation).new
    if wanted.reason in NO_CONTEST or situation.report.diagnosis is None or targeted(situation):
        return None
    gate, now, expected = spec.gate, accuracy(held_out), expected_accuracy(situation)
    need, show = fewest_rows(gate.confidence), f"any win with {percent(gate.confidence)} confidence"
    if now is not None and expected is not None and rows(held_out) >= need:
        gain = max(gate.min_improvement, gain_at_new_mix(situation) or 0.0)
        target = min(1.0, max(expected, now + gain))
        need = rows_to_show_win(now, target, gate.confidence)
        show = f"{_surely(gate.confidence)} that {percent(now)} has become {percent(target)}"
    return _shortage(
        wanted,
        kind="new held-out rows",
        have=rows(held_out),
        need=need,
        show=show,
        wish=_label(situation, "updatesPercent"),
    )


def too_few_old_rows_for_a_win(situation: Situation, wanted: Proposal) -> Proposal | None:
    """Targeted updates: too few old held-out rows to show any win at all: Wait."""
    if wanted.reason in NO_CONTEST or not targeted(situation):
        return None
    gate, held_out = situation.spec.gate, diagnosis_of(situation).old
    return _shortage(
        wanted,
        kind="old held-out rows",
        have=rows(held_out),
        need=fewest_rows(gate.confidence),
        show=f"any win with {percent(gate.confidence)} confidence",
        wish=_label(situation, "originalPercent"),
    )


def too_few_old_rows_for_no_loss(situation: Situation, wanted: Proposal) -> Proposal | None:
    """The old held-out rows are judged and could not show that nothing is forgotten: Wait."""
    gate, held_out = situation.spec.gate, diagnosis_of(situation).old
    before = accuracy(held_out)
    if wanted.reason in NO_CONTEST or before is None or targeted(situation):
        return None
    if gate.on_concept_drift is OnConceptDrift.REPORT_ONLY and any(
        finding.question is Question.CONCEPT_DRIFT for finding in answered(situation, Answer.MAJOR)
    ):
        return None
    label = _label(situation, "originalPercent")
    return _shortage(
        wanted,
        kind="old held-out rows",
        have=rows(held_out),
        need=rows_to_show_no_loss(before, gate.max_old_loss, gate.confidence),
        show=f"{_surely(gate.confidence)} that it loses no more than {percent(gate.max_old_loss)}",
        wish=lambda missing: f"{label(missing)}; or raise spec.gate.oldData.maxLoss",
    )


BRAKES: Final[tuple[Brake, ...]] = (
    no_new_evidence,
    run_limit,
    too_few_rows_for_a_first_win,
    too_few_new_rows_for_a_win,
    too_few_old_rows_for_a_win,
    too_few_old_rows_for_no_loss,
)


def _shortage(
    wanted: Proposal, *, kind: str, have: int, need: int, show: str, wish: Callable[[int], str]
) -> Proposal | None:
    if have >= need:
        return None
    some = f"{need} are" if need < MOST_ROWS else f"more than {MOST_ROWS:,} would be"
    return Proposal(
        Action.WAIT,
        DecisionReason.NOT_ENOUGH_HELD_OUT_ROWS,
        f"{_due(wanted)}, but could not be judged on {have} {kind}: {some} needed to show {show}. "
        f"{wish(need - have)}.",
    )


def _label(situation: Situation, field: str) -> Callable[[int], str]:
    """What to do about missing held-out rows of the original or the updated ones."""
    share = _held_out_percent(situation, field)

    def wish(missing: int) -> str:
        label = math.ceil(missing * 100 / share) if share else MOST_ROWS
        if label >= MOST_ROWS:
            return "No number of rows that anybody labels would do"
        return f"Label {label} more rows (spec.data.holdout.{field} is {_said(situation, field)})"

    return wish


def _said(situation: Situation, field: str) -> int | str:
    holdout = situation.spec.holdout
    percent_ = holdout.original_percent if field == "originalPercent" else holdout.updates_percent
    return AUTO if percent_ is None else percent_


def _held_out_percent(situation: Situation, field: str) -> float:
    """As it is written; where it is Auto, as it came out in the diagnosis."""
    said = _said(situation, field)
    if isinstance(said, int):
        return said
    rows_ = diagnosis_of(situation).rows
    held_out, trained = (
        (rows_.old_held_out, rows_.old_train)
        if field == "originalPercent"
        else (rows_.new_held_out, rows_.new_train)
    )
    return 100 * held_out / (held_out + trained) if held_out else 0.0


def _due(wanted: Proposal) -> str:
    return f"{wanted.action.value} is due ({wanted.reason.value})"


def _surely(confidence: float) -> str:
    return f"with {percent(confidence)} confidence and {percent(POWER)} power"

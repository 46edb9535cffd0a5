"""What keeps a training from starting: the first brake that objects turns it into Wait."""

import math
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Final

from maintenance_contract import AUTO, HITS, LOSSES, AnyHeldOut, rows_to_hold_out
from maintenance_core.decide.findings import diagnosis_of, level, rows, scale, targeted
from maintenance_core.decide.power import MOST_ROWS, POWER, fewest_rows
from maintenance_core.decide.proposal import Brake, Proposal
from maintenance_core.decide.worth import (
    in_figures,
    likely_kept,
    proof_required,
    reported_only,
    rows_for_proof,
    rows_to_be_worth,
    worth,
)
from maintenance_core.model import (
    Action,
    HistoryEntry,
    Limits,
    Proof,
    Situation,
)
from maintenance_core.numbers import duration, moment, percent
from maintenance_core.reasons import DecisionReason

NO_CONTEST: Final = (DecisionReason.FIRST_VERSION, DecisionReason.INITIAL_MODEL)
"""Proposals of a version that has no champion to beat."""


def no_new_evidence(situation: Situation, wanted: Proposal) -> Proposal | None:
    """The gate already rejected this action for this champion, data and spec: Wait for a change.

    The spec counts as far as it bears on a training. A rejected FineTune is not taken for a reason
    to Retrain here: its escalation was that.
    """
    champion = situation.champion.digest if situation.champion else ""
    evidence = (wanted.action, situation.report.snapshot_digest)
    tried = (
        entry
        for entry in situation.history
        if (entry.action, entry.data_digest) == evidence
        and entry.rejected_for(champion, situation.generation, situation.spec_digest)
    )
    before = next(tried, None)
    if before is None:
        return None
    return Proposal(
        Action.WAIT,
        DecisionReason.NO_NEW_EVIDENCE,
        f"{wanted.action.value} on the same data was rejected in run {before.number} "
        f"({before.reason}). It will be tried again when newly labelled rows arrive or the spec "
        "changes in what bears on a training.",
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
    """First version: too few held-out rows to beat what needs no model by any score: Wait."""
    if wanted.reason is not DecisionReason.FIRST_VERSION:
        return None
    gate, counts = situation.spec.gate, diagnosis_of(situation).rows
    reference = "the baseline" if gate.metric in (*LOSSES, *HITS) else "the majority class"
    return _shortage(
        wanted,
        kind="held-out rows",
        have=counts.new_held_out + counts.old_held_out,
        need=fewest_rows(gate.confidence),
        show=f"with {percent(gate.confidence)} confidence that it beats {reference}",
        wish=_label(situation, "originalPercent"),
    )


def too_few_old_rows_for_a_win(situation: Situation, wanted: Proposal) -> Proposal | None:
    """Targeted updates: too few old held-out rows to show any win at all: Wait."""
    if wanted.reason in NO_CONTEST or not targeted(situation):
        return None
    wish = _label(situation, "originalPercent")
    return _no_win_at_all(situation, wanted, "old", diagnosis_of(situation).old, wish)


def too_few_old_rows_for_proof(situation: Situation, wanted: Proposal) -> Proposal | None:
    """It must be proved that nothing is lost, and the old held-out rows could not do it: Wait."""
    gate, old = situation.spec.gate, level(diagnosis_of(situation).old)
    if (
        wanted.reason in NO_CONTEST
        or old is None
        or not proof_required(gate, old)
        or targeted(situation)
        or reported_only(situation)
        or (gate.proof is not Proof.REQUIRED and likely_kept(situation))
    ):
        return None
    label = _label(situation, "originalPercent")
    less = "Auto" if gate.proof is Proof.REQUIRED else "NotRequired"
    return _shortage(
        wanted,
        kind="old held-out rows",
        have=old.n,
        need=rows_for_proof(old, gate.max_old_loss, gate.confidence),
        show=f"{_surely(gate.confidence)} that it loses no more than "
        f"{scale(situation).share(gate.max_old_loss)}",
        wish=lambda missing: (
            f"{label(missing)}; or raise spec.gate.oldData.maxLoss, or write {less} for "
            "spec.gate.oldData.proof"
        ),
    )


def not_worth_a_run(situation: Situation, wanted: Proposal) -> Proposal | None:
    """Chance times stake is below `spec.decision.minExpectedGain`: Wait for more labelled rows."""
    if wanted.reason in NO_CONTEST or situation.report.diagnosis is None or targeted(situation):
        return None
    wish = _label(situation, "updatesPercent")
    too_few = _no_win_at_all(situation, wanted, "new", diagnosis_of(situation).new, wish)
    if too_few is not None:
        return too_few
    found = worth(situation)
    if found is None or found.enough:
        return None
    its = found.scale
    if found.stake < found.price:
        return Proposal(
            Action.WAIT,
            DecisionReason.GAIN_TOO_SMALL,
            f"{_due(wanted)}, but at most {its.share(found.stake)} can be gained: the champion "
            f"{its.gets(found.now, 'new held-out rows')}, {its.value(found.target)} would be as "
            f"before. A run must promise {percent(found.price)} (spec.decision.minExpectedGain).",
        )
    missing = rows_to_be_worth(situation)
    more = (
        f"Label about {missing} more rows"
        if missing < MOST_ROWS
        else "No number of rows that anybody labels would do"
    )
    return Proposal(
        Action.WAIT,
        DecisionReason.NOT_ENOUGH_HELD_OUT_ROWS,
        f"{_due(wanted)}, but is not worth a run yet. {in_figures(situation)} {more}.",
    )


BRAKES: Final[tuple[Brake, ...]] = (
    no_new_evidence,
    run_limit,
    too_few_rows_for_a_first_win,
    too_few_old_rows_for_a_win,
    too_few_old_rows_for_proof,
    not_worth_a_run,
)


def _no_win_at_all(
    situation: Situation,
    wanted: Proposal,
    age: str,
    held_out: AnyHeldOut | None,
    wish: Callable[[int], str],
) -> Proposal | None:
    """So few rows of that age that not even winning all of them would show a win."""
    confidence = situation.spec.gate.confidence
    return _shortage(
        wanted,
        kind=f"{age} held-out rows",
        have=rows(held_out),
        need=fewest_rows(confidence),
        show=f"any win with {percent(confidence)} confidence",
        wish=wish,
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
    """What to do about missing held-out rows of the original ones or of the updates."""
    holdout, counts = situation.spec.holdout, diagnosis_of(situation).rows
    share, held_out, trained = (
        (holdout.original_percent, counts.old_held_out, counts.old_train)
        if field == "originalPercent"
        else (holdout.updates_percent, counts.new_held_out, counts.new_train)
    )

    def wish(missing: int) -> str:
        label = (
            rows_to_hold_out(missing, held_out, held_out + trained)
            if share is None
            else math.ceil(missing * 100 / share)
        )
        if label >= MOST_ROWS:
            return "No number of rows that anybody labels would do"
        said = AUTO if share is None else share
        return f"Label {label} more rows (spec.data.holdout.{field} is {said})"

    return wish


def _due(wanted: Proposal) -> str:
    return f"{wanted.action.value} is due ({wanted.reason.value})"


def _surely(confidence: float) -> str:
    return f"with {percent(confidence)} confidence and {percent(POWER)} power"

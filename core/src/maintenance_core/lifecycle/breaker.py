"""The breaker: after so many runs without fruit in a row, a person must look.

Nothing is kept for it. It follows from ``status.history``: it opens with the last of those runs,
and closes with a spec that is another one for trainings (``digest_of``), or by an annotation that
forgives what was before.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from maintenance_core.model import Action, HistoryEntry, RunOutcome, Status, Trigger
from maintenance_core.names import ANNOTATION_BREAKER_RESET
from maintenance_core.reasons import RunReason, VerdictReason

NOBODYS_FAULT: Final = frozenset({VerdictReason.CHAMPION_CHANGED, RunReason.JOB_DELETED})
"""Ends that say nothing about the next run: somebody else acted meanwhile."""


def failures(
    status: Status, *, generation: int, spec_digest: str = "", since: datetime | None
) -> tuple[HistoryEntry, ...]:
    """The failed and rejected runs since the last promotion, newest first.

    Only those that the present spec was held to, and that ended after ``since``. A rejected
    fine-tune and the retrain that it escalated to are one attempt.
    """
    return tuple(_failures(status, generation, spec_digest, since))


def ended_by(
    status: Status, *, generation: int, spec_digest: str = "", since: datetime | None
) -> HistoryEntry | None:
    """The newest run before which nothing counts: a promotion, another spec, or one forgiven."""
    return next(
        (
            entry
            for entry in status.history
            if entry.outcome is RunOutcome.PROMOTED
            or not entry.held_to(generation, spec_digest)
            or (since is not None and entry.end_time <= since)
        ),
        None,
    )


def _failures(
    status: Status, generation: int, spec_digest: str, since: datetime | None
) -> Iterator[HistoryEntry]:
    newer: HistoryEntry | None = None
    last = ended_by(status, generation=generation, spec_digest=spec_digest, since=since)
    for entry in status.history:
        if entry is last:
            return
        escalated = (
            newer is not None
            and newer.trigger is Trigger.ESCALATION
            and entry.action is Action.FINE_TUNE
        )
        counts = entry.outcome in {RunOutcome.FAILED, RunOutcome.REJECTED}
        if counts and not escalated and entry.reason not in NOBODYS_FAULT:
            yield entry
        newer = entry


def tripped(
    status: Status, *, generation: int, spec_digest: str = "", since: datetime | None, most: int
) -> str | None:
    """Why no further run is begun and what to do about it; None while the breaker is closed."""
    failed = failures(status, generation=generation, spec_digest=spec_digest, since=since)
    if len(failed) < most:
        return None
    last = failed[0]
    return (
        f"{len(failed)} runs in a row failed or were rejected (spec.limits.consecutiveFailures is "
        f"{most}); the last is run {last.number}, {last.reason}: {last.message} No run begins any "
        "more. Mend the cause; then change spec in what bears on a training, or annotate the "
        "resource with "
        f"{ANNOTATION_BREAKER_RESET}=<the present time, like 2026-11-25T03:00:00Z>."
    )

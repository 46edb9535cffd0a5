"""Which ended runs status keeps: those that the spec asks for, and those that a limit still counts.

``limits.runs``, ``limits.cooldown``, the breaker and the brake for what was tried already rest on
nothing but the history, so none of them forgets for a run that did not train.
"""

from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import Any, Final

from maintenance_core.lifecycle.breaker import ended_by, failures
from maintenance_core.lifecycle.observation import Observation
from maintenance_core.model import HistoryEntry, Limits, RunOutcome, Spec, Status, Trigger
from maintenance_core.status import HISTORY

COMPARED: Final = (RunOutcome.PROMOTED, RunOutcome.REJECTED)
"""Outcomes of trainings that came to a verdict: the cooldown begins with it."""


def kept_history(seen: Observation, status: Status) -> tuple[HistoryEntry, ...]:
    """The newest runs, ``spec.history.runs`` of them, and older ones that a limit still counts.

    All of them while the spec cannot be followed. Where the schema has no room for all, the oldest
    go that nothing counts.
    """
    spec, history = seen.spec, status.history
    if not isinstance(spec, Spec) or len(history) <= spec.history_runs:
        return history
    counted = set(_counted(seen, status, spec.limits))
    last = ended_by(status, **_row(seen))
    if last is not None and not counted.isdisjoint(history[history.index(last) + 1 :]):
        counted.add(last)  # else older ones would count as of the same row of failures
    others = [entry for entry in history[: spec.history_runs] if entry not in counted]
    told = counted | set(others[: max(0, HISTORY - len(counted))])
    return tuple(entry for entry in history if entry in told)


def _counted(seen: Observation, status: Status, limits: Limits) -> Iterator[HistoryEntry]:
    """The runs that a limit counts; a fine-tune is one attempt with the retrain after it."""
    for entry, older in zip_longest(status.history, status.history[1:]):
        trained = entry.trained and entry.end_time > seen.now - limits.per
        compared = entry.outcome in COMPARED and entry.end_time > seen.now - limits.cooldown
        if trained or compared:
            yield entry
            if entry.trigger is Trigger.ESCALATION and older is not None:
                yield older
    yield from failures(status, **_row(seen))[: limits.consecutive_failures]
    yield from _tried(seen, status)


def _tried(seen: Observation, status: Status) -> Sequence[HistoryEntry]:
    """The last rejected try of each action against this champion, by the spec as it is."""
    champion = status.champion.digest if status.champion is not None else ""
    last: dict[str, HistoryEntry] = {}
    for entry in status.history:
        if entry.rejected_for(champion, seen.generation, seen.spec_digest):
            last.setdefault(entry.action, entry)
    return tuple(last.values())


def _row(seen: Observation) -> dict[str, Any]:
    """What says which runs are of the present row of failures."""
    return {
        "generation": seen.generation,
        "spec_digest": seen.spec_digest,
        "since": seen.forgiven_until,
    }

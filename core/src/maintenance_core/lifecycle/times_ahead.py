"""Times of status that lie ahead of the clock, because that was ahead when they were written.

Whatever is counted from such a time (a cooldown, a version's readings, a limit, a Job's deadline)
would begin only once the clock is there. So they are written again as now, and a wait as the
longest that there is; what has ended stays ended, and a pause is kept once.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from maintenance_core.lifecycle.observation import Observation
from maintenance_core.lifecycle.settle import RECHECK_AT_MOST
from maintenance_core.model import Champion, Recheck, Run, Spec, Status
from maintenance_core.watch.assess import SKEWED


def not_ahead(time: datetime, latest: datetime) -> datetime:
    """A time as it is, or the latest that it can be where it lies further ahead than clocks may."""
    return time if time <= latest + SKEWED else latest


def any_ahead(seen: Observation) -> bool:
    """Whether a time of status lies further ahead than it can be.

    Each look at each resource asks this, and as a rule no time does.
    """
    latest = seen.now + SKEWED
    return any(time > latest for time in _times(seen.status)) and none_ahead(seen) != seen.status


def _times(status: Status) -> Iterator[datetime]:
    """Each time that ``none_ahead`` looks at."""
    yield from (one.last_transition_time for one in status.conditions)
    for entry in status.history:
        yield entry.start_time
        yield entry.end_time
    if status.decision:
        yield status.decision.time
    if status.run:
        yield status.run.start_time
        yield status.run.train_start_time or status.run.start_time
    if status.recheck:
        yield status.recheck.time
    if status.champion:
        yield status.champion.promoted_time
    if status.monitor:
        yield status.monitor.checkpoint_time


def none_ahead(seen: Observation) -> Status:
    """The status, with no time in it that lies ahead of what it can be."""
    status, now = seen.status, seen.now
    return replace(
        status,
        conditions=tuple(
            replace(one, last_transition_time=not_ahead(one.last_transition_time, now))
            for one in status.conditions
        ),
        decision=status.decision
        and replace(status.decision, time=not_ahead(status.decision.time, now)),
        run=status.run and _run(status.run, now),
        recheck=status.recheck and _recheck(seen, status.recheck),
        champion=status.champion and _champion(status.champion, now),
        history=tuple(
            replace(
                entry,
                start_time=not_ahead(entry.start_time, now),
                end_time=not_ahead(entry.end_time, now),
            )
            for entry in status.history
        ),
        monitor=status.monitor
        and replace(status.monitor, checkpoint_time=not_ahead(status.monitor.checkpoint_time, now)),
    )


def _run(run: Run, now: datetime) -> Run:
    trains = run.train_start_time and not_ahead(run.train_start_time, now)
    return replace(run, start_time=not_ahead(run.start_time, now), train_start_time=trains)


def _recheck(seen: Observation, recheck: Recheck) -> Recheck:
    """It may lie as far ahead as the longest wait by the spec, where that can be followed."""
    spec = seen.spec
    if not isinstance(spec, Spec):
        return recheck
    longest = max(RECHECK_AT_MOST, spec.recheck_after, spec.limits.cooldown)
    return replace(recheck, time=not_ahead(recheck.time, seen.now + longest))


def _champion(champion: Champion, now: datetime) -> Champion:
    return replace(champion, promoted_time=not_ahead(champion.promoted_time, now))

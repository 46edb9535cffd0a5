"""When a resource is looked at again, if nothing happens before."""

import zlib
from datetime import datetime, timedelta
from typing import Final

from maintenance_core.errors import SpecError
from maintenance_core.lifecycle.deadlines import next_due
from maintenance_core.lifecycle.observation import Observation
from maintenance_core.lifecycle.refusals import LONGEST_WAIT, live_job
from maintenance_core.model import Refusal, Spec
from maintenance_core.spec import parse
from maintenance_core.watch.common_cause import CommonCause

LIVE_RUN_LOOK: Final = timedelta(seconds=30)
"""A live run is woken by Job events; this interval covers an event that was lost."""
AFTER_DEADLINE: Final = timedelta(seconds=0.1)
CROWD_LOOK: Final = timedelta(seconds=0.25)
"""The others of a server are read within about a second."""
LEAST_WAIT: Final = timedelta(seconds=0.25)
"""The least time between two looks, whatever date a status holds."""


def requeue_after(seen: Observation) -> timedelta | None:
    """How long until a resource without a next step is looked at; None: until an event."""
    waits = [_wait(seen), *(_until_tried(seen, refusal) for refusal in seen.refusals)]
    wait = min((wait for wait in waits if wait is not None), default=None)
    return None if wait is None else max(wait, LEAST_WAIT)


def _until_tried(seen: Observation, refusal: Refusal) -> timedelta:
    """How long until what was refused is tried again.

    Where it is due and this look did not try it, nobody asks for it now.
    """
    wait = refusal.until - seen.now
    return wait if wait > timedelta() else LONGEST_WAIT


def _wait(seen: Observation) -> timedelta | None:
    runs = seen.status.run is not None
    if not isinstance(seen.spec, Spec):
        return _look_at_job(seen) if runs else None
    if seen.common_cause is CommonCause.WAIT and not runs:
        return until_the_others_are_read(seen.identity.uid)
    interval = seen.spec.metrics.interval
    wait = until_reading(seen.identity.uid, interval, seen.now)
    if seen.scheduled is not None:
        wait = min(wait, seen.scheduled[1] - seen.now + _spread(seen.identity.uid, interval))
    return min(wait, _look_at_job(seen)) if runs else wait


def _look_at_job(seen: Observation) -> timedelta:
    """When to look at a live Job: just after its next deadline, or at the usual time."""
    run, job = seen.status.run, live_job(seen, seen.status)
    if run is None or job is None:
        return LIVE_RUN_LOOK
    try:
        due = next_due(run, parse(run.spec), job, seen.now)
    except SpecError:
        return LIVE_RUN_LOOK
    return LIVE_RUN_LOOK if due is None else min(LIVE_RUN_LOOK, due - seen.now + AFTER_DEADLINE)


def until_the_others_are_read(uid: str) -> timedelta:
    """How long a breach waits for the readings of the other resources of its server."""
    return CROWD_LOOK * (1 + _share(uid))


def until_reading(uid: str, interval: timedelta, now: datetime) -> timedelta:
    """How long until the next reading; each resource reads a little later than the grid."""
    seconds = interval.total_seconds()
    until = timedelta(seconds=seconds - now.timestamp() % seconds)
    return until + _spread(uid, interval)


def _spread(uid: str, interval: timedelta) -> timedelta:
    """A delay by uid, so that resources with the same interval do not wake at once."""
    return timedelta(seconds=0.02) + _share(uid) * min(timedelta(seconds=1), interval / 20)


def _share(uid: str) -> float:
    return zlib.crc32(uid.encode()) % 1000 / 1000

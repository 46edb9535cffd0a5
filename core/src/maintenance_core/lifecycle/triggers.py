"""Why a run should begin, and why not yet."""

from datetime import UTC, datetime, timedelta
from typing import Final

from maintenance_core.lifecycle.conditions import DEGRADED, blocking_problem, is_down
from maintenance_core.lifecycle.first_version import waits_for_metrics
from maintenance_core.lifecycle.kept_history import COMPARED
from maintenance_core.lifecycle.observation import Observation
from maintenance_core.lifecycle.promotion import in_service
from maintenance_core.model import WITHOUT_A_DROP, Degraded, Metrics, Spec, Status, Trigger
from maintenance_core.watch.common_cause import CommonCause

MISSED_BY_AT_MOST: Final = timedelta(hours=24)
_LONG_AGO: Final = datetime.min.replace(tzinfo=UTC)
_NEVER: Final = datetime.max.replace(tzinfo=UTC)


def wanted(seen: Observation) -> Trigger | None:
    """Why a run should begin now, if it should and no brake holds it."""
    status = seen.status
    if (
        seen.suspended
        or not isinstance(seen.spec, Spec)
        or blocking_problem(seen, status) is not None
    ):
        return None
    if status.recheck is not None and seen.now < min(status.recheck.time, after_a_new_drop(seen)):
        return None
    if status.champion is None:
        held = in_service(seen) is not None or waits_for_metrics(seen, status)
        return None if held else Trigger.INITIAL
    if seen.now < _cooled_down(status, seen.spec):
        return None
    return _occasion(seen, seen.spec)


def after_a_new_drop(seen: Observation) -> datetime:
    """When a recheck is not waited for, since performance has fallen after the last look.

    That look found no reason to train, in other circumstances. One that a drop brought about is
    waited for all the same: a metric may come and go. Where nothing has fallen since, never.
    """
    status, down = seen.status, seen.assessment
    last = status.decision
    if last is None or last.trigger not in WITHOUT_A_DROP or last.action.training is not None:
        return _NEVER
    if status.history and status.history[0].number >= last.number:
        return _NEVER  # a run failed since: that is what is waited for
    if not isinstance(seen.spec, Spec) or not isinstance(down, Degraded) or down.recovering:
        return _NEVER
    if seen.common_cause is not CommonCause.ALLOW:
        return _NEVER  # no run begins by that
    held = status.condition(DEGRADED)
    if held is not None and is_down(status) and held.last_transition_time <= last.time:
        return _NEVER
    return last.time


def _occasion(seen: Observation, spec: Spec) -> Trigger | None:
    """What asks for a look at the champion."""
    down = isinstance(seen.assessment, Degraded) and not seen.assessment.recovering
    if down and seen.common_cause is CommonCause.ALLOW:
        return Trigger.PERFORMANCE_DROP
    if seen.scheduled is not None and _is_due(seen, seen.scheduled[0]):
        return Trigger.SCHEDULE
    new_data = spec.triggers.new_data
    if new_data is not None and seen.new_data is not None and seen.new_data >= new_data.min:
        return Trigger.NEW_DATA
    return None


def _is_due(seen: Observation, due: datetime) -> bool:
    """Whether nobody has acted on a scheduled time yet; one missed by far is let go."""
    status = seen.status
    acted = [entry.start_time for entry in status.history]
    acted += [status.decision.time] if status.decision else []
    acted += [status.champion.promoted_time] if status.champion else []
    acted += [seen.created] if seen.created else []
    acted += [seen.scheduled_since] if seen.scheduled_since else []
    return due > max(acted, default=_LONG_AGO) and seen.now - due <= MISSED_BY_AT_MOST


def _cooled_down(status: Status, spec: Spec) -> datetime:
    """When the pause after the last training is over."""
    ends = [entry.end_time for entry in status.history if entry.outcome in COMPARED]
    return max(ends) + spec.limits.cooldown if ends else _LONG_AGO


def onset(seen: Observation) -> datetime | None:
    """Since when performance is down: by the readings, or longer, by what status says."""
    down = seen.assessment
    if not isinstance(down, Degraded) or down.onset is None:
        return None
    held, spec = seen.status.condition(DEGRADED), seen.spec
    if held is None or not is_down(seen.status) or not isinstance(spec, Spec):
        return down.onset
    # It became True with the last of the readings that a breach takes.
    taken = spec.metrics.breach_of if isinstance(spec.metrics, Metrics) else 1
    return min(down.onset, held.last_transition_time - taken * spec.metrics.interval)

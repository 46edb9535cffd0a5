"""Conditions, computed from what was seen; and the Events that their transitions are worth.

``Ready`` is False only where a person must act on the resource. It stays True during runs and
while Prometheus is away: a maintenance controller at work, or waiting, is healthy.
"""

from dataclasses import replace
from typing import Final

from maintenance_contract import ContractError
from maintenance_operator.core import champion as projection
from maintenance_operator.core.model import (
    Action,
    Degraded,
    Healthy,
    JobPhase,
    Note,
    Reading,
    Status,
    Step,
    Unknown,
)
from maintenance_operator.core.observation import Observation
from maintenance_operator.core.reasons import (
    DegradedReason,
    EventReason,
    MetricsReason,
    ReadyReason,
    TrainingReason,
)
from maintenance_operator.core.status import timestamp, with_conditions
from maintenance_operator.errors import SpecError

READY: Final = "Ready"
STALLED: Final = "Stalled"
METRICS_AVAILABLE: Final = "MetricsAvailable"
DEGRADED: Final = "Degraded"
TRAINING: Final = "Training"

_Row = tuple[str, str, str, str]
_TELLING_OF_THE_SPEC: Final = {
    MetricsReason.UNKNOWN_SERVER: ReadyReason.UNKNOWN_SERVER,
    MetricsReason.INVALID_QUERY: ReadyReason.INVALID_QUERY,
}


def stalled(seen: Observation, status: Status) -> tuple[str, str] | None:
    """Reason and message where the resource cannot be followed until a person acts."""
    if isinstance(seen.spec, SpecError):
        return seen.spec.reason, str(seen.spec)
    if isinstance(seen.assessment, Unknown):
        reason = next(
            (
                ready
                for metrics, ready in _TELLING_OF_THE_SPEC.items()
                if metrics == seen.assessment.reason
            ),
            None,
        )
        if reason is not None:
            return reason, seen.assessment.message
    decision = status.decision
    if (
        status.recheck is not None
        and decision is not None
        and decision.action is Action.BLOCKED
        and decision.reason == ReadyReason.STORE_IN_USE
        and seen.now < status.recheck.time
    ):
        return ReadyReason.STORE_IN_USE, decision.message
    return _config_map_in_the_way(seen, status)


def _config_map_in_the_way(seen: Observation, status: Status) -> tuple[str, str] | None:
    config_map = seen.config_map
    if config_map is None:
        return None
    name = projection.config_map_name(seen.identity.name)
    if not projection.is_ours(config_map):
        return ReadyReason.CONFIGMAP_FOREIGN, (
            f"ConfigMap {name} exists and is not the operator's, so the champion cannot be named "
            "there: rename or delete it."
        )
    if status.champion is None:
        try:
            projection.read(config_map)
        except ContractError as error:
            return ReadyReason.CONFIGMAP_INVALID, (
                f"ConfigMap {name} should name the champion to take over, but {error}: mend it, or "
                "delete it to begin anew."
            )
    return None


def conditions(seen: Observation, status: Status) -> Status:
    """The status with its conditions, and its reading at the last transition, up to date."""
    rows = [*_ready(seen, status), _metrics(seen), _degraded(seen, status), _training(seen, status)]
    settled = with_conditions(status.conditions, rows, generation=seen.generation, now=seen.now)
    return replace(
        status,
        conditions=settled,
        performance=_reading_at_transition(seen, replace(status, conditions=settled)),
    )


def _ready(seen: Observation, status: Status) -> list[_Row]:
    problem = stalled(seen, status)
    if problem is None:
        return [(READY, "True", ReadyReason.WATCHING, ReadyReason.WATCHING.sentence)]
    reason, message = problem
    return [(READY, "False", reason, message), (STALLED, "True", reason, message)]


def _metrics(seen: Observation) -> _Row:
    match seen.assessment:
        case Unknown(reason=reason, message=message):
            status = "Unknown" if reason == MetricsReason.AWAITING_READINGS else "False"
            return METRICS_AVAILABLE, status, reason, message
        case Healthy(reading=reading) | Degraded(reading=reading):
            return (
                METRICS_AVAILABLE,
                "True",
                MetricsReason.READING,
                f"Reading {reading.value:.4g} at {timestamp(reading.time)}.",
            )


def _degraded(seen: Observation, status: Status) -> _Row:
    match seen.assessment:
        case Degraded(reading=reading, threshold=threshold) as down:
            reason = (
                DegradedReason.BELOW_THRESHOLD
                if threshold.min is not None
                else DegradedReason.ABOVE_THRESHOLD
            )
            return (
                DEGRADED,
                "True",
                reason,
                (
                    f"{reason.sentence} {reading.value:.4g} against {threshold.bound:.4g} in "
                    f"{down.breached} of {down.counted} readings."
                ),
            )
        case Healthy(reading=reading):
            return (
                DEGRADED,
                "False",
                DegradedReason.WITHIN_RANGE,
                (
                    f"{DegradedReason.WITHIN_RANGE.sentence} {reading.value:.4g} at "
                    f"{timestamp(reading.time)}."
                ),
            )
        case Unknown(reason=reason, message=message):
            # Holding: what was last known stands until there is a reading again.
            held = status.condition(DEGRADED)
            if held is None:
                return DEGRADED, "Unknown", reason, message
            return DEGRADED, held.status, held.reason, held.message


def _training(seen: Observation, status: Status) -> _Row:
    run = status.run
    if run is None:
        return TRAINING, "False", TrainingReason.IDLE, TrainingReason.IDLE.sentence
    about = f"Run {run.number}, Job {run.job_name}"
    job = next((job for job in seen.jobs or () if job.name == run.job_name), None)
    if job is not None and job.unmounted:
        training = str(run.step is Step.TRAIN)
        reason = TrainingReason.MOUNT_FAILED
        return TRAINING, training, reason, f"{about}. {reason.sentence} {job.detail}"
    if run.step is not Step.TRAIN:
        reason = (
            TrainingReason.DIAGNOSING if run.step is Step.DIAGNOSE else TrainingReason.REPORTING
        )
        return TRAINING, "False", reason, f"{about}. {reason.sentence}"
    queued = job is None or job.phase is JobPhase.PENDING
    reason = TrainingReason.QUEUED if queued else TrainingReason.RUNNING
    detail = f" {job.detail}" if job is not None and job.detail else ""
    return TRAINING, "True", reason, f"{about}. {reason.sentence}{detail}"


def _reading_at_transition(seen: Observation, status: Status) -> Reading | None:
    if isinstance(seen.assessment, Unknown):
        return status.performance
    degraded, before = status.condition(DEGRADED), seen.status.condition(DEGRADED)
    same = before is not None and degraded is not None and before.status == degraded.status
    return status.performance if same and status.performance else seen.assessment.reading


def transitions(before: Status, after: Status) -> tuple[Note, ...]:
    """Events for conditions that changed their mind."""
    notes = []
    for kind, told, status, warning in (
        (READY, EventReason.INVALID_SPEC, "False", True),
        (METRICS_AVAILABLE, EventReason.METRICS_UNAVAILABLE, "False", True),
        (METRICS_AVAILABLE, EventReason.METRICS_AVAILABLE, "True", False),
        (DEGRADED, EventReason.DEGRADED, "True", True),
        (DEGRADED, EventReason.RECOVERED, "False", False),
    ):
        was, now = before.condition(kind), after.condition(kind)
        if now is None or now.status != status:
            continue
        changed = was is None or (was.status, was.reason) != (now.status, now.reason)
        good_from_the_start = not warning and (was is None or was.status == "Unknown")
        if changed and not good_from_the_start:
            reason = now.reason if kind == READY else told
            notes.append(Note(reason, now.message, warning))
    was, now = before.condition(TRAINING), after.condition(TRAINING)
    stuck = TrainingReason.MOUNT_FAILED
    if now is not None and now.reason == stuck and (was is None or was.reason != stuck):
        notes.append(Note(EventReason.MOUNT_FAILED, now.message, warning=True))
    return tuple(notes)

"""Conditions, computed from what was seen; and the Events that their transitions are worth.

``Ready`` is False only where a person must act on the resource. It stays True during runs and
while Prometheus is away: a maintenance controller at work, or waiting, is healthy.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Final

from maintenance_contract import ContractError
from maintenance_core.decide.explain import breach_sentence
from maintenance_core.errors import SpecError
from maintenance_core.lifecycle import projection, refusals
from maintenance_core.lifecycle.breaker import tripped
from maintenance_core.lifecycle.first_version import waits_for_metrics
from maintenance_core.lifecycle.jobs import is_light
from maintenance_core.lifecycle.living_jobs import left_over
from maintenance_core.lifecycle.observation import Observation
from maintenance_core.lifecycle.promotion import elsewhere
from maintenance_core.model import (
    Action,
    Condition,
    Degraded,
    Healthy,
    JobPhase,
    JobView,
    Metrics,
    Note,
    Reading,
    Request,
    Run,
    Spec,
    Status,
    Step,
    Unknown,
)
from maintenance_core.names import ANNOTATION_BREAKER_RESET
from maintenance_core.numbers import reading as spelled
from maintenance_core.numbers import shortened
from maintenance_core.reasons import (
    DegradedReason,
    EventReason,
    MetricsReason,
    ReadyReason,
    RunReason,
    TrainingReason,
)
from maintenance_core.status import MESSAGE_CHARACTERS, timestamp, with_conditions
from maintenance_core.watch.common_cause import CommonCause
from maintenance_core.watch.counters import NOTHING_OLDER

READY: Final = "Ready"
STALLED: Final = "Stalled"
METRICS_AVAILABLE: Final = "MetricsAvailable"
_GATHERED_OF: Final = re.compile(r"labelled predictions of version (\d+) are counted")
DEGRADED: Final = "Degraded"
TRAINING: Final = "Training"

_TOLD_ANEW: Final = frozenset(
    {
        ReadyReason.INVALID_SPEC,
        ReadyReason.UNKNOWN_SERVER,
        ReadyReason.SERVER_FORBIDDEN,
        ReadyReason.QUERY_FORBIDDEN,
        ReadyReason.CONFIGMAP_INVALID,
        ReadyReason.CHAMPION_ELSEWHERE,
        ReadyReason.CONFIGMAP_REFUSED,
        ReadyReason.JOBS_UNREADABLE,
        ReadyReason.JOB_REFUSED,
        ReadyReason.JOB_NOT_DELETED,
        ReadyReason.STATUS_REFUSED,
        TrainingReason.REFUSED,
        TrainingReason.TERMINATING,
    }
)
"""Conditions whose messages hold no changing numbers, and say who must act."""
RESET_AHEAD: Final = (
    f"The time of {ANNOTATION_BREAKER_RESET} lies ahead and forgives nothing: write the present."
)
NEW_DATA_UNREAD: Final = "spec.triggers.newData is not followed"
_UNREAD_CHARACTERS: Final = 512
STATE: Final = " State: "
"""In the message of Training, what follows is Kubernetes': a word, a colon, and more."""
IN_TURN: Final = {
    "ImagePullBackOff": "ErrImagePull",
    "InitError": "CrashLoopBackOff",
    "FailedAttachVolume": "FailedMount",
    "FailedMapVolume": "FailedMount",
}
"""Pairs of words that Kubernetes uses in turn for the same state."""

_Row = tuple[str, str, str, str]
_WORTH_AN_EVENT: Final[Mapping[str, EventReason]] = {
    TrainingReason.MOUNT_FAILED: EventReason.MOUNT_FAILED,
    TrainingReason.FOREIGN_POD: EventReason.FOREIGN_POD,
    TrainingReason.RELABELLED: EventReason.RELABELLED,
    TrainingReason.LEFT_OVER: EventReason.JOB_LEFT_OVER,
}
_TELLING_OF_THE_SPEC: Final = {
    MetricsReason.UNKNOWN_SERVER: ReadyReason.UNKNOWN_SERVER,
    MetricsReason.INVALID_QUERY: ReadyReason.INVALID_QUERY,
    MetricsReason.SERVER_FORBIDDEN: ReadyReason.SERVER_FORBIDDEN,
    MetricsReason.QUERY_FORBIDDEN: ReadyReason.QUERY_FORBIDDEN,
}


def stalled(seen: Observation, status: Status) -> tuple[str, str] | None:
    """Reason and message where the resource cannot be followed until a person acts."""
    return (
        refusals.silences(seen, status)
        or blocking_problem(seen, status)
        or _store_in_use(status)
        or refusals.stops(seen, status)
        or _job_was_refused(seen, status)
    )


def blocking_problem(seen: Observation, status: Status) -> tuple[str, str] | None:
    """Reason and message where not even a diagnosis may look."""
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
    tired = tripped(
        status,
        generation=seen.generation,
        spec_digest=seen.spec_digest,
        since=seen.forgiven_until,
        most=seen.spec.limits.consecutive_failures,
    )
    if tired is not None:
        ahead = f"{RESET_AHEAD} " if seen.reset_lies_ahead else ""
        return ReadyReason.REPEATED_FAILURES, shortened(ahead + tired)
    return _config_map_in_the_way(seen, status) or refusals.hinders(seen, status)


def _store_in_use(status: Status) -> tuple[str, str] | None:
    """The last diagnosis found the store to be another's.

    It stands while the next one looks, or Ready would flap at every recheck, and with it every
    alert of a GitOps tool.
    """
    decision = status.decision
    if (
        status.recheck is not None
        and decision is not None
        and decision.action is Action.BLOCKED
        and decision.reason == ReadyReason.STORE_IN_USE
    ):
        return ReadyReason.STORE_IN_USE, decision.message
    return None


def _job_was_refused(seen: Observation, status: Status) -> tuple[str, str] | None:
    """The last run ended because its Job was refused; it stands until the next has one."""
    last = status.history[0] if status.history else None
    if last is None or last.reason != RunReason.JOB_REFUSED:
        return None
    if not last.held_to(seen.generation, seen.spec_digest):
        return None
    begun = status.run is not None and status.run.job_uid
    return None if begun else (ReadyReason.JOB_REFUSED, last.message)


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
        return _champion_elsewhere(seen, name)
    return None


def _champion_elsewhere(seen: Observation, config_map: str) -> tuple[str, str] | None:
    """Nobody has said what takes the place of a version that serves from another store."""
    champion, spec = elsewhere(seen), seen.spec
    if champion is None or not isinstance(spec, Spec) or spec.initial_model is not None:
        return None
    return ReadyReason.CHAMPION_ELSEWHERE, (
        f"ConfigMap {config_map} says that {champion.storage_uri} is in service, which does not "
        f"lie in spec.model.storage ({spec.storage}). To go on with it, write that place as "
        "spec.model.initialModel, or make the resource again with the storage that it lies in; to "
        "begin anew, delete the ConfigMap."
    )


def is_true(status: Status, kind: str) -> bool:
    """Whether a condition is there and True."""
    condition = status.condition(kind)
    return condition is not None and condition.status == "True"


def is_down(status: Status) -> bool:
    """Whether the version in service is known to be degraded, and not one before it.

    Only its own fall is what it has to recover from.
    """
    held, champion = status.condition(DEGRADED), status.champion
    if held is None or held.status != "True":
        return False
    return champion is None or held.last_transition_time >= champion.promoted_time


def _version_of(status: Status) -> tuple[int, str] | None:
    champion = status.champion
    return None if champion is None else (champion.version, champion.digest)


def conditions(seen: Observation, status: Status) -> Status:
    """The status with its conditions, and its reading at the last transition, up to date."""
    held_up = _held_up(seen, status)
    rows = [*_ready(seen, status), _with_new_data(seen, _metrics(seen)), _degraded(seen, status)]
    rows.append(held_up or _training(seen, status))
    rows = [(*row[:3], shortened(row[3], MESSAGE_CHARACTERS)) for row in rows]
    anew = frozenset(kind for kind, _, reason, _ in rows if reason in _TOLD_ANEW)
    told = with_conditions(
        status.conditions,
        rows,
        generation=seen.generation,
        now=seen.now,
        anew=anew
        | _told_anew(seen, status)
        | _gathers_less(seen, status)
        | _reset_anew(seen, status)
        | _new_data_anew(seen, status),
    )
    settled = replace(status, conditions=told)
    reading = _reading_at_transition(seen, settled)
    return settled if reading is settled.performance else replace(settled, performance=reading)


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
        case Healthy(reading=reading) | Degraded(reading=reading) if math.isnan(reading.value):
            message = f"{MetricsReason.NO_DATA.sentence} It counts as a bad reading (onMissing)."
            return METRICS_AVAILABLE, "False", MetricsReason.NO_DATA, message
        case Healthy(reading=reading) | Degraded(reading=reading):
            return (
                METRICS_AVAILABLE,
                "True",
                MetricsReason.READING,
                f"Reading {spelled(reading.value)} at {timestamp(reading.time)}.",
            )


def _degraded(seen: Observation, status: Status) -> _Row:
    # What was read of a version that another one has replaced says nothing about that.
    inherited = is_true(status, DEGRADED) and not is_down(status)
    replaced = _version_of(status) != _version_of(seen.status)
    if inherited or (replaced and isinstance(seen.assessment, Degraded)):
        return DEGRADED, "Unknown", DegradedReason.NEW_VERSION, DegradedReason.NEW_VERSION.sentence
    match seen.assessment:
        case Degraded() as down:
            # The reason that it began with: a metric that comes and goes is no reason to write.
            held = status.condition(DEGRADED)
            began = held.reason if held is not None and is_true(status, DEGRADED) else None
            return DEGRADED, "True", began or _why_degraded(down), _how_degraded(seen, down)
        case Healthy(reading=reading, season=season) if season is not None:
            return DEGRADED, "False", DegradedReason.SEASON, _how_seasonal(reading, season)
        case Healthy() as found:
            return DEGRADED, "False", DegradedReason.WITHIN_RANGE, _how_healthy(found)
        case Unknown(reason=reason, message=message):
            # Holding: what was last known stands until there is a reading again.
            held = status.condition(DEGRADED)
            if held is None:
                return DEGRADED, "Unknown", reason, message
            return DEGRADED, held.status, held.reason, held.message


def _how_healthy(found: Healthy) -> str:
    told = f"{spelled(found.reading.value)} at {timestamp(found.reading.time)}."
    if not found.breached:
        return f"{DegradedReason.WITHIN_RANGE.sentence} {told}"
    return (
        f"Performance is out of its range in {found.breached} of {found.counted} readings, which "
        f"is not enough for a breach. {told}"
    )


def _how_seasonal(reading: Reading, season: timedelta) -> str:
    ago = "a day" if season == timedelta(days=1) else "a week"
    return (
        f"The error is up ({spelled(reading.value)} right at {timestamp(reading.time)}), but no "
        f"more than {ago} before, when it came down again."
    )


def _why_degraded(down: Degraded) -> DegradedReason:
    if down.alarm is not None:
        return DegradedReason.ERROR_ROSE
    if math.isnan(down.reading.value):
        return DegradedReason.MISSING
    if down.threshold.min is not None:
        return DegradedReason.BELOW_THRESHOLD
    return DegradedReason.ABOVE_THRESHOLD


def _how_degraded(seen: Observation, down: Degraded) -> str:
    if down.alarm is not None:
        return breach_sentence(down, seen.spec) if isinstance(seen.spec, Spec) else ""
    metrics = seen.spec.metrics if isinstance(seen.spec, Spec) else None
    if down.recovering and isinstance(metrics, Metrics):
        value, bound = down.reading.value, down.threshold.bound
        beyond = f"within {spelled(bound)}"
        if metrics.recover is not None:
            beyond = f"beyond {spelled(metrics.recover)} (recover)"
        return f"Performance was out of its range; {spelled(value)} is not yet {beyond}."
    return (
        f"{_why_degraded(down).sentence} {spelled(down.reading.value)} against "
        f"{spelled(down.threshold.bound)}{_from_baseline(seen, down)} in {down.breached} of "
        f"{down.counted} readings."
    )


def _from_baseline(seen: Observation, down: Degraded) -> str:
    """Where the bound comes from, if not from thresholdRange."""
    metrics = seen.spec.metrics if isinstance(seen.spec, Spec) else None
    if not isinstance(metrics, Metrics) or down.threshold == metrics.threshold:
        return ""
    return f" (maxDrop {metrics.max_drop:g} from the baseline)"


def _held_up(seen: Observation, status: Status) -> _Row | None:
    """The condition Training of a run whose Job cannot begin, or is not deleted."""
    run, job = status.run, refusals.live_job(seen, status)
    if run is None:
        return None
    about = f"Run {run.number}, Job {run.job_name}"
    ended = job is not None and job.phase in {JobPhase.COMPLETE, JobPhase.FAILED}
    if job is not None and job.deleted is not None and not ended:
        trains = str(run.step is Step.TRAIN and not is_light(run))
        reason = TrainingReason.TERMINATING
        return TRAINING, trains, reason, f"{about}: {refusals.what_holds(job)}"
    refusal = refusals.refused(seen, Request.CREATE_JOB, run.job_name)
    if refusal is None or job is not None or not refusals.is_told(refusal):
        return None
    reason = TrainingReason.REFUSED
    return TRAINING, "False", reason, refusals.message_of(seen, status, refusal)


def _training(seen: Observation, status: Status) -> _Row:
    run = status.run
    if run is None:
        reason = _why_no_run(seen, status)
        left = left_over(seen)
        named = (
            f" Job {left.name}." if left is not None and reason is TrainingReason.LEFT_OVER else ""
        )
        return TRAINING, "False", reason, f"{reason.sentence}{named}"
    job = refusals.live_job(seen, status)
    trains = str(run.step is Step.TRAIN and not is_light(run))
    reason = _where(run, job)
    message = f"Run {run.number}, Job {run.job_name}. {reason.sentence}"
    if job is not None and job.foreign:
        message = f"{message} Pods: {job.foreign}."
    if reason is TrainingReason.RELABELLED and job is not None:
        message = f"{message} Of the Job, {job.relabelled}."
    if job is not None and job.detail:
        message = f"{message}{STATE}{job.detail}"
    return TRAINING, trains, reason, shortened(message)


def _where(run: Run, job: JobView | None) -> TrainingReason:
    if job is not None and job.foreign:
        return TrainingReason.FOREIGN_POD
    if job is not None and job.unmounted:
        return TrainingReason.MOUNT_FAILED
    if job is not None and job.relabelled and job.phase is not JobPhase.PENDING:
        return TrainingReason.RELABELLED
    if run.step is not Step.TRAIN:
        return TrainingReason.DIAGNOSING if run.step is Step.DIAGNOSE else TrainingReason.REPORTING
    if is_light(run):
        return TrainingReason.IMPORTING
    queued = job is None or job.phase is JobPhase.PENDING
    return TrainingReason.QUEUED if queued else TrainingReason.RUNNING


def _told_anew(seen: Observation, status: Status) -> frozenset[str]:
    """Whether a condition's message changed so that it is worth a write, though its reason did not.

    What a Job waits for is worth a write where it is another thing, and not where it is told in
    other words, or in turn: an image is pulled and not pulled for a day.
    """
    held, job = status.condition(TRAINING), refusals.live_job(seen, status)
    if held is None or seen.jobs is None:
        return frozenset()
    told = held.message.partition(STATE)[2].partition(":")[0]
    cause = job.cause if job is not None else ""
    same = IN_TURN.get(told, told) == IN_TURN.get(cause, cause)
    return frozenset() if same else frozenset({TRAINING})


def _reset_anew(seen: Observation, status: Status) -> frozenset[str]:
    """That an annotation forgives nothing, since it names a time that lies ahead, is worth a write.

    So is that it was mended.
    """
    held = status.condition(READY)
    if held is None or held.reason != ReadyReason.REPEATED_FAILURES:
        return frozenset()
    same = (RESET_AHEAD in held.message) == seen.reset_lies_ahead
    return frozenset() if same else frozenset({READY, STALLED})


def _with_new_data(seen: Observation, row: _Row) -> _Row:
    """The condition of the metric, beginning with what is wrong with the query of newData.

    That holds nothing else up, so it is no condition of its own that is False.
    """
    if seen.new_data_unread is None:
        return row
    kind, status, reason, message = row
    why, words = seen.new_data_unread
    told = shortened(f"{NEW_DATA_UNREAD} ({why}): {words}", _UNREAD_CHARACTERS)
    return kind, status, reason, f"{told} {message}"


def new_data_unread(message: str) -> tuple[str, str] | None:
    """Reason and text of what a condition's message tells of the query of newData, if it does."""
    if not message.startswith(NEW_DATA_UNREAD):
        return None
    reason = message.removeprefix(f"{NEW_DATA_UNREAD} (").partition(")")[0]
    return reason, message


def _new_data_anew(seen: Observation, status: Status) -> frozenset[str]:
    """That the query of newData cannot be answered, or can be again, is worth one write."""
    held = status.condition(METRICS_AVAILABLE)
    if held is None:
        return frozenset()
    told, now = new_data_unread(held.message), seen.new_data_unread
    same = (told and told[0]) == (now and now[0])
    return frozenset() if same else frozenset({METRICS_AVAILABLE})


def _gathers_less(seen: Observation, status: Status) -> frozenset[str]:
    """That labels may be out of reach is worth one write, though the reason stays the same.

    So is that another version's are gathered.
    """
    held, found = status.condition(METRICS_AVAILABLE), seen.assessment
    if held is None or not isinstance(found, Unknown) or held.reason != found.reason:
        return frozenset()
    same = _gathered(held.message) == _gathered(found.message)
    return frozenset() if same else frozenset({METRICS_AVAILABLE})


def _gathered(message: str) -> tuple[list[str], bool]:
    """Of which version labels are gathered, and whether some may be out of reach."""
    return _GATHERED_OF.findall(message), NOTHING_OLDER in message


def _why_no_run(seen: Observation, status: Status) -> TrainingReason:
    if seen.common_cause is CommonCause.HOLD:
        return TrainingReason.HELD
    if left_over(replace(seen, status=status)) is not None:
        return TrainingReason.LEFT_OVER
    waits = waits_for_metrics(seen, status) and not seen.suspended
    if waits and blocking_problem(seen, status) is None:
        return TrainingReason.AWAITING_METRICS
    return TrainingReason.IDLE


def _reading_at_transition(seen: Observation, status: Status) -> Reading | None:
    if isinstance(seen.assessment, Unknown):
        return status.performance
    degraded, before = status.condition(DEGRADED), seen.status.condition(DEGRADED)
    same = before is not None and degraded is not None and before.status == degraded.status
    missing = math.isnan(seen.assessment.reading.value)
    return (
        status.performance if missing or (same and status.performance) else seen.assessment.reading
    )


def transitions(before: Status, after: Status) -> tuple[Note, ...]:
    """Events for conditions whose status changed."""
    return tuple(note for _, note in _transition_events(before, after))


def transitions_to_log(before: Status, after: Status) -> tuple[Condition, ...]:
    """Changed conditions that are worth a line in the log but no Event.

    ``Stalled`` repeats ``Ready``; a condition that begins well is news only for ``Ready``.
    """
    told = {kind for kind, _ in _transition_events(before, after)} | {STALLED}
    return tuple(
        now
        for now in after.conditions
        if now.type not in told and _is_news(now, before.condition(now.type))
    )


def _is_news(now: Condition, was: Condition | None) -> bool:
    if was is None:
        return now.type == READY
    return (was.status, was.reason) != (now.status, now.reason)


def _transition_events(before: Status, after: Status) -> list[tuple[str, Note]]:
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
        good_from_the_start = not warning and (
            was is None or (was.status == "Unknown" and was.reason != DegradedReason.NEW_VERSION)
        )
        if changed and not good_from_the_start:
            reason = now.reason if kind == READY else told
            notes.append((kind, Note(reason, now.message, warning)))
    was, now = before.condition(TRAINING), after.condition(TRAINING)
    event = _WORTH_AN_EVENT.get(now.reason) if now is not None else None
    if now is not None and event is not None and (was is None or was.reason != now.reason):
        notes.append((TRAINING, Note(event, now.message, warning=True)))
    return notes

"""Where a resource stands, what happens next and when, and what a person must do. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from maintenance_contract.kinds import baseline_of
from maintenance_core.lifecycle.conditions import (
    DEGRADED,
    METRICS_AVAILABLE,
    TRAINING,
    is_true,
    new_data_unread,
)
from maintenance_core.lifecycle.first_version import NOTHING_YET, waits_for_metrics
from maintenance_core.lifecycle.jobs import TrainerImage, is_light
from maintenance_core.lifecycle.observation import Observation
from maintenance_core.lifecycle.triggers import after_a_new_drop, wanted
from maintenance_core.model import (
    Action,
    Assessment,
    Condition,
    Degraded,
    Healthy,
    Reading,
    Run,
    RunOutcome,
    Spec,
    Step,
    ThresholdRange,
    Unknown,
)
from maintenance_core.reasons import MetricsReason, RunReason, TrainingReason
from maintenance_core.spec_digest import digest_of
from maintenance_core.watch.common_cause import CommonCause
from maintenance_core.watch.counters import as_gauge, bound_of
from maintenance_core.watch.reading_times import next_reading
from maintenance_operator.cli.resource import NEVER_SEEN, LiveJob, Resource

PATIENCE: Final = timedelta(minutes=2)
"""A running operator looks at a new resource within seconds."""
_NO_IMAGE: Final = TrainerImage("")


class State(StrEnum):
    """One word for the whole."""

    DELETING = "Deleting"
    UNSEEN = "Unseen"
    STALLED = "Stalled"
    SUSPENDED = "Suspended"
    DIAGNOSING = "Diagnosing"
    IMPORTING = "Importing"
    QUEUED = "Queued"
    MOUNT_FAILED = "MountFailed"
    JOB_REFUSED = "JobRefused"
    FOREIGN_POD = "ForeignPod"
    ENDING = "Ending"
    TRAINING = "Training"
    REPORTING = "Reporting"
    NO_METRIC = "NoMetric"
    HELD = "Held"
    DEGRADED = "Degraded"
    NO_MODEL = "NoModel"
    DOUBTFUL = "Doubtful"
    HEALTHY = "Healthy"


SENTENCES: Final = {
    State.DELETING: "is being deleted",
    State.UNSEEN: "has not been looked at by an operator as it is written now",
    State.STALLED: "cannot be followed until somebody mends it",
    State.SUSPENDED: "is suspended: it is watched, nothing is started",
    State.DIAGNOSING: "is being diagnosed: a Job looks for the cause",
    State.IMPORTING: "is taking over the model that spec.model.initialModel brings along",
    State.QUEUED: "waits for a node to train on",
    State.MOUNT_FAILED: "has a run that waits for a volume claim or Secret",
    State.JOB_REFUSED: "has a run whose Job is refused",
    State.FOREIGN_POD: "has a run with a pod that is not as its Job makes it",
    State.ENDING: "has a run whose Job is being deleted",
    State.TRAINING: "is training a new version",
    State.REPORTING: "is asking the store for the report of a run",
    State.NO_METRIC: "is held: its metric cannot be read",
    State.HELD: "left its range together with many others of its server: no run begins by that",
    State.DEGRADED: "performs worse than it may",
    State.NO_MODEL: "has no version in service yet",
    State.DOUBTFUL: "had a bad reading, but too few for a breach",
    State.HEALTHY: "performs within its range",
}


@dataclass(frozen=True, slots=True)
class Next:
    """What happens next; ``latest``: by ``time``, and maybe sooner.

    ``time`` is None where only an event or a person brings it about.
    """

    what: str
    time: datetime | None = None
    latest: bool = False


@dataclass(frozen=True, slots=True)
class ActionNeeded:
    """What a person must do; ``reason`` is the runbook's entry."""

    reason: str
    what: str


def state(resource: Resource) -> State:  # noqa: PLR0911 - one per guard, gravest first
    """The word that a person wants to hear first."""
    status = resource.status
    if resource.deleting:
        return State.DELETING
    if resource.unreadable is not None or resource.stalled is not None:
        return State.STALLED
    if not resource.seen:
        return State.UNSEEN
    if status.run is not None:
        return _running(resource, status.run)
    if resource.suspended:
        return State.SUSPENDED
    if resource.unread is not None and not _nothing_to_read_yet(resource):
        return State.NO_METRIC
    if status.champion is None:
        return State.NO_MODEL
    if _of_the_job(resource) == TrainingReason.HELD:
        return State.HELD
    if is_true(status, DEGRADED):
        return State.DEGRADED
    return State.DOUBTFUL if _last_was_bad(resource) else State.HEALTHY


def _nothing_to_read_yet(resource: Resource) -> bool:
    """Whether a model that nobody serves has no readings, which holds nothing."""
    unread = resource.unread
    return resource.status.champion is None and unread is not None and unread.reason in NOTHING_YET


def _last_was_bad(resource: Resource) -> bool:
    reading, threshold = resource.status.performance, bound(resource)
    return reading is not None and threshold is not None and threshold.breached_by(reading.value)


def bound(resource: Resource) -> ThresholdRange | None:
    """What the metric is held against, where that is known."""
    if not isinstance(resource.spec, Spec):
        return None
    return bound_of(resource.spec.metrics, resource.status)


def _running(resource: Resource, run: Run) -> State:
    reason = _of_the_job(resource)
    if reason in _IN_THE_WAY:
        return _IN_THE_WAY[reason]
    match run.step:
        case Step.DIAGNOSE:
            return State.DIAGNOSING
        case Step.REPORT:
            return State.REPORTING
        case Step.TRAIN if is_light(run):
            return State.IMPORTING
        case Step.TRAIN:
            return State.TRAINING if reason in _RUNS else State.QUEUED


def _of_the_job(resource: Resource) -> str:
    """What the operator says of the live run's Job; empty where it says nothing."""
    training = resource.status.condition(TRAINING)
    return training.reason if training is not None else ""


_IN_THE_WAY: Final[Mapping[str, State]] = {
    TrainingReason.MOUNT_FAILED: State.MOUNT_FAILED,
    TrainingReason.REFUSED: State.JOB_REFUSED,
    TrainingReason.FOREIGN_POD: State.FOREIGN_POD,
    TrainingReason.TERMINATING: State.ENDING,
}
"""Whatever the step, nothing is done in it."""
_RUNS: Final = (TrainingReason.RUNNING, TrainingReason.RELABELLED)
_FOR_A_PERSON_IN_A_RUN: Final = (
    TrainingReason.MOUNT_FAILED,
    TrainingReason.REFUSED,
    TrainingReason.FOREIGN_POD,
    TrainingReason.RELABELLED,
)


# --- next -------------------------------------------------------------------------------


def outlook(  # noqa: PLR0911 - one per guard, in the order of ``state``
    resource: Resource, now: datetime, job: LiveJob | None = None
) -> Next:
    """What happens next; ``job`` is the live run's, where somebody has looked."""
    status = resource.status
    if resource.deleting:
        return Next("Its Jobs go with it; the store and the ConfigMap of the champion stay.")
    if resource.unreadable is not None or resource.stalled is not None:
        live = "The live run goes on by the spec that it began with; then nothing"
        return Next(f"{'Nothing' if status.run is None else live}, until it is mended.")
    if not resource.seen:
        return Next("An operator looks at it as soon as one runs that follows this namespace.")
    if status.run is not None:
        return _run_goes_on(resource, status.run, job)
    if resource.suspended:
        return Next(
            f"Nothing is started until spec.suspend is false; readings go on.{_then(resource)}"
        )
    if not isinstance(resource.spec, Spec):
        return Next(
            f"Not known: an operator follows this spec, and this plugin cannot read it "
            f"({resource.spec}); are they of one version?"
        )
    return _without_run(resource, resource.spec, now)


def _then(resource: Resource) -> str:
    """What a resource without a version would begin with."""
    spec = resource.spec
    if resource.status.champion is not None or not isinstance(spec, Spec):
        return ""
    return f" Then a run begins: {_first_version(spec)}."


def _run_goes_on(  # noqa: PLR0911 - one per guard, and one per step
    resource: Resource, run: Run, job: LiveJob | None
) -> Next:
    if resource.suspended:
        return Next("The run is stopped, because spec.suspend is true.")
    in_the_way = _IN_THE_WAY.get(_of_the_job(resource))
    if in_the_way is State.ENDING:
        return Next("The run goes on, or ends, when its Job is gone.")
    if in_the_way is not None:
        return Next(
            "The run goes on once that is mended; it waits for spec.training.pendingTimeout."
        )
    deadline = job.deadline if job is not None else None
    match run.step:
        case Step.DIAGNOSE:
            return Next("The diagnosis ends, and a decision is taken", deadline, latest=True)
        case Step.TRAIN if is_light(run):
            return Next(
                "The model is copied, and the gate looks at its score", deadline, latest=True
            )
        case Step.TRAIN:
            other = baseline_of(_task(run)) if run.champion is None else "the one in service"
            return Next(
                f"The training ends, and the gate compares the new version with {other}",
                deadline,
                latest=True,
            )
        case Step.REPORT:
            return Next("The stored report of the run is read", deadline, latest=True)


def _task(run: Run) -> str:
    """The kind of model that a run trains, by the spec that it began with."""
    model = run.spec.get("model")
    return str(model.get("task", "")) if isinstance(model, Mapping) else ""


def _without_run(resource: Resource, spec: Spec, now: datetime) -> Next:
    reading = next_reading(spec.metrics, now)
    if _left_over(resource) is not None:
        return Next("No run begins until the Job that goes on has ended. The next reading", reading)
    start = _earliest_run(resource, spec, now)
    if start is None:
        held = resource.unread is not None
        what = "The metric is read again; until then it holds" if held else "The next reading"
        if _of_the_job(resource) == TrainingReason.HELD:
            what = "No run begins by the metric while so many are out of range. The next reading"
        if waits_for_metrics(observation_of(resource, spec, now), resource.status):
            what = "The metric is asked for again; no first version is trained until it answers"
        return Next(what, reading)
    first = resource.status.champion is None
    if start <= reading:
        why = _first_version(spec) if first else "performance is down"
        return Next(f"A run begins: {why}", None if start <= now else start)
    why = "a first version is still wanted" if first else "performance is still down"
    return Next(f"A run may begin, if {why}", start)


def _first_version(spec: Spec) -> str:
    if spec.initial_model is not None:
        return "spec.model.initialModel is given, and becomes version 1"
    start = "" if spec.base_model is None else " from spec.model.baseModel"
    return (
        f"a first version is wanted, and trained{start}, because spec.model.initialModel is not "
        "given"
    )


def _earliest_run(resource: Resource, spec: Spec, now: datetime) -> datetime | None:
    """When the operator would begin a run if nothing changed: its own rule, asked ahead."""
    status = resource.status
    candidates = [now]
    candidates += [status.recheck.time] if status.recheck is not None else []
    candidates += [entry.end_time + spec.limits.cooldown for entry in status.history]
    seen = observation_of(resource, spec, now)
    candidates.append(after_a_new_drop(seen))
    ahead = (time for time in sorted(candidates) if time >= now)
    return next((time for time in ahead if wanted(replace(seen, now=time)) is not None), None)


def observation_of(resource: Resource, spec: Spec, now: datetime) -> Observation:
    """What the operator would have seen, as far as the resource tells."""
    return Observation(
        identity=resource.identity,
        generation=resource.generation,
        suspended=resource.suspended,
        spec=spec,
        raw_spec=resource.raw_spec,
        spec_digest=digest_of(resource.raw_spec),
        status=resource.status,
        assessment=_assessment(resource, spec, now),
        now=now,
        trainer=_NO_IMAGE,
        created=resource.created,
        breaker_reset=resource.breaker_reset,
        common_cause=_common_cause(resource),
    )


def _common_cause(resource: Resource) -> CommonCause:
    """Whether the operator holds back what the metric asks for, as its condition says."""
    held = _of_the_job(resource) == TrainingReason.HELD
    return CommonCause.HOLD if held else CommonCause.ALLOW


def _assessment(resource: Resource, spec: Spec, now: datetime) -> Assessment:
    """What the conditions say of the last readings."""
    if resource.unread is not None:
        return Unknown(resource.unread.reason, resource.unread.message)
    status = resource.status
    metrics = as_gauge(spec.metrics, status)
    reading = status.performance or Reading(now, metrics.threshold.bound)
    if is_true(resource.status, DEGRADED):
        return Degraded(reading, metrics.breach_count, metrics.breach_of, metrics.threshold)
    return Healthy(reading, 0, metrics.breach_of)


# --- a person's part --------------------------------------------------------------------


def actions_needed(
    resource: Resource, now: datetime, job: LiveJob | None = None
) -> tuple[ActionNeeded, ...]:
    """What a person must do, most urgent first; empty where it goes on by itself."""
    return tuple(_tasks(resource, now, job))


def _tasks(resource: Resource, now: datetime, job: LiveJob | None) -> Iterator[ActionNeeded]:
    if resource.unreadable is not None:
        yield ActionNeeded("InvalidStatus", str(resource.unreadable))
        return
    if resource.stalled is not None:
        yield ActionNeeded(resource.stalled.reason, resource.stalled.message)
        return
    if not resource.seen:
        yield from _nobody_looks(resource, now)
        return
    if resource.unread is not None and resource.unread.reason != MetricsReason.AWAITING_READINGS:
        yield ActionNeeded(resource.unread.reason, resource.unread.message)
    metrics = resource.status.condition(METRICS_AVAILABLE)
    told = new_data_unread(metrics.message) if metrics is not None else None
    if told is not None and resource.unread is None:
        yield ActionNeeded(*told)
    if resource.status.run is not None:
        yield from _of_the_run(resource, job)
        return
    if (left := _left_over(resource)) is not None:
        yield ActionNeeded(left.reason, left.message)
    if _of_the_job(resource) == TrainingReason.HELD:
        yield ActionNeeded(TrainingReason.HELD, TrainingReason.HELD.sentence)
    yield from _last_word(resource)


def _left_over(resource: Resource) -> Condition | None:
    """The condition that tells of a Job without a run, where there is one."""
    training = resource.status.condition(TRAINING)
    return training if training and training.reason == TrainingReason.LEFT_OVER else None


def _of_the_run(resource: Resource, job: LiveJob | None) -> Iterator[ActionNeeded]:
    """What holds the live run up; the resource tells, and more who looks at the Job."""
    training = resource.status.condition(TRAINING)
    if training is not None and training.reason in _FOR_A_PERSON_IN_A_RUN:
        yield ActionNeeded(training.reason, training.message)
    elif job is not None and job.waiting_for:
        yield ActionNeeded(TrainingReason.QUEUED, f"Job {job.name} waits: {job.waiting_for}")


def _nobody_looks(resource: Resource, now: datetime) -> Iterator[ActionNeeded]:
    if resource.created is None or now - resource.created < PATIENCE:
        return
    never = resource.status.observed_generation == NEVER_SEEN
    yield ActionNeeded(
        "NotLookedAt",
        f"No operator has looked at {'it' if never else 'the spec as it is now'}. Is one running, "
        "and does it watch this namespace? kubectl get deployments --all-namespaces "
        "-l app.kubernetes.io/part-of=model-maintenance",
    )


def _last_word(resource: Resource) -> Iterator[ActionNeeded]:
    """The last run or decision, where it ended in something that waits for a person."""
    decision, history = resource.status.decision, resource.status.history
    last = history[0] if history else None
    if last is not None and (decision is None or decision.number <= last.number):
        if last.outcome is RunOutcome.FAILED:
            yield ActionNeeded(last.reason, last.message)
        elif last.outcome is RunOutcome.STOPPED and resource.suspended:
            yield ActionNeeded(RunReason.SUSPENDED, "To go on: set spec.suspend to false.")
        return
    troubled = resource.status.champion is None or is_true(resource.status, DEGRADED)
    if decision is not None and troubled and decision.action in _FOR_A_PERSON:
        yield ActionNeeded(decision.reason, decision.message)


_FOR_A_PERSON: Final = {Action.BLOCKED, Action.WAIT, Action.NONE}

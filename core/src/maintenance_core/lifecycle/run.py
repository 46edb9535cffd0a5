"""A run: its names and numbers, what its Jobs are asked, what their reports say, how it is kept."""

from dataclasses import replace
from datetime import timedelta
from typing import Final

from maintenance_contract import (
    ChampionRef,
    ContractError,
    Operation,
    Outcome,
    TrainingReport,
    TrainingRequest,
)
from maintenance_contract.plain import plain
from maintenance_core.decide.training_plan import plan_of
from maintenance_core.lifecycle.jobs import Identity, job_name, request, run_number
from maintenance_core.lifecycle.observation import Observation
from maintenance_core.lifecycle.promotion import in_service
from maintenance_core.lifecycle.records import record_of
from maintenance_core.model import (
    Action,
    Champion,
    Degraded,
    HistoryEntry,
    JobView,
    Metrics,
    OutcomeCounters,
    Reading,
    Run,
    RunOutcome,
    Spec,
    Step,
    ThresholdRange,
    TrainingPlan,
)
from maintenance_core.reasons import RunReason
from maintenance_core.spec import parse
from maintenance_core.spec_digest import digest_of

REPORT_CHARACTERS: Final = 4096
"""Of a report's message; a termination message holds no more."""
REASON_CHARACTERS: Final = 128
_NEVER_BEGAN: Final = frozenset({RunReason.JOB_REFUSED, RunReason.PENDING_TIMEOUT})
"""Ends of runs whose Job was not made, or whose pod was never started."""


def next_number(seen: Observation) -> int:
    """One more than that of every run that is known."""
    status = seen.status
    numbers = [run_number(job) for job in seen.jobs or ()]
    numbers += [entry.number for entry in status.history]
    numbers += [status.decision.number] if status.decision else []
    return max(numbers, default=0) + 1


def with_job(identity: Identity, run: Run) -> Run:
    """The run at the beginning of its step, whose Job has a name and is not seen yet."""
    named = job_name(identity, run.number, run.step)
    return replace(run, job_name=named, stopping=None, report="", request_digest="")


def live_run(seen: Observation) -> Run:
    """The run of a resource that has one."""
    run = seen.status.run
    assert run is not None  # noqa: S101 - the caller looked
    return run


def find(seen: Observation, name: str) -> JobView | None:
    """The Job of that name, if it is there."""
    return next((job for job in seen.jobs or () if job.name == name), None)


def reference_to(champion: Champion | None) -> ChampionRef | None:
    """The champion as a request names it."""
    return ChampionRef(champion.version, champion.digest) if champion is not None else None


def champion_changed(seen: Observation, run: Run) -> bool:
    """Whether another version is in service than the run began with, or one where there was none.

    A ConfigMap that was restored names one, too, though status does not know it yet.
    """
    followed = isinstance(seen.spec, Spec)  # else nobody knows in which store it lies
    serves = in_service(seen) if followed else seen.status.champion
    known = reference_to(seen.status.champion), reference_to(serves)
    return known != (run.champion, run.champion)


def request_of_step(seen: Observation, run: Run, spec: Spec, step: Step) -> TrainingRequest:
    """What the Job of a step of the run is asked to do."""
    return request(seen.identity, run, spec, step, plan_of_run(seen, spec))


def plan_of_run(seen: Observation, spec: Spec) -> TrainingPlan:
    """How the run trains, by the decision that it follows."""
    return plan_of(seen.status.decision, spec)


def record_of_training(seen: Observation, run: Run) -> str:
    """The decision that a training is for, to be kept in its folder; empty for other steps."""
    decision = seen.status.decision
    if run.step is not Step.TRAIN or decision is None or decision.number != run.number:
        return ""
    return record_of(seen.identity, decision).to_json()


def read_report(message: str, expected: TrainingRequest, digest: str = "") -> TrainingReport:
    """What a trainer said, as an answer to that request.

    ``digest`` is the request's as it was made, where that is known: another release may have made
    it, and a default of its own is another digest.

    Raises:
        ContractError: it is no report, or one of another request.
    """
    report = TrainingReport.from_json(message)
    # Its words go into status and Events, and the pod may have written whatever it likes.
    report = replace(
        report,
        reason=plain(report.reason, REASON_CHARACTERS),
        message=plain(report.message, REPORT_CHARACTERS),
    )
    if report.operation is Operation.REPORT and report.outcome is Outcome.FAILED:
        return report
    answered = (report.operation, report.run, report.request_digest)
    if answered != (expected.operation, expected.run, digest or expected.digest):
        msg = "the report is not of this run's request"
        raise ContractError(msg)
    return report


def degraded_by(run: Run, spec: Spec) -> Degraded | None:
    """The breach that began the run, as an assessment."""
    breach = run.breach
    if breach is None:
        return None
    low = isinstance(spec.metrics, OutcomeCounters) or spec.metrics.threshold.min is not None
    bound = breach.bound
    if bound is None:  # by a version that did not write it down
        assert isinstance(spec.metrics, Metrics)  # noqa: S101 - counters came later
        bound = spec.metrics.threshold.bound
    return Degraded(
        Reading(breach.time, breach.value, breach.samples),
        breach.breached,
        breach.counted,
        ThresholdRange(min=bound) if low else ThresholdRange(max=bound),
        alarm=breach.alarm,
        onset=breach.onset,
    )


def _began(seen: Observation, run: Run, reason: str) -> bool:
    """Whether the run's training may have done any work: its Job was made, and not refused.

    A Job that ended while no operator ran is there, though nobody has written down its uid.
    """
    job = find(seen, run.job_name)
    made = bool(run.job_uid) or (job is not None and job.owner_uid == seen.identity.uid)
    if run.step is not Step.TRAIN:
        return True
    if reason == RunReason.PENDING_TIMEOUT and _waited_again(seen, run):
        return True
    return made and reason not in _NEVER_BEGAN


def _waited_again(seen: Observation, run: Run) -> bool:
    """Whether the wait that was too long was not the first: a pod was started before it."""
    pending = parse(run.spec).training.pending_timeout
    began = run.train_start_time or run.start_time
    return seen.now - began > pending + timedelta(minutes=10)


def history_entry(
    seen: Observation, run: Run, outcome: RunOutcome, reason: str, message: str
) -> HistoryEntry:
    """The run as the history keeps it, ending now."""
    return HistoryEntry(
        number=run.number,
        trigger=run.trigger,
        action=run.action or Action.NONE,
        reason=reason,
        outcome=outcome,
        message=message,
        start_time=run.start_time,
        end_time=seen.now,
        generation=run.generation,
        data_digest=run.data_digest,
        champion_version=run.champion.version if run.champion else None,
        champion_digest=run.champion.digest if run.champion else "",
        trained=run.train_start_time is not None and _began(seen, run, reason),
        spec_digest=digest_of(run.spec),
    )

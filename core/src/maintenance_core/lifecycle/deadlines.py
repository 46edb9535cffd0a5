"""When a Job is not waited for any longer, by the operator's own clock.

The work is timed from the start of the trainer's container; all before it is waiting. Kubernetes'
own deadlines begin with the pod and count the pulling of an image: they are generous, and there
for an operator that is away. A node that is lost, a pod that is never gone, a Job whose end never
comes: none of them holds a run for longer than its spec says.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from maintenance_core.lifecycle.jobs import is_light, work_time
from maintenance_core.model import JobPhase, JobView, Run, Spec, Step, Stopping
from maintenance_core.numbers import duration
from maintenance_core.reasons import RunReason

GRACE: Final = timedelta(seconds=30)
"""Grace for a trainer to end itself at its timeout and for its report to arrive."""
LINGERING: Final = timedelta(seconds=15)
"""Grace for a sidecar to end after the trainer."""
UNTOLD: Final = timedelta(minutes=2)
"""How long a Job may stay unfinished after its trainer has ended."""
PAST: Final = datetime.min.replace(tzinfo=UTC)
WHY_FAILED: Final = {
    "DeadlineExceeded": RunReason.DEADLINE_EXCEEDED,
    "OOMKilled": RunReason.OUT_OF_MEMORY,
}
UNEXPLAINED: Final = "its pod was never started, and Kubernetes does not say why"


@dataclass(frozen=True, slots=True)
class Deadline:
    """A time after which a Job is not waited for, and what it is given up for."""

    time: datetime
    why: Stopping


def overdue(run: Run, spec: Spec, job: JobView, now: datetime) -> Stopping | None:
    """Why a Job that has not ended is not waited for any longer, if so."""
    over = [deadline for deadline in _deadlines(run, spec, job) if now > deadline.time]
    return min(over, key=lambda deadline: deadline.time).why if over else None


def next_due(run: Run, spec: Spec, job: JobView, now: datetime) -> datetime | None:
    """When there will be something to do about a Job even if Kubernetes tells nothing."""
    times = [deadline.time for deadline in _deadlines(run, spec, job)]
    if job.ended is not None:
        times.append(_read_at(run, job))
    return min((time for time in times if time > now), default=None)


def to_be_read(run: Run, job: JobView, now: datetime) -> bool:
    """Whether the trainer's end is the end of the work, though its Job has not ended."""
    if job.ended is None or not job.message:
        return False
    return not job.ended <= now <= _read_at(run, job)


def _read_at(run: Run, job: JobView) -> datetime:
    assert job.ended is not None  # noqa: S101 - the callers looked
    return _since(run, job.ended) + (LINGERING if job.kept_by else UNTOLD)


def _deadlines(run: Run, spec: Spec, job: JobView) -> Iterator[Deadline]:
    if job.suspended:
        return
    told = f": {job.detail}" if job.detail else ""
    if job.condemned is not None:
        reason = WHY_FAILED.get(job.failure, RunReason.JOB_FAILED)
        yield Deadline(
            _since(run, job.condemned) + UNTOLD,
            Stopping(reason, f"Job {job.name} failed, and its pods are not gone{told}."),
        )
    if job.ended is not None:
        if not job.message:
            yield Deadline(_read_at(run, job), _ended_mute(job))
        return
    pending, waits = spec.training.pending_timeout, job.phase is JobPhase.PENDING
    if waits:
        yield Deadline(_since(run, job.waits_since) + pending, _waited(spec, job))
    if job.deadline_exceeded:
        yield Deadline(PAST, _worked(run, job))
    elif job.started is not None:
        yield Deadline(_since(run, job.started) + work_time(run, spec) + GRACE, _worked(run, job))
    elif not waits:  # it runs, and nobody knows since when
        longest = pending + work_time(run, spec) + GRACE
        yield Deadline(_since(run, job.waits_since) + longest, _worked(run, job))


def _worked(run: Run, job: JobView) -> Stopping:
    """A training that took too long once would do so again: the Job is not left to try."""
    field = "spec.diagnosis" if is_light(run) else "spec.training"
    told = f": {job.detail}" if job.detail else ""
    return Stopping(
        RunReason.DEADLINE_EXCEEDED,
        f"Job {job.name} ran longer than {field}.timeout and was stopped{told}.",
    )


def _waited(spec: Spec, job: JobView) -> Stopping:
    most = duration(spec.training.pending_timeout)
    return Stopping(
        RunReason.PENDING_TIMEOUT,
        f"Job {job.name} waited for {most} (spec.training.pendingTimeout): "
        f"{job.detail or UNEXPLAINED}.",
    )


def _ended_mute(job: JobView) -> Stopping:
    told = f": {job.detail}" if job.detail else ""
    return Stopping(
        WHY_FAILED.get(job.failure, RunReason.JOB_FAILED),
        f"The trainer of Job {job.name} ended without a report{told}.",
    )


def _began(run: Run) -> datetime:
    """When the operator began the step."""
    return (run.train_start_time if run.step is Step.TRAIN else None) or run.start_time


def _since(run: Run, time: datetime | None) -> datetime:
    """A time by another clock, but not before the step began by ours, whatever that one shows."""
    return max(time, _began(run)) if time is not None else _began(run)

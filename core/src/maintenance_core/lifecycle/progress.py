"""A live run: its Job is made, awaited, given up or read.

What the step's report says is for ``diagnosed`` and ``trained``.
"""

from dataclasses import replace

from maintenance_contract import ContractError, Outcome, TrainingRequest
from maintenance_core.allowed import admit
from maintenance_core.errors import SpecError
from maintenance_core.lifecycle.deadlines import WHY_FAILED, overdue, to_be_read
from maintenance_core.lifecycle.diagnosed import diagnosed
from maintenance_core.lifecycle.jobs import is_light, manifest
from maintenance_core.lifecycle.living_jobs import is_terminal, lives
from maintenance_core.lifecycle.observation import Observation
from maintenance_core.lifecycle.refusals import (
    is_hopeless,
    is_told,
    message_of,
    refused,
    request_of,
    waits,
)
from maintenance_core.lifecycle.run import (
    find,
    history_entry,
    read_report,
    record_of_training,
    request_of_step,
    with_job,
)
from maintenance_core.lifecycle.settle import end, fail, settle
from maintenance_core.lifecycle.trained import retry_after_oom, trained
from maintenance_core.lifecycle.unwanted_jobs import is_of
from maintenance_core.model import (
    CreateJob,
    DeleteJob,
    Effect,
    JobPhase,
    JobView,
    Note,
    Refusal,
    Request,
    Run,
    RunOutcome,
    Spec,
    Step,
    Stopping,
)
from maintenance_core.reasons import EventReason, ReadyReason, RunReason, VerdictReason
from maintenance_core.spec import parse


def stop(seen: Observation, run: Run) -> Effect | None:
    """``spec.suspend``: the Job goes first, then the run. A training that has ended is judged."""
    job = find(seen, run.job_name)
    if job is not None and lives(seen, job):
        return _stop_job(seen, run, job)
    if _about(run) is Step.TRAIN and (run.report or _ended_by_itself(seen, job)):
        return advance(seen, run)
    message = "Stopped by spec.suspend; nothing that it trained is in service."
    entry = history_entry(seen, run, RunOutcome.STOPPED, RunReason.SUSPENDED, message)
    return end(
        seen,
        entry,
        seen.status.recheck,
        Note(EventReason.RUN_STOPPED, f"Run {run.number}: {message}"),
    )


def _stop_job(seen: Observation, run: Run, job: JobView) -> Effect | None:
    """Delete a living Job, when what has become of it is written down.

    What is seen of its pods once it is being deleted comes of that.
    """
    if job.deleted is not None:
        return _delete(seen, job)
    if _about(run) is Step.TRAIN and job.message and job.ended is not None:
        known = replace(run, report=run.report or job.message, request_digest=_digest(run, job))
    elif run.step is Step.TRAIN and job.phase is JobPhase.PENDING and job.started is None:
        known = replace(run, train_start_time=None)  # it takes no place in limits.runs
    elif run.step is Step.TRAIN and run.train_start_time is None and not is_light(run):
        known = replace(run, train_start_time=seen.now)  # its deletion was refused, and it began
    else:
        return _delete(seen, job)
    return settle(seen, replace(seen.status, run=known)) if known != run else _delete(seen, job)


def _ended_by_itself(seen: Observation, job: JobView | None) -> bool:
    """Whether a Job has ended well before its deletion was asked for, and its report is there."""
    if job is None or job.phase is not JobPhase.COMPLETE or not job.message:
        return False
    return job.deleted is None and refused(seen, Request.DELETE_JOB, job.uid) is None


def _about(run: Run) -> Step:
    """The step whose report the run waits for."""
    return run.subject if run.step is Step.REPORT and run.subject else run.step


def advance(seen: Observation, run: Run) -> Effect | None:
    """Whatever the run's Job, or its absence, asks for next."""
    job = find(seen, run.job_name)
    try:
        spec = parse(run.spec)
    except SpecError as error:
        return _without_spec(seen, run, job, error)
    asked = request_of_step(seen, run, spec, run.step)
    if job is None:
        return _without_job(seen, run, spec, asked)
    if job.deleted is not None and not is_terminal(job):
        return _going(seen, run, spec, job)
    if not is_of(seen, run, asked.digest, job):
        if lives(seen, job):
            return _delete(seen, job)
        return fail(
            seen,
            run,
            RunReason.JOB_FOREIGN,
            f"Job {job.name} exists and is not of this run: delete it.",
        )
    return (_over if is_terminal(job) else _living)(seen, run, spec, job)


def _going(seen: Observation, run: Run, spec: Spec, job: JobView) -> Effect | None:
    """A Job that is being deleted: what comes of it is seen once it is gone.

    Where its report is known, nothing more comes.
    """
    if run.report:
        return _reported(seen, run, spec, run.report, job)
    return settle(seen, seen.status)


def _without_spec(
    seen: Observation, run: Run, job: JobView | None, error: SpecError
) -> Effect | None:
    """The run's frozen spec cannot be followed, so nothing that its Job yields could be judged."""
    if job is not None and lives(seen, job):
        return _delete(seen, job)
    return fail(
        seen,
        run,
        ReadyReason.INVALID_SPEC,
        f"The spec that the run began with (status.run.spec) cannot be followed: {error}. Another "
        "release of the operator took it, or status was edited; a new run takes spec as it is.",
    )


def _over(seen: Observation, run: Run, spec: Spec, job: JobView) -> Effect | None:
    """A Job that has ended. What was seen of its pods is said before their report ends the step."""
    warned = settle(seen, seen.status) if job.foreign else None
    if warned is not None:
        return warned
    # It may have been written down, and the Job's deletion refused until its pod was taken away.
    if message := run.report or job.message:
        return _reported(seen, run, spec, message, job)
    if run.stopping is not None and job.phase is JobPhase.FAILED:
        return _given_up(seen, run, spec, run.stopping)
    return _ended_without_report(seen, run, spec, job)


def _living(seen: Observation, run: Run, spec: Spec, job: JobView) -> Effect | None:
    """A Job that has not ended: it is waited for, given up, or done though its pod runs on."""
    if run.stopping is not None or run.report:
        return _delete(seen, job)
    run = replace(run, job_uid=job.uid, request_digest=_digest(run, job))
    if run.train_start_time is None and run.step is Step.TRAIN and not is_light(run):
        run = replace(run, train_start_time=seen.now)  # it was to be stopped before it began
    if to_be_read(run, job, seen.now):
        run = replace(run, report=job.message or "")
    else:
        run = replace(run, stopping=overdue(run, spec, job, seen.now))
    return settle(seen, replace(seen.status, run=run))


def _digest(run: Run, job: JobView | None) -> str:
    """Of the request that the step's report is to answer; empty where nobody wrote it down."""
    if run.request_digest or run.step is Step.REPORT or job is None:
        return run.request_digest
    return job.request_digest


def _reported(
    seen: Observation, run: Run, spec: Spec, message: str, job: JobView | None
) -> Effect | None:
    """The trainer has said what came of a step."""
    about = _about(run)
    expected = request_of_step(seen, run, spec, about)
    try:
        report = read_report(message, expected, _digest(run, job))
    except ContractError as error:
        return fail(seen, run, VerdictReason.REPORT_INVALID, f"Job {run.job_name}: {error}")
    if report.outcome is Outcome.FAILED and report.reason == RunReason.DEADLINE_EXCEEDED:
        return fail(seen, run, report.reason, report.message)
    if about is Step.DIAGNOSE:
        return diagnosed(seen, run, spec, report)
    return trained(seen, run, spec, report)


def _delete(seen: Observation, job: JobView) -> Effect | None:
    """Ask once; then wait for the Job to go, or for a refusal to be tried again."""
    delete = DeleteJob(job.name, job.uid, pods_first=bool(job.finalizers))
    if job.deleted is not None or waits(seen, delete):
        return settle(seen, seen.status)
    return delete


def _without_job(seen: Observation, run: Run, spec: Spec, asked: TrainingRequest) -> Effect | None:
    """Not yet created; given up; or seen once, and somebody deleted it."""
    if run.report:
        return _reported(seen, run, spec, run.report, None)
    if run.stopping is not None:
        return _given_up(seen, run, spec, run.stopping)
    if not run.job_uid:
        try:  # the run's spec may be from before this was asked
            admit(spec.training.pod, seen.identity.namespace, seen.trainer.allowed)
        except SpecError as error:
            return fail(seen, run, RunReason.JOB_REFUSED, str(error))
        decision = record_of_training(seen, run)
        create = CreateJob(
            manifest(seen.identity, run, spec, asked, seen.trainer, decision=decision)
        )
        refusal = refused(seen, *request_of(seen, create))
        return create if refusal is None else _without_leave(seen, run, spec, create, refusal)
    message = f"Job {run.job_name} was deleted before its result was read."
    if run.step is Step.TRAIN:
        return _ask_for_report(seen, run, None, message)
    return fail(seen, run, RunReason.JOB_DELETED, message)


def _without_leave(
    seen: Observation, run: Run, spec: Spec, create: CreateJob, refusal: Refusal
) -> Effect | None:
    """The Job was refused: wait for leave as long as for a node, unless asking so is in vain."""
    began = run.train_start_time if run.step is Step.TRAIN else None
    waited = seen.now - (began or run.start_time)
    message = message_of(seen, seen.status, refusal)
    entry = history_entry(seen, run, RunOutcome.FAILED, RunReason.JOB_REFUSED, message)
    changed = isinstance(seen.spec, Spec) and not entry.held_to(seen.generation, seen.spec_digest)
    if is_told(refusal) and changed:
        note = f"Run {run.number}: {RunReason.JOB_REFUSED}, and the spec has changed. {message}"
        return end(seen, entry, None, Note(EventReason.RUN_FAILED, note, warning=True))
    if is_hopeless(refusal) or waited > spec.training.pending_timeout:
        return fail(seen, run, RunReason.JOB_REFUSED, message)
    return settle(seen, seen.status) if waits(seen, create) else create


def _given_up(seen: Observation, run: Run, spec: Spec, why: Stopping) -> Effect | None:
    """The operator has stopped the Job; why, status has kept."""
    if why.reason == RunReason.OUT_OF_MEMORY:
        return retry_after_oom(seen, run, spec, why.message)
    return fail(seen, run, why.reason, why.message)


def _ended_without_report(seen: Observation, run: Run, spec: Spec, job: JobView) -> Effect | None:
    """The Job ended and its pod says nothing: crashed, or the pod was collected."""
    if job.phase is JobPhase.FAILED:
        reason = WHY_FAILED.get(job.failure, RunReason.JOB_FAILED)
        why = job.detail or job.failure or "no pod is left to say why"
        if reason is RunReason.OUT_OF_MEMORY:
            return retry_after_oom(seen, run, spec, f"Job {job.name} failed: {why}.")
        look = (
            f"kubectl mm logs {seen.identity.name} --run {run.number} -n {seen.identity.namespace}"
        )
        return fail(seen, run, reason, f"Job {job.name} failed: {why}. What it wrote last: {look}")
    if run.step is Step.REPORT:
        return fail(seen, run, RunReason.REPORT_MISSING, f"Job {job.name} left no message.")
    return _ask_for_report(seen, run, job, f"Job {job.name} ended, but its pod is gone.")


def _ask_for_report(seen: Observation, run: Run, job: JobView | None, why: str) -> Effect | None:
    """A finished training is never repeated for a lost message: the store has the report."""
    asking = with_job(seen.identity, replace(run, step=Step.REPORT, subject=run.step, job_uid=""))
    asking = replace(asking, request_digest=_digest(run, job))
    return settle(
        seen,
        replace(seen.status, run=asking),
        Note(
            RunReason.REPORT_MISSING,
            f"Run {run.number}: {why} Looking for the stored report.",
            warning=True,
        ),
    )

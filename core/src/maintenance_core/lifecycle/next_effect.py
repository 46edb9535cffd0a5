"""What a pass does next: the whole story of a resource, as one pure function.

``next_effect`` looks at everything that was seen and names at most one thing to do. The shell
does it, looks again and asks again, until there is nothing left. Whatever was done before a crash
is seen by the next look, so no step is remembered anywhere but in the cluster.

::

    (no run)  ── first version wanted, or performance down ──▶  Diagnose
    Diagnose  ── decide ──▶  Train | no run
    Diagnose  ── a model is brought along ──▶  Train, which copies it
    Train     ── judge  ──▶  promoted | rejected (a fine-tune: once more, as a retrain) | failed
    Report    ── the Job is gone or mute: read the stored report, then as above
"""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
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
from maintenance_core.allowed import admit
from maintenance_core.decide.brakes import runs_left
from maintenance_core.decide.decision import decide
from maintenance_core.decide.explain import shown
from maintenance_core.decide.gate import gate_for, judge
from maintenance_core.decide.training_plan import plan_of
from maintenance_core.errors import SpecError
from maintenance_core.lifecycle import projection
from maintenance_core.lifecycle.conditions import DEGRADED, conditions, hindered, transitions
from maintenance_core.lifecycle.deadlines import WHY_FAILED, overdue, to_be_read
from maintenance_core.lifecycle.first_version import in_service, waits_for_metrics
from maintenance_core.lifecycle.jobs import (
    Identity,
    champion_uri,
    job_name,
    manifest,
    request,
    run_number,
)
from maintenance_core.lifecycle.observation import Observation
from maintenance_core.lifecycle.records import record_of
from maintenance_core.lifecycle.refusals import (
    is_due,
    is_hopeless,
    is_told,
    message_of,
    refused,
    request_of,
    waits,
)
from maintenance_core.model import (
    Action,
    Champion,
    CreateJob,
    Decision,
    Degraded,
    DeleteJob,
    Effect,
    Healthy,
    HistoryEntry,
    How,
    JobPhase,
    JobView,
    Metrics,
    Note,
    Outcomes,
    Reading,
    Recheck,
    Refusal,
    Request,
    Run,
    RunOutcome,
    Situation,
    Spec,
    Status,
    Step,
    Stopping,
    ThresholdRange,
    Trigger,
    Trouble,
    Verdict,
    WriteConfigMap,
    WriteStatus,
)
from maintenance_core.numbers import reading, shortened
from maintenance_core.reasons import (
    EventReason,
    ReadyReason,
    RunReason,
    VerdictReason,
)
from maintenance_core.spec import parse
from maintenance_core.watch.common_cause import Guard
from maintenance_core.watch.counters import beginning, still_holds

MISSED_BY_AT_MOST: Final = timedelta(hours=24)
RECHECK_AT_MOST: Final = timedelta(hours=24)
REPORT_CHARACTERS: Final = 4096
"""Of a report's message; a termination message holds no more."""
REASON_CHARACTERS: Final = 128
RUN_NUMBER_TAKEN: Final = "RunNumberTaken"
STORE_IN_USE: Final = "StoreInUse"
OUT_OF_MEMORY: Final = (
    "Raise the memory limit, or lower per_device_train_batch_size and raise "
    "gradient_accumulation_steps as much."
)
IMPORT_OUT_OF_MEMORY: Final = "Raise the memory limit of spec.diagnosis.resources."
_BEGINS: Final = {Action.IMPORT: EventReason.IMPORT_STARTED}
_LONG_AGO: Final = datetime.min.replace(tzinfo=UTC)


_WHY: Final = {
    Trigger.INITIAL: "there is no champion yet",
    Trigger.SCHEDULE: "it is time by spec.triggers.schedule",
    Trigger.NEW_DATA: "enough labels have arrived (spec.triggers.newData)",
}


def next_effect(seen: Observation) -> Effect | None:
    """The one thing to do now, or None where everything is as it should be."""
    status = seen.status
    if status.champion is not None and (projected := _project(seen, status.champion)):
        return projected
    if status.run is not None:
        return _go_on(seen, status.run)
    if status.champion is None and isinstance(seen.spec, Spec) and (known := in_service(seen)):
        return _adopt(seen, known)
    trigger = wanted(seen)
    if trigger is not None and seen.jobs is not None:
        return _allocate(seen, trigger)
    if seen.guard is Guard.WAIT:
        return None  # what is found out in a moment is written with it
    return _settle(seen, _with_baseline(seen))


def wanted(seen: Observation) -> Trigger | None:
    """Why a run should begin now, if it should and no brake holds it."""
    status = seen.status
    if seen.suspended or not isinstance(seen.spec, Spec) or hindered(seen, status) is not None:
        return None
    if status.recheck is not None and seen.now < status.recheck.time:
        return None
    if status.champion is None:
        held = in_service(seen) is not None or waits_for_metrics(seen, status)
        return None if held else Trigger.INITIAL
    if seen.now < _cooled_down(status, seen.spec):
        return None
    return _occasion(seen, seen.spec)


def _occasion(seen: Observation, spec: Spec) -> Trigger | None:
    """What asks for a look at the champion."""
    down = isinstance(seen.assessment, Degraded) and not seen.assessment.recovering
    if down and seen.guard is Guard.LET:
        return Trigger.PERFORMANCE_DROP
    if seen.scheduled is not None and _overslept(seen, seen.scheduled[0]):
        return Trigger.SCHEDULE
    new_data = spec.triggers.new_data
    if new_data is not None and seen.new_data is not None and seen.new_data >= new_data.min:
        return Trigger.NEW_DATA
    return None


def _overslept(seen: Observation, due: datetime) -> bool:
    """Whether nobody has looked since a scheduled time; one that was missed by far is let go."""
    status = seen.status
    looks = [entry.start_time for entry in status.history]
    looks += [status.decision.time] if status.decision else []
    looks += [status.champion.promoted_time] if status.champion else []
    looks += [seen.created] if seen.created else []
    return due > max(looks, default=_LONG_AGO) and seen.now - due <= MISSED_BY_AT_MOST


# --- without a run ----------------------------------------------------------------------


def _cooled_down(status: Status, spec: Spec) -> datetime:
    ends = [
        entry.end_time
        for entry in status.history
        if entry.outcome in {RunOutcome.PROMOTED, RunOutcome.REJECTED}
    ]
    return max(ends) + spec.limits.cooldown if ends else _LONG_AGO


def _with_baseline(seen: Observation) -> Status:
    """Remember what the champion achieves when it is new, if ``maxDrop`` or a test needs that."""
    status, found = seen.status, seen.assessment
    champion = status.champion
    if champion is None or not isinstance(seen.spec, Spec) or not isinstance(found, Healthy):
        return status
    metrics = seen.spec.metrics
    if isinstance(metrics, Outcomes):
        if found.monitor is None or still_holds(metrics, champion, status.monitor):
            return status
        champion = replace(champion, baseline=found.level)
        return replace(status, champion=champion, monitor=found.monitor)
    known = champion.baseline is not None and status.monitor is None
    if metrics.max_drop is None or known or found.level is None:
        return status
    return replace(status, champion=replace(champion, baseline=found.level), monitor=None)


def _adopt(seen: Observation, champion: Champion) -> Effect | None:
    """Status is empty, but a ConfigMap of ours names a champion: take it over."""
    adopted = replace(seen.status, champion=champion)
    return _settle(
        seen,
        adopted,
        Note(
            EventReason.CHAMPION_ADOPTED,
            f"Version {champion.version} ({champion.digest[:19]}…) is in service, says ConfigMap "
            f"{projection.config_map_name(seen.identity.name)}: taken over as the champion.",
        ),
    )


def _project(seen: Observation, champion: Champion) -> Effect | None:
    """Bring the ConfigMap in line; where that is refused, the rest of the story goes on."""
    existing = seen.config_map
    if refused(seen, Request.READ_CONFIG_MAP) is not None:
        return None
    if existing is not None and (
        not projection.is_ours(existing) or projection.says(existing, seen.identity, champion)
    ):
        return None
    write = WriteConfigMap(projection.manifest(seen.identity, champion, existing), existing)
    return None if waits(seen, write) else write


def _allocate(seen: Observation, trigger: Trigger) -> Effect | None:
    """Write the run's number and freeze its spec, before its first Job."""
    status = seen.status
    number = _next_number(seen)
    down = seen.assessment if isinstance(seen.assessment, Degraded) else None
    if seen.guard is not Guard.LET:
        down = None  # the metric is in doubt: the rows are to answer
    run = _with_job(
        seen.identity,
        Run(
            number=number,
            trigger=trigger,
            step=Step.DIAGNOSE,
            start_time=seen.now,
            spec=seen.raw_spec,
            generation=seen.generation,
            champion=_ref(status.champion),
            trouble=_as_trouble(down, onset(seen) if down is not None else None),
        ),
    )
    why = _WHY.get(trigger) or (_down(down) if down is not None else "it is time")
    return _settle(
        seen,
        replace(status, run=run),
        Note(EventReason.DIAGNOSIS_STARTED, f"Run {number} begins, because {why}."),
    )


def onset(seen: Observation) -> datetime | None:
    """Since when performance is down: by the readings, or longer, by what status says."""
    down = seen.assessment
    if not isinstance(down, Degraded) or down.onset is None:
        return None
    held = seen.status.condition(DEGRADED)
    known = held is not None and held.status == "True"
    spec = seen.spec
    if not known or held is None or not isinstance(spec, Spec):
        return down.onset
    # It became True with the last of the readings that a breach takes.
    taken = spec.metrics.breach_of if isinstance(spec.metrics, Metrics) else 1
    return min(down.onset, held.last_transition_time - taken * spec.metrics.interval)


def _as_trouble(down: Degraded | None, onset: datetime | None) -> Trouble | None:
    if down is None:
        return None
    latest = down.reading
    return Trouble(
        latest.time,
        latest.value,
        down.breached,
        down.counted,
        latest.samples,
        down.threshold.bound,
        down.alarm,
        onset,
    )


def _next_number(seen: Observation) -> int:
    status = seen.status
    numbers = [run_number(job) for job in seen.jobs or ()]
    numbers += [entry.number for entry in status.history]
    numbers += [status.decision.number] if status.decision else []
    return max(numbers, default=0) + 1


def _ref(champion: Champion | None) -> ChampionRef | None:
    return ChampionRef(champion.version, champion.digest) if champion is not None else None


def _down(down: Degraded) -> str:
    if down.alarm is not None:
        return shown(down.alarm)
    side = "below" if down.threshold.min is not None else "above"
    samples = "" if down.reading.samples is None else f" ({down.reading.samples:.0f} samples)"
    return (
        f"performance {reading(down.reading.value)}{samples} was {side} {down.threshold.bound:.4g} "
        f"in {down.breached} of {down.counted} readings"
    )


# --- a live run -------------------------------------------------------------------------


def _go_on(seen: Observation, run: Run) -> Effect | None:
    if seen.jobs is None:
        return _settle(seen, seen.status)  # they may not be read: what became of it is not known
    return _stop(seen, run) if seen.suspended else _advance(seen, run)


def _stop(seen: Observation, run: Run) -> Effect | None:
    """``spec.suspend``: the Job goes first, then the run."""
    job = _find(seen, run.job_name)
    if job is not None and job.owner_uid == seen.identity.uid and not _terminal(job):
        return _delete(seen, job)
    message = "Stopped by spec.suspend; nothing that it trained is in service."
    entry = _entry(seen, run, RunOutcome.STOPPED, RunReason.SUSPENDED, message)
    return _end(
        seen,
        entry,
        seen.status.recheck,
        Note(EventReason.RUN_STOPPED, f"Run {run.number}: {message}"),
    )


def _advance(seen: Observation, run: Run) -> Effect | None:
    try:
        spec = parse(run.spec)
    except SpecError as error:
        return _fail(seen, run, ReadyReason.INVALID_STATUS, f"status.run.spec was changed: {error}")
    asked = _request(seen, run, spec, run.step)
    job = _find(seen, run.job_name)
    if job is None:
        return _without_job(seen, run, spec, asked)
    if job.deleted is not None and not _terminal(job):
        # What comes of it is seen once it is gone; where its report is known, nothing more comes.
        return _reported(seen, run, spec, run.report) if run.report else _settle(seen, seen.status)
    if not _is_of(seen, run, asked, job):
        return _fail(
            seen,
            run,
            RunReason.JOB_FOREIGN,
            f"Job {job.name} exists and is not of this run: delete it.",
        )
    return (_over if _terminal(job) else _living)(seen, run, spec, job)


def _is_of(seen: Observation, run: Run, asked: TrainingRequest, job: JobView) -> bool:
    """Whether a Job is the one that the run has made: another one may have come by its name."""
    same = not run.job_uid or job.uid == run.job_uid
    return same and (job.owner_uid, job.request_digest) == (seen.identity.uid, asked.digest)


def _over(seen: Observation, run: Run, spec: Spec, job: JobView) -> Effect | None:
    """A Job that has ended. What was seen of its pods is said before their report ends the step."""
    told = _settle(seen, seen.status) if job.foreign else None
    if told is not None:
        return told
    # It may have been written down, and the Job's deletion refused until its pod was taken away.
    if message := run.report or job.message:
        return _reported(seen, run, spec, message)
    if run.stopping is not None and job.phase is JobPhase.FAILED:
        return _given_up(seen, run, spec, run.stopping)
    return _mute(seen, run, spec, job)


def _living(seen: Observation, run: Run, spec: Spec, job: JobView) -> Effect | None:
    """A Job that has not ended: it is waited for, given up, or done though its pod runs on."""
    if run.stopping is not None or run.report:
        return _delete(seen, job)
    run = replace(run, job_uid=job.uid)
    if to_be_read(run, job, seen.now):
        run = replace(run, report=job.message or "")
    else:
        run = replace(run, stopping=overdue(run, spec, job, seen.now))
    return _settle(seen, replace(seen.status, run=run))


def _reported(seen: Observation, run: Run, spec: Spec, message: str) -> Effect | None:
    about = run.subject if run.step is Step.REPORT and run.subject else run.step
    expected = _request(seen, run, spec, about)
    try:
        report = _read_report(message, expected)
    except ContractError as error:
        return _fail(seen, run, VerdictReason.REPORT_INVALID, f"Job {run.job_name}: {error}")
    if report.outcome is Outcome.FAILED and report.reason == RunReason.DEADLINE_EXCEEDED:
        return _fail(seen, run, report.reason, report.message)
    if about is Step.DIAGNOSE:
        return _diagnosed(seen, run, spec, report)
    return _trained(seen, run, spec, report)


def _delete(seen: Observation, job: JobView) -> Effect | None:
    """Ask once; then wait for the Job to go, or for a refusal to be tried again."""
    delete = DeleteJob(job.name, job.uid, pods_first=bool(job.finalizers))
    if job.deleted is not None or waits(seen, delete):
        return _settle(seen, seen.status)
    return delete


def _request(seen: Observation, run: Run, spec: Spec, step: Step) -> TrainingRequest:
    return request(seen.identity, run, spec, step, _plan(seen, spec))


def _plan(seen: Observation, spec: Spec) -> How:
    return plan_of(seen.status.decision, spec)


def _record(seen: Observation, run: Run) -> str:
    """The decision that a training is for, to be kept in its folder; empty for other steps."""
    decision = seen.status.decision
    if run.step is not Step.TRAIN or decision is None or decision.number != run.number:
        return ""
    return record_of(seen.identity, decision).to_json()


def _without_job(seen: Observation, run: Run, spec: Spec, asked: TrainingRequest) -> Effect | None:
    """Not yet created; given up; or seen once, and somebody deleted it."""
    if run.report:
        return _reported(seen, run, spec, run.report)
    if run.stopping is not None:
        return _given_up(seen, run, spec, run.stopping)
    if not run.job_uid:
        try:  # the run's spec may be from before this was asked
            admit(spec.training.pod, seen.identity.namespace, seen.trainer.allowed)
        except SpecError as error:
            return _fail(seen, run, RunReason.JOB_REFUSED, str(error))
        decision = _record(seen, run)
        create = CreateJob(
            manifest(seen.identity, run, spec, asked, seen.trainer, decision=decision)
        )
        refusal = refused(seen, *request_of(seen, create))
        return create if refusal is None else _without_leave(seen, run, spec, create, refusal)
    message = f"Job {run.job_name} was deleted before its result was read."
    if run.step is Step.TRAIN:
        return _ask_for_report(seen, run, message)
    return _fail(seen, run, RunReason.JOB_DELETED, message)


def _without_leave(
    seen: Observation, run: Run, spec: Spec, create: CreateJob, refusal: Refusal
) -> Effect | None:
    """The Job was refused: wait for leave as long as for a node, unless asking so is in vain."""
    began = run.train_start_time if run.step is Step.TRAIN else None
    waited = seen.now - (began or run.start_time)
    message = message_of(seen, seen.status, refusal)
    if is_told(refusal) and isinstance(seen.spec, Spec) and run.generation != seen.generation:
        entry = _entry(seen, run, RunOutcome.FAILED, RunReason.JOB_REFUSED, message)
        note = f"Run {run.number}: {RunReason.JOB_REFUSED}, and the spec has changed. {message}"
        return _end(seen, entry, None, Note(EventReason.RUN_FAILED, note, warning=True))
    if is_hopeless(refusal) or waited > spec.training.pending_timeout:
        return _fail(seen, run, RunReason.JOB_REFUSED, message)
    return _settle(seen, seen.status) if waits(seen, create) else create


def _given_up(seen: Observation, run: Run, spec: Spec, why: Stopping) -> Effect | None:
    if why.reason == RunReason.OUT_OF_MEMORY:
        return _too_large(seen, run, spec, why.message)
    return _fail(seen, run, why.reason, why.message)


def _mute(seen: Observation, run: Run, spec: Spec, job: JobView) -> Effect | None:
    """The Job ended and its pod says nothing: crashed, or the pod was collected."""
    if job.phase is JobPhase.FAILED:
        reason = WHY_FAILED.get(job.failure, RunReason.JOB_FAILED)
        told = job.detail or job.failure or "no pod is left to say why"
        if reason is RunReason.OUT_OF_MEMORY:
            return _too_large(seen, run, spec, f"Job {job.name} failed: {told}.")
        look = (
            f"kubectl mm logs {seen.identity.name} --run {run.number} -n {seen.identity.namespace}"
        )
        return _fail(
            seen, run, reason, f"Job {job.name} failed: {told}. What it wrote last: {look}"
        )
    if run.step is Step.REPORT:
        return _fail(seen, run, RunReason.REPORT_MISSING, f"Job {job.name} left no message.")
    return _ask_for_report(seen, run, f"Job {job.name} ended, but its pod is gone.")


def _ask_for_report(seen: Observation, run: Run, why: str) -> Effect | None:
    """A finished training is never repeated for a lost message: the store has the report."""
    asking = _with_job(seen.identity, replace(run, step=Step.REPORT, subject=run.step, job_uid=""))
    return _settle(
        seen,
        replace(seen.status, run=asking),
        Note(
            RunReason.REPORT_MISSING,
            f"Run {run.number}: {why} Looking for the stored report.",
            warning=True,
        ),
    )


def _read_report(message: str, expected: TrainingRequest) -> TrainingReport:
    report = TrainingReport.from_json(message)
    # Its words go into status and Events, and the pod may have written whatever it likes.
    report = replace(
        report,
        reason=plain(report.reason, REASON_CHARACTERS),
        message=plain(report.message, REPORT_CHARACTERS),
    )
    if report.operation is Operation.REPORT and report.outcome is Outcome.FAILED:
        return report
    told = (report.operation, report.run, report.request_digest)
    if told != (expected.operation, expected.run, expected.digest):
        msg = "the report is not of this run's request"
        raise ContractError(msg)
    return report


def _diagnosed(seen: Observation, run: Run, spec: Spec, report: TrainingReport) -> Effect | None:
    """The diagnosis is in: decide, and write the decision before anything acts on it."""
    if report.outcome is Outcome.FAILED and report.reason == RUN_NUMBER_TAKEN:
        number = max(run.number, report.store.highest_run) + 1
        again = _with_job(
            seen.identity, replace(run, number=number, job_uid="", step=Step.DIAGNOSE, subject=None)
        )
        return _settle(seen, replace(seen.status, run=again))
    decision = decide(
        Situation(
            number=run.number,
            trigger=run.trigger,
            spec=spec,
            report=report,
            now=seen.now,
            degraded=_trouble(run, spec),
            champion=seen.status.champion,
            history=seen.status.history,
            escalated_from=run.escalated_from,
            generation=run.generation,
        )
    )
    if report.outcome is Outcome.FAILED and report.reason == STORE_IN_USE:
        decision = replace(decision, reason=ReadyReason.STORE_IN_USE)
    return _decided(
        seen,
        replace(run, snapshot_run=run.number, data_digest=report.snapshot_digest),
        spec,
        decision,
    )


def _decided(
    seen: Observation,
    run: Run,
    spec: Spec,
    decision: Decision,
    *notes: Note,
    ended: HistoryEntry | None = None,
) -> Effect | None:
    """Train, or look again later."""
    status = replace(seen.status, decision=decision)
    if ended is not None:
        status = replace(status, history=(ended, *status.history))
    told = Note(
        EventReason.DECIDED,
        f"Run {decision.number}: {decision.action.value} ({decision.reason}). {decision.message}",
        warning=decision.action is Action.BLOCKED,
    )
    if decision.action.training is None:
        status = replace(status, run=None, recheck=_recheck(seen, spec, run.data_digest))
    else:
        status = replace(
            status,
            run=_with_job(
                seen.identity,
                replace(
                    run,
                    step=Step.TRAIN,
                    subject=None,
                    job_uid="",
                    action=decision.action,
                    train_start_time=None if decision.action is Action.IMPORT else seen.now,
                ),
            ),
        )
        begins = f"Run {decision.number}: {decision.action.value} begins."
        notes = (*notes, Note(_BEGINS.get(decision.action, EventReason.TRAINING_STARTED), begins))
    return _settle(seen, status, told, *notes, decided=decision, ended=ended)


def _trained(seen: Observation, run: Run, spec: Spec, report: TrainingReport) -> Effect | None:
    """The challenger is scored: let the gate judge, then promote or refuse."""
    if report.outcome is Outcome.FAILED and report.reason == RunReason.OUT_OF_MEMORY:
        return _too_large(seen, run, spec, report.message)
    if report.outcome is Outcome.FAILED:
        return _fail(seen, run, report.reason or RunReason.JOB_FAILED, report.message)
    champion, plan = seen.status.champion, _plan(seen, spec)
    if _ref(champion) != run.champion:
        verdict = Verdict(
            promote=False,
            reason=VerdictReason.CHAMPION_CHANGED,
            message="Another version went into service during the run.",
        )
    else:
        verdict = judge(
            report,
            gate=gate_for(spec.gate, plan),
            champion=champion,
            concept_drift=plan.exclude_contradicted,
            imported=run.action is Action.IMPORT,
            sampling=spec.sampling,
        )
    outcome = RunOutcome.PROMOTED if verdict.promote else RunOutcome.REJECTED
    entry = replace(
        _entry(seen, run, outcome, verdict.reason, _with_race(report, verdict, seen, spec)),
        version=report.candidate.version if report.candidate else None,
        train_seconds=report.timings.get("train"),
        new=verdict.new,
        old=verdict.old,
    )
    if verdict.promote and report.candidate is not None:
        return _promote(seen, run, spec, report, entry)
    rejected = Note(EventReason.REJECTED, f"Run {run.number}: {verdict.message}", warning=True)
    # A retrain has been in the race, or would see the same few rows: contradicted ones stay out.
    tried = plan.race or plan.exclude_contradicted
    escalates = run.action is Action.FINE_TUNE and not tried
    if escalates and verdict.reason != VerdictReason.CHAMPION_CHANGED:
        return _escalate(seen, run, spec, entry, rejected)
    return _end(seen, entry, _recheck(seen, spec, run.data_digest), rejected)


def _with_race(report: TrainingReport, verdict: Verdict, seen: Observation, spec: Spec) -> str:
    if not _plan(seen, spec).race or report.candidate is None:
        return verdict.message
    winner = f"{report.candidate.action.value} won the race. {report.message}"
    return shortened(f"{winner} {verdict.message}")


def _promote(
    seen: Observation, run: Run, spec: Spec, report: TrainingReport, entry: HistoryEntry
) -> Effect | None:
    """Status first, it is the truth; the ConfigMap follows."""
    candidate = report.candidate
    assert candidate is not None  # noqa: S101 - the caller looked
    ref = ChampionRef(candidate.version, candidate.digest)
    champion = Champion(
        ref.version, champion_uri(spec, ref), ref.digest, seen.now, candidate.action
    )
    status = replace(
        seen.status,
        champion=champion,
        monitor=None,
        run=None,
        recheck=None,
        history=(entry, *seen.status.history),
    )
    return _settle(
        seen,
        status,
        Note(
            EventReason.PROMOTED,
            f"Run {run.number}: version {champion.version} is the champion. {entry.message}",
        ),
        ended=entry,
    )


def _escalate(
    seen: Observation, run: Run, spec: Spec, entry: HistoryEntry, rejected: Note
) -> Effect | None:
    """A rejected fine-tune escalates once: a new number, the same snapshot, a retrain."""
    number = max(_next_number(seen), run.number + 1)
    decision = decide(
        Situation(
            number=number,
            trigger=Trigger.ESCALATION,
            spec=spec,
            report=_diagnosis_of(seen, run, spec),
            now=seen.now,
            degraded=_trouble(run, spec),
            champion=seen.status.champion,
            history=(entry, *seen.status.history),
            escalated_from=run.number,
            generation=run.generation,
        )
    )
    retrain = replace(
        run,
        number=number,
        trigger=Trigger.ESCALATION,
        start_time=seen.now,
        escalated_from=run.number,
        snapshot_run=run.snapshot_run or run.number,
    )
    return _decided(seen, retrain, spec, decision, rejected, ended=entry)


def _too_large(seen: Observation, run: Run, spec: Spec, message: str) -> Effect | None:
    """Memory ran out: once more with half the batch, under a new number; then a person must act."""
    decision, reason = seen.status.decision, RunReason.OUT_OF_MEMORY
    entry = _entry(seen, run, RunOutcome.FAILED, reason, message)
    history = (entry, *seen.status.history)
    if run.action is Action.IMPORT:
        return _fail(seen, run, reason, f"{message} {IMPORT_OUT_OF_MEMORY}")
    trained = run.step is Step.TRAIN or run.subject is Step.TRAIN
    if not trained or decision is None or run.half_batches:
        return _fail(seen, run, reason, f"{message} {OUT_OF_MEMORY}")
    if runs_left(history, spec.limits, seen.now) < 1:
        return _fail(seen, run, reason, f"{message} spec.limits.runs allows no other try for now.")
    number = max(_next_number(seen), run.number + 1)
    again = replace(
        run,
        number=number,
        start_time=seen.now,
        snapshot_run=run.snapshot_run or run.number,
        half_batches=True,
    )
    why = f"Run {run.number} ran out of memory: the same with half the batch, accumulated twice."
    return _decided(
        seen,
        again,
        spec,
        replace(
            decision, number=number, time=seen.now, message=shortened(f"{why} {decision.message}")
        ),
        Note(EventReason.RUN_FAILED, f"Run {run.number}: {reason}. {message} {why}", warning=True),
        ended=entry,
    )


def _diagnosis_of(seen: Observation, run: Run, spec: Spec) -> TrainingReport:
    """The diagnosis a fine-tune was decided on; without its numbers where its Job is gone."""
    asked = _request(seen, run, spec, Step.DIAGNOSE)
    job = _find(seen, job_name(seen.identity, run.number, Step.DIAGNOSE))
    try:
        return _read_report(job.message if job and job.message else "", asked)
    except ContractError:
        return TrainingReport(
            Operation.DIAGNOSE,
            run.number,
            asked.digest,
            Outcome.SUCCEEDED,
            snapshot_digest=run.data_digest,
        )


def _fail(seen: Observation, run: Run, reason: str, message: str) -> Effect | None:
    """The run ends without a verdict; the next look waits as long as after a training."""
    entry = _entry(seen, run, RunOutcome.FAILED, reason, message)
    recheck = seen.status.recheck
    if isinstance(seen.spec, Spec):
        recheck = _recheck(seen, seen.spec, run.data_digest)
        recheck = replace(recheck, time=max(recheck.time, seen.now + seen.spec.limits.cooldown))
    return _end(
        seen,
        entry,
        recheck,
        Note(
            EventReason.RUN_FAILED,
            f"Run {run.number} ({run.step.value}): {reason}. {message}",
            warning=True,
        ),
    )


def _end(
    seen: Observation, entry: HistoryEntry, recheck: Recheck | None, note: Note
) -> Effect | None:
    status = replace(seen.status, run=None, recheck=recheck, history=(entry, *seen.status.history))
    return _settle(seen, status, note, ended=entry)


def _entry(
    seen: Observation, run: Run, outcome: RunOutcome, reason: str, message: str
) -> HistoryEntry:
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
        trained=run.train_start_time is not None,
    )


# --- small parts ------------------------------------------------------------------------


def _with_job(identity: Identity, run: Run) -> Run:
    named = job_name(identity, run.number, run.step)
    return replace(run, job_name=named, stopping=None, report="")


def _find(seen: Observation, name: str) -> JobView | None:
    return next((job for job in seen.jobs or () if job.name == name), None)


def _terminal(job: JobView) -> bool:
    return job.phase in {JobPhase.COMPLETE, JobPhase.FAILED}


def _trouble(run: Run, spec: Spec) -> Degraded | None:
    trouble = run.trouble
    if trouble is None:
        return None
    low = isinstance(spec.metrics, Outcomes) or spec.metrics.threshold.min is not None
    bound = trouble.bound
    if bound is None:  # by a version that did not write it down
        assert isinstance(spec.metrics, Metrics)  # noqa: S101 - counters came later
        bound = spec.metrics.threshold.bound
    return Degraded(
        Reading(trouble.time, trouble.value, trouble.samples),
        trouble.breached,
        trouble.counted,
        ThresholdRange(min=bound) if low else ThresholdRange(max=bound),
        alarm=trouble.alarm,
        onset=trouble.onset,
    )


def _recheck(seen: Observation, spec: Spec, data_digest: str) -> Recheck:
    """Doubling while the data stay the same."""
    before = seen.status.recheck
    same = before is not None and before.data_digest == data_digest
    count = before.count + 1 if before is not None and same else 1
    longest = max(RECHECK_AT_MOST, spec.recheck_after)
    wait = min(spec.recheck_after * 2 ** min(count - 1, 16), longest)
    return Recheck(count, seen.now + wait, data_digest)


def _settle(
    seen: Observation,
    status: Status,
    *notes: Note,
    decided: Decision | None = None,
    ended: HistoryEntry | None = None,
) -> Effect | None:
    """Bring conditions and the last reading up to date; write only what changes."""
    refusal = refused(seen, Request.WRITE_STATUS, str(seen.generation))
    if refusal is not None and not is_due(seen, refusal):
        return _tell(seen, refusal)
    kept = seen.spec.history_runs if isinstance(seen.spec, Spec) else None
    settled = conditions(
        seen,
        replace(status, history=status.history[:kept], observed_generation=seen.generation),
    )
    if settled == seen.status:
        return None
    settled = _with_later_checkpoint(settled, seen.now)
    notes = (*notes, *transitions(seen.status, settled))
    return WriteStatus(settled, notes, decided, ended)


def _tell(seen: Observation, refusal: Refusal) -> Effect | None:
    """What was to be written was refused: write nothing but that, if even this is taken."""
    told = conditions(seen, replace(seen.status, observed_generation=seen.generation))
    if told == seen.status or not is_told(refusal):
        return None
    write = WriteStatus(told, transitions(seen.status, told), instead=True)
    return None if waits(seen, write) else write


def _with_later_checkpoint(status: Status, now: datetime) -> Status:
    """Where the test is rebuilt from rides on other writes."""
    monitor = status.monitor
    if monitor is None:
        return status
    later = beginning(monitor.checkpoint_time, now)
    return replace(status, monitor=replace(monitor, checkpoint_time=later))

"""A diagnosis is in: decide, and write the decision before anything acts on it."""

from dataclasses import replace
from typing import Final

from maintenance_contract import ContractError, Operation, Outcome, TrainingReport
from maintenance_core.decide.decision import decide
from maintenance_core.decide.training_plan import plan_for
from maintenance_core.lifecycle.jobs import job_name
from maintenance_core.lifecycle.observation import Observation
from maintenance_core.lifecycle.run import (
    champion_changed,
    degraded_by,
    find,
    history_entry,
    next_number,
    read_report,
    request_of_step,
    with_job,
)
from maintenance_core.lifecycle.settle import end, later_recheck, settle
from maintenance_core.model import (
    Action,
    Decision,
    Effect,
    HistoryEntry,
    Note,
    Run,
    RunOutcome,
    Situation,
    Spec,
    Step,
    Trigger,
)
from maintenance_core.reasons import EventReason, ReadyReason, VerdictReason
from maintenance_core.spec_digest import digest_of

RUN_NUMBER_TAKEN: Final = "RunNumberTaken"
STORE_IN_USE: Final = "StoreInUse"
_BEGINS: Final = {Action.IMPORT: EventReason.IMPORT_STARTED}


def diagnosed(seen: Observation, run: Run, spec: Spec, report: TrainingReport) -> Effect | None:
    """The diagnosis is in: decide, and write the decision before anything acts on it."""
    if report.outcome is Outcome.FAILED and report.reason == RUN_NUMBER_TAKEN:
        number = max(run.number, report.store.highest_run) + 1
        again = with_job(
            seen.identity, replace(run, number=number, job_uid="", step=Step.DIAGNOSE, subject=None)
        )
        return settle(seen, replace(seen.status, run=again))
    if champion_changed(seen, run):
        return _of_another_champion(seen, run)
    decision = decide(
        Situation(
            number=run.number,
            trigger=run.trigger,
            spec=spec,
            report=report,
            now=seen.now,
            degraded=degraded_by(run, spec),
            champion=seen.status.champion,
            history=seen.status.history,
            escalated_from=run.escalated_from,
            generation=run.generation,
            spec_digest=digest_of(run.spec),
        )
    )
    if report.outcome is Outcome.FAILED and report.reason == STORE_IN_USE:
        decision = replace(decision, reason=ReadyReason.STORE_IN_USE)
    return decided(
        seen,
        replace(run, snapshot_run=run.number, data_digest=report.snapshot_digest),
        spec,
        decision,
    )


def _of_another_champion(seen: Observation, run: Run) -> Effect | None:
    """What was found is of a version that is not in service any more: nothing is trained on it."""
    reason = VerdictReason.CHAMPION_CHANGED
    message = f"{reason.sentence} Nothing was trained."
    entry = history_entry(seen, run, RunOutcome.STOPPED, reason, message)
    note = Note(EventReason.RUN_STOPPED, f"Run {run.number}: {message}")
    return end(seen, entry, seen.status.recheck, note)


def decided(
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
    note = Note(
        EventReason.DECIDED,
        f"Run {decision.number}: {decision.action.value} ({decision.reason}). {decision.message}",
        warning=decision.action is Action.BLOCKED,
    )
    if decision.action.training is None:
        status = replace(status, run=None, recheck=later_recheck(seen, spec, run.data_digest))
    else:
        status = replace(
            status,
            run=with_job(
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
    return settle(seen, status, note, *notes, decided=decision, ended=ended)


def escalate(
    seen: Observation, run: Run, spec: Spec, entry: HistoryEntry, rejected: Note
) -> Effect | None:
    """A rejected fine-tune escalates once: a new number, the same snapshot, a retrain."""
    number = max(next_number(seen), run.number + 1)
    report = diagnosis_of(seen, run, spec)
    decision = decide(
        Situation(
            number=number,
            trigger=Trigger.ESCALATION,
            spec=spec,
            report=report,
            now=seen.now,
            degraded=degraded_by(run, spec),
            champion=seen.status.champion,
            history=(entry, *seen.status.history),
            escalated_from=run.number,
            generation=run.generation,
            spec_digest=digest_of(run.spec),
        )
    )
    if report.diagnosis is None:
        decision = _with_path_of(seen.status.decision, decision, spec)
    retrain = replace(
        run,
        number=number,
        trigger=Trigger.ESCALATION,
        start_time=seen.now,
        escalated_from=run.number,
        snapshot_run=run.snapshot_run or run.number,
    )
    return decided(seen, retrain, spec, decision, rejected, ended=entry)


def _with_path_of(before: Decision | None, decision: Decision, spec: Spec) -> Decision:
    """The answers that the fine-tune was decided on, where nothing else has them any more."""
    if before is None or decision.action.training is None:
        return decision
    told = replace(decision, path=before.path, power=before.power)
    return replace(told, plan=plan_for(told, spec))


def diagnosis_of(seen: Observation, run: Run, spec: Spec) -> TrainingReport:
    """The diagnosis a fine-tune was decided on; without its numbers where its Job is gone.

    It is of the run that took the snapshot: what ran out of memory went on under another number.
    """
    run = replace(run, number=run.snapshot_run or run.number, half_batches=False)
    asked = request_of_step(seen, run, spec, Step.DIAGNOSE)
    job = find(seen, job_name(seen.identity, run.number, Step.DIAGNOSE))
    try:
        if job is None:
            return read_report("", asked)
        return read_report(job.message or "", asked, job.request_digest)
    except ContractError:
        return TrainingReport(
            Operation.DIAGNOSE,
            run.number,
            asked.digest,
            Outcome.SUCCEEDED,
            snapshot_digest=run.data_digest,
        )

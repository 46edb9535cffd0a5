"""A challenger is scored: the gate judges, then it is promoted or refused, or tried once more."""

from dataclasses import replace
from typing import Final

from maintenance_contract import Outcome, TrainingReport
from maintenance_contract.kinds import WITHOUT_BATCHES
from maintenance_core.decide.brakes import runs_left
from maintenance_core.decide.gate import gate_for, judge
from maintenance_core.lifecycle.diagnosed import decided, escalate
from maintenance_core.lifecycle.observation import Observation
from maintenance_core.lifecycle.promotion import promote
from maintenance_core.lifecycle.run import champion_changed, history_entry, next_number, plan_of_run
from maintenance_core.lifecycle.settle import end, fail, later_recheck, settle
from maintenance_core.model import Action, Effect, Note, Run, RunOutcome, Spec, Step, Verdict
from maintenance_core.numbers import shortened
from maintenance_core.reasons import EventReason, RunReason, VerdictReason

OUT_OF_MEMORY: Final = (
    "Raise the memory limit, or lower per_device_train_batch_size and raise "
    "gradient_accumulation_steps as much."
)


TABLE_OUT_OF_MEMORY: Final = "Raise the memory limit: no smaller batch makes boosting need less."
IMPORT_OUT_OF_MEMORY: Final = "Raise the memory limit of spec.diagnosis.resources."


def trained(seen: Observation, run: Run, spec: Spec, report: TrainingReport) -> Effect | None:
    """The challenger is scored: let the gate judge, then promote or refuse."""
    if report.outcome is Outcome.FAILED and report.reason == RunReason.OUT_OF_MEMORY:
        return retry_after_oom(seen, run, spec, report.message)
    if report.outcome is Outcome.FAILED:
        return fail(seen, run, report.reason or RunReason.JOB_FAILED, report.message)
    champion, plan = seen.status.champion, plan_of_run(seen, spec)
    if champion_changed(seen, run):
        verdict = Verdict(
            promote=False,
            reason=VerdictReason.CHAMPION_CHANGED,
            message=VerdictReason.CHAMPION_CHANGED.sentence,
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
        history_entry(seen, run, outcome, verdict.reason, _with_race(report, verdict, seen, spec)),
        version=report.candidate.version if report.candidate else None,
        train_seconds=report.timings.get("train"),
        new=verdict.new,
        old=verdict.old,
    )
    if verdict.promote and report.candidate is not None:
        status, note = promote(seen, run, spec, report.candidate, entry)
        return settle(seen, status, note, ended=entry)
    rejected = Note(EventReason.REJECTED, f"Run {run.number}: {verdict.message}", warning=True)
    # A retrain has been in the race, or would see the same few rows: contradicted ones stay out.
    tried = plan.race or plan.exclude_contradicted
    escalates = run.action is Action.FINE_TUNE and not tried and not seen.suspended
    if escalates and verdict.reason != VerdictReason.CHAMPION_CHANGED:
        return escalate(seen, run, spec, entry, rejected)
    return end(seen, entry, later_recheck(seen, spec, run.data_digest), rejected)


def _with_race(report: TrainingReport, verdict: Verdict, seen: Observation, spec: Spec) -> str:
    """The verdict's message, with what won the race where there was one."""
    if not plan_of_run(seen, spec).race or report.candidate is None:
        return verdict.message
    winner = f"{report.candidate.action.value} won the race. {report.message}"
    return shortened(f"{winner} {verdict.message}")


def _why_not_again(seen: Observation, run: Run) -> str:
    """What has changed during the run so that another try would be in vain; empty for nothing."""
    if seen.suspended:
        return "Not tried again: spec.suspend is true."
    if champion_changed(seen, run):
        return f"Not tried again: {VerdictReason.CHAMPION_CHANGED.sentence}"
    return ""


def retry_after_oom(seen: Observation, run: Run, spec: Spec, message: str) -> Effect | None:
    """Memory ran out: once more with half the batch, under a new number; then a person must act."""
    decision, reason = seen.status.decision, RunReason.OUT_OF_MEMORY
    entry = history_entry(seen, run, RunOutcome.FAILED, reason, message)
    history = (entry, *seen.status.history)
    if run.action is Action.IMPORT:
        return fail(seen, run, reason, f"{message} {IMPORT_OUT_OF_MEMORY}")
    if spec.task in WITHOUT_BATCHES:
        return fail(seen, run, reason, f"{message} {TABLE_OUT_OF_MEMORY}")
    trained = run.step is Step.TRAIN or run.subject is Step.TRAIN
    if not trained or decision is None or run.half_batches:
        return fail(seen, run, reason, f"{message} {OUT_OF_MEMORY}")
    held = _why_not_again(seen, run)
    if not held and runs_left(history, spec.limits, seen.now) < 1:
        held = "spec.limits.runs allows no other try for now."
    if held:
        return fail(seen, run, reason, f"{message} {held}")
    number = max(next_number(seen), run.number + 1)
    again = replace(
        run,
        number=number,
        start_time=seen.now,
        snapshot_run=run.snapshot_run or run.number,
        half_batches=True,
    )
    why = f"Run {run.number} ran out of memory: the same with half the batch, accumulated twice."
    return decided(
        seen,
        again,
        spec,
        replace(
            decision, number=number, time=seen.now, message=shortened(f"{why} {decision.message}")
        ),
        Note(EventReason.RUN_FAILED, f"Run {run.number}: {reason}. {message} {why}", warning=True),
        ended=entry,
    )

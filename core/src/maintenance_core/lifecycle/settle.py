"""What a pass leaves behind: conditions brought up to date, and only what changed is written."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from maintenance_core.errors import SpecError
from maintenance_core.lifecycle.conditions import conditions, transitions
from maintenance_core.lifecycle.kept_history import kept_history
from maintenance_core.lifecycle.observation import Observation
from maintenance_core.lifecycle.refusals import is_due, is_told, refused, waits
from maintenance_core.lifecycle.run import history_entry
from maintenance_core.model import (
    WITHOUT_A_DROP,
    Decision,
    Effect,
    Healthy,
    HistoryEntry,
    Note,
    OutcomeCounters,
    Recheck,
    Refusal,
    Request,
    Run,
    RunOutcome,
    Spec,
    Status,
    Trigger,
    WriteStatus,
)
from maintenance_core.reasons import EventReason
from maintenance_core.spec import parse
from maintenance_core.spec_digest import digest_of
from maintenance_core.watch.assess import baseline_of, metric_digest
from maintenance_core.watch.counters import beginning, digest, level, still_holds

RECHECK_AT_MOST: Final = timedelta(hours=24)


def settle(
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
    status = _with_monitor(seen, status)
    settled = conditions(seen, replace(status, observed_generation=seen.generation))
    if settled == seen.status:
        return None
    settled = replace(settled, history=kept_history(seen, settled))  # time alone writes nothing
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


def _with_monitor(seen: Observation, status: Status) -> Status:
    """Remember what counters tell of the champion when it was new, whatever they say of it now.

    It rides on whatever is written, once a version: a restart would look for it in Prometheus,
    which may have forgotten it by then.
    """
    champion, found = status.champion, seen.assessment.monitor
    metrics = seen.spec.metrics if isinstance(seen.spec, Spec) else None
    if champion is None or found is None or not isinstance(metrics, OutcomeCounters):
        return status
    if status.monitor is not None and still_holds(metrics, champion, status.monitor):
        # A digest of a release before holds its server and interval, which may be changed later.
        return replace(status, monitor=replace(status.monitor, counter=digest(metrics)))
    if not still_holds(metrics, champion, found):
        return status
    champion = replace(champion, baseline=level(found.reference))
    return replace(status, champion=champion, monitor=found)


def with_baseline(seen: Observation) -> Status:
    """Remember what the champion achieves when it is new, if ``maxDrop`` needs that."""
    status, found = seen.status, seen.assessment
    champion = status.champion
    if champion is None or not isinstance(seen.spec, Spec) or not isinstance(found, Healthy):
        return status
    metrics = seen.spec.metrics
    if isinstance(metrics, OutcomeCounters):
        return status
    known = baseline_of(metrics, status) is not None
    if metrics.max_drop is None or known or found.level is None:
        return status
    baseline = replace(found.level, metric=metric_digest(metrics))
    return replace(status, champion=replace(champion, baseline=baseline), monitor=None)


def later_recheck(seen: Observation, spec: Spec, data_digest: str) -> Recheck:
    """Doubling while the data stay the same, until the spec is another one for trainings.

    Looks that no drop brought about do not make those longer that one does.
    """
    before = seen.status.recheck
    same = before is not None and before.data_digest == data_digest and not _first_of_a_drop(seen)
    count = before.count + 1 if before is not None and same else 1
    longest = max(RECHECK_AT_MOST, spec.recheck_after)
    wait = min(spec.recheck_after * 2 ** min(count - 1, 16), longest)
    return Recheck(count, seen.now + wait, data_digest, seen.spec_digest)


def _first_of_a_drop(seen: Observation) -> bool:
    """Whether the run is the first that a drop brought about, after others."""
    run, last = seen.status.run, seen.status.decision
    return (
        run is not None
        and run.trigger is Trigger.PERFORMANCE_DROP
        and last is not None
        and last.number < run.number
        and last.trigger in WITHOUT_A_DROP
        and not (seen.status.history and seen.status.history[0].number > last.number)
    )


def still_waiting(status: Status, generation: int, spec_digest: str) -> Status:
    """The status, without the wait for a recheck where that was earned by another spec.

    ``spec_digest`` is empty as long as the spec cannot be followed: then the wait stands, for the
    spec from before may come back.
    """
    recheck = status.recheck
    if recheck is None or not spec_digest or status.observed_generation in {-1, generation}:
        return status
    return status if recheck.earned_by(spec_digest) else replace(status, recheck=None)


def end(
    seen: Observation, entry: HistoryEntry, recheck: Recheck | None, note: Note
) -> Effect | None:
    """The run is over, and kept in the history."""
    status = replace(seen.status, run=None, recheck=recheck, history=(entry, *seen.status.history))
    return settle(seen, status, note, ended=entry)


def _spec_held_to(seen: Observation, run: Run) -> tuple[Spec, str] | None:
    """The spec that says how long to pause, and its digest: the present, or else the run's own.

    A spec that cannot be followed for a while, as by a slip, ends no pause.
    """
    if isinstance(seen.spec, Spec):
        return seen.spec, seen.spec_digest
    try:
        return parse(run.spec), digest_of(run.spec)
    except SpecError:
        return None


def fail(seen: Observation, run: Run, reason: str, message: str) -> Effect | None:
    """The run ends without a verdict; the next look waits as long as after a training."""
    entry = history_entry(seen, run, RunOutcome.FAILED, reason, message)
    recheck, held_to = seen.status.recheck, _spec_held_to(seen, run)
    if held_to is not None:
        spec, digest = held_to
        recheck = later_recheck(seen, spec, run.data_digest)
        paused = max(recheck.time, seen.now + spec.limits.cooldown)
        recheck = replace(recheck, time=paused, spec_digest=digest)
    return end(
        seen,
        entry,
        recheck,
        Note(
            EventReason.RUN_FAILED,
            f"Run {run.number} ({run.step.value}): {reason}. {message}",
            warning=True,
        ),
    )

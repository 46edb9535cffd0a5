"""A run begins: its number is written and its spec frozen, before its first Job."""

from dataclasses import replace
from datetime import datetime
from typing import Final

from maintenance_core.decide.explain import shown
from maintenance_core.lifecycle.observation import Observation
from maintenance_core.lifecycle.run import next_number, reference_to, with_job
from maintenance_core.lifecycle.settle import settle
from maintenance_core.lifecycle.triggers import onset
from maintenance_core.model import Breach, Degraded, Effect, Note, Run, Step, Trigger
from maintenance_core.numbers import reading
from maintenance_core.reasons import EventReason
from maintenance_core.watch.common_cause import CommonCause

_WHY: Final = {
    Trigger.INITIAL: "there is no champion yet",
    Trigger.SCHEDULE: "it is time by spec.triggers.schedule",
    Trigger.NEW_DATA: "enough labels have arrived (spec.triggers.newData)",
}


def begin(seen: Observation, trigger: Trigger) -> Effect | None:
    """Write the run's number and freeze its spec, before its first Job."""
    status = seen.status
    number = next_number(seen)
    down = seen.assessment if isinstance(seen.assessment, Degraded) else None
    if seen.common_cause is not CommonCause.ALLOW:
        down = None  # the metric is in doubt: the rows are to answer
    run = with_job(
        seen.identity,
        Run(
            number=number,
            trigger=trigger,
            step=Step.DIAGNOSE,
            start_time=seen.now,
            spec=seen.raw_spec,
            generation=seen.generation,
            champion=reference_to(status.champion),
            breach=_as_breach(down, onset(seen) if down is not None else None),
        ),
    )
    why = _WHY.get(trigger) or (_down(down) if down is not None else "it is time")
    return settle(
        seen,
        replace(status, run=run),
        Note(EventReason.DIAGNOSIS_STARTED, f"Run {number} begins, because {why}."),
    )


def _as_breach(down: Degraded | None, onset: datetime | None) -> Breach | None:
    if down is None:
        return None
    latest = down.reading
    return Breach(
        latest.time,
        latest.value,
        down.breached,
        down.counted,
        latest.samples,
        down.threshold.bound,
        down.alarm,
        onset,
    )


def _down(down: Degraded) -> str:
    if down.alarm is not None:
        return shown(down.alarm)
    side = "below" if down.threshold.min is not None else "above"
    samples = "" if down.reading.samples is None else f" ({down.reading.samples:.0f} samples)"
    bound = reading(down.threshold.bound)
    return (
        f"performance {reading(down.reading.value)}{samples} was {side} {bound} "
        f"in {down.breached} of {down.counted} readings"
    )

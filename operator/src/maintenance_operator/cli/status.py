"""``kubectl mm status``: one resource explained, or several in a table. Values in, text out."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from maintenance_contract.evidence_names import in_words
from maintenance_core import status as status_json
from maintenance_core.decide.explain import shown
from maintenance_core.decide.findings import TOO_FEW
from maintenance_core.decide.worth import could_show
from maintenance_core.model import (
    Assessment,
    Degraded,
    Healthy,
    HistoryEntry,
    PathStep,
    Reading,
    Spec,
    StatusEvidence,
    Step,
    ThresholdRange,
    Unknown,
)
from maintenance_core.numbers import duration, figure, moment
from maintenance_operator.cli.history import what_ran
from maintenance_operator.cli.layout import NOTHING, Page, Tone, clean, paragraph, span, table
from maintenance_operator.cli.outlook import (
    SENTENCES,
    ActionNeeded,
    Next,
    State,
    actions_needed,
    bound,
    outlook,
    state,
)
from maintenance_operator.cli.resource import LiveJob, Resource

_LABEL: Final = 14
_TONES: Final = {
    State.DELETING: Tone.CARE,
    State.UNSEEN: Tone.CARE,
    State.STALLED: Tone.BAD,
    State.SUSPENDED: Tone.CARE,
    State.DIAGNOSING: Tone.BUSY,
    State.IMPORTING: Tone.BUSY,
    State.QUEUED: Tone.BUSY,
    State.MOUNT_FAILED: Tone.BAD,
    State.JOB_REFUSED: Tone.BAD,
    State.FOREIGN_POD: Tone.BAD,
    State.HELD: Tone.CARE,
    State.ENDING: Tone.BUSY,
    State.TRAINING: Tone.BUSY,
    State.REPORTING: Tone.BUSY,
    State.NO_METRIC: Tone.CARE,
    State.DEGRADED: Tone.BAD,
    State.NO_MODEL: Tone.CARE,
    State.DOUBTFUL: Tone.CARE,
    State.HEALTHY: Tone.GOOD,
}
HEADER: Final = ("NAME", "STATE", "READING", "BOUND", "VERSION", "RUN", "DECISION", "NEXT")


@dataclass(frozen=True, slots=True)
class View:
    """A resource and what was looked up for it. ``live``: an assessment just made, if asked for."""

    resource: Resource
    now: datetime
    job: LiveJob | None = None
    live: Assessment | None = None


# --- one, explained ---------------------------------------------------------------------


def explained(view: View, page: Page) -> str:
    """Where it stands, from which numbers, what happens next, and what a person must do."""
    resource = view.resource
    word = state(resource)
    name = f"{resource.identity.namespace}/{resource.identity.name}"
    waits = " It waits for you." if actions_needed(resource, view.now, view.job) else ""
    head = paragraph(f"{name} {SENTENCES[word]}.{waits}", page)
    parts = [page.paint(head, _TONES[word]), ""]
    for label, lines in (
        ("Performance", _performance(view)),
        ("In service", _champion(view)),
        ("Run", _run(view)),
        ("Decision", _decision(view)),
        ("Last run", _last_run(view)),
        ("Next", [_told(outlook(resource, view.now, view.job), view.now)]),
        ("You", _yours(actions_needed(resource, view.now, view.job))),
    ):
        parts += _section(label, list(lines), page)
    return "\n".join(parts)


def _section(label: str, lines: Sequence[str], page: Page) -> list[str]:
    """A label at the left of its paragraphs."""
    indent = " " * _LABEL
    told = [
        paragraph(line, page, indent=indent, first=label.ljust(_LABEL) if number == 0 else indent)
        for number, line in enumerate(lines)
    ]
    if told and page.colour:
        told[0] = page.paint(label, Tone.STRONG) + told[0].removeprefix(label)
    return told


def _performance(view: View) -> Iterator[str]:
    status, threshold = view.resource.status, bound(view.resource)
    if view.live is not None:
        yield _assessed(view.live, threshold, view.now)
        return
    unread = view.resource.unread
    if unread is not None:
        yield f"no reading: {unread.reason}, for {span(view.now - unread.last_transition_time)}"
    if status.performance is not None:
        before = "last known " if unread is not None else ""
        yield before + _reading(status.performance, threshold, view.now)
    elif unread is None:
        yield "not read yet"


def _assessed(assessment: Assessment, threshold: ThresholdRange | None, now: datetime) -> str:
    match assessment:
        case Unknown(reason=reason, message=message):
            return f"no reading: {reason}. {message}"
        case Degraded(reading=reading, alarm=alarm) if alarm is not None:
            return f"{_reading(reading, threshold, now)}; {shown(alarm)}"
        case Healthy(reading=reading, monitor=monitor) if monitor is not None:
            return f"{_reading(reading, threshold, now)}; the test of the counters is quiet"
        case Degraded(reading=reading) | Healthy(reading=reading):
            bad = f"{assessment.breached} of {assessment.counted} readings are bad"
            return f"{_reading(reading, threshold, now)}; {bad}"


def _reading(reading: Reading, threshold: ThresholdRange | None, now: datetime) -> str:
    """``0.87, floor 0.9, on 1250 samples, read 12m ago (…)``."""
    samples = "" if reading.samples is None else f", on {figure(reading.samples)} samples"
    bound = "" if threshold is None else f", {_bound(threshold)}"
    return (
        f"{figure(reading.value)}{bound}{samples}, read {span(now - reading.time)} ago "
        f"({moment(reading.time)})"
    )


def _bound(threshold: ThresholdRange) -> str:
    return f"{'floor' if threshold.min is not None else 'ceiling'} {figure(threshold.bound)}"


def _champion(view: View) -> Iterator[str]:
    champion = view.resource.status.champion
    if champion is None:
        yield "no version yet"
        return
    yield (
        f"version {champion.version} by {champion.action.value}, for "
        f"{span(view.now - champion.promoted_time)} (since {moment(champion.promoted_time)}), in "
        f"{champion.storage_uri}"
    )
    if isinstance(view.resource.spec, Spec) and view.resource.spec.initial_model is not None:
        yield "spec.model.initialModel is not looked at any more: it is for a first version alone"


def _run(view: View) -> Iterator[str]:
    run, job = view.resource.status.run, view.job
    if run is None:
        yield "none is live"
        return
    action = f" ({run.action.value})" if run.action is not None and run.step is Step.TRAIN else ""
    began = run.train_start_time if run.step is Step.TRAIN else None
    yield (
        f"{run.number}, {run.step.value}{action} for {span(view.now - (began or run.start_time))}, "
        f"begun {moment(run.start_time)} because of {run.trigger.value}"
    )
    if run.job_name:
        waits = f"; it waits: {job.waiting_for}" if job is not None and job.waiting_for else ""
        yield f"Job {run.job_name}{waits}"


def _decision(view: View) -> Iterator[str]:
    decision = view.resource.status.decision
    if decision is None:
        yield "none yet"
        return
    escalated = "" if decision.escalated_from is None else f" from run {decision.escalated_from}"
    yield (
        f"{decision.number}: {decision.action.value} ({decision.reason}), "
        f"{span(view.now - decision.time)} ago, because of {decision.trigger.value}{escalated}"
    )
    yield decision.message
    if decision.power is not None:
        yield could_show(decision.power)
    for step in decision.path:
        yield path_step(step)
    for other in decision.rejected:
        yield f"not {other.action.value}: {other.because}"


def path_step(step: PathStep) -> str:
    """``ConceptDrift? Minor: errorChange 0.12 (threshold 0.1, p 0.001, n 300)``."""
    numbers = "; ".join(map(_evidence, step.evidence))
    return f"{step.question.value}? {step.answer.value}{': ' if numbers else ''}{numbers}"


def _evidence(evidence: StatusEvidence) -> str:
    if evidence.name in TOO_FEW:
        return f"{evidence.value} {in_words(evidence.name)}"
    ends = f"{evidence.lower} to {evidence.upper}"
    parts = [
        ends if evidence.lower and evidence.upper else "",
        evidence.threshold and f"threshold {evidence.threshold}",
        evidence.p_value and f"p {evidence.p_value}",
        "" if evidence.n is None else f"n {evidence.n}",
    ]
    told = ", ".join(filter(None, parts))
    return f"{evidence.name} {evidence.value}{f' ({told})' if told else ''}"


def _last_run(view: View) -> Iterator[str]:
    if not view.resource.status.history:
        yield "none has ended yet"
        return
    entry: HistoryEntry = view.resource.status.history[0]
    yield (
        f"{entry.number}: {what_ran(entry)} {entry.outcome.value} ({entry.reason}), "
        f"{span(view.now - entry.end_time)} ago"
    )
    yield entry.message


def _told(coming: Next, now: datetime) -> str:
    if coming.time is None:
        return coming.what if coming.what.endswith(".") else f"{coming.what}."
    when = "now" if coming.time <= now else f"in {span(coming.time - now)}"
    latest = " at the latest" if coming.latest else ""
    return f"{coming.what}: {when}{latest} ({moment(coming.time)})."


def _yours(mine: Sequence[ActionNeeded]) -> list[str]:
    if not mine:
        return ["nothing to do."]
    return [f"{task.what} (runbook: {task.reason})" for task in mine]


# --- several, in a table ----------------------------------------------------------------


def listed(views: Sequence[View], page: Page, *, namespaces: bool) -> str:
    """A line each."""
    header = (("NAMESPACE",) if namespaces else ()) + HEADER
    rows = [
        ((view.resource.identity.namespace,) if namespaces else ()) + _row(view) for view in views
    ]
    text = table(header, rows, page)
    waiting = sum(bool(actions_needed(view.resource, view.now)) for view in views)
    if not waiting:
        return text
    hint = "1 waits" if waiting == 1 else f"{waiting} wait"
    return f"{text}\n\n{hint} for a person: kubectl mm status NAME says for what."


def _row(view: View) -> tuple[str, ...]:
    resource = view.resource
    status = resource.status
    run, decision = status.run, status.decision
    coming, threshold = outlook(resource, view.now), bound(resource)
    return (
        resource.identity.name,
        state(resource).value,
        figure(status.performance.value) if status.performance else NOTHING,
        _short_bound(threshold) if threshold is not None else NOTHING,
        str(status.champion.version) if status.champion else NOTHING,
        f"{run.number} {run.step.value} {span(view.now - run.start_time)}" if run else NOTHING,
        f"{decision.action.value} {decision.reason}" if decision else NOTHING,
        "in " + span(coming.time - view.now) if coming.time else NOTHING,
    )


def _short_bound(threshold: ThresholdRange) -> str:
    return f"{'>=' if threshold.min is not None else '<='}{figure(threshold.bound)}"


# --- for machines -----------------------------------------------------------------------


def document(view: View) -> dict[str, Any]:
    """The same as JSON."""
    resource, coming = view.resource, outlook(view.resource, view.now, view.job)
    written = status_json.write(resource.status)
    run = {key: value for key, value in (written.get("run") or {}).items() if key != "spec"}
    spec, threshold = resource.spec, bound(resource)
    told: dict[str, Any] = {
        "namespace": resource.identity.namespace,
        "name": resource.identity.name,
        "state": state(resource).value,
        "next": {"what": coming.what, "time": _timestamp(coming.time)},
        "tasks": [
            {"reason": str(task.reason), "what": clean(task.what)}
            for task in actions_needed(resource, view.now, view.job)
        ],
        "performance": written.get("performance"),
        "bound": None if threshold is None else {"min": threshold.min, "max": threshold.max},
        "interval": duration(spec.metrics.interval) if isinstance(spec, Spec) else None,
        "champion": written.get("champion"),
        "run": run or None,
        "decision": written.get("decision"),
        "lastRun": (written.get("history") or [None])[0],
    }
    return told


def _timestamp(time: datetime | None) -> str | None:
    return None if time is None else status_json.timestamp(time)

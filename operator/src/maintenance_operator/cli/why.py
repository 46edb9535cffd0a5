"""``kubectl mm why``: one decision, question by question. Values in, text or a picture out."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from maintenance_contract import Answer
from maintenance_contract import svg as drawing
from maintenance_contract.evidence_names import in_words
from maintenance_contract.flowchart import QUESTIONS, flowchart, title
from maintenance_core import status as status_json
from maintenance_core.decide.counterfactual import Change, Counterfactual, Turn, counterfactual
from maintenance_core.decide.explain import interval
from maintenance_core.decide.findings import TOO_FEW
from maintenance_core.decide.pivotal_tests import HypotheticalTest
from maintenance_core.lifecycle.records import record_of
from maintenance_core.model import (
    Action,
    Breach,
    Decision,
    HistoryEntry,
    Metrics,
    PathStep,
    Reading,
    Run,
    RunOutcome,
    Spec,
    StatusEvidence,
    Trigger,
)
from maintenance_core.numbers import figure, moment
from maintenance_core.reasons import DecisionReason
from maintenance_core.spec_digest import digest_of
from maintenance_core.watch.counters import as_gauge, bound_of
from maintenance_operator.cli.history import found, what_ran
from maintenance_operator.cli.layout import Page, Tone, paragraph
from maintenance_operator.cli.resource import Resource, parsed
from maintenance_operator.cli.timeline import Mark, Timeline, timeline

_LABEL: Final = 12
_CHANGES: Final = 5
_BEFORE: Final = 30
_AFTER: Final = 20
_MOST_READINGS: Final = 300
_TONES: Final = {
    Action.NONE: Tone.GOOD,
    Action.IMPORT: Tone.BUSY,
    Action.FINE_TUNE: Tone.BUSY,
    Action.RETRAIN: Tone.BUSY,
    Action.WAIT: Tone.CARE,
    Action.BLOCKED: Tone.BAD,
}


@dataclass(frozen=True, slots=True)
class Readings:
    """The metric at times of the grid, and where it is from: the title of the timeline."""

    points: tuple[tuple[datetime, float], ...] = ()
    note: str = ""


@dataclass(frozen=True, slots=True)
class Case:
    """A decision of a resource with what followed from it, as far as status tells.

    ``spec`` is the one that it was made by, if that can be read.
    """

    resource: Resource
    decision: Decision
    spec: Spec | None
    run: Run | None
    ended: HistoryEntry | None

    @property
    def name(self) -> str:
        """Whose decision it is."""
        return f"{self.resource.identity.namespace}/{self.resource.identity.name}"


def case_of(resource: Resource, number: int | None) -> Case | None:
    """The decision that status holds whole, if it is the one asked for."""
    decision, run = resource.status.decision, resource.status.run
    if decision is None or number not in {None, decision.number}:
        return None
    live = run if run is not None and run.number == decision.number else None
    spec = parsed(live.spec) if live is not None else resource.spec
    return Case(
        resource,
        decision,
        spec if isinstance(spec, Spec) else None,
        live,
        found(resource, decision.number),
    )


def known(resource: Resource) -> str:
    """Which decisions can be asked for."""
    decision = resource.status.decision
    whole = "none" if decision is None else str(decision.number)
    numbers = [str(entry.number) for entry in resource.status.history]
    older = [number for number in numbers if number != whole]
    return f"whole: {whole}; its outcome only: {', '.join(older) or 'none'}"


# --- in words ---------------------------------------------------------------------------


def explained(case: Case, page: Page) -> str:
    """The way to the decision, what was not done and why, and what would have changed it."""
    decision = case.decision
    origin = "" if decision.escalated_from is None else f" of run {decision.escalated_from}"
    head = (
        f"{case.name}, decision {decision.number} of {moment(decision.time)}, because of "
        f"{decision.trigger.value}{origin}: {decision.action.value} ({decision.reason})"
    )
    parts = [page.paint(paragraph(head, page), _TONES[decision.action]), ""]
    for number, step in enumerate(_questions(decision), 1):
        parts += _question(number, step, page)
    if len(decision.path) <= 2:  # noqa: PLR2004 - the first and the last question
        parts.append(paragraph("The causes were not asked.", page, indent="   "))
    parts.append("")
    parts += _section("Decided", [decision.message], page)
    parts += _section(
        "Not", [f"{other.action.value}: {other.because}" for other in decision.rejected], page
    )
    parts += _section("Otherwise", list(otherwise(case)), page)
    parts += _section("Then", list(_then(case)), page)
    return "\n".join(parts)


def _questions(decision: Decision) -> list[PathStep]:
    return [step for step in decision.path if step.question in QUESTIONS]


def _question(number: int, step: PathStep, page: Page) -> Iterator[str]:
    name, plain = QUESTIONS[step.question]
    yield paragraph(
        f"{name} {step.answer.value}. ({plain})", page, indent="   ", first=f"{number}. "
    )
    for evidence in step.evidence:
        yield paragraph(measured(evidence), page, indent="       ", first="     - ")
    if step.answer is Answer.UNDETERMINED:
        yield paragraph(undetermined(step), page, indent="       ", first="     - ")


def undetermined(step: PathStep) -> str:
    """Why a question has no answer."""
    if any(evidence.p_value for evidence in step.evidence):
        return (
            "Neither shown nor excluded: a p-value is too large for Yes, and the interval too wide "
            "for No. More newly labelled rows make it narrower."
        )
    if any(evidence.name in TOO_FEW for evidence in step.evidence):
        return "No test is made of so few rows: label more."
    return "No test was made: these rows have nothing that could be compared."


def measured(evidence: StatusEvidence) -> str:
    """``outsideSupport 0.18 on 1000 rows, threshold 0.05, p <0.0001: share of new rows …``."""
    parts = (
        f"{evidence.name} {evidence.value}{interval(evidence)}",
        evidence.threshold and f"threshold {evidence.threshold}",
        evidence.p_value and f"p {evidence.p_value}",
        "" if evidence.n is None else f"n {evidence.n}",
    )
    return f"{', '.join(filter(None, parts))}: {in_words(evidence.name)}"


def _section(label: str, lines: Sequence[str], page: Page) -> Iterator[str]:
    indent = " " * _LABEL
    for number, line in enumerate(lines):
        first = label.ljust(_LABEL) if number == 0 else indent
        yield paragraph(line, page, indent=indent, first=first)


def otherwise(case: Case) -> Iterator[str]:
    """What would have changed the decision, by the rules themselves."""
    if case.spec is None:
        yield "not known: the spec cannot be read, so the rules cannot be asked again."
        return
    would = counterfactual(case.decision, case.spec)
    if would.asked is None:
        yield "the decision did not turn on the questions; see what was decided."
        return
    if not would.decided:
        yield (
            f"The answers alone ask for {would.asked.action.value} ({would.asked.reason}). What "
            f"stood against it: {_sentence(case.decision.reason)}"
        )
    for change in would.changes[:_CHANGES]:
        yield _changed(change, would)
    for turn in would.turns[:_CHANGES]:
        yield _turned(turn, would)
    if not would.changes and not would.turns:
        yield "no single other answer would have changed what the rules ask for."
    spec = case.resource.generation, digest_of(case.resource.raw_spec)
    if case.ended is not None and not case.ended.held_to(*spec):
        yield "(The spec has changed since; the rules were asked by the spec as it is now.)"


def _changed(change: Change, would: Counterfactual) -> str:
    then = _instead(change, would)
    question = f"{change.question.value} {change.after.value}"
    if not change.evidence:
        return f"Had the rows answered {question} instead of {change.before.value}, {then}."
    milder = change.after is Answer.NO or change.before is Answer.MAJOR
    side = "below" if milder else "at least"
    numbers = " and ".join(
        f"{evidence.name} been {side} {evidence.threshold} instead of {evidence.value}"
        for evidence in change.evidence
    )
    shown = "" if milder else ", and clearly so"
    return f"Had {numbers}{shown} ({question}), {then}."


def _turned(turn: Turn, would: Counterfactual) -> str:
    tests = " and ".join(
        f"{test.name} {_hypothetical(move)} ({_as_it_was(test)})" for test, move in turn.tests
    )
    return f"Had {tests}, {_instead(turn, would)}."


def _hypothetical(move: HypotheticalTest) -> str:
    if move.at_least is not None:
        return f"been shown at {figure(move.at_least)} or more"
    if move.below is not None:
        return f"been shown below {figure(move.below)}"
    return "been shown" if move.shown else "shown nothing"


def _instead(other: Change | Turn, would: Counterfactual) -> str:
    asked = "it would have been" if would.decided else "the answers would ask for"
    return f"{asked} {other.action.value} ({other.reason})"


def _as_it_was(test: StatusEvidence) -> str:
    return f"it was {test.value}{f', p {test.p_value}' if test.p_value else ''}"


def _sentence(reason: str) -> str:
    sentence = next((known.sentence for known in DecisionReason if known == reason), "")
    return f"{reason}. {sentence}".strip()


def _then(case: Case) -> Iterator[str]:
    if case.run is not None:
        yield f"run {case.run.number} is live ({case.run.step.value})."
    elif case.ended is not None:
        yield outcome(case.ended)
    else:
        yield "nothing was trained."


def outcome(entry: HistoryEntry) -> str:
    """How a run ended."""
    return (
        f"run {entry.number}: {what_ran(entry)} {entry.outcome.value} ({entry.reason}), "
        f"{moment(entry.end_time)}. {entry.message}"
    )


def remembered(resource: Resource, entry: HistoryEntry, page: Page) -> str:
    """An older run: status has its outcome, the store its decision."""
    name = resource.identity.name
    storage = resource.spec.storage if isinstance(resource.spec, Spec) else "the store"
    head = f"{resource.identity.namespace}/{name}, run {entry.number}, of {entry.trigger.value}"
    where = (
        "Status holds the way to the last decision only. That of this run lies in its folder, "
        f"{storage}/runs/{entry.number}/: decision.svg and decision.json, and the numbers whole in "
        "diagnosis.json. With the file at hand, the same as for the last one: kubectl mm why "
        f"{name} --record decision.json"
    )
    lines = [head, outcome(entry), where]
    return "\n".join(paragraph(line, page) for line in lines)


# --- for machines -----------------------------------------------------------------------


def document(case: Case, readings: Readings) -> dict[str, Any]:
    """The same as JSON: the decision as status has it, and what would have changed it."""
    written = status_json.write(case.resource.status)
    would = None if case.spec is None else counterfactual(case.decision, case.spec)
    return {
        "namespace": case.resource.identity.namespace,
        "name": case.resource.identity.name,
        "decision": written["decision"],
        "answersAskFor": None
        if would is None or would.asked is None
        else {"action": would.asked.action.value, "reason": str(would.asked.reason)},
        "decidedByAnswers": would is not None and would.decided,
        "changes": [] if would is None else [_change_out(change) for change in would.changes],
        "turns": [] if would is None else [_turn_out(turn) for turn in would.turns],
        "run": next(
            (
                entry
                for entry in written.get("history") or []
                if entry["number"] == case.decision.number
            ),
            None,
        ),
        "readings": [
            {"time": status_json.timestamp(time), "value": value} for time, value in readings.points
        ],
        "readingsNote": readings.note,
    }


def _change_out(change: Change) -> dict[str, Any]:
    return {
        "question": change.question.value,
        "before": change.before.value,
        "after": change.after.value,
        "action": change.action.value,
        "reason": change.reason,
        "evidence": [
            {"name": one.name, "value": one.value, "threshold": one.threshold}
            for one in change.evidence
        ],
        "distance": None if math.isinf(change.distance) else round(change.distance, 4),
    }


def _turn_out(turn: Turn) -> dict[str, Any]:
    return {
        "action": turn.action.value,
        "reason": turn.reason,
        "tests": [
            {
                "name": test.name,
                "value": test.value,
                "pValue": test.p_value,
                "shown": move.shown,
                "atLeast": move.at_least,
                "below": move.below,
            }
            for test, move in turn.tests
        ],
    }


# --- as a picture -----------------------------------------------------------------------


def picture(case: Case, readings: Readings, now: datetime) -> str:
    """The flowchart with the way taken, and the metric around the decision below it."""
    record = record_of(case.resource.identity, case.decision)
    drawings = [flowchart(record)]
    if case.spec is not None:
        drawings.append(timeline(_timeline(case, case.spec, readings, now)))
    return drawing.document(title(record), drawings)


def window(case: Case, metrics: Metrics, now: datetime) -> tuple[datetime, ...]:
    """Reading times around the decision, evenly spaced on the operator's grid, oldest first."""
    start, end = _window(case, metrics, now)
    seconds = int(metrics.interval.total_seconds())
    first, last = int(start.timestamp()) // seconds, int(end.timestamp()) // seconds
    every = max(1, math.ceil((last - first + 1) / _MOST_READINGS))
    zone = case.decision.time.tzinfo
    return tuple(
        datetime.fromtimestamp(index * seconds, zone) for index in range(first, last + 1, every)
    )


def _window(case: Case, metrics: Metrics, now: datetime) -> tuple[datetime, datetime]:
    decision, ended = case.decision, case.ended
    began = ended.start_time if ended is not None else decision.time
    over = ended.end_time if ended is not None else decision.time
    if case.run is not None:
        began, over = case.run.start_time, now
    return (
        min(began, decision.time) - max(_BEFORE, 2 * metrics.breach_of) * metrics.interval,
        min(now, max(over, decision.time) + _AFTER * metrics.interval),
    )


def remembered_readings(case: Case) -> tuple[tuple[datetime, float], ...]:
    """What status holds of the metric: the breach that began a live run, the last transition."""
    known: dict[datetime, float] = {}
    last: Reading | None = case.resource.status.performance
    breach: Breach | None = case.run.breach if case.run is not None else None
    for reading in (last, breach):
        if reading is not None and math.isfinite(reading.value):
            known[reading.time] = reading.value
    return tuple(sorted(known.items()))


def _timeline(case: Case, spec: Spec, readings: Readings, now: datetime) -> Timeline:
    metrics = as_gauge(spec.metrics, case.resource.status)
    times = window(case, metrics, now)
    start, end = _window(case, metrics, now)
    step = times[1] - times[0] if len(times) > 1 else metrics.interval
    return Timeline(
        tuple(point for point in readings.points if start <= point[0] <= end),
        bound_of(metrics, case.resource.status) or metrics.threshold,
        start,
        end,
        step,
        _training(case, now),
        tuple(_marks(case)),
        readings.note,
    )


def _training(case: Case, now: datetime) -> tuple[datetime, datetime] | None:
    if case.run is not None and case.run.train_start_time is not None:
        return case.run.train_start_time, now
    if case.ended is not None and case.ended.trained:
        seconds = timedelta(seconds=case.ended.train_seconds or 0.0)
        began = max(case.decision.time, case.ended.end_time - seconds)
        return began, case.ended.end_time
    return None


def _marks(case: Case) -> Iterator[Mark]:
    began = case.run or case.ended
    if began is not None:
        breach = "breach: " if case.decision.trigger is Trigger.PERFORMANCE_DROP else ""
        yield Mark(began.start_time, f"{breach}run {began.number} begins")
    yield Mark(case.decision.time, f"decision: {case.decision.action.value}")
    if case.ended is not None:
        version = (
            f" version {case.ended.version}" if case.ended.outcome is RunOutcome.PROMOTED else ""
        )
        yield Mark(case.ended.end_time, f"{case.ended.outcome.value.lower()}{version}")

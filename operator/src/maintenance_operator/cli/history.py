"""``kubectl mm history``: the runs of a resource. Values in, text out."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

from maintenance_contract.kinds import OF_CLASSES, metrics_of
from maintenance_core import status as status_json
from maintenance_core.model import Action, HistoryEntry, Run, Score, Step
from maintenance_core.numbers import figure, moment, percent
from maintenance_operator.cli.layout import NOTHING, Page, paragraph, span, table
from maintenance_operator.cli.resource import Resource

HEADER: Final = (
    "RUN",
    "TRIGGER",
    "ACTION",
    "OUTCOME",
    "REASON",
    "VERSION",
    "NEW ROWS",
    "OLD ROWS",
    "TRAINED",
    "ENDED",
)
_LABEL: Final = 14


def listed(resource: Resource, now: datetime, page: Page) -> str:
    """Newest first; a live run is the first line. Scores: champion -> challenger."""
    status = resource.status
    rows = [_live(status.run, now)] if status.run is not None else []
    rows += [_row(entry, now) for entry in status.history]
    if not rows:
        return (
            f"{resource.identity.name} has had no run yet; what it waits for: "
            f"kubectl mm status {resource.identity.name}"
        )
    return table(HEADER, rows, page)


def _live(run: Run, now: datetime) -> tuple[str, ...]:
    return (
        str(run.number),
        run.trigger.value,
        run.action.value if run.action is not None else Step.DIAGNOSE.value,
        "live",
        NOTHING,
        _versions(run.champion.version if run.champion else None, None),
        NOTHING,
        NOTHING,
        NOTHING,
        f"begun {span(now - run.start_time)} ago",
    )


def _row(entry: HistoryEntry, now: datetime) -> tuple[str, ...]:
    return (
        str(entry.number),
        entry.trigger.value,
        what_ran(entry),
        entry.outcome.value,
        entry.reason,
        _versions(entry.champion_version, entry.version),
        _score(entry.new),
        _score(entry.old),
        _seconds(entry.train_seconds),
        f"{span(now - entry.end_time)} ago",
    )


def what_ran(entry: HistoryEntry) -> str:
    """The action; a run that ended before its decision came to the diagnosis only."""
    return Step.DIAGNOSE.value if entry.action is Action.NONE else entry.action.value


def _versions(champion: int | None, challenger: int | None) -> str:
    if challenger is None:
        return NOTHING if champion is None else str(champion)
    return f"{NOTHING if champion is None else champion} -> {challenger}"


def _score(score: Score | None) -> str:
    if score is None:
        return NOTHING
    if score.metric:
        both = f"{score.metric} {figure(score.champion)} -> {figure(score.challenger)}"
    else:
        both = f"{percent(score.champion)} -> {percent(score.challenger)}"
    return f"{both} ({score.n})"


def _seconds(seconds: float | None) -> str:
    return NOTHING if seconds is None else f"{figure(seconds)}s"


def found(resource: Resource, number: int) -> HistoryEntry | None:
    """The run of that number, if status still has it."""
    return next((entry for entry in resource.status.history if entry.number == number), None)


def explained(entry: HistoryEntry, now: datetime, page: Page, task: str = "") -> str:
    """One run, whole; ``task`` is the resource's kind of model."""
    return "\n".join(
        paragraph(text, page, indent=" " * _LABEL, first=label.ljust(_LABEL))
        for label, text in _lines(entry, now, task)
    )


def _lines(entry: HistoryEntry, now: datetime, task: str) -> Iterator[tuple[str, str]]:
    yield "Run", f"{entry.number}: {what_ran(entry)} {entry.outcome.value} ({entry.reason})"
    yield "", entry.message
    yield "Trigger", entry.trigger.value
    yield "Version", _versions(entry.champion_version, entry.version)
    for label, score in (("New rows", entry.new), ("Old rows", entry.old)):
        if score is not None:
            yield label, f"{score.n} held out: {_both(entry, score, task)}"
    yield "Trained", _seconds(entry.train_seconds) if entry.trained else "not"
    lasted = span(entry.end_time - entry.start_time)
    yield "Begun", f"{moment(entry.start_time)}, lasted {lasted}"
    yield "Ended", f"{moment(entry.end_time)}, {span(now - entry.end_time)} ago"
    if entry.data_digest:
        yield "Data", entry.data_digest


def _both(entry: HistoryEntry, score: Score, task: str) -> str:
    first = entry.champion_version is None
    if score.metric:
        before = "baseline" if first else "champion"
        told = f"{before} {figure(score.champion)}, challenger {figure(score.challenger)}"
        return f"{score.metric} of {told}"
    needs_no_model = "majority class" if metrics_of(task) == OF_CLASSES else "baseline"
    before = needs_no_model if first else "champion"
    return f"{before} {percent(score.champion)} right, challenger {percent(score.challenger)}"


def document(resource: Resource) -> dict[str, Any]:
    """The same as JSON: the runs as status has them, the live one without its frozen spec."""
    written = status_json.write(resource.status)
    run = {key: value for key, value in (written.get("run") or {}).items() if key != "spec"}
    return {
        "namespace": resource.identity.namespace,
        "name": resource.identity.name,
        "live": run or None,
        "runs": written.get("history") or [],
    }

"""What ``kubectl mm check`` found, field by field. Pure; the operator's own ``assess`` judges."""

import math
import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final

from maintenance_contract.plain import plain
from maintenance_core.errors import MESSAGE_CHARACTERS, MetricsError, SpecError
from maintenance_core.model import (
    Assessment,
    Degraded,
    Healthy,
    Metrics,
    OutcomeCounters,
    Reading,
    Series,
    Unknown,
)
from maintenance_core.numbers import duration, figure, moment
from maintenance_core.numbers import reading as spelled
from maintenance_core.reasons import MetricsReason, ReadyReason
from maintenance_core.status import timestamp
from maintenance_core.watch.assess import Bounds, assess, counts_from, reading_at
from maintenance_core.watch.e_detector import Window
from maintenance_operator.cli.layout import NOTHING, Page, Tone, paragraph, table

PERFORMANCE: Final = "spec.metrics.performance"
OUTCOMES: Final = "spec.metrics.outcomes"
_INDENT: Final = "  "
UNKNOWN_FIELD: Final = "unknown field"
_OF_THE_SERVER: Final = frozenset(
    {
        MetricsReason.UNREACHABLE,
        MetricsReason.CREDENTIALS_REFUSED,
        MetricsReason.NOT_PROMETHEUS,
        MetricsReason.UNKNOWN_SERVER,
        MetricsReason.PARTIAL,
    }
)
_FIELDS: Final[Mapping[str, str]] = {
    MetricsReason.NO_DATA: "query",
    MetricsReason.NOT_A_NUMBER: "query",
    MetricsReason.AMBIGUOUS: "match",
    MetricsReason.STALE: "samples.query",
    MetricsReason.INSUFFICIENT_SAMPLES: "samples.min",
}
"""Where a person looks first, by what the operator says of the readings."""


@dataclass(frozen=True, slots=True)
class CheckFinding:
    """One sentence on a field. ``reason`` is the runbook's entry, empty where there is none.

    ``hint``: it works as it is written, and is probably not meant so.
    """

    field: str
    told: str
    ok: bool = True
    reason: str = ""
    hint: bool = False

    @property
    def word(self) -> tuple[str, Tone]:
        """How it is marked."""
        if not self.ok:
            return "WRONG", Tone.BAD
        return ("HINT", Tone.CARE) if self.hint else ("ok", Tone.GOOD)


def wrong(where: str, told: str, reason: str = ReadyReason.INVALID_SPEC) -> CheckFinding:
    """What is to be mended."""
    return CheckFinding(where, told, ok=False, reason=str(reason))


def hint(where: str, told: str) -> CheckFinding:
    """What to look at twice."""
    return CheckFinding(where, told, hint=True)


def settled(found: Iterable[CheckFinding]) -> tuple[CheckFinding, ...]:
    """Each once; what is wrong is not called right, whatever else is known of the field."""
    once = tuple(dict.fromkeys(found))
    bad = {finding.field for finding in once if not finding.ok}
    return tuple(
        finding for finding in once if not finding.ok or finding.hint or finding.field not in bad
    )


@dataclass(frozen=True, slots=True)
class Point:
    """What the queries say at one reading time, None where they say nothing.

    ``counts_as``: what the operator makes of it.
    """

    time: datetime
    value: float | None
    samples: float | None = None
    counts_as: str = ""


@dataclass(frozen=True, slots=True)
class Checked:
    """One document of a file."""

    source: str
    name: str
    findings: tuple[CheckFinding, ...]
    points: tuple[Point, ...] = ()
    metrics: Metrics | None = field(default=None, compare=False)

    @property
    def usable(self) -> bool:
        """Whether the operator could follow it, and read its metric now."""
        return all(finding.ok for finding in self.findings)


@dataclass(frozen=True, slots=True)
class Answers:
    """What Prometheus said to each query; ``samples`` is None where there is none to ask."""

    performance: Sequence[Series] | MetricsError
    samples: Sequence[Series] | MetricsError | None = None


# --- the API server's words -------------------------------------------------------------


def of_refusal(status: int, document: Mapping[str, Any]) -> list[CheckFinding]:
    """The API server's refusal, a finding per field."""
    causes = (document.get("details") or {}).get("causes") or ()
    found = [
        wrong(str(cause.get("field", "")), _problem(str(cause.get("message", ""))))
        for cause in causes
        if isinstance(cause, Mapping) and cause.get("field") not in {None, "", "<nil>"}
    ]
    if found:
        return found
    message = str(document.get("message", "")) or f"the API server answers {status}"
    unknown = re.findall(r'unknown field "([^"]+)"', message)
    if unknown:
        return [wrong(path, UNKNOWN_FIELD) for path in unknown]
    return [wrong("", _words(message))]


def _problem(message: str) -> str:
    """A cause in short: the field says of which value it speaks."""
    return re.sub(r'^Invalid value: (?:(?:"object"|"array"|null): )?', "", _words(message))


def _words(message: str) -> str:
    """Those of a server or a webhook, fit for a terminal."""
    return plain(message, MESSAGE_CHARACTERS)


def of_spec_error(error: SpecError) -> CheckFinding:
    """What the operator's own parser refuses."""
    return wrong(error.field, str(error).removeprefix(f"{error.field}: "), error.reason)


# --- the readings -----------------------------------------------------------------------


def of_answers(
    metrics: Metrics,
    answers: Answers,
    grid: Sequence[datetime],
    since: datetime | None,
    bounds: Bounds | None = None,
) -> tuple[list[CheckFinding], tuple[Point, ...]]:
    """What the operator would make of the answers, and the readings that it rests on.

    ``since`` and ``bounds`` are those that it holds readings against; without the latter, the
    spec's range.
    """
    bounds = bounds or Bounds(metrics.threshold)
    findings = [_interval(metrics, grid)]
    findings += _of_query("query", answers.performance, metrics)
    if answers.samples is not None:
        findings += _of_query("samples.query", answers.samples, metrics)
    if isinstance(answers.performance, MetricsError) or isinstance(answers.samples, MetricsError):
        return list(dict.fromkeys(findings)), ()  # a server that is away is away for both
    performance, samples = answers.performance, answers.samples
    read = tuple(
        replace(
            point,
            counts_as=_counts_as(
                metrics, reading_at(metrics, performance, samples, point.time), bounds
            )
            if counts_from(metrics, since, point.time)
            else "nothing: not wholly of the version in service",
        )
        for point in points(metrics, performance, samples, grid)
    )
    found = assess(metrics, performance, samples, grid, since, bounds)
    return [*findings, *_of_assessment(metrics, found, bounds)], read


def of_labels(
    outcomes: OutcomeCounters, answer: Sequence[Window] | MetricsError
) -> Iterator[CheckFinding]:
    """What the counters of right and wrong say of the last interval."""
    where = OUTCOMES
    if isinstance(answer, MetricsError):
        unread = answer.reason == MetricsReason.OUTCOMES_UNREADABLE
        yield wrong(where if unread else "spec.metrics.server", str(answer), answer.reason)
        return
    if not answer:
        yield wrong(
            f"{where}.counter",
            f"no series of {outcomes.counter} counts anything: check the name, matchLabels, and "
            "that the labelled predictions are scraped",
            MetricsReason.NO_DATA,
        )
        return
    total = answer[-1].total
    yield CheckFinding(
        f"{where}.counter",
        f"{figure(total.samples)} labelled predictions of {len(answer[-1].classes)} classes in the "
        f"last {duration(outcomes.interval)}, {figure(total.errors)} of them wrong",
    )
    yield CheckFinding(
        f"{where}.baselineSamples",
        f"the first {outcomes.baseline_samples} after a promotion tell what a version achieves; "
        "the test begins then",
    )


def _interval(metrics: Metrics, grid: Sequence[datetime]) -> CheckFinding:
    return CheckFinding(
        "spec.metrics.interval",
        f"a reading every {duration(metrics.interval)}, the last one at {_time(metrics, grid[-1])}",
    )


def _of_query(
    name: str, answer: Sequence[Series] | MetricsError, metrics: Metrics
) -> Iterator[CheckFinding]:
    where = f"{PERFORMANCE}.{name}"
    if isinstance(answer, MetricsError):
        at = "spec.metrics.server" if answer.reason in _OF_THE_SERVER else where
        yield wrong(at, str(answer), answer.reason)
        return
    fitting = sum(metrics.match.items() <= series.labels.items() for series in answer)
    yield CheckFinding(where, f"{_count(len(answer), 'series')} in the last readings")
    if metrics.match and fitting:  # none: the assessment has more to say
        picked = f"picks {fitting} of the {len(answer)} series of {where.removeprefix('spec.')}"
        yield CheckFinding(f"{PERFORMANCE}.match", picked)


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number else f"no {what}"


def _of_assessment(metrics: Metrics, found: Assessment, bounds: Bounds) -> Iterator[CheckFinding]:
    match found:
        case Unknown(reason=reason, message=message):
            where = _FIELDS.get(reason, "query")
            if reason == MetricsReason.NO_DATA and "performance.match" in message:
                where = "match"
            yield wrong(f"{PERFORMANCE}.{where}", message, reason)
        case Healthy() | Degraded():
            yield _of_threshold(metrics, found, bounds)
            yield _of_breach(metrics, found, bounds)


def _of_threshold(metrics: Metrics, found: Healthy | Degraded, bounds: Bounds) -> CheckFinding:
    threshold, reading = bounds.threshold, found.reading
    low = threshold.min is not None
    side = "below" if low else "above"
    stand = "within the range"
    if math.isnan(reading.value):
        stand = "a bad one (onMissing)"
    elif threshold.breached_by(reading.value):
        stand = f"{side} the {'floor' if low else 'ceiling'}"
    samples = "" if reading.samples is None else f", on {figure(reading.samples)} samples"
    beyond = "" if threshold == metrics.threshold else f": maxDrop {metrics.max_drop:g}"
    baseline = f"{beyond} from the baseline" if beyond else ""
    return CheckFinding(
        f"{PERFORMANCE}.thresholdRange",
        f"the last reading that counts, {spelled(reading.value)}{samples}, is {stand} "
        f"({'min' if low else 'max'} {figure(threshold.bound)}{baseline})",
    )


def _of_breach(metrics: Metrics, found: Healthy | Degraded, bounds: Bounds) -> CheckFinding:
    verdict = "not Degraded"
    if isinstance(found, Degraded):
        verdict = "Degraded: a run would begin"
        if found.recovering and bounds.recover is not None:
            verdict = f"Degraded until a reading reaches {figure(bounds.recover)}; nothing begins"
    return CheckFinding(
        f"{PERFORMANCE}.breach",
        f"{found.breached} of {found.counted} readings are bad; it takes {metrics.breach_count} of "
        f"{metrics.breach_of}, the last among them: {verdict}",
    )


def _counts_as(metrics: Metrics, reading: Reading | None, bounds: Bounds) -> str:
    if reading is None:
        return "nothing"
    least = 0.0 if metrics.samples is None else metrics.samples.min
    if reading.samples is not None and reading.samples < least:
        return f"nothing: under {figure(least)} samples"
    if math.isnan(reading.value):
        return "bad: missing"
    return "bad" if bounds.threshold.breached_by(reading.value) else "good"


def points(
    metrics: Metrics,
    performance: Sequence[Series],
    samples: Sequence[Series] | None,
    grid: Sequence[datetime],
) -> tuple[Point, ...]:
    """What both queries say at each time of the grid."""
    return tuple(
        Point(
            time,
            _at(performance, metrics.match, time),
            None if samples is None else _at(samples, metrics.match, time),
        )
        for time in grid
    )


def _at(several: Sequence[Series], match: Mapping[str, str], time: datetime) -> float | None:
    """The one value at a time, None where there is none or more than one."""
    values = [
        value
        for series in several
        if match.items() <= series.labels.items()
        for at, value in series.points
        if at == time
    ]
    return values[0] if len(values) == 1 else None


# --- for people, for machines -----------------------------------------------------------


def told(checked: Checked, page: Page) -> str:
    """A line per field, the readings, and the verdict."""
    head = f"{checked.source}: {checked.name}" if checked.name else checked.source
    lines = [paragraph(head, page)]
    for finding in checked.findings:
        word, tone = finding.word
        reason = f" (runbook: {finding.reason})" if finding.reason else ""
        where = f"{finding.field}: " if finding.field else ""
        text = paragraph(
            f"{where}{finding.told}{reason}", page, indent=" " * 9, first=f"  {word:<7}"
        )
        lines.append(text.replace(word, page.paint(word, tone), 1))
    if checked.points and checked.metrics is not None:
        lines += ["", _readings(checked.metrics, checked.points, page)]
    verdict = "usable" if checked.usable else "not usable as it is"
    tone = Tone.GOOD if checked.usable else Tone.BAD
    return "\n".join([*lines, "", page.paint(verdict, tone)])


def _readings(metrics: Metrics, points: Sequence[Point], page: Page) -> str:
    header = ("READING AT", "VALUE", "SAMPLES", "COUNTS AS")
    rows = [
        (
            _time(metrics, point.time),
            _number(point.value),
            _number(point.samples),
            point.counts_as,
        )
        for point in points
    ]
    inner = replace(page, width=page.width and page.width - len(_INDENT))
    return textwrap.indent(table(header, rows, inner), _INDENT)


def _time(metrics: Metrics, time: datetime) -> str:
    """To the minute, where readings are no closer."""
    return moment(time) if metrics.interval >= timedelta(minutes=1) else timestamp(time)


def _number(value: float | None) -> str:
    if value is None:
        return NOTHING
    return figure(value) if math.isfinite(value) else str(value)


def document(checked: Checked) -> dict[str, Any]:
    """The same as JSON."""
    return {
        "source": checked.source,
        "name": checked.name,
        "usable": checked.usable,
        "findings": [
            {
                "field": f.field,
                "ok": f.ok,
                "hint": f.hint,
                "reason": str(f.reason),
                "message": f.told,
            }
            for f in checked.findings
        ],
        "readings": [
            {
                "time": timestamp(point.time),
                "value": _json_number(point.value),
                "samples": _json_number(point.samples),
            }
            for point in checked.points
        ],
    }


def _json_number(value: float | None) -> float | str | None:
    """NaN and infinities are no JSON."""
    return value if value is None or math.isfinite(value) else str(value)

"""Is performance down, sustained, on enough samples? Readings in, one of three answers out."""

import hashlib
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from maintenance_core.model import (
    Assessment,
    Baseline,
    Champion,
    Degraded,
    Healthy,
    Metrics,
    OnMissing,
    Reading,
    Series,
    Status,
    ThresholdRange,
    Unknown,
)
from maintenance_core.reasons import MetricsReason

WARM_UP_INTERVALS: Final = 2
"""A baseline leaves out the reading in which servers change over to a new version."""

SKEWED: Final = timedelta(minutes=1)
"""Clocks that differ by so much may be why there is no reading."""
_ABSENT: Final = (MetricsReason.NO_DATA, MetricsReason.STALE)
_SHOWN_SERIES: Final = 3
_SHOWN_CHARACTERS: Final = 200


@dataclass(frozen=True, slots=True)
class Bounds:
    """What readings are held against; ``recover`` only while a resource is degraded."""

    threshold: ThresholdRange
    recover: float | None = None


def in_force(metrics: Metrics, champion: Champion | None, *, degraded: bool) -> Bounds:
    """The range of the spec, or that of ``maxDrop`` beyond the baseline if it is stricter."""
    threshold = metrics.threshold
    if metrics.max_drop is not None and champion is not None and champion.baseline is not None:
        threshold = threshold.tightened(champion.baseline.value, metrics.max_drop)
    if not degraded:
        return Bounds(threshold)
    return Bounds(threshold, threshold.bound if metrics.recover is None else metrics.recover)


def held_against(
    metrics: Metrics, status: Status, *, degraded: bool
) -> tuple[datetime | None, Bounds]:
    """Since when readings count, and what they are held against."""
    champion = status.champion
    if champion is None:
        return None, in_force(metrics, None, degraded=degraded)
    champion = replace(champion, baseline=baseline_of(metrics, status))
    return champion.promoted_time, in_force(metrics, champion, degraded=degraded)


def baseline_of(metrics: Metrics, status: Status) -> Baseline | None:
    """What the champion achieved when it was new, if that is a reading of this metric.

    What counters told is no baseline of a gauge, nor is what another query told. A baseline
    without a digest is from before there was one: it holds, because nothing says otherwise and a
    version that has become worse since would lower it.
    """
    known = status.champion.baseline if status.champion is not None else None
    if known is None or status.monitor is not None:
        return None
    return known if known.metric in {"", metric_digest(metrics)} else None


def metric_digest(metrics: Metrics) -> str:
    """A digest of what is read: a level of one metric says nothing about another."""
    read = json.dumps([metrics.server, metrics.query, dict(metrics.match)], sort_keys=True)
    return hashlib.sha256(read.encode()).hexdigest()[:12]


def assess(
    metrics: Metrics,
    performance: Sequence[Series],
    samples: Sequence[Series] | None,
    grid: Sequence[datetime],
    since: datetime | None,
    bounds: Bounds | None = None,
) -> Assessment:
    """Judge the readings at the times of ``grid``, oldest first.

    A reading counts if its whole window lies after ``since`` (the champion's promotion), exactly
    one series that ``match`` fits has a finite value there (or none has, and ``onMissing`` is
    Breach), and that rests on enough samples. A breach is ``count`` bad ones of those that count,
    the latest of them included. ``samples`` is None where the resource has no query for them.
    ``bounds`` are those ``in_force``; left out, the spec's range.
    """
    bounds = bounds or Bounds(metrics.threshold)
    samples = (samples or ()) if metrics.samples is not None else None
    problem = _latest_problem(metrics, performance, samples, grid[-1])
    if problem is not None:
        return problem
    readings = [
        reading
        for time in grid
        if counts_from(metrics, since, time)
        and (reading := reading_at(metrics, performance, samples, time)) is not None
    ]
    least = metrics.samples.min if metrics.samples is not None else 0.0
    counted = [
        reading for reading in readings if reading.samples is None or reading.samples >= least
    ]
    if not counted:
        return _nothing_counts(readings, least)
    latest, threshold = counted[-1], bounds.threshold
    breached = sum(threshold.breached_by(reading.value) for reading in counted)
    breach = breached >= metrics.breach_count and threshold.breached_by(latest.value)
    if breach or _short_of_recovery(bounds, latest.value):
        bad = [each.time for each in counted if threshold.breached_by(each.value)]
        onset = min(bad) - metrics.interval if bad else None
        return Degraded(
            latest, breached, len(counted), threshold, recovering=not breach, onset=onset
        )
    settled = not breached and _settled(metrics, counted, grid, since)
    level = _level(counted) if settled else None
    return Healthy(latest, breached, len(counted), level)


def _settled(
    metrics: Metrics, counted: Sequence[Reading], grid: Sequence[datetime], since: datetime | None
) -> bool:
    """Whether readings tell what a version achieves: a full set of them, well after the promotion.

    Where none came in the first time that could have held one, as where labels come on workdays
    alone, as many as a breach needs will do, if they do not begin only now.
    """
    first = grid[0] - WARM_UP_INTERVALS * metrics.interval
    if len(counted) == len(grid):
        return since is None or first >= since
    waited = since is not None and first >= since
    begun = counted[0].time <= grid[len(grid) // 2]
    return waited and begun and len(counted) >= metrics.breach_count


def counts_from(metrics: Metrics, since: datetime | None, time: datetime) -> bool:
    """Whether the whole window of a reading lies after the champion's promotion."""
    return since is None or time - metrics.interval >= since


def with_clocks(found: Assessment, server: str, skew: timedelta) -> Assessment:
    """An absence, with the clocks as its likely cause where they differ (the server's, ahead)."""
    absent = isinstance(found, Unknown) and found.reason in _ABSENT
    if not absent or abs(skew) < SKEWED or not isinstance(found, Unknown):
        return found
    minutes = f"{abs(skew) / timedelta(minutes=1):.0f}m"
    side = "ahead of" if skew > timedelta() else "behind"
    clocks = f"The clock of Prometheus server {server!r} is {minutes} {side} the operator's"
    return replace(found, message=f"{clocks}: set both by NTP. {found.message}")


def _latest_problem(
    metrics: Metrics,
    performance: Sequence[Series],
    samples: Sequence[Series] | None,
    time: datetime,
) -> Unknown | None:
    """Why the latest point cannot be read, if so. Absent is not zero."""
    values = _values(performance, metrics.match, time)
    if len(values) > 1:
        return _ambiguous("the performance query", values)
    missing = _missing(metrics, performance, values)
    if missing is not None and metrics.on_missing is OnMissing.HOLD:
        return missing
    return None if samples is None else _samples_problem(metrics, samples, time)


def _missing(
    metrics: Metrics,
    performance: Sequence[Series],
    values: Sequence[tuple[Mapping[str, str], float]],
) -> Unknown | None:
    if not values:
        return Unknown(MetricsReason.NO_DATA, _no_data(metrics, performance))
    value = values[0][1]
    if not math.isfinite(value):
        return Unknown(
            MetricsReason.NOT_A_NUMBER,
            f"The latest reading is {value}: look for a "
            "division by zero in spec.metrics.performance.query.",
        )
    return None


def _samples_problem(metrics: Metrics, samples: Sequence[Series], time: datetime) -> Unknown | None:
    counts = _values(samples, metrics.match, time)
    if len(counts) > 1:
        return _ambiguous("the samples query", counts)
    if not counts or not math.isfinite(counts[0][1]):
        return Unknown(
            MetricsReason.STALE,
            _unmatched("samples", samples, metrics.match)
            or "The samples query yields nothing at the latest "
            "reading: check that the model is still served, scraped and labelled.",
        )
    return None


def _no_data(metrics: Metrics, performance: Sequence[Series]) -> str:
    return _unmatched("performance", performance, metrics.match) or (
        "The performance query yields no series at the latest reading: check "
        "spec.metrics.performance.query and that the model is scraped."
    )


def _unmatched(query: str, several: Sequence[Series], match: Mapping[str, str]) -> str:
    """What a query yields instead of what ``match`` fits; empty where it yields neither."""
    others = [series.labels for series in several if not _fits(series, match)]
    if len(others) < len(several) or not others:
        return ""
    told = f"The {query} query yields no series that match {_labels(match)}, but {_listed(others)}"
    if query == "performance":
        return f"{told}: correct spec.metrics.performance.match."
    return (
        f"{told}: match holds for both queries, so keep its labels in "
        "spec.metrics.performance.samples.query, as with sum by (model) (...)."
    )


def _ambiguous(what: str, values: Sequence[tuple[Mapping[str, str], float]]) -> Unknown:
    return Unknown(
        MetricsReason.AMBIGUOUS,
        f"{len(values)} series answer {what}: "
        f"{_listed(labels for labels, _ in values)}. Pick one with "
        "spec.metrics.performance.match, or aggregate in the query.",
    )


def _listed(several: Iterable[Mapping[str, str]]) -> str:
    """The first few label sets in an order that the server's does not change."""
    spelled = sorted(_labels(labels) for labels in several)
    more = len(spelled) - _SHOWN_SERIES
    return ", ".join(spelled[:_SHOWN_SERIES]) + (f" and {more} more" if more > 0 else "")


def _labels(labels: Mapping[str, str]) -> str:
    text = "{" + ", ".join(f"{name}={value!r}" for name, value in sorted(labels.items())) + "}"
    return text if len(text) <= _SHOWN_CHARACTERS else text[:_SHOWN_CHARACTERS] + "…}"


def _values(
    several: Sequence[Series], match: Mapping[str, str], time: datetime
) -> list[tuple[Mapping[str, str], float]]:
    """What the series that ``match`` fits say at one time; a series may have a gap there."""
    return [
        (series.labels, value)
        for series in several
        if _fits(series, match)
        for at, value in series.points
        if at == time
    ]


def _fits(series: Series, match: Mapping[str, str]) -> bool:
    return match.items() <= series.labels.items()


def _single(several: Sequence[Series], match: Mapping[str, str], time: datetime) -> float | None:
    values = _values(several, match, time)
    return values[0][1] if len(values) == 1 and math.isfinite(values[0][1]) else None


def reading_at(
    metrics: Metrics,
    performance: Sequence[Series],
    samples: Sequence[Series] | None,
    time: datetime,
) -> Reading | None:
    """The reading of one time, None where there is none; NaN where a missing one is a bad one."""
    value = _single(performance, metrics.match, time)
    if value is None and metrics.on_missing is OnMissing.BREACH:
        value = math.nan if len(_values(performance, metrics.match, time)) <= 1 else None
    if value is None:
        return None
    if samples is None:
        return Reading(time, value)
    count = _single(samples, metrics.match, time)
    return None if count is None else Reading(time, value, count)


def _short_of_recovery(bounds: Bounds, value: float) -> bool:
    """Whether a degraded resource has yet to come back into its range, and pass ``recover``."""
    if bounds.recover is None:
        return False
    return bounds.threshold.tightened(bounds.recover, 0.0).breached_by(value)


def _level(readings: Sequence[Reading]) -> Baseline:
    counts = [reading.samples for reading in readings if reading.samples is not None]
    weights = counts if counts and sum(counts) > 0 else [1.0] * len(readings)
    value = sum(w * reading.value for w, reading in zip(weights, readings, strict=True))
    return Baseline(value / sum(weights), readings[-1].time, sum(counts) if counts else None)


def _nothing_counts(readings: Sequence[Reading], least: float) -> Unknown:
    if not readings:
        return Unknown(
            MetricsReason.AWAITING_READINGS,
            "No reading lies wholly after the promotion of the champion in service yet.",
        )
    most = max(reading.samples or 0.0 for reading in readings)
    return Unknown(
        MetricsReason.INSUFFICIENT_SAMPLES,
        f"The best of the last {len(readings)} "
        f"readings rests on {most:.6g} samples; a reading counts from {least:.6g} "
        "(spec.metrics.performance.samples.min).",
    )

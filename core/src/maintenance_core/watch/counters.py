"""Counters of right and wrong predictions: what is asked of Prometheus, and what its answer means.

The operator writes the query itself, so that resets of counters are seen and windows never overlap.
A window ends a little before it is asked for: whatever was scraped for it is in by then, and the
answer is the same later.
"""

import hashlib
import json
import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from maintenance_core.errors import MetricsError
from maintenance_core.model import (
    NOTHING,
    OTHER_CLASSES,
    Assessment,
    Baseline,
    Champion,
    Counts,
    Degraded,
    Healthy,
    Metrics,
    Monitor,
    OutcomeCounters,
    Reading,
    ReferenceCounts,
    Series,
    Status,
    ThresholdRange,
    Unknown,
)
from maintenance_core.numbers import shortened
from maintenance_core.reasons import MetricsReason
from maintenance_core.status import MOST_CLASSES
from maintenance_core.watch import e_detector
from maintenance_core.watch.assess import WARM_UP_INTERVALS, held_against
from maintenance_core.watch.e_detector import DetectorState, Window

SETTLE: Final = timedelta(seconds=30)
BLOCK: Final = timedelta(days=8)
"""The test looks back this far, and at most twice as far."""
GATHERED_WINDOWS: Final = 100_000
"""A reference is gathered from so many windows at most: of five minutes, those of 347 days."""
SILENCE: Final = timedelta(days=1)
"""Without a single label for so long, the counters are stale."""
MOST_LABELS: Final = 1_000_000_000
"""Of one window: nobody labels so many, and what counts them is no counter of labels."""
TOLD_UNREADABLE: Final = 3
"""A window that could not be read is told as long as it is one of so many latest ones."""
NAME_CHARACTERS: Final = 256
"""The longest class name that status holds."""
LABELS_CHARACTERS: Final = 512
"""Of label matchers in a message: what follows them must still be read."""
NOTHING_OLDER: Final = "older ones are out of reach"
"""In a message: labels that a reference needs may be gone."""
RECENT_LABELS: Final = 100
"""Labels that the displayed value rests on; the test itself counts every label."""

_CORRECT: Final = {"true": True, "false": False}


def query(outcomes: OutcomeCounters, version: int | None) -> str:
    """PromQL for the labelled predictions of one interval, by true class and whether right."""
    labels = f"{outcomes.class_label}, {outcomes.correct_label}"
    return f"sum by ({labels}) ({_increase(outcomes, version)})"


def accuracy_query(outcomes: OutcomeCounters, version: int | None) -> str:
    """PromQL for the share of right predictions, to show to people."""
    # In any case, as ``windows`` reads it: Python's str() of a truth is "True".
    right = f'{outcomes.correct_label}=~"(?i:true)"'
    return f"sum({_increase(outcomes, version, right)}) / sum({_increase(outcomes, version)})"


def _increase(outcomes: OutcomeCounters, version: int | None, *further: str) -> str:
    labels = dict(outcomes.match_labels)
    if outcomes.version_label and version is not None:
        labels[outcomes.version_label] = str(version)
    spelled = (
        f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in sorted(labels.items())
    )
    matchers = ", ".join([*further, *spelled])
    seconds = int(outcomes.interval.total_seconds())
    late = int(settle(outcomes).total_seconds())
    return f"increase({outcomes.counter}{{{matchers}}}[{seconds}s] offset {late}s)"


def settle(outcomes: OutcomeCounters) -> timedelta:
    """How long before the time of a reading its window ends."""
    return min(SETTLE, outcomes.interval)


def digest(outcomes: OutcomeCounters) -> str:
    """A digest of what is counted: a reference of one counter says nothing about another.

    How often it is asked for, and of which server, changes nothing of what it counts: a drop must
    not become the reference of a resource whose interval is changed meanwhile.
    """
    labels = sorted(outcomes.match_labels.items())
    names = (outcomes.class_label, outcomes.correct_label, outcomes.version_label)
    return _digest([outcomes.counter, labels, *names])


def former_digest(outcomes: OutcomeCounters) -> str:
    """As releases before wrote it, with server and interval; it still holds."""
    return _digest([outcomes.server, query(outcomes, None), outcomes.version_label])


def _digest(counted: Sequence[object]) -> str:
    return hashlib.sha256(json.dumps(counted).encode()).hexdigest()[:12]


# --- the grid ---------------------------------------------------------------------------


def times(outcomes: OutcomeCounters, after: datetime, until: datetime) -> tuple[datetime, ...]:
    """The times of the grid in ``(after, until]``: multiples of the interval since the epoch."""
    seconds = int(outcomes.interval.total_seconds())
    first, last = int(after.timestamp()) // seconds + 1, int(until.timestamp()) // seconds
    return tuple(datetime.fromtimestamp(at * seconds, UTC) for at in range(first, last + 1))


def first_count(outcomes: OutcomeCounters, champion: Champion) -> datetime:
    """The champion's predictions count from windows that are asked for after this time.

    Where the counter has no label for the version, servers may take a while to change over.
    """
    warm_up = 0 if outcomes.version_label else WARM_UP_INTERVALS
    whole = (1 + warm_up) * outcomes.interval + settle(outcomes)
    return champion.promoted_time + whole - timedelta(microseconds=1)


def beginning(checkpoint: datetime, now: datetime) -> datetime:
    """Where the test is rebuilt from: the checkpoint, or some whole ``BLOCK`` later.

    Between one and two blocks are looked back on. What is kept in memory begins there as well, so
    that a state is the same after a restart.
    """
    blocks = (now - checkpoint) // BLOCK - 1
    return checkpoint + max(0, blocks) * BLOCK


def gathering(outcomes: OutcomeCounters, champion: Champion, now: datetime) -> datetime:
    """Where a reference is gathered from: the promotion, however few labels come in a week.

    Only beyond ``GATHERED_WINDOWS`` it is some whole ``BLOCK`` later.
    """
    first = first_count(outcomes, champion)
    most = max(2 * BLOCK, GATHERED_WINDOWS * outcomes.interval)
    return first + max(0, -((first + most - now) // BLOCK)) * BLOCK


# --- the answer -------------------------------------------------------------------------


def windows(outcomes: OutcomeCounters, answer: Sequence[Series]) -> tuple[Window, ...]:
    """The answer of ``query``, a window for each of its times, in order.

    A window in which a series counted that cannot be read is left out: it says why, and holds no
    counts. So is one that has no other series, or more labels than there can be. Elsewhere a series
    that cannot be read takes nothing away.
    """
    found: dict[datetime, dict[str, Counts]] = defaultdict(dict)
    idle: dict[datetime, str] = {}
    counting: dict[datetime, str] = {}
    for series in answer:
        problem = _problem(outcomes, series.labels)
        if problem:
            for time, value in _finite(series):
                (counting if value > 0.0 else idle).setdefault(time, problem)
            continue
        name, right = _labels(outcomes, series.labels)
        for time, value in _finite(series):
            counts = Counts(value, 0.0 if right else value)
            found[time][name] = found[time].get(name, NOTHING) + counts
    problems = {time: why for time, why in idle.items() if time not in found} | counting
    for time, classes in found.items():
        labels = sum(counts.samples for counts in classes.values())
        if labels > MOST_LABELS:
            problems.setdefault(time, _too_many(outcomes, labels))
    times = sorted({*found, *problems})
    return tuple(
        Window(time, {}, problems[time]) if time in problems else Window(time, found[time])
        for time in times
    )


def _too_many(outcomes: OutcomeCounters, labels: float) -> str:
    seconds = int(outcomes.interval.total_seconds())
    return (
        f"{outcomes.counter} went up by {labels:.3g} within {seconds} s: more than "
        f"{MOST_LABELS:,} labelled predictions in one interval are not counted. Check that it goes "
        "up by one for each labelled prediction"
    )


def readable(outcomes: OutcomeCounters, answer: Sequence[Series]) -> tuple[Window, ...]:
    """The windows of an answer, each of which must be readable.

    Raises:
        MetricsError: one is not.
    """
    found = windows(outcomes, answer)
    for window in found:
        if window.unreadable:
            raise MetricsError(MetricsReason.OUTCOMES_UNREADABLE, window.unreadable)
    return found


def too_large(outcomes: OutcomeCounters, error: MetricsError) -> MetricsError:
    """The query is the operator's own: what its author can do about an answer that is too large."""
    found, _, _ = str(error).partition(". Let the query aggregate")
    field = "spec.metrics.outcomes"
    return MetricsError(
        error.reason,
        f"{found}, for one interval of {outcomes.counter}: it has too many values of "
        f"{outcomes.class_label!r}. Count rare classes together under one value of that label, or "
        f"select fewer series by {field}.matchLabels; what has many values because it is no class "
        f"(a user, a document) is not for {field}.classLabel",
    )


def _finite(series: Series) -> Iterator[tuple[datetime, float]]:
    return ((time, value) for time, value in series.points if math.isfinite(value) and value >= 0.0)


def _problem(outcomes: OutcomeCounters, labels: Mapping[str, str]) -> str:
    """Why a series cannot be read; empty where it can."""
    field = "spec.metrics.outcomes"
    if outcomes.class_label not in labels:
        return (
            f"{outcomes.counter} has series without the label {outcomes.class_label!r}: write the "
            f"label of the true class into {field}.classLabel"
        )
    said = labels.get(outcomes.correct_label)
    if said is not None and said.lower() in _CORRECT:
        return ""
    has = "no such label" if said is None else f"{said[:40]!r}"
    return (
        f"the label {outcomes.correct_label!r} ({field}.correctLabel) of {outcomes.counter} "
        f"says whether a prediction was right, true or false; a series has {has}"
    )


def _labels(outcomes: OutcomeCounters, labels: Mapping[str, str]) -> tuple[str, bool]:
    right = _CORRECT[labels[outcomes.correct_label].lower()]
    return labels[outcomes.class_label][:NAME_CHARACTERS], right


def bounded(reference: ReferenceCounts) -> ReferenceCounts:
    """The reference as status holds it: the most frequent classes, counts to a thousandth."""
    ranked = sorted(reference.classes.items(), key=lambda item: (-item[1].samples, item[0]))
    named = ranked if len(ranked) <= MOST_CLASSES else ranked[: MOST_CLASSES - 1]
    classes = dict(named)
    if len(named) < len(ranked):
        others = (counts for _, counts in ranked[len(named) :])
        classes[OTHER_CLASSES] = sum(others, classes.get(OTHER_CLASSES, NOTHING))
    return ReferenceCounts(
        reference.end,
        {
            name: Counts(round(counts.samples, 3), round(counts.errors, 3))
            for name, counts in classes.items()
        },
    )


# --- what it comes to -------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Counted:
    """What was counted of one version up to ``time``: towards a reference, and then of the test.

    ``begins``: the test takes windows after it, and of those before it only what seasons need;
    None before there is a reference. ``silent``: no series answered at ``time``. ``oldest``: the
    first window of those ``gathered``. ``unreadable``: the latest window that could not be read,
    and why, as long as it is told.
    """

    time: datetime
    begins: datetime | None = None
    silent: bool = False
    gathered: Mapping[str, Counts] = field(default_factory=dict)
    oldest: datetime | None = None
    monitor: Monitor | None = None
    state: DetectorState = field(default_factory=DetectorState)
    unreadable: tuple[datetime, str] | None = None


def started(
    outcomes: OutcomeCounters, champion: Champion, known: Monitor | None, now: datetime
) -> Counted:
    """The state before anything is counted; ``known`` is the reference that status holds."""
    if known is None:
        return Counted(gathering(outcomes, champion, now))
    first = first_count(outcomes, champion)
    begins = beginning(known.checkpoint_time, now)
    # A day more: what is remembered ends with the latest label, and not with the latest look.
    remembered = now - e_detector.HISTORY - SILENCE
    return Counted(max(first, min(begins, remembered)), begins, monitor=known)


def still_holds(outcomes: OutcomeCounters, champion: Champion, monitor: Monitor | None) -> bool:
    """Whether a monitor is about this champion and these counters."""
    if monitor is None or monitor.version != champion.version:
        return False
    return monitor.counter in {digest(outcomes), former_digest(outcomes)}


def taken(
    outcomes: OutcomeCounters,
    champion: Champion,
    counted: Counted,
    asked: Sequence[datetime],
    found: Iterable[Window],
) -> Counted:
    """What is counted once the windows of the times that were ``asked`` are in."""
    gathered, oldest = dict(counted.gathered), counted.oldest
    monitor, begins = counted.monitor, counted.begins
    before: list[Window] = []
    later: list[Window] = []
    last, unreadable = None, counted.unreadable
    for window in found:
        last = window.end
        if window.unreadable:
            unreadable = last, window.unreadable
            continue
        if begins is not None and last > begins:
            later.append(window)
            continue
        before.append(window)
        if monitor is not None:
            continue
        oldest = oldest or last
        for name, counts in window.classes.items():
            gathered[name] = gathered.get(name, NOTHING) + counts
        if sum(counts.samples for counts in gathered.values()) >= outcomes.baseline_samples:
            reference = bounded(ReferenceCounts(window.end, gathered))
            begins, monitor = last, Monitor(champion.version, digest(outcomes), last, reference)
    state = e_detector.remember(counted.state, before)
    if monitor is not None:
        gathered, oldest = {}, None
        state = e_detector.advance(state, later, monitor.reference, outcomes.tolerance)
    if unreadable is not None and asked[-1] - unreadable[0] >= TOLD_UNREADABLE * outcomes.interval:
        unreadable = None
    silent = last != asked[-1]
    return Counted(asked[-1], begins, silent, gathered, oldest, monitor, state, unreadable)


def assess(outcomes: OutcomeCounters, champion: Champion, counted: Counted) -> Assessment:
    """Judge what was counted of the champion in service."""
    monitor = counted.monitor
    if counted.unreadable is not None:
        return Unknown(MetricsReason.OUTCOMES_UNREADABLE, _left_out(counted), monitor)
    if counted.silent:
        return Unknown(MetricsReason.NO_DATA, _no_series(outcomes, champion), monitor)
    if monitor is None:
        return Unknown(MetricsReason.AWAITING_READINGS, _gathered(outcomes, champion, counted))
    heard = e_detector.latest_hour(counted.state) or monitor.checkpoint_time
    if counted.time - heard > max(SILENCE, 2 * outcomes.interval):
        return Unknown(
            MetricsReason.STALE,
            f"{outcomes.counter} has counted no labelled prediction since about "
            f"{heard:%Y-%m-%d %H:%M} UTC: check that labels still arrive.",
            monitor,
        )
    return _judged(outcomes, champion, counted, monitor)


def _left_out(counted: Counted) -> str:
    assert counted.unreadable is not None  # noqa: S101 - asked for only then
    time, why = counted.unreadable
    return f"{why}. What was counted up to {time:%Y-%m-%d %H:%M} UTC is left out."


def _gathered(outcomes: OutcomeCounters, champion: Champion, counted: Counted) -> str:
    """How much of a reference there is; and since when, where older labels may be out of reach."""
    samples = sum(counts.samples for counts in counted.gathered.values())
    told = (
        f"{samples:.0f} of {outcomes.baseline_samples} labelled predictions of version "
        f"{champion.version} are counted that tell what it achieves when it is new "
        "(spec.metrics.outcomes.baselineSamples)."
    )
    if counted.oldest is None or counted.oldest - champion.promoted_time <= BLOCK:
        return told
    return (
        f"{told} They begin at {counted.oldest:%Y-%m-%d %H:%M} UTC, although the version went into "
        f"service at {champion.promoted_time:%Y-%m-%d %H:%M} UTC: {NOTHING_OLDER}. Prometheus may "
        f"not keep labels for so long, and at most {GATHERED_WINDOWS:,} intervals are looked back "
        "on: write fewer into baselineSamples, let Prometheus keep labels for longer, or lengthen "
        "the interval."
    )


def unserved() -> Unknown:
    """No version is in service that could be right or wrong."""
    return Unknown(
        MetricsReason.AWAITING_READINGS, "No version is in service yet; its predictions count then."
    )


def _judged(
    outcomes: OutcomeCounters, champion: Champion, counted: Counted, monitor: Monitor
) -> Assessment:
    state, reference = counted.state, monitor.reference
    found = e_detector.alarm(state, reference, outcomes.tolerance)
    season = e_detector.season(state, found) if found is not None else None
    if found is not None and season is None:
        since = found.since
        return Degraded(
            Reading(counted.time, 1.0 - since.rate, since.samples),
            1,
            1,
            ThresholdRange(min=max(0.0, 1.0 - found.bound)),
            alarm=found,
            onset=found.onset - outcomes.interval - settle(outcomes),
            monitor=monitor,
        )
    if found is None and not e_detector.leaves_room(reference, outcomes.tolerance):
        message = _no_room(outcomes, champion, reference)
        return Unknown(MetricsReason.TOLERANCE_TOO_WIDE, message, monitor)
    latest = e_detector.recent(state, RECENT_LABELS)
    if latest.samples <= 0.0:
        latest = reference.total
    reading = Reading(counted.time, 1.0 - latest.rate, latest.samples)
    return Healthy(reading, 0, 1, level(reference), monitor, season)


def _no_room(outcomes: OutcomeCounters, champion: Champion, reference: ReferenceCounts) -> str:
    """What the tolerance should be where it leaves no room, and what else may be wrong."""
    least = math.floor(1000.0 * (1.0 - reference.bound)) / 1000.0
    instead = f"Write one below {least:g}. " if least > 0.0 else ""
    return (
        f"Of the first {reference.total.samples:.0f} labelled predictions of version "
        f"{champion.version} a share of {reference.total.rate:.4g} was wrong (at most "
        f"{reference.bound:.4g}, as surely as they tell): no error can be more than that and "
        f"spec.metrics.outcomes.tolerance, {outcomes.tolerance:g}, together, so no rise would be "
        f"seen. {instead}Check that the label {outcomes.correct_label!r} says true where a "
        "prediction was right."
    )


def level(reference: ReferenceCounts) -> Baseline:
    """The accuracy (0 to 1) that the champion achieved when it was new, and on how many labels."""
    return Baseline(1.0 - reference.total.rate, reference.end, reference.total.samples)


def floor(outcomes: OutcomeCounters, reference: ReferenceCounts) -> ThresholdRange:
    """The least accuracy that the tolerance allows, as surely as the reference knows."""
    return ThresholdRange(min=max(0.0, 1.0 - reference.bound - outcomes.tolerance))


def as_gauge(metrics: Metrics | OutcomeCounters, status: Status) -> Metrics:
    """The metric as readings for people to look at; counters as the accuracy of each interval."""
    if isinstance(metrics, Metrics):
        return metrics
    bound = bound_of(metrics, status) or ThresholdRange(min=0.0)
    version = status.champion.version if status.champion is not None else None
    return Metrics(
        metrics.server, metrics.interval, accuracy_query(metrics, version), {}, bound, 1, 1, None
    )


def bound_of(metrics: Metrics | OutcomeCounters, status: Status) -> ThresholdRange | None:
    """What the metric is held against; None where counters have yet to tell."""
    if isinstance(metrics, Metrics):
        return held_against(metrics, status, degraded=False)[1].threshold
    champion, monitor = status.champion, status.monitor
    if champion is None or monitor is None or not still_holds(metrics, champion, monitor):
        return None
    return floor(metrics, monitor.reference)


def _no_series(outcomes: OutcomeCounters, champion: Champion) -> str:
    labels = {**outcomes.match_labels}
    if outcomes.version_label:
        labels[outcomes.version_label] = str(champion.version)
    matched = ", ".join(f"{name}={value!r}" for name, value in sorted(labels.items()))
    spelled = shortened(matched, LABELS_CHARACTERS)
    return (
        f"No series of {outcomes.counter} with {spelled or 'any labels'} counts anything: check "
        "spec.metrics.outcomes, and that the labelled predictions of the version in service are "
        "scraped."
    )

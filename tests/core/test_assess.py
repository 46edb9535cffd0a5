"""Readings into Healthy, Degraded or Unknown."""

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maintenance_contract import TrainingAction
from maintenance_core.model import (
    Baseline,
    Champion,
    Degraded,
    Healthy,
    Metrics,
    OnMissing,
    SamplesQuery,
    Series,
    ThresholdRange,
    Unknown,
)
from maintenance_core.reasons import MetricsReason
from maintenance_core.watch.assess import Bounds, assess, in_force, with_clocks

MINUTE = timedelta(minutes=1)
START = datetime(2026, 11, 23, 12, tzinfo=UTC)
GRID = tuple(START + MINUTE * step for step in range(5))
FLOOR = ThresholdRange(min=0.9)
METRICS = Metrics("default", MINUTE, "q", {}, FLOOR, 3, 5, None)
COUNTED = replace(METRICS, samples=SamplesQuery("s", 200))
NEWS = {"model": "news"}

calmly = settings(deadline=None, max_examples=60)


def series(values: Sequence[float | None], labels: Mapping[str, str] | None = None) -> Series:
    """One value a grid point; None is a gap."""
    points = zip(GRID, values, strict=True)
    return Series(labels or {}, tuple((time, value) for time, value in points if value is not None))


HIGH = series([500.0] * 5)


@pytest.mark.parametrize(
    "values, breached, degraded",
    [
        ([0.95] * 5, 0, False),
        ([0.8, 0.8, 0.95, 0.95, 0.8], 3, True),
        ([0.8, 0.95, 0.95, 0.95, 0.8], 2, False),
        ([0.8] * 5, 5, True),
        ([0.8, 0.8, 0.8, 0.8, 0.95], 4, False),  # recovered: the latest is good
        ([0.9] * 5, 0, False),  # on the floor is not below it
    ],
)
def test_three_of_the_last_five_and_the_latest(
    values: list[float], breached: int, *, degraded: bool
) -> None:
    found = assess(METRICS, [series(values)], None, GRID, None)
    assert isinstance(found, Degraded if degraded else Healthy)
    assert (found.breached, found.counted) == (breached, 5)
    assert (found.reading.time, found.reading.value) == (GRID[-1], values[-1])
    if isinstance(found, Degraded):
        assert found.threshold == FLOOR


def test_an_error_rate_has_a_ceiling() -> None:
    errors = replace(METRICS, threshold=ThresholdRange(max=0.1))
    assert isinstance(assess(errors, [series([0.2] * 5)], None, GRID, None), Degraded)
    assert isinstance(assess(errors, [series([0.1] * 5)], None, GRID, None), Healthy)


@pytest.mark.parametrize(
    "values, reason",
    [
        ([None] * 5, "NoData"),
        ([0.8, 0.8, 0.8, 0.8, None], "NoData"),
        ([0.8, 0.8, 0.8, 0.8, math.nan], "NotANumber"),
        ([0.8, 0.8, 0.8, 0.8, math.inf], "NotANumber"),
        ([0.8, 0.8, 0.8, 0.8, -math.inf], "NotANumber"),
    ],
)
def test_absent_is_not_zero(values: list[float | None], reason: str) -> None:
    found = assess(METRICS, [series(values)], None, GRID, None)
    assert isinstance(found, Unknown)
    assert found.reason == reason
    assert "spec.metrics.performance.query" in found.message


def test_no_series_at_all() -> None:
    found = assess(METRICS, [], None, GRID, None)
    assert isinstance(found, Unknown)
    assert found.reason == "NoData"


@pytest.mark.parametrize("gap", [None, math.nan])
def test_a_gap_further_back_counts_for_nothing(gap: float | None) -> None:
    found = assess(METRICS, [series([0.8, gap, 0.8, gap, 0.8])], None, GRID, None)
    assert isinstance(found, Degraded)
    assert (found.breached, found.counted) == (3, 3)


def test_several_series_are_ambiguous_and_three_are_named() -> None:
    several = [series([0.8] * 5, {"model": name}) for name in ("d", "b", "a", "c")]
    found = assess(METRICS, several, None, GRID, None)
    assert isinstance(found, Unknown)
    assert found.reason == "Ambiguous"
    assert found.message.startswith(
        "4 series answer the performance query: "
        "{model='a'}, {model='b'}, {model='c'} and 1 more. Pick one"
    )


def test_match_picks_by_a_subset_of_labels() -> None:
    matched = replace(METRICS, match=NEWS)
    several = [
        series([0.8] * 5, {"model": "news", "zone": "a"}),
        series([0.95] * 5, {"model": "sport", "zone": "a"}),
    ]
    assert isinstance(assess(matched, several, None, GRID, None), Degraded)
    twice = [*several, series([0.8] * 5, {"model": "news", "zone": "b"})]
    found = assess(matched, twice, None, GRID, None)
    assert isinstance(found, Unknown)
    assert found.reason == "Ambiguous"


def test_a_match_that_fits_nothing_says_what_there_is() -> None:
    matched = replace(METRICS, match=NEWS)
    found = assess(matched, [series([0.8] * 5, {"model": "x" * 300})], None, GRID, None)
    assert isinstance(found, Unknown)
    assert found.reason == "NoData"
    assert "{model='news'}" in found.message
    assert "{model='xxx" in found.message
    assert "spec.metrics.performance.match" in found.message
    assert len(found.message) < 1024


def test_two_series_further_back_do_not_count() -> None:
    """A rollout: for a while the old and the new pod's series overlap."""
    old = series([0.8, 0.8, None, None, None], {"pod": "old"})
    new = series([None, 0.95, 0.8, 0.8, 0.8], {"pod": "new"})
    found = assess(METRICS, [old, new], None, GRID, None)
    assert isinstance(found, Degraded)
    assert (found.breached, found.counted) == (4, 4)


@pytest.mark.parametrize("samples", [None, (), [series([500.0] * 4 + [None])]])
def test_samples_that_nothing_answers_are_stale(samples: Sequence[Series] | None) -> None:
    """Not even a query that the caller forgot to ask lets a reading count."""
    found = assess(COUNTED, [series([0.8] * 5)], samples, GRID, None)
    assert isinstance(found, Unknown)
    assert found.reason == "Stale"


def test_samples_without_the_labels_of_match_are_named() -> None:
    picky = replace(COUNTED, match={"model": "news"})
    values = [series([0.95] * 5, {"model": "news"})]
    for labels, shown in (({}, "{}"), ({"pod": "a"}, "{pod='a'}")):
        found = assess(picky, values, [series([900.0] * 5, labels)], GRID, None)
        assert isinstance(found, Unknown)
        assert found.reason == "Stale"
        assert found.message.startswith(
            f"The samples query yields no series that match {{model='news'}}, but {shown}: "
        )
        assert "samples.query" in found.message


def test_samples_that_have_stopped_are_not_taken_for_other_labels() -> None:
    picky = replace(COUNTED, match={"model": "news"})
    values = [series([0.95] * 5, {"model": "news"})]
    for label in "news", "sport":
        stopped = series([900.0] * 4 + [None], {"model": label})
        other = series([900.0] * 5, {"model": "sport"})
        found = assess(picky, values, [stopped, other], GRID, None)
        assert isinstance(found, Unknown)
        assert ("yields nothing at the latest" in found.message) is (label == "news")


def test_samples_that_are_no_number_are_stale() -> None:
    samples = [series([500.0] * 4 + [math.nan])]
    found = assess(COUNTED, [series([0.8] * 5)], samples, GRID, None)
    assert isinstance(found, Unknown)
    assert found.reason == "Stale"


def test_samples_may_be_ambiguous_too() -> None:
    samples = [series([500.0] * 5, {"pod": name}) for name in "ab"]
    found = assess(COUNTED, [series([0.8] * 5)], samples, GRID, None)
    assert isinstance(found, Unknown)
    assert found.reason == "Ambiguous"
    assert "the samples query" in found.message


def test_only_readings_on_enough_samples_count() -> None:
    few = [series([500.0, 500.0, 199.0, 500.0, 200.0])]
    found = assess(COUNTED, [series([0.8] * 5)], few, GRID, None)
    assert isinstance(found, Degraded)
    assert (found.breached, found.counted) == (4, 4)
    assert found.reading.samples == 200.0


def test_a_reading_without_samples_does_not_count() -> None:
    samples = [series([None, None, 500.0, 500.0, 500.0])]
    found = assess(COUNTED, [series([0.8] * 5)], samples, GRID, None)
    assert isinstance(found, Degraded)
    assert found.counted == 3


def test_the_latest_reading_may_be_too_thin_to_count() -> None:
    thin = [series([500.0] * 4 + [3.0])]
    found = assess(COUNTED, [series([0.8] * 4 + [0.99])], thin, GRID, None)
    assert isinstance(found, Degraded)
    assert found.reading.time == GRID[-2]


def test_never_enough_samples() -> None:
    found = assess(COUNTED, [series([0.8] * 5)], [series([3.0, 7.0, 5.0, 0.0, 1.0])], GRID, None)
    assert isinstance(found, Unknown)
    assert found.reason == "InsufficientSamples"
    assert "7 samples" in found.message
    assert "200" in found.message


@pytest.mark.parametrize(
    "since, counted",
    [
        (GRID[0] - MINUTE, 5),
        (GRID[0] - MINUTE + timedelta(microseconds=1), 4),
        (GRID[1], 3),
        (GRID[3], 1),
    ],
)
def test_a_window_must_lie_wholly_after_the_promotion(since: datetime, counted: int) -> None:
    found = assess(METRICS, [series([0.8] * 5)], None, GRID, since)
    assert not isinstance(found, Unknown)
    assert found.counted == counted


@pytest.mark.parametrize("metrics", [METRICS, COUNTED])
def test_right_after_a_promotion_nothing_counts(metrics: Metrics) -> None:
    samples = [HIGH] if metrics.samples else None
    found = assess(metrics, [series([0.8] * 5)], samples, GRID, GRID[-1])
    assert isinstance(found, Unknown)
    assert found.reason == "AwaitingReadings"


# --- properties -------------------------------------------------------------------------

values = st.lists(
    st.one_of(st.none(), st.floats(0.0, 1.0), st.just(math.nan)), min_size=5, max_size=5
)
numbers = st.lists(st.floats(0.0, 1.0), min_size=5, max_size=5)
worlds = st.lists(st.tuples(values, st.sampled_from(["a", "b", "c"])), max_size=3)
settings_of_metrics = st.builds(
    lambda count, threshold, match: replace(
        METRICS, breach_count=count, threshold=threshold, match=match
    ),
    st.integers(1, 5),
    st.one_of(
        st.floats(0.0, 1.0).map(lambda bound: ThresholdRange(min=bound)),
        st.floats(0.0, 1.0).map(lambda bound: ThresholdRange(max=bound)),
    ),
    st.sampled_from([{}, {"model": "a"}]),
)


@pytest.mark.slow
@calmly
@given(settings_of_metrics, numbers, st.lists(st.floats(0.0, 0.5), min_size=5, max_size=5))
def test_worse_readings_never_heal(
    metrics: Metrics, before: list[float], loss: list[float]
) -> None:
    sign = -1.0 if metrics.threshold.min is not None else 1.0
    after = [value + sign * less for value, less in zip(before, loss, strict=True)]
    match = dict(metrics.match)
    good = assess(metrics, [series(before, match)], None, GRID, None)
    bad = assess(metrics, [series(after, match)], None, GRID, None)
    if isinstance(good, Degraded):
        assert isinstance(bad, Degraded)
        assert bad.breached >= good.breached


@pytest.mark.slow
@calmly
@given(
    metrics=settings_of_metrics,
    performance=worlds,
    samples=worlds,
    chance=st.randoms(use_true_random=False),
    thin=st.booleans(),
)
def test_neither_order_nor_repetition_matters(
    metrics: Metrics,
    performance: list[tuple[list[float | None], str]],
    samples: list[tuple[list[float | None], str]],
    chance: random.Random,
    *,
    thin: bool,
) -> None:
    if thin:
        metrics = replace(metrics, samples=SamplesQuery("s", 0.5))
    several = [series(one, {"model": name}) for one, name in performance]
    counts = [series(one, {"model": name}) for one, name in samples]
    first = assess(metrics, several, counts, GRID, None)
    assert assess(metrics, several, counts, GRID, None) == first
    chance.shuffle(several)
    chance.shuffle(counts)
    assert assess(metrics, several, counts, GRID, None) == first
    if isinstance(first, Unknown):
        assert 0 < len(first.message) <= 1024


# --- missing readings that count as bad ---------------------------------------------------

LENIENT = replace(METRICS, on_missing=OnMissing.BREACH)


@pytest.mark.parametrize("gap", [None, math.nan, math.inf])
def test_a_missing_reading_is_a_bad_one_where_the_spec_says_so(gap: float | None) -> None:
    found = assess(LENIENT, [series([0.95, 0.95, gap, gap, gap])], None, GRID, None)
    assert isinstance(found, Degraded)
    assert (found.breached, found.counted) == (3, 5)
    assert math.isnan(found.reading.value)
    assert isinstance(assess(LENIENT, [series([0.95] * 4 + [gap])], None, GRID, None), Healthy)


def test_no_series_at_all_is_a_breach_where_the_spec_says_so() -> None:
    assert isinstance(assess(LENIENT, [], None, GRID, None), Degraded)
    errors = replace(LENIENT, threshold=ThresholdRange(max=0.1))
    assert isinstance(assess(errors, [], None, GRID, None), Degraded)


def test_stale_and_ambiguous_hold_whatever_the_spec_says() -> None:
    counted = replace(LENIENT, samples=SamplesQuery("s", 200))
    stale = assess(counted, [], [], GRID, None)
    assert isinstance(stale, Unknown)
    assert stale.reason == "Stale"
    two = [series([0.8] * 5, {"zone": zone}) for zone in "ab"]
    ambiguous = assess(LENIENT, two, None, GRID, None)
    assert isinstance(ambiguous, Unknown)
    assert ambiguous.reason == "Ambiguous"


# --- baseline and recovery ----------------------------------------------------------------


def champion(baseline: float | None) -> Champion:
    level = None if baseline is None else Baseline(baseline, START, 5000)
    return Champion(
        1, "pvc://m/1", "sha256:1", START - 3 * MINUTE, TrainingAction.RETRAIN, baseline=level
    )


def test_a_drop_below_the_baseline_is_a_breach_above_the_floor() -> None:
    drop = replace(METRICS, max_drop=0.03)
    readings = [series([0.92] * 5)]
    for known, degraded in ((None, False), (0.94, False), (0.96, True), (0.5, False)):
        bounds = in_force(drop, champion(known), degraded=False)
        found = assess(drop, readings, None, GRID, None, bounds)
        assert isinstance(found, Degraded) is degraded, known
    assert in_force(drop, champion(0.96), degraded=False).threshold.bound == pytest.approx(0.93)
    assert in_force(drop, champion(0.91), degraded=False).threshold == FLOOR
    assert in_force(METRICS, champion(0.96), degraded=False).threshold == FLOOR


def test_an_error_rate_may_rise_so_far_above_its_baseline() -> None:
    errors = replace(METRICS, threshold=ThresholdRange(max=0.1), max_drop=0.03)
    assert in_force(errors, champion(0.05), degraded=False).threshold.max == pytest.approx(0.08)
    assert in_force(errors, champion(0.09), degraded=False).threshold.max == pytest.approx(0.1)


def test_the_level_is_the_mean_of_a_full_set_of_good_readings_weighted_by_samples() -> None:
    values, counts = [0.9, 0.91, 0.92, 0.93, 0.94], [200.0, 200.0, 200.0, 200.0, 1200.0]
    found = assess(COUNTED, [series(values)], [series(counts)], GRID, None)
    assert isinstance(found, Healthy)
    assert found.level is not None
    assert found.level.value == pytest.approx(0.93)
    assert (found.level.samples, found.level.time) == (2000, GRID[-1])


@pytest.mark.parametrize(
    "values, since",
    [
        ([0.95, 0.95, 0.95, 0.95, 0.85], None),  # a bad one among them
        ([0.95, None, 0.95, 0.95, 0.95], None),  # a gap
        ([0.95] * 5, START - MINUTE),  # the first one is of the change of versions
        ([0.95] * 5, START + MINUTE),
    ],
)
def test_there_is_no_level_before_the_readings_settle(
    values: list[float | None], since: datetime | None
) -> None:
    found = assess(METRICS, [series(values)], None, GRID, since)
    assert isinstance(found, Healthy)
    assert found.level is None
    settled = assess(METRICS, [series([0.95] * 5)], None, GRID, START - 2 * MINUTE)
    assert isinstance(settled, Healthy)
    assert settled.level is not None


LONG_AGO = START - 2 * MINUTE


@pytest.mark.parametrize(
    "values, since, level",
    [
        ([0.95, None, 0.93, 0.94, None], LONG_AGO, 0.94),  # as at a weekend: never a full set
        ([0.95, None, 0.93, 0.94, None], LONG_AGO + MINUTE, None),  # a full set may come
        ([0.95, None, 0.93, 0.85, None], LONG_AGO, None),  # a bad one among them
        ([0.95, None, None, 0.93, None], LONG_AGO, None),  # fewer than a breach needs
        ([None, None, None, 0.94, 0.93], LONG_AGO, None),
        ([None, None, 0.95, 0.94, 0.93], LONG_AGO, 0.94),
    ],
)
def test_where_some_readings_always_lack_the_others_tell_the_level(
    values: list[float | None], since: datetime, level: float | None
) -> None:
    few = [100.0 if value is None else 300.0 for value in values]
    filled = [0.9 if value is None else value for value in values]

    # A reading on too few samples lacks, as does one that is not there.
    found = assess(COUNTED, [series(filled)], [series(few)], GRID, since)

    assert isinstance(found, Healthy)
    assert (found.level and found.level.value) == (pytest.approx(level) if level else None)


def test_a_degraded_resource_stays_so_until_a_reading_reaches_recover() -> None:
    slow = replace(METRICS, recover=0.93)
    degraded = in_force(slow, None, degraded=True)
    for latest, recovered in ((0.91, False), (0.93, True), (0.95, True)):
        found = assess(slow, [series([0.8, 0.8, 0.8, 0.8, latest])], None, GRID, None, degraded)
        assert isinstance(found, Healthy) is recovered, latest
        if isinstance(found, Degraded):
            assert found.recovering
    healthy = in_force(slow, None, degraded=False)
    found = assess(slow, [series([0.91] * 5)], None, GRID, None, healthy)
    assert isinstance(found, Healthy)
    bad = assess(slow, [series([0.8] * 5)], None, GRID, None, degraded)
    assert isinstance(bad, Degraded)
    assert not bad.recovering


def test_a_degraded_resource_stays_so_while_too_few_readings_count() -> None:
    """Traffic has ebbed: two readings of five rest on samples enough, and both are bad."""
    counts = series([20.0, 500.0, 20.0, 500.0, 20.0])
    for degraded in (True, False):
        bounds = in_force(COUNTED, None, degraded=degraded)
        found = assess(COUNTED, [series([0.8] * 5)], [counts], GRID, None, bounds)
        assert isinstance(found, Degraded) is degraded
        if isinstance(found, Degraded):
            assert found.recovering, "two readings begin no run"
        back = assess(COUNTED, [series([0.8, 0.8, 0.8, 0.95, 0.8])], [counts], GRID, None, bounds)
        assert isinstance(back, Healthy), "the latest that counts is within the range"


def test_recover_is_never_laxer_than_the_range_in_force() -> None:
    bounds = Bounds(ThresholdRange(min=0.95), recover=0.93)
    found = assess(METRICS, [series([0.8, 0.8, 0.96, 0.96, 0.94])], None, GRID, None, bounds)
    assert isinstance(found, Degraded)


# --- clocks -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "minutes, told",
    [(-10, "is 10m behind the operator's"), (10, "is 10m ahead of the operator's"), (0.9, "")],
)
def test_an_absence_names_clocks_that_differ(minutes: float, told: str) -> None:
    absent = Unknown(MetricsReason.NO_DATA, "Nothing.")
    found = with_clocks(absent, "default", timedelta(minutes=minutes))
    assert isinstance(found, Unknown)
    assert found.message.endswith("Nothing.")
    assert told in found.message
    assert found.message.startswith("The clock of") == bool(told)
    refused = Unknown(MetricsReason.INVALID_QUERY, "Wrong.")
    assert with_clocks(refused, "default", timedelta(minutes=minutes)) == refused

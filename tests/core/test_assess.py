"""Readings into Healthy, Degraded or Unknown."""

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maintenance_operator.core.assess import assess
from maintenance_operator.core.model import (
    Degraded,
    Healthy,
    Metrics,
    SamplesQuery,
    Series,
    ThresholdRange,
    Unknown,
)

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

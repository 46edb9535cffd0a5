"""Counters with few labels a day: a reference takes weeks, and the operator restarts meanwhile."""

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from maintenance_contract import TrainingAction
from maintenance_core.errors import MetricsError
from maintenance_core.model import Champion, Monitor, OutcomeCounters, Series
from maintenance_core.watch.counters import BLOCK, Counted
from maintenance_core.watch.e_detector import HISTORY
from maintenance_operator.counter_cache import CounterCache

START = datetime(2026, 1, 5, tzinfo=UTC)
DAY = timedelta(days=1)
KEY = ("finance", "news")
OUTCOMES = OutcomeCounters(
    "default", timedelta(hours=1), "predictions_total", {}, "true_class", "correct", "version"
)
CHAMPION = Champion(1, "pvc://m/v", "sha256:aa", START, TrainingAction.RETRAIN)


class Store:
    """Three labels an hour; the error rises on a day. What came before ``kept`` is gone."""

    def __init__(self, kept: datetime = START, worse: datetime | None = None) -> None:
        self.kept, self.worse = kept, worse
        self.most_series = 1
        self.asked: list[datetime] = []

    async def range(self, server: str, query: str, times: Sequence[datetime]) -> tuple[Series, ...]:
        """As Prometheus: nothing where it has nothing, and no more than it may."""
        assert (server, query[:3]) == ("default", "sum")
        self.asked += times
        there = [time for time in times if time >= self.kept]
        if there and len(times) * self.most_series > 30_000:
            raise MetricsError("ReplyTooLarge", "too many values")
        if not there:
            return ()
        wrong = {time: self._wrong(time) for time in there}
        points = [
            tuple((time, 3.0 - wrong[time]) for time in there),
            tuple((time, float(wrong[time])) for time in there),
        ]
        return tuple(
            Series({"true_class": "a", "correct": right}, each)
            for right, each in zip(("true", "false"), points, strict=True)
        )

    def _wrong(self, time: datetime) -> int:
        chance = random.Random(time.timestamp())  # noqa: S311 - no secret
        error = 0.1 if self.worse is None or time < self.worse else 0.5
        return sum(chance.random() < error for _ in range(3))


async def counted(cache: CounterCache, days: float, written: Monitor | None = None) -> Counted:
    return await cache.counted(KEY, OUTCOMES, CHAMPION, written, START + days * DAY)


async def test_restarts_do_not_keep_a_reference_from_being_reached() -> None:
    store = Store()
    kept = CounterCache(store)
    for day in range(1, 40, 6):
        without = await counted(kept, day)
        restarted = await counted(CounterCache(store), day)
        assert restarted == without
    assert without.monitor is not None


async def test_a_reference_of_long_ago_is_the_first_and_the_test_is_as_after_a_restart() -> None:
    """Months after a promotion what was labelled first tells; no later rise is taken for it."""
    store = Store(worse=START + 100 * DAY)

    first = await counted(CounterCache(store), 130)

    assert first.monitor is not None
    assert first.monitor.reference.end < START + 30 * DAY
    assert abs(first.monitor.reference.total.rate - 0.1) < 0.03
    assert first == await counted(CounterCache(store), 130, first.monitor)
    assert first.begins is not None
    assert START + 130 * DAY - first.begins <= 2 * BLOCK
    again = CounterCache(store)
    store.asked.clear()
    await counted(again, 130, first.monitor)
    assert START + 130 * DAY - min(store.asked) <= 2 * BLOCK + HISTORY


async def test_many_series_after_a_time_without_any_are_asked_for_in_parts() -> None:
    store = Store(kept=START + 250 * DAY)
    store.most_series = 30

    found = await counted(CounterCache(store), 260)

    assert found.oldest == store.kept
    assert sum(each.samples for each in found.gathered.values()) == 10 * 24 * 3 + 3


class Many(Store):
    """So many series that even a hundred windows, or a single one, are too large an answer."""

    def __init__(self, series: int, most_values: int = 300_000) -> None:
        super().__init__()
        self._series, self._most_values = series, most_values
        self.points: list[int] = []

    async def range(self, server: str, query: str, times: Sequence[datetime]) -> tuple[Series, ...]:
        self.points.append(len(times))
        if len(times) * self._series > self._most_values:
            raise MetricsError(
                "ReplyTooLarge",
                f"default: the reply is too large: {self._series} series. Let the query aggregate, "
                "like avg by (model) (…), or select fewer series by their labels",
            )
        found = await super().range(server, query, times)
        return (*found, *[Series({"true_class": "b", "correct": "true"}, ())] * self._series)


async def test_many_classes_are_asked_for_in_fewer_windows_after_a_restart() -> None:
    store = Many(3200)

    found = await counted(CounterCache(store), 20)

    assert found.time == START + 20 * DAY
    assert store.points[:2] == [100, 10]
    assert store.asked == sorted(set(store.asked)), "no window twice"


async def test_a_single_window_that_is_too_large_says_what_an_author_can_do() -> None:
    store = Many(400_000)

    with pytest.raises(MetricsError, match="too large: 400000 series, for one interval") as error:
        await counted(CounterCache(store), 20)

    assert error.value.reason == "ReplyTooLarge"
    assert "rare classes together under one value" in str(error.value)
    assert "avg by" not in str(error.value)
    assert store.points == [100, 10, 1]

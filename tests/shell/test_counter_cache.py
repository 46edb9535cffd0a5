"""Counters of a real Prometheus that has a past: what is asked, and what a restart changes."""

import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from support.prometheus import Exporter, PrometheusServer

from maintenance_contract import TrainingAction
from maintenance_core.errors import MetricsError
from maintenance_core.model import (
    Champion,
    Degraded,
    Healthy,
    Monitor,
    OutcomeCounters,
    Series,
    Server,
)
from maintenance_core.watch import counters as core
from maintenance_core.watch.counters import Counted
from maintenance_operator.adapters.prometheus import Prometheus
from maintenance_operator.counter_cache import CounterCache

pytestmark = pytest.mark.api

KEY = ("finance", "news")
MINUTES, SCRAPE, PER_MINUTE = 150, 15, 60  # one prediction a second
DROP, SILENT = 110, range(60 * 60, 67 * 60)
ERROR, WORSE = 0.1, 0.3
OUTCOMES = OutcomeCounters(
    "default",
    timedelta(minutes=1),
    "predictions_total",
    {},
    "true_class",
    "correct",
    "version",
    baseline_samples=1000,
)


def history(start: float) -> dict[str, list[tuple[float, float]]]:
    """Version 3 drops at ``DROP``; version 2 is bad all along; restarts, and a gap of scrapes."""
    chance = random.Random(5)  # noqa: S311 - no secret
    found: dict[str, list[tuple[float, float]]] = {}
    for version in ("2", "3"):
        totals = {(name, right): 0.0 for name in "ab" for right in ("true", "false")}
        for second in range(MINUTES * 60 + 1):
            worse = version == "2" or second >= DROP * 60
            wrong = chance.random() < (WORSE if worse else ERROR)
            totals[chance.choice("ab"), "false" if wrong else "true"] += 1
            if second in {20 * 60 + 7, 95 * 60 + 50}:
                totals = dict.fromkeys(totals, 0.0)
            if second % SCRAPE or second in SILENT:
                continue
            for (name, right), value in totals.items():
                labels = f'version="{version}",true_class="{name}",correct="{right}"'
                series = found.setdefault(f"predictions_total{{{labels}}}", [])
                series.append((start + second, value))
    return found


@pytest.fixture(scope="module")
def past(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[PrometheusServer, datetime]]:
    """A Prometheus that has seen it, and when that began."""
    start = datetime.fromtimestamp((int(time.time()) // 60 - MINUTES - 3) * 60, UTC)
    exporter = Exporter()
    server = PrometheusServer(exporter, Path(tmp_path_factory.mktemp("past")))
    server.backfill(history(start.timestamp()))
    server.start()
    yield server, start
    server.stop()
    exporter.close()


class Uncounted:
    def prometheus_request(self, server: str, outcome: str, seconds: float) -> None:
        """Nobody asks."""


class Asked:
    """A Prometheus that remembers what it was asked, and may be away."""

    def __init__(self, prometheus: Prometheus) -> None:
        self._prometheus = prometheus
        self.times: list[datetime] = []
        self.away = False

    async def range(self, server: str, query: str, times: Sequence[datetime]) -> tuple[Series, ...]:
        if self.away:
            raise MetricsError("Unreachable", "away")
        answer = await self._prometheus.range(server, query, times)
        self.times += times
        return answer


def champion(start: datetime, version: int = 3) -> Champion:
    return Champion(version, "pvc://m/v", "sha256:aa", start, TrainingAction.RETRAIN)


async def at(
    counting: CounterCache, start: datetime, minute: float, monitor: Monitor | None = None
) -> Counted:
    now = start + timedelta(minutes=minute)
    return await counting.counted(KEY, OUTCOMES, champion(start), monitor, now)


def prometheus(server: PrometheusServer) -> Prometheus:
    return Prometheus({"default": Server(server.url)}, Uncounted())


class Silent:
    """A Prometheus that has counted nothing."""

    def __init__(self) -> None:
        self.times: list[datetime] = []

    async def range(
        self,
        server: str,  # noqa: ARG002 - one answers like another
        query: str,  # noqa: ARG002
        times: Sequence[datetime],
    ) -> tuple[Series, ...]:
        self.times += times
        return ()


async def test_what_was_counted_by_a_clock_that_was_ahead_is_counted_again() -> None:
    asked, start = Silent(), datetime(2026, 1, 1, tzinfo=UTC)
    counting = CounterCache(asked)
    await at(counting, start, 3000)
    asked.times.clear()
    await at(counting, start, 10)
    assert max(asked.times) == start + timedelta(minutes=10)
    asked.times.clear()
    await at(counting, start, 9.5)
    assert asked.times == [], "clocks may differ a little"


async def test_a_drop_is_found_and_no_window_is_asked_for_twice(
    past: tuple[PrometheusServer, datetime],
) -> None:
    server, start = past
    found: dict[int, type] = {}
    async with prometheus(server) as client:
        asked = Asked(client)
        counting = CounterCache(asked)
        for minute in range(1, MINUTES + 1):
            counted = await at(counting, start, minute)
            found[minute] = type(core.assess(OUTCOMES, champion(start), counted))
            assert await at(counting, start, minute + 0.4) == counted

    assert len(asked.times) == len(set(asked.times)) == MINUTES - 1
    assert {found[minute] for minute in range(50, DROP) if not 60 <= minute <= 68} == {Healthy}
    first = min(minute for minute, kind in found.items() if kind is Degraded)
    assert DROP < first <= DROP + 12
    assert all(found[minute] is Degraded for minute in range(first, MINUTES))


async def test_after_a_restart_the_state_is_the_same(
    past: tuple[PrometheusServer, datetime],
) -> None:
    server, start = past
    async with prometheus(server) as client:
        kept = CounterCache(client)
        for minute in range(1, 100, 3):
            counted = await at(kept, start, minute)
        assert counted.monitor is not None

        unwritten = await at(CounterCache(client), start, 99)
        rebuilt = await at(CounterCache(client), start, 99, counted.monitor)

        assert unwritten == rebuilt == await at(kept, start, 99, counted.monitor)


async def test_an_hour_without_prometheus_loses_nothing(
    past: tuple[PrometheusServer, datetime],
) -> None:
    server, start = past
    async with prometheus(server) as client:
        asked = Asked(client)
        counting = CounterCache(asked)
        await at(counting, start, 30)
        asked.away = True
        with pytest.raises(MetricsError, match="away"):
            await at(counting, start, 60)
        asked.away = False

        assert await at(counting, start, 90) == await at(CounterCache(client), start, 90)


async def test_versions_never_mix_and_resets_are_seen(
    past: tuple[PrometheusServer, datetime],
) -> None:
    server, start = past
    async with prometheus(server) as client:
        counting = CounterCache(client)
        third = await at(counting, start, 100)
        now = start + timedelta(minutes=100)
        second = await counting.counted(KEY, OUTCOMES, champion(start, 2), third.monitor, now)

    assert third.monitor is not None
    assert second.monitor is not None, "another version is counted from the start"
    assert third.monitor.reference.total.rate == pytest.approx(ERROR, abs=0.03)
    assert second.monitor.reference.total.rate == pytest.approx(WORSE, abs=0.05)
    total = sum(third.state.mix.values())
    minutes = 100 - (third.monitor.checkpoint_time - start) / timedelta(minutes=1)
    # A restart loses what was not scraped; a gap of seven minutes loses them.
    assert total == pytest.approx((minutes - 7) * PER_MINUTE, rel=0.05)


async def test_another_counter_begins_anew(past: tuple[PrometheusServer, datetime]) -> None:
    server, start = past
    async with prometheus(server) as client:
        counting = CounterCache(client)
        before = await at(counting, start, 90)
        other = replace(OUTCOMES, match_labels={"true_class": "a"})
        now = start + timedelta(minutes=90)
        after = await counting.counted(KEY, other, champion(start), before.monitor, now)

    assert after.monitor is not None
    assert before.monitor is not None
    assert set(after.monitor.reference.classes) == {"a"}
    assert after.monitor.counter != before.monitor.counter

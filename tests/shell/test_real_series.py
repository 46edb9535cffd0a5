"""Counters as they come from real servers: reset, with gaps, wobbling; read by a real Prometheus.

The past is given to Prometheus, and the operator's reading is played at each minute of it.
"""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from support.prometheus import Exporter, PrometheusServer

from maintenance_core.model import (
    Assessment,
    Degraded,
    Healthy,
    Metrics,
    SamplesQuery,
    Server,
    ThresholdRange,
    Unknown,
)
from maintenance_core.reasons import MetricsReason
from maintenance_core.watch.assess import assess, in_force
from maintenance_core.watch.reading_times import reading_times
from maintenance_operator.adapters.prometheus import Prometheus

pytestmark = pytest.mark.api

MINUTES = 40
SCRAPE = 5
PER_SECOND = 10
GOOD, BAD, FLOOR = 0.95, 0.70, 0.90
GAP = range(12 * 60 + 7, 17 * 60 + 3)
ACCURACY = (
    "sum by (model) (increase(correct_total[60s])) / sum by (model) (increase(asked_total[60s]))"
)
ASKED = "sum by (model) (increase(asked_total[60s]))"
METRICS = Metrics(
    "default",
    timedelta(minutes=1),
    ACCURACY,
    {},
    ThresholdRange(min=FLOOR),
    3,
    5,
    SamplesQuery(ASKED, 200),
)


@dataclass(frozen=True)
class Served:
    """How a model does, by the second; when its process starts anew; when nobody scrapes it."""

    accuracy: Callable[[int], float] = lambda _: GOOD
    restarts: tuple[int, ...] = ()
    silent: range = range(0)

    def counters(self, start: float) -> Iterator[tuple[float, float, float]]:
        """(time, asked, right) at each scrape."""
        asked = right = 0.0
        for second in range(MINUTES * 60 + 1):
            if second in self.restarts:
                asked = right = 0.0
            asked += PER_SECOND
            right += PER_SECOND * self.accuracy(second)
            if second % SCRAPE == 0 and second not in self.silent:
                yield start + second, asked, right


SERVED = {
    "steady": Served(),
    "restarts": Served(restarts=tuple(range(311, MINUTES * 60, 337))),
    "gap": Served(silent=GAP),
    "gap-and-restart": Served(silent=GAP, restarts=(GAP[100],)),
    "flaps": Served(lambda second: GOOD if second // 60 % 2 else BAD),
    "drops": Served(lambda second: GOOD if second < 20 * 60 else BAD, restarts=(22 * 60 + 31,)),
    "one-bad-minute": Served(lambda second: BAD if 20 * 60 <= second < 21 * 60 else GOOD),
}


@pytest.fixture(scope="module")
def past(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[PrometheusServer, datetime]]:
    """A Prometheus that has seen all of them, and when that began."""
    start = datetime.fromtimestamp((int(time.time()) // 60 - MINUTES - 2) * 60, UTC)
    exporter = Exporter()
    server = PrometheusServer(exporter, Path(tmp_path_factory.mktemp("past")))
    history: dict[str, list[tuple[float, float]]] = {}
    for model, served in SERVED.items():
        for at, asked, right in served.counters(start.timestamp()):
            history.setdefault(f'asked_total{{model="{model}"}}', []).append((at, asked))
            history.setdefault(f'correct_total{{model="{model}"}}', []).append((at, right))
    server.backfill(history)
    server.start()
    yield server, start
    server.stop()
    exporter.close()


class Uncounted:
    def prometheus_request(self, server: str, outcome: str, seconds: float) -> None:
        """Nobody asks."""


async def played(
    past: tuple[PrometheusServer, datetime], model: str, **changes: float
) -> dict[int, Assessment]:
    """What is found at each minute, from the first that has a full set of readings on."""
    server, start = past
    metrics = replace(METRICS, match={"model": model}, **changes)
    found: dict[int, Assessment] = {}
    down = False
    async with Prometheus({"default": Server(server.url)}, Uncounted()) as prometheus:
        for minute in range(6, MINUTES):
            grid = reading_times(metrics, start + timedelta(minutes=minute, seconds=20))
            assert metrics.samples is not None
            readings = await prometheus.range("default", metrics.query, grid)
            samples = await prometheus.range("default", metrics.samples.query, grid)
            bounds = in_force(metrics, None, degraded=down)
            one = found[minute] = assess(metrics, readings, samples, grid, None, bounds)
            if not isinstance(one, Unknown):
                down = isinstance(one, Degraded)
    return found


def kinds(found: dict[int, Assessment]) -> set[type[Assessment]]:
    return {type(one) for one in found.values()}


@pytest.mark.parametrize("model", ["steady", "restarts"])
async def test_a_server_that_starts_anew_is_no_drop(
    past: tuple[PrometheusServer, datetime], model: str
) -> None:
    for one in (await played(past, model)).values():
        assert isinstance(one, Healthy)
        assert one.breached == 0
        assert math.isclose(one.reading.value, GOOD, abs_tol=0.03)
        assert one.reading.samples is not None
        assert one.reading.samples > 0


async def test_one_bad_minute_is_no_drop(past: tuple[PrometheusServer, datetime]) -> None:
    found = await played(past, "one-bad-minute")
    assert kinds(found) == {Healthy}
    assert {one.breached for one in found.values() if isinstance(one, Healthy)} == {0, 1}


@pytest.mark.parametrize("model", ["gap", "gap-and-restart"])
async def test_a_gap_holds_and_is_neither_good_nor_bad(
    past: tuple[PrometheusServer, datetime], model: str
) -> None:
    found = await played(past, model)
    assert kinds(found) == {Healthy, Unknown}
    held = [minute for minute, one in found.items() if isinstance(one, Unknown)]
    assert held == list(range(held[0], held[-1] + 1)), "one stretch"
    assert set(range(14, 18)) <= set(held) <= set(range(13, 20))
    reasons = {one.reason for one in found.values() if isinstance(one, Unknown)}
    assert reasons <= {MetricsReason.NO_DATA, MetricsReason.STALE}


async def test_a_drop_is_seen_though_a_server_starts_anew_in_it(
    past: tuple[PrometheusServer, datetime],
) -> None:
    found = await played(past, "drops")
    down = [minute for minute, one in found.items() if isinstance(one, Degraded)]
    assert down == list(range(23, MINUTES)), "the third bad minute of five, and on"
    assert kinds(found) == {Healthy, Degraded}


async def test_a_metric_that_flaps_is_a_breach_at_its_bad_readings_alone(
    past: tuple[PrometheusServer, datetime],
) -> None:
    found = await played(past, "flaps")
    down = [minute for minute, one in found.items() if isinstance(one, Degraded)]
    assert len(down) in {MINUTES // 2 - 3, MINUTES // 2 - 4}
    assert {minute % 2 for minute in down} == {1}, "the window of an even minute is good"
    assert kinds(found) == {Healthy, Degraded}
    # Fewer false alarms are had by asking for more bad readings.
    assert kinds(await played(past, "flaps", breach_count=4)) == {Healthy}

"""A real VictoriaMetrics answers as a Prometheus does, up to the very latest time."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from support.prometheus import VictoriaMetrics

from maintenance_contract import TrainingAction
from maintenance_core.model import (
    Champion,
    Metrics,
    OutcomeCounters,
    SamplesQuery,
    Server,
    ThresholdRange,
)
from maintenance_core.watch.reading_times import reading_times
from maintenance_operator.adapters.prometheus import Prometheus
from maintenance_operator.counter_cache import CounterCache

pytestmark = pytest.mark.api

PER_SECOND = 10


class Silent:
    def prometheus_request(self, *_: object) -> None:
        """Count nothing."""


@pytest.fixture(scope="module")
def victoria_metrics(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VictoriaMetrics]:
    server = VictoriaMetrics(Path(tmp_path_factory.mktemp("victoria")))
    server.start()
    now = round(time.time())
    past = range(now - 3600, now + 1)
    server.take('seconds{model="news"}', ((at, at) for at in past))
    server.take('other{model="news"}', ((at, 1) for at in past))
    for right, share in (("true", 9), ("false", 1)):
        labels = f'model="news",true_class="a",correct="{right}"'
        server.take(f"labelled_total{{{labels}}}", ((at, share * (at - past[0])) for at in past))
    yield server
    server.stop()


def metrics(seconds: int, of: int) -> Metrics:
    return Metrics(
        "default",
        timedelta(seconds=seconds),
        "seconds",
        {"model": "news"},
        ThresholdRange(min=0),
        1,
        of,
        SamplesQuery("other", 1),
    )


@pytest.mark.parametrize("seconds", [5, 20, 30, 60, 300])
@pytest.mark.parametrize("of", [1, 3, 5])
async def test_each_reading_is_that_of_its_time(
    victoria_metrics: VictoriaMetrics, seconds: int, of: int
) -> None:
    """What VictoriaMetrics repeats in short steps is the value before; what it leaves out, none."""
    asked = metrics(seconds, of)
    async with Prometheus({"default": Server(victoria_metrics.url)}, Silent()) as prometheus:
        # The grid ends with the latest time that was stored for sure.
        times = reading_times(asked, datetime.now(UTC) - timedelta(seconds=10))
        for query in ("seconds", "other"):
            (series,) = await prometheus.range("default", query, times)
            expected = [time.timestamp() if query == "seconds" else 1.0 for time in times]
            assert [time for time, _ in series.points] == list(times)
            assert [value for _, value in series.points] == pytest.approx(expected, abs=1)


@pytest.mark.parametrize("seconds", [10, 60, 300])
async def test_each_label_is_counted_once(victoria_metrics: VictoriaMetrics, seconds: int) -> None:
    now = datetime.now(UTC)
    outcomes = OutcomeCounters(
        server="default",
        interval=timedelta(seconds=seconds),
        counter="labelled_total",
        match_labels={"model": "news"},
        class_label="true_class",
        correct_label="correct",
        version_label="",
        tolerance=0.02,
        baseline_samples=1_000_000,
    )
    champion = Champion(
        1, "pvc://m/v/1", "sha256:0", now - timedelta(minutes=40), TrainingAction.RETRAIN
    )
    async with Prometheus({"default": Server(victoria_metrics.url)}, Silent()) as prometheus:
        counting = CounterCache(prometheus)
        for late in (5, 0):  # the last windows again, each for itself
            counted = await counting.counted(
                ("finance", "news"), outcomes, champion, None, now - timedelta(minutes=late)
            )
    total = counted.gathered["a"]
    whole = (1 + 2) * seconds + min(30, seconds)
    windows = int((now.timestamp() - (now.timestamp() - 2400 + whole)) / seconds)
    expected = windows * seconds * PER_SECOND
    assert total.samples == pytest.approx(expected, rel=0.02, abs=2.5 * seconds * PER_SECOND)
    assert total.errors / total.samples == pytest.approx(0.1, abs=0.001)

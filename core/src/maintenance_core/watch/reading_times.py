"""When the metric is read: fixed times, the same for every resource that asks alike."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache

from maintenance_core.model import Metrics, OutcomeCounters


def reading_times(metrics: Metrics | OutcomeCounters, now: datetime) -> tuple[datetime, ...]:
    """The last reading times, oldest first: multiples of the interval since the epoch.

    Absolute, so that equal queries of many resources are one request, and an operator that starts
    again sees the very same readings: nothing about them is kept anywhere.
    """
    seconds = int(metrics.interval.total_seconds())
    latest = int(now.timestamp()) // seconds
    count = metrics.breach_of if isinstance(metrics, Metrics) else 1
    return _multiples(seconds, latest, count)


@lru_cache(maxsize=256)
def _multiples(seconds: int, latest: int, count: int) -> tuple[datetime, ...]:
    """Made once for all resources that are read at the same time."""
    return tuple(
        datetime.fromtimestamp(index * seconds, UTC)
        for index in range(latest - count + 1, latest + 1)
    )


def next_reading(metrics: Metrics | OutcomeCounters, now: datetime) -> datetime:
    """The first reading time after ``now``."""
    return reading_times(metrics, now + timedelta(seconds=metrics.interval.total_seconds()))[-1]

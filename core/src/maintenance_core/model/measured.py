"""What is seen of the metric: readings, and what they are judged to say."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from maintenance_core.model.counts import Alarm, ReferenceCounts
from maintenance_core.model.declared import ThresholdRange


@dataclass(frozen=True, slots=True)
class Series:
    """One series of a range query: its labels, and (time, value) in order. Values may be NaN."""

    labels: Mapping[str, str]
    points: tuple[tuple[datetime, float], ...]


@dataclass(frozen=True, slots=True)
class Reading:
    """The metric at one point of the grid; ``samples`` is None where no query was given.

    ``value`` is NaN where the metric was missing and ``onMissing: Breach`` counts that.
    """

    time: datetime
    value: float
    samples: float | None = None


@dataclass(frozen=True, slots=True)
class Baseline:
    """What a version achieved in production when it was new.

    ``metric`` is a digest of what was read; empty where counters told, or a release before.
    """

    value: float
    time: datetime
    samples: float | None = None
    metric: str = ""


@dataclass(frozen=True, slots=True)
class Monitor:
    """What the sequential test rests on, beside Prometheus.

    ``version`` is the champion's, ``counter`` a digest of what is counted, and both must still be
    the same; the test is rebuilt from ``checkpoint_time`` on.
    """

    version: int
    counter: str
    checkpoint_time: datetime
    reference: ReferenceCounts


@dataclass(frozen=True, slots=True)
class Healthy:
    """Not enough bad readings. ``reading`` is the latest that counts.

    ``level`` is their mean, weighted by samples, once they lie well after the promotion: all of
    them, or where some always lack as many as a breach needs.
    With counters: ``monitor`` is what they are held against, as in the other two; ``season`` the
    time after which the error is up just as it was then.
    """

    reading: Reading
    breached: int
    counted: int
    level: "Baseline | None" = None
    monitor: "Monitor | None" = None
    season: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Degraded:
    """Performance is down, sustained, on enough samples. ``reading`` is the latest.

    ``recovering``: it was, and is no more, but has not reached ``recover`` either. Nothing starts
    then. ``alarm``: it is the sequential test of counters that says so, and no single reading.
    ``onset``: what lies before it was still good, as far as the readings tell.
    """

    reading: Reading
    breached: int
    counted: int
    threshold: ThresholdRange
    recovering: bool = False
    alarm: Alarm | None = None
    onset: datetime | None = None
    monitor: "Monitor | None" = None


@dataclass(frozen=True, slots=True)
class Unknown:
    """Nothing can be said; the operator holds. ``reason`` is of ``MetricsReason``."""

    reason: str
    message: str
    monitor: "Monitor | None" = None


Assessment = Healthy | Degraded | Unknown

"""What a resource's metric says now: the one observation of the operator and of its plugin.

Everything between a parsed resource and an ``Assessment`` happens here: which queries are asked for
which times, since when readings count, what they are held against, and what an absence means.
"""

import asyncio
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from maintenance_core.errors import MetricsError, SpecError
from maintenance_core.lifecycle.conditions import is_down
from maintenance_core.lifecycle.jobs import Identity
from maintenance_core.model import (
    Assessment,
    Metrics,
    OutcomeCounters,
    Series,
    Spec,
    Status,
    Unknown,
)
from maintenance_core.reasons import MetricsReason
from maintenance_core.watch import counters
from maintenance_core.watch.assess import SKEWED, Bounds, assess, held_against, with_clocks
from maintenance_core.watch.reading_times import reading_times
from maintenance_operator.counter_cache import CounterCache, answered

Key = tuple[str, str]


class MetricsSource(Protocol):
    """What is needed of Prometheus."""

    async def admit(self, namespace: str, server: str, *queries: str) -> None:
        """MetricsError where a namespace may not put these queries to a server."""

    async def range(
        self, server: str, query: str, times: Sequence[datetime], match: Mapping[str, str] = ...
    ) -> tuple[Series, ...]:
        """The query at each time, where ``match`` fits if it fits anywhere.

        Raises:
            MetricsError: there is no usable answer.
        """

    def skew(self, server: str) -> timedelta | None:
        """How far the server's clock is ahead of ours; None as long as it told no time."""


@dataclass(frozen=True, slots=True)
class Assessed:
    """An assessment, with the bound that its reading is held against (NaN where none is known).

    ``failure`` is of ``MetricsReason``, where Prometheus gave no usable answer. ``clock_agrees``:
    it answered, and its clock is ours.
    """

    assessment: Assessment
    bound: float = math.nan
    failure: str = ""
    clock_agrees: bool = False


class Assessor:
    """Reads and judges the metric of any resource."""

    def __init__(self, metrics: MetricsSource) -> None:
        self._metrics = metrics
        self._counter_cache = CounterCache(metrics)

    async def assess(
        self, identity: Identity, spec: Spec | SpecError, status: Status, now: datetime
    ) -> Assessed:
        """The metric of a resource, as its spec and its status say that it is to be read."""
        if isinstance(spec, SpecError):
            return not_followed(spec)
        metrics = spec.metrics
        try:
            if isinstance(metrics, OutcomeCounters):
                found, bound = await self._counters(identity, metrics, status, now)
            else:
                queries = [metrics.query, *([metrics.samples.query] if metrics.samples else [])]
                await self._metrics.admit(identity.namespace, metrics.server, *queries)
                since, bounds = held_against(metrics, status, degraded=is_down(status))
                found = await self.gauge(metrics, since, bounds, now)
                bound = bounds.threshold.bound
        except MetricsError as error:
            return unread(error)
        skew = self._metrics.skew(metrics.server)
        found = with_clocks(found, metrics.server, skew or timedelta())
        agrees = skew is not None and abs(skew) < SKEWED
        return Assessed(found, bound, _failure(found), clock_agrees=agrees)

    async def gauge(
        self, metrics: Metrics, since: datetime | None, bounds: Bounds, now: datetime
    ) -> Assessment:
        """The readings of a gauge; MetricsError where there is no usable answer."""
        grid = reading_times(metrics, now)
        asked = self._metrics.range(metrics.server, metrics.query, grid, metrics.match)
        if metrics.samples is None:
            return assess(metrics, await asked, None, grid, since, bounds)
        samples = self._metrics.range(metrics.server, metrics.samples.query, grid, metrics.match)
        return assess(metrics, *await asyncio.gather(asked, samples), grid, since, bounds)

    async def _counters(
        self, identity: Identity, metrics: OutcomeCounters, status: Status, now: datetime
    ) -> tuple[Assessment, float]:
        """The same from counters, which the sequential test looks at."""
        champion = status.champion
        version = champion.version if champion is not None else None
        query = counters.query(metrics, version)
        await self._metrics.admit(identity.namespace, metrics.server, query)
        if champion is None:
            # Nothing counts yet. Whether they can be read at all is known before a version is made.
            last = reading_times(metrics, now)[-1:]
            counters.readable(metrics, await answered(self._metrics, metrics, query, last))
            return counters.unserved(), math.nan
        counted = await self._counter_cache.counted(
            (identity.namespace, identity.name), metrics, champion, status.monitor, now
        )
        found = counters.assess(metrics, champion, counted)
        monitor = counted.monitor
        bound = math.nan if monitor is None else counters.floor(metrics, monitor.reference).bound
        return found, bound

    def forget(self, key: Key) -> None:
        """The resource is gone."""
        self._counter_cache.forget(key)


def _failure(found: Assessment) -> str:
    """An answer of which a part could not be read counts as a failure, as one does as a whole."""
    reason = found.reason if isinstance(found, Unknown) else ""
    return reason if reason == MetricsReason.OUTCOMES_UNREADABLE else ""


def not_followed(error: SpecError) -> Assessed:
    """Nobody knows which metric is meant."""
    return Assessed(Unknown(error.reason, "spec cannot be followed, so the metric is not read."))


def unread(error: MetricsError) -> Assessed:
    """Prometheus cannot be asked, or gave no usable answer."""
    return Assessed(Unknown(error.reason, str(error)), failure=error.reason)

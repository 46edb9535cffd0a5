"""What was counted of each resource, kept between looks: a window is asked for once.

Nothing here is the truth. It can be rebuilt from Prometheus at any time, and is after a restart.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from maintenance_core.errors import MetricsError
from maintenance_core.model import Champion, Monitor, OutcomeCounters, Series
from maintenance_core.reasons import MetricsReason
from maintenance_core.watch import counters as core
from maintenance_core.watch.assess import SKEWED
from maintenance_core.watch.counters import Counted

POINTS_AT_ONCE: Final = 10_000
"""Prometheus answers up to 11,000 points a series."""
VALUES_AT_ONCE: Final = 30_000
"""The most values of an answer over all its series, some 4 MB in memory."""

FIRST_AT_ONCE: Final = 100
"""The first request, before the number of series is known, asks for this many points."""

Key = tuple[str, str]


class RangeSource(Protocol):
    """Who answers range queries."""

    async def range(self, server: str, query: str, times: Sequence[datetime]) -> tuple[Series, ...]:
        """The query at each time; MetricsError where there is no usable answer."""


async def answered(
    source: RangeSource, outcomes: OutcomeCounters, query: str, asked: Sequence[datetime]
) -> tuple[Series, ...]:
    """The counters at each time; MetricsError, with what to do where one time is too much."""
    try:
        return await source.range(outcomes.server, query, asked)
    except MetricsError as error:
        if error.reason == MetricsReason.REPLY_TOO_LARGE and len(asked) == 1:
            raise core.too_large(outcomes, error) from error
        raise


@dataclass(frozen=True, slots=True)
class _Kept:
    about: tuple[object, ...]
    counted: Counted


class CounterCache:
    """The counters of all resources that have some."""

    def __init__(self, source: RangeSource) -> None:
        self._source = source
        self._kept: dict[Key, _Kept] = {}

    async def counted(
        self,
        key: Key,
        outcomes: OutcomeCounters,
        champion: Champion,
        written: Monitor | None,
        now: datetime,
    ) -> Counted:
        """What was counted of the champion up to now; ``written`` is what status holds.

        Raises:
            MetricsError: Prometheus does not answer; what was counted is kept.
        """
        kept = self._begun(key, outcomes, champion, written, now)
        known = kept.counted.monitor
        query = core.query(outcomes, champion.version)
        missing = core.times(outcomes, kept.counted.time, now)
        at_once = FIRST_AT_ONCE
        while missing:
            asked, answer = await self._answered(outcomes, query, missing[:at_once])
            at_once = min(POINTS_AT_ONCE, max(1, VALUES_AT_ONCE // max(1, len(answer))))
            found = core.windows(outcomes, answer)
            counted = core.taken(outcomes, champion, kept.counted, asked, found)
            kept = self._kept[key] = _Kept(kept.about, counted)
            missing = missing[len(asked) :]
            if counted.monitor is not None and known is None:
                # A reference of long ago: the test begins later, as it will after a restart.
                kept = self._begun(key, outcomes, champion, written, now)
                known, missing = counted.monitor, core.times(outcomes, kept.counted.time, now)
        return kept.counted

    async def _answered(
        self, outcomes: OutcomeCounters, query: str, asked: Sequence[datetime]
    ) -> tuple[Sequence[datetime], tuple[Series, ...]]:
        """The answer, for fewer of the times where it is too large: no series may become many."""
        while True:
            try:
                return asked, await answered(self._source, outcomes, query, asked)
            except MetricsError as error:
                if error.reason != MetricsReason.REPLY_TOO_LARGE or len(asked) == 1:
                    raise
                asked = asked[: max(1, len(asked) // 10)]

    def forget(self, key: Key) -> None:
        """The resource is gone."""
        self._kept.pop(key, None)

    def _begun(
        self,
        key: Key,
        outcomes: OutcomeCounters,
        champion: Champion,
        written: Monitor | None,
        now: datetime,
    ) -> _Kept:
        """The kept state if it is about the same counters and champion; otherwise a fresh one."""
        known = written if core.still_holds(outcomes, champion, written) else None
        about = (outcomes, champion.version, champion.promoted_time)
        kept = self._kept.get(key)
        if (
            kept is not None
            and kept.about == about
            and kept.counted.time <= now + SKEWED  # or the clock was ahead
            and _agree(kept.counted.monitor, known)
        ):
            known, begins = kept.counted.monitor, kept.counted.begins
            if known is None or core.beginning(known.checkpoint_time, now) == begins:
                return kept
        return _Kept(about, core.started(outcomes, champion, known, now))


def _agree(kept: Monitor | None, written: Monitor | None) -> bool:
    """Whether status holds the reference that is kept here, or none yet."""
    if written is None:
        return True
    return kept is not None and kept.reference == written.reference

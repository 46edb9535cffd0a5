"""Which resources of each Prometheus server breach, as the last look at each found it.

Nothing here is the truth, and nothing is kept: after a restart every resource is looked at again.
"""

import bisect
import logging
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Protocol

from maintenance_core.watch.common_cause import CommonCause, Peers, at_once, common_cause

Key = tuple[str, str]

_log: Final = logging.getLogger(__name__)


class Telemetry(Protocol):
    """The metrics that count resources looked at, and resources held."""

    def followed(self, resources: int, awaited: int) -> None:
        """So many resources are known, and so many of them have not been looked at yet."""

    def held(self, server: str, resources: int) -> None:
        """So many resources wait for the others of their server."""


@dataclass(frozen=True, slots=True)
class Look:
    """What a look at a resource has found.

    ``time`` is that of its latest reading; ``onset`` since when it is out of its range, None where
    it is within.
    """

    server: str
    interval: timedelta
    time: datetime
    onset: datetime | None


@dataclass(slots=True)
class _Server:
    """Counts over the looks at one server's resources."""

    readings: Counter[tuple[timedelta, datetime]] = field(default_factory=Counter)
    onsets: list[datetime] = field(default_factory=list)
    """Sorted."""
    held: set[Key] = field(default_factory=set)

    def add(self, look: Look) -> None:
        self.readings[look.interval, look.time] += 1
        if look.onset is not None:
            bisect.insort(self.onsets, look.onset)

    def remove(self, look: Look) -> None:
        reading = look.interval, look.time
        self.readings[reading] -= 1
        if not self.readings[reading]:
            del self.readings[reading]
        if look.onset is not None:
            del self.onsets[bisect.bisect_left(self.onsets, look.onset)]

    def peers(self, look: Look, onset: datetime, unknown: int) -> Peers:
        """``due`` are those with a reading that is to be replaced by the time of the look."""
        due = sum(
            count
            for (interval, time), count in self.readings.items()
            if time + interval <= look.time
        )
        span = at_once(look.interval)
        first = bisect.bisect_left(self.onsets, onset - span)
        last = bisect.bisect_right(self.onsets, onset + span)
        return Peers(self.readings.total() - due, due, unknown, last - first)


class FleetBreaches:
    """The resources of all servers.

    Args:
        most_percent: a larger share of a server's resources that breach together are held.
        telemetry: where held resources are counted.
    """

    def __init__(self, most_percent: float, telemetry: Telemetry) -> None:
        self._most_percent = most_percent
        self._telemetry = telemetry
        self._looks: dict[Key, Look | None] = {}
        self._breached: dict[Key, datetime] = {}
        self._servers: defaultdict[str, _Server] = defaultdict(_Server)

    def record(self, key: Key, look: Look | None, now: datetime, resources: int) -> CommonCause:
        """Remember what a look at a resource found, and say whether a run may begin by it.

        Args:
            key: the resource.
            look: None where it has no reading that counts.
            now: the time of the look.
            resources: how many there are, looked at or not.
        """
        self._replace(key, look)
        unknown = max(0, resources - len(self._looks))
        self._telemetry.followed(resources, unknown)
        if look is None or look.onset is None:
            self._breached.pop(key, None)
            self._hold(key, look, CommonCause.ALLOW)
            return CommonCause.ALLOW
        self._breached[key] = min(self._breached.get(key, now), now)
        waited = now - self._breached[key]
        peers = self._servers[look.server].peers(look, look.onset, unknown)
        found = common_cause(peers, self._most_percent, waited)
        self._hold(key, look, found)
        return found

    def forget(self, key: Key, resources: int) -> None:
        """The resource is gone; so many are left, looked at or not."""
        self._hold(key, None, CommonCause.ALLOW)
        self._replace(key, None)
        self._looks.pop(key, None)
        self._breached.pop(key, None)
        self._telemetry.followed(resources, max(0, resources - len(self._looks)))

    def _replace(self, key: Key, look: Look | None) -> None:
        before = self._looks.get(key)
        self._looks[key] = look
        if before == look:
            return
        if before is not None:
            self._servers[before.server].remove(before)
        if look is not None:
            self._servers[look.server].add(look)

    def _hold(self, key: Key, look: Look | None, found: CommonCause) -> None:
        holding = look.server if look is not None and found is CommonCause.HOLD else None
        for name, server in self._servers.items():
            if (key in server.held) == (name == holding):
                continue
            server.held ^= {key}
            self._telemetry.held(name, len(server.held))
            if server.held == {key}:
                _log.warning(
                    "Many resources of Prometheus server %r left their range together (%d of %d): "
                    "no run begins by its readings meanwhile. Look at what is measured.",
                    name,
                    len(server.onsets),
                    server.readings.total(),
                )
            elif not server.held:
                _log.info("No resource of Prometheus server %r is held any more", name)

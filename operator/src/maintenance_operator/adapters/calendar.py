"""Cron schedules in a time zone: the last time that was due, and the next one.

Cron speaks of the clock on the wall, and that one is put forward and back. What is due by it
follows Debian's cron: a schedule of fixed times is due once where a time comes twice, and as soon
as the clock was put forward where a time is left out. One that names every minute or every hour
(a field that begins with a star) goes by the time that passes: it is due in both of the hours
that are alike, and not in the one that is not there.
"""

import difflib
import functools
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from typing import Final
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from maintenance_core.errors import SpecError
from maintenance_core.model import Schedule

FIELD = "spec.triggers.schedule"
FIELDS: Final = 5
MOST_KNOWN: Final = 4096
"""So many schedules are remembered until their next time has come."""
SECOND: Final = timedelta(seconds=1)
LONGEST_REPEAT: Final = timedelta(hours=25)
"""No zone puts its clock back by more than a day."""

_known: dict[Schedule, tuple[datetime, datetime]] = {}


class Clock:
    """The system's clock."""

    @staticmethod
    def now() -> datetime:
        """In UTC."""
        return datetime.now(UTC)

    @staticmethod
    def due(schedule: Schedule, now: datetime) -> tuple[datetime, datetime]:
        """The last time that was due at ``now``, and the one after it, which lies ahead; in UTC.

        Raises:
            SpecError: no cron expression, or no time zone.
        """
        known = _known.get(schedule)
        if known is not None and known[0] <= now < known[1]:
            return known
        if len(_known) >= MOST_KNOWN:
            _known.clear()
        found = _known[schedule] = _due(schedule, now)
        return found


def _due(schedule: Schedule, now: datetime) -> tuple[datetime, datetime]:
    zone = _zone(schedule.time_zone)
    try:
        return _around(schedule.cron, zone, now.astimezone(UTC).replace(microsecond=0))
    except CronSimError as error:
        raise SpecError(
            f"{FIELD}.cron",
            f"{schedule.cron!r}: {error}: write minute, hour, day of month, month and day of week, "
            'like "0 3 * * 1" for Mondays at three',
        ) from None
    except StopIteration:
        raise SpecError(f"{FIELD}.cron", f"{schedule.cron!r} is never due") from None


def _around(cron: str, zone: ZoneInfo, now: datetime) -> tuple[datetime, datetime]:
    """The last instant that is due at ``now``, and the first one after it.

    The clock's times are walked in their order. Their instants come in the same order but where
    the clock is put back: there the walk begins as much earlier.
    """
    fields = cron.split()
    if len(fields) != FIELDS:
        raise CronSimError("Wrong number of fields")  # it would take one for seconds
    stars = any(field.startswith("*") for field in fields[:2])
    wall = _on_the_wall(now, zone)
    begin = wall - _repeated(now, zone)
    past: list[datetime] = []
    ahead: list[datetime] = []
    later, time = CronSim(cron, begin), begin
    while not ahead or time <= wall:
        time = next(later)
        for instant in _instants(time, zone, stars=stars):
            (past if instant <= now else ahead).append(instant)
    earlier = CronSim(cron, begin + SECOND, reverse=True)
    while not past:
        past = [i for i in _instants(next(earlier), zone, stars=stars) if i <= now]
    return max(past), min(ahead)


def _repeated(now: datetime, zone: ZoneInfo) -> timedelta:
    """By how much the clock was or will be put back about now; mostly by nothing."""
    local = now.astimezone(zone)
    second = _offset(local) if local.fold else _offset((now + LONGEST_REPEAT).astimezone(zone))
    return max(_offset(local.replace(fold=0)) - second, timedelta())


def _instants(time: datetime, zone: ZoneInfo, *, stars: bool) -> Iterator[datetime]:
    """When the clock on the wall shows a time, the first first."""
    first, second = (time.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    if _on_the_wall(first, zone) == time:
        yield first
        if stars and second > first:
            yield second
    elif not stars:
        yield _put_forward(second, first, zone)


def _put_forward(before: datetime, after: datetime, zone: ZoneInfo) -> datetime:
    """The instant between two at which the clock is put forward."""
    offset = _offset(after.astimezone(zone))
    while after - before > SECOND:
        middle = before + (after - before) // SECOND // 2 * SECOND
        if _offset(middle.astimezone(zone)) == offset:
            after = middle
        else:
            before = middle
    return after


def _on_the_wall(instant: datetime, zone: ZoneInfo) -> datetime:
    return instant.astimezone(zone).replace(tzinfo=None)


def _offset(local: datetime) -> timedelta:
    return local.utcoffset() or timedelta()


@functools.cache
def _zones() -> frozenset[str]:
    """Names of the tz database as it is installed with this code.

    Other machines have more names, or take another spelling for the same: a plugin on a laptop
    must not find a time zone that the operator does not.
    """
    return frozenset(files("tzdata").joinpath("zones").read_text(encoding="utf-8").split())


def _zone(name: str) -> ZoneInfo:
    if name not in _zones():
        raise SpecError(
            f"{FIELD}.timeZone",
            f"{name!r} is no time zone: write a name of the tz database, like {_nearest(name)}",
        )
    return ZoneInfo(name)


def _nearest(name: str) -> str:
    """What was meant, probably: the city without its continent, other letter cases, a slip."""
    by_word = {zone.lower(): zone for zone in sorted(_zones())}
    by_word |= {zone.rpartition("/")[2].lower(): zone for zone in sorted(_zones())} | by_word
    word = name.strip().replace(" ", "_").lower()
    close = difflib.get_close_matches(word, by_word, n=1, cutoff=0.75)
    meant = bool(close) and close[0][0] == word[0]  # CEST is no slip of EST
    return by_word[close[0]] if meant else "Europe/Berlin or UTC"

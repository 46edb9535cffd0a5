"""Cron schedules in a time zone: the last time that was due, and the next one."""

import difflib
import functools
from datetime import UTC, datetime
from importlib.resources import files
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from maintenance_operator.core.model import Schedule
from maintenance_operator.errors import SpecError

FIELD = "spec.triggers.schedule"


class Clock:
    """The system's clock."""

    @staticmethod
    def now() -> datetime:
        """In UTC."""
        return datetime.now(UTC)

    @staticmethod
    def due(schedule: Schedule, now: datetime) -> tuple[datetime, datetime]:
        """The last time that was due at ``now``, and the one after it; in UTC.

        Raises:
            SpecError: no cron expression, or no time zone.
        """
        return _due(schedule, now.replace(second=0, microsecond=0))


@functools.lru_cache(maxsize=4096)
def _due(schedule: Schedule, minute: datetime) -> tuple[datetime, datetime]:
    local = minute.astimezone(_zone(schedule.time_zone))
    try:
        after = next(CronSim(schedule.cron, local))
        before = next(
            instant
            for instant in CronSim(schedule.cron, after, reverse=True)
            if instant.astimezone(UTC) <= minute
        )
    except CronSimError as error:
        raise SpecError(
            f"{FIELD}.cron",
            f"{schedule.cron!r}: {error}: write minute, hour, day of month, month and day of week, "
            'like "0 3 * * 1" for Mondays at three',
        ) from None
    except StopIteration:
        raise SpecError(f"{FIELD}.cron", f"{schedule.cron!r} is never due") from None
    return before.astimezone(UTC), after.astimezone(UTC)


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

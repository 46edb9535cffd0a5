"""Cron schedules in a time zone: the last time that was due, and the next one."""

import functools
from datetime import UTC, datetime
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


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise SpecError(
            f"{FIELD}.timeZone",
            f"{name!r} is no time zone: write a name of the tz database, like Europe/Berlin or UTC",
        ) from None

"""Cron schedules in a time zone."""

from datetime import UTC, datetime

import pytest

from maintenance_operator.adapters.calendar import Clock
from maintenance_operator.core.model import Schedule
from maintenance_operator.errors import SpecError

MONDAYS = Schedule("0 3 * * 1", "Europe/Berlin")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


@pytest.mark.parametrize(
    "now, before, after",
    [
        ("2026-11-25T12:00+01:00", "2026-11-23T03:00+01:00", "2026-11-30T03:00+01:00"),
        ("2026-11-23T02:59:59+01:00", "2026-11-16T03:00+01:00", "2026-11-23T03:00+01:00"),
        ("2026-11-23T03:00+01:00", "2026-11-23T03:00+01:00", "2026-11-30T03:00+01:00"),
        ("2026-11-23T03:00:59+01:00", "2026-11-23T03:00+01:00", "2026-11-30T03:00+01:00"),
        # over the end of summer time
        ("2026-10-25T12:00+01:00", "2026-10-19T03:00+02:00", "2026-10-26T03:00+01:00"),
    ],
)
def test_the_last_time_and_the_next(now: str, before: str, after: str) -> None:
    assert Clock.due(MONDAYS, at(now)) == (at(before), at(after))


def test_a_time_that_summer_time_leaves_out_is_not_lost() -> None:
    last, _ = Clock.due(Schedule("30 2 * * *", "Europe/Berlin"), at("2026-03-29T12:00+02:00"))
    assert last.astimezone(UTC).date() == at("2026-03-29T12:00+02:00").date()


@pytest.mark.parametrize(
    "cron, zone, field, message",
    [
        ("61 * * * *", "UTC", "cron", "Bad minute"),
        ("* * * *", "UTC", "cron", "Wrong number of fields"),
        ("0 0 31 2 *", "UTC", "cron", "write minute, hour"),
        ("0 3 * * 1", "Europe/Atlantis", "timeZone", "no time zone: write a name"),
        ("0 3 * * 1", "../etc/passwd", "timeZone", "no time zone"),
    ],
)
def test_what_is_no_schedule_is_named(cron: str, zone: str, field: str, message: str) -> None:
    with pytest.raises(SpecError) as caught:
        Clock.due(Schedule(cron, zone), at("2026-11-25T12:00+01:00"))
    assert str(caught.value).startswith(f"spec.triggers.schedule.{field}: ")
    assert message in str(caught.value)

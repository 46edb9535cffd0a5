"""Cron schedules in a time zone."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maintenance_core.errors import SpecError
from maintenance_core.model import Schedule
from maintenance_operator.adapters.calendar import Clock

MONDAYS = Schedule("0 3 * * 1", "Europe/Berlin")
MINUTE = timedelta(minutes=1)


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


# --- where the clock is put forward and back --------------------------------------------

BERLIN_BACK = "2026-10-25T{}+00:00"


@pytest.mark.parametrize("minute", [0, 1, 15, 29, 30, 59])
def test_between_two_times_that_are_alike_the_next_one_lies_ahead(minute: int) -> None:
    """02:30 came at 00:30 UTC; the clock shows it again at 01:30."""
    now = at(BERLIN_BACK.format(f"01:{minute:02}:07"))
    due = Clock.due(Schedule("30 2 * * *", "Europe/Berlin"), now)
    assert due == (at("2026-10-25T00:30+00:00"), at("2026-10-26T01:30+00:00"))


@pytest.mark.parametrize(
    "cron, zone, now, before, after",
    [
        # left out: as soon as the clock was put forward, also where that is by half an hour
        (
            "30 2 * * *",
            "Europe/Berlin",
            "2026-03-29T00:59Z",
            "2026-03-28T01:30Z",
            "2026-03-29T01:00Z",
        ),
        (
            "30 2 * * *",
            "Europe/Berlin",
            "2026-03-29T01:00Z",
            "2026-03-29T01:00Z",
            "2026-03-30T00:30Z",
        ),
        (
            "15 2 * * *",
            "Australia/Lord_Howe",
            "2026-10-03T15:29Z",
            "2026-10-02T15:45Z",
            "2026-10-03T15:30Z",
        ),
        (
            "0 0 * * *",
            "Africa/Cairo",
            "2026-04-23T21:59Z",
            "2026-04-22T22:00Z",
            "2026-04-23T22:00Z",
        ),
        # a day that was left out
        (
            "0 9 30 12 *",
            "Pacific/Apia",
            "2011-12-30T09:59Z",
            "2010-12-30T19:00Z",
            "2011-12-30T10:00Z",
        ),
        # twice: the first time only; by the half hour: both
        (
            "45 1 * * *",
            "Australia/Lord_Howe",
            "2026-04-04T14:50Z",
            "2026-04-04T14:45Z",
            "2026-04-05T15:15Z",
        ),
        (
            "*/30 * * * *",
            "Europe/Berlin",
            "2026-10-25T00:40Z",
            "2026-10-25T00:30Z",
            "2026-10-25T01:00Z",
        ),
        (
            "*/30 * * * *",
            "Europe/Berlin",
            "2026-03-29T00:40Z",
            "2026-03-29T00:30Z",
            "2026-03-29T01:00Z",
        ),
        (
            "*/30 2 * * *",
            "Europe/Berlin",
            "2026-03-29T12:00Z",
            "2026-03-28T01:30Z",
            "2026-03-30T00:00Z",
        ),
    ],
)
def test_where_the_clock_is_put_forward_or_back(
    cron: str, zone: str, now: str, before: str, after: str
) -> None:
    assert Clock.due(Schedule(cron, zone), at(now)) == (at(before), at(after))


ZONES = (
    "Europe/Berlin",
    "Australia/Lord_Howe",
    "America/St_Johns",
    "America/Havana",
    "Africa/Casablanca",
    "Antarctica/Troll",
    "Pacific/Apia",
    "Pacific/Kwajalein",
    "Asia/Pyongyang",
    "America/Caracas",
    "Asia/Kolkata",
)


def changes(zone: str) -> list[datetime]:
    """Half days in which a zone's clock was put forward or back."""
    days = [datetime(1990, 1, 1, tzinfo=UTC) + n * timedelta(hours=12) for n in range(32_000)]
    offsets = [day.astimezone(ZoneInfo(zone)).utcoffset() for day in days]
    return [
        day for day, one, next_ in zip(days, offsets, offsets[1:], strict=False) if one != next_
    ]


CHANGES = [(zone, change) for zone in ZONES for change in changes(zone)] + [
    ("UTC", datetime(2026, 1, 1, tzinfo=UTC))
]
MINUTES = st.sampled_from(["*", "*/7", "*/30", "0", "30", "59", "0,15,45"])
HOURS = st.sampled_from(["*", "*/2", "0", "1", "2", "3", "23", "0-3", "1,2,22"])


def numbers(field: str, most: int) -> set[int]:
    """What a field of a cron expression names, written down once more."""
    if field.startswith("*"):
        return set(range(0, most, int(field[2:] or 1)))
    parts = [part.partition("-") for part in field.split(",")]
    return {n for low, _, high in parts for n in range(int(low), int(high or low) + 1)}


def by_the_minute(minute: str, hour: str, zone: str, now: datetime) -> list[datetime]:
    """When a schedule of each day is due about a time, by looking at the clock each minute."""
    minutes, hours = numbers(minute, 60), numbers(hour, 24)
    stars = minute.startswith("*") or hour.startswith("*")
    first = now.replace(second=0, microsecond=0) - timedelta(hours=54)
    walls = [
        (first + n * MINUTE).astimezone(ZoneInfo(zone)).replace(tzinfo=None)
        for n in range(2 * 54 * 60)
    ]
    due, shown = [], walls[0]
    for n, wall in enumerate(walls):
        passed = (
            [wall]
            if stars
            else [shown + k * MINUTE for k in range(1, (wall - shown) // MINUTE + 1)]
        )
        shown = max(shown, wall)
        if any(time.minute in minutes and time.hour in hours for time in passed):
            due.append(first + n * MINUTE)
    return due


@pytest.mark.slow
@given(
    about=st.sampled_from(CHANGES),
    later=st.integers(-30 * 3600, 45 * 3600),
    minute=MINUTES,
    hour=HOURS,
)
@settings(max_examples=60, deadline=None)
def test_the_next_time_lies_ahead_and_none_is_left_out(
    about: tuple[str, datetime], later: int, minute: str, hour: str
) -> None:
    zone, change = about
    now = change + timedelta(seconds=later)
    before, after = Clock.due(Schedule(f"{minute} {hour} * * *", zone), now)
    assert before <= now < after
    due = by_the_minute(minute, hour, zone, now)
    assert before == max(time for time in due if time <= now)
    assert after == min(time for time in due if time > now)


@pytest.mark.slow
@given(
    zone=st.sampled_from(sorted(available_timezones())),
    now=st.integers(157_766_400, 2_114_380_800).map(lambda t: datetime.fromtimestamp(t, UTC)),
    cron=st.sampled_from(
        [
            "0 0 29 2 *",
            "30 2 * * 0",
            "0 12 L * *",
            "*/5 1 * 3,10 SUN#5",
            "59 23 31 12 *",
            "* * * * *",
        ]
    ),
)
def test_in_every_zone_the_next_time_lies_ahead(zone: str, now: datetime, cron: str) -> None:
    before, after = Clock.due(Schedule(cron, zone), now)
    assert before <= now < after


def test_six_fields_are_no_schedule() -> None:
    """With seconds, the next time would lie within the minute."""
    with pytest.raises(SpecError, match="Wrong number of fields"):
        Clock.due(Schedule("*/10 * * * * *", "UTC"), at("2026-11-25T12:00+01:00"))

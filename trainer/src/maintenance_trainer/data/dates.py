"""When a row is of: ISO 8601, a count since 1970, a date in digits, or a timestamp of Parquet.

A number says nothing of how it is meant. It is read where just one way to read it gives a
plausible time: as a date in digits (``20261123``, with hours and minutes and seconds if it has
more), or as seconds, milli-, micro- or nanoseconds since 1970. From 1990 to 2099 these ranges do
not meet. As a rule a time of before 2000 is a missing or a misread one, and so is one that is still
to come.
"""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Final

from maintenance_trainer.errors import DataError

EARLIEST: Final = datetime(2000, 1, 1, tzinfo=UTC)
WITH_A_ZONE: Final = "ISO 8601 with a zone"
WITHOUT_A_ZONE: Final = "ISO 8601 without a zone"
STAMP_WITH_A_ZONE: Final = "a timestamp with a zone"
STAMP_WITHOUT_A_ZONE: Final = "a timestamp without a zone"
ZONED: Final = (WITH_A_ZONE, STAMP_WITH_A_ZONE)
UNZONED: Final = (WITHOUT_A_ZONE, STAMP_WITHOUT_A_ZONE)
"""Of a place's own time, perhaps: files of both ways may not go on from each other."""
LONG_AGO: Final = datetime(1990, 1, 1, tzinfo=UTC)
"""The least that a count since 1970 can mean, where rows may be older than ``EARLIEST``."""
_LATEST: Final = datetime(2100, 1, 1, tzinfo=UTC)
"""Of what a number can mean; whether it is still to come is asked afterwards."""
AHEAD: Final = timedelta(days=1)
"""Clocks and time zones differ; a row of later than this is dated wrongly."""
_EXAMPLE: Final = "2026-11-23T18:00:00Z"
_NUMBER: Final = re.compile(r"[+-]?[0-9]{1,40}(?:\.[0-9]{0,40})?")
_ROUNDED: Final = re.compile(r"[+-]?[0-9.,]+[eE][+-]?[0-9]+")
_NO_DAY: Final = re.compile(r"[0-9]{4}(?:-?[0-9]{2}|-?W[0-9]{2})?", re.IGNORECASE)
_ANY_ORDER: Final = re.compile(r"[0-9]{1,2}[/. -][0-9]{1,2}[/. -][0-9]{2,4}\b.*", re.DOTALL)
_UTC_IN_WORDS: Final = re.compile(r"(?<=[0-9]) ?(?:UTC|GMT)$")
"""As BigQuery and others write it behind a time."""
_APART: Final = re.compile(r"(?<=[0-9]) (?=[+-][0-9]{2}(?::?[0-9]{2})?$)")
"""The blank that some databases write before a zone."""
_DIGITS: Final = {8: "%Y%m%d", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}
_UNITS: Final = {
    "seconds since 1970": 1,
    "milliseconds since 1970": 10**3,
    "microseconds since 1970": 10**6,
    "nanoseconds since 1970": 10**9,
}
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SHEET_EPOCH: Final = datetime(1899, 12, 30, tzinfo=UTC)
"""Day 0 of a spreadsheet, from March 1900 on."""
_SHEET_DAYS: Final = (36_526, 73_050)
"""2000 to 2099."""


@dataclass(frozen=True, slots=True)
class Dated:
    """A time, and how it was written: one column should know one way."""

    time: datetime
    way: str


def of(value: object, where: str, column: str, earliest: datetime = EARLIEST) -> Dated:
    """The time that a row is dated with; without a zone it is in UTC.

    Args:
        value: of a cell.
        where: file and line, for messages.
        column: the cell's, for messages.
        earliest: what is older was misread; a series, or a history, may begin long ago.

    Raises:
        DataError: TimeUnreadable, with file, line and column.
    """
    named = f"{where}, column {column!r}: {str(value)[:40]!r}"
    try:
        dated = _dated(value, max(earliest, LONG_AGO))
    except (ValueError, OverflowError, ArithmeticError):
        message = (
            f"{named} is no time{_why(value)}; write it like {_EXAMPLE} or as seconds since 1970"
            f"{', or leave spec.data.columns.time out' if earliest is EARLIEST else ''}."
        )
        raise DataError("TimeUnreadable", message) from None
    if dated.time > datetime.now(UTC) + AHEAD:
        message = (
            f"{named} lies in the future ({dated.time:%Y-%m-%d}); write when the row is of, like "
            f"{_EXAMPLE} or as seconds since 1970."
        )
        raise DataError("TimeUnreadable", message)
    if dated.time < earliest:
        belongs = " A row that is so old belongs to data.original."
        message = (
            f"{named} lies before {earliest.year} ({dated.time:%Y-%m-%d}), so it is missing or "
            f"misread; write when the row is of, like {_EXAMPLE}."
            f"{belongs if earliest is EARLIEST else ''}"
        )
        raise DataError("TimeUnreadable", message)
    return dated


def parsed(text: str) -> datetime:
    """A time of the request.

    Raises:
        ValueError: it is none.
    """
    return _with_zone(datetime.fromisoformat(text))


def _dated(value: object, since: datetime) -> Dated:
    """The time that a value says; a count since 1970 says one from ``since`` on."""
    match value:
        case datetime():
            way = STAMP_WITHOUT_A_ZONE if value.tzinfo is None else STAMP_WITH_A_ZONE
            return Dated(_with_zone(value), way)
        case date():
            return Dated(datetime(value.year, value.month, value.day, tzinfo=UTC), "a date")
        case bool() | None:
            raise ValueError
        case int() | float() | Decimal():
            return _of_number(Decimal(value), since)
        case str():
            return _of_text(value.strip(), since)
        case _:
            raise ValueError


def _of_text(text: str, since: datetime) -> Dated:
    if _NUMBER.fullmatch(text):
        return _of_number(Decimal(text), since)
    if _NO_DAY.fullmatch(text):
        raise ValueError
    # RFC 3339 allows small letters; before Python 3.14 the library does not.
    time = datetime.fromisoformat(_APART.sub("", _UTC_IN_WORDS.sub("Z", text.upper())))
    way = WITHOUT_A_ZONE if time.tzinfo is None else WITH_A_ZONE
    return Dated(_with_zone(time), way)


def _of_number(number: Decimal, since: datetime) -> Dated:
    """The one plausible reading of a number.

    Raises:
        ValueError: there is none.
    """
    if not number.is_finite() or number < 0:
        raise ValueError
    in_digits = _in_digits(number)
    if in_digits is not None:
        return Dated(in_digits, "a date in digits")
    for unit, each in _UNITS.items():
        if since.timestamp() <= number / each < _LATEST.timestamp():
            microseconds = int(number * 10**6 / each)
            return Dated(_EPOCH + timedelta(microseconds=microseconds), unit)
    raise ValueError


def _in_digits(number: Decimal) -> datetime | None:
    if number != number.to_integral_value():
        return None
    digits = format(number, ".0f")
    try:
        found = datetime.strptime(digits, _DIGITS[len(digits)]).replace(tzinfo=UTC)
    except (KeyError, ValueError):
        return None
    return found if found < _LATEST else None  # milliseconds of 2001 have twelve digits, too


def _with_zone(time: datetime) -> datetime:
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


def _why(value: object) -> str:
    """What it looks like instead, in brackets, where that can be told."""
    text = str(value).strip()
    if _NO_DAY.fullmatch(text):
        return " (it names no day)"
    if _ROUNDED.fullmatch(text) and not isinstance(value, float):
        return " (a program has rounded a longer number)"
    if _NUMBER.fullmatch(text):
        return _why_no_number(float(text))
    if _ANY_ORDER.fullmatch(text):
        return " (which is the month and which the day is not sure)"
    return ""


def _why_no_number(number: float) -> str:
    if _SHEET_DAYS[0] <= number < _SHEET_DAYS[1]:
        return f" (a spreadsheet's number for {_SHEET_EPOCH + timedelta(days=number):%Y-%m-%d})"
    if 0 <= number < EARLIEST.timestamp():
        seconds = datetime.fromtimestamp(number, UTC)
        return f" (seconds since 1970 would make it {seconds:%Y-%m-%d})"
    return ""

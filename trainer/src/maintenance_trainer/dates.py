"""When a row is of: RFC 3339 or ISO 8601, seconds since the epoch, or a timestamp of Parquet."""

import math
from datetime import UTC, date, datetime, timedelta
from typing import Final

from maintenance_trainer.errors import DataError

AHEAD: Final = timedelta(days=1)
"""Clocks and time zones differ; a row of later than this is dated wrongly."""
_EXAMPLE: Final = "2026-11-23T18:00:00Z"


def of(value: object, where: str, column: str) -> datetime:
    """The time that a row is dated with; without a zone it is in UTC.

    Raises:
        DataError: TimeUnreadable, with file, line and column.
    """
    try:
        time = _time(value)
    except (ValueError, OverflowError, OSError):
        message = (
            f"{where}, column {column!r}: {str(value)[:40]!r} is no time; write it like {_EXAMPLE} "
            "or as seconds since 1970, or leave spec.data.columns.time out."
        )
        raise DataError("TimeUnreadable", message) from None
    if time > datetime.now(UTC) + AHEAD:
        message = (
            f"{where}, column {column!r}: {str(value)[:40]!r} lies in the future "
            f"({time:%Y-%m-%d}); seconds since 1970 are expected, no milliseconds."
        )
        raise DataError("TimeUnreadable", message)
    return time


def parsed(text: str) -> datetime:
    """A time of the request.

    Raises:
        ValueError: it is none.
    """
    return _with_zone(datetime.fromisoformat(text))


def _time(value: object) -> datetime:
    match value:
        case datetime():
            return _with_zone(value)
        case date():
            return datetime(value.year, value.month, value.day, tzinfo=UTC)
        case bool() | None:
            raise ValueError
        case int() | float():
            return _of_seconds(float(value))
        case str():
            text = value.strip()
            try:
                return _of_seconds(float(text))
            except ValueError:
                return parsed(text)
        case _:
            raise ValueError


def _of_seconds(seconds: float) -> datetime:
    if not math.isfinite(seconds) or seconds < 0:
        raise ValueError
    return datetime.fromtimestamp(min(seconds, 2.0**37), UTC)


def _with_zone(time: datetime) -> datetime:
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)

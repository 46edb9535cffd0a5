"""Numbers as people read them, in one place, so that every message spells them alike."""

import math
from datetime import UTC, datetime, timedelta
from typing import Final

MESSAGE_CHARACTERS: Final = 1024
"""What status, conditions and Events (their ``note``) hold alike."""

_EVERYDAY: Final = 1e15
_SMALLEST_P: Final = 0.0001


def figure(value: float) -> str:
    """At most four significant digits; no exponent for everyday numbers."""
    text = f"{value:.4g}"
    rounded = float(text)
    if abs(rounded) < _EVERYDAY and rounded == int(rounded):
        return str(int(rounded))
    return text


def reading(value: float) -> str:
    """A reading of the metric, which may be missing."""
    return "(missing)" if math.isnan(value) else figure(value)


def p_value(p: float) -> str:
    """A p-value; below one in ten thousand the exact size says nothing."""
    return f"<{_SMALLEST_P:.4f}" if p < _SMALLEST_P else figure(p)


def percent(share: float) -> str:
    """A share as per cent, to a tenth; finer where a tenth would make it all or nothing."""
    tenth = f"{share * 100:.1f}".removesuffix(".0")
    if tenth in {"100", "0", "-0"}:
        tenth = figure(share * 100)
    return f"{tenth}%"


def points(share: float) -> str:
    """A difference of shares, in points of a hundred, to a tenth."""
    return f"{figure(round(100.0 * share, 1))} points"


def moment(time: datetime) -> str:
    """A time in UTC, to the minute."""
    return time.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")


def duration(span: timedelta) -> str:
    """As in a spec: ``168h``, ``1h30m``, ``45s``."""
    minutes, seconds = divmod(round(span.total_seconds()), 60)
    hours, minutes = divmod(minutes, 60)
    parts = ((hours, "h"), (minutes, "m"), (seconds, "s"))
    return "".join(f"{count}{unit}" for count, unit in parts if count) or "0s"


def shortened(message: str, most: int = MESSAGE_CHARACTERS) -> str:
    """A message that fits, cut at the end if it must be."""
    if len(message) <= most:
        return message
    return message[: most - 1] + "…"

"""Text that fits: tables, paragraphs, spans of time. Values in, text out."""

import textwrap
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final

GAP: Final = "   "
LEAST_COLUMN: Final = 6
LEAST_WIDTH: Final = 40
TEXT_WIDTH: Final = 100
"""Where the width is not known, or wider than eyes like to read."""
NOTHING: Final = "-"

_MINUTE: Final = 60
_HOUR: Final = 3600
_DAY: Final = 86400


class Tone(StrEnum):
    """How a word is meant; its escape sequence on a terminal."""

    PLAIN = ""
    STRONG = "1"
    GOOD = "32"
    BUSY = "36"
    CARE = "33"
    BAD = "31"


@dataclass(frozen=True, slots=True)
class Page:
    """What the text is written on. ``width``: columns, None where nobody counts (a file)."""

    width: int | None = None
    colour: bool = False

    @property
    def text_width(self) -> int:
        """Columns of running text."""
        return max(LEAST_WIDTH, min(self.width or TEXT_WIDTH, TEXT_WIDTH))

    def paint(self, text: str, tone: Tone) -> str:
        """The text in its colour, on a terminal that shows some."""
        if not self.colour or tone is Tone.PLAIN:
            return text
        return f"\x1b[{tone.value}m{text}\x1b[0m"


def clean(text: str) -> str:
    """One line without control characters: what others wrote must not drive the terminal."""
    line = " ".join(text.split())
    return "".join(
        "\ufffd" if unicodedata.category(character) in {"Cc", "Cf"} else character
        for character in line
    )


def paragraph(text: str, page: Page, *, indent: str = "", first: str | None = None) -> str:
    """Running text, wrapped; ``first`` stands in place of the first line's indent."""
    return textwrap.fill(
        clean(text),
        page.text_width,
        initial_indent=indent if first is None else first,
        subsequent_indent=indent,
        break_on_hyphens=False,
    )


def table(header: Sequence[str], rows: Iterable[Sequence[str]], page: Page) -> str:
    """Columns side by side; on a terminal the widest are cut until the line fits."""
    cells = [[clean(cell) or NOTHING for cell in row] for row in rows]
    lines = [list(header), *cells]
    widths = _fitting([max(map(len, column)) for column in zip(*lines, strict=True)], page.width)
    return "\n".join(
        GAP.join(
            _cut(cell, width).ljust(width) for cell, width in zip(line, widths, strict=True)
        ).rstrip()
        for line in lines
    )


def _fitting(widths: list[int], most: int | None) -> list[int]:
    """Column widths, the widest made narrower one by one until all fit."""
    if most is None:
        return widths
    fitting = list(widths)
    room = max(most, LEAST_WIDTH) - len(GAP) * (len(widths) - 1)
    while sum(fitting) > room and max(fitting) > LEAST_COLUMN:
        fitting[fitting.index(max(fitting))] -= 1
    return fitting


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"


def span(time: timedelta) -> str:
    """A length of time in its two largest units: ``12d``, ``3h5m``, ``45s``."""
    seconds = max(0, round(time.total_seconds()))
    if seconds < 2 * _MINUTE:
        return f"{seconds}s"
    if seconds < _HOUR:
        return f"{seconds // _MINUTE}m"
    if seconds < _DAY:
        hours, minutes = seconds // _HOUR, seconds % _HOUR // _MINUTE
        return f"{hours}h{minutes}m" if minutes and hours < 10 else f"{hours}h"  # noqa: PLR2004
    days, hours = seconds // _DAY, seconds % _DAY // _HOUR
    return f"{days}d{hours}h" if hours and days < 3 else f"{days}d"  # noqa: PLR2004

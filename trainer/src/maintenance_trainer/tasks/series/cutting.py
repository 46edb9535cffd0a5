"""Series are cut into windows, and time into blocks that are held out together."""

import hashlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from maintenance_contract import Windows
from maintenance_trainer.tasks.series.rows import SECOND, Series, ValuedWindow, Window
from maintenance_trainer.tasks.series.tables import Stamped

BLOCK_SPANS: Final = 2
"""A block of time is so many windows long at least: so many windows do not reach out of it."""
_JITTER: Final = 0.99
"""A clock that ticks a little slower than each second makes no block twice as long."""
_LONGEST: Final = 42
"""Two to this power are seconds that 64 bits can count as microseconds."""
Whole = NDArray[np.int64]
Flags = NDArray[np.bool_]


@dataclass(slots=True, eq=False)
class Joined:
    """A series, and of each row the file that it came with and its label."""

    series: Series
    owners: Whole
    labels: list[str]


@dataclass(slots=True)
class Counts:
    """What was met on the way from rows to windows."""

    short: int = 0
    series: int = 0
    longest: int = 0
    unobserved: int = 0
    straddling: int = 0


class Cut:
    """Cuts one series into windows."""

    def __init__(
        self,
        joined: Joined,
        heads: Sequence[Stamped],
        news: Sequence[Flags],
        windows: Windows,
        targets: tuple[str, ...],
        *,
        labelled: bool,
    ) -> None:
        self._joined, self._series = joined, joined.series
        self._heads, self._news = heads, news
        self._windows, self._targets, self._labelled = windows, targets, labelled

    def windows(self, counts: Counts) -> Iterator[Window]:
        """All of them, in the order of time."""
        ends = self._ends(counts)
        if not len(ends):
            return
        ahead = 0 if self._labelled else self._windows.horizon
        lasts = ends + ahead - 1
        names = sorted(self._series.columns)
        blocks, of_row = self._blocks(lasts)
        beyond = np.minimum(ends - 1 + self._windows.horizon, len(self._series.stamps) - 1)
        new = self._new()
        for end, last, reach in zip(ends.tolist(), lasts.tolist(), beyond.tolist(), strict=True):
            start = end - self._windows.context
            if ahead and bool(new[end]) is not bool(new[last]):
                counts.straddling += 1
                continue
            own = int(of_row[last])
            low, high = int(of_row[start]), int(of_row[reach])
            touched = (
                ()
                if low == high == own
                else tuple(blocks[number] for number in range(low, high + 1) if number != own)
            )
            yield self._window(names, start, end, last, blocks[own], touched, new=bool(new[last]))

    def _window(  # noqa: PLR0913  # each is a fact of its own
        self,
        names: Sequence[str],
        start: int,
        end: int,
        last: int,
        block: str,
        touched: tuple[str, ...],
        *,
        new: bool,
    ) -> Window:
        series, head = self._series, self._heads[int(self._joined.owners[last])]
        label = self._joined.labels[last] if self._labelled else self._told(end)
        facts: dict[str, Any] = {
            "label": label,
            "key": _key(series, names, start, end),
            "origin": head.origin,
            "new": new,
            "file": head.file,
            "series": series,
            "end": end,
            "context": self._windows.context,
            "block": block,
            "touched": touched,
        }
        if self._labelled:
            return Window(**facts)
        return ValuedWindow(**facts, horizon=self._windows.horizon, targets=self._targets)

    def _new(self) -> Flags:
        """Of each row whether it is new: of the file that it came with."""
        flags = np.zeros(len(self._series.stamps), bool)
        for number in np.unique(self._joined.owners).tolist():
            its = self._joined.owners == number
            of_file = self._news[number]
            flags[its] = of_file.all()
            if of_file.any() and not of_file.all():
                flags[its] = self._after_onset(number, its)
        return flags

    def _after_onset(self, number: int, its: Flags) -> Flags:
        """Of a file whose rows are new from some time on."""
        table, of_file = self._heads[number].table, self._news[number]
        stamps = np.frombuffer(table.stamps, np.int64)
        return np.asarray(self._series.stamps[its] >= stamps[of_file].min(), bool)

    def _ends(self, counts: Counts) -> Whole:
        """One more than the last row that may be seen, of each window that there may be."""
        series, windows = self._series, self._windows
        n, starts = len(series.stamps), series.starts
        if self._labelled:
            ends = np.array([at + 1 for at, label in enumerate(self._joined.labels) if label], int)
            ends = ends[:: windows.stride]
        else:
            parts = [
                np.arange(begin + windows.context, stop - windows.horizon + 1, windows.stride)
                for begin, stop in _segments(starts)
            ]
            ends = np.concatenate(parts) if parts else np.zeros(0, int)
        ends = ends[(ends >= windows.context) & (ends <= n)].astype(np.int64)
        ends = ends[ends - windows.context >= starts[ends - 1]]
        observed = self._observed(ends)
        counts.unobserved += int((~observed).sum())
        return np.asarray(ends[observed], np.int64)

    def _observed(self, ends: Whole) -> Flags:
        """Whether something is there to see, and of a target something to tell."""
        context, horizon = self._windows.context, self._windows.horizon
        fine = np.zeros(len(ends), bool)
        for name, values in self._series.columns.items():
            there = np.concatenate([[0], np.cumsum(np.isfinite(values))])
            seen = there[ends] > there[ends - context]
            if self._labelled:
                fine |= seen
            elif name in self._targets:
                fine |= seen & (there[ends + horizon] > there[ends])
        return fine

    def _blocks(self, lasts: Whole) -> tuple[list[str], Whole]:
        """The blocks of time that a window ends in, and of each row which of them it lies in.

        They are as long as a power of two of seconds: a little more or less context, or a step that
        is measured a little otherwise, moves none. Rows of a block that no window ends in (without
        a label, after a gap) are only looked back on, so they belong to the next one that has any.
        """
        series = self._series
        seconds = max(BLOCK_SPANS * self._windows.span * series.step * _JITTER, 1e-6)
        length = max(1, round(2.0 ** min(math.ceil(math.log2(seconds)), _LONGEST) * SECOND))
        of_time = series.stamps // length
        numbers = np.unique(of_time[lasts])
        of_row = np.minimum(np.searchsorted(numbers, of_time), len(numbers) - 1)
        digests = [
            hashlib.sha256(_bytes(f"{series.name}\0{length}\0{number}")).hexdigest()
            for number in numbers.tolist()
        ]
        return digests, of_row.astype(np.int64)

    def _told(self, end: int) -> str:
        """What is to be told: a number where it is one, else what tells it from others."""
        columns = self._series.columns
        its = [columns[name] for name in self._targets if name in columns]
        values = [column[end : end + self._windows.horizon] for column in its]
        if len(self._targets) == 1 and len(values[0]) == 1:
            return repr(float(values[0][0]) + 0.0)
        digest = hashlib.sha256()
        for each in values:
            digest.update(np.ascontiguousarray(each).tobytes())
        return f"h:{digest.hexdigest()[:16]}"


def _segments(starts: Whole) -> list[tuple[int, int]]:
    begins = np.unique(starts).tolist()
    return list(zip(begins, [*begins[1:], len(starts)], strict=True))


def _key(series: Series, names: Sequence[str], start: int, end: int) -> str:
    """Of what is seen, and of whose and when: a flat stretch is another one a year later."""
    digest = hashlib.sha256(_bytes(f"{series.name}\0{series.stamps[end - 1]}"))
    for name in names:
        values = series.columns[name][start:end]
        if np.isfinite(values).any():
            digest.update(_bytes(name))
            digest.update(np.ascontiguousarray(values).tobytes())
    return digest.hexdigest()


def _bytes(text: str) -> bytes:
    """A JSON file can hold half a character, which no other encoding has."""
    return text.encode("utf-8", "surrogatepass")

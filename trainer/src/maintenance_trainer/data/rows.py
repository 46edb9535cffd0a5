"""Labelled rows and the files that they come from."""

from collections.abc import Collection
from dataclasses import dataclass
from heapq import nsmallest
from typing import Final

from maintenance_trainer.data.folders import Origin
from maintenance_trainer.data.shares import BUCKETS, Shares

MARKS: Final = 8
_HEX: Final = 16


@dataclass(frozen=True, slots=True)
class DataFile:
    """A file of the snapshot. ``new``: the champion was not trained on it.

    ``held_out``: how many of ``BUCKETS`` its rows are held out of; None: what the resource says of
    the file's origin. ``marks`` are some of its rows, by which a later file is known that holds
    them, too; empty where the resource says what is held out. ``known_by``: see known_by.py.
    """

    origin: Origin
    name: str
    digest: str
    rows: int
    new: bool
    columns: tuple[str, ...]
    held_out: int | None = None
    marks: tuple[str, ...] = ()
    known_by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A labelled row, whatever its input is; each kind of model adds that.

    ``label`` is the answer as it is compared: two rows of one input and several labels contradict
    each other. ``key`` is the hex SHA-256 of the input alone, the same in every delivery; ``file``
    is the digest of the file that it came with.
    """

    label: str
    key: str
    origin: Origin
    new: bool
    file: str = ""

    @property
    def unit(self) -> str:
        """What is held out together, as a hex digest: the input, a user, a block of time."""
        return self.key

    @property
    def drawn_within(self) -> str:
        """What its unit is a part of, where the same such wholes are served: a series, of a block.

        Empty: units are drawn from all.
        """
        return ""

    @property
    def overlaps(self) -> tuple[str, ...]:
        """Other units that it shares something with: unless they are on its side it is on none."""
        return ()

    @property
    def identity(self) -> str:
        """Equal for rows of one case: where their labels differ, they contradict each other.

        Empty where another row of the same inputs may be another case.
        """
        return self.key

    @property
    def case(self) -> str:
        """Equal for rows that, with one label, are one row: of these one is kept."""
        return self.key

    @property
    def stratum(self) -> str:
        """The class, of which each share is kept in samples; empty for kinds without classes."""
        return self.label

    @property
    def numeric(self) -> bool:
        """Whether the label is a number where there is no class; else it is a name."""
        return True

    @property
    def scored(self) -> bool:
        """Whether models are compared on it where it is held out; if not, it is left out there."""
        return True

    @property
    def gist(self) -> str:
        """Equal for rows that say the same but for what does not matter."""
        return self.key

    @property
    def trace(self) -> str:
        """A hex digest that it has in any file that holds it, also in one that holds more of it."""
        return self.key

    @property
    def learnt_as(self) -> str:
        """Equal for rows that a version which learnt one of them has learnt."""
        return self.key

    @property
    def size(self) -> int:
        """Bytes that it takes in memory beside what every row takes."""
        return 0

    @property
    def bucket(self) -> int:
        """One of ``BUCKETS``, by the unit alone."""
        return int(mark(self.unit), 16) % BUCKETS

    def held_out(self, shares: Shares) -> bool:
        """Whether this row is never trained on, under these shares."""
        return self.bucket < shares.of(self.origin, self.file)


def marks_of(keys: Collection[str]) -> tuple[str, ...]:
    """The lowest of these keys: whatever else a file holds, the same rows have the same ones."""
    return tuple(map(mark, nsmallest(MARKS, keys)))


def mark(key: str) -> str:
    """A key, shortened."""
    return key[:_HEX]

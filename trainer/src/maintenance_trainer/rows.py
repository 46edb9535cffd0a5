"""Labelled rows and the files that they come from."""

import hashlib
import unicodedata
from collections.abc import Collection
from dataclasses import dataclass
from heapq import nsmallest
from typing import Final

from maintenance_trainer.folders import Origin
from maintenance_trainer.shares import BUCKETS, Shares

MARKS: Final = 8
_HEX: Final = 16


@dataclass(frozen=True, slots=True)
class DataFile:
    """A file of the snapshot. ``new``: the champion was not trained on it.

    ``held_out``: how many of ``BUCKETS`` its rows are held out of; None: what the resource says of
    the file's origin. ``marks`` are some of its rows, by which a later file is known that holds
    them, too; empty where the resource says what is held out.
    """

    origin: Origin
    name: str
    digest: str
    rows: int
    new: bool
    columns: tuple[str, ...]
    held_out: int | None = None
    marks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Row:
    """A labelled text. ``key`` is the SHA-256 of the normalised text alone, ``file`` a digest."""

    text: str
    label: str
    key: str
    origin: Origin
    new: bool
    file: str = ""

    @property
    def bucket(self) -> int:
        """One of ``BUCKETS``, by the text alone."""
        return int(mark(self.key), 16) % BUCKETS

    def held_out(self, shares: Shares) -> bool:
        """Whether this row is never trained on, under these shares."""
        return self.bucket < shares.of(self.origin, self.file)


def marks_of(keys: Collection[str]) -> tuple[str, ...]:
    """The lowest of these keys: whatever else a file holds, the same rows have the same ones."""
    return tuple(map(mark, nsmallest(MARKS, keys)))


def mark(key: str) -> str:
    """A key, shortened."""
    return key[:_HEX]


def normalise(text: str) -> str:
    """The text as it is compared: Unicode NFKC, case folded, blanks collapsed."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def make_row(text: str, label: str, origin: Origin, *, new: bool, file: str = "") -> Row:
    """A row with its key."""
    key = hashlib.sha256(normalise(text).encode("utf-8", "surrogatepass")).hexdigest()
    return Row(text, label, key, origin, new, file)

"""Images that differ only in what no model is given: their transparency, the last 8 of 16 bits.

Drawings on a transparent ground are one black square to a model, and dark images of 16 bits are
another. They count as copies of one image, so hardly a row would be left, and nobody would know
why.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import Final, Protocol

from maintenance_contract import LEAST_ROWS
from maintenance_trainer.data.folders import Origin
from maintenance_trainer.data.remarks import Remarks
from maintenance_trainer.errors import DataError
from maintenance_trainer.tasks.images import DEEP, Format

MOST: Final = 0.5
"""Of the images of one origin: where more look alike, there is next to nothing to learn."""
_TRANSPARENCY: Final = (
    "once their transparency is dropped, as image processors do",
    "lay each on a ground of one colour and save it without transparency",
)
_BITS: Final = (
    "once their 16 bits are cut to 8",
    "scale their values to the whole range of 16 bits, or save them with 8",
)


class Seen(Protocol):
    """An image as a row of data."""

    @property
    def key(self) -> str:
        """Equal for images that a model sees alike."""

    @property
    def hidden(self) -> str:
        """Equal for those that are alike in what it does not see; empty where there is nothing."""

    @property
    def origin(self) -> Origin:
        """Where it was delivered."""

    @property
    def format(self) -> Format:
        """What its file says of it."""

    @property
    def known(self) -> bool:
        """Whether a version was trained on its file."""


def check(rows: Sequence[Seen], remarks: Remarks) -> None:
    """Tell of images that look alike to a model only; refuse most of a delivery.

    Raises:
        DataError: DataUnreadable.
    """
    for origin in Origin:
        its = [row for row in rows if row.origin is origin]
        fresh = [row for row in its if not row.known]
        where, alike = f"data.{origin}", _alike(fresh)
        if len(fresh) >= LEAST_ROWS and len(alike) > MOST * len(fresh):
            told = _told(alike, len(fresh), "so there is next to nothing to learn")
            raise DataError("DataUnreadable", f"{where}: {told}.")
        if alike := _alike(its):
            remarks.note(_told(alike, len(its), "and count as one"), where)


def _alike(rows: Sequence[Seen]) -> list[Seen]:
    """Those that another one looks like though it differs in what is hidden."""
    shared: dict[str, list[Seen]] = defaultdict(list)
    for row in rows:
        if row.hidden:  # beside one that hides nothing it may be the same picture, saved anew
            shared[row.key].append(row)
    groups = [its for its in shared.values() if len({row.hidden for row in its}) > 1]
    return [row for its in groups for row in its]


def _told(alike: Sequence[Seen], of: int, so: str) -> str:
    deep = sum(row.format.bits == DEEP for row in alike)
    once, instead = _BITS if deep > len(alike) / 2 else _TRANSPARENCY
    return f"{len(alike):,} of {of:,} images look like another one {once}, {so}: {instead}"

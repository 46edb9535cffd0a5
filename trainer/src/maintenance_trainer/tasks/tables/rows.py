"""Rows of tables."""

import sys
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from typing_extensions import override  # typing has it from Python 3.12 on

from maintenance_trainer.data.rows import Row
from maintenance_trainer.data.sources import SourceFile

FEW_TEXTS: Final = 0.1
"""Texts that are a smaller part of a column of numbers are mistakes, and no categories."""
LEAST_TEXTS: Final = 5
"""Fewer are mistakes, too, whatever their part."""
_ARRAY: Final = sys.getsizeof(b"")


class Type(StrEnum):
    """What a column holds. ``NOTHING``: every cell is empty."""

    NUMBER = "number"
    BOOLEAN = "boolean"
    DATE = "date"
    CATEGORY = "category"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Held:
    """What a file holds in a column: ``filled`` cells, ``numbers`` and the like among them.

    ``boolean``: where the first true or false beside numbers is, and how it is written;
    ``notation`` the same of numbers or dates in another notation, where most cells are such.
    ``mistake``: what is said of its texts, where they are few beside numbers, or beside dates.
    ``dates``: some are dates that keep their text, and count as texts here.
    """

    filled: int
    numbers: int
    boolean: tuple[str, str] | None = None
    notation: tuple[str, str] | None = None
    mistake: str = ""
    dates: bool = False

    @property
    def texts(self) -> int:
        """Cells that hold neither numbers nor the like."""
        return self.filled - self.numbers


def are_few(texts: int, filled: int) -> bool:
    """Whether so many texts among cells of numbers are mistakes."""
    return texts < LEAST_TEXTS or texts < FEW_TEXTS * filled


@dataclass(slots=True, eq=False)
class Header:
    """The columns of one file; all its rows share it.

    ``names``, ``types`` and ``held`` of the inputs are complete once the file is read. ``wanted``
    are the inputs that the resource names; empty: all. ``source`` is where the rows come from.
    """

    where: str
    wanted: tuple[str, ...] = ()
    names: list[str] = field(default_factory=list)
    types: list[Type] = field(default_factory=list)
    held: list[Held] = field(default_factory=list)
    source: SourceFile | None = None

    @property
    def form(self) -> tuple[tuple[str, ...], tuple[Type, ...]]:
        """Equal for files whose cells are read alike."""
        return tuple(self.names), tuple(self.types)

    @property
    def known(self) -> bool:
        """Whether a version was trained on the file: nothing of it is refused now."""
        return self.source is not None and self.source.known


@dataclass(frozen=True, slots=True, kw_only=True)
class TableRow(Row):
    """A labelled row of a table.

    ``cells`` are 32 bits each (see cells.py), in the order of the header; columns that a file of
    JSON lines has only from a later line on are missing at the end. ``group`` is a hex digest:
    rows of one are held out together. ``name`` is one of the ``id``: rows of two names are two,
    and on one side where their inputs are the same. ``anonymous``: the row has so little in it
    that another one of the same inputs is another case, and not the same one again. ``before``:
    its key by the inputs that its file had before; empty: it is known by all that it has.
    """

    header: Header
    cells: bytes
    weight: float = 1.0
    group: str = ""
    name: str = ""
    anonymous: bool = False
    before: str = ""

    @property
    @override
    def unit(self) -> str:
        return self.group or self.learnt_as

    @property
    @override
    def identity(self) -> str:
        return "" if self.anonymous else self.key

    @property
    @override
    def case(self) -> str:
        return f"{self.key} {self.name}" if self.name else self.key

    @property
    @override
    def gist(self) -> str:
        return self.case

    @property
    @override
    def trace(self) -> str:
        return self.learnt_as

    @property
    @override
    def learnt_as(self) -> str:
        return self.before or self.key

    @property
    @override
    def size(self) -> int:
        known = sys.getsizeof(self.before) if self.before else 0
        # The cells beside themselves in the arrays that columns are read of.
        return _ARRAY + 2 * len(self.cells) + known

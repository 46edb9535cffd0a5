"""What has changed about the columns: unit, type, new, gone, missing, unknown categories.

Counted, column by column; a column that the model hardly uses is told and asks for nothing.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from maintenance_contract import evidence_names
from maintenance_contract.evidence_names import of_column
from maintenance_trainer.diagnose import thresholds as at
from maintenance_trainer.diagnose.answers import Measure
from maintenance_trainer.tasks.tables import blocks
from maintenance_trainer.tasks.tables.blocks import Block
from maintenance_trainer.tasks.tables.cells import is_nothing
from maintenance_trainer.tasks.tables.rows import TableRow, Type
from maintenance_trainer.tasks.tables.schema import Column, Schema, alike
from maintenance_trainer.tasks.units import beyond, unit_of

Numbers = NDArray[np.float64]

USED: Final = 0.01
"""Share of what all splits gain: a column with less cannot have made the model worse."""
MOST_NAMED: Final = 8
"""Columns that are named; a report has room for few numbers."""
VARIED: Final = 20
"""Different values of a column that measures: if it holds one only, its source is stuck."""


def measures(
    schema: Schema,
    weight: NDArray[np.float64],
    old: Sequence[TableRow],
    new: Sequence[TableRow],
) -> list[Measure]:
    """How the columns have changed: what counts first, then column by column.

    Args:
        schema: what the model reads.
        weight: (d,) the share of each column in what its splits gain; all 0: nobody knows.
        old: old rows; there is one at least.
        new: new rows; there is one at least.
    """
    counted = not weight.any()
    before, now = blocks.of(old), blocks.of(new)
    changed, emptier, unknown = 0, 0.0, 0.0
    told: list[tuple[str, str, float]] = []
    for column, its_weight in zip(schema.columns, weight, strict=True):
        used = counted or its_weight >= USED
        sides = _Sides(column, _Side.of(before, column), _Side.of(now, column))
        for name, value in sides.differences():
            told.append((name, column.name, value))
            changed += used and name in _OF_ANOTHER_TABLE
        if used:
            emptier = max(emptier, sides.emptier)
            unknown = max(unknown, sides.unknown)
    for name, share in _strangers(schema, now, len(new)):
        told.append((evidence_names.NEW_COLUMN, name, share))
        changed += 1
    n = len(new)
    return [
        Measure(evidence_names.CHANGED_COLUMNS, changed, changed, at.CHANGED_COLUMNS, None, n),
        Measure(evidence_names.EMPTIER_COLUMN, emptier, emptier, at.EMPTIER_COLUMN, None, n),
        Measure(
            evidence_names.UNKNOWN_CATEGORIES, unknown, unknown, at.UNKNOWN_CATEGORIES, None, n
        ),
        *(
            Measure(of_column(name, column), value, value, at.ONLY_TOLD, None, n, counts=False)
            for name, column, value in told[:MOST_NAMED]
        ),
    ]


_OF_ANOTHER_TABLE: Final = frozenset(
    {
        evidence_names.UNIT_FACTOR,
        evidence_names.OTHER_TYPE,
        evidence_names.LOST_COLUMN,
        evidence_names.STUCK_COLUMN,
    }
)


@dataclass(frozen=True, slots=True)
class _Side:
    """A column in rows of one age.

    ``present``: the share of rows whose file has it; ``filled``: of rows that hold something;
    ``other``: of those that hold something of another type. ``values`` are numbers, ``codes`` of
    categories; ``strange``: the share of filled rows with a category that the model does not know.
    """

    present: float
    filled: float
    other: float
    values: Numbers
    strange: float

    @classmethod
    def of(cls, found: Sequence[Block], column: Column) -> "_Side":
        total = sum(block.rows for block in found)
        here = [block for block in found if column.name in block.names]
        present = sum(block.rows for block in here)
        filled = other = strange = 0
        values: list[NDArray[np.float32]] = []
        for block in here:
            there = ~is_nothing(block.column(column.name))
            read = blocks.read(block, column)
            lost = int((there & np.isnan(read)).sum())
            filled += int(there.sum())
            values.append(read[~np.isnan(read)])
            as_texts = column.type is Type.CATEGORY and block.keeps_texts(column.name)
            if as_texts or alike(block.type_of(column.name), column.type):
                strange += lost
            else:
                other += int(there.sum())
        numbers = np.concatenate(values).astype(np.float64) if values else np.zeros(0)
        return cls(
            present / total,
            filled / total,
            other / max(filled, 1),
            numbers,
            strange / max(filled, 1),
        )


@dataclass(frozen=True, slots=True)
class _Sides:
    """A column in old rows and in new ones."""

    column: Column
    old: _Side
    new: _Side

    @property
    def emptier(self) -> float:
        """Rise of the share of rows that hold nothing."""
        return max(0.0, self.old.filled - self.new.filled)

    @property
    def unknown(self) -> float:
        """Rise of the share of categories that the model does not know."""
        if self.column.type is not Type.CATEGORY:
            return 0.0
        return max(0.0, self.new.strange - self.old.strange)

    def differences(self) -> Iterator[tuple[str, float]]:
        """What is worth telling, the gravest first."""
        old, new = self.old, self.new
        if old.present - new.present >= at.COLUMN_GONE:
            yield evidence_names.LOST_COLUMN, new.present
            return
        if new.other - old.other >= at.COLUMN_GONE:
            yield evidence_names.OTHER_TYPE, new.other
            return
        if self.emptier >= at.EMPTIER_COLUMN.minor:
            yield evidence_names.EMPTIER_COLUMN, self.emptier
        if self.unknown >= at.UNKNOWN_CATEGORIES.minor:
            yield evidence_names.UNKNOWN_CATEGORIES, self.unknown
        # Dates move on by themselves, and a delivery may be of one day.
        if self.column.type is not Type.DATE and len(old.values) and len(new.values):
            yield from self._of_values()

    def _of_values(self) -> Iterator[tuple[str, float]]:
        old, new, measured = self.old.values, self.new.values, self.column.type is Type.NUMBER
        if measured and (unit := unit_of(old, new)) is not None:
            yield evidence_names.UNIT_FACTOR, unit.factor
            if unit.offset:
                yield evidence_names.UNIT_OFFSET, unit.offset
            return
        if len(new) >= at.LEAST_ROWS and (new == new[0]).all():
            stuck = measured and len(np.unique(old)) >= VARIED
            if stuck or (old == new[0]).mean() ** len(new) < at.CHANCE:
                name = evidence_names.STUCK_COLUMN if stuck else evidence_names.CONSTANT_COLUMN
                yield name, float(new[0])
        if measured and (share := beyond(old, new)) >= at.OUT_OF_RANGE:
            yield evidence_names.OUT_OF_RANGE, share


def _strangers(schema: Schema, now: Sequence[Block], total: int) -> Iterator[tuple[str, float]]:
    """Columns that the model does not read, filled in most new rows, with more than one value."""
    known = set(schema.names)
    for name in dict.fromkeys(name for block in now for name in block.names if name not in known):
        words = np.concatenate([block.column(name) for block in now if name in block.names])
        words = words[~is_nothing(words)]
        share = len(words) / total
        if share >= at.COLUMN_GONE and len(np.unique(words)) > 1:
            yield name, share

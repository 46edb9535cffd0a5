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
from maintenance_trainer.tasks.tables.schema import Column, Schema

Numbers = NDArray[np.float64]

USED: Final = 0.01
"""Share of what all splits gain: a column with less cannot have made the model worse."""
MOST_NAMED: Final = 8
"""Columns that are named; a report has room for few numbers."""
QUANTILES: Final = np.linspace(0.05, 0.95, 19)
LEAST_VALUES: Final = 5
"""Different values that a unit can be seen by: fewer fit any line."""
LINEAR: Final = 0.1
"""In the new unit old numbers are distributed as new ones: shares below a value differ by less."""
FACTOR: Final = 1.5
"""Units differ by more: a mile by 1.6, an inch by 2.54. What differs by less may be the times."""
OFFSET: Final = 3.0
"""Interquartile ranges: Celsius and Kelvin lie further apart than any shift of what is measured."""
WITHIN: Final = 0.5
"""With an offset, most new numbers lie beyond all old ones: else it is a part of what there was."""
VARIED: Final = 20
"""Different values of a column that measures: if it holds one only, its source is stuck."""


@dataclass(frozen=True, slots=True)
class Unit:
    """New numbers are ``factor`` times the old ones and ``offset``; ``apart``: they differ so."""

    factor: float
    offset: float
    apart: float


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
            if _alike(block.type_of(column.name), column.type):
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
        if measured and (beyond := _beyond(old, new)) >= at.OUT_OF_RANGE:
            yield evidence_names.OUT_OF_RANGE, beyond


def unit_of(old: Numbers, new: Numbers) -> Unit | None:  # one a reason
    """The linear map that makes two samples of a column one, where nothing else would.

    Quantiles of the one are fitted to quantiles of the other. It is another unit where the samples
    differ much as they are and hardly once mapped, by a factor or an offset that the times do not
    bring about.

    Args:
        old: m numbers.
        new: n numbers.
    """
    if min(len(old), len(new)) < at.LEAST_ROWS:
        return None
    if min(len(np.unique(old)), len(np.unique(new))) < LEAST_VALUES:
        return None
    apart = difference(old, new)
    if apart < at.OTHER_UNIT:
        return None
    before, now = np.quantile(old, QUANTILES), np.quantile(new, QUANTILES)
    spread = float(np.quantile(old, 0.75) - np.quantile(old, 0.25))
    if not before.std() or not now.std() or not spread:
        return None
    fits = []
    for factor, offset in _maps(before, now):
        scaled = max(factor, 1 / factor) >= FACTOR
        within = ((new >= old.min()) & (new <= old.max())).mean()
        moved = abs(offset) >= OFFSET * spread
        if (scaled or moved) and (not offset or within <= WITHIN):
            fits.append((difference(old * factor + offset, new), factor, offset))
    left, factor, offset = min(fits, default=(1.0, 1.0, 0.0))
    if left >= LINEAR + _by_chance(len(old), len(new)):
        return None
    return Unit(factor, offset, apart)


def _maps(before: Numbers, now: Numbers) -> Iterator[tuple[float, float]]:
    """Factors and offsets that may bring quantiles to others.

    Most units share their zero: a small offset is the noise of the fit. And of skewed numbers the
    spread is that of a few; the ratio of the quantiles is not.
    """
    factor = float(now.std() / before.std())
    offset = float(np.median(now) - factor * np.median(before))
    if abs(offset) < 0.1 * abs(float(np.median(now))) or abs(offset) < 0.05 * factor:
        factor, offset = float((now @ before) / (before @ before)), 0.0
    yield factor, offset
    same = before * now > 0
    if same.any():
        yield float(np.median(now[same] / before[same])), 0.0


def difference(old: Numbers, new: Numbers) -> float:
    """The greatest difference of the shares below a value (Kolmogorov and Smirnov)."""
    points = np.concatenate([old, new])
    below = [
        np.searchsorted(np.sort(side), points, side="right") / len(side) for side in (old, new)
    ]
    return float(np.abs(below[0] - below[1]).max())


def _by_chance(m: int, n: int) -> float:
    """What two samples of one law differ by, one time in twenty."""
    return 1.36 * float(np.sqrt((m + n) / (m * n)))


def _beyond(old: Numbers, new: Numbers) -> float:
    """Share of new numbers beyond all old ones by more than half of what those span."""
    low, high = float(old.min()), float(old.max())
    room = (high - low) / 2
    return float(((new < low - room) | (new > high + room)).mean())


def _alike(found: Type, wanted: Type) -> bool:
    """Whether a file's column can hold what a model reads; a category may be a number."""
    if wanted is Type.CATEGORY:
        return found is not Type.DATE
    numbers = {Type.NUMBER, Type.BOOLEAN}
    return found is wanted or found is Type.NOTHING or {found, wanted} <= numbers


def _strangers(schema: Schema, now: Sequence[Block], total: int) -> Iterator[tuple[str, float]]:
    """Columns that the model does not read, filled in most new rows, with more than one value."""
    known = set(schema.names)
    for name in dict.fromkeys(name for block in now for name in block.names if name not in known):
        words = np.concatenate([block.column(name) for block in now if name in block.names])
        words = words[~is_nothing(words)]
        share = len(words) / total
        if share >= at.COLUMN_GONE and len(np.unique(words)) > 1:
            yield name, share

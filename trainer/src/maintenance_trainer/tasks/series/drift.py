"""What has changed about the channels and their clock: unit, new, gone, stuck, interval, horizon.

Counted, not tested.
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
from maintenance_trainer.tasks.series import arrays
from maintenance_trainer.tasks.series.arrays import Group
from maintenance_trainer.tasks.series.rows import SECOND, Floats, Window
from maintenance_trainer.tasks.series.schema import Channel, Schema
from maintenance_trainer.tasks.units import Unit, beyond, unit_of

MOST_NAMED: Final = 8
"""Channels that are named; a report has room for few numbers."""
VARIED: Final = 20
"""Different numbers of a channel that measures: if it holds one only, its source is stuck."""
BESIDE: Final = 20
"""Rows on either side of the first new one by which a jump is seen."""
MOST_STEPS: Final = 500
"""Windows whose steps are looked at."""
_OF_OTHER_SERIES: Final = frozenset(
    {evidence_names.UNIT_FACTOR, evidence_names.LOST_COLUMN, evidence_names.STUCK_COLUMN}
)


def measures(schema: Schema, old: Sequence[Window], new: Sequence[Window]) -> list[Measure]:
    """How channels and clock have changed: what counts first, then channel by channel.

    Args:
        schema: what the model reads.
        old: old rows; there is one at least.
        new: new rows; there is one at least.
    """
    before, now = list(arrays.groups(old)), list(arrays.groups(new))
    told: list[tuple[str, str, float]] = []
    changed, emptier = 0, 0.0
    for channel in schema.channels:
        sides = _Sides(
            channel, _Side.of(before, channel.name, old), _Side.of(now, channel.name, new)
        )
        for name, value in sides.differences(now):
            told.append((name, channel.name, value))
            changed += name in _OF_OTHER_SERIES
        emptier = max(emptier, sides.emptier)
    for name, share in _strangers(schema, now, new):
        told.append((evidence_names.NEW_COLUMN, name, share))
        changed += 1
    n = len(new)
    interval = _interval(old, new)
    longer = max(0, new[0].horizon - schema.horizon) if schema.targets else 0
    asked = sum(
        _Side.of(now, name, new).filled >= at.COLUMN_GONE
        for name in new[0].targets
        if name not in schema.targets
    )
    return [
        Measure(evidence_names.CHANGED_COLUMNS, changed, changed, at.CHANGED_COLUMNS, None, n),
        Measure(
            evidence_names.SAMPLING_INTERVAL, interval, interval, at.SAMPLING_INTERVAL, None, n
        ),
        Measure(evidence_names.LONGER_HORIZON, longer, longer, at.CHANGED_COLUMNS, None, n),
        Measure(evidence_names.NEW_TARGETS, asked, asked, at.CHANGED_COLUMNS, None, n),
        Measure(evidence_names.EMPTIER_COLUMN, emptier, emptier, at.EMPTIER_COLUMN, None, n),
        *(
            Measure(of_column(name, column), value, value, at.ONLY_TOLD, None, n, counts=False)
            for name, column, value in told[:MOST_NAMED]
        ),
    ]


@dataclass(frozen=True, slots=True)
class _Side:
    """A channel in rows of one age, at what they are about and not at what lies before it.

    ``present``: whether it is there at all; ``filled``: the share of rows with a number, which are
    ``values``.
    """

    present: bool
    filled: float
    values: Floats

    @classmethod
    def of(cls, found: Sequence[Group], name: str, rows: Sequence[Window]) -> "_Side":
        # What is to be told, and of windows with a class the row that has it: all of one age.
        about = np.arange(rows[0].horizon) if rows[0].horizon else np.array([-1])
        values: list[Floats] = []
        there = total = 0
        for group in found:
            held = group.series.columns.get(name)
            places = group.ends[:, None] + about
            total += places.size
            if held is None:
                continue
            inside = np.minimum(places, len(held) - 1)
            there += int(np.isfinite(held[inside]).sum())
            its = held[np.unique(inside)]
            values.append(its[np.isfinite(its)])
        numbers = np.concatenate(values) if values else np.zeros(0)
        return cls(bool(len(numbers)), there / max(total, 1), numbers)


@dataclass(frozen=True, slots=True)
class _Sides:
    """A channel in old rows and in new ones."""

    channel: Channel
    old: _Side
    new: _Side

    @property
    def emptier(self) -> float:
        """Rise of the share of rows that hold nothing."""
        return max(0.0, self.old.filled - self.new.filled)

    def differences(self, now: Sequence[Group]) -> Iterator[tuple[str, float]]:
        """What is worth telling, the gravest first."""
        old, new = self.old, self.new
        # A few rows may hold nothing in a channel that is seldom measured.
        if old.present and not new.present and self.emptier >= at.COLUMN_GONE:
            yield evidence_names.LOST_COLUMN, 0.0
            return
        if self.emptier >= at.EMPTIER_COLUMN.minor:
            yield evidence_names.EMPTIER_COLUMN, self.emptier
        if not len(old.values) or not len(new.values):
            return
        unit = unit_of(old.values, new.values)
        if unit is not None and jumped(now, self.channel.name, unit):
            yield evidence_names.UNIT_FACTOR, unit.factor
            if unit.offset:
                yield evidence_names.UNIT_OFFSET, unit.offset
            return
        if len(new.values) >= at.LEAST_ROWS and (new.values == new.values[0]).all():
            if len(np.unique(old.values)) >= VARIED:
                yield evidence_names.STUCK_COLUMN, float(new.values[0])
            elif (old.values == new.values[0]).mean() ** len(new.values) < at.CHANCE:
                yield evidence_names.CONSTANT_COLUMN, float(new.values[0])
        if (share := beyond(old.values, new.values)) >= at.OUT_OF_RANGE:
            yield evidence_names.OUT_OF_RANGE, share


def jumped(now: Sequence[Group], name: str, unit: Unit) -> bool:
    """Whether the numbers change by this map from one row to the next, as a unit does.

    What grows to twice its size in years is no other unit. Where no row lies before the first new
    one, nothing speaks against it.
    """
    votes: list[bool] = []
    for group in now:
        held = group.series.columns.get(name)
        if held is None:
            continue
        first = int(group.ends.min())
        before = held[max(0, first - BESIDE) : first]
        after = held[first : first + BESIDE]
        before, after = before[np.isfinite(before)], after[np.isfinite(after)]
        if not len(before) or not len(after):
            continue
        was, is_now = float(np.median(before)), float(np.median(after))
        mapped = unit.factor * was + unit.offset
        votes.append(abs(is_now - mapped) <= abs(is_now - was) / 2)
    return not votes or sum(votes) * 2 > len(votes)


def _strangers(
    schema: Schema, now: Sequence[Group], new: Sequence[Window]
) -> Iterator[tuple[str, float]]:
    """Channels that the model does not read, and that most new rows have, with several numbers."""
    known = set(schema.names)
    names = sorted({name for group in now for name in group.series.columns} - known)
    for name in names:
        side = _Side.of(now, name, new)
        if side.filled >= at.COLUMN_GONE and len(np.unique(side.values)) > 1:
            yield name, side.filled


def _interval(old: Sequence[Window], new: Sequence[Window]) -> float:
    """How many times longer or shorter the time from a row to the next has become."""
    was, is_now = _steps(old), _steps(new)
    if not len(was) or not len(is_now):
        return 1.0
    ratio = float(np.median(is_now)) / max(float(np.median(was)), 1e-9)
    return max(ratio, 1 / max(ratio, 1e-9))


def _steps(rows: Sequence[Window]) -> NDArray[np.float64]:
    """Seconds before each row that a window is about.

    All of them, and not one a window: a window each week has its last row on the same day, and
    before a Monday lie three days.
    """
    some = [rows[number] for number in range(0, len(rows), max(1, len(rows) // MOST_STEPS))]
    found = [np.zeros(0)]
    for row in some:
        first = row.end if row.horizon else row.end - 1
        its = row.series.stamps[max(first - 1, 0) : row.end + row.horizon]
        found.append(np.diff(its) / SECOND)
    return np.concatenate(found)

"""Rows that belong together: windows of one stretch of time, rows of one patient.

They are not independent, so that n of them tell less than n others. By how much is the design
effect (L. Kish, Survey Sampling, 1965, section 5.4): the variance of a sum over the one it had if
rows were independent.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from maintenance_trainer.data.rows import Row

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Units = NDArray[np.int64]
"""(n,) the number of each row's unit, from 0 on."""

LEAST_UNITS: Final = 2
"""Fewer say nothing of how much they differ."""


def numbered(rows: Sequence[Row]) -> Units:
    """The unit of each row."""
    numbers: dict[str, int] = {}
    return np.array([numbers.setdefault(row.unit, len(numbers)) for row in rows], np.int64)


def units_of(rows: Sequence[Row]) -> Units | None:
    """The unit of each row; None where each row is one by itself."""
    units = numbered(rows)
    return units if count_of(units, len(rows)) < len(rows) else None


def count_of(units: Units | None, rows: int) -> int:
    """How many units so many rows are of."""
    return rows if units is None or not rows else int(units.max()) + 1


def chosen_units(units: Units | None, chosen: Flags) -> Units | None:
    """Of the rows that are flagged."""
    return None if units is None else np.unique(units[chosen], return_inverse=True)[1].reshape(-1)


@dataclass(frozen=True, slots=True)
class Strata:
    """The class of each of n rows, and classes that the champion cannot name.

    Where a question is about the classes in the shares that they have, it is no luck of which class
    a unit is: what counts is how far a row is from its class's mean (post-stratification, Cochran,
    section 5A.9); of a class that lies in one unit alone, from the mean of all. On a class that the
    champion cannot name nothing can be lost, so that rows of it count one by one though they may
    all be of one unit.
    """

    classes: Sequence[str]
    unknown: Collection[str] = ()

    def split(self, influence: Floats, units: Units) -> tuple[Floats, Units]:
        """Distances (n,) from the class's mean, and units with such rows each for itself."""
        names, which = np.unique(np.array(self.classes, str), return_inverse=True)
        which = which.reshape(-1)
        rows = np.split(np.argsort(which, kind="stable"), np.cumsum(np.bincount(which))[:-1])
        apart, split = np.array(influence, np.float64), units.copy()
        last, unknown = int(units.max()), set(self.unknown)
        for name, of in zip(names.tolist(), rows, strict=True):
            if name in unknown:
                split[of] = last + 1 + np.arange(len(of))
                last += len(of)
            alone = len(np.unique(split[of])) < LEAST_UNITS
            apart[of] -= influence.mean() if alone else apart[of].mean()
        return apart, np.unique(split, return_inverse=True)[1].reshape(-1)


def design_effect(influence: Floats, units: Units | None, strata: Strata | None = None) -> float:
    """How many times the variance of a sum is what it were if rows were independent; at least 1.

    Of the linearised sum between units (W. G. Cochran, Sampling Techniques, 1977, section 9A.4).

    Args:
        influence: (n,) of each row on it.
        units: of these rows.
        strata: their classes, where their shares are no part of the question.
    """
    n = len(influence)
    if units is None or n < LEAST_UNITS:
        return 1.0
    apart = influence - influence.mean()
    if strata is not None:
        apart, units = strata.split(influence, units)
    count = count_of(units, n)
    alone = n / (n - 1.0) * float((apart**2).sum())
    if count == 1:  # also where all are right, or none: that says nothing of other units
        return float(n)
    if alone <= 0.0:
        return 1.0
    together = np.bincount(units, weights=apart)
    return max(1.0, count / (count - 1.0) * float((together**2).sum()) / alone)

"""Rows that belong together: windows of one stretch of time, rows of one patient.

They are not independent, so that n of them tell less than n others. By how much is the design
effect (L. Kish, Survey Sampling, 1965, section 5.4): the variance of a sum over the one it had if
rows were independent.
"""

from collections.abc import Sequence
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


def units_of(rows: Sequence[Row]) -> Units | None:
    """The unit of each row; None where each row is one by itself."""
    numbers: dict[str, int] = {}
    units = np.array([numbers.setdefault(row.unit, len(numbers)) for row in rows], np.int64)
    return units if len(numbers) < len(rows) else None


def chosen_units(units: Units | None, chosen: Flags) -> Units | None:
    """Of the rows that are flagged."""
    return None if units is None else np.unique(units[chosen], return_inverse=True)[1].reshape(-1)


def design_effect(influence: Floats, units: Units | None) -> float:
    """How many times the variance of a sum is what it were if rows were independent; at least 1.

    Of the linearised sum between units (W. G. Cochran, Sampling Techniques, 1977, section 9A.4).

    Args:
        influence: (n,) of each row on it.
        units: of these rows.
    """
    n = len(influence)
    if units is None or n < LEAST_UNITS:
        return 1.0
    count = int(units.max()) + 1
    apart = influence - influence.mean()
    alone = n / (n - 1.0) * float((apart**2).sum())
    if alone <= 0.0:
        return 1.0
    if count == 1:
        return float(n)
    together = np.bincount(units, weights=apart)
    return max(1.0, count / (count - 1.0) * float((together**2).sum()) / alone)

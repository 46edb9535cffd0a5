"""Rows of a table as points, for the tests of the diagnosis.

Numbers become what they are among those that the model was trained on, so that a column in
thousands counts no more than one in fractions, and one far value does not stand for all others.
Dates are left out.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from maintenance_trainer.tasks.tables.blocks import Matrix
from maintenance_trainer.tasks.tables.rows import Type
from maintenance_trainer.tasks.tables.schema import Column, Schema

MOST_SHOWN: Final = 10
"""Categories that get a dimension each; more of them share these."""
SELDOM: Final = 0.005
"""What is missing no more often, or present no more often, tells nothing."""
FAR: Final = 6.0
"""Interquartile ranges from the median, beyond which what is more counts by its logarithm: few far
numbers do not stand for all others, and a column in another unit tells which row has more."""
FARTHEST: Final = 1e6
"""Interquartile ranges beyond which a number is far, however far."""


def points(values: Matrix, schema: Schema) -> NDArray[np.float32]:
    """(n, e) of an (n, d) matrix of what a model reads."""
    parts: list[NDArray[np.float32]] = []
    for column, cells in zip(schema.columns, values.T, strict=True):
        parts += _dimensions(column, cells)
    if not parts:
        return np.zeros((len(values), 1), np.float32)
    return np.column_stack(parts).astype(np.float32)


def _dimensions(column: Column, cells: NDArray[np.float32]) -> Sequence[NDArray[np.float32]]:
    gone = np.isnan(cells)
    if column.type is Type.DATE:
        return []  # time moves on by itself, and new rows are later ones
    if column.type is Type.CATEGORY:
        shown = min(len(column.categories), MOST_SHOWN)
        places = np.where(gone, -1, cells % shown) if shown else cells
        return [(places == place).astype(np.float32) for place in range(shown)]
    found = [np.where(gone, 0.0, standardised(cells, column.quantiles))]
    if SELDOM < column.missing < 1 - SELDOM:
        found.append(gone.astype(np.float32))
    return found


def standardised(cells: NDArray[np.float32], quantiles: Sequence[float]) -> NDArray[np.float32]:
    """How far from the median, in interquartile ranges of the training rows; at most 20.

    Beyond ``FAR`` by the logarithm of what is beyond.
    """
    if not quantiles:
        return np.asarray(np.arcsinh(np.nan_to_num(cells)), np.float32)
    low, middle, high = np.quantile(quantiles, [0.25, 0.5, 0.75])
    spread = (high - low) or (quantiles[-1] - quantiles[0]) or 1.0
    ranges = (cells.astype(np.float64) - middle) / spread
    size = np.minimum(np.abs(ranges), FARTHEST)
    near, beyond = np.minimum(size, FAR), np.maximum(size - FAR, 0.0)
    return np.asarray(np.copysign(near + np.log1p(beyond), ranges), np.float32)

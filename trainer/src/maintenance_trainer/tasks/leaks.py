"""What searches for columns that are the answer have in common, whatever the rows are."""

from collections.abc import Sequence
from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from maintenance_contract import LEAST_ROWS
from maintenance_trainer.data.rows import Row
from maintenance_trainer.seed import SEED

R = TypeVar("R", bound=Row)

LEAST_OF_A_LABEL: Final = 5
"""Fewer rows of the second label agree with a column by chance."""
EXACTLY: Final = 1e-5
"""Of the answers' range: what a ``float32`` cannot tell apart, and files round."""


def few(rows: Sequence[R], most: int) -> Sequence[R]:
    """At most so many of the rows, in their order: what holds for all holds for some of them."""
    if len(rows) <= most:
        return rows
    chosen = np.random.default_rng(SEED).choice(len(rows), most, replace=False)
    return [rows[number] for number in np.sort(chosen)]


def labels_of(rows: Sequence[Row]) -> NDArray[np.int64] | None:
    """(n,) numbers of the rows' labels; None where too few rows could tell anything."""
    labels = np.unique([row.label for row in rows], return_inverse=True)[1].astype(np.int64)
    counts = np.sort(np.bincount(labels)) if len(rows) else np.zeros(0)
    if len(rows) < LEAST_ROWS or len(counts) < 2 or counts[-2] < LEAST_OF_A_LABEL:  # noqa: PLR2004
        return None
    return labels


def one_to_one(values: NDArray[Any], labels: NDArray[np.int64]) -> bool:
    """Whether each value has one label and each label one value; nothing is a value, too."""
    different = np.unique(values, return_inverse=True)[1].astype(np.int64)
    pairs = np.unique(different * (labels.max() + 1) + labels)
    return bool(len(pairs) == different.max() + 1 == labels.max() + 1)

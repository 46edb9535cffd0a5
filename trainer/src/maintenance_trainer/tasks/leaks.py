"""What searches for columns that are the answer have in common, whatever the rows are."""

from collections.abc import Sequence
from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from maintenance_contract import LEAST_ROWS
from maintenance_trainer.data.rows import Row
from maintenance_trainer.seed import SEED

T = TypeVar("T")

LEAST_OF_A_LABEL: Final = 5
"""Fewer rows of the second label agree with a column by chance."""
EXACTLY: Final = 1e-5
"""Of the answers' range: what a ``float32`` cannot tell apart, and files round."""


def few(rows: Sequence[T], most: int) -> Sequence[T]:
    """At most so many of the rows, in their order: what holds for all holds for some of them."""
    if len(rows) <= most:
        return rows
    chosen = np.random.default_rng(SEED).choice(len(rows), most, replace=False)
    return [rows[number] for number in np.sort(chosen)]


def labels_of(rows: Sequence[Row]) -> NDArray[np.int64] | None:
    """(n,) numbers of the rows' labels; None where too few rows could tell anything."""
    labels = np.unique([row.label for row in rows], return_inverse=True)[1].astype(np.int64)
    return labels if _tell(labels) else None


def _tell(labels: NDArray[np.int64]) -> bool:
    """Whether so many rows of a second label are there that a column agrees by no chance."""
    counts = np.sort(np.bincount(labels)) if len(labels) else np.zeros(0)
    return len(labels) >= LEAST_ROWS and len(counts) > 1 and bool(counts[-2] >= LEAST_OF_A_LABEL)


def names_labels(values: NDArray[Any], there: NDArray[np.bool_], labels: NDArray[np.int64]) -> int:
    """How many rows a column and the labels name each other in; 0: they do not.

    Asked are all rows, of which nothing is a value, too, and those alone where it is ``there``, if
    they are most and hold labels enough: one cell that is empty hides no answer.
    """
    if one_to_one(values, labels):
        return len(labels)
    count = int(there.sum())
    if count == len(labels) or count < max(LEAST_ROWS, len(labels) / 2):
        return 0
    its = np.unique(labels[there], return_inverse=True)[1].astype(np.int64)
    return count if _tell(its) and one_to_one(values[there], its) else 0


def one_to_one(values: NDArray[Any], labels: NDArray[np.int64]) -> bool:
    """Whether each value has one label and each label one value; nothing is a value, too."""
    different = np.unique(values, return_inverse=True)[1].astype(np.int64)
    pairs = np.unique(different * (labels.max() + 1) + labels)
    return bool(len(pairs) == different.max() + 1 == labels.max() + 1)

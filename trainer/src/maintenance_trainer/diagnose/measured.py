"""What the tests are given and find; apart from them, for a training needs not their libraries."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Measured:
    """An effect with its one-sided 95 % upper bound, the test's p-value, and the rows behind it."""

    effect: float
    upper: float
    p: float
    n: int

"""Rows as tests see them: what the champion makes of them, and what they are labelled."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from maintenance_trainer.design_effect import Units, chosen_units
from maintenance_trainer.diagnose.measured import Flags, Floats
from maintenance_trainer.diagnose.statistics import FEW_DIMENSIONS, Scored

Names = NDArray[np.str_]

LEAST_PROBABILITY: Final = 1e-6


@dataclass(frozen=True, slots=True)
class Sample:
    """n rows.

    ``x`` (n, k): the champion's embeddings, or a table's standardised columns.
    ``probabilities`` (n, c): the champion's, one column for each of its classes. ``labels`` and
    ``predicted`` (n,): what the rows are labelled, and what the champion answers. ``units``: which
    rows belong together.
    """

    x: Floats
    probabilities: Floats
    labels: Names
    predicted: Names
    units: Units | None = None

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def wrong(self) -> Floats:
        """1.0 where the champion is wrong."""
        return np.asarray(self.labels != self.predicted, np.float64)

    @property
    def scored(self) -> Scored:
        """Classes and errors alone."""
        return Scored(self.labels, self.wrong)

    def part(self, chosen: Flags) -> "Sample":
        """The rows that are flagged."""
        return Sample(
            self.x[chosen],
            self.probabilities[chosen],
            self.labels[chosen],
            self.predicted[chosen],
            chosen_units(self.units, chosen),
        )


def expanded(x: Floats) -> Floats:
    """``x`` with squares and products where it has few columns: a shift may show in no column."""
    if x.shape[1] > FEW_DIMENSIONS:
        return x
    first, second = np.triu_indices(x.shape[1])
    return np.hstack([x, x[:, first] * x[:, second]])


def log_odds(probabilities: Floats) -> Floats:
    """Of each class against all others; bounded."""
    p = np.clip(probabilities, LEAST_PROBABILITY, 1 - LEAST_PROBABILITY)
    return np.asarray(np.log(p / (1 - p)))

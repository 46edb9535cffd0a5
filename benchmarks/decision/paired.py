"""Two models on the same rows: counts, and the sums that other paired statistics need."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

LEAST_LIKELIHOOD: Final = 0.01
"""Where the logarithmic loss is cut off: no single row may outweigh all others."""


@dataclass(frozen=True, slots=True)
class Answers:
    """What a model makes of n rows.

    ``right`` is 1 where it answers right; ``likelihood`` what it gives the row's label; ``brier``
    the squared distance of its probabilities from the label's.
    """

    right: Floats
    likelihood: Floats
    brier: Floats

    @classmethod
    def of(cls, probabilities: Floats, labels: NDArray[Any], names: NDArray[Any]) -> "Answers":
        """Of probabilities (n, c), one column for each of ``names``; unknown labels get none."""
        truth = labels[:, None] == names[None, :]
        known = truth.any(axis=1)
        given = np.where(truth, probabilities, 0.0).sum(axis=1)
        # Sum over classes of (p - y)^2; a label without a column adds its own (0 - 1)^2.
        brier = ((probabilities - truth) ** 2).sum(axis=1) + ~known
        right = names[probabilities.argmax(axis=1)] == labels
        return cls(right.astype(np.float64), given, brier)

    def part(self, chosen: NDArray[Any]) -> "Answers":
        """The rows at these places."""
        return Answers(self.right[chosen], self.likelihood[chosen], self.brier[chosen])


def counts(champion: Floats, challenger: Floats) -> list[int]:
    """n; rows that both get right, only the champion, only the challenger."""
    both = champion * challenger
    return [
        len(champion),
        *(int(part.sum()) for part in (both, champion - both, challenger - both)),
    ]


def sums(champion: Answers, challenger: Answers, labels: NDArray[Any]) -> dict[str, Any]:
    """Of the gains of a challenger row by row, as JSON.

    Each statistic has three sums: of its gain d, of d * d, and of d * z, where z is the gain of 0/1
    accuracy, whose own sums follow from the counts. Gains are positive where the challenger is
    better. ``byLabel`` are the counts of each class.
    """
    z = challenger.right - champion.right
    gains = {
        "brier": champion.brier - challenger.brier,
        "logLoss": _log(challenger.likelihood) - _log(champion.likelihood),
        "likelihood": challenger.likelihood - champion.likelihood,
    }
    return {
        "counts": counts(champion.right, challenger.right),
        **{name: _rounded(d.sum(), (d * d).sum(), (d * z).sum()) for name, d in gains.items()},
        "byLabel": {
            str(label): counts(champion.right[its], challenger.right[its])
            for label in np.unique(labels)
            for its in (labels == label,)
        },
    }


def _log(likelihood: Floats) -> Floats:
    return np.asarray(np.log(np.clip(likelihood, LEAST_LIKELIHOOD, None)))


def _rounded(*values: float) -> list[float]:
    return [float(f"{value:.7g}") for value in values]


def accuracies(found: Iterable[int]) -> tuple[float, float]:
    """Of champion and challenger, from counts."""
    n, both, champion, challenger = found
    return (both + champion) / n, (both + challenger) / n

"""What a paired score shows: tests of its difference by its jackknife error.

The difference over its error is compared with Student's t of n - 1 degrees. Why the error is
another one for a difference other than 0: see ``maintenance_trainer.paired_scores``.
"""

import math

from maintenance_contract import PairedScore
from maintenance_core import student


def win_p(score: PairedScore) -> float:
    """The one-sided p-value that the challenger looks this much better by chance alone."""
    error = _error(score)
    if error <= 0.0 or score.n == 1:
        return 1.0
    return student.at_least(score.difference / error, score.n - 1)


def gain_bound(score: PairedScore, confidence: float) -> float:
    """The one-sided lower bound of the difference, for a question about 0."""
    return max(-1.0, score.difference - _quantile(score.n, confidence) * _error(score))


def loss_bounds(score: PairedScore, confidence: float) -> tuple[float, float]:
    """Its one-sided lower and upper bound, for questions about a loss that is allowed."""
    reach = _quantile(score.n, confidence) * score.adjusted_error
    return max(-1.0, score.difference - reach), min(1.0, score.difference + reach)


def _error(score: PairedScore) -> float:
    """Where all rows speak alike nothing is known of the spread but by the adjusted error."""
    return score.standard_error or score.adjusted_error


def _quantile(n: int, confidence: float) -> float:
    return student.quantile(confidence, n - 1) if n > 1 else math.inf

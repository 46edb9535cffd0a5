"""What a paired score shows: tests of its difference by its jackknife error.

The difference over its error is compared with Student's t of n - 1 degrees. Why the error is
another one for a difference other than 0: see ``maintenance_trainer.paired_scores``.
"""

import math

from maintenance_contract import PairedScore
from maintenance_core import student


def win_p(score: PairedScore) -> float:
    """The one-sided p-value that the challenger looks this much better by chance alone."""
    error = score.standard_error or score.adjusted_error
    return _tail(score.difference, error, score.n)


def kept_p(score: PairedScore, margin: float) -> float:
    """The p-value of "worse by ``margin`` or more" against "less than that worse"."""
    return _tail(score.difference + margin, score.adjusted_error, score.n)


def lower_bound(score: PairedScore, confidence: float) -> float:
    """The one-sided lower bound of the difference."""
    return max(-1.0, score.difference - _reach(score, confidence))


def upper_bound(score: PairedScore, confidence: float) -> float:
    """The one-sided upper bound of the difference."""
    return min(1.0, score.difference + _reach(score, confidence))


def _reach(score: PairedScore, confidence: float) -> float:
    if score.n < 2:  # noqa: PLR2004 - one row has no spread
        return math.inf
    return student.quantile(confidence, score.n - 1) * score.adjusted_error


def _tail(difference: float, error: float, n: int) -> float:
    if n < 2 or error <= 0.0:  # noqa: PLR2004 - as above
        return 1.0
    return student.at_least(difference / error, n - 1)

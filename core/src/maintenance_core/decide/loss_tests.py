"""What a paired loss shows: tests of its difference by its jackknife error.

The difference over its error is compared with Student's t of one degree less than there are units,
or of as many as the report tells, where units are drawn within strata.
Where it is skewed to the worse (a challenger that errs rarely and far), t is bold: then P. Hall's
transformation (Journal of the Royal Statistical Society B 54 (1992), "On the removal of skewness
by transformation") moves its quantile out. It never moves it in: the skewness is estimated, too.
"""

import math
from typing import Final

from maintenance_contract import PairedLoss
from maintenance_contract.scores import MOST_LOSS
from maintenance_core import student

_SYMMETRIC: Final = 1e-9


def win_p(score: PairedLoss) -> float:
    """The one-sided p-value that the challenger looks this much better by chance alone."""
    if score.standard_error <= 0.0 or score.units == 1:
        return 1.0
    t = score.difference / score.standard_error
    return student.at_least(min(t, _transformed(t, score)), _degrees(score))


def bounds(score: PairedLoss, confidence: float) -> tuple[float, float]:
    """The one-sided lower and upper bound of the difference, in units of the baseline."""
    if score.units == 1:
        return -MOST_LOSS, MOST_LOSS
    quantile = student.quantile(confidence, _degrees(score))
    below = max(quantile, _inverse(quantile, _slope(score)))
    above = max(quantile, _inverse(quantile, -_slope(score)))
    error = score.standard_error
    return score.difference - below * error, score.difference + above * error


def _degrees(score: PairedLoss) -> int:
    """Rounded down, as B. L. Welch's are: fewer ask for more."""
    if score.degrees_of_freedom is None:
        return score.units - 1
    return max(1, math.floor(score.degrees_of_freedom))


def _slope(score: PairedLoss) -> float:
    """Hall's a; a sample's skewness is bounded by its size."""
    n = score.units
    skewness = min(max(score.skewness, -math.sqrt(n)), math.sqrt(n))
    return skewness / (3.0 * math.sqrt(n))


def _transformed(t: float, score: PairedLoss) -> float:
    """T + a t^2 + a^2 t^3 / 3 + a / 2: of the distribution of t, less the skewness."""
    a = _slope(score)
    return t + a * t * t + a * a * t**3 / 3.0 + a / 2.0


def _inverse(value: float, a: float) -> float:
    if abs(a) < _SYMMETRIC:
        return value
    return (math.cbrt(1.0 + 3.0 * a * (value - a / 2.0)) - 1.0) / a

"""Student's t distribution, with the standard library alone.

M. Abramowitz and I. A. Stegun, Handbook of Mathematical Functions (1964), 26.7.3 and 26.7.4: for
whole degrees of freedom the distribution is a finite sum.
"""

import math
from collections.abc import Sequence
from typing import Final

from maintenance_core.statistics import bisect

MOST_DEGREES: Final = 200
"""More are taken for so many: the quantile at .95 is then 1.6525 where the normal one is 1.6449."""


def at_least(t: float, degrees: int) -> float:
    """P(T >= t); cautious, as heavier tails are taken beyond ``MOST_DEGREES``."""
    if math.isinf(t):
        return 0.0 if t > 0 else 1.0
    degrees = min(degrees, MOST_DEGREES)
    angle = math.atan2(t, math.sqrt(degrees))
    between = _between(angle, degrees)
    return min(1.0, max(0.0, (1.0 - between) / 2.0))


def _between(angle: float, degrees: int) -> float:
    """P(-t < T < t) for t = tan(angle) * sqrt(degrees), negative for negative angles."""
    cosine = math.cos(angle)
    term, total = 1.0, 0.0
    if degrees % 2:
        term = cosine
        for k in range(3, degrees + 1, 2):
            total += term
            term *= cosine * cosine * (k - 1) / k
        return 2.0 / math.pi * (angle + math.sin(angle) * total)
    for k in range(2, degrees + 1, 2):
        total += term
        term *= cosine * cosine * (k - 1) / k
    return math.sin(angle) * total


def quantile(confidence: float, degrees: int) -> float:
    """The t that is exceeded with a probability of 1 - ``confidence``; ``confidence`` >= .5."""
    most = 1.0
    while at_least(most, degrees) > 1.0 - confidence:
        most *= 2.0
    return bisect(lambda t: at_least(t, degrees) > 1.0 - confidence, 0.0, most)


def means_differ(difference: float, errors: Sequence[tuple[float, int]]) -> float:
    """The one-sided p-value of a difference of means of independent samples.

    By B. L. Welch's test (Biometrika 34, 1947); 1 where nothing is known of the spread.

    Args:
        difference: how much larger the one mean is.
        errors: of each mean, its standard error and how many independent values it is of.
    """
    squares = [(error**2, n - 1) for error, n in errors if n > 1]
    variance = math.fsum(square for square, _ in squares)
    if variance <= 0.0 or len(squares) < len(errors):
        return 1.0
    degrees = variance**2 / math.fsum(square**2 / free for square, free in squares)
    return at_least(difference / math.sqrt(variance), max(1, math.floor(degrees)))

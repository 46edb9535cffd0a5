"""Exact statistics on counts, with the standard library alone.

Sources: C. J. Clopper and E. S. Pearson, Biometrika 26 (1934); Q. McNemar, Psychometrika 12 (1947);
T. Tango, Statistics in Medicine 17 (1998), "Equivalence test and confidence interval for the
difference in proportions for the paired-sample design"; G. Y. Zou and A. Donner, Statistics in
Medicine 27 (2008), "Construction of confidence limits about effect measures: a general approach".
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Final

EXACT_ROWS: Final = 30
"""Up to so many rows the score test's p-value is computed exactly; beyond, it is asymptotic."""

_NUISANCE_STEPS: Final = 40
_NEGLIGIBLE: Final = 1e-17
_SUMMED: Final = 100_000.0
"""Up to this variance of a count its binomial distribution is summed term by term."""


def normal_quantile(probability: float) -> float:
    """The standard normal quantile."""
    return NormalDist().inv_cdf(probability)


def binomial_probability(k: int, n: int, p: float) -> float:
    """P(X = k) for X ~ Binomial(n, p)."""
    if not 0 <= k <= n:
        return 0.0
    if p <= 0.0 or p >= 1.0:
        return float(k == (0 if p <= 0.0 else n))
    ways = math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
    return math.exp(ways + k * math.log(p) + (n - k) * math.log1p(-p))


def binomial_at_least(k: int, n: int, p: float) -> float:
    """P(X >= k) for X ~ Binomial(n, p). The smaller tail is the one that is summed."""
    if k <= 0:
        return 1.0
    if k > n * p:
        return min(1.0, _tail(k, n, p))
    return max(0.0, 1.0 - _tail(n - k + 1, n, 1.0 - p))


def _tail(k: int, n: int, p: float) -> float:
    """The sum from ``k`` up, where terms fall from the first one on."""
    term = total = binomial_probability(k, n, p)
    while k < n and term > total * _NEGLIGIBLE:
        term *= (n - k) / (k + 1) * p / (1.0 - p)
        total += term
        k += 1
    return total


def clopper_pearson(k: int, n: int, confidence: float) -> tuple[float, float]:
    """The exact two-sided interval of a proportion, ``k`` of ``n``.

    Its ends are quantiles of beta distributions. The sum behind them has some sqrt(n) terms; beyond
    ``_SUMMED``, where it would take long, their expansion has the same first nine digits.
    """
    tail = (1.0 - confidence) / 2.0
    if k * (n - k) > _SUMMED * n:
        return _beta_quantile(k, n - k + 1, tail), _beta_quantile(k + 1, n - k, 1.0 - tail)
    low = 0.0 if k == 0 else bisect(lambda p: binomial_at_least(k, n, p) < tail, 0.0, 1.0)
    high = (
        1.0 if k == n else bisect(lambda p: 1.0 - binomial_at_least(k + 1, n, p) >= tail, 0.0, 1.0)
    )
    return low, high


def _beta_quantile(a: float, b: float, probability: float) -> float:
    """The quantile of a beta distribution with two large parameters.

    E. A. Cornish and R. A. Fisher, Revue de l'Institut International de Statistique 5 (1938): to
    the fourth cumulant. What is left out is some ``variance ** -1.5`` of a standard deviation.
    """
    z, whole = normal_quantile(probability), a + b
    deviation = math.sqrt(a * b / (whole + 1.0)) / whole
    skewness = 2.0 * (b - a) * math.sqrt(whole + 1.0) / ((whole + 2.0) * math.sqrt(a * b))
    kurtosis = (
        6.0
        * ((a - b) ** 2 * (whole + 1.0) - a * b * (whole + 2.0))
        / (a * b * (whole + 2.0) * (whole + 3.0))
    )
    third = skewness * (z * z - 1.0) / 6.0
    fourth = kurtosis * (z**3 - 3.0 * z) / 24.0 - skewness**2 * (2.0 * z**3 - 5.0 * z) / 36.0
    return a / whole + deviation * (z + third + fourth)


def bisect(below: Callable[[float], bool], low: float, high: float) -> float:
    """Where ``below`` turns from true to false between two numbers, to double precision."""
    for _ in range(60):
        middle = (low + high) / 2.0
        if below(middle):
            low = middle
        else:
            high = middle
    return low


def fewer_right(k: int, n: int, known_k: int, known_n: int) -> float:
    """The one-sided p-value that only ``k`` of ``n`` are right by chance, as ``known_k`` are there.

    Fisher's exact test (R. A. Fisher, Statistical Methods for Research Workers, 1934, section
    21.02): the lower tail of the hypergeometric distribution with the margins fixed.
    """
    right, total = k + known_k, n + known_n
    low = max(0, n - (total - right))
    ways = [_log_ways(right, i) + _log_ways(total - right, n - i) for i in range(low, k + 1)]
    whole = _log_ways(total, n)
    return min(1.0, math.fsum(math.exp(way - whole) for way in ways))


def _log_ways(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)


def mcnemar(wins: int, losses: int) -> float:
    """The exact one-sided p-value that wins outnumber losses by chance alone.

    Rows that both models get right, or both wrong, say nothing about which is better.
    """
    return binomial_at_least(wins, wins + losses, 0.5)


def paired_lower_bound(n: int, wins: int, losses: int, confidence: float) -> float:
    """Tango's one-sided lower score bound of ``(wins - losses) / n``; -1 without rows."""
    if n == 0:
        return -1.0
    z = normal_quantile(confidence)
    return bisect(lambda delta: score(n, wins, losses, delta) > z, -1.0, (wins - losses) / n)


@dataclass(frozen=True, slots=True)
class Part:
    """An estimate with its one-sided lower bound, and what it weighs in a sum."""

    weight: float
    estimate: float
    bound: float


def weighted_lower_bound(parts: Sequence[Part]) -> float:
    """The one-sided lower bound of the weighted sum of independent estimates.

    By the method of variance estimates recovery (Zou and Donner, section 2) from the bounds of the
    parts: each part's distance to its own bound stands for its standard error.
    """
    total = math.fsum(part.weight * part.estimate for part in parts)
    distance = math.fsum((part.weight * (part.estimate - part.bound)) ** 2 for part in parts)
    return total - math.sqrt(distance)


def score(n: int, wins: int, losses: int, delta: float) -> float:
    """Tango's score statistic against a true difference ``delta`` of paired proportions."""
    share = restricted_losses(n, wins, losses, delta)
    variance = n * (2.0 * share + delta * (1.0 - delta))
    distance = wins - losses - n * delta
    if variance <= 0.0:
        return 0.0 if distance == 0.0 else math.copysign(math.inf, distance)
    return distance / math.sqrt(variance)


def restricted_losses(n: float, wins: float, losses: float, delta: float) -> float:
    """The most likely true share of losses among all rows if the difference is ``delta``."""
    a = 2.0 * n
    b = -wins - losses + (2.0 * n - wins + losses) * delta
    c = -losses * delta * (1.0 - delta)
    root = math.sqrt(max(0.0, b * b - 4.0 * a * c))
    # Of the two spellings of the larger root, the one that does not cancel.
    if b <= 0.0:
        return (root - b) / (2.0 * a)
    return -2.0 * c / (root + b)


def non_inferiority_p(n: int, wins: int, losses: int, margin: float) -> float:
    """P-value of "worse by ``margin`` or more", 0 <= margin < 1, against "less than that worse".

    Up to ``EXACT_ROWS`` rows the largest probability, over all shares of losses, of a score as high
    as the one seen; beyond, the score's normal tail.
    """
    if n == 0:
        return 1.0
    if 1.0 - margin == 1.0:
        margin = 0.0  # less than a share can tell; the score's terms would vanish one by one
    seen = score(n, wins, losses, -margin)
    if n > EXACT_ROWS:
        return NormalDist().cdf(-seen)
    cells = [
        (won, lost)
        for lost in range(n + 1)
        for won in range(n + 1 - lost)
        if score(n, won, lost, -margin) >= seen - 1e-9
    ]
    span = (1.0 - margin) / 2.0
    return min(
        1.0,
        max(
            math.fsum(_trinomial(n, won, lost, gain, gain + margin) for won, lost in cells)
            for gain in (span * step / _NUISANCE_STEPS for step in range(_NUISANCE_STEPS + 1))
        ),
    )


def _trinomial(n: int, wins: int, losses: int, gain: float, loss: float) -> float:
    """P(wins, losses) among ``n`` rows whose shares are ``gain`` and ``loss``."""
    rest = 0.0 if loss >= 1.0 else min(1.0, gain / (1.0 - loss))
    return binomial_probability(losses, n, loss) * binomial_probability(wins, n - losses, rest)

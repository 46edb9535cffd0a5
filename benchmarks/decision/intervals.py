"""Intervals of what is reported: 95 %."""

from collections.abc import Sequence

import numpy as np
from scipy import stats


def wilson(successes: int, n: int) -> tuple[float, float]:
    """Of a share (Wilson 1927)."""
    interval = stats.binomtest(successes, n).proportion_ci(0.95, "wilson")
    return round(float(interval.low), 4), round(float(interval.high), 4)


def mean_of_shares(counts: Sequence[tuple[int, int]]) -> tuple[float, float, float]:
    """Mean of independent shares, each of equal weight, with its interval.

    Args:
        counts: successes and trials of each. Half a success and half a failure are added to each
            variance, so that a share of one is not taken for certain.
    """
    value = sum(k / n for k, n in counts) / len(counts)
    variance = sum((k + 0.5) * (n - k + 0.5) / (n + 1) ** 2 / n for k, n in counts)
    error = 1.96 * variance**0.5 / len(counts)
    return round(value, 4), round(max(0.0, value - error), 4), round(min(1.0, value + error), 4)


def bootstrap(values: Sequence[float], draws: int = 2000) -> dict[str, float]:
    """A mean with its percentile interval over the seeds (Efron 1979); the draws are seeded."""
    found = np.asarray(values, float)
    chosen = np.random.default_rng(0).integers(len(found), size=(draws, len(found)))
    low, high = np.quantile(found[chosen].mean(axis=1), (0.025, 0.975))
    return {
        "value": round(float(found.mean()), 5),
        "low": round(float(low), 5),
        "high": round(float(high), 5),
        "seeds": len(found),
    }

"""Intervals of what is reported: 95 %."""

from collections.abc import Sequence

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


def mean_with_interval(values: Sequence[float]) -> dict[str, float]:
    """Of a mean of independent values, by the normal law."""
    n = len(values)
    value = sum(values) / n
    spread = (sum((v - value) ** 2 for v in values) / max(n - 1, 1) / n) ** 0.5
    return {
        "value": round(value, 5),
        "low": round(value - 1.96 * spread, 5),
        "high": round(value + 1.96 * spread, 5),
        "cases": n,
    }

"""What a paired score shows: tests of its difference by its jackknife error.

The difference over its error is compared with Student's t of one degree less than there are units,
which are rows unless rows belong together. Why the error is
another one for a difference other than 0: see ``maintenance_trainer.paired_scores``.
"""

import math

from maintenance_contract import PairedCounts, PairedScore
from maintenance_core import student


def win_p(score: PairedScore) -> float:
    """The one-sided p-value that the challenger looks this much better by chance alone."""
    error, units = _error(score), _units(score)
    if error <= 0.0 or units == 1:
        return 1.0
    return student.at_least(score.difference / error, units - 1)


def gain_bound(score: PairedScore, confidence: float) -> float:
    """The one-sided lower bound of the difference, for a question about 0."""
    return max(-1.0, score.difference - _reach(score, confidence, _error(score)))


def loss_bounds(score: PairedScore, confidence: float) -> tuple[float, float]:
    """Its one-sided lower and upper bound, for questions about a loss that is allowed."""
    reach = _reach(score, confidence, score.adjusted_error)
    return max(-1.0, score.difference - reach), min(1.0, score.difference + reach)


def _error(score: PairedScore) -> float:
    """Where all rows speak alike nothing is known of the spread but by the adjusted error."""
    return score.standard_error or score.adjusted_error


def _units(score: PairedScore) -> int:
    return score.units or score.n


def _reach(score: PairedScore, confidence: float, error: float) -> float:
    """From one unit alone nothing is known."""
    units = _units(score)
    return student.quantile(confidence, units - 1) * error if units > 1 else math.inf


def design_effect(score: PairedScore, counts: PairedCounts) -> float:
    """How many times the variance of the difference is what it were if rows were independent.

    For a share of rows that are right: at least 1.
    """
    won, lost = counts.challenger_only, counts.champion_only
    alone = (won + lost) / counts.n - score.difference**2
    if alone <= 0.0:
        return 1.0
    return max(1.0, score.standard_error**2 * counts.n / alone)

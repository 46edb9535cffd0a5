"""What held-out rows can show where a loss is a real number: ``power``, by normal approximation.

Beforehand the paired difference is not known, only the champion's own losses. What is assumed of
the challenger: its losses vary on new rows as the champion's do where that is at home, on old ones,
and the two agree from row to row with a correlation of ``CORRELATION``, as hard rows are hard for
both. ``benchmarks/decision losses`` has what models of tables showed: .62 to .99.
"""

import math
from statistics import NormalDist
from typing import Final

from maintenance_core.decide.power import LEAST_MARGIN, MOST_ROWS, POWER, fewest_rows
from maintenance_core.statistics import normal_quantile

CORRELATION: Final = 0.7


def paired_deviation(champion: float, challenger: float) -> float:
    """Of one row's difference, from the deviations of one row's loss of either model."""
    return math.sqrt(
        max(0.0, champion**2 + challenger**2 - 2.0 * CORRELATION * champion * challenger)
    )


def win_chance(n: int, gain: float, deviation: float, confidence: float) -> float:
    """The chance that a true gain is shown on ``n`` rows.

    ``deviation``: of one row's difference; all in units of the baseline's loss.
    """
    if gain <= 0.0 or n < fewest_rows(confidence):
        return 0.0
    return _shown(gain, deviation / math.sqrt(n), confidence)


def least_gain(n: int, gain: float, deviation: float, confidence: float) -> float:
    """The lower bound of the gain that ``n`` rows are likely to show."""
    return gain - normal_quantile(confidence) * deviation / math.sqrt(max(1, n))


def no_loss_chance(n: int, deviation: float, margin: float, confidence: float) -> float:
    """The chance that an equally good challenger is shown to lose less than ``margin``."""
    if margin <= LEAST_MARGIN or n < fewest_rows(confidence):
        return 0.0
    return _shown(margin, deviation / math.sqrt(n), confidence)


def weighed_chance(
    new: tuple[float, int, float, float], old: tuple[float, int, float], confidence: float
) -> float:
    """The chance that new and old rows weighed together show a gain.

    Args:
        new: weight, rows, the true gain, and the deviation of one row's difference.
        old: weight, rows, and the deviation; the challenger is as good as the champion there.
        confidence: of the lower bound that must lie above 0.
    """
    weight, n, gain, deviation = new
    old_weight, old_n, old_deviation = old
    if gain <= 0.0 or n < fewest_rows(confidence):
        return 0.0
    variance = (weight * deviation) ** 2 / n
    if old_n:
        variance += (old_weight * old_deviation) ** 2 / old_n
    return _shown(weight * gain, math.sqrt(variance), confidence)


def rows_to_show_no_loss(deviation: float, margin: float, confidence: float) -> int:
    """Rows on which an equally good challenger is shown to lose less than ``margin``."""
    if margin <= LEAST_MARGIN:
        return MOST_ROWS
    spread = (normal_quantile(confidence) + normal_quantile(POWER)) * deviation
    needed = (spread / margin) ** 2
    return MOST_ROWS if needed >= MOST_ROWS else max(fewest_rows(confidence), math.ceil(needed))


def _shown(distance: float, error: float, confidence: float) -> float:
    if error <= 0.0:
        return 1.0
    return NormalDist().cdf(distance / error - normal_quantile(confidence))

"""What held-out rows can show: the chance of a promotion, asked before a GPU is.

What is assumed of the challenger: it is as good as it must become, and the rows that both get right
lie ``AGREEMENT`` of the way from chance to containment, where the better one gets all right that
the other does (L. C. Cole's coefficient, Ecology 30, 1949). Models that share base and data do:
.74 to .87 in eight contests of transformers (docs/demo-decisions.md), .6 to .9 in most of
those of small networks in benchmarks/decision, about .5 where a new domain was learnt.
"""

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Final

from maintenance_core.statistics import (
    binomial_at_least,
    binomial_probability,
    normal_quantile,
    restricted_losses,
)

POWER: Final = 0.8
"""Rows are enough to show that nothing is lost where the chance of showing it is so large."""
AGREEMENT: Final = 0.7
EXACT_ROWS: Final = 1000
MOST_ROWS: Final = 1_000_000
"""Where the search for a number of rows ends: nobody labels so many for one decision."""
LEAST_MARGIN: Final = 1e-9
"""No number of rows shows that less than this is lost."""

_DEVIATIONS: Final = 8.0


@dataclass(frozen=True, slots=True)
class Level:
    """How good a model is on ``n`` rows: ``score``, and how its losses vary from row to row.

    ``deviation`` is None where rows are right or wrong: then the score tells it, and the
    ``design_effect`` what rows that belong together tell less than as many independent ones.
    """

    n: int
    score: float
    deviation: float | None = None
    design_effect: float = 1.0

    def effective(self, n: int) -> int:
        """As many independent rows tell as much as n rows like these."""
        return effective_rows(n, self.design_effect)


def effective_rows(n: int, design_effect: float) -> int:
    """As many independent rows as tell as much as n that belong together (Kish); at least one."""
    return max(1, int(n / design_effect))


def discordant(champion: float, challenger: float) -> tuple[float, float]:
    """The expected shares of rows that only the challenger, and only the champion, gets right.

    Arguments are accuracies.
    """
    by_chance, most = champion * challenger, min(champion, challenger)
    both = by_chance + AGREEMENT * (most - by_chance)
    return challenger - both, champion - both


def win_power(n: int, gain: float, loss: float, confidence: float) -> float:
    """The chance that the exact paired test on ``n`` rows shows a win.

    ``gain`` and ``loss`` are the true shares of rows that only the challenger, and only the
    champion, gets right. Sums over the likely numbers of discordant rows; both tails follow from
    row to row: P(D + 1 >= k) = P(D >= k) + p P(D = k - 1).
    """
    share = min(1.0, gain + loss)
    if share <= 0.0:
        return 0.0
    spread = _DEVIATIONS * math.sqrt(n * share * (1.0 - share)) + 1.0
    first, last = max(0, math.floor(n * share - spread)), min(n, math.ceil(n * share + spread))
    won, needed, power = gain / share, fewest_wins(first, confidence), 0.0
    by_chance = binomial_at_least(needed, first, 0.5)
    truly = binomial_at_least(needed, first, won)
    for rows in range(first, last + 1):
        if by_chance > 1.0 - confidence:  # One more discordant row asks for at most one more win.
            by_chance -= binomial_probability(needed, rows, 0.5)
            truly -= binomial_probability(needed, rows, won)
            needed += 1
        power += binomial_probability(rows, n, share) * truly
        by_chance += 0.5 * binomial_probability(needed - 1, rows, 0.5)
        truly += won * binomial_probability(needed - 1, rows, won)
    return min(1.0, max(0.0, power))


def fewest_wins(rows: int, confidence: float) -> int:
    """How many of so many discordant rows the challenger must win; one more if all are too few."""
    low, high = 0, rows + 1
    while low < high:
        middle = (low + high) // 2
        if binomial_at_least(middle, rows, 0.5) <= 1.0 - confidence:
            high = middle
        else:
            low = middle + 1
    return low


def fewest_rows(confidence: float) -> int:
    """The smallest number of rows on which any win can be shown: every one of them won."""
    return max(1, math.ceil(round(math.log(1.0 - confidence) / math.log(0.5), 9)))


def win_chance(n: int, champion: float, challenger: float, confidence: float) -> float:
    """The chance that a challenger of that accuracy is shown to be better on ``n`` rows.

    Above ``EXACT_ROWS`` by the normal approximation (R. J. Connor, Biometrics 43, 1987).
    """
    gain, loss = discordant(champion, challenger)
    if gain <= loss or n < fewest_rows(confidence):
        return 0.0
    if n <= EXACT_ROWS:
        return win_power(n, gain, loss, confidence)
    share, difference = gain + loss, gain - loss
    shortfall = normal_quantile(confidence) * math.sqrt(share) - math.sqrt(n) * difference
    return _beyond(shortfall, math.sqrt(max(0.0, share - difference * difference)))


def least_gain(n: int, champion: float, challenger: float, confidence: float) -> float:
    """The lower bound of the gain that ``n`` rows are likely to show; by normal approximation."""
    gain, loss = discordant(champion, challenger)
    difference = gain - loss
    variance = max(0.0, gain + loss - difference * difference) / max(1, n)
    return difference - normal_quantile(confidence) * math.sqrt(variance)


def no_loss_chance(n: int, accuracy: float, margin: float, confidence: float) -> float:
    """The chance that an equally good challenger is shown to lose less than ``margin``.

    The inverse of ``rows_to_show_no_loss``, from the same variances.
    """
    if margin >= 1.0:
        return 1.0
    if margin <= LEAST_MARGIN or n < _lossless(margin, confidence):
        return 0.0
    gain, loss = discordant(accuracy, accuracy)
    at_margin = _at_margin(gain, loss, margin)
    shortfall = normal_quantile(confidence) * math.sqrt(at_margin) - math.sqrt(n) * margin
    return _beyond(shortfall, math.sqrt(gain + loss))


def weighed_chance(
    new: tuple[float, int, float, float], old: tuple[float, int, float], confidence: float
) -> float:
    """The chance that new and old rows weighed together show a gain.

    By the normal approximation, for a challenger that is as good as the champion on old rows.

    Args:
        new: weight, rows, and the accuracies of champion and challenger.
        old: weight, rows, and the accuracy of both.
        confidence: of the lower bound that must lie above 0.
    """
    weight, n, champion, challenger = new
    if n < fewest_rows(confidence):
        return 0.0
    gain, loss = discordant(champion, challenger)
    difference = gain - loss
    at_null = weight**2 * (gain + loss) / n
    truly = weight**2 * max(0.0, gain + loss - difference**2) / n
    old_weight, old_n, accuracy = old
    if old_n:
        of_old = old_weight**2 * sum(discordant(accuracy, accuracy)) / old_n
        at_null, truly = at_null + of_old, truly + of_old
    shortfall = normal_quantile(confidence) * math.sqrt(at_null) - weight * difference
    return _beyond(shortfall, math.sqrt(truly))


def _beyond(shortfall: float, deviation: float) -> float:
    """P(X >= shortfall) for a normal X around 0; sure either way where nothing varies."""
    if deviation == 0.0:
        return float(shortfall <= 0.0)
    return NormalDist().cdf(-shortfall / deviation)


def rows_to_show_no_loss(accuracy: float, margin: float, confidence: float) -> int:
    """Held-out rows on which an equally good challenger is shown to lose less than ``margin``.

    From the two variances of Tango's score, at the margin and at no difference (J. Nam,
    Biometrics 53, 1997); never fewer than on which not one loss would be a surprise.
    """
    if margin <= LEAST_MARGIN:
        return MOST_ROWS
    if margin >= 1.0:
        return 1
    gain, loss = discordant(accuracy, accuracy)
    at_margin = _at_margin(gain, loss, margin)
    spread = normal_quantile(confidence) * math.sqrt(at_margin) + normal_quantile(
        POWER
    ) * math.sqrt(gain + loss)
    ratio = spread / margin
    return min(MOST_ROWS, max(_lossless(margin, confidence), math.ceil(ratio * ratio)))


def _lossless(margin: float, confidence: float) -> int:
    """Rows of which not one loss would be a surprise if the margin were lost."""
    return math.ceil(math.log(1.0 - confidence) / math.log1p(-margin))


def _at_margin(gain: float, loss: float, margin: float) -> float:
    """The variance of a row's difference if the margin were lost."""
    share = restricted_losses(1.0, gain, loss, -margin)
    return max(0.0, 2.0 * share - margin - margin * margin)

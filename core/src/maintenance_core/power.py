"""How many held-out rows a fair fight needs, asked before a GPU is.

What is assumed of the challenger: it is as good as it must become, and the rows that both get right
lie ``AGREEMENT`` of the way from chance to containment, where the better one gets all right that
the other does (L. C. Cole's coefficient, Ecology 30, 1949). Models that share base and data do:
.74 to .87 in eight contests of transformers (docs/demo-decisions.md), .6 to .9 in most of
those of small networks in benchmarks/decision, about .5 where a new domain was learnt.
"""

import math
from typing import Final

from maintenance_core.statistics import (
    binomial_at_least,
    binomial_probability,
    normal_quantile,
    restricted_losses,
)

POWER: Final = 0.8
"""The chance of showing a win, if there is one, below which no GPU is asked for."""
AGREEMENT: Final = 0.7
EXACT_ROWS: Final = 2000
MOST_ROWS: Final = 1_000_000
"""Where the search for a number of rows ends: nobody labels so many for one decision."""
LEAST_MARGIN: Final = 1e-9
"""No number of rows shows that less than this is lost."""

_DEVIATIONS: Final = 8.0


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


def rows_to_show_win(champion: float, challenger: float, confidence: float) -> int:
    """Held-out rows on which a challenger of that accuracy is shown to be better.

    Above ``EXACT_ROWS`` the normal approximation (R. J. Connor, Biometrics 43, 1987) is as good.
    Below, the number is found by bisection on the exact power, whose small teeth make it a number
    that suffices rather than the very smallest. ``MOST_ROWS`` means "more than anybody labels".
    """
    gain, loss = discordant(champion, challenger)
    if gain <= loss:
        return MOST_ROWS
    share, difference = gain + loss, gain - loss
    spread = normal_quantile(confidence) * math.sqrt(share) + normal_quantile(POWER) * math.sqrt(
        share - difference * difference
    )
    ratio = spread / difference
    rows = math.ceil(min(float(MOST_ROWS), ratio * ratio))
    if rows > EXACT_ROWS:
        return rows
    low, high = fewest_rows(confidence) - 1, 2 * EXACT_ROWS
    while high - low > 1:
        middle = (low + high) // 2
        if win_power(middle, gain, loss, confidence) < POWER:
            low = middle
        else:
            high = middle
    return high


def rows_to_show_no_loss(accuracy: float, margin: float, confidence: float) -> int:
    """Held-out rows on which an equally good challenger is shown to lose less than ``margin``.

    From the two variances of Tango's score, at the margin and at no difference (J. Nam,
    Biometrics 53, 1997); never fewer than on which not one loss would be a surprise.
    """
    if margin <= LEAST_MARGIN:
        return MOST_ROWS
    if margin >= 1.0:
        return 1
    lossless = math.ceil(math.log(1.0 - confidence) / math.log1p(-margin))
    gain, loss = discordant(accuracy, accuracy)
    share = restricted_losses(1.0, gain, loss, -margin)
    at_margin = max(0.0, 2.0 * share - margin - margin * margin)
    spread = normal_quantile(confidence) * math.sqrt(at_margin) + normal_quantile(
        POWER
    ) * math.sqrt(gain + loss)
    ratio = spread / margin
    return min(MOST_ROWS, max(lossless, math.ceil(ratio * ratio)))

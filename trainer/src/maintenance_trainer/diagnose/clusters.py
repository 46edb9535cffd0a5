"""Two samples of which rows belong together: weaker tests, and halves and folds of whole units.

A classifier that has seen half of a unit knows the other half, and rows of one unit are no
independent witnesses. So units stay whole wherever rows are set aside, and the statistic of a test
is divided by the root of its design effect.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from sklearn.model_selection import KFold, PredefinedSplit

from maintenance_trainer.design_effect import (
    LEAST_UNITS,
    Flags,
    Floats,
    Units,
    chosen_units,
    count_of,
    design_effect,
)

_LEAST_P: Final = 1e-300
_SAMPLES: Final = 2


@dataclass(frozen=True, slots=True)
class Clusters:
    """The units of two samples that are compared; None: rows of that one are independent."""

    old: Units | None = None
    new: Units | None = None

    @property
    def there(self) -> bool:
        """Whether any rows belong together."""
        return self.old is not None or self.new is not None

    @property
    def whole(self) -> bool:
        """Whether halves and folds can keep units whole: each sample has several."""
        return self.there and all(
            count_of(units, LEAST_UNITS) >= LEAST_UNITS for units in (self.old, self.new)
        )

    def part(self, old: Flags, new: Flags) -> "Clusters":
        """Of the rows that are flagged."""
        return Clusters(chosen_units(self.old, old), chosen_units(self.new, new))

    def effect(self, old: Floats, new: Floats) -> float:
        """The design effect of a difference of two means, from what is averaged."""
        if not self.there:
            return 1.0
        sides = ((old, self.old), (new, self.new))
        variances = [(design_effect(x, units), float(x.var()) / len(x)) for x, units in sides]
        alone = sum(variance for _, variance in variances)
        return sum(effect * its for effect, its in variances) / alone if alone > 0.0 else 1.0

    def degrees(self, old: int, new: int) -> int:
        """Of freedom, of a comparison of so many rows."""
        return max(1, count_of(self.old, old) + count_of(self.new, new) - _SAMPLES)

    def halved(self, old: Flags, new: Flags, chance: np.random.Generator) -> tuple[Flags, Flags]:
        """Halves of both samples: those given, which are of rows, unless units must stay whole."""
        if not self.whole:
            return old, new
        return _half(self.old, old, chance), _half(self.new, new, chance)

    def folds(self, old: int, new: int, most: int, seed: int) -> NDArray[np.int64] | None:
        """(m + n,) the fold of each row, both samples in each fold; None: any folds will do."""
        if not self.whole:
            return None
        chance = np.random.default_rng(seed)
        sides = [
            np.arange(n) if units is None else units
            for n, units in ((old, self.old), (new, self.new))
            if n
        ]
        counts = [count_of(units, len(units)) for units in sides]
        count = min(most, *counts)
        return np.concatenate(
            [
                chance.permutation(its)[units] % count
                for its, units in zip(counts, sides, strict=True)
            ]
        )


ALONE: Final = Clusters()
"""Rows that are all independent."""


def _half(units: Units | None, rows: Flags, chance: np.random.Generator) -> Flags:
    if units is None:
        return rows
    count = count_of(units, len(units))
    return np.asarray((chance.permutation(count) < count // 2)[units])


def weaker(p: float, effect: float, degrees: int) -> float:
    """A one-sided p-value, of a test whose statistic has ``effect`` times the variance it assumes.

    Student's t in place of the normal distribution, as the effect is estimated.
    """
    if effect <= 1.0:
        return p
    z = float(stats.norm.isf(max(p, _LEAST_P))) / np.sqrt(effect)
    return float(stats.t.sf(z, degrees))


def weaker_of_two_sides(p: float, effect: float, degrees: int) -> float:
    """The same of a two-sided p-value."""
    return min(1.0, 2.0 * weaker(p / 2.0, effect, degrees))


def folds_of(
    rows: int, units: Units | None, most: int, seed: int
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """What to fit on and what to predict, of one sample; units stay whole where there are two."""
    kept = Clusters(new=units).folds(0, rows, most, seed)
    cut = KFold(most, shuffle=True, random_state=seed) if kept is None else PredefinedSplit(kept)
    yield from cut.split(np.empty(rows))

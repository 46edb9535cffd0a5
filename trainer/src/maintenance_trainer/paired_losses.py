"""One model or two by the mean of a real-valued loss, and the error of their difference.

A row's loss is how far the answer is from the right one, in units of the label. The baseline's
loss on the rows that the champion was trained on is the yardstick (R. J. Hyndman and A. B. Koehler,
International Journal of Forecasting 22 (2006)): the same for both ages, so that gain and loss can
be weighed, and no drift moves it. Standard errors are the delete-one jackknife's over units, as
rows of one unit are not independent; of a mean of single rows it is the paired mean's own. Where
units are drawn within something that stays (stretches of time within their series), it is no luck
which series are there: the error of a difference is that within them, if it tells more so.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from maintenance_contract import HeldOutLoss, PairedLoss, ScoreMetric
from maintenance_contract.scores import MOST_LOSS
from maintenance_trainer.data.rows import Row
from maintenance_trainer.design_effect import count_of, numbered

Floats = NDArray[np.float64]
Whole = NDArray[np.int64]

_TWO: Final = 2
_NEARLY_NOTHING: Final = 1e-12
_CONFIDENCE: Final = 0.95


@dataclass(frozen=True, slots=True)
class Yardstick:
    """A metric, and what it is for what needs no model on the rows that were trained on."""

    metric: ScoreMetric
    baseline: float

    @classmethod
    def of(cls, metric: ScoreMetric, losses: Floats) -> "Yardstick | None":
        """From the baseline's losses; None without rows, or where nothing is left to explain."""
        finite = losses[np.isfinite(losses)]
        if not len(finite):
            return None
        largest = float(finite.max())
        if largest <= 0.0:
            return None
        power = _power(metric)
        baseline = largest * float(np.mean((finite / largest) ** power) ** (1.0 / power))
        return cls(metric, baseline) if np.isfinite(baseline) and baseline > 0.0 else None

    def measured(self, losses: Floats) -> Floats:
        """Losses in units of the baseline; what is no number is as bad as can be told."""
        with np.errstate(over="ignore"):
            scaled = np.abs(losses) / self.baseline
        return np.minimum(np.nan_to_num(scaled, nan=MOST_LOSS, posinf=MOST_LOSS), MOST_LOSS)


@dataclass(frozen=True, slots=True)
class _Sums:
    """Of each unit: its rows, and the sums of the powers of either model's losses (units, 2).

    ``strata``: of each unit, what it is drawn within. Units that are alone in theirs share one
    (collapsed strata, W. G. Cochran, Sampling Techniques, 1977, section 5A.12).
    """

    rows: Floats
    powers: Floats
    strata: Whole

    def means(self, power: int) -> tuple[Floats, Floats]:
        """Both metrics (2,), and what they are without each unit (units, 2).

        What is left of a stratum stands for all of it, so that each keeps its share; a single one
        that has one unit is left out as a whole.
        """
        share = np.bincount(self.strata, weights=self.rows) / self.rows.sum()
        sums = np.stack([np.bincount(self.strata, weights=its) for its in self.powers.T], axis=1)
        counts = np.bincount(self.strata, weights=self.rows)
        means = sums / counts[:, None]
        whole = (share[:, None] * means).sum(axis=0)
        left = (counts[self.strata] - self.rows)[:, None]
        others = np.maximum(sums[self.strata] - self.powers, 0.0) / np.where(left > 0.0, left, 1.0)
        own = share[self.strata][:, None]
        rest = np.maximum(whole - own * means[self.strata], 0.0)
        without = rest + own * others
        alone = left[:, 0] <= 0.0
        without[alone] = rest[alone] / np.maximum(1.0 - own[alone], _NEARLY_NOTHING)
        return whole ** (1.0 / power), without ** (1.0 / power)


@dataclass(frozen=True, slots=True)
class _Spread:
    """How a difference varies between units: standard error, skewness, degrees of freedom."""

    error: float = 0.0
    skewness: float = 0.0
    degrees: float | None = None

    def reach(self, units: int) -> float:
        """How far a bound lies from the difference; an error of 0 says nothing."""
        if not self.error:
            return np.inf
        return self.error * float(stdtrit(self.degrees or units - 1, _CONFIDENCE))


def paired_loss(
    yardstick: Yardstick, rows: Sequence[Row], champion: Floats, challenger: Floats
) -> PairedLoss | None:
    """Score two models on the same rows; None without any.

    Args:
        yardstick: what the losses are measured by.
        rows: n held-out ones.
        champion: (n,) its losses.
        challenger: (n,) its losses on the same.
    """
    if not rows:
        return None
    sums = _by_unit(yardstick, rows, champion, challenger)
    of_all = replace(sums, strata=np.zeros_like(sums.strata))
    (before, after), without = of_all.means(_power(yardstick.metric))
    alone = _jackknife(without[:, 0], before, of_all.strata)
    spread = _jackknife(without[:, 0] - without[:, 1], before - after, of_all.strata)
    if sums.strata.any():
        _, without = sums.means(_power(yardstick.metric))
        within = _jackknife(without[:, 0] - without[:, 1], before - after, sums.strata)
        spread = min(spread, within, key=lambda each: each.reach(len(sums.rows)))
    return PairedLoss(
        metric=yardstick.metric,
        n=len(rows),
        units=len(sums.rows),
        champion=float(before) * yardstick.baseline,
        challenger=float(after) * yardstick.baseline,
        baseline=yardstick.baseline,
        standard_error=spread.error,
        skewness=spread.skewness,
        deviation=min(MOST_LOSS, alone.error * float(np.sqrt(len(rows)))),
        degrees_of_freedom=spread.degrees,
    )


def held_out_loss(
    yardstick: Yardstick | None, rows: Sequence[Row], losses: Floats
) -> HeldOutLoss | None:
    """Score one model by its losses on n rows; None without rows or yardstick."""
    if yardstick is None:
        return None
    alone = paired_loss(yardstick, rows, losses, losses)
    if alone is None:
        return None
    return HeldOutLoss(
        alone.metric, alone.n, alone.units, alone.champion, alone.baseline, alone.deviation
    )


def _by_unit(
    yardstick: Yardstick, rows: Sequence[Row], champion: Floats, challenger: Floats
) -> _Sums:
    power = _power(yardstick.metric)
    losses = (
        np.stack([yardstick.measured(each) for each in (champion, challenger)], axis=1) ** power
    )
    unit = numbered(rows)
    powers = np.zeros((count_of(unit, len(rows)), _TWO))
    np.add.at(powers, unit, losses)
    return _Sums(np.bincount(unit).astype(np.float64), powers, _strata(rows, unit))


def _strata(rows: Sequence[Row], unit: Whole) -> Whole:
    """(units,) the number of what each unit is drawn within; of those that are alone, one."""
    _, first = np.unique(unit, return_index=True)
    names = np.array([rows[at].drawn_within for at in first.tolist()], str)
    _, strata, counts = np.unique(names, return_inverse=True, return_counts=True)
    strata = strata.reshape(-1)
    strata[counts[strata] < _TWO] = len(counts)
    return np.unique(strata, return_inverse=True)[1].reshape(-1)


def _jackknife(without: Floats, whole: float, strata: Whole) -> _Spread:
    """From what a number is as a whole and without each of n units, stratum by stratum.

    Its variance is the sum over the strata (J. N. K. Rao and C. F. J. Wu, Journal of the American
    Statistical Association 80 (1985), section 2.2), its degrees of freedom are those of F. E.
    Satterthwaite, Biometrics Bulletin 2 (1946); None: one less than units. The skewness is that of
    the units' influence on it, which without them shows turned round.
    """
    n, counts = len(without), np.bincount(strata)
    if n < _TWO:
        return _Spread()
    means = np.bincount(strata, weights=without) / counts
    means[counts < _TWO] = whole
    shrunk = np.where(counts < _TWO, 1.0, np.sqrt((counts - 1.0) / counts))
    moved = shrunk[strata] * (means[strata] - without)
    variance = float((moved**2).sum())
    if variance <= 0.0:
        return _Spread()
    error = float(np.sqrt(variance))
    skewness = float(((moved / error) ** 3).sum()) * float(np.sqrt(n))
    shares = np.bincount(strata, weights=(moved / error) ** 2)
    degrees = 1.0 / float((shares**2 / np.maximum(counts - 1, 1)).sum())
    return _Spread(min(MOST_LOSS, error), skewness, degrees if len(counts) > 1 else None)


def _power(metric: ScoreMetric) -> int:
    return _TWO if metric is ScoreMetric.RMSE else 1

"""One model or two by the mean of a real-valued loss, and the error of their difference.

A row's loss is how far the answer is from the right one, in units of the label. The baseline's
loss on the rows that the champion was trained on is the yardstick (R. J. Hyndman and A. B. Koehler,
International Journal of Forecasting 22 (2006)): the same for both ages, so that gain and loss can
be weighed, and no drift moves it. Standard errors are the delete-one jackknife's over units, as
rows of one unit are not independent; of a mean of single rows it is the paired mean's own.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from maintenance_contract import HeldOutLoss, PairedLoss, ScoreMetric
from maintenance_contract.scores import MOST_LOSS
from maintenance_trainer.data.rows import Row
from maintenance_trainer.design_effect import count_of, numbered

Floats = NDArray[np.float64]

_TWO: Final = 2


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
    """Of each unit: its rows, and the sums of the powers of either model's losses (units, 2)."""

    rows: Floats
    powers: Floats

    def means(self, power: int) -> tuple[Floats, Floats]:
        """Both metrics (2,), and what they are without each unit (units, 2)."""
        total, all_rows = self.powers.sum(axis=0), self.rows.sum()
        left = (all_rows - self.rows)[:, None]
        without = np.maximum(total - self.powers, 0.0) / np.where(left > 0.0, left, 1.0)
        return (total / all_rows) ** (1.0 / power), without ** (1.0 / power)


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
    (before, after), without = sums.means(_power(yardstick.metric))
    error, skewness = _jackknife(without[:, 0] - without[:, 1])
    alone, _ = _jackknife(without[:, 0])
    return PairedLoss(
        metric=yardstick.metric,
        n=len(rows),
        units=len(sums.rows),
        champion=float(before) * yardstick.baseline,
        challenger=float(after) * yardstick.baseline,
        baseline=yardstick.baseline,
        standard_error=error,
        skewness=skewness,
        deviation=min(MOST_LOSS, alone * float(np.sqrt(len(rows)))),
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
    return _Sums(np.bincount(unit).astype(np.float64), powers)


def _jackknife(without: Floats) -> tuple[float, float]:
    """Standard error and skewness, from what a number is without each of n units.

    The skewness is that of the units' influence on it, which without them shows turned round.
    """
    n = len(without)
    if n < _TWO:
        return 0.0, 0.0
    apart = without.mean() - without
    variance = float((apart**2).mean())
    if variance <= 0.0:
        return 0.0, 0.0
    skewness = float((apart**3).mean()) / variance**1.5
    return min(MOST_LOSS, float(np.sqrt((n - 1.0) * variance))), skewness


def _power(metric: ScoreMetric) -> int:
    return _TWO if metric is ScoreMetric.RMSE else 1

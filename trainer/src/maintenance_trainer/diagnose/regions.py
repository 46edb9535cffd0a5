"""Where does the champion err more than inputs and class mix explain?

A meaning that has changed for a twentieth of the rows hardly moves the error of all of them, but
multiplies it where they lie. So the error is compared, new with old, in many regions: both tails of
each dimension at several depths, the rows of each answer, the champion's surest and least sure.
All share one p-value by Bonferroni; half of the budget is for the rows as a whole.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy import stats

from maintenance_trainer.diagnose.clusters import Clusters, weaker
from maintenance_trainer.diagnose.measured import Flags, Floats, Measured
from maintenance_trainer.diagnose.posterior import ExpectedError
from maintenance_trainer.diagnose.samples import Sample
from maintenance_trainer.diagnose.thresholds import INTERVAL_Z

DEPTHS: Final = (0.5, 0.7, 0.8, 0.9, 0.95)
"""Quantiles of old rows at which the tails begin."""
BROAD: Final = 0.7
"""Tails that begin here or before are looked at answer by answer, too, where there are two."""
LEAST_IN_REGION: Final = 5
LEAST_WEIGHT: Final = 0.05
"""Odds of being new are kept within this factor of one, and its inverse."""


@dataclass(frozen=True, slots=True)
class Rise:
    """The error's rise where it is clearest: in the region, and its part of all new rows."""

    measured: Measured
    in_region: float
    share: float


def error_rise(
    old: Sample,
    new: Sample,
    expected: tuple[ExpectedError, ExpectedError],
    propensity: tuple[Floats, Floats],
) -> Rise:
    """The rise of the error that neither the inputs nor the class mix explain.

    In a region the new rows' errors are held against those expected there, which old rows correct,
    weighted by how likely they would be new: wrong weights or a wrong expectation alone do no harm.
    Exact conditional test (Fisher 1935) with Kish's effective number of old rows. The p-value is
    the larger of two: with the old class mix and with the new.

    Args:
        old: m rows that the champion was not trained on.
        new: n new rows where it was trained.
        expected: the error expected of the m and of the n rows.
        propensity: P(row is new) at equal weight of both samples, m and n values.

    Returns:
        Effect and bound of ``measured`` are the rise times the region's share of the new rows.
    """
    odds = np.clip(propensity[0] / (1 - propensity[0]), LEAST_WEIGHT, 1 / LEAST_WEIGHT)
    whole = np.ones(len(old), bool), np.ones(len(new), bool)
    together = Clusters(old.units, new.units)
    of_units = together.effect(old.wrong, new.wrong), together.degrees(len(old), len(new))
    all_rows = _compare(old, new, expected, odds, whole, of_units)
    parts = [
        (_compare(old, new, expected, odds, part, of_units), part)
        for part in _regions(old, new)
        if part[1].sum() >= LEAST_IN_REGION and part[0].sum() >= LEAST_IN_REGION
    ]
    best, region = min(parts, key=lambda found: found[0].p, default=(all_rows, whole))
    p_region = min(1.0, 2 * best.p * max(len(parts), 1))
    p_whole = min(1.0, 2 * all_rows.p)
    if p_whole <= p_region:
        best, region = all_rows, whole
    share = float(region[1].mean())
    measured = Measured(
        best.rise * share, best.upper * share, min(p_whole, p_region), int(region[1].sum())
    )
    return Rise(measured, best.rise, share)


@dataclass(frozen=True, slots=True)
class _Compared:
    rise: float
    upper: float
    p: float


def _regions(old: Sample, new: Sample) -> Iterator[tuple[Flags, Flags]]:
    sure = [sample.probabilities.max(axis=1) for sample in (old, new)]
    columns = [*zip(old.x.T, new.x.T, strict=True), (sure[0], sure[1])]
    answers = [(old.predicted == name, new.predicted == name) for name in np.unique(new.predicted)]
    for mine, theirs in columns:
        for depth in DEPTHS:
            low, high = np.quantile(mine, [1 - depth, depth])
            yield mine > high, theirs > high
            yield mine < low, theirs < low
            if len(answers) == 2 and depth <= BROAD:  # noqa: PLR2004
                for a, b in answers:
                    yield (mine > high) & a, (theirs > high) & b
                    yield (mine < low) & a, (theirs < low) & b
    yield from answers


def _compare(
    old: Sample,
    new: Sample,
    expected: tuple[ExpectedError, ExpectedError],
    odds: Floats,
    region: tuple[Flags, Flags],
    of_units: tuple[float, int],
) -> _Compared:
    """``of_units``: the design effect, and degrees of freedom."""
    mine, theirs = region
    n, k = int(theirs.sum()), int(new.wrong[theirs].sum())
    weight = odds[mine]
    effective = max(1, round(float(weight.sum() ** 2 / (weight**2).sum())))
    worst = _Compared(1.0, 1.0, 0.0)
    for old_error, new_error in (
        (expected[0].plain, expected[1].plain),
        (expected[0].reweighted, expected[1].reweighted),
    ):
        # With another class mix old residuals are no longer centred: they correct the first only.
        residual = old.wrong[mine] - old_error[mine]
        correction = (
            float(np.average(residual, weights=weight)) if old_error is expected[0].plain else 0.0
        )
        share = min(1.0, max(0.0, float(new_error[theirs].mean()) + correction))
        there = round(share * effective)
        p = weaker(float(stats.hypergeom.sf(k - 1, n + effective, k + there, n)), *of_units)
        error = np.sqrt((k + 0.5) * (n - k + 0.5) / (n + 1) ** 3 + share * (1 - share) / effective)
        error *= np.sqrt(of_units[0])
        rise = k / n - share
        if p >= worst.p:
            worst = _Compared(rise, rise + INTERVAL_Z * float(error), p)
    return worst

"""Whether two samples of numbers are of one thing in two units, and which map makes them one."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from maintenance_trainer.diagnose import thresholds as at

Numbers = NDArray[np.float64]

QUANTILES: Final = np.linspace(0.05, 0.95, 19)
LEAST_VALUES: Final = 5
"""Different values that a unit can be seen by: fewer fit any line."""
LINEAR: Final = 0.1
"""In the new unit old numbers are distributed as new ones: shares below a value differ by less."""
FACTOR: Final = 1.5
"""Units differ by more: a mile by 1.6, an inch by 2.54. What differs by less may be the times."""
OFFSET: Final = 3.0
"""Interquartile ranges: Celsius and Kelvin lie further apart than any shift of what is measured."""
WITHIN: Final = 0.5
"""With an offset, most new numbers lie beyond all old ones: else it is a part of what there was."""
LEFT_OUT: Final = (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5)
"""Shares of new numbers that may be a pattern of their own: another unit moves all."""


@dataclass(frozen=True, slots=True)
class Unit:
    """New numbers are ``factor`` times the old ones and ``offset``; ``apart``: they differ so."""

    factor: float
    offset: float
    apart: float


def unit_of(old: Numbers, new: Numbers) -> Unit | None:  # one a reason
    """The linear map that makes two samples of a column one, where nothing else would.

    Quantiles of the one are fitted to quantiles of the other. It is another unit where the samples
    differ much as they are and hardly once mapped, by a factor or an offset that the times do not
    bring about. A factor must explain more than a shift does: what has grown by as much for all is
    no unit, though some factor brings its quantiles near. And more than that some rows are new and
    all others as before.

    Args:
        old: m numbers.
        new: n numbers.
    """
    if min(len(old), len(new)) < at.LEAST_ROWS:
        return None
    if min(len(np.unique(old)), len(np.unique(new))) < LEAST_VALUES:
        return None
    apart = difference(old, new)
    if apart < at.OTHER_UNIT:
        return None
    before, now = np.quantile(old, QUANTILES), np.quantile(new, QUANTILES)
    spread = float(np.quantile(old, 0.75) - np.quantile(old, 0.25))
    if not before.std() or not now.std() or not spread:
        return None
    fits = []
    shifted = difference(old + (np.median(new) - np.median(old)), new)
    for factor, offset in _maps(before, now):
        scaled = max(factor, 1 / factor) >= FACTOR
        within = ((new >= old.min()) & (new <= old.max())).mean()
        moved = abs(offset) >= OFFSET * spread
        if not (scaled or moved) or (offset and within > WITHIN):
            continue
        left = difference(old * factor + offset, new)
        if moved or left < shifted:
            fits.append((left, factor, offset))
    left, factor, offset = min(fits, default=(1.0, 1.0, 0.0))
    if left >= LINEAR + _by_chance(len(old), len(new)) or _but_for_some(old, new) <= left:
        return None
    return Unit(factor, offset, apart)


def _maps(before: Numbers, now: Numbers) -> Iterator[tuple[float, float]]:
    """Factors and offsets that may bring quantiles to others.

    Most units share their zero: a small offset is the noise of the fit. And of skewed numbers the
    spread is that of a few; the ratio of the quantiles is not.
    """
    factor = float(now.std() / before.std())
    offset = float(np.median(now) - factor * np.median(before))
    if abs(offset) < 0.1 * abs(float(np.median(now))) or abs(offset) < 0.05 * factor:
        factor, offset = float((now @ before) / (before @ before)), 0.0
    yield factor, offset
    same = before * now > 0
    if same.any():
        yield float(np.median(now[same] / before[same])), 0.0


def _but_for_some(old: Numbers, new: Numbers) -> float:
    """How old numbers differ from new ones at least without some of the largest or smallest."""
    ordered, counts = np.sort(new), [int(share * len(new)) for share in LEFT_OUT]
    parts = (part for k in counts for part in (ordered[k:], ordered[: len(new) - k]))
    return min(difference(old, part) for part in parts)


def difference(old: Numbers, new: Numbers) -> float:
    """The greatest difference of the shares below a value (Kolmogorov and Smirnov)."""
    points = np.concatenate([old, new])
    below = [
        np.searchsorted(np.sort(side), points, side="right") / len(side) for side in (old, new)
    ]
    return float(np.abs(below[0] - below[1]).max())


def _by_chance(m: int, n: int) -> float:
    """What two samples of one law differ by, one time in twenty."""
    return 1.36 * float(np.sqrt((m + n) / (m * n)))


def beyond(old: Numbers, new: Numbers) -> float:
    """Share of new numbers beyond all old ones by more than half of what those span."""
    low, high = float(old.min()), float(old.max())
    room = (high - low) / 2
    return float(((new < low - room) | (new > high + room)).mean())

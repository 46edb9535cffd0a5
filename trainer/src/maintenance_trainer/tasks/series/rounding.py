"""Numbers that are written again: rounded otherwise they are the same measurement, no correction.

A dump of all rows has been through other programs: a column of ``float32``, a printer that writes
fewer decimals or digits. Its numbers then differ from those of the first file, and say the same.
What tells that from a correction is that all of a column is written so: where both files write a
channel alike, each difference is one.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from maintenance_trainer.tasks.series.rows import Floats

Flags = NDArray[np.bool_]

_NOISE: Final = 2.0**-44
"""Relative: what parsers and printers of doubles make of one number."""
_SINGLE: Final = 2.0**-23
"""Relative: what is left of a number in ``float32``, printed in eight digits or more."""
_LEAST: Final = 8
"""Fewer numbers that differ may be corrections that happen to be small."""
_MOST: Final = 0.75
"""Share of the numbers that differ: where rounding explains less, they are corrections."""
_PART: Final = 4.0
"""What is lost must be so much smaller than what a channel tells: a column that holds nothing but 0
is written in very few digits, and takes no small number back to 0."""
_DECIMALS: Final = range(-6, 10)
_DIGITS: Final = range(3, 10)
_WRITTEN: Final = 2.0**-48
_SAMPLE: Final = 256


def written_again(earlier: Floats, later: Floats) -> Flags:
    """Which numbers of a later file are those of earlier ones.

    Args:
        earlier: of one channel, in the order of time; all finite.
        later: what one file holds in the same rows.
    """
    difference, size = np.abs(later - earlier), np.maximum(np.abs(later), np.abs(earlier))
    same = difference <= _NOISE * size
    if same.all():
        return same
    same |= _in_single(earlier, later)
    for loss, told in _losses(earlier, later, size):
        differ = ~same
        count = int(differ.sum())
        if count < _LEAST:
            break
        explained = differ & (difference <= loss)
        little = _PART * float(np.median(loss)) <= told
        if little and int(explained.sum()) >= _MOST * count:
            same |= explained
    return same


def _in_single(earlier: Floats, later: Floats) -> Flags:
    """Where all of one side are numbers of ``float32``, and the other's are these before that."""
    with np.errstate(over="ignore"):
        one, other = (each.astype(np.float32).astype(np.float64) for each in (earlier, later))
    if (other == later).all():
        return np.asarray(one == later, bool)
    if (one == earlier).all():
        return np.asarray(other == earlier, bool)
    return np.zeros(len(later), bool)


def _losses(earlier: Floats, later: Floats, size: Floats) -> list[tuple[Floats, float]]:
    """What each way to write may have changed in each number, and what the channel tells."""
    moves = float(np.abs(np.diff(earlier)).mean()) if len(earlier) > 1 else 0.0
    spread = float(earlier.std())
    units = [unit for side in (later, earlier) for unit in _units(side)]
    # A number may have been in float32 before it was rounded: less than half a unit more.
    rounded = [(unit / 2 + np.minimum(_SINGLE * size, 0.4 * unit), spread) for unit in units]
    return [(_SINGLE * size, moves), *rounded]


def _units(values: Floats) -> list[Floats]:
    """The place of the last decimal of each, and that of the last digit.

    By the fewest decimals that all can be written in, and the fewest digits.
    """
    size = np.abs(values)
    exponents = np.floor(np.log10(np.where(size > 0, size, 1.0)))
    decimals = (np.full(len(values), 10.0**-number) for number in _DECIMALS)
    digits = (np.power(10.0, exponents - number + 1) for number in _DIGITS)
    found = [
        next((unit for unit in units if _are_multiples(values, unit)), None)
        for units in (decimals, digits)
    ]
    return [unit for unit in found if unit is not None]


def _are_multiples(values: Floats, unit: Floats) -> bool:
    for its, one in ((values[:_SAMPLE], unit[:_SAMPLE]), (values, unit)):
        if (np.abs(np.rint(its / one) * one - its) > _WRITTEN * np.abs(its)).any():
            return False
    return True

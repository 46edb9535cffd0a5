"""Windows of time series, which are the rows of their models.

A window holds nothing but its place: values are read from the arrays of its series.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override  # typing has it from Python 3.12 on

from maintenance_trainer.data.rows import Row

Floats = NDArray[np.float64]
Stamps = NDArray[np.int64]
SECOND: Final = 1_000_000
"""Stamps are whole microseconds since 1970, in UTC."""


@dataclass(slots=True, eq=False)
class Scales:
    """How much each channel moves from a row to the next, in the old rows of all series.

    Errors of several targets are measured by it, so that each counts alike. The same for all models
    that are compared on these rows.
    """

    by_channel: dict[str, float] = field(default_factory=dict)

    def of(self, channel: str) -> float:
        """Never 0."""
        return self.by_channel.get(channel) or 1.0


@dataclass(slots=True, eq=False)
class Series:
    """What all files together hold of one series: n rows in the order of time.

    ``columns`` by channel (n,), NaN where nothing is; ``starts`` (n,): the row after the last long
    gap, where what a window may see begins. ``step``: seconds from a row to the next, as a rule.
    """

    name: str
    stamps: Stamps
    columns: Mapping[str, Floats]
    starts: NDArray[np.int64]
    step: float
    scales: Scales


@dataclass(frozen=True, slots=True, kw_only=True)
class Window(Row):
    """A part of a series, and what is to be told of it.

    ``end``: of the ``context`` rows that may be seen, one more than the last. ``targets`` are the
    channels of which ``horizon`` rows from there on are to be told; of windows with a class there
    are none.
    ``block`` is the stretch of time that it ends in, ``touched`` are others that it reaches into.
    """

    series: Series
    end: int
    context: int
    horizon: int = 0
    targets: tuple[str, ...] = ()
    block: str
    touched: tuple[str, ...] = ()

    @property
    @override
    def unit(self) -> str:
        return self.block

    @property
    @override
    def drawn_within(self) -> str:
        return self.series.name

    @property
    @override
    def overlaps(self) -> tuple[str, ...]:
        return self.touched


@dataclass(frozen=True, slots=True, kw_only=True)
class ValuedWindow(Window):
    """A window whose continuation is to be told; there are no classes."""

    @property
    @override
    def stratum(self) -> str:
        return ""

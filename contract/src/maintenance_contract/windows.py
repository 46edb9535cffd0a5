"""How rows of a series are cut into windows: what a model sees, and how far it is to look ahead."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from maintenance_contract.kinds import Task
from maintenance_contract.record import record
from maintenance_contract.values import Codec, whole

MOST_CONTEXT: Final = 8192
MOST_HORIZON: Final = 2048
MOST_STRIDE: Final = 8192
LIMITS: Final[Mapping[str, tuple[int, int]]] = {
    "context": (2, MOST_CONTEXT),
    "horizon": (0, MOST_HORIZON),
    "stride": (1, MOST_STRIDE),
}
"""Least and most; a forecast has a horizon of 1 at least."""


@dataclass(frozen=True, slots=True)
class Windows:
    """In rows of a series.

    ``context`` rows go into a model. A forecast is of the ``horizon`` rows after them; a label
    stands in the last row of a context, and tells of no more than so many rows after it.
    ``stride``: a window begins so many rows after the one before; of windows with a label, labelled
    rows are counted.
    """

    context: int
    horizon: int
    stride: int

    @property
    def span(self) -> int:
        """Rows that have part in a window."""
        return self.context + self.horizon


def _within(name: str) -> Codec[int]:
    least, most = LIMITS[name]
    return whole(least=least, most=most)


WINDOWS: Final[Codec[Windows]] = record(
    Windows,
    always=set(LIMITS),
    context=_within("context"),
    horizon=_within("horizon"),
    stride=_within("stride"),
)

_DEFAULTS: Final[Mapping[str, tuple[int, int]]] = {
    Task.TIME_SERIES_CLASSIFICATION: (32, 0),
    Task.TIME_SERIES_FORECASTING: (64, 8),
}
"""Context and horizon."""


def windows_of(
    task: str, context: int | None = None, horizon: int | None = None, stride: int | None = None
) -> Windows | None:
    """The windows of a kind; None: its rows are none.

    A forecast is of what the one before has not told, so its stride is the horizon; of labels each
    makes a row.
    """
    if task not in _DEFAULTS:
        return None
    usual, ahead = _DEFAULTS[task]
    ahead = ahead if horizon is None else horizon
    each = max(1, ahead) if task == Task.TIME_SERIES_FORECASTING else 1
    return Windows(usual if context is None else context, ahead, stride or each)

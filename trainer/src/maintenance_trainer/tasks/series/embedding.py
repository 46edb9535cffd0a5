"""Windows as points, for the tests of the diagnosis: how each channel runs within them.

What comes round again (a day, a week) is the same point whenever it begins; where a window stands
in time is told by nothing. That two networks see other things in a window must not matter here.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from maintenance_trainer.tasks.series import arrays
from maintenance_trainer.tasks.series.rows import Window
from maintenance_trainer.tasks.series.schema import Schema

LAGS: Final = (1, 2, 4, 8)
"""Rows apart at which a channel is compared with itself."""
FAR: Final = 6.0
MOST_TARGETS: Final = 4
_LEAST_SPREAD: Final = 1e-3
"""Standard deviations of the training rows: less is none."""


def points(rows: Sequence[Window], schema: Schema) -> NDArray[np.float32]:
    """(n, e) of n windows.

    Of each channel its spread, where it ends and how it leans, in units of that spread, and how
    much it is like itself some rows before. Where classes are told its level, too: a forecast goes
    by the window's own.
    """
    width = len(schema.channels) * (len(LAGS) + (4 if schema.labels else 3))
    made = np.zeros((len(rows), width), np.float32)
    size = arrays.at_once(schema.context, len(schema.channels))
    for start in range(0, len(rows), size):
        batch = rows[start : start + size]
        seen = arrays.inputs(batch, schema).astype(np.float64)
        made[start : start + len(batch)] = _points(seen, level=bool(schema.labels))
    return made


def onward(rows: Sequence[Window]) -> dict[str, NDArray[np.float64]]:
    """(n,) how each of the first targets goes on in the next row; NaN where that is unknown.

    From the window's own mean, in units of its own spread: no level and no unit moves it.
    """
    targets = rows[0].targets[:MOST_TARGETS] if rows else ()
    made = {name: np.full(len(rows), np.nan) for name in targets}
    for group in arrays.groups(rows):
        context = rows[int(group.at[0])].context
        size = arrays.at_once(context)
        for name in targets:
            for start in range(0, len(group.at), size):
                some = slice(start, start + size)
                part = arrays.Group(group.series, group.at[some], group.ends[some])
                window = arrays.filled(arrays.seen(part, name, context))
                after = arrays.ahead(part, name, 1)[:, 0]
                spread = window.std(axis=1)
                apart = (after - window.mean(axis=1)) / np.where(spread > 0, spread, np.nan)
                made[name][part.at] = np.clip(apart, -FAR, FAR)
    return made


def _points(seen: NDArray[np.float64], *, level: bool) -> NDArray[np.float64]:
    """Of (n, context, channels)."""
    context = seen.shape[1]
    mean, spread = seen.mean(axis=1), seen.std(axis=1) + _LEAST_SPREAD
    run = (seen - mean[:, None]) / spread[:, None]
    quarter = max(1, context // 4)
    parts = [
        np.log(spread),
        run[:, -1],
        run[:, -quarter:].mean(axis=1) - run[:, :quarter].mean(axis=1),
    ]
    for lag in LAGS:
        if lag < context:
            parts.append((run[:, lag:] * run[:, :-lag]).mean(axis=1))
        else:
            parts.append(np.zeros_like(mean))
    if level:
        parts.append(mean)
    return np.asarray(np.clip(np.concatenate(parts, axis=1), -FAR, FAR), np.float64)

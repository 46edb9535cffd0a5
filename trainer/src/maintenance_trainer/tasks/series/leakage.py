"""Channels that tell the answer: a model that is trained on one has learnt nothing else."""

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from maintenance_contract import LEAST_ROWS
from maintenance_trainer.errors import DataError
from maintenance_trainer.tasks.leaks import EXACTLY, few, labels_of, names_labels, one_to_one
from maintenance_trainer.tasks.series import arrays
from maintenance_trainer.tasks.series.rows import Floats, Window

MOST_ROWS: Final = 5000
"""What holds for all rows holds for some of them."""
LEAST_VALUES: Final = 10
"""Different numbers that a target must have: fewer agree with a channel by chance."""
MOST_AHEAD: Final = 64
CORRELATED: Final = 0.999
"""Square of a correlation: what is exact but for that is nearer to 1, whatever its spread."""
_ROUNDED: Final = 1e-12


def check_labels(rows: Sequence[Window], where: str) -> None:
    """Refuse a channel whose number beside a label names it.

    Raises:
        DataError: LabelInColumn.
    """
    rows = few(rows, MOST_ROWS)
    labels = labels_of(rows)
    if labels is None:
        return
    for name, values in _last(rows):
        there = np.isfinite(values)
        if told := names_labels(values, there, labels):
            what = "its numbers and the labels name each other"
        elif 0 < there.mean() < 1 and labels.max() == 1 and one_to_one(there, labels):
            what, told = "it is filled for one label and empty for the other", len(rows)
        else:
            continue
        message = (
            f"{where}: the column {name!r} tells the label in each of {told:,} rows ({what}), "
            "so it is the answer and no input; a model that has it learns nothing else. Leave it "
            "out: name the channels in data.columns.inputs without it."
        )
        raise DataError("LabelInColumn", message)


def check_targets(rows: Sequence[Window], where: str) -> None:
    """Refuse a channel that is a target of later rows, in whatever unit.

    Raises:
        DataError: LabelInColumn.
    """
    rows = few(rows, MOST_ROWS)
    if len(rows) < LEAST_ROWS:
        return
    channels = dict(_last(rows))
    every = np.stack(list(channels.values()), axis=1)
    for target in rows[0].targets:
        if target not in channels:
            continue  # of other series
        horizon = min(rows[0].horizon, MOST_AHEAD)
        told = np.full((len(rows), horizon), np.nan)
        for group in arrays.groups(rows):
            told[group.at] = arrays.ahead(group, target, horizon)
        near = dict(zip(channels, _near(every, told), strict=True))
        for step in range(horizon):
            if near[target][step] and _tells(channels[target], told[:, step]):
                continue  # a target that returns exactly is told by what is like it
            for name, values in channels.items():
                if name != target and near[name][step] and _tells(values, told[:, step]):
                    message = (
                        f"{where}: the column {name!r} is the column {target!r} of {step + 1} rows "
                        f"later, in each of {len(rows):,} windows, so it is the answer and no "
                        "input; nobody has it when a forecast is made. Leave it out: name the "
                        "channels in data.columns.inputs without it."
                    )
                    raise DataError("LabelInColumn", message)


def _last(rows: Sequence[Window]) -> Iterator[tuple[str, Floats]]:
    """(n,) each channel as it is in the last row that a window sees."""
    found = list(arrays.groups(rows))
    for name in sorted({name for group in found for name in group.series.columns}):
        values = np.full(len(rows), np.nan)
        for group in found:
            held = group.series.columns.get(name)
            if held is not None:
                values[group.at] = held[group.ends - 1]
        yield name, values


def _near(values: Floats, wanted: Floats) -> NDArray[np.bool_]:
    """(c, h): which of c columns may be a linear map of which of h others, by their correlation.

    For most of them it is none, and all pairs of hundreds of channels are too many to ask each.
    """
    (x, of_x), (y, of_y) = (_centred(each) for each in (values, wanted))
    n = np.maximum(of_x.T @ of_y, 1.0)
    mean_x, mean_y = x.T @ of_y / n, of_x.T @ y / n
    varied = ((x**2).T @ of_y / n - mean_x**2) * (of_x.T @ y**2 / n - mean_y**2)
    return np.asarray((x.T @ y / n - mean_x * mean_y) ** 2 >= CORRELATED * varied - _ROUNDED)


def _centred(values: Floats) -> tuple[Floats, Floats]:
    """Each column about its mean, within 1, and 0 where nothing is; 1 where something is."""
    there = np.isfinite(values)
    held = np.where(there, values, 0.0)
    apart = np.where(there, held - held.sum(axis=0) / np.maximum(there.sum(axis=0), 1), 0.0)
    largest = np.abs(apart).max(axis=0, initial=0.0)
    return apart / np.where(largest > 0, largest, 1.0), there.astype(np.float64)


def _tells(values: Floats, wanted: Floats) -> bool:
    """Whether a linear map of these numbers is the other ones, wherever both are there."""
    there = np.isfinite(values) & np.isfinite(wanted)
    if there.sum() < max(LEAST_ROWS, len(values) / 2):
        return False
    values, wanted = values[there], wanted[there]
    spread = float(np.ptp(wanted))
    if not values.std() or len(np.unique(wanted)) < LEAST_VALUES:
        return False
    centred = (values - values.mean()) / values.std()
    slope = float(centred @ wanted) / len(wanted)
    left = np.abs(slope * centred + wanted.mean() - wanted).max()
    return bool(left <= EXACTLY * spread)

"""Windows as arrays: what a network is given of them, what it is to tell, what needs no network."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from maintenance_trainer.tasks.series.rows import Floats, Series, Window
from maintenance_trainer.tasks.series.schema import Schema

Singles = NDArray[np.float32]
FAR: Final = 1e4
"""Standard deviations, beyond which a number counts as so far away."""
BATCH: Final = 4096
"""Windows that are made at once, at most."""
NUMBERS: Final = 2**23
"""That these hold, at most: 64 MiB, and as much again for each step of a calculation."""
CYCLES: Final = (60, 3600, 86_400, 604_800, 31_557_600)
"""Seconds of what returns by the calendar: an hour of minutes, a day, a week, a year."""
MONTHS: Final = 12
QUARTERS: Final = 4
_MONTH: Final = (26 * 86_400.0, 32 * 86_400.0)
_QUARTER: Final = (88 * 86_400.0, 93 * 86_400.0)
WORKING_WEEK: Final = 5


@dataclass(frozen=True, slots=True)
class Group:
    """Rows of one series: ``at`` are their places among all, ``ends`` where each ends."""

    series: Series
    at: NDArray[np.int64]
    ends: NDArray[np.int64]


def at_once(context: int, channels: int = 1) -> int:
    """How many windows of so many rows and channels are made at once."""
    return max(1, min(BATCH, NUMBERS // (context * channels)))


def groups(rows: Sequence[Window]) -> Iterator[Group]:
    """The rows by series."""
    found: dict[int, tuple[Series, list[int]]] = {}
    for number, row in enumerate(rows):
        found.setdefault(id(row.series), (row.series, []))[1].append(number)
    for series, numbers in found.values():
        ends = np.array([rows[number].end for number in numbers], np.int64)
        yield Group(series, np.array(numbers, np.int64), ends)


def seen(group: Group, name: str, context: int) -> Floats:
    """(n, context) a channel as it stands before each end; NaN for what is not there."""
    wanted = group.ends[:, None] + np.arange(-context, 0)
    values = group.series.columns.get(name)
    if values is None:
        return np.full(wanted.shape, np.nan)
    begin = group.series.starts[group.ends - 1][:, None]
    return np.where(wanted >= begin, values[np.maximum(wanted, 0)], np.nan)


def ahead(group: Group, name: str, horizon: int) -> Floats:
    """(n, horizon) a channel as it goes on; NaN for what is not there."""
    values = group.series.columns.get(name)
    wanted = group.ends[:, None] + np.arange(horizon)
    if values is None:
        return np.full(wanted.shape, np.nan)
    there = wanted < len(values)
    return np.where(there, values[np.minimum(wanted, len(values) - 1)], np.nan)


def inputs(rows: Sequence[Window], schema: Schema) -> Singles:
    """(n, context, channels) what a network reads.

    In units of the standard deviations that it was trained on, away from the mean. A gap is filled
    with the number before it, one at the beginning with the first; a channel that is not there is
    the mean.
    """
    made = np.zeros((len(rows), schema.context, len(schema.channels)), np.float32)
    for group in groups(rows):
        for place, channel in enumerate(schema.channels):
            values = filled(seen(group, channel.name, schema.context))
            scaled = np.clip((values - channel.mean) / channel.std, -FAR, FAR)
            made[group.at, :, place] = np.nan_to_num(scaled)
    return made


def answers(rows: Sequence[Window], schema: Schema) -> Singles:
    """(n, horizon, targets) what a network is to tell, in the scale of its inputs; NaN: unknown.

    What comes after a row's own horizon is unknown: it may be held out, or lie beyond a gap.
    """
    made = np.full((len(rows), schema.horizon, len(schema.targets)), np.nan, np.float32)
    by_name = {channel.name: channel for channel in schema.channels}
    steps = min(schema.horizon, max((row.horizon for row in rows), default=0))
    for group in groups(rows):
        for place, name in enumerate(schema.targets):
            channel = by_name[name]
            scaled = (ahead(group, name, steps) - channel.mean) / channel.std
            made[group.at, :steps, place] = np.clip(scaled, -FAR, FAR)
    return made


def filled(values: Floats) -> Floats:
    """(n, length) with each gap filled by what was before it, and else by what comes first."""
    if not np.isnan(values).any():
        return values
    length = values.shape[1]
    places = np.where(np.isnan(values), -1, np.arange(length))
    before = np.maximum.accumulate(places, axis=1)
    first = np.where(np.isnan(values), length, np.arange(length)).min(axis=1)
    source = np.where(before >= 0, before, np.minimum(first, length - 1)[:, None])
    return np.take_along_axis(values, source, axis=1)


def latest(group: Group, name: str, context: int) -> Floats:
    """(n,) the last number of a channel that each window holds; NaN where there is none."""
    return np.asarray(filled(seen(group, name, context))[:, -1], np.float64)


def seasons(step: float) -> tuple[int, ...]:
    """How many rows lie between what may return by the calendar, where rows are so far apart."""
    if _MONTH[0] <= step <= _MONTH[1]:
        return (MONTHS,)
    if _QUARTER[0] <= step <= _QUARTER[1]:
        return (QUARTERS,)
    found = [round(cycle / step) for cycle in CYCLES if cycle / step >= 2]  # noqa: PLR2004
    if abs(step - 86_400) < 1:
        found.append(WORKING_WEEK)
    return tuple(dict.fromkeys(found))


def naive(group: Group, name: str, horizon: int, context: int, season: int) -> Floats:
    """(n, horizon) what was there a season before; with 0, and where nothing was, the last one."""
    last = latest(group, name, context)[:, None]
    told = np.repeat(last, horizon, axis=1)
    if not 0 < season <= context:
        return told
    window = filled(seen(group, name, context))
    steps = np.arange(horizon) % season
    return np.asarray(window[:, context - season + steps], np.float64)


def errors(rows: Sequence[Window], told: Sequence[Floats]) -> Floats:
    """(n,) the mean error of each row, over what is known of targets that it has seen.

    Of one target it is in its unit; of several each is measured by how much it moves from a row to
    the next.

    Args:
        rows: n rows of the same targets and horizon.
        told: of each target (n, horizon).
    """
    total, count = np.zeros(len(rows)), np.zeros(len(rows))
    if not rows:
        return total
    several = len(rows[0].targets) > 1
    for group in groups(rows):
        for place, name in enumerate(rows[0].targets):
            right = ahead(group, name, rows[0].horizon)
            scale = group.series.scales.of(name) if several else 1.0
            away = np.abs(told[place][group.at] - right) / scale
            known = np.isfinite(right) & np.isfinite(latest(group, name, rows[0].context))[:, None]
            total[group.at] += np.where(known, away, 0.0).sum(axis=1)
            count[group.at] += known.sum(axis=1)
    return total / np.maximum(count, 1.0)


def naive_errors(rows: Sequence[Window], season: int) -> Floats:
    """(n,) the errors of whoever tells the season before, or the last number."""
    found = [np.zeros(0)]
    size = at_once(rows[0].context + rows[0].horizon) if rows else 1
    for start in range(0, len(rows), size):
        batch = rows[start : start + size]
        found.append(errors(batch, told_naively(batch, season)))
    return np.concatenate(found)


def told_naively(rows: Sequence[Window], season: int = 0) -> list[Floats]:
    """Of each target (n, horizon) the season before, or the last number."""
    horizon = rows[0].horizon
    told = [np.zeros((len(rows), horizon)) for _ in rows[0].targets]
    for group in groups(rows):
        for place, name in enumerate(rows[0].targets):
            told[place][group.at] = naive(group, name, horizon, rows[0].context, season)
    return told


def best_season(rows: Sequence[Window]) -> int:
    """What errs least on these rows: 0, the last number, or one of the calendar's seasons."""
    if not rows:
        return 0
    some = [rows[at] for at in range(0, len(rows), max(1, len(rows) // BATCH))]
    step = float(np.median([group.series.step for group in groups(some)]))
    found = [0, *(season for season in seasons(step) if season <= some[0].context)]
    return min(found, key=lambda season: float(naive_errors(some, season).mean()))

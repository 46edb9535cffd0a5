"""What a model of series reads: its channels and their scale, how far it looks back and ahead.

The scale is that of the rows that it was trained on, stored in plain JSON beside the network:
whoever serves the model needs it, too.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from maintenance_contract import ContractError
from maintenance_contract.codec import Fields
from maintenance_contract.windows import MOST_CONTEXT, MOST_HORIZON
from maintenance_trainer.data.labels import MOST_LABELS
from maintenance_trainer.errors import DataError
from maintenance_trainer.tasks.named_columns import MOST_CHARACTERS, refuse_unstorable
from maintenance_trainer.tasks.series.rows import Floats, Series, Window

MOST_CHANNELS: Final = 1000
POINTS: Final = 33
"""Quantiles that are kept of each channel."""
MOST_VALUES: Final = 200_000
"""Numbers that quantiles are taken of."""


@dataclass(frozen=True, slots=True)
class Channel:
    """A column of numbers; ``mean`` and ``std`` bring it to the scale that the network reads.

    ``quantiles`` of what the model was trained on, ``missing`` the share of rows that held nothing;
    empty and 0 where nobody has said so.
    """

    name: str
    mean: float
    std: float
    quantiles: tuple[float, ...] = ()
    missing: float = 0.0

    def document(self) -> dict[str, Any]:
        """As it is stored."""
        return {
            "name": self.name,
            "mean": self.mean,
            "std": self.std,
            **({"quantiles": list(self.quantiles)} if self.quantiles else {}),
            **({"missing": self.missing} if self.missing else {}),
        }

    @classmethod
    def read(cls, fields: Fields) -> "Channel":
        """The inverse of ``document``.

        Raises:
            ContractError: with the dotted path of the field that is wrong.
        """
        std = fields.number("std")
        if std <= 0:
            raise ContractError(f"{fields.name('std')}: a number above 0 is expected")
        return cls(
            fields.string("name", most=MOST_CHARACTERS),
            fields.number("mean"),
            std,
            _quantiles(fields),
            fields.share("missing") if fields.has("missing") else 0.0,
        )


@dataclass(frozen=True, slots=True)
class Schema:
    """What a network reads and answers.

    ``targets`` are the channels of which ``horizon`` rows are told; ``labels`` the classes; one of
    both is empty. ``step``: seconds from a row to the next where it was trained.
    """

    channels: tuple[Channel, ...]
    context: int
    horizon: int
    step: float
    targets: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Of the channels."""
        return tuple(channel.name for channel in self.channels)

    def with_labels(self, labels: Sequence[str]) -> "Schema":
        """The same with other classes."""
        return replace(self, labels=tuple(labels))

    def document(self) -> dict[str, Any]:
        """As it is stored."""
        return {
            "channels": [channel.document() for channel in self.channels],
            "context": self.context,
            "horizon": self.horizon,
            "step": self.step,
            **({"targets": list(self.targets)} if self.targets else {"labels": list(self.labels)}),
        }

    @classmethod
    def read(cls, fields: Fields) -> "Schema":
        """The inverse of ``document``.

        Raises:
            ContractError: with the dotted path of the field that is wrong.
        """
        channels = tuple(map(Channel.read, fields.items("channels", most=MOST_CHANNELS)))
        names = [channel.name for channel in channels]
        if not channels or len(set(names)) < len(names):
            raise ContractError(f"{fields.name('channels')}: name each channel once, and one least")
        targets = fields.strings("targets", most=MOST_CHANNELS)
        labels = fields.strings("labels", most=MOST_LABELS)
        if bool(targets) == bool(labels):
            raise ContractError(f"{fields.name('targets')}: either targets or labels are expected")
        if not set(targets) <= set(names) or len(set(targets)) < len(targets):
            raise ContractError(f"{fields.name('targets')}: each is a channel, and is there once")
        if len(set(labels)) < len(labels) or not all(map(str.strip, labels)):
            raise ContractError(f"{fields.name('labels')}: each once, and none that is empty")
        step = fields.number("step") if fields.has("step") else 0.0
        return cls(
            channels,
            fields.integer("context", least=2, most=MOST_CONTEXT),
            fields.integer("horizon", least=1 if targets else 0, most=MOST_HORIZON),
            max(step, 0.0),
            targets,
            labels,
        )

    @classmethod
    def of(cls, rows: Sequence[Window], context: int, labels: Sequence[str] = ()) -> "Schema":
        """What these rows hold; channels without a single number are none, nor are they targets.

        Raises:
            DataError: DataUnreadable: there is no channel, or no target has a number.
        """
        covered = _covered(rows, context)
        names = sorted({name for series, _ in covered for name in series.columns})
        channels = [found for name in names if (found := _channel(name, covered)) is not None]
        wanted = tuple(rows[0].targets) if rows else ()
        there = {channel.name for channel in channels}
        targets = tuple(name for name in wanted if name in there)
        if not channels or bool(targets) is not bool(wanted):
            raise no_numbers(wanted[0] if channels else "")
        refuse_unstorable([channel.name for channel in channels], MOST_CHANNELS)
        steps = [series.step for series, _ in covered]
        horizon = max((row.horizon for row in rows), default=0)
        return cls(
            tuple(channels), context, horizon, float(np.median(steps)), targets, tuple(labels)
        )


def no_numbers(column: str) -> DataError:
    """Nothing can be learnt of a column; empty: of any."""
    what = f"the column {column!r} holds no number" if column else "no column holds a number"
    message = (
        f"data: {what}, so there is nothing to learn; name the channels in data.columns.inputs and "
        "those to be told in data.columns.targets."
    )
    return DataError("DataUnreadable", message)


def _covered(rows: Sequence[Window], context: int) -> list[tuple[Series, NDArray[np.bool_]]]:
    """The series of these rows, and which of their rows a window sees or is told by."""
    marks: dict[int, NDArray[np.int64]] = {}
    series: dict[int, Series] = {}
    for row in rows:
        its = row.series
        mark = marks.get(id(its))
        if mark is None:
            mark = marks[id(its)] = np.zeros(len(its.stamps) + 1, np.int64)
            series[id(its)] = its
        mark[max(0, row.end - context)] += 1
        mark[min(len(its.stamps), row.end + row.horizon)] -= 1
    return [(series[each], np.cumsum(mark[:-1]) > 0) for each, mark in marks.items()]


def _channel(name: str, covered: Sequence[tuple[Series, NDArray[np.bool_]]]) -> Channel | None:
    parts: list[Floats] = []
    total = 0
    for series, flags in covered:
        total += int(flags.sum())
        values = series.columns.get(name)
        if values is not None:
            its = values[flags]
            parts.append(its[np.isfinite(its)])
    values = np.concatenate(parts) if parts else np.zeros(0)
    if not len(values):
        return None
    mean, std = float(values.mean()), float(values.std())
    fine = std > 1e-12 * float(np.abs(values).max())  # whatever the unit
    missing = round(1 - len(values) / total, 6)
    return Channel(name, mean, std if fine else 1.0, quantiles_of(values), missing)


def quantiles_of(values: Floats) -> tuple[float, ...]:
    """Evenly spaced ones, the least and the greatest among them."""
    step = max(1, len(values) // MOST_VALUES)
    points = np.quantile(values[::step], np.linspace(0, 1, POINTS))
    return tuple(float(f"{point:.9g}") for point in points)


def _quantiles(fields: Fields) -> tuple[float, ...]:
    values = fields.raw_value("quantiles")
    if values is None:
        return ()
    fine = isinstance(values, list) and 2 <= len(values) <= MOST_LABELS  # noqa: PLR2004
    if not fine or not all(
        isinstance(value, int | float) and np.isfinite(value) for value in values
    ):
        raise ContractError(f"{fields.name('quantiles')}: a list of finite numbers is expected")
    return tuple(sorted(map(float, values)))

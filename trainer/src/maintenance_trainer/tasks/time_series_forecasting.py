"""Forecasting of time series by networks of patches."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override  # typing has it from Python 3.12 on

from maintenance_contract import Task
from maintenance_trainer.tasks.series import arrays, embedding, leakage
from maintenance_trainer.tasks.series.patched import Patched, SeriesModel
from maintenance_trainer.tasks.series.rows import Window
from maintenance_trainer.tasks.series.schema import Schema
from maintenance_trainer.tasks.task import Outputs
from maintenance_trainer.tasks.valued_series import SOURCE, ValuedSeries


class TimeSeriesForecasting(Patched):
    """Windows of series and how they go on."""

    name: str = Task.TIME_SERIES_FORECASTING

    @property
    def source(self) -> ValuedSeries:
        """How its rows are read."""
        return SOURCE

    @override
    def labels(self, rows: Sequence[Window]) -> tuple[str, ...]:
        return ()

    @override
    def classes(self, model: SeriesModel, rows: Sequence[Window]) -> None:
        return None

    @override
    def judged(
        self,
        model: SeriesModel,
        rows: Sequence[Window],
        told: NDArray[np.float32],
        embeddings: NDArray[np.float32],
    ) -> Outputs:
        """The loss is how far a forecast is from what came, on average over its rows.

        What the model does not tell (rows beyond its horizon, targets that it does not know) is the
        last number that was there.
        """
        losses = [np.zeros(0)]
        by_name = {channel.name: channel for channel in model.schema.channels}
        size = arrays.at_once(rows[0].context + rows[0].horizon) if rows else 1
        for start in range(0, len(rows), size):
            batch = rows[start : start + size]
            numbers = arrays.told_naively(batch)
            steps = min(batch[0].horizon, model.schema.horizon)
            for place, name in enumerate(batch[0].targets):
                if name in model.schema.targets:
                    its = told[start : start + len(batch), :steps, model.schema.targets.index(name)]
                    channel = by_name[name]
                    numbers[place][:, :steps] = its.astype(np.float64) * channel.std + channel.mean
            losses.append(arrays.errors(batch, numbers))
        return Outputs(np.concatenate(losses), embeddings, onward=embedding.onward(rows))

    @override
    def baseline(self, train: Sequence[Window], rows: Sequence[Window]) -> NDArray[np.float64]:
        """The loss of the last number, or of the season before if that errs less in training."""
        return arrays.naive_errors(rows, arrays.best_season(train))

    @override
    def refuse_leaks(self, rows: Sequence[Window], where: str) -> None:
        leakage.check_targets(rows, where)

    @override
    def fits(self, schema: Schema) -> str:
        return "" if schema.targets else "series.json names labels, so it is a classifier"


TASK: Final = TimeSeriesForecasting()

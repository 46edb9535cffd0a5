"""Classification of windows of time series by networks of patches."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override  # typing has it from Python 3.12 on

from maintenance_contract import Task
from maintenance_trainer.evaluate import majority_class
from maintenance_trainer.tasks.labelled_series import SOURCE, LabelledSeries
from maintenance_trainer.tasks.series import embedding, leakage
from maintenance_trainer.tasks.series.patched import Patched, SeriesModel
from maintenance_trainer.tasks.series.rows import Window
from maintenance_trainer.tasks.series.schema import Schema
from maintenance_trainer.tasks.task import Outputs

MOST_SHOWN: Final = 20
"""Classes whose log-odds are a part of a point."""


class TimeSeriesClassification(Patched):
    """Windows of series and the class of each."""

    name: str = Task.TIME_SERIES_CLASSIFICATION

    @property
    def source(self) -> LabelledSeries:
        """How its rows are read."""
        return SOURCE

    @override
    def labels(self, rows: Sequence[Window]) -> tuple[str, ...]:
        return tuple(sorted({row.label for row in rows}))

    @override
    def classes(self, model: SeriesModel, rows: Sequence[Window]) -> NDArray[np.int64]:
        places = {label: place for place, label in enumerate(model.labels)}
        return np.array([places[row.label] for row in rows], np.int64)

    @override
    def judged(
        self,
        model: SeriesModel,
        rows: Sequence[Window],
        told: NDArray[np.float32],
        embeddings: NDArray[np.float32],
    ) -> Outputs:
        """What the network makes of a window is a part of its point: of shapes it knows best."""
        away = told.astype(np.float64) - told.max(axis=1, keepdims=True, initial=-np.inf)
        weights = np.exp(away)
        probabilities = (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
        predicted = tuple(model.labels[best] for best in told.argmax(axis=1).tolist())
        wrong = [row.label != label for row, label in zip(rows, predicted, strict=True)]
        centred = np.clip(away - away.mean(axis=1, keepdims=True), -embedding.FAR, embedding.FAR)
        points = np.hstack([embeddings, centred[:, :MOST_SHOWN].astype(np.float32)])
        return Outputs(np.array(wrong, float), points, probabilities, predicted)

    @override
    def baseline(self, train: Sequence[Window], rows: Sequence[Window]) -> NDArray[np.float64]:
        answer = majority_class(train)
        return np.array([row.label != answer for row in rows], float)

    @override
    def refuse_leaks(self, rows: Sequence[Window], where: str) -> None:
        leakage.check_labels(rows, where)

    @override
    def fits(self, schema: Schema) -> str:
        if len(schema.labels) > 1:
            return ""
        return "series.json names no two labels, so it is no classifier"


TASK: Final = TimeSeriesClassification()

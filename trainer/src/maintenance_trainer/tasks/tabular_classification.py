"""Classification of the rows of tables by boosted trees of XGBoost."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override  # typing has it from Python 3.12 on

from maintenance_contract import Task
from maintenance_trainer.evaluate import majority_class
from maintenance_trainer.tasks.labelled_tables import SOURCE, LabelledTables
from maintenance_trainer.tasks.tables import blocks, boosting, leakage
from maintenance_trainer.tasks.tables.boosted import Boosted, TableModel
from maintenance_trainer.tasks.tables.rows import TableRow
from maintenance_trainer.tasks.task import Outputs

NEWCOMER: Final = 0.02
"""The probability that a new class begins with, on a row where the others are as sure as usual: few
rows are lost by it, and the first rounds raise it where it belongs."""


class TabularClassification(Boosted):
    """Rows of a table and the class of each."""

    name: str = Task.TABULAR_CLASSIFICATION
    objectives = frozenset({boosting.LOGISTIC, boosting.SOFTMAX, "multi:softmax"})

    @property
    def source(self) -> LabelledTables:
        """How its rows are read."""
        return SOURCE

    @override
    def labels(self, rows: Sequence[TableRow]) -> tuple[str, ...]:
        return tuple(sorted({row.label for row in rows}))

    @override
    def objective(self, model: TableModel) -> Mapping[str, Any]:
        return boosting.objective_of(len(model.labels))

    @override
    def margins_of(self, labels: Sequence[str]) -> int:
        return 1 if len(labels) <= 2 else len(labels)  # noqa: PLR2004

    @override
    def answers(self, model: TableModel, rows: Sequence[TableRow]) -> NDArray[np.float32]:
        number = {label: at for at, label in enumerate(model.labels)}
        return np.array([number[row.label] for row in rows], np.float32)

    @override
    def judged(
        self,
        model: TableModel,
        rows: Sequence[TableRow],
        margins: NDArray[np.float32],
        embeddings: NDArray[np.float32],
    ) -> Outputs:
        probabilities = _probabilities(margins, len(model.labels))
        predicted = [model.labels[best] for best in probabilities.argmax(axis=1).tolist()]
        wrong = [row.label != label for row, label in zip(rows, predicted, strict=True)]
        return Outputs(np.array(wrong, float), embeddings, probabilities, tuple(predicted))

    @override
    def baseline(self, train: Sequence[TableRow], rows: Sequence[TableRow]) -> NDArray[np.float64]:
        answer = majority_class(train)
        return np.array([row.label != answer for row in rows], float)

    @override
    def grown(self, champion: TableModel, rows: Sequence[TableRow]) -> TableModel:
        known = set(champion.labels)
        news = tuple(sorted({row.label for row in rows} - known))
        if not news:
            return replace(champion)
        values = blocks.matrix([row for row in rows if row.label in known], champion.schema)
        margins = boosting.margins(
            champion.trees, champion.schema, values, self.margins_of(champion.labels)
        )
        labels = (*champion.labels, *news)
        larger = boosting.grown(
            champion.trees, len(champion.labels), len(labels), _beginning(margins)
        )
        return replace(champion, labels=labels, booster=larger)

    @override
    def refuse_leaks(self, rows: Sequence[TableRow], where: str) -> None:
        leakage.check(rows, where)

    @override
    def takes(self, labels: Sequence[str]) -> bool:
        return len(labels) > 1

    @override
    def rehearsed_label(self, number: int) -> str:
        return "abc"[number % 3]


TASK: Final = TabularClassification()


def _probabilities(margins: NDArray[np.float32], classes: int) -> NDArray[np.float32]:
    """(n, c) of margins (n, 1) of the second of two classes, or (n, c) of more."""
    if classes <= 2:  # noqa: PLR2004
        margins = np.column_stack([np.zeros(len(margins), np.float32), margins])
    away = margins - margins.max(axis=1, keepdims=True)
    weights = np.exp(away.astype(np.float64))
    return np.asarray(weights / weights.sum(axis=1, keepdims=True), np.float32)


def _beginning(margins: NDArray[np.float32]) -> float:
    """The margin of a new class beside those that the champion gives."""
    if not len(margins):
        return float(np.log(NEWCOMER))
    if margins.shape[1] == 1:
        margins = np.column_stack([np.zeros(len(margins), np.float32), margins])
    others = np.logaddexp.reduce(margins.astype(np.float64), axis=1)
    return float(np.median(others) + np.log(NEWCOMER / (1 - NEWCOMER)))

"""Regression on the rows of tables by boosted trees of XGBoost."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override  # typing has it from Python 3.12 on

from maintenance_contract import Task
from maintenance_trainer.tasks.tables import leakage
from maintenance_trainer.tasks.tables.boosted import Boosted, TableModel
from maintenance_trainer.tasks.tables.rows import TableRow
from maintenance_trainer.tasks.task import Outputs
from maintenance_trainer.tasks.valued_tables import SOURCE, ValuedTables


class TabularRegression(Boosted):
    """Rows of a table and a number of each."""

    name: str = Task.TABULAR_REGRESSION
    objectives = frozenset({"reg:squarederror", "reg:absoluteerror", "reg:pseudohubererror"})

    @property
    def source(self) -> ValuedTables:
        """How its rows are read."""
        return SOURCE

    @override
    def labels(self, rows: Sequence[TableRow]) -> tuple[str, ...]:
        return ()

    @override
    def objective(self, model: TableModel) -> Mapping[str, Any]:
        return {"objective": "reg:squarederror"}

    @override
    def margins_of(self, labels: Sequence[str]) -> int:
        return 1

    @override
    def answers(self, model: TableModel, rows: Sequence[TableRow]) -> NDArray[np.float32]:
        return np.asarray(_numbers(rows), np.float32)

    @override
    def judged(
        self,
        model: TableModel,
        rows: Sequence[TableRow],
        margins: NDArray[np.float32],
        embeddings: NDArray[np.float32],
    ) -> Outputs:
        """The loss is how far an answer is from the right one."""
        return Outputs(np.abs(_numbers(rows) - margins[:, 0].astype(np.float64)), embeddings)

    @override
    def baseline(self, train: Sequence[TableRow], rows: Sequence[TableRow]) -> NDArray[np.float64]:
        """The loss of whoever answers the median, whatever is asked."""
        return np.abs(_numbers(rows) - float(np.median(_numbers(train))))

    @override
    def grown(self, champion: TableModel, rows: Sequence[TableRow]) -> TableModel:
        return replace(champion)

    @override
    def refuse_leaks(self, rows: Sequence[TableRow], where: str) -> None:
        leakage.check_numbers(rows, _numbers(rows), where)

    @override
    def rehearsed_label(self, number: int) -> str:
        return str(number % 7 / 3)


TASK: Final = TabularRegression()


def _numbers(rows: Sequence[TableRow]) -> NDArray[np.float64]:
    return np.array([float(row.label) for row in rows], np.float64)

"""What models of tables share; a kind adds what is learnt and what an answer is worth."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Final

import numpy as np
import xgboost as xgb
from numpy.typing import NDArray

from maintenance_contract import ContractError, TrainingAction
from maintenance_trainer.data import validation
from maintenance_trainer.data.folders import Origin
from maintenance_trainer.data.split import Dataset
from maintenance_trainer.diagnose.answers import Measure
from maintenance_trainer.errors import ConfigurationError, DataError
from maintenance_trainer.model_field import Given, no_copy
from maintenance_trainer.progress import Progress, Silent
from maintenance_trainer.tasks.named_columns import listed, refuse_strangers, remarks
from maintenance_trainer.tasks.tables import (
    arguments,
    blocks,
    boosting,
    drift,
    embedding,
    inspection,
    leakage,
    schema,
    stored,
)
from maintenance_trainer.tasks.tables.inspection import Facts, UnsafeModelError
from maintenance_trainer.tasks.tables.rows import Header, TableRow, Type
from maintenance_trainer.tasks.tables.schema import Column, Schema
from maintenance_trainer.tasks.task import Fitted, How, Outputs

_SAME: Final = 1e-4
"""Margins of a model and its copy differ by less."""
_REHEARSED: Final = 40
"""Rows of a rehearsal."""


@dataclass(slots=True)
class TableModel:
    """Trees, what they read, and, where there are classes, their labels.

    ``booster`` is None before the first training. ``given`` says whose it is; None: it is trained
    here.
    """

    schema: Schema
    labels: tuple[str, ...]
    booster: xgb.Booster | None = None
    given: Given | None = None

    @property
    def trees(self) -> xgb.Booster:
        """Those of a model that has been trained."""
        assert self.booster is not None  # noqa: S101  # none is asked before
        return self.booster


class Boosted(ABC):
    """Boosted trees of tables."""

    name: str
    objectives: ClassVar[frozenset[str]]
    """What a model that was made elsewhere may have been trained for."""

    # --- what a kind adds ----------------------------------------------------------------

    @abstractmethod
    def labels(self, rows: Sequence[TableRow]) -> tuple[str, ...]:
        """The classes of rows, in order; empty for a kind without any."""

    @abstractmethod
    def objective(self, model: TableModel) -> Mapping[str, Any]:
        """The library's parameters that say what is learnt."""

    @abstractmethod
    def margins_of(self, labels: Sequence[str]) -> int:
        """How many numbers the trees give for a row."""

    @abstractmethod
    def answers(self, model: TableModel, rows: Sequence[TableRow]) -> NDArray[np.float32]:
        """(n,) what is to be learnt of rows."""

    @abstractmethod
    def judged(
        self,
        model: TableModel,
        rows: Sequence[TableRow],
        margins: NDArray[np.float32],
        embeddings: NDArray[np.float32],
    ) -> Outputs:
        """What margins (n, k) mean, and what they are worth."""

    @abstractmethod
    def baseline(self, train: Sequence[TableRow], rows: Sequence[TableRow]) -> NDArray[np.float64]:
        """See ``Task``."""

    @abstractmethod
    def grown(self, champion: TableModel, rows: Sequence[TableRow]) -> TableModel:
        """The champion with outputs for what these rows say."""

    @abstractmethod
    def refuse_leaks(self, rows: Sequence[TableRow], where: str) -> None:
        """Refuse columns that tell the answer.

        Raises:
            DataError: LabelInColumn.
        """

    def takes(self, labels: Sequence[str]) -> bool:
        """Whether a model of the kind may have these labels."""
        return not labels

    @abstractmethod
    def rehearsed_label(self, number: int) -> str:
        """What the n-th row of a rehearsal is labelled."""

    # --- before anything is paid for -----------------------------------------------------

    def check_arguments(self, action: TrainingAction, given: Mapping[str, Any]) -> None:
        """See ``Task``."""
        arguments.check(action, given)

    def rehearse(self, folder: Path, given: Given, progress: Progress) -> TableModel | None:
        """See ``Task``: a model that was made elsewhere is loaded in another process first."""
        if given is Given.INITIAL:
            self.from_initial(folder)
            return None
        progress.say("boosting begins with nothing: no base model is read")
        return TableModel(_REHEARSED_SCHEMA, self.labels(self._rehearsed()))

    def try_arguments(
        self, tiny: TableModel, action: TrainingAction, given: Mapping[str, Any], rows: int
    ) -> None:
        """See ``Task``: one round on a few rows, on the CPU."""
        if arguments.EARLY_STOPPING in given:
            argument = f"{arguments.where(action)}.{arguments.EARLY_STOPPING}"
            validation.refuse_few(argument, rows)
        few = self._rehearsed()
        once = {name: value for name, value in given.items() if name not in _OF_A_MACHINE}
        how = How(action, {**once, "n_estimators": 1, "device": "cpu"}, Path())
        model = replace(tiny)
        self.fit(model, few, how, Silent())

    def check_rows(self, model: TableModel | None, dataset: Dataset) -> tuple[str, ...]:
        """See ``Task``."""
        tables = [row for row in dataset.rows if isinstance(row, TableRow)]
        sides = {
            "data.original": [row for row in tables if not row.new],
            "data.updates": [row for row in tables if row.new],
        }
        _refuse_strangers(model, tables)
        learnt = Schema.of(tables)
        for where, rows in sides.items():
            self.refuse_leaks(rows, where)
        return tuple(_remarks(tables, learnt))

    # --- models --------------------------------------------------------------------------

    def from_base(self, _folder: Path, rows: Sequence[TableRow], _seed: int) -> TableModel:
        """What these rows hold, and no trees yet."""
        return TableModel(Schema.of(rows), self.labels(rows))

    def from_initial(self, folder: Path) -> TableModel:
        """A model that was made elsewhere, looked at before it is loaded."""
        given = Given.INITIAL
        try:
            table = stored.look(folder)
            facts = inspection.inspect(table.model)
        except (UnsafeModelError, ContractError, OSError) as error:
            raise given.unreadable(f"{error}.") from None
        if problem := self._no_match(table, facts):
            raise given.unreadable(f"{problem}.")
        return self._loaded(table, given)

    def load(self, folder: Path, labels: Sequence[str]) -> TableModel:
        """A stored version, as it was."""
        given = Given.CHAMPION
        try:
            table = stored.look(folder)
            model = self._loaded(table, given)
        except (ContractError, OSError, xgb.core.XGBoostError) as error:
            problem = f"versions/{folder.name} cannot be read: {str(error)[:200]}"
            raise given.unreadable(problem) from None
        if model.labels != tuple(labels):
            raise given.unreadable(f"versions/{folder.name}: its labels are not its manifest's")
        return model

    def extend(
        self, champion: TableModel, _folder: Path, rows: Sequence[TableRow], _seed: int
    ) -> TableModel:
        """The champion with categories and classes that it did not know."""
        grown = self.grown(champion, rows)
        return replace(grown, schema=champion.schema.grown(rows), given=None)

    def fit(
        self, model: TableModel, rows: Sequence[TableRow], how: How, progress: Progress
    ) -> Fitted:
        """Boost, from nothing or from the model's own trees."""
        goes_on = model.booster if how.action is TrainingAction.FINE_TUNE else None
        model.booster, fitted = boosting.train(
            model.schema,
            rows,
            self.answers(model, rows),
            self.objective(model),
            how,
            progress,
            goes_on,
        )
        model.given = None
        return fitted

    def outputs(
        self, model: TableModel, rows: Sequence[TableRow], progress: Progress, stage: str
    ) -> Outputs:
        """What the trees say; always on the CPU, so that two models are compared alike."""
        progress.stage(stage, len(rows))
        margins = np.zeros((len(rows), self.margins_of(model.labels)), np.float32)
        points: list[NDArray[np.float32]] = []
        for start in range(0, len(rows), boosting.BATCH):
            batch = rows[start : start + boosting.BATCH]
            values = blocks.matrix(batch, model.schema)
            margins[start : start + len(batch)] = boosting.margins(
                model.trees, model.schema, values, margins.shape[1]
            )
            points.append(embedding.points(values, model.schema))
            progress.step(start + len(batch))
        if not np.isfinite(margins).all():
            raise _no_numbers(model)
        nothing = embedding.points(blocks.matrix([], model.schema), model.schema)
        return self.judged(model, rows, margins, np.concatenate([nothing, *points]))

    def input_changes(
        self, model: TableModel, old: Sequence[TableRow], new: Sequence[TableRow]
    ) -> list[Measure]:
        """Units, types and columns, of what the model reads."""
        weight = boosting.importance(model.trees, model.schema)
        return drift.measures(model.schema, weight, old, new)

    # --- the store -----------------------------------------------------------------------

    def save(self, model: TableModel, folder: Path) -> None:
        """XGBoost's own format, and the columns in JSON."""
        model.trees.save_model(folder / stored.MODEL_FILES[0])
        stored.write(folder, model.schema, model.labels)

    def files(self, _model: TableModel) -> frozenset[str]:
        """See ``Task``."""
        return frozenset({*stored.MODEL_FILES, stored.TABLE_FILE})

    def proof(self, model: TableModel) -> Callable[[Path], None]:
        """How a copy is known: it loads, and says the same of a few rows."""
        values = _probes(model.schema)
        width = self.margins_of(model.labels)
        expected = boosting.margins(model.trees, model.schema, values, width)

        def prove(folder: Path) -> None:
            try:
                copy = self.load(folder, model.labels)
                found = boosting.margins(copy.trees, copy.schema, values, width)
            except (ConfigurationError, xgb.core.XGBoostError) as error:
                raise no_copy(model.given, str(error)) from None
            if copy.schema != model.schema or not np.allclose(found, expected, atol=_SAME):
                raise no_copy(model.given, "it answers otherwise than the model itself")

        return prove

    # --- within --------------------------------------------------------------------------

    def _loaded(self, table: stored.Table, given: Given) -> TableModel:
        booster = xgb.Booster(model_file=table.model)
        booster.feature_names = None  # columns are known by their place
        booster.feature_types = None
        return TableModel(table.schema, table.labels, booster, given)

    def _no_match(self, table: stored.Table, facts: Facts) -> str:
        """Why a file and what table.json says of it do not fit; empty where they do."""
        name, columns = table.model.name, table.schema.columns
        if facts.objective not in self.objectives:
            return (
                f"{name} was trained for {facts.objective}, and {self.name} takes "
                f"{', '.join(sorted(self.objectives))}"
            )
        if facts.features != len(columns):
            return f"{name} reads {facts.features} columns, and table.json names {len(columns)}"
        if facts.names and list(facts.names) != [column.name for column in columns]:
            return f"the columns of table.json are not those of {name}, in its order"
        categories = [column.type is Type.CATEGORY for column in columns]
        if facts.types and [kind == "c" for kind in facts.types] != categories:
            return f"{name} and table.json differ in which columns are categories"
        margins = self.margins_of(table.labels)
        if max(1, facts.classes) != margins or not self.takes(table.labels):
            return (
                f"{name} gives {max(1, facts.classes)} numbers for a row, which is not of the "
                f"{len(table.labels)} labels of table.json"
            )
        return ""

    def _rehearsed(self) -> list[TableRow]:
        return [
            TableRow(
                label=self.rehearsed_label(number),
                key=f"{number:064x}",
                origin=Origin.ORIGINAL,
                new=False,
                header=_REHEARSED_HEADER,
                cells=np.array([number, number % 3], np.float32).tobytes(),
            )
            for number in range(_REHEARSED)
        ]


_OF_A_MACHINE: Final = frozenset(
    {
        "device",
        "n_estimators",
        "num_boost_round",
        "n_jobs",
        "nthread",
        arguments.EARLY_STOPPING,
    }
)
"""What is another on the machine that trains, and what would make a rehearsal long."""
_REHEARSED_HEADER: Final = Header("", (), ["a", "b"], [Type.NUMBER, Type.NUMBER])
_REHEARSED_SCHEMA: Final = Schema(
    (Column("a", Type.NUMBER), Column("b", Type.CATEGORY, ("0", "1", "2")))
)


def _refuse_strangers(model: TableModel | None, rows: Sequence[TableRow]) -> None:
    """Refuse named inputs that no file has, and a model of other columns than the data's.

    Raises:
        DataError: ColumnMissing.
        ConfigurationError: InitialModelUnreadable.
    """
    there = {name for header in {row.header for row in rows} for name in header.names}
    wanted = {name for header in {row.header for row in rows} for name in header.wanted}
    if absent := sorted(wanted - there):
        message = (
            f"data.columns.inputs: no file has {listed(absent)}, only {listed(sorted(there))} of "
            "those that are named. Name columns as the files spell them."
        )
        raise DataError("ColumnMissing", message)
    if model is None:
        return
    refuse_strangers(set(model.schema.names), there, model.given, stored.TABLE_FILE)


def _remarks(rows: Sequence[TableRow], learnt: Schema) -> list[str]:
    """What is odd about the columns and is read all the same."""
    names = set(learnt.names)
    constant = [name for name in leakage.constant(rows) if name in names]
    return remarks(schema.unfilled(rows), constant)


def _probes(read: Schema) -> NDArray[np.float32]:
    """A few rows by which a copy is known: nothing, the first category, the quantiles."""
    values = np.full((4, len(read.columns)), np.nan, np.float32)
    for index, column in enumerate(read.columns):
        quantiles = column.quantiles or (0.0, 1.0)
        values[1:, index] = np.quantile(quantiles, [0.1, 0.5, 0.9])
        if column.type is Type.CATEGORY:
            values[1:, index] = [min(code, len(column.categories) - 1) for code in range(3)]
    return values


def _no_numbers(model: TableModel) -> ConfigurationError:
    if model.given is not None:
        return model.given.unreadable("its trees give no finite numbers for these rows.")
    message = (
        "The training diverged: the trees give no finite numbers. No version was written. Lower "
        "learning_rate or scale_pos_weight, or raise reg_lambda, in training.*.arguments."
    )
    return ConfigurationError("TrainingDiverged", message)

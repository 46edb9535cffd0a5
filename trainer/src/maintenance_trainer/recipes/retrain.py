"""Retrain: begin again from the base model with everything, new rows as often as asked for."""

import math
from collections.abc import Sequence
from pathlib import Path

from maintenance_contract import Recipes, TrainingAction
from maintenance_trainer.data.rows import Row
from maintenance_trainer.data.split import Dataset
from maintenance_trainer.progress import Progress
from maintenance_trainer.recipes import Trained
from maintenance_trainer.seed import SEED
from maintenance_trainer.tasks.task import AnyTask, How


def retrain(  # each is a fact of its own
    task: AnyTask,
    base_model: Path,
    dataset: Dataset,
    recipes: Recipes,
    *,
    scratch: Path,
    progress: Progress,
) -> Trained:
    """Train a fresh head and the base model's body on the training side of all rows.

    Args:
        task: the kind of model.
        base_model: the folder of the model to start from.
        dataset: the snapshot's rows; contradicted old ones are already gone.
        recipes: the least share of new rows and the user's arguments.
        scratch: an empty folder for the library.
        progress: whom to tell.
    """
    rows = rows_of(dataset, recipes)
    old = len(dataset.old_train)
    model = task.from_base(base_model, rows, SEED)
    how = How(TrainingAction.RETRAIN, recipes.retrain_arguments, scratch)
    fitted = task.fit(model, rows, how, progress)
    its = {"new": fitted.learnt(old, len(rows)), "old": fitted.learnt(0, old)}
    return Trained(model, its, fitted)


def rows_of(dataset: Dataset, recipes: Recipes) -> list[Row]:
    """Old rows, then new ones as often as asked for."""
    new = repeated(dataset.new_train, len(dataset.old_train), recipes.new_data_percent)
    return [*dataset.old_train, *new]


def repeated(new: Sequence[Row], old: int, percent: int) -> list[Row]:
    """The new rows so often, one after another, that they are ``percent`` of all beside ``old``."""
    wanted = math.ceil(old * percent / (100 - percent)) if new else 0
    return [new[number % len(new)] for number in range(max(len(new), wanted))]

"""Retrain: begin again from the base model with everything, old and new alike (plain merge)."""

from pathlib import Path

from maintenance_contract import Recipes, TrainingAction
from maintenance_trainer import arguments
from maintenance_trainer.data import SEED, Dataset
from maintenance_trainer.progress import Progress
from maintenance_trainer.recipes import Trained
from maintenance_trainer.tasks import text_classification as task


def retrain(
    base_model: Path, dataset: Dataset, recipes: Recipes, scratch: Path, progress: Progress
) -> Trained:
    """Train a fresh head and the base model's body on the training side of all rows.

    Args:
        base_model: a folder in Hugging Face's format.
        dataset: the snapshot's rows; contradicted old ones are already gone.
        recipes: the user's arguments.
        scratch: an empty folder for the library.
        progress: whom to tell.
    """
    rows = [*dataset.old_train, *dataset.new_train]
    labels = sorted({row.label for row in rows})
    classifier = task.from_base_model(base_model, labels, SEED)
    how = arguments.build(TrainingAction.RETRAIN, recipes.retrain_arguments, scratch)
    seconds = task.fit(classifier, rows, how, progress)
    return Trained(
        classifier, {"new": len(dataset.new_train), "old": len(dataset.old_train)}, seconds
    )

"""Fine-tune: go on from the champion with the new rows and some old ones against forgetting."""

import random
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from maintenance_contract import Recipes, TrainingAction
from maintenance_trainer import arguments
from maintenance_trainer.data import SEED, Dataset, Row
from maintenance_trainer.progress import Progress
from maintenance_trainer.recipes import Trained
from maintenance_trainer.tasks import text_classification as task


def fine_tune(
    champion: task.Classifier,
    folder: Path,
    dataset: Dataset,
    recipes: Recipes,
    scratch: Path,
    progress: Progress,
) -> Trained:
    """Train on new rows plus ``replay_percent`` old ones per hundred new.

    Args:
        champion: the model in service; it is trained in place.
        folder: where it lies.
        dataset: the snapshot's rows; contradicted old ones are already gone.
        recipes: the share of replay and the user's arguments.
        scratch: an empty folder for the library.
        progress: whom to tell.
    """
    rows = rows_of(dataset, recipes)
    new = len(dataset.new_train)
    classifier = task.grown(champion, folder, [row.label for row in dataset.new_train], SEED)
    how = arguments.build(TrainingAction.FINE_TUNE, recipes.fine_tune_arguments, scratch)
    fitted = task.fit(classifier, rows, how, progress, arguments.where(TrainingAction.FINE_TUNE))
    return Trained(classifier, {"new": new, "old": len(rows) - new}, fitted)


def rows_of(dataset: Dataset, recipes: Recipes) -> list[Row]:
    """New rows, then the old ones against forgetting."""
    replayed = replay(dataset.old_train, len(dataset.new_train) * recipes.replay_percent // 100)
    return [*dataset.new_train, *replayed]


def replay(old: Sequence[Row], count: int) -> list[Row]:
    """A stratified sample: each label keeps its share, the largest remainders round up."""
    if count >= len(old):
        return list(old)
    by_label: defaultdict[str, list[Row]] = defaultdict(list)
    for row in old:
        by_label[row.label].append(row)
    exact = {label: count * len(rows) / len(old) for label, rows in by_label.items()}
    shares = {label: int(share) for label, share in exact.items()}
    by_remainder = sorted(exact, key=lambda label: (shares[label] - exact[label], label))
    for label in by_remainder[: count - sum(shares.values())]:
        shares[label] += 1
    chance = random.Random(SEED)  # noqa: S311  # a sample, no secret
    return [
        row for label in sorted(by_label) for row in chance.sample(by_label[label], shares[label])
    ]

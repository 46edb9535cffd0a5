"""Fine-tune: go on from the champion with the new rows and some old ones against forgetting."""

import random
from collections import defaultdict
from collections.abc import Sequence
from heapq import heapify, heapreplace
from pathlib import Path

from maintenance_contract import Recipes, TrainingAction
from maintenance_trainer.data.rows import Row
from maintenance_trainer.data.split import Dataset
from maintenance_trainer.progress import Progress
from maintenance_trainer.recipes import Trained
from maintenance_trainer.seed import SEED
from maintenance_trainer.tasks.task import AnyTask, How, Model


def fine_tune(  # noqa: PLR0913  # each is a fact of its own
    task: AnyTask,
    champion: Model,
    folder: Path,
    dataset: Dataset,
    recipes: Recipes,
    *,
    scratch: Path,
    progress: Progress,
) -> Trained:
    """Train on new rows plus ``replay_percent`` old ones per hundred new.

    Args:
        task: the kind of model.
        champion: the model in service; it is trained in place.
        folder: where it lies.
        dataset: the snapshot's rows; contradicted old ones are already gone.
        recipes: the share of replay and the user's arguments.
        scratch: an empty folder for the library.
        progress: whom to tell.
    """
    rows = rows_of(dataset, recipes)
    new = len(dataset.new_train)
    # A model that was made elsewhere may never have learnt a label of the original rows.
    known = {"", *champion.labels}
    unknown = [row for row in rows[new:] if row.stratum not in known]
    model = task.extend(champion, folder, [*dataset.new_train, *unknown], SEED)
    how = How(TrainingAction.FINE_TUNE, recipes.fine_tune_arguments, scratch)
    fitted = task.fit(model, rows, how, progress)
    its = {"new": fitted.learnt(0, new), "old": fitted.learnt(new, len(rows))}
    return Trained(model, its, fitted)


def rows_of(dataset: Dataset, recipes: Recipes) -> list[Row]:
    """New rows, then the old ones against forgetting."""
    replayed = replay(dataset.old_train, len(dataset.new_train) * recipes.replay_percent // 100)
    return [*dataset.new_train, *replayed]


def replay(old: Sequence[Row], count: int) -> list[Row]:
    """A stratified sample: each stratum keeps its share, the largest remainders round up.

    Of a rare one a row stays, where a large one can spare it: it would be unlearnt else.
    """
    if count >= len(old):
        return list(old)
    by_stratum: defaultdict[str, list[Row]] = defaultdict(list)
    for row in old:
        by_stratum[row.stratum].append(row)
    exact = {name: count * len(rows) / len(old) for name, rows in by_stratum.items()}
    shares = {name: int(share) for name, share in exact.items()}
    by_remainder = sorted(exact, key=lambda name: (shares[name] - exact[name], name))
    for name in by_remainder[: count - sum(shares.values())]:
        shares[name] += 1
    _spare_one(shares, [name for name in by_remainder if not shares[name]])
    chance = random.Random(SEED)  # noqa: S311  # a sample, no secret
    return [
        row for name in sorted(by_stratum) for row in chance.sample(by_stratum[name], shares[name])
    ]


def _spare_one(shares: dict[str, int], without: Sequence[str]) -> None:
    """Give each of these a row of the largest one, the last by name of several, while it has two.

    A heap: there may be thousands of strata, and a look at all of them for each is too many.
    """
    by_name = enumerate(sorted(shares, reverse=True))
    largest_first = [(-shares[name], place, name) for place, name in by_name]
    heapify(largest_first)
    for name in without:
        share, place, largest = largest_first[0]
        if -share <= 1:
            return
        shares[largest], shares[name] = -share - 1, 1
        heapreplace(largest_first, (share + 1, place, largest))

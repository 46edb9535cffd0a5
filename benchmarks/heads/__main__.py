"""What is a head that is fitted alone worth, beside a training of all weights?

    nice -n 19 python benchmarks/heads --seeds 2 text digits

text: all-MiniLM-L6-v2 on synopses of Debian packages (as in benchmarks/decision/text.py), at 1,000
original and 300 updated rows: 684 and 150 of them are trained on, 1,000 of each are tested. digits:
a ResNet of random weights on the handwritten digits of scikit-learn, 600 and 150. The champion is a
retrain of all weights. Each arm is the trainer's own recipe. Without arguments of its own a head
has no learning rate; all weights are trained as the demo and the tests train them.
"""

import argparse
import json
import random
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch

HERE: Final = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "decision"), str(HERE.parents[1] / "tests")]

import text  # noqa: E402  # found through the path above
from support import pictures  # noqa: E402

from maintenance_contract import Recipes  # noqa: E402
from maintenance_contract.kinds import Method  # noqa: E402
from maintenance_trainer.data.rows import Row  # noqa: E402
from maintenance_trainer.data.split import Dataset, Recurrence  # noqa: E402
from maintenance_trainer.progress import Silent  # noqa: E402
from maintenance_trainer.recipes.fine_tune import fine_tune  # noqa: E402
from maintenance_trainer.recipes.retrain import retrain  # noqa: E402
from maintenance_trainer.tasks import image_classification, text_classification  # noqa: E402
from maintenance_trainer.tasks.image_files import ImageRow  # noqa: E402
from maintenance_trainer.tasks.task import AnyTask  # noqa: E402

Rows = tuple[Row, ...]
HEAD: Final = Method.HEAD_ONLY.arguments
TRAINED, NEW, TESTED = 684, 150, 1000


@dataclass(frozen=True, slots=True)
class Case:
    """A change: rows to learn and to test, before and after."""

    change: str
    task: AnyTask
    base: Path
    recipes: Recipes
    old: Rows
    new: Rows
    test_old: Rows
    test_new: Rows


def of_text(seed: int, folder: Path) -> Iterator[Case]:
    """Synopses: other packages, a new kind of them, other meanings of the groups."""
    text.base_model.copy_to(folder)
    for change in ("games", "none", "re-filed", "class-mix"):
        drawn = text.case(change, seed)
        yield Case(
            change,
            text_classification.TASK,
            folder,
            text.RECIPES,
            drawn.trained[:TRAINED],
            drawn.new[:NEW],
            drawn.test_old,
            drawn.test_new,
        )


def of_digits(seed: int, folder: Path) -> Iterator[Case]:
    """Digits: as before, a little thicker, on another ground."""
    pictures.base_model(folder)
    changes: Mapping[str, pictures.Change] = {
        "none": lambda image: image,
        "thicker": pictures.thicker,
        "inverted": pictures.inverted,
    }
    plain = _images()
    for change, made in changes.items():
        changed = _images(made)
        order = list(range(len(plain)))
        random.Random(seed).shuffle(order)  # noqa: S311  # a seeded sample, no secret
        parts = order[:600], order[600:750], order[750:1250], order[1250:1750]
        yield Case(
            change,
            image_classification.TASK,
            folder,
            Recipes(50, dict(pictures.QUICK), dict(pictures.QUICK)),
            *(
                tuple(its[number] for number in part)
                for its, part in zip((plain, changed, plain, changed), parts, strict=True)
            ),
        )


def _images(change: pictures.Change = lambda image: image) -> list[ImageRow]:
    return [pictures.row(*each) for each in pictures.digits(slice(None), change)]


WORLDS: Final = {"text": of_text, "digits": of_digits}


def measured(case: Case, champion: Path, labels: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Each arm: seconds of the training, accuracy on new and old rows."""
    dataset = Dataset(case.new, (), case.old, (), Recurrence(0, 0))
    task = case.task
    yield {"arm": "keep", **_scored(case, task.load(champion, labels))}
    tuned, retrained = case.recipes.fine_tune_arguments, case.recipes.retrain_arguments
    arms = {
        "fine-tune Full": Recipes(50, tuned, retrained, 50),
        "fine-tune HeadOnly": Recipes(50, HEAD, HEAD, 50),
        "retrain HeadOnly": Recipes(50, HEAD, HEAD, 50),
        "retrain Full": Recipes(50, tuned, retrained, 50),
    }
    for arm, how in arms.items():
        model = task.load(champion, labels)
        with tempfile.TemporaryDirectory() as name:
            options: dict[str, Any] = {"scratch": Path(name), "progress": Silent()}
            start = time.process_time()
            if arm.startswith("retrain"):
                made = retrain(task, case.base, dataset, how, **options)
            else:
                made = fine_tune(task, model, champion, dataset, how, **options)
            seconds = time.process_time() - start
        yield {"arm": arm, "seconds": round(seconds, 1), **_scored(case, made.model)}


def _scored(case: Case, model: Any) -> dict[str, float]:
    return {
        side: round(1 - float(case.task.outputs(model, rows, Silent(), "").loss.mean()), 3)
        for side, rows in (("new", case.test_new), ("old", case.test_old))
    }


def main() -> None:
    """Print a line of JSON for each arm."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("worlds", nargs="+", choices=WORLDS)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--first", type=int, default=9100)
    options = parser.parse_args()
    torch.set_num_threads(1)
    for world in options.worlds:
        for seed in range(options.first, options.first + options.seeds):
            with tempfile.TemporaryDirectory() as name:
                folder, champion = Path(name) / "base", Path(name) / "champion"
                labels: Sequence[str] = ()
                for case in WORLDS[world](seed, folder):
                    if not labels:  # old rows of a seed are the same for all changes
                        before = Dataset((), (), case.old, (), Recurrence(0, 0))
                        made = retrain(
                            case.task,
                            case.base,
                            before,
                            case.recipes,
                            scratch=Path(name) / "scratch",
                            progress=Silent(),
                        )
                        champion.mkdir()
                        case.task.save(made.model, champion)
                        labels = made.model.labels
                    for told in measured(case, champion, labels):
                        where = {"world": world, "seed": seed, "change": case.change}
                        print(json.dumps({**where, **told}), flush=True)


if __name__ == "__main__":
    main()

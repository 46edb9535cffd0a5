"""As ``size_cells``, with a transformer on real texts: all-MiniLM-L6-v2, the trainer's own recipes.

Hyperparameters are those of the demo, as in ``text``. Costs are rows that are trained on, as a
share of those of a merged retrain.
"""

import random
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import domains
import numpy as np
import paired
import torch
from changes import HALF, LEFT_OUT, MERGED, TUNED
from paired import Answers
from size_cells import conceivable, report_of
from text import RECIPES, Case, Served, champion

from maintenance_contract import TrainingReport
from maintenance_trainer.data.rows import Row
from maintenance_trainer.data.split import Dataset, Recurrence
from maintenance_trainer.diagnose.samples import Sample
from maintenance_trainer.evaluate import at_class_mix
from maintenance_trainer.progress import Silent
from maintenance_trainer.recipes.contradicted import contradicted
from maintenance_trainer.recipes.fine_tune import fine_tune
from maintenance_trainer.recipes.retrain import retrain
from maintenance_trainer.tasks.huggingface.classification import Classifier
from maintenance_trainer.tasks.task import Outputs
from maintenance_trainer.tasks.text_classification import TASK

import base_model  # isort: skip  # found through the path that text extends

RELABELLED: Final = {"re-filed"}
"""Changes whose oracle may be an arm that leaves contradicted rows out."""
NEW_PERCENT: Final = {TUNED: 0, MERGED: 0, HALF: 50}
PLAIN: Final = {arm: arm for arm in LEFT_OUT} | {other: arm for arm, other in LEFT_OUT.items()}
"""What an arm is but for the rows that are left out."""


@dataclass(frozen=True, slots=True)
class Past:
    """The champion of a seed, and what it makes of the rows of its time."""

    folder: tempfile.TemporaryDirectory[str]
    base: Path
    served: Served
    trained: Outputs
    held_out: Outputs
    tests: Outputs


@lru_cache(maxsize=1)
def past(domain: str, originals: int, seed: int) -> Past:
    """Draw and train; the folder goes when it is forgotten."""
    folder = tempfile.TemporaryDirectory(prefix="sizes-")
    base = Path(folder.name) / "base"
    base_model.copy_to(base)
    drawn = domains.case(domain, "none", originals, 1, seed)
    served = champion(drawn, base, Path(folder.name) / "champion")
    model = served.load()
    return Past(
        folder,
        base,
        served,
        *(_read(model, rows) for rows in (drawn.trained, drawn.held_out, drawn.test_old)),
    )


def _read(classifier: Classifier, rows: Sequence[Row]) -> Outputs:
    return TASK.outputs(classifier, rows, Silent(), "")


def one(domain: str, change: str, originals: int, updates: int, seed: int) -> dict[str, Any]:
    """A change, its diagnosis, and what each arm does on held-out rows and in service."""
    torch.set_num_threads(1)
    before, drawn = (
        past(domain, originals, seed),
        domains.case(domain, change, originals, updates, seed),
    )
    model = before.served.load()
    new, tests = drawn.new_held_out + drawn.new, _read(model, drawn.test_new)
    fresh = _read(model, new)
    report, blocked = _diagnosed(before, drawn, fresh, model)
    labels = before.served.labels
    held = len(drawn.new_held_out)
    served = {
        "new": _answers(fresh, new, labels).part(np.arange(held)),
        "old": _answers(before.held_out, drawn.held_out, labels),
        "test new": _answers(tests, drawn.test_new, labels),
        "test old": _answers(before.tests, drawn.test_old, labels),
    }
    kept = {row.key for row in at_class_mix(drawn.held_out, new)}
    at_mix = np.array([row.key in kept for row in drawn.held_out], bool)
    metric = drawn.test_new
    if change == "labels-shuffled":
        metric = domains.shuffled(metric, random.Random(seed))  # noqa: S311  # no secret
    left_out = change in RELABELLED or conceivable(report)
    scored = {}
    for name in (TUNED, MERGED, HALF, *(LEFT_OUT.values() if left_out else ())):
        old = drawn.trained
        if name != PLAIN[name]:
            old = _without_contradicted(before, drawn, fresh)
        made, rows = _made(name, replace(drawn, trained=old), before)
        cost = rows / (len(drawn.trained) + len(drawn.new))
        scored[name] = {"cost": cost, **_scored(served, made, drawn, at_mix)}
    return {
        "domain": domain,
        "holdout": "auto",
        "change": change,
        "originals": originals,
        "updates": updates,
        "seed": seed,
        "report": report.to_json(),
        "blocked": blocked,
        "metric": {
            "new": float(_answers(tests, metric, labels).right.mean()),
            "old": float(served["test old"].right.mean()),
        },
        "keep": {side: float(served[f"test {side}"].right.mean()) for side in ("new", "old")},
        "arms": scored,
    }


def _diagnosed(
    before: Past, drawn: Case, fresh: Outputs, model: Classifier
) -> tuple[TrainingReport, str]:
    new = drawn.new_held_out + drawn.new
    return report_of(
        _sample(before.trained, drawn.trained),
        _sample(before.held_out, drawn.held_out),
        _sample(fresh, new),
        len(drawn.new_held_out),
        counted=(list(drawn.held_out), list(new)),
        inputs=TASK.input_changes(model, drawn.held_out, new),
    )


def _sample(outputs: Outputs, rows: Sequence[Row]) -> Sample:
    return Sample(
        outputs.embeddings.astype(np.float64),
        outputs.probabilities.astype(np.float64),
        np.array([row.label for row in rows], str),
        np.array(outputs.predicted, str),
    )


def _answers(outputs: Outputs, rows: Sequence[Row], labels: Sequence[str]) -> Answers:
    names = np.array([row.label for row in rows], str)
    return Answers.of(outputs.probabilities.astype(np.float64), names, np.array(labels, str))


def _without_contradicted(before: Past, drawn: Case, fresh: Outputs) -> tuple[Row, ...]:
    embedded = fresh.embeddings[len(drawn.new_held_out) :]
    flags = contradicted(drawn.trained, drawn.new, before.trained.embeddings, embedded)
    return tuple(row for row, out in zip(drawn.trained, flags, strict=True) if not out)


def _made(arm: str, drawn: Case, before: Past) -> tuple[Classifier, int]:
    """A challenger, and the rows it was trained on."""
    way = PLAIN[arm]
    recipes = replace(RECIPES, new_data_percent=NEW_PERCENT[way])
    dataset = Dataset(
        drawn.new, drawn.new_held_out, drawn.trained, drawn.held_out, Recurrence(0, 0)
    )
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        if way == TUNED:
            served = before.served
            made = fine_tune(
                TASK,
                served.load(),
                served.folder,
                dataset,
                recipes,
                scratch=scratch,
                progress=Silent(),
            )
        else:
            made = retrain(TASK, before.base, dataset, recipes, scratch=scratch, progress=Silent())
    return made.model, sum(made.rows.values())


def _scored(
    served: Mapping[str, Answers], made: Classifier, drawn: Case, at_mix: Any
) -> dict[str, Any]:
    def of(rows: Sequence[Row]) -> Answers:
        return _answers(_read(made, rows), rows, made.labels)

    new, old = of(drawn.new_held_out), of(drawn.held_out)
    named = [np.array([row.label for row in rows]) for rows in (drawn.new_held_out, drawn.held_out)]
    return {
        "new": paired.sums(served["new"], new, named[0]),
        "old": paired.sums(served["old"], old, named[1]),
        "oldAtNewMix": paired.sums(served["old"].part(at_mix), old.part(at_mix), named[1][at_mix]),
        "test": {
            "new": paired.counts(served["test new"].right, of(drawn.test_new).right),
            "old": paired.counts(served["test old"].right, of(drawn.test_old).right),
        },
    }

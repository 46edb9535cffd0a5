"""What is there to decide on at the API's defaults: a diagnosis, and every arm really trained.

A cell holds all that training produced and no decision, so that rules, brakes and gate are applied
afterwards (``size_policies``) and can change without a training. The champion of a seed, its rows
and what it was not trained on are the same for all changes of that seed.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Final

import arms
import numpy as np
import paired
import torch
import weak
from arms import Arm, Network
from changes import BROKEN, LEFT_OUT, MERGED
from families import FAMILIES
from numpy.typing import NDArray
from paired import Answers
from weak import Rows

from maintenance_contract import (
    LEAST_ROWS,
    Answer,
    Diagnosis,
    Finding,
    HeldOut,
    Operation,
    Outcome,
    Question,
    RowCounts,
    TrainingReport,
    held_out_rows,
)
from maintenance_trainer.data.folders import Origin
from maintenance_trainer.data.split import Recurrence
from maintenance_trainer.diagnose import examine, feature_space, quality
from maintenance_trainer.diagnose.answers import Measure
from maintenance_trainer.diagnose.samples import Sample
from maintenance_trainer.errors import DataError
from maintenance_trainer.tasks.text_classification import TokenCounts, measures
from maintenance_trainer.tasks.texts import make_row
from maintenance_trainer.tasks.words import Words

SCENARIOS: Final = weak.SCENARIOS | FAMILIES
TESTED: Final = 20_000
METRIC_ROWS: Final = 1000
"""Predictions behind the metric's reading."""
ALWAYS_TRAINED: Final = {
    "concept-local",
    "concept-6",
    "concept-and-shift",
    "concept-other-rule",
    "label-and-concept",
}
"""Changes whose oracle may be an arm that leaves contradicted rows out."""
CONCEIVABLE: Final = 0.2
"""p-value above which no rule would speak of concept drift: then no such arm is asked for."""
DRIFT: Final = ("unexplainedErrorRise", "errorRiseAtEqualClass", "relabelledTexts")
NO_TOKENS: Final = TokenCounts(texts=0, empty=0, words=Words(0, 0, 0), tokens=0, unknown=0, cut=0)
"""A table has none."""
NAMES: Final = np.array([0, 1])


HOLDOUTS: Final[dict[str, tuple[Callable[[int], int], Callable[[int], int]]]] = {
    "auto": (held_out_rows, held_out_rows),
    "10/30": (lambda rows: round(0.1 * rows), lambda rows: round(0.3 * rows)),
}
"""How many of the originals and of the updates are held out."""


@dataclass(frozen=True, slots=True)
class Past:
    """The champion and the rows of its time."""

    served: Network
    trained: Rows
    held_out: Rows
    tests: Rows


@lru_cache(maxsize=2)
def past(originals: int, held_out: int, seed: int) -> Past:
    """Draw and train."""
    chance = np.random.default_rng([seed, 1])
    x, y = weak.usual(originals, chance)
    trained = x[held_out:], y[held_out:]
    tests = weak.usual(TESTED, chance)
    served = arms.champion(trained, seed).network
    return Past(served, trained, (x[:held_out], y[:held_out]), tests)


def one(holdout: str, scenario: str, originals: int, updates: int, seed: int) -> dict[str, Any]:
    """A change, its diagnosis, and what each arm does on held-out rows and in service."""
    torch.set_num_threads(1)
    of_old, of_new = HOLDOUTS[holdout]
    before = past(originals, of_old(originals), seed)
    chance = np.random.default_rng([seed, 2])
    x, y = SCENARIOS[scenario].draw(updates, chance)
    held = of_new(updates)
    judged, tried = (x[:held], y[:held]), (x[held:], y[held:])
    law = SCENARIOS["none" if scenario in BROKEN else scenario]
    rows = {
        "new": judged,
        "old": before.held_out,
        "oldAtNewMix": arms.at_mix(before.held_out, y),
    }
    tests = {"new": law.draw(TESTED, chance), "old": before.tests}
    metric = SCENARIOS[scenario].draw(METRIC_ROWS, chance)
    report, blocked = diagnosed(before, (x, y), held)
    served = {name: _answers(before.served, its) for name, its in (rows | tests_of(tests)).items()}
    trained = _trained(
        before, tried, seed, contradicted=scenario in ALWAYS_TRAINED or conceivable(report)
    )
    steps = trained[MERGED].steps
    return {
        "domain": "tables",
        "holdout": holdout,
        "change": scenario,
        "originals": originals,
        "updates": updates,
        "seed": seed,
        "report": report.to_json(),
        "blocked": blocked,
        "metric": {
            "new": float(before.served.right(metric).mean()),
            "old": float(served["test old"].right.mean()),
        },
        "keep": {side: float(served[f"test {side}"].right.mean()) for side in ("new", "old")},
        "arms": {
            name: {"cost": arm.steps / steps, **_scored(served, arm.network, rows, tests)}
            for name, arm in trained.items()
        },
    }


def tests_of(tests: dict[str, Rows]) -> dict[str, Rows]:
    """Named apart from held-out rows."""
    return {f"test {name}": rows for name, rows in tests.items()}


def _trained(before: Past, tried: Rows, seed: int, *, contradicted: bool) -> dict[str, Arm]:
    """The arms that a policy can ask for."""
    old, served = before.trained, before.served
    found = arms.some_arms(served, old, tried, seed)
    if contradicted:
        kept = ~arms.refuted(served, old, tried)
        holding = old[0][kept], old[1][kept]
        again = found if kept.all() else arms.some_arms(served, holding, tried, seed)
        found |= {LEFT_OUT[name]: arm for name, arm in again.items()}
    return found


def _scored(
    served: dict[str, Answers], other: Network, rows: dict[str, Rows], tests: dict[str, Rows]
) -> dict[str, Any]:
    return {
        **{
            name: paired.sums(served[name], _answers(other, its), its[1])
            for name, its in rows.items()
        },
        "test": {
            name: paired.counts(served[f"test {name}"].right, _answers(other, its).right)
            for name, its in tests.items()
        },
    }


def _answers(network: Network, rows: Rows) -> Answers:
    return Answers.of(network.probabilities(rows[0]), rows[1], NAMES)


# --- the diagnosis ----------------------------------------------------------------------


def diagnosed(before: Past, new: Rows, held: int) -> tuple[TrainingReport, str]:
    """The trainer's report, and the reason for which it refuses the labels, if it does.

    The report holds the diagnosis in either case.
    """
    seen, old, fresh = (
        arms.sample(before.served, rows) for rows in (before.trained, before.held_out, new)
    )
    return report_of(
        seen,
        old,
        fresh,
        held,
        counted=(_by_label(old.labels, new=False), _by_label(fresh.labels, new=True)),
        inputs=measures(NO_TOKENS, replace(NO_TOKENS, texts=len(fresh))),
    )


def report_of(
    seen: Sample,
    old: Sample,
    new: Sample,
    held: int,
    *,
    counted: tuple[list[Any], list[Any]],
    inputs: list[Measure],
) -> tuple[TrainingReport, str]:
    """As the trainer writes it.

    Args:
        seen: rows that the champion was trained on.
        old: held-out rows of that time.
        new: all newly labelled rows, the held-out ones first.
        held: how many of them are held out.
        counted: old and new rows, whose labels are counted.
        inputs: what has changed in the form of both.
    """
    blocked, known = "", np.isin(new.labels, np.unique(seen.labels))
    try:
        quality.check(old, new.part(known))
    except DataError as error:
        blocked = error.reason
    measured = examine.measure(
        seen, old, new.part(known), np.ones(int(known.sum()), bool), Recurrence(0, 0)
    )
    names = set(np.unique(seen.labels).tolist())
    if len(new) >= LEAST_ROWS:
        space = tuple(feature_space.measures(*counted, names, inputs))
        measured = replace(measured, space=space)
    right = (new.labels == new.predicted)[:held], old.labels == old.predicted
    diagnosis = Diagnosis(
        RowCounts(len(new) - held, held, len(seen), len(old)),
        examine.findings(measured),
        new=HeldOut(held, int(right[0].sum())),
        old=HeldOut(len(old), int(right[1].sum())),
        labels=len(names | set(new.labels.tolist())),
    )
    return (
        TrainingReport(Operation.DIAGNOSE, 2, "", Outcome.SUCCEEDED, diagnosis=diagnosis),
        blocked,
    )


def conceivable(report: TrainingReport) -> bool:
    """Whether some rule could speak of concept drift."""
    assert report.diagnosis is not None  # noqa: S101 - report_of has put it there
    return any(_conceivable(finding) for finding in report.diagnosis.findings)


def _conceivable(finding: Finding) -> bool:
    return (finding.question is Question.CONCEPT_DRIFT and finding.answer is Answer.MAJOR) or any(
        evidence.name in DRIFT and evidence.p_value is not None and evidence.p_value <= CONCEIVABLE
        for evidence in finding.evidence
    )


def _by_label(labels: NDArray[Any], *, new: bool) -> list[Any]:
    origin = Origin.UPDATES if new else Origin.ORIGINAL
    return [make_row("", label, origin, new=new) for label in labels.tolist()]

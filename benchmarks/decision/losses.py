"""Kinds without classes: does the gate hold its level, and is the cause named right?

*Gate*: losses of two models are drawn, correlated as residuals of which .8 is common; nothing is
trained. *equal*: how often is the challenger called better? *loss*: its errors are 5 % larger, and
the gate allows just that: how often is nothing called lost? *rare*: it is better on most rows and
far worse on three in a hundred, so that both are equal: what no test of few rows can see.

*Cause*: gradient boosting is fitted to 700 rows of a table and serves; 300 rows are held out, 300
newly labelled. The product's diagnosis, rules and brakes decide after a drop of the metric. The
thresholds are those of classes, chosen on other data; none was tuned on these draws.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Final

import numpy as np
import results
from deciding import NOW, SERVED, SPEC
from intervals import wilson
from numpy.typing import NDArray
from sklearn.datasets import load_diabetes, make_friedman1
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import Ridge

from maintenance_contract import (
    LOSSES,
    Diagnosis,
    Operation,
    Outcome,
    RowCounts,
    ScoreMetric,
    TrainingReport,
)
from maintenance_core.decide.compared import ByLoss
from maintenance_core.decide.decision import decide
from maintenance_core.model import (
    Decision,
    Degraded,
    Reading,
    Situation,
    ThresholdRange,
    Thresholds,
    Trigger,
)
from maintenance_trainer.diagnose import examine, quality_of_numbers
from maintenance_trainer.diagnose.answers import Measure
from maintenance_trainer.diagnose.numbers import Again, NumberSample
from maintenance_trainer.diagnose.thresholds import IMAGE_FORM
from maintenance_trainer.errors import DataError
from maintenance_trainer.paired_losses import Yardstick, held_out_loss, paired_loss

Floats = NDArray[np.float64]

ROWS: Final = (60, 200, 1000)
SHAPES: Final = ("gauss", "laplace", "lognormal", "t3")
CASES: Final = ("equal", "loss", "rare")
COMMON: Final = 0.8
RARE: Final = 0.03
PLENTY: Final = 2_000_000
LEVEL: Final = 0.05

TRAINED, HELD_OUT, NEW = 700, 300, 300
NOISES: Final = ("gauss", "t3", "lognormal", "with the input")
CHANGES: Final = (
    "nothing",
    "a column that means nothing moved",
    "a column that means something moved",
    "a region that is harder came more often",
    "the relation changed",
    "the relation changed for a fifth",
    "a new region",
    "labels shuffled",
    "another unit",
)
RIGHT: Final[dict[str, frozenset[str]]] = {
    "nothing": frozenset({"None", "Wait"}),
    "a column that means nothing moved": frozenset({"None", "Wait"}),
    "a column that means something moved": frozenset({"None", "Wait", "FineTune"}),
    "a region that is harder came more often": frozenset({"None", "Wait", "FineTune"}),
    "the relation changed": frozenset({"Retrain"}),
    "the relation changed for a fifth": frozenset({"Retrain", "FineTune"}),
    "a new region": frozenset({"FineTune"}),
    "labels shuffled": frozenset({"Blocked"}),
    "another unit": frozenset({"Blocked"}),
}
"""Actions that are right; ``None`` and ``Wait`` where no training would mend anything."""


class Row:
    """A row of a unit of its own."""

    def __init__(self, unit: int) -> None:
        self.unit = str(unit)


@cache
def _rows(n: int) -> Any:
    return [Row(number) for number in range(n)]


def noise(shape: str, size: Any, random: np.random.Generator) -> Floats:
    """Of about the same spread, whatever its tails."""
    match shape:
        case "laplace":
            return np.asarray(random.laplace(size=size) / np.sqrt(2))
        case "lognormal":
            return np.asarray((random.lognormal(size=size) - np.exp(0.5)) / 2.16)
        case "t3":
            return np.asarray(random.standard_t(3, size=size) / np.sqrt(3))
        case _:
            return np.asarray(random.standard_normal(size=size))


# --- the gate ---------------------------------------------------------------------------


def _drawn(shape: str, case: str, n: int, random: np.random.Generator) -> tuple[Floats, Floats]:
    own = noise(shape, (3, n), random)
    champion, challenger = (
        np.abs(np.sqrt(COMMON) * own[0] + np.sqrt(1 - COMMON) * each) for each in own[1:]
    )
    if case == "loss":
        challenger = 1.05 * challenger
    if case == "rare":
        challenger = np.where(random.random(n) < RARE, 5.0, 0.88) * challenger
    return champion, challenger


@dataclass(frozen=True, slots=True)
class Setting:
    """A cell of the gate's table."""

    metric: ScoreMetric
    shape: str
    case: str
    rows: int


def gate_cell(setting: Setting, draws: int, seed: int) -> dict[str, Any]:
    """How often the gate is wrong at .05."""
    random = np.random.default_rng([seed, *str(setting).encode()])
    yardstick = Yardstick(setting.metric, 2.0)
    allowed = 0.0
    if setting.case != "equal":
        power = 2 if setting.metric is ScoreMetric.RMSE else 1
        both = _drawn(setting.shape, setting.case, PLENTY, random)
        before, after = ((loss**power).mean() ** (1 / power) / 2.0 for loss in both)
        allowed = float(after - before)
    wrong = 0
    for _ in range(draws):
        both = _drawn(setting.shape, setting.case, setting.rows, random)
        score = paired_loss(yardstick, _rows(setting.rows), *both)
        assert score is not None  # noqa: S101 - there are rows
        # A gate that allows a loss by less than nothing asks for a gain.
        wrong += ByLoss(score).keeps(allowed, 1 - LEVEL)
    return {
        "metric": setting.metric.value,
        "losses": setting.shape,
        "case": setting.case,
        "rows": setting.rows,
        "draws": draws,
        "wrong": wrong,
        "allowed": round(allowed, 4),
    }


# --- the cause --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of a table: four columns, the last of which means nothing; numbers."""

    x: Floats
    y: Floats

    @classmethod
    def drawn(cls, n: int, shape: str, random: np.random.Generator, change: str = "") -> "Table":
        """Rows of now, after a change."""
        x = random.standard_normal((n, 4))
        if change == "a column that means nothing moved":
            x[:, 3] += 1.0
        if change == "a column that means something moved":
            x[:, 1] += 0.7
        if change == "a region that is harder came more often":
            x[:, 0] += 0.7
        y = 2 * x[:, 0] - x[:, 1] + np.sin(2 * x[:, 2])
        own = 0.5 * noise("gauss" if shape == "with the input" else shape, n, random)
        if shape == "with the input":
            own *= np.exp(0.5 * x[:, 0])
        if change == "the relation changed":
            y += 1.2 * x[:, 1]
        if change == "the relation changed for a fifth":
            y += 2.0 * (x[:, 0] > 0.84)  # noqa: PLR2004 - a fifth of a normal column
        if change == "a new region":
            far = random.random(n) < 0.2  # noqa: PLR2004 - of the rows
            x[far, 1] += 6.0
            y = np.where(far, 3.0 - x[:, 0], y)
        y = y + own
        if change == "labels shuffled":
            y = random.permutation(y)
        if change == "another unit":
            y = 1000.0 * y
        return cls(x, y)


def cause_cell(change: str, shape: str, seed: int) -> dict[str, Any]:
    """What is decided."""
    random = np.random.default_rng([seed, *f"{change} {shape}".encode()])
    trained, old = (Table.drawn(n, shape, random) for n in (TRAINED, HELD_OUT))
    new = Table.drawn(NEW, shape, random, change)
    model = HistGradientBoostingRegressor(max_iter=60, max_depth=4, random_state=0)
    model.fit(trained.x, trained.y)
    decision = _decided(model.predict, trained, old, new)
    return {
        "change": change,
        "noise": shape,
        "seed": seed,
        "action": decision.action.value,
        "reason": str(decision.reason),
    }


def _decided(
    predict: Callable[[Floats], Floats], trained: Table, old: Table, new: Table
) -> Decision:
    yardstick = Yardstick.of(ScoreMetric.MAE, np.abs(trained.y - np.median(trained.y)))
    assert yardstick is not None  # noqa: S101 - labels differ
    losses = [np.abs(predict(table.x) - table.y) for table in (old, new)]
    then, now = (
        NumberSample(table.x, yardstick.measured(loss), table.y, yardstick.baseline)
        for table, loss in zip((old, new), losses, strict=True)
    )
    held = NEW // 2
    report = TrainingReport(Operation.DIAGNOSE, 2, "", Outcome.SUCCEEDED)
    try:
        quality_of_numbers.check(then, now)
    except DataError as error:
        report = replace(report, outcome=Outcome.FAILED, reason=error.reason)
    else:
        again = Again(np.empty(0))
        measures = replace(
            examine.measure_numbers(trained.x, then, now, np.ones(NEW, bool), again),
            space=(Measure("newColumnTypes", 0.0, 0.0, IMAGE_FORM, None, NEW),),
        )
        report = replace(
            report,
            diagnosis=Diagnosis(
                RowCounts(NEW - held, held, TRAINED, HELD_OUT),
                examine.findings(measures),
                new=held_out_loss(yardstick, _rows(held), losses[1][:held]),
                old=held_out_loss(yardstick, _rows(HELD_OUT), losses[0]),
            ),
        )
    spec = replace(
        SPEC,
        gate=replace(SPEC.gate, metric=ScoreMetric.MAE),
        thresholds=Thresholds(class_mix=None),
    )
    return decide(
        Situation(
            number=2,
            trigger=Trigger.PERFORMANCE_DROP,
            spec=spec,
            report=report,
            now=NOW,
            degraded=Degraded(Reading(NOW, 0.9, 1000.0), 3, 5, ThresholdRange(max=0.6)),
            champion=SERVED,
        )
    )


def agreement(seed: int) -> list[float]:
    """How losses of two models that share half of their rows agree from row to row."""
    random = np.random.default_rng(seed)
    found = []
    diabetes = load_diabetes(return_X_y=True)
    friedman = make_friedman1(1000, noise=2.0, random_state=seed)
    for x, y in (diabetes, friedman):
        order = random.permutation(len(x))
        held, first, both = order[: len(x) // 3], order[len(x) // 3 :: 2], order[len(x) // 3 :]
        ways: tuple[Callable[[], Any], ...] = (
            lambda: Ridge(1.0),
            lambda: HistGradientBoostingRegressor(max_iter=60),
        )
        for make in ways:
            losses = [
                np.abs(make().fit(x[rows], y[rows]).predict(x[held]) - y[held])
                for rows in (first, both)
            ]
            found.append(float(np.corrcoef(*losses)[0, 1]))
    return found


# --- the command ------------------------------------------------------------------------


def add_to(subparsers: Any) -> None:
    """The subcommand's arguments."""
    parser = subparsers.add_parser(
        "losses", help="kinds without classes: the gate's level, the cause", description=__doc__
    )
    parser.add_argument("--draws", type=int, default=1000, metavar="M", help="of each gate cell")
    parser.add_argument("--seeds", type=int, default=30, metavar="N", help="of each change")
    parser.add_argument("--null-seeds", type=int, default=100, metavar="N", help="of no change")
    parser.add_argument("--first", type=int, default=1000, metavar="K", help="first seed")
    parser.add_argument("--record", action="store_true", help="write benchmarks/results")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Print both tables."""
    with ProcessPoolExecutor(args.jobs) as pool:
        gate = _gate(pool, args)
        cause = _cause(pool, args)
    agreements = np.array([agreement(seed) for seed in range(10)])
    print(f"agreement of losses: {agreements.mean(axis=0).round(2).tolist()}")
    figures = {**_of_gate(gate), **_of_cause(cause)}
    figures["losses_agreement"] = {
        "value": round(float(agreements.mean()), 3),
        "low": round(float(agreements.min()), 3),
        "high": round(float(agreements.max()), 3),
    }
    print(figures)
    if args.record:
        results.record("losses", [*gate, *cause], figures)


def _gate(pool: ProcessPoolExecutor, args: argparse.Namespace) -> list[dict[str, Any]]:
    settings = [
        Setting(metric, shape, case, rows)
        for metric in LOSSES
        for case in CASES
        for shape in SHAPES
        for rows in ROWS
    ]
    print("| metric | case | losses | rows | wrong at .05 |\n|---|---|---|---|---|")
    found = []
    for one in pool.map(gate_cell, settings, *_alike(len(settings), args.draws, args.first)):
        found.append(one)
        told = [one[key] for key in ("metric", "case", "losses", "rows")]
        print(f"| {' | '.join(map(str, told))} | {one['wrong'] / one['draws']:.3f} |", flush=True)
    return found


def _alike(count: int, *values: Any) -> list[list[Any]]:
    return [[value] * count for value in values]


def _cause(pool: ProcessPoolExecutor, args: argparse.Namespace) -> list[dict[str, Any]]:
    asked = [
        (change, shape, args.first + seed)
        for change in CHANGES
        for shape in NOISES
        for seed in range(args.null_seeds if change == "nothing" else args.seeds)
    ]
    found = []
    for one in pool.map(cause_cell, *zip(*asked, strict=True), chunksize=4):
        found.append(one)
        if len(found) % 50 == 0:
            print(f"{len(found)}/{len(asked)}", file=sys.stderr, flush=True)
    print("| change | noise | right | decided |\n|---|---|---|---|")
    for change in CHANGES:
        for shape in NOISES:
            cells = [one for one in found if (one["change"], one["noise"]) == (change, shape)]
            right = sum(one["action"] in RIGHT[change] for one in cells)
            told = Counter(f"{one['action']} ({one['reason']})" for one in cells)
            often = ", ".join(f"{count} {name}" for name, count in told.most_common())
            print(f"| {change} | {shape} | {right} of {len(cells)} | {often} |")
    return found


def _of_gate(cells: list[dict[str, Any]]) -> dict[str, Any]:
    figures = {}
    for case in CASES:
        shares = [one for one in cells if one["case"] == case]
        most = max(shares, key=lambda one: one["wrong"] / one["draws"])
        low, high = wilson(most["wrong"], most["draws"])
        figures[f"losses_gate_{case}"] = {
            "value": most["wrong"] / most["draws"],
            "low": low,
            "high": high,
            "mean": round(float(np.mean([one["wrong"] / one["draws"] for one in shares])), 4),
            "of": f"{most['metric']}, {most['losses']}, {most['rows']} rows",
        }
    return figures


def _of_cause(cells: list[dict[str, Any]]) -> dict[str, Any]:
    figures = {}
    for name, changes in (("null", CHANGES[:1]), ("changes", CHANGES[1:])):
        these = [one for one in cells if one["change"] in changes]
        right = sum(one["action"] in RIGHT[one["change"]] for one in these)
        low, high = wilson(right, len(these))
        figures[f"losses_right_on_{name}"] = {
            "value": round(right / len(these), 4),
            "low": low,
            "high": high,
            "cells": len(these),
        }
    return figures

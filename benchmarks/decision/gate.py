"""Does the gate by a metric hold its level? Equal models, a loss as large as allowed, a gain.

Two models are drawn that are right on each class with given chances, correlated by .8 on the
normal scale; nothing is trained. *equal*: both alike, how often is the challenger called better?
*loss*: it loses 4 points of accuracy in every class, and the gate allows just what that costs in
the metric: how often is nothing called lost? *gain*: the challenger gains 10 points. Thresholds are
not tuned on these draws; there are none. Where rows belong together, ten to a unit, half of the
variance on the normal scale is the unit's.
"""

import argparse
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import results
from intervals import wilson
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from maintenance_contract import ScoreMetric
from maintenance_core.decide.compared import Clustered, Compared, Counted, Scored
from maintenance_trainer.evaluate import paired_counts
from maintenance_trainer.paired_scores import Predictions, paired_score

LEVELS: Final = (0.05, 0.2)
"""One less the gate's ``confidence`` and ``weighedConfidence``, by default."""
ALIKE, LOSS, GAIN = 0.8, 0.04, 0.1
PLENTY: Final = {ScoreMetric.MACRO_F1: 1_000_000, ScoreMetric.AUROC: 300_000}
"""Rows of which the true difference is taken, where it is not known exactly."""
MIXES: Final = {
    "2 classes": (0.5, 0.5),
    "2 classes, 1 in 20": (0.95, 0.05),
    "5 classes": (0.2,) * 5,
    "5 classes, 1 in 100": (0.6, 0.25, 0.1, 0.04, 0.01),
    "20 classes": (0.05,) * 20,
}
ROWS: Final = (30, 60, 150, 500, 2000)
UNITS: Final = (3, 5, 10, 30, 100)
IN_UNIT, OF_UNIT = 10, 0.5
"""Rows of a unit, and its part in the variance, where rows belong together."""
RIGHT: Final = (0.8, 0.95)


@dataclass(frozen=True, slots=True)
class Setting:
    """A cell of the table."""

    metric: ScoreMetric
    mix: str
    rows: int
    right: float
    in_unit: int = 1


def settings() -> list[Setting]:
    """All cells; AUROC has two classes."""
    together = [
        Setting(metric, "2 classes", IN_UNIT * units, right, IN_UNIT)
        for metric in (ScoreMetric.ACCURACY, ScoreMetric.BALANCED_ACCURACY, ScoreMetric.AUROC)
        for units in UNITS
        for right in RIGHT
    ]
    return together + [
        Setting(metric, mix, rows, right)
        for metric in (ScoreMetric.BALANCED_ACCURACY, ScoreMetric.MACRO_F1, ScoreMetric.AUROC)
        for mix, shares in MIXES.items()
        if metric is not ScoreMetric.AUROC or len(shares) == 2  # noqa: PLR2004
        for rows in ROWS
        for right in RIGHT
    ]


def _drawn(
    setting: Setting, gain: float, rows: int, random: np.random.Generator
) -> Compared | None:
    """Two models on as many rows, as the gate sees them.

    The challenger is right on ``gain`` more of each class.
    """
    shares = np.asarray(MIXES[setting.mix])
    truth = random.choice(len(shares), rows, p=shares)
    unit = np.arange(rows) // setting.in_unit
    own, apart = (_of_units(setting, unit, random) for _ in range(2))
    other = ALIKE * own + np.sqrt(1.0 - ALIKE**2) * apart
    before, after = setting.right - max(gain, 0.0), setting.right + min(gain, 0.0)
    labels = [f"c{label:02}" for label in truth]
    right = [ndtr(one) < chance for chance, one in ((before, own), (after, other))]
    if setting.metric is ScoreMetric.AUROC:
        sign = np.where(truth == 1, 1.0, -1.0)
        margins = [sign * (ndtri(chance) + one) for chance, one in ((before, own), (after, other))]
        models = [Predictions((), ndtr(margin)) for margin in margins]
    else:
        wrong = (truth + random.integers(1, len(shares), rows)) % len(shares)
        models = [
            Predictions([f"c{label:02}" for label in np.where(its, truth, wrong)]) for its in right
        ]
    units = unit if setting.in_unit > 1 else None
    score = paired_score(setting.metric, labels, models[0], models[1], units)
    if score is None or setting.metric is not ScoreMetric.ACCURACY:
        return None if score is None else Scored(score)
    counts = paired_counts(*((~its).astype(np.float64) for its in right))
    return None if counts is None else Clustered(Counted(counts), score)


def _of_units(
    setting: Setting, unit: NDArray[np.int64], random: np.random.Generator
) -> NDArray[np.float64]:
    """Standard normal numbers (n,), alike within a unit."""
    alone = random.standard_normal(len(unit))
    if setting.in_unit == 1:
        return alone
    shared = random.standard_normal(int(unit.max()) + 1)[unit]
    return np.asarray(np.sqrt(OF_UNIT) * shared + np.sqrt(1.0 - OF_UNIT) * alone)


def _allowed(setting: Setting, random: np.random.Generator) -> float:
    """What a loss of as much accuracy in every class costs in the metric."""
    if setting.metric not in PLENTY:
        return LOSS
    compared = _drawn(setting, -LOSS, PLENTY[setting.metric], random)
    if compared is None:
        raise AssertionError(setting)
    return -compared.difference


def cell(setting: Setting, draws: int, seed: int) -> dict[str, Any]:
    """How often the gate says so, of ``draws``, at each level."""
    random = np.random.default_rng([seed, *str(setting).encode()])
    allowed = _allowed(setting, random)
    equal, kept, better = ([0] * len(LEVELS) for _ in range(3))
    for _ in range(draws):
        for counts, gain in ((equal, 0.0), (kept, -LOSS), (better, GAIN)):
            rows = _drawn(setting, gain, setting.rows, random)
            if rows is None:
                continue
            for place, level in enumerate(LEVELS):
                counts[place] += (
                    rows.keeps(allowed, 1.0 - level) if counts is kept else rows.win_p() <= level
                )
    return {
        "metric": setting.metric.value,
        "mix": setting.mix,
        "rows": setting.rows,
        "right": setting.right,
        "inUnit": setting.in_unit,
        "draws": draws,
        "equal": equal,
        "loss": kept,
        "gain": better,
        "allowed": round(allowed, 4),
    }


def add_to(subparsers: Any) -> None:
    """The subcommand's arguments."""
    parser = subparsers.add_parser(
        "gate", help="does the gate by a metric hold its level?", description=__doc__
    )
    parser.add_argument("--draws", type=int, default=1000, metavar="M", help="of each cell")
    parser.add_argument("--seed", type=int, default=0, metavar="K")
    parser.add_argument("--record", action="store_true", help="write benchmarks/results")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Print the shares, and the worst of each kind."""
    asked = settings()
    found = []
    print(
        "| metric | classes | rows (in a unit) | right | equal models promoted at .05 | at .2 | "
        "a loss of what is allowed passes at .05 | at .2 | a gain of 10 points is seen at .05 |\n"
        "|---|---|---|---|---|---|---|---|---|"
    )
    with ProcessPoolExecutor(args.jobs) as pool:
        several = ([args.draws] * len(asked), [args.seed] * len(asked))
        for one in pool.map(cell, asked, *several):
            found.append(one)
            print(f"{len(found)}/{len(asked)}", file=sys.stderr, flush=True)
            shares = [k / args.draws for k in (*one["equal"], *one["loss"], one["gain"][0])]
            told = " | ".join(f"{share:.3f}" for share in shares)
            rows = f"{one['rows']} ({one['inUnit']})"
            print(f"| {one['metric']} | {one['mix']} | {rows} | {one['right']} | {told} |")
    figures = {f"gate_{kind}": _worst(found, kind) for kind in ("equal", "loss")}
    print(figures)
    if args.record:
        results.record("gate", found, figures)


def _worst(cells: Sequence[dict[str, Any]], kind: str) -> dict[str, Any]:
    """The largest share at the first level, and the mean over the cells."""
    most = max(cells, key=lambda one: one[kind][0] / one["draws"])
    low, high = wilson(most[kind][0], most["draws"])
    mean = float(np.mean([one[kind][0] / one["draws"] for one in cells]))
    return {
        "value": most[kind][0] / most["draws"],
        "low": low,
        "high": high,
        "mean": round(mean, 4),
        "of": f"{most['metric']}, {most['mix']}, {most['rows']} rows, {most['right']} right",
    }

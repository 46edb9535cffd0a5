"""How many old rows must a fine-tune replay, and how heavy must new ones be in a retrain?

Small networks on the benchmark's changes, from mild to strong: gain on new rows and loss on old
ones, both against the champion, by ``replayPercent`` (old rows per hundred new ones) and by
the share of new rows that a retrain is given.
"""

import argparse
import copy
import json
import warnings
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import cells
import numpy as np
import results
import weak
from families import FAMILIES
from intervals import bootstrap
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler
from weak import Floats, Labels, Rows

from maintenance_trainer.data.folders import Origin
from maintenance_trainer.recipes.fine_tune import replay
from maintenance_trainer.tasks.texts import make_row

SCENARIOS: Final = weak.SCENARIOS | FAMILIES
CHANGES: Final = {
    "class mix": ("label-mild", "label", "label-strong"),
    "new domain": ("new-domain-15", "new-domain"),
    "inputs": ("covariate",),
    "concept": ("concept-6", "concept-local"),
}
"""Scenarios by kind of change, mild ones first."""
REPLAY: Final = (0, 25, 50, 100, 200, 400)
NEW_DATA: Final = (0, 25, 50)
"""Least share of new rows in a retrain, in per cent; 0 is the plain merge."""
TESTED: Final = 4000
EPOCHS, BATCH, RATE, HIDDEN = 15, 64, 3e-3, 32
WEIGHT: Final = 0.8
"""Of new rows in the utility that is shown beside gain and loss."""
HERE: Final = Path(__file__).resolve().parent


def one(scenario: str, n: int, seed: int) -> cells.Cell:
    """Accuracy on new and old test rows: of the champion, of each replay, of each retrain."""
    case = weak.case(scenario, n, seed, SCENARIOS)
    chance = np.random.default_rng([seed, 1])
    tests = SCENARIOS[scenario].draw(TESTED, chance), weak.usual(TESTED, chance)
    scaler = StandardScaler().fit(case.trained[0])

    def scored(network: MLPClassifier) -> list[float]:
        return [float(np.mean(network.predict(scaler.transform(x)) == y)) for x, y in tests]

    old, new = ((scaler.transform(x), y) for x, y in (case.trained, case.new))
    champion = _trained(_network(seed), old)
    return {
        "scenario": scenario,
        "n": n,
        "seed": seed,
        "keep": scored(champion),
        "replay": {
            str(percent): scored(
                _trained(copy.deepcopy(champion), _joined(new, _replayed(old, n * percent // 100)))
            )
            for percent in REPLAY
        },
        "newData": {
            str(percent): scored(
                _trained(_network(seed), _joined(old, _weighed(new, len(old[1]), percent, seed)))
            )
            for percent in NEW_DATA
        },
    }


def _network(seed: int) -> MLPClassifier:
    return MLPClassifier(
        (HIDDEN,), alpha=1e-3, batch_size=BATCH, learning_rate_init=RATE, random_state=seed
    )


def _trained(network: MLPClassifier, rows: Rows) -> MLPClassifier:
    """Go on for so many epochs, from wherever the network is."""
    with warnings.catch_warnings():
        # A window of fewer rows than a batch is one batch, which the library remarks upon.
        warnings.filterwarnings("ignore", message="Got `batch_size`")
        for _ in range(EPOCHS):
            network.partial_fit(*rows, classes=[0, 1])
    return network


def _replayed(old: Rows, count: int) -> Rows:
    """The product's own sample of old rows."""
    rows = [
        make_row(str(number), str(label), Origin.ORIGINAL, new=False)
        for number, label in enumerate(old[1])
    ]
    chosen = [int(row.text) for row in replay(rows, count)]
    return old[0][chosen], old[1][chosen]


def _weighed(new: Rows, old_rows: int, percent: int, seed: int) -> Rows:
    """New rows, drawn again until they are that share of all; never fewer than there are."""
    wanted = old_rows * percent // (100 - percent)
    if wanted <= len(new[1]):
        return new
    again = np.random.default_rng([seed, 2]).integers(len(new[1]), size=wanted - len(new[1]))
    return _joined(new, (new[0][again], new[1][again]))


def _joined(one_side: Rows, other: Rows) -> tuple[Floats, Labels]:
    return np.concatenate([one_side[0], other[0]]), np.concatenate([one_side[1], other[1]])


# --- from cells to a table ---------------------------------------------------------------


def summary(found: Sequence[cells.Cell]) -> list[dict[str, Any]]:
    """Per scenario, n and arm: gain on new rows, loss on old ones, gain of utility."""
    groups = defaultdict(list)
    for cell in found:
        for kind in ("replay", "newData"):
            for percent, (new, old) in cell[kind].items():
                gain, loss = new - cell["keep"][0], cell["keep"][1] - old
                groups[cell["scenario"], cell["n"], kind, int(percent)].append((gain, loss))
    return [
        {
            "scenario": scenario,
            "n": n,
            "arm": kind,
            "percent": percent,
            "gain": bootstrap([gain for gain, _ in pairs]),
            "old_loss": bootstrap([loss for _, loss in pairs]),
            "utility": bootstrap([WEIGHT * gain - (1 - WEIGHT) * loss for gain, loss in pairs]),
        }
        for (scenario, n, kind, percent), pairs in groups.items()
    ]


def table(lines: Sequence[dict[str, Any]]) -> str:
    """One block per n and arm, as Markdown; points of accuracy, with 95 % intervals of the loss."""
    text = []
    for n in dict.fromkeys(line["n"] for line in lines):
        for kind, title in (("replay", "fine-tune, replayPercent"), ("newData", "retrain, new %")):
            here = [line for line in lines if line["n"] == n and line["arm"] == kind]
            shares = list(dict.fromkeys(line["percent"] for line in here))
            text += [
                f"\n**n = {n}, {title}: gain on new / loss on old (interval of the loss), points**",
                "",
                f"| change | {' | '.join(map(str, shares))} |",
                f"|---|{'---|' * len(shares)}",
            ]
            text += [_row(name, here) for name in dict.fromkeys(line["scenario"] for line in here)]
            text.append(_mean_row(here, shares))
    return "\n".join(text)


def _row(name: str, lines: Sequence[dict[str, Any]]) -> str:
    spelled = []
    for line in lines:
        if line["scenario"] == name:
            gain, loss = line["gain"], line["old_loss"]
            spelled.append(
                f"{100 * gain['value']:+.1f} / {100 * loss['value']:.1f} "
                f"({100 * loss['low']:.1f} to {100 * loss['high']:.1f})"
            )
    return f"| {name} | {' | '.join(spelled)} |"


def _mean_row(lines: Sequence[dict[str, Any]], shares: Sequence[int]) -> str:
    means = [
        np.mean([line["utility"]["value"] for line in lines if line["percent"] == share])
        for share in shares
    ]
    spelled = " | ".join(f"{100 * mean:+.2f}" for mean in means)
    return f"| mean gain of utility ({WEIGHT} new, {1 - WEIGHT:.1f} old) | {spelled} |"


def add_to(subparsers: Any) -> None:
    """The subcommand's arguments."""
    parser = subparsers.add_parser(
        "replay",
        help="how many old rows must a fine-tune replay?",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    names = [name for scenarios in CHANGES.values() for name in scenarios]
    parser.add_argument("--scenario", action="append", choices=names, metavar="S")
    parser.add_argument("--n", action="append", type=int, metavar="N", help="rows of the window")
    parser.add_argument("--first-seed", type=int, default=0, metavar="K")
    parser.add_argument("--seeds", type=int, default=5, metavar="M")
    parser.add_argument("--work", type=Path, default=cells.default_work(), metavar="DIR",
                        help="where finished cells are kept (%(default)s)")  # fmt: skip
    parser.add_argument("--pause-file", type=Path, metavar="FILE",
                        help="begin no further cell while this file exists")  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("--record", action="store_true", help="write benchmarks/results")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Compute what is missing, print the table."""
    names = args.scenario or [name for scenarios in CHANGES.values() for name in scenarios]
    seeds = range(args.first_seed, args.first_seed + args.seeds)
    keys = [(name, n, seed) for seed in seeds for n in args.n or (200, 1000) for name in names]
    code = cells.digest(HERE / f"{part}.py" for part in ("replay", "weak", "families"))
    kept = cells.Kept(args.work / "replay.jsonl", code)
    lines = summary(cells.computed(one, keys, kept, jobs=args.jobs, pause=args.pause_file))
    print(json.dumps(lines, indent=1) if args.json else table(lines))
    if args.record:
        figures = {"replay": {"cells": len(keys), "seeds": args.seeds, "lines": lines}}
        results.record("replay", lines, figures)

"""Is the right thing done with a real model on real text? Every arm trains all-MiniLM-L6-v2.

Rows are synopses of Debian packages, the labels five groups of sections (as in
examples/package-sections). The champion is trained from the base model on rows without games. Then
nothing changes; or a quarter of the rows are games; or the classes come in other shares; or three
groups are re-filed. The arms are the trainer's own recipes, the decision is the product's, and so
are the gate and the escalation. U = .8 * accuracy on new rows + .2 * accuracy on old ones - .005 *
cost; a merged retrain costs 1, others as much as they have rows to train on. Hyperparameters are
those of the demo. A case takes some nine minutes of a core.
"""

import argparse
import json
import random
import shutil
import sys
import tempfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import cells
import deciding
import numpy as np
import results
import torch
from action import Judging, judging_of, loop, passes
from intervals import bootstrap
from numpy.typing import NDArray

from maintenance_contract import PairedCounts, Recipes
from maintenance_core.decide.findings import concept_drift
from maintenance_core.model import Action, Decision, Policy
from maintenance_trainer.data.folders import Origin
from maintenance_trainer.data.rows import Row
from maintenance_trainer.data.split import Dataset, Recurrence
from maintenance_trainer.diagnose.samples import Sample
from maintenance_trainer.evaluate import at_class_mix, paired_counts
from maintenance_trainer.progress import Silent
from maintenance_trainer.recipes.contradicted import contradicted
from maintenance_trainer.recipes.fine_tune import fine_tune
from maintenance_trainer.recipes.retrain import retrain
from maintenance_trainer.tasks.huggingface.classification import Classifier
from maintenance_trainer.tasks.text_classification import TASK
from maintenance_trainer.tasks.texts import make_row

HERE: Final = Path(__file__).resolve().parent
EXAMPLES: Final = HERE.parents[1] / "examples"
sys.path[:0] = [str(EXAMPLES / part) for part in ("support", "serving", "package-sections")]

import base_model  # noqa: E402  # found through the path above
import packages  # noqa: E402
import stretches  # noqa: E402
from maintenance_examples.shell import CACHE  # noqa: E402

CHANGES: Final = ("none", "games", "class-mix", "re-filed")
TRAINED, HELD_OUT, NEW, NEW_HELD_OUT, TESTED = 1500, 2000, 700, 300, 1000
OTHER_MIX: Final = {
    "programming": 0.50, "desktop": 0.08, "system": 0.12, "science": 0.22, "text": 0.08,
}  # fmt: skip
WEIGHT, PRICE = 0.8, 0.005
MARGIN: Final = 0.02
ARGUMENTS: Final = {"num_train_epochs": 3, "per_device_train_batch_size": 32}
RECIPES: Final = Recipes(
    50, {**ARGUMENTS, "learning_rate": 0.00005}, {**ARGUMENTS, "learning_rate": 0.0001}
)
KEEP: Final = "keep"
ARMS: Final = (
    KEEP,
    "fine-tune",
    "fine-tune + replay",
    "retrain merged",
    "retrain new at 50 %",
    "retrain on new alone",
    "fine-tune + replay without contradicted",
    "retrain new at 50 % without contradicted",
)
CONSTANT: Final = {
    "never": KEEP,
    "always fine-tune": "fine-tune + replay",
    "always retrain merged": "retrain merged",
    "always retrain, new at 50 %": "retrain new at 50 %",
}

Bools = NDArray[np.bool_]


# --- rows -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Case:
    """One change: what the champion was trained on, and what has come since."""

    trained: tuple[Row, ...]
    held_out: tuple[Row, ...]
    new: tuple[Row, ...]
    new_held_out: tuple[Row, ...]
    test_new: tuple[Row, ...]
    test_old: tuple[Row, ...]


class Dealer:
    """Deals synopses out of a shuffled index; none is dealt twice."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311  # a seeded sample, no secret
        found = list(packages.synopses(stretches.SUITE, CACHE))
        self._random.shuffle(found)
        self._games = [row for row in found if row.section == "games"]
        self._others = {
            group: [row for row in found if row.group == group and row.section != "games"]
            for group in stretches.MIX
        }

    def rows(
        self, count: int, mix: Mapping[str, float], *, new: bool, games: float = 0.0
    ) -> tuple[Row, ...]:
        """So many rows of a class mix, a share of them games."""
        origin = Origin.UPDATES if new else Origin.ORIGINAL
        dealt = [self._games.pop() for _ in range(round(count * games))]
        while len(dealt) < count:
            (group,) = self._random.choices(list(mix), weights=list(mix.values()))
            dealt.append(self._others[group].pop())
        self._random.shuffle(dealt)
        return tuple(make_row(row.text, row.group, origin, new=new) for row in dealt)


def case(change: str, seed: int) -> Case:
    """Draw one. The old rows of a seed are the same for all changes."""
    deal = Dealer(seed)
    trained, held_out, test_old = (
        deal.rows(count, stretches.MIX, new=False) for count in (TRAINED, HELD_OUT, TESTED)
    )
    mix = OTHER_MIX if change == "class-mix" else stretches.MIX
    games = 0.25 if change == "games" else 0.0
    fresh = [deal.rows(count, mix, new=True, games=games) for count in (NEW, NEW_HELD_OUT, TESTED)]
    if change == "re-filed":
        fresh = [tuple(_refiled(row) for row in rows) for rows in fresh]
    return Case(trained, held_out, fresh[0], fresh[1], fresh[2], test_old)


def _refiled(row: Row) -> Row:
    return replace(row, label=stretches.REFILED.get(row.label, row.label))


# --- models -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Served:
    """The champion: its folder, and what it makes of the rows."""

    folder: Path
    labels: tuple[str, ...]

    def load(self) -> Classifier:
        """As it was; recipes train in place."""
        return TASK.load(self.folder, self.labels)


def champion(drawn: Case, base: Path, kept: Path) -> Served:
    """Train it once a seed."""
    folder = kept / "model"
    if not (kept / "complete").exists():
        shutil.rmtree(kept, ignore_errors=True)
        dataset = Dataset((), (), drawn.trained, (), Recurrence(0, 0))
        with tempfile.TemporaryDirectory() as scratch:
            made = retrain(TASK, base, dataset, RECIPES, scratch=Path(scratch), progress=Silent())
        TASK.save(made.model, folder)
        (kept / "labels.json").write_text(json.dumps(made.model.labels), encoding="utf-8")
        (kept / "complete").touch()
    return Served(folder, tuple(json.loads((kept / "labels.json").read_text(encoding="utf-8"))))


def _predicted(classifier: Classifier, rows: Sequence[Row]) -> tuple[str, ...]:
    return TASK.outputs(classifier, rows, Silent(), "").predicted


def _right(predicted: Sequence[str], rows: Sequence[Row]) -> Bools:
    return np.array([a == row.label for a, row in zip(predicted, rows, strict=True)], bool)


def _trained(arm: str, drawn: Case, served: Served, base: Path) -> tuple[Classifier, int]:
    """A challenger, and the rows it was trained on."""
    old = drawn.trained
    if arm.endswith("without contradicted"):
        old = _without_contradicted(drawn, served)
    if arm == "retrain on new alone":
        old = ()
    percent = 50 if "50 %" in arm else 0
    recipes = replace(
        RECIPES, new_data_percent=percent, replay_percent=50 if "replay" in arm else 0
    )
    dataset = Dataset(drawn.new, drawn.new_held_out, old, drawn.held_out, Recurrence(0, 0))
    with tempfile.TemporaryDirectory() as scratch:
        if arm.startswith("fine-tune"):
            made = fine_tune(
                TASK,
                served.load(),
                served.folder,
                dataset,
                recipes,
                scratch=Path(scratch),
                progress=Silent(),
            )
        else:
            made = retrain(TASK, base, dataset, recipes, scratch=Path(scratch), progress=Silent())
    return made.model, sum(made.rows.values())


def _without_contradicted(drawn: Case, served: Served) -> tuple[Row, ...]:
    rows = drawn.trained + drawn.new
    embedded = TASK.outputs(served.load(), rows, Silent(), "").embeddings
    old = len(drawn.trained)
    flags = contradicted(drawn.trained, drawn.new, embedded[:old], embedded[old:])
    return tuple(row for row, out in zip(drawn.trained, flags, strict=True) if not out)


# --- a case -----------------------------------------------------------------------------


def one(change: str, seed: int, work: str) -> dict[str, Any]:
    """What each arm scores and costs, and what each policy does."""
    torch.set_num_threads(1)
    drawn = case(change, seed)
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder) / "base"
        base_model.copy_to(base)
        served = champion(drawn, base, Path(work) / f"text-champion-{TRAINED}-{seed}")
        before = served.load()
        usual = {
            name: _predicted(before, rows)
            for name, rows in (
                ("new", drawn.test_new),
                ("old", drawn.test_old),
                ("held", drawn.new_held_out + drawn.held_out),
            )
        }
        decisions = {str(policy): _decided(policy, drawn, before) for policy in Policy}
        drifted = any(concept_drift(decision.path) for decision in decisions.values())
        scores: dict[str, dict[str, float]] = {KEEP: _score(drawn, usual["new"], usual["old"], 0)}
        passes: dict[str, dict[str, bool]] = {}
        for arm in ARMS[1:]:
            if "contradicted" in arm and not drifted:
                continue
            made, rows = _trained(arm, drawn, served, base)
            scores[arm] = _score(
                drawn, _predicted(made, drawn.test_new), _predicted(made, drawn.test_old), rows
            )
            now = _predicted(made, drawn.new_held_out + drawn.held_out)
            passes[arm] = {
                judging.value: _passes(drawn, usual["held"], now, judging) for judging in Judging
            }
    firsts = CONSTANT | {name: _arm(said, Policy(name)) for name, said in decisions.items()}
    return {
        "change": change,
        "seed": seed,
        "scores": scores,
        "first": firsts,
        "last": {
            name: loop(
                first,
                lambda arm, judging: passes[arm][judging.value],
                judging_of(decisions.get(name)),
                retrain="retrain new at 50 %",
            )
            for name, first in firsts.items()
        },
        "reasons": {name: said.reason for name, said in decisions.items()},
    }


def _score(drawn: Case, new: Sequence[str], old: Sequence[str], rows: int) -> dict[str, float]:
    return {
        "new": float(_right(new, drawn.test_new).mean()),
        "old": float(_right(old, drawn.test_old).mean()),
        "cost": rows / (TRAINED + NEW),
    }


def _decided(policy: Policy, drawn: Case, served: Classifier) -> Decision:
    new = drawn.new_held_out + drawn.new
    samples = [_sample(served, rows) for rows in (drawn.trained, drawn.held_out, new)]
    right = samples[2].predicted == samples[2].labels, samples[1].predicted == samples[1].labels
    return deciding.decided(policy, *samples, right[0][:NEW_HELD_OUT], right[1])


def _sample(served: Classifier, rows: Sequence[Row]) -> Sample:
    outputs = TASK.outputs(served, rows, Silent(), "")
    return Sample(
        outputs.embeddings.astype(np.float64),
        outputs.probabilities.astype(np.float64),
        np.array([row.label for row in rows], str),
        np.array(outputs.predicted, str),
    )


def _counts(rows: Sequence[Row], before: Sequence[str], now: Sequence[str]) -> PairedCounts | None:
    return paired_counts(*((~_right(answers, rows)).astype(float) for answers in (before, now)))


def _passes(drawn: Case, before: Sequence[str], now: Sequence[str], judging: Judging) -> bool:
    new, old = drawn.new_held_out, drawn.held_out
    if judging is Judging.AT_NEW_MIX:
        kept = {row.key for row in at_class_mix(old, drawn.new + new)}
        chosen = [*range(len(new)), *(len(new) + i for i, r in enumerate(old) if r.key in kept)]
        before, now = ([answers[at] for at in chosen] for answers in (before, now))
        old = tuple(row for row in old if row.key in kept)
    drift = judging is Judging.AFTER_DRIFT
    return passes(
        _counts(new, before[: len(new)], now[: len(new)]),
        _counts(old, before[len(new) :], now[len(new) :]),
        drift=drift,
    )


def _arm(decision: Decision, policy: Policy) -> str:
    contradicted_out = concept_drift(decision.path)
    match decision.action:
        case Action.FINE_TUNE:
            return ARMS[6] if contradicted_out else "fine-tune + replay"
        case Action.RETRAIN if contradicted_out:
            return "retrain new at 50 % without contradicted"
        case Action.RETRAIN:
            return "retrain new at 50 %" if policy is Policy.EVIDENCE else "retrain merged"
        case _:
            return KEEP


# --- figures ----------------------------------------------------------------------------


def net(score: Mapping[str, float], *, cost: float | None = None) -> float:
    """U of an arm, or of what serves after so much cost."""
    spent = score["cost"] if cost is None else cost
    return WEIGHT * score["new"] + (1 - WEIGHT) * score["old"] - PRICE * spent


def outcomes(cases: Sequence[dict[str, Any]], policy: str) -> dict[str, list[float]]:
    """A value a case: gain over keeping, the oracle's gain, loss on old rows, cost."""
    of: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for each in cases:
        of[each["change"]].append(each)
    found: dict[str, list[float]] = defaultdict(list)
    for group in of.values():
        common = set.intersection(*(set(each["scores"]) for each in group))
        best = max(common, key=lambda arm: np.mean([net(each["scores"][arm]) for each in group]))
        for each in group:
            *trained, serves = each["last"][policy]
            cost = sum(each["scores"][arm]["cost"] for arm in trained)
            kept = net(each["scores"][KEEP])
            found["gain"].append(net(each["scores"][serves], cost=cost) - kept)
            found["oracle"].append(net(each["scores"][best]) - kept)
            found["old loss"].append(each["scores"][KEEP]["old"] - each["scores"][serves]["old"])
            found["cost"].append(cost)
    return found


def share_of_gain(gain: Sequence[float], oracle: Sequence[float]) -> dict[str, Any]:
    """The oracle's gain over keeping that a policy reaches, over all cases; bootstrapped."""
    a, b = np.asarray(gain), np.asarray(oracle)
    drawn = np.random.default_rng(0).integers(len(a), size=(2000, len(a)))
    low, high = np.quantile(a[drawn].sum(1) / np.maximum(b[drawn].sum(1), 1e-9), (0.025, 0.975))
    value = a.sum() / b.sum() if b.sum() > 0 else 1.0
    return {"value": round(float(value), 4), "low": round(float(low), 4),
            "high": round(float(high), 4), "seeds": len(a)}  # fmt: skip


def figures(cases: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """What goes on record; old rows are judged where their labels have not changed."""
    ours = outcomes(cases, Policy.EVIDENCE.value)
    judged = [each for each in cases if each["change"] != "re-filed"]
    return {
        "text_gain_share": share_of_gain(ours["gain"], ours["oracle"])
        | {
            "by_policy": {
                name: share_of_gain(found["gain"], found["oracle"])["value"]
                for name in cases[0]["first"]
                for found in (outcomes(cases, name),)
            }
        },
        "text_old_loss": bootstrap(outcomes(judged, Policy.EVIDENCE.value)["old loss"])
        | {"margin": MARGIN},
    }


def table(cases: Sequence[dict[str, Any]]) -> str:
    """Arms by change, then policies, as Markdown."""
    changes = list(dict.fromkeys(each["change"] for each in cases))
    lines = [f"| new / old accuracy | {' | '.join(changes)} |", f"|---|{'---|' * len(changes)}"]
    for arm in ARMS:
        row = []
        for change in changes:
            found = [
                c["scores"][arm] for c in cases if c["change"] == change and arm in c["scores"]
            ]
            told = (f"{np.mean([s[side] for s in found]):.3f}" for side in ("new", "old"))
            row.append(" / ".join(told) if found else "")
        lines.append(f"| {arm} | {' | '.join(row)} |")
    lines += ["", "| policy | share of the oracle's gain | loss on old rows | cost | decides |",
              "|---|---|---|---|---|"]  # fmt: skip
    for name in cases[0]["first"]:
        found = outcomes(cases, name)
        share = share_of_gain(found["gain"], found["oracle"])
        chosen = {
            change: dict.fromkeys(c["first"][name] for c in cases if c["change"] == change)
            for change in changes
        }
        first = "; ".join(f"{change}: {', '.join(arms)}" for change, arms in chosen.items())
        lines.append(
            f"| {name} | {share['value']:.2f} ({share['low']:.2f} to {share['high']:.2f}) | "
            f"{np.mean(found['old loss']):.3f} | {np.mean(found['cost']):.2f} | {first} |"
        )
    return "\n".join(lines)


def add_to(subparsers: Any) -> None:
    """The subcommand's arguments."""
    parser = subparsers.add_parser(
        "text",
        help="is the right thing done with a transformer on real text?",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--scenario", action="append", choices=CHANGES, metavar="S")
    parser.add_argument("--first-seed", type=int, default=0, metavar="K")
    parser.add_argument("--seeds", type=int, default=1, metavar="M")
    parser.add_argument("--work", type=Path, default=cells.default_work(), metavar="DIR")
    parser.add_argument("--json", action="store_true", help="print the cases as JSON")
    parser.add_argument("--record", action="store_true", help="write benchmarks/results")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Run the cases that were asked for; finished ones are kept."""
    seeds = range(args.first_seed, args.first_seed + args.seeds)
    keys = [(change, seed, str(args.work)) for seed in seeds for change in args.scenario or CHANGES]
    code = [HERE / "text.py", HERE / "deciding.py"]
    kept = cells.Kept(args.work / "text.jsonl", cells.digest(code))
    cases = cells.computed(one, keys, kept, jobs=args.jobs)
    print(json.dumps(cases, indent=1) if args.json else table(cases))
    if args.record:
        results.record("text", cases, figures(cases))

"""Tables: by which points the diagnosis decides best, and what going on with boosting is worth.

    python benchmarks/tables embeddings --seeds 6    # columns, what the trees make of them, leaves
    python benchmarks/tables boosting --seeds 6      # continued, anew, scikit-learn's warm start
    python benchmarks/tables speed                   # a diagnosis of 10,000 rows of 50 columns
    python benchmarks/tables reading                 # files of 500 columns, at once or cell by cell

Rows are drawn: twelve numbers of which six matter, one in thousands and two skewed, and three
columns of categories. Every change is made to the world or to the columns; the label is noisy.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import csv, parquet
from sklearn.ensemble import HistGradientBoostingClassifier

sys.path.append(str(Path(__file__).resolve().parents[1] / "decision"))
sys.path.append(str(Path(__file__).resolve().parents[2] / "tests"))

from cause import NO_RECURRENCE
from deciding import decided
from support.kinds import digest

from maintenance_contract import Task, TrainingAction, columns_of
from maintenance_contract.kinds import replay_percent_of
from maintenance_core.model import Policy
from maintenance_trainer.data.folders import Named, Origin
from maintenance_trainer.data.sources import SourceFile
from maintenance_trainer.diagnose import examine, quality
from maintenance_trainer.diagnose.samples import Sample
from maintenance_trainer.progress import Silent
from maintenance_trainer.recipes.fine_tune import replay
from maintenance_trainer.recipes.retrain import repeated
from maintenance_trainer.tasks.labelled_tables import SOURCE
from maintenance_trainer.tasks.tables import blocks, boosting, drift, embedding
from maintenance_trainer.tasks.tables.boosted import TableModel
from maintenance_trainer.tasks.tables.cells import VOCABULARY, word_of
from maintenance_trainer.tasks.tables.rows import Header, TableRow, Type
from maintenance_trainer.tasks.tabular_classification import TASK
from maintenance_trainer.tasks.task import How

NUMBERS, USED, CATEGORIES = 12, 6, 3
NAMES: Final = [f"n{at}" for at in range(NUMBERS)] + [f"c{at}" for at in range(CATEGORIES)]
TYPES: Final = [Type.NUMBER] * NUMBERS + [Type.CATEGORY] * CATEGORIES
HEADER: Final = Header("drawn", (), NAMES, TYPES)
BOUND: Final = 0.5
"""Of the score from which on a row is ill: four in ten are."""
Floats = NDArray[np.float64]
FINE_TUNE, RETRAIN = TrainingAction.FINE_TUNE, TrainingAction.RETRAIN


@dataclass(frozen=True)
class World:
    """Where rows come from: shifts of columns, a share with a pattern of its own, another rule."""

    shift: Floats
    pattern: float = 0.0
    rule: float = 0.0
    mix: float = 0.0
    shuffled: bool = False

    def rows(self, chance: np.random.Generator, count: int, *, new: bool) -> list[TableRow]:
        """So many of them."""
        x = chance.normal(size=(4 * count, NUMBERS)) + self.shift
        codes = chance.integers(0, 4, size=(4 * count, CATEGORIES))
        strange = chance.random(4 * count) < self.pattern
        x[strange, :3] += [4.0, -4.0, 4.0]
        score = x[:, :USED] @ [1.2, -1.0, 0.8, 0.6, -0.5, 0.4] + 0.7 * x[:, 0] * x[:, 1]
        score += np.array([0.0, 0.8, -0.8, 0.3])[codes[:, 0]]
        other = x[:, :USED] @ [-1.0, 0.5, 0.8, -0.6, 0.5, 0.4]
        score = np.where(chance.random(4 * count) < self.rule, other, score)
        score[strange] = 2.0 * np.sign(x[strange, 3]) * np.abs(x[strange, 4])
        ill = score + chance.logistic(size=4 * count) * 0.5 > BOUND
        keep = chance.random(4 * count) < np.where(ill, 1 - max(0, -self.mix), 1 - max(0, self.mix))
        chosen = np.flatnonzero(keep)[:count]
        labels = np.where(ill[chosen], "ill", "well")
        if self.shuffled:
            chance.shuffle(labels)
        x[:, 7] *= 1000.0
        x[:, 8:10] = np.exp(x[:, 8:10])
        return rows_of(x[chosen], codes[chosen], labels, new=new)


PLACES: Final = np.array([word_of(VOCABULARY.place(f"k{code}")) for code in range(4)], np.uint32)


def rows_of(x: Floats, codes: NDArray[Any], labels: Any, *, new: bool) -> list[TableRow]:
    """Rows of numbers (n, 12), codes (n, 3) and n labels."""
    words = np.hstack([x.astype(np.float32).view(np.uint32), PLACES[codes]]).astype(np.uint32)
    return [
        TableRow(
            label=str(label),
            key=digest(str(cells.tobytes())),
            origin=Origin.UPDATES if new else Origin.ORIGINAL,
            new=new,
            header=HEADER,
            cells=cells.tobytes(),
        )
        for cells, label in zip(words, labels, strict=True)
    ]


def still(**more: Any) -> World:
    """No column has moved."""
    return World(np.zeros(NUMBERS), **more)


def moved(column: int, by: float) -> World:
    """One column has."""
    shift = np.zeros(NUMBERS)
    shift[column] = by
    return World(shift)


CASES: Final[dict[str, tuple[World, frozenset[str]]]] = {
    "none": (still(), frozenset({"None", "Wait"})),
    "benign (a column that nothing uses)": (moved(10, 1.0), frozenset({"None", "Wait"})),
    "benign, skewed": (moved(9, 1.0), frozenset({"None", "Wait"})),
    "pattern of a tenth": (still(pattern=0.1), frozenset({"FineTune"})),
    "pattern of a fifth": (still(pattern=0.2), frozenset({"FineTune"})),
    "other rule": (still(rule=1.0), frozenset({"Retrain", "FineTune"})),
    "other rule for a third": (still(rule=0.35), frozenset({"Retrain", "FineTune"})),
    "fewer ill": (still(mix=-0.7), frozenset({"FineTune", "None", "Wait"})),
    "labels shuffled": (still(shuffled=True), frozenset({"Blocked"})),
}


def trained(rows: Sequence[TableRow], action: TrainingAction, model: TableModel) -> TableModel:
    """The model after an action; what was given stays as it is."""
    made = replace(model)
    TASK.fit(made, rows, How(action, {}, Path()), Silent())
    return made


def columns(model: TableModel, values: NDArray[np.float32]) -> Floats:
    """Standardised columns, as the trainer has them."""
    return embedding.points(values, model.schema).astype(np.float64)


def used_columns(model: TableModel, values: NDArray[np.float32]) -> Floats:
    """Columns as far as the trees use them."""
    weight = np.sqrt(boosting.importance(model.trees, model.schema))
    parts = [
        embedding.points(values[:, [at]], type(model.schema)((column,))) * weight[at]
        for at, column in enumerate(model.schema.columns)
    ]
    return np.hstack(parts).astype(np.float64)


def contributions(model: TableModel, values: NDArray[np.float32]) -> Floats:
    """What each column adds to the margin of a row (the trees' own account of it)."""
    data = boosting.matrix_of(values, model.schema)
    return np.asarray(model.trees.predict(data, pred_contribs=True), np.float64)[:, :-1]


def leaves(model: TableModel, values: NDArray[np.float32]) -> Floats:
    """Which leaf a row falls into, of every fourth tree, as a projection of one-hot places."""
    data = boosting.matrix_of(values, model.schema)
    found = np.asarray(model.trees.predict(data, pred_leaf=True), np.int64)[:, ::4]
    chance = np.random.default_rng(0)
    table = chance.normal(size=(found.shape[1], found.max() + 1, 32)) / np.sqrt(found.shape[1])
    return np.asarray(sum(table[at][found[:, at]] for at in range(found.shape[1])))


WAYS: Final[dict[str, Callable[[TableModel, NDArray[np.float32]], Floats]]] = {
    "columns": columns,
    "columns by use": used_columns,
    "contributions": contributions,
    "leaves": leaves,
}


def sample(model: TableModel, rows: Sequence[TableRow], way: str) -> Sample:
    """Rows with what the champion makes of them, as points of one way."""
    out = TASK.outputs(model, rows, Silent(), "")
    assert out.probabilities is not None  # noqa: S101  # there are classes
    return Sample(
        WAYS[way](model, blocks.matrix(rows, model.schema)),
        out.probabilities.astype(np.float64),
        np.array([row.label for row in rows], str),
        np.array(out.predicted, str),
    )


def embeddings(args: argparse.Namespace) -> None:
    """What is decided of each case, by each way to make points of rows."""
    right: defaultdict[tuple[str, str], list[bool]] = defaultdict(list)
    actions: defaultdict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for seed in range(args.first, args.first + args.seeds):
        chance = np.random.default_rng(seed)
        train, held = (still().rows(chance, n, new=False) for n in (args.old, args.old // 3))
        champion = trained(train, RETRAIN, TASK.from_base(Path(), train, 0))
        for name, (world, wanted) in CASES.items():
            new = world.rows(chance, args.new, new=True)
            for way in WAYS:
                seen, old, now = (sample(champion, rows, way) for rows in (train, held, new))
                half = len(new) // 2
                decision = decided(
                    Policy.EVIDENCE, seen, old, now, now.wrong[:half] == 0, old.wrong == 0
                )
                right[way, name].append(decision.action.value in wanted)
                actions[way, name][decision.action.value] += 1
        print(f"share of right actions, seeds {args.first} to {seed}, {args.old} + {args.new} rows")
        for name in CASES:
            told = "  ".join(
                f"{way} {np.mean(right[way, name]):.2f} {dict(actions[way, name])}" for way in WAYS
            )
            print(f"  {name:<38}{told}")
        for way in WAYS:
            every = [value for name in CASES for value in right[way, name]]
            print(f"  {'all':<38}{way} {np.mean(every):.3f} of {len(every)}", flush=True)


def accuracy(model: TableModel, rows: Sequence[TableRow]) -> float:
    """Share of rows that a model gets right."""
    return 1 - float(TASK.outputs(model, rows, Silent(), "").loss.mean())


def warm_start(train: Sequence[TableRow], more: Sequence[TableRow], schema: Any) -> Any:
    """scikit-learn's boosting, gone on with on the same rows."""
    model: Any = HistGradientBoostingClassifier(
        max_iter=200, learning_rate=0.1, max_depth=6, warm_start=True, early_stopping=False
    )
    model.fit(blocks.matrix(train, schema), [row.label for row in train])
    start = time.monotonic()
    model.set_params(max_iter=250)
    model.fit(blocks.matrix(more, schema), [row.label for row in more])
    return model, time.monotonic() - start


def boosted(args: argparse.Namespace) -> None:
    """Champion, continued, anew (half of it new) and warm start, on new rows and on old ones."""
    found: defaultdict[tuple[str, str], list[float]] = defaultdict(list)
    for seed in range(args.first, args.first + args.seeds):
        chance = np.random.default_rng(seed)
        train, held = (still().rows(chance, n, new=False) for n in (args.old, 4000))
        champion = trained(train, RETRAIN, TASK.from_base(Path(), train, 0))
        for name in ("none", "pattern of a tenth", "pattern of a fifth", "other rule"):
            world = CASES[name][0]
            new, test = (world.rows(chance, n, new=True) for n in (args.new, 4000))
            replayed = len(new) * replay_percent_of(Task.TABULAR_CLASSIFICATION) // 100
            tuning = [*new, *replay(train, replayed)]
            whole = [*train, *repeated(new, len(train), 50)]
            start = time.monotonic()
            tuned = trained(tuning, FINE_TUNE, TASK.extend(champion, Path(), new, 0))
            middle = time.monotonic()
            anew = trained(whole, RETRAIN, TASK.from_base(Path(), whole, 0))
            end = time.monotonic()
            plain = trained([*train, *new], RETRAIN, TASK.from_base(Path(), whole, 0))
            other, seconds = warm_start(train, tuning, champion.schema)
            sides = {"new": test, "old": held}
            for side, rows in sides.items():
                values, labels = blocks.matrix(rows, champion.schema), [row.label for row in rows]
                for who, value in {
                    "champion": accuracy(champion, rows),
                    "continued": accuracy(tuned, rows),
                    "anew, half new": accuracy(anew, rows),
                    "anew, plain": accuracy(plain, rows),
                    "warm_start": float(other.score(values, labels)),
                }.items():
                    found[name, f"{who} on {side}"].append(value)
            found[name, "time, continued to anew"].append((middle - start) / (end - middle))
            found[name, "seconds, warm_start"].append(seconds)
        print(f"seed {seed} done", file=sys.stderr)
    for (name, what), told in found.items():
        spread = np.std(told, ddof=1) / np.sqrt(len(told)) if len(told) > 1 else 0.0
        print(f"  {name:<22}{what:<28}{np.mean(told):.3f} ± {spread:.3f}")


def speed(args: argparse.Namespace) -> None:
    """Seconds of what a diagnosis tests, with 10,000 rows of 50 columns on each side."""
    chance = np.random.default_rng(args.first)
    names = [f"n{at}" for at in range(50)]
    header = Header("drawn", (), names, [Type.NUMBER] * 50)

    def drawn(count: int, *, new: bool) -> list[TableRow]:
        """So many of them."""
        x = chance.normal(size=(count, 50)).astype(np.float32)
        labels = np.where(x[:, :5].sum(axis=1) > 0, "a", "b")
        rows = rows_of(x[:, :NUMBERS], np.zeros((count, CATEGORIES), int), labels, new=new)
        return [
            replace(row, header=header, cells=cells.tobytes())
            for row, cells in zip(rows, x, strict=True)
        ]

    train, held, new = (drawn(10_000, new=new) for new in (False, False, True))
    model = trained(train, RETRAIN, TASK.from_base(Path(), train, 0))
    start = time.monotonic()
    seen, old, now = (sample(model, rows, "columns") for rows in (train, held, new))
    quality.check(old, now)
    examine.measure(seen, old, now, np.ones(len(now), bool), NO_RECURRENCE)
    drift.measures(model.schema, boosting.importance(model.trees, model.schema), held, new)
    TASK.refuse_leaks(new, "data.updates")
    print(f"a diagnosis of 10,000 x 50 values: {time.monotonic() - start:.1f} s")


WIDE: Final = 500
HOLES: Final = 0.1
REPEATS: Final = 5


def reading(args: argparse.Namespace) -> None:
    """Files of 500 columns, numbers at once and each cell alone, turn and turn about."""
    chance = np.random.default_rng(args.first)
    x = chance.normal(size=(args.old, WIDE))
    numbers = {f"n{at}": x[:, at] for at in range(WIDE)}
    label = {"label": np.where(x[:, 0] > 0, "a", "b")}
    holed = {name: pa.array(cells, mask=chance.random(args.old) < HOLES)
             for name, cells in numbers.items()}  # fmt: skip
    texts = {"n0": chance.choice(list("abc"), args.old), "n1": x[:, 1] > 0}
    for what, table in (
        ("numbers", numbers | label),
        ("a tenth missing", holed | label),
        ("the same, and two columns of texts", holed | texts | label),
    ):
        with tempfile.TemporaryDirectory() as folder:
            parquet_file, csv_file = (Path(folder) / f"rows.{end}" for end in ("parquet", "csv"))
            parquet.write_table(pa.table(table), parquet_file)
            csv.write_csv(pa.table(table), csv_file)
            for file in (parquet_file, csv_file):
                pairs = [(_seconds(file), _seconds(file, at_once=False)) for _ in range(REPEATS)]
                ratios = sorted(alone / at_once for at_once, alone in pairs)
                least = min(pairs)[0] / args.old * 1e6
                print(
                    f"  {what:<36}{file.suffix[1:]:<9}{least:6.0f} us a row, "
                    f"one by one {ratios[REPEATS // 2]:.1f} times as long "
                    f"({ratios[0]:.1f} to {ratios[-1]:.1f})",
                    flush=True,
                )


def _seconds(file: Path, *, at_once: bool = True) -> float:
    columns = columns_of(Task.TABULAR_CLASSIFICATION)
    its = SourceFile(file, Named(Origin.UPDATES, file.name), "", columns, new=True, known=False)
    reader = SOURCE.read(its)
    if not at_once:
        reader._cells.plain = None  # noqa: SLF001  # the way that is compared
    start = time.perf_counter()
    for _ in reader:
        pass
    return time.perf_counter() - start


def main() -> int:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(prog="benchmarks/tables", description=__doc__)
    parts = parser.add_subparsers(required=True, metavar="PART")
    for name, run in (
        ("embeddings", embeddings),
        ("boosting", boosted),
        ("speed", speed),
        ("reading", reading),
    ):
        part = parts.add_parser(name)
        part.add_argument("--seeds", type=int, default=6)
        part.add_argument("--first", type=int, default=100, help="the first seed")
        part.add_argument("--old", type=int, default=3000)
        part.add_argument("--new", type=int, default=600)
        part.set_defaults(run=run)
    args = parser.parse_args()
    args.run(args)
    return 0


if __name__ == "__main__":
    sys.exit(main())

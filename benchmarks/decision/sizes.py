"""Is the right thing done with what users have? From 300 to 30,000 original rows, at the defaults.

Every arm is trained and kept with its diagnosis (``size_cells``, ``size_text``); what each policy
makes of them is worked out afterwards (``size_policies``, ``size_figures``), in seconds.
Seeds from 100 on are for choosing rules by, those below 100 are reported.
"""

import argparse
import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import cells
import size_figures
from cells import Cell, Kept, Key
from changes import CHANGES
from size_policies import ways

HERE: Final = Path(__file__).resolve().parent
HOLDOUTS: Final = ("auto", "10/30")
MAIN: Final = ((300, 60), (1000, 300), (3000, 300), (10_000, 1000))
ORIGINALS: Final = (300, 1000, 3000, 10_000, 30_000)
UPDATES: Final = (60, 150, 300, 1000)
TUNING: Final = range(100, 108)
REPORTED: Final = range(16)
FEWER, FEWEST = 8, 4
"""Seeds of sizes that are not the main ones, and of 30,000 originals."""
TABLE_CODE: Final = ("size_cells", "paired", "arms", "fitting", "weak", "families")


def table_keys(*, tuning: bool) -> Iterator[Key]:
    """Cells of tables, those of one champion side by side."""
    for holdout, originals, updates, seeds in _grid(tuning=tuning):
        for seed in seeds:
            for change in CHANGES:
                yield holdout, change, originals, updates, seed


def _grid(*, tuning: bool) -> Iterator[tuple[str, int, int, range]]:
    for size in MAIN:
        yield "auto", *size, TUNING if tuning else REPORTED
    if tuning:
        return
    for size in MAIN:
        yield "10/30", *size, REPORTED
    for originals in ORIGINALS:
        for updates in UPDATES:
            if (originals, updates) not in MAIN:
                fewer = FEWEST if originals == ORIGINALS[-1] else FEWER
                yield "auto", originals, updates, REPORTED[:fewer]


def kept_tables(work: Path) -> Kept:
    """Where cells of tables are."""
    return Kept(work / "sizes.jsonl", cells.digest(HERE / f"{part}.py" for part in TABLE_CODE))


def table_cells(work: Path, *, tuning: bool, kept: bool, jobs: int) -> list[Cell]:
    """All cells of tables; what is missing is trained, or left out where only ``kept`` ones do."""
    keys, there = list(table_keys(tuning=tuning)), kept_tables(work)
    if kept:
        return there.of(keys)
    one = importlib.import_module("size_cells").one  # what trains takes seconds to import
    return cells.computed(one, keys, there, jobs=jobs)


def add_to(subparsers: Any) -> None:
    """The subcommand's arguments."""
    parser = subparsers.add_parser(
        "sizes",
        help="is the right thing done at every size?",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--tuning", action="store_true", help="the seeds for choosing rules by")
    parser.add_argument(
        "--kept", action="store_true", help="train nothing: go by the cells that are there"
    )
    parser.add_argument(
        "--size", action="append", metavar="N+M", help="originals and updates, as 1000+300"
    )
    parser.add_argument("--changes", action="store_true", help="show what Evidence did by change")
    parser.add_argument("--weights", action="store_true", help="show other weights of new traffic")
    parser.add_argument("--record", action="store_true", help="write benchmarks/results")
    parser.add_argument(
        "--work",
        type=Path,
        default=cells.default_work(),
        metavar="DIR",
        help="where finished cells are kept (%(default)s)",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Train what is missing, print the tables."""
    found = table_cells(args.work, tuning=args.tuning, kept=args.kept, jobs=args.jobs)
    for holdout in HOLDOUTS:
        chosen = [
            cell
            for cell in found
            if cell["holdout"] == holdout and (not args.size or _size(cell) in args.size)
        ]
        if chosen:
            _show(chosen, f"tables, holdout {holdout}", args)


def _size(cell: Cell) -> str:
    return f"{cell['originals']}+{cell['updates']}"


def _show(chosen: list[Cell], title: str, args: argparse.Namespace) -> None:
    for group in size_figures.by_size(chosen).values():
        cases = {str(way): size_figures.cases_of(group, way) for way in ways()}
        for weight in size_figures.LAMBDAS if args.weights else size_figures.LAMBDAS[:1]:
            seeds = len({cell["seed"] for cell in group})
            print(f"\n**{_size(group[0])}, {title}, {seeds} seeds, weight of new rows {weight}**\n")
            print(size_figures.policy_table(cases, weight))
            if args.changes:
                ours = next(iter(cases))
                print(f"\n{ours}:\n\n{size_figures.change_table(cases[ours], weight)}")

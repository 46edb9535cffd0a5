"""Is the right thing done with what users have? From 300 to 30,000 original rows, at the defaults.

Every arm is trained and kept with its diagnosis (``size_cells``, ``size_text``); what each policy
makes of them is worked out afterwards (``size_policies``, ``size_figures``), in seconds.
Seeds from 100 on are for choosing rules by, those below 100 are reported.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import cells
import size_cells
from action import FAMILIES
from cells import Cell, Key, Kept

HERE: Final = Path(__file__).resolve().parent
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
            for change in FAMILIES:
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


def table_cells(work: Path, *, tuning: bool, jobs: int) -> list[Cell]:
    """All cells of tables; what is missing is trained."""
    keys = list(table_keys(tuning=tuning))
    return cells.computed(size_cells.one, keys, kept_tables(work), jobs=jobs)


def add_to(subparsers: Any) -> None:
    """The subcommand's arguments."""
    parser = subparsers.add_parser(
        "sizes",
        help="is the right thing done at every size?",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--tuning", action="store_true", help="the seeds for choosing rules by")
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
    table_cells(args.work, tuning=args.tuning, jobs=args.jobs)

"""Is the right thing done with what users have? From 300 to 30,000 original rows, at the defaults.

Every arm is trained and kept with its diagnosis (``size_cells``, ``size_text``); what each policy
makes of them is worked out afterwards (``size_policies``, ``size_figures``), in seconds.
Seeds from 100 on are for choosing rules by, those below 100 are reported.
"""

import argparse
import importlib
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import cells
import results
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
TEXT: Final = {(300, 60): 3, (1000, 300): 2, (3000, 300): 1}
"""Seeds of each size on texts, where a case takes minutes."""
TEXT_CHANGES: Final = ("none", "new-domain", "class-mix", "re-filed", "labels-shuffled")
TEXT_CODE: Final = ("size_text", "changes", "domains", "glosses", "paired", "size_cells", "text")
TABLES, PACKAGES, GLOSSES = "tables", "packages", "glosses"
DOMAINS: Final = (TABLES, PACKAGES, GLOSSES)
TITLES: Final = {
    TABLES: {TABLES},
    "texts": {PACKAGES, GLOSSES},
    PACKAGES: {PACKAGES},
    GLOSSES: {GLOSSES},
}
TABLE_CODE: Final = ("size_cells", "changes", "paired", "arms", "fitting", "weak", "families")


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


def text_keys(*, tuning: bool) -> Iterator[Key]:
    """Cells of texts, the cheap ones and a seed of each size first; none for tuning."""
    for number in range(0 if tuning else max(TEXT.values())):
        for (originals, updates), seeds in TEXT.items():
            if number < seeds:
                for domain in (PACKAGES, GLOSSES):
                    for change in TEXT_CHANGES:
                        yield domain, change, originals, updates, number


def cells_of(domains: Collection[str], args: argparse.Namespace) -> list[Cell]:
    """What is missing is trained, or left out where only kept cells are asked for."""

    def asked(key: Key) -> bool:
        return not args.size or f"{key[2]}+{key[3]}" in args.size

    tables = table_keys(tuning=args.tuning) if TABLES in domains else iter(())
    texts = (key for key in text_keys(tuning=args.tuning) if key[0] in domains)
    return [
        *_cells(
            [*filter(asked, tables)],
            "size_cells",
            Kept(args.work / "sizes.jsonl", _digest(TABLE_CODE)),
            args,
        ),
        *_cells(
            [*filter(asked, texts)],
            "size_text",
            Kept(args.work / "sizes-text.jsonl", _digest(TEXT_CODE)),
            args,
        ),
    ]


def _digest(parts: Iterable[str]) -> str:
    return cells.digest(HERE / f"{part}.py" for part in parts)


def _cells(keys: list[Key], module: str, kept: Kept, args: argparse.Namespace) -> list[Cell]:
    if args.kept or not keys:
        return kept.of(keys)
    one = importlib.import_module(module).one  # what trains takes seconds to import
    return cells.computed(one, keys, kept, jobs=args.jobs)


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
    parser.add_argument("--domain", action="append", choices=DOMAINS, help="not all three")
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
    found = cells_of(args.domain or DOMAINS, args)
    done: dict[str, dict[str, Any]] = {}
    for title, domains in TITLES.items():
        for holdout in HOLDOUTS:
            chosen = [c for c in found if c["domain"] in domains and c["holdout"] == holdout]
            if chosen:
                done |= _shown(chosen, f"{title}, holdout {holdout}", args)
    if args.record:
        others = {size: figures.pop("by_policy") for size, figures in done.items()}
        results.record(
            "sizes", [{"by_policy": others}, *size_figures.means(found)], {"sizes": done}
        )


def _size(cell: Cell) -> str:
    return f"{cell['originals']}+{cell['updates']}"


def _shown(chosen: list[Cell], title: str, args: argparse.Namespace) -> dict[str, dict[str, Any]]:
    """Print the tables of each size; return the figures by size, of tables at the defaults first.

    Others are named by their domain and holdout, too.
    """
    plain = title == f"{TABLES}, holdout {HOLDOUTS[0]}"
    ours, found = str(ways()[0]), {}
    for group in size_figures.by_size(chosen).values():
        cases = {str(way): size_figures.cases_of(group, way) for way in ways()}
        for weight in size_figures.LAMBDAS if args.weights else size_figures.LAMBDAS[:1]:
            seeds = len({(cell["domain"], cell["seed"]) for cell in group})
            print(f"\n**{_size(group[0])}, {title}, {seeds} seeds, weight of new rows {weight}**\n")
            print(size_figures.policy_table(cases, weight))
            if args.changes:
                print(f"\n{ours}:\n\n{size_figures.change_table(cases[ours], weight)}")
        name = _size(group[0]) if plain else f"{_size(group[0])}, {title}"
        found[name] = size_figures.recorded(cases, ours)
    print(f"\n**{title}: {ours}**\n\n{size_figures.size_table(found)}")
    return found

"""Is the cause named right? The product's tests and rules on windows whose cause is known.

The ten weak scenarios make the figure ``cause_accuracy``; with --families the further ones are run:
strong forms, mixtures, labels that nobody should train on. Development seeds lie below 50,000,
reported tables use 50,000 to 59,999.
"""

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from itertools import repeat
from typing import Any, Final

import numpy as np
import results
import weak
from families import FAMILIES
from intervals import mean_of_shares, wilson

from maintenance_contract import (
    Answer,
    Diagnosis,
    Finding,
    Operation,
    Outcome,
    Question,
    RowCounts,
    TrainingReport,
)
from maintenance_core.decide.evidence import Cause, cause
from maintenance_trainer.data.folders import Origin
from maintenance_trainer.data.rows import Row
from maintenance_trainer.data.split import Recurrence
from maintenance_trainer.diagnose import examine, feature_space, quality
from maintenance_trainer.diagnose.samples import Sample
from maintenance_trainer.errors import DataError
from maintenance_trainer.tasks.text_classification import TokenCounts, measures
from maintenance_trainer.tasks.texts import make_row
from maintenance_trainer.tasks.words import Words

VERDICTS: Final = {
    Cause.NONE: "none",
    Cause.BENIGN_SHIFT: "benign",
    Cause.COVARIATE_SHIFT: "covariate",
    Cause.LABEL_SHIFT: "label",
    Cause.NEW_DOMAIN: "new domain",
    Cause.CONCEPT_DRIFT: "concept",
    Cause.UNDETERMINED: "undetermined",
}
BLOCKED: Final = "blocked"
NEW_CLASS: Final = "new class"
NO_TOKENS: Final = TokenCounts(texts=0, empty=0, words=Words(0, 0, 0), tokens=0, unknown=0, cut=0)
"""A table has none."""
SCENARIOS: Final = weak.SCENARIOS | FAMILIES
NO_RECURRENCE: Final = Recurrence(0, 0)


def sampled(champion: Any, rows: weak.Rows) -> Sample:
    """Rows as the diagnosis sees them; a table's embeddings are its standardised columns."""
    probabilities = champion.predict_proba(rows[0])
    names = champion.classes_.astype(str)
    return Sample(
        champion.named_steps["standardscaler"].transform(rows[0]),
        probabilities,
        rows[1].astype(str),
        names[probabilities.argmax(axis=1)],
    )


def diagnosed(case: weak.Case) -> Diagnosis:
    """The product's diagnosis as the operator receives it.

    Raises:
        DataError: the labels cannot be trusted.
    """
    seen, old, new = (
        sampled(case.champion, rows) for rows in (case.trained, case.reference, case.new)
    )
    space = tuple(
        feature_space.measures(
            *_labelled(old, new), measures(NO_TOKENS, replace(NO_TOKENS, texts=len(new)))
        )
    )
    new = new.part(np.isin(new.labels, case.champion.classes_.astype(str)))
    quality.check(old, new)
    fresh = np.ones(len(new), bool)
    measured = examine.measure(seen, old, new, fresh, NO_RECURRENCE)
    found = examine.findings(replace(measured, space=space))
    report = TrainingReport(
        Operation.DIAGNOSE, 1, "", Outcome.SUCCEEDED, diagnosis=Diagnosis(RowCounts(), found)
    )
    received = TrainingReport.from_json(report.to_message()).diagnosis
    assert received is not None  # noqa: S101 - it was just put there
    return received


def _labelled(old: Sample, new: Sample) -> tuple[list[Row], list[Row], set[str]]:
    """Rows by their labels alone, and those that the champion knows."""
    rows = [
        [make_row("", label, origin, new=sample is new) for label in sample.labels.tolist()]
        for sample, origin in ((old, Origin.ORIGINAL), (new, Origin.UPDATES))
    ]
    return rows[0], rows[1], set(old.labels.tolist())


def _named(found: tuple[Finding, ...]) -> str:
    """What the rules go by: a label that the champion does not know comes first if it is major."""
    name = VERDICTS[cause(found)]
    space = next(f.answer for f in found if f.question is Question.FEATURE_SPACE_CHANGE)
    quiet = name in {"none", "benign", "undetermined"}
    grown = space is Answer.MAJOR or (space is Answer.MINOR and quiet)
    return NEW_CLASS if grown else name


def verdict(scenario: str, n: int, seed: int) -> tuple[str, float]:
    """What the product says of one draw, and the seconds it took."""
    drawn = weak.case(scenario, n, seed, SCENARIOS)
    start = time.perf_counter()
    try:
        name = _named(diagnosed(drawn).findings)
    except DataError:
        name = BLOCKED
    return name, time.perf_counter() - start


def cell(pool: ProcessPoolExecutor, scenario: str, n: int, seeds: range) -> dict[str, Any]:
    """Verdict counts of one scenario at one number of rows."""
    said = list(pool.map(verdict, repeat(scenario), repeat(n), seeds))
    counts = Counter(name for name, _ in said)
    right = sum(counts[name] for name in SCENARIOS[scenario].right)
    return {
        "scenario": scenario,
        "n": n,
        "first_seed": seeds.start,
        "seeds": len(seeds),
        "verdicts": dict(counts.most_common()),
        "right": right,
        "interval": wilson(right, len(seeds)),
        "seconds": round(float(np.median([seconds for _, seconds in said])), 2),
    }


def table(cells: Iterable[dict[str, Any]]) -> str:
    """A confusion table per number of rows, as Markdown."""
    lines: list[str] = []
    found = list(cells)
    names = [*VERDICTS.values(), NEW_CLASS, BLOCKED]
    for n in dict.fromkeys(one["n"] for one in found):
        here = [one for one in found if one["n"] == n]
        lines += [f"\n**n = {n}**\n", f"| scenario | right | {' | '.join(names)} |"]
        lines.append(f"|---|---|{'---|' * len(names)}")
        lines += [_row(one, names) for one in here]
        figure = accuracy(here)
        lines.append(f"\nMean {figure['value']} ({figure['low']} to {figure['high']})")
    return "\n".join(lines)


def _row(one: dict[str, Any], names: Sequence[str]) -> str:
    low, high = one["interval"]
    shares = [
        f"{one['verdicts'][name] / one['seeds']:.2f}" if name in one["verdicts"] else ""
        for name in names
    ]
    right = f"{one['right'] / one['seeds']:.2f} ({low:.2f} to {high:.2f})"
    return f"| {one['scenario']} | {right} | {' | '.join(shares)} |"


def accuracy(cells: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Mean over scenarios of the share that is named right."""
    value, low, high = mean_of_shares([(one["right"], one["seeds"]) for one in cells])
    return {"value": value, "low": low, "high": high, "seeds": cells[0]["seeds"]}


def figures(cells: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """What goes on record under the names that others look for."""
    weak_ones = [one for one in cells if one["scenario"] in weak.SCENARIOS]
    broken = [one for one in cells if SCENARIOS[one["scenario"]].right == {BLOCKED}]
    found: dict[str, Any] = {}
    if weak_ones:
        found["cause_accuracy"] = {
            str(n): accuracy([one for one in weak_ones if one["n"] == n])
            for n in dict.fromkeys(one["n"] for one in weak_ones)
        }
    if broken:
        trained = sum(one["seeds"] - one["right"] for one in broken)
        draws = sum(one["seeds"] for one in broken)
        low, high = wilson(trained, draws)
        found["trained_on_broken_labels"] = {
            "value": trained,
            "of": draws,
            "low": low,
            "high": high,
        }
    return found


def add_to(subparsers: Any) -> None:
    """The subcommand's arguments."""
    parser = subparsers.add_parser(
        "cause",
        help="is the cause named right?",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--scenario", action="append", choices=sorted(SCENARIOS), metavar="S")
    parser.add_argument("--families", action="store_true", help="the further scenarios")
    parser.add_argument("--n", action="append", type=int, metavar="N", help="rows of the window")
    parser.add_argument("--first-seed", type=int, default=0, metavar="K")
    parser.add_argument("--seeds", type=int, default=20, metavar="M")
    parser.add_argument("--json", action="store_true", help="print verdict counts as JSON")
    parser.add_argument("--record", action="store_true", help="write benchmarks/results")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Run the cells that were asked for; all of the ten weak ones by default."""
    seeds = range(args.first_seed, args.first_seed + args.seeds)
    scenarios = args.scenario or list(FAMILIES if args.families else weak.SCENARIOS)
    wanted = [(n, scenario) for n in args.n or weak.ROW_COUNTS for scenario in scenarios]
    cells = []
    with ProcessPoolExecutor(args.jobs) as pool:
        for number, (n, scenario) in enumerate(wanted, start=1):
            cells.append(cell(pool, scenario, n, seeds))
            said = cells[-1]
            print(
                f"{number:3d}/{len(wanted)}  n {n:5d}  {scenario:20s} {said['right']:3d} of "
                f"{args.seeds} right  {said['verdicts']}",
                file=sys.stderr,
                flush=True,
            )
    print(json.dumps(cells, indent=1) if args.json else table(cells))
    if args.record:
        results.record("families" if args.families else "cause", cells, figures(cells))

"""Do the tests hold their level? Rejections where the thing tested for is not there."""

import argparse
import sys
from collections import defaultdict
from concurrent.futures import ProcessPoolExecutor
from itertools import repeat
from typing import Any, Final

import results
import weak
from cause import SCENARIOS, diagnosed
from intervals import wilson

LEVELS: Final = (0.05, 0.01)
QUIET: Final = {
    "none": None,
    "benign": {"unexplainedErrorRise", "expectedErrorRise", "classMix", "errorRiseAtEqualClass"},
    "covariate": {"unexplainedErrorRise", "errorRiseAtEqualClass"},
    "label": {"unexplainedErrorRise", "shiftWithinClassesAuc", "errorRiseAtEqualClass"},
}
"""Per scenario the tests whose null hypothesis holds; None: all of them."""


def p_values(scenario: str, n: int, seed: int) -> dict[str, float]:
    """Each test's p-value on one draw."""
    found = diagnosed(weak.case(scenario, n, seed, SCENARIOS)).findings
    return {
        evidence.name: evidence.p_value
        for finding in found
        for evidence in finding.evidence
        if evidence.p_value is not None
    }


def add_to(subparsers: Any) -> None:
    """The subcommand's arguments."""
    parser = subparsers.add_parser(
        "calibration", help="do the tests hold their level?", description=__doc__
    )
    parser.add_argument("--n", type=int, default=500, metavar="N", help="rows of the window")
    parser.add_argument("--first-seed", type=int, default=0, metavar="K")
    parser.add_argument("--seeds", type=int, default=300, metavar="M")
    parser.add_argument("--record", action="store_true", help="write benchmarks/results")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Print the rejection rates, with intervals."""
    seeds = range(args.first_seed, args.first_seed + args.seeds)
    rows = []
    print("| law | test | at .05 | at .01 |\n|---|---|---|---|")
    with ProcessPoolExecutor(args.jobs) as pool:
        for scenario, quiet in QUIET.items():
            print(f"{scenario}: {args.seeds} draws", file=sys.stderr, flush=True)
            found = defaultdict(list)
            for draw in pool.map(p_values, repeat(scenario), repeat(args.n), seeds):
                for name, p in draw.items():
                    found[name].append(p)
            for name in sorted(found if quiet is None else quiet & set(found)):
                rates = [sum(p <= level for p in found[name]) for level in LEVELS]
                rows.append({"law": scenario, "test": name, "draws": args.seeds, "rejected": rates})
                spelled = [
                    "{:.3f} ({:.3f} to {:.3f})".format(k / args.seeds, *wilson(k, args.seeds))
                    for k in rates
                ]
                print(f"| {scenario} | {name} | {' | '.join(spelled)} |", flush=True)
    if args.record:
        results.record("calibration", rows, {})

"""Is the right thing done? Every arm is trained; policies are held against the best of them.

A case is a change, a number of newly labelled rows and a seed. U = l * accuracy on new rows +
(1 - l) * accuracy on old ones - c * cost, where a merged retrain costs 1. The oracle of a change
and n is the arm with the best mean U over the seeds. ``regret_decision`` holds a policy's first
action against it, ``regret_loop`` what serves after the product's gate and its one escalation.
"""

import argparse
import json
from collections import defaultdict
from collections.abc import Callable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

import arms
import cells
import deciding
import numpy as np
import results
import torch
import weak
from arms import Network
from cause import SCENARIOS
from changes import BROKEN, CHANGES
from intervals import bootstrap
from river import drift
from scipy import stats
from weak import Rows

from maintenance_contract import (
    Candidate,
    Evaluation,
    Operation,
    Outcome,
    PairedCounts,
    Reference,
    TrainingAction,
    TrainingReport,
)
from maintenance_core.decide.findings import concept_drift
from maintenance_core.decide.gate import judge
from maintenance_core.model import (
    Action,
    Decision,
    Gate,
    OnConceptDrift,
    Policy,
)
from maintenance_core.reasons import DecisionReason

TESTED: Final = 4000
HELD_OUT: Final = 0.3
"""Of the new rows: the default of ``spec.data.holdout.updatesPercent``."""
LAMBDAS: Final = (1.0, 0.8, 0.5)
COSTS: Final = (0.0, 0.005, 0.02)
MAIN: Final = (0.8, 0.005)
GATE: Final = Gate(0.0, 0.95, 0.02, OnConceptDrift.REPORT_ONLY)
TWO_ERRORS: Final = 2.0
HERE: Final = Path(__file__).resolve().parent


class Judging(StrEnum):
    """How the gate looks at old held-out rows."""

    USUAL = "usual"
    AFTER_DRIFT = "afterDrift"
    AT_NEW_MIX = "atNewMix"


def one(scenario: str, n: int, seed: int) -> dict[str, Any]:
    """One case: what each arm scores and costs, and what each policy does."""
    torch.set_num_threads(1)
    case = weak.case(scenario, n, seed, SCENARIOS)
    chance = np.random.default_rng(seed + 1_000_000)
    served = arms.champion(case.trained, seed).network
    held = max(1, round(HELD_OUT * n))
    tried = case.new[0][held:], case.new[1][held:]
    judged = case.new[0][:held], case.new[1][:held]
    law = "none" if scenario in BROKEN else scenario
    tests = {
        "new": SCENARIOS[law].draw(TESTED, chance),
        "old": weak.usual(TESTED, chance),
    }
    trained = arms.arms(served, case.trained, tried, seed)
    decisions = {str(policy): _decided(policy, served, case, judged) for policy in Policy}
    firsts = {name: _arm(decision, Policy(name)) for name, decision in decisions.items()}
    firsts |= _others(case, 1 - served.right(case.reference), 1 - served.right(case.new))
    at_mix = arms.at_mix(case.reference, case.new[1])
    passes = {
        (name, judging): _passes(
            served,
            trained[name].network,
            judged,
            at_mix if judging is Judging.AT_NEW_MIX else case.reference,
            drift=judging is Judging.AFTER_DRIFT,
        )
        for name in arms.ARMS[1:]
        for judging in Judging
    }
    return {
        "scenario": scenario,
        "n": n,
        "seed": seed,
        "scores": {
            name: {
                **{side: float(arm.network.right(rows).mean()) for side, rows in tests.items()},
                "cost": arm.steps / trained["retrain merged"].steps,
            }
            for name, arm in trained.items()
        },
        "first": firsts,
        "last": {
            name: loop(
                first,
                lambda arm, judging: passes[arm, judging],
                judging_of(decisions.get(name)),
                retrain="retrain new at 50 %" if name == "Evidence" else "retrain merged",
            )
            for name, first in firsts.items()
        },
        "reasons": {name: decision.reason for name, decision in decisions.items()},
    }


def _decided(policy: Policy, served: Network, case: weak.Case, judged: Rows) -> Decision:
    seen, old, new = (
        arms.sample(served, rows) for rows in (case.trained, case.reference, case.new)
    )
    right = served.right(judged), served.right(case.reference)
    return deciding.decided(policy, seen, old, new, *right)


def _arm(decision: Decision, policy: Policy) -> str:
    drifted = concept_drift(decision.path)
    if decision.action is Action.FINE_TUNE:
        return "fine-tune + replay" + (" without contradicted" if drifted else "")
    if decision.action is not Action.RETRAIN:
        return "keep"
    if policy is Policy.EVIDENCE:
        return "the same, new at 50 %" if drifted else "retrain new at 50 %"
    return "retrain without contradicted" if drifted else "retrain merged"


def judging_of(decision: Decision | None) -> Judging:
    """How the gate looks at old rows after a decision; None: of a policy that names no cause."""
    if decision is None:
        return Judging.USUAL
    if decision.reason == DecisionReason.LABEL_SHIFT:
        return Judging.AT_NEW_MIX
    return Judging.AFTER_DRIFT if concept_drift(decision.path) else Judging.USUAL


def _others(case: weak.Case, before: weak.Floats, now: weak.Floats) -> dict[str, str]:
    """What others do: always the same; by columns that moved; by an alarm; by the error's price.

    Args:
        case: the change.
        before: the champion's errors (0 or 1) on the reference rows.
        now: its errors on the new rows, in the order in which they were labelled.
    """
    p = [
        stats.ks_2samp(mine, theirs, method="asymp").pvalue
        for mine, theirs in zip(case.reference[0].T, case.new[0].T, strict=True)
    ]
    moved = np.mean(np.array(p) < 0.05) > 0.5  # noqa: PLR2004 - the usual defaults
    # As CARA's threshold variant: retrain where staleness costs more than retraining.
    dear = MAIN[0] * (now.mean() - before.mean()) > MAIN[1]
    return {
        "never": "keep",
        "always fine-tune": "fine-tune + replay",
        "always retrain merged": "retrain merged",
        "always retrain, new at 50 %": "retrain new at 50 %",
        "half of the columns moved": "retrain merged" if moved else "keep",
        "ADWIN": "retrain merged" if _adwin(before, now) else "keep",
        "cost-aware threshold": "retrain merged" if dear else "keep",
    }


def _adwin(before: weak.Floats, now: weak.Floats) -> bool:
    """Whether ADWIN with its defaults finds a rise among the new rows."""
    detector, usual = drift.ADWIN(), before.mean()
    for number, error in enumerate([*before, *now], start=1):
        detector.update(int(error))
        seen = number - len(before)
        if seen > 0 and detector.drift_detected and now[:seen].mean() > usual:
            return True
    return False


def passes(new: PairedCounts | None, old: PairedCounts | None, *, drift: bool) -> bool:
    """The product's gate."""
    report = TrainingReport(
        Operation.TRAIN,
        2,
        "",
        Outcome.SUCCEEDED,
        candidate=Candidate(2, "sha256:challenger", TrainingAction.RETRAIN),
        evaluation=Evaluation(Reference.CHAMPION, new, old),
    )
    return judge(report, gate=GATE, champion=deciding.SERVED, concept_drift=drift).promote


def _passes(served: Network, other: Network, new: Rows, old: Rows, *, drift: bool) -> bool:
    return passes(
        *(paired(served.right(rows), other.right(rows)) for rows in (new, old)), drift=drift
    )


def paired(a: Any, b: Any) -> PairedCounts:
    """Of (n,) answers of champion and challenger, right where 1."""
    a, b = a.astype(bool), b.astype(bool)
    return PairedCounts(len(a), int((a & b).sum()), int((a & ~b).sum()), int((b & ~a).sum()))


def loop(
    first: str, passes: Callable[[str, Judging], bool], judging: Judging, *, retrain: str
) -> list[str]:
    """What was trained, in order, then what serves.

    A fine-tune escalates to ``retrain``, but not after concept drift.
    """
    if first == "keep":
        return ["keep"]
    if passes(first, judging):
        return [first, first]
    if not first.startswith("fine-tune") or judging is Judging.AFTER_DRIFT:
        return [first, "keep"]
    if judging is Judging.AT_NEW_MIX:
        judging = Judging.USUAL
    return [first, retrain, retrain if passes(retrain, judging) else "keep"]


# --- from cases to figures --------------------------------------------------------------


def utility(score: dict[str, float], weight: float) -> float:
    """Without its cost."""
    return weight * score["new"] + (1 - weight) * score["old"]


def regrets(
    cases: Sequence[dict[str, Any]], weight: float, price: float
) -> dict[str, dict[str, list[Any]]]:
    """Per policy: regret of the decision and of the loop, whether right, cost; a value a case."""
    groups = defaultdict(list)
    for case in cases:
        groups[case["scenario"], case["n"]].append(case)
    found: dict[str, dict[str, list[Any]]] = defaultdict(lambda: defaultdict(list))
    for (scenario, n), group in groups.items():
        net = {
            arm: np.array(
                [
                    utility(case["scores"][arm], weight) - price * case["scores"][arm]["cost"]
                    for case in group
                ]
            )
            for arm in arms.ARMS
        }
        oracle = max(net, key=lambda arm: net[arm].mean())
        for number, case in enumerate(group):
            for policy, first in case["first"].items():
                *trained, serves = case["last"][policy]
                cost = sum(case["scores"][arm]["cost"] for arm in trained)
                after = utility(case["scores"][serves], weight) - price * cost
                away = net[oracle] - net[first]
                tie = TWO_ERRORS * away.std(ddof=1) / len(away) ** 0.5 if len(away) > 1 else 0.0
                row = {
                    "scenario": scenario,
                    "n": n,
                    "decision": float(net[oracle][number] - net[first][number]),
                    "loop": float(net[oracle][number] - after),
                    "right": bool(away.mean() <= tie),
                    "cost": cost,
                    "trains": bool(trained and trained[0] != "keep"),
                }
                for key, value in row.items():
                    found[policy][key].append(value)
    return found


def figures(cases: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The names that others look for, at the main weight and price."""
    found = regrets(cases, *MAIN)
    by_policy: dict[str, dict[str, Any]] = defaultdict(dict)
    for policy, values in found.items():
        for key, name in (
            ("decision", "regret_decision"),
            ("loop", "regret_loop"),
            ("cost", "train_cost"),
        ):
            by_policy[name][policy] = _of(values[key])
            for n in sorted(set(values["n"])):
                chosen = [v for v, m in zip(values[key], values["n"], strict=True) if m == n]
                by_policy[name][f"{policy}, n {n}"] = _of(chosen)
        by_policy["action_accuracy"][policy] = _of([float(v) for v in values["right"]])
        by_policy["worst_family_regret"][policy] = max(
            _by_family(values).items(), key=lambda i: i[1]
        )
    return dict(by_policy)


def _of(values: Sequence[float]) -> dict[str, float]:
    """Mean and interval over cases: a change, n and a seed each."""
    found = bootstrap(values)
    return {"cases" if name == "seeds" else name: value for name, value in found.items()}


def _by_family(values: dict[str, list[Any]]) -> dict[str, float]:
    families = defaultdict(list)
    for scenario, regret in zip(values["scenario"], values["loop"], strict=True):
        families[scenario].append(regret)
    return {name: round(float(np.mean(regret)), 4) for name, regret in families.items()}


def table(cases: Sequence[dict[str, Any]]) -> str:
    """Policies, then arms, then families of Evidence, as Markdown."""
    lines = []
    for weight in LAMBDAS:
        for price in COSTS if weight == MAIN[0] else MAIN[1:]:
            lines.append(f"\n**weight of new rows {weight}, a merged retrain costs {price}**\n")
            lines.append("| policy | regret of the decision | of the loop | right | cost | worst |")
            lines.append("|---|---|---|---|---|---|")
            for policy, values in regrets(cases, weight, price).items():
                cells = [
                    "{value:.4f} ({low:.4f} to {high:.4f})".format(**bootstrap(values[key]))
                    for key in ("decision", "loop")
                ]
                worst = max(_by_family(values).items(), key=lambda item: item[1])
                cells += [
                    f"{np.mean(values['right']):.2f}",
                    f"{np.mean(values['cost']):.2f}",
                    f"{worst[1]:.3f} ({worst[0]})",
                ]
                lines.append(f"| {policy} | {' | '.join(cells)} |")
    lines += [
        "\n**accuracy new / old, by arm**\n",
        f"| change | n | {' | '.join(arms.ARMS)} | Evidence |",
    ]
    lines.append(f"|---|---|{'---|' * len(arms.ARMS)}---|")
    groups = defaultdict(list)
    for case in cases:
        groups[case["scenario"], case["n"]].append(case)
    for (scenario, n), group in groups.items():
        scores = [
            "/".join(f"{np.mean([c['scores'][arm][s] for c in group]):.3f}" for s in ("new", "old"))
            for arm in arms.ARMS
        ]
        reasons: dict[str, int] = defaultdict(int)
        for case in group:
            reasons[case["reasons"]["Evidence"]] += 1
        said = ", ".join(f"{name} {k}" for name, k in sorted(reasons.items(), key=lambda i: -i[1]))
        lines.append(f"| {scenario} | {n} | {' | '.join(scores)} | {said} |")
    return "\n".join(lines)


# --- running ----------------------------------------------------------------------------


def add_to(subparsers: Any) -> None:
    """The subcommand's arguments."""
    parser = subparsers.add_parser(
        "action",
        help="is the right thing done?",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--scenario", action="append", choices=CHANGES, metavar="S")
    parser.add_argument("--n", action="append", type=int, metavar="N", help="newly labelled rows")
    parser.add_argument("--first-seed", type=int, default=0, metavar="K")
    parser.add_argument("--seeds", type=int, default=5, metavar="M")
    parser.add_argument("--json", action="store_true", help="print the cases as JSON")
    parser.add_argument("--record", action="store_true", help="write benchmarks/results")
    parser.add_argument(
        "--work",
        type=Path,
        default=cells.default_work(),
        metavar="DIR",
        help="where finished cases are kept (%(default)s)",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Train what is missing, print the tables."""
    keys = [
        (scenario, n, args.first_seed + number)
        for n in args.n or (500, 2000)
        for scenario in args.scenario or CHANGES
        for number in range(args.seeds)
    ]
    parts = ("action", "arms", "changes", "deciding", "fitting", "cause", "weak", "families")
    code = cells.digest(HERE / f"{part}.py" for part in parts)
    kept = cells.Kept(args.work / "action.jsonl", code)
    found = cells.computed(one, keys, kept, jobs=args.jobs)
    print(json.dumps(found) if args.json else table(found))
    if args.record:
        results.record("action", found, figures(found))

"""From what was done to figures: gain, harm, trainings for nothing, cost; by size.

U = l * accuracy on new traffic + (1 - l) * accuracy on traffic as before, both on rows that nobody
was trained or judged on; cost is told apart. The oracle of a change and size is the arm with the
best mean U over the seeds, keeping among them.

``gain_share``: sum of U(what serves) - U(keeping) over all cases of a size, by the sum of U(oracle)
- U(keeping); the interval by a bootstrap over seeds, whose changes go together, with the oracle as
it is. ``gain_share_of_drops`` is the same over changes that cost accuracy: where nothing changed
for the worse, more rows of the same law are worth something, too, and no policy that waits for a
cause looks for that. ``harm``: share of cases where what serves is worse than the champion by more
than ``HARM``; ``mean_harm``: what is lost where something is, as a mean over all cases.
``false_trainings`` and ``trainings_on_broken`` are shares of the cases in which something was
trained: among those where nothing asks for it, and among those with broken labels.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import paired
from changes import BROKEN
from scipy import stats
from size_policies import KEEP, Done, Way, done

Cell = Mapping[str, Any]
Size = tuple[int, int]
Kind = tuple[str, str]

LAMBDAS: Final = (0.8, 1.0, 0.5)
"""Weights of new traffic; the first is the main one."""
HARM: Final = 0.01
NOTHING_TO_MEND: Final = frozenset({"none", "benign", "benign-strong", "labels-shuffled"})
"""Changes that ask for no training."""
DRAWS: Final = 2000


@dataclass(frozen=True, slots=True)
class Case:
    """A cell, and what a policy made of it."""

    cell: Cell
    done: Done

    @property
    def change(self) -> str:
        """What had happened."""
        return str(self.cell["change"])

    @property
    def kind(self) -> Kind:
        """Whose oracle it is held against."""
        return kind(self.cell)

    @property
    def cost(self) -> float:
        """In merged retrains."""
        return float(sum(self.cell["arms"][arm]["cost"] for arm in self.done.trained))


def cases_of(cells: Iterable[Cell], way: Way) -> list[Case]:
    """A policy on all cells."""
    return [Case(cell, done(cell, way)) for cell in cells]


def by_size(cells: Iterable[Cell]) -> dict[Size, list[Cell]]:
    """In ascending order."""
    found: dict[Size, list[Cell]] = defaultdict(list)
    for cell in cells:
        found[cell["originals"], cell["updates"]].append(cell)
    return dict(sorted(found.items()))


def utility(cell: Cell, arm: str, weight: float) -> float:
    """U of an arm in service."""
    new, old = (_accuracy(cell, arm, side) for side in ("new", "old"))
    return weight * new + (1 - weight) * old


def _accuracy(cell: Cell, arm: str, side: str) -> float:
    if arm == KEEP:
        return float(cell["keep"][side])
    return paired.accuracies(cell["arms"][arm]["test"][side])[1]


def oracle(cells: Sequence[Cell], weight: float) -> str:
    """The best arm of one change and size, of those that were trained for every seed."""
    there = set.intersection(*(set(cell["arms"]) for cell in cells))
    arms = [KEEP, *sorted(there)]
    return max(arms, key=lambda arm: float(np.mean([utility(c, arm, weight) for c in cells])))


def kind(cell: Cell) -> Kind:
    """Stream and change."""
    return str(cell["domain"]), str(cell["change"])


def oracles(cells: Iterable[Cell], weight: float) -> dict[Kind, str]:
    """By stream and change, of one size."""
    of: dict[Kind, list[Cell]] = defaultdict(list)
    for cell in cells:
        of[kind(cell)].append(cell)
    return {its: oracle(group, weight) for its, group in of.items()}


def figures(cases: Sequence[Case], weight: float) -> dict[str, Any]:
    """Of one policy at one size."""
    best = oracles([case.cell for case in cases], weight)
    gain = np.array([_gain(case.cell, case.done.serves, weight) for case in cases])
    most = np.array([_gain(case.cell, best[case.kind], weight) for case in cases])
    seeds = np.array([f"{case.cell['domain']} {case.cell['seed']}" for case in cases])
    drops = np.array([case.change not in NOTHING_TO_MEND for case in cases])
    harmed = int((gain < -HARM).sum())
    interval = stats.binomtest(harmed, len(cases)).proportion_ci(0.95, "exact")
    return {
        "gain_share": share(gain, most, seeds),
        "gain_share_of_drops": share(gain[drops], most[drops], seeds[drops]),
        "harm": _rounded(value=harmed / len(cases), low=interval.low, high=interval.high),
        "mean_harm": round(float(np.maximum(0.0, -gain).mean()), 5),
        "gain": round(float(gain.mean()), 5),
        "oracle_gain": round(float(most.mean()), 5),
        "cost": round(float(np.mean([case.cost for case in cases])), 3),
        "false_trainings": _trained(cases, NOTHING_TO_MEND),
        "trainings_on_broken": _trained(cases, BROKEN),
        "seeds": len(set(seeds.tolist())),
        "cases": len(cases),
    }


def _gain(cell: Cell, arm: str, weight: float) -> float:
    return utility(cell, arm, weight) - utility(cell, KEEP, weight)


def share(gain: Any, most: Any, seeds: Any) -> dict[str, float]:
    """Sum of gains by the oracle's; seeds are drawn again with all that belongs to them."""
    groups = [seeds == seed for seed in np.unique(seeds)]
    sums = np.array([[gain[group].sum(), most[group].sum()] for group in groups])
    drawn = sums[np.random.default_rng(0).integers(len(sums), size=(DRAWS, len(sums)))].sum(axis=1)
    low, high = np.quantile(drawn[:, 0] / np.maximum(drawn[:, 1], 1e-9), (0.025, 0.975))
    a, b = sums.sum(axis=0)
    return _rounded(value=a / b if b > 0 else 1.0, low=low, high=high)


def _rounded(**values: float) -> dict[str, float]:
    return {name: round(float(value), 4) for name, value in values.items()}


def _trained(cases: Iterable[Case], among: frozenset[str]) -> float:
    """Share of the cases of these changes in which something was trained."""
    found = [bool(case.done.trained) for case in cases if case.change in among]
    return round(float(np.mean(found)), 4) if found else 0.0


def recorded(of: Mapping[str, Sequence[Case]], ours: str) -> dict[str, Any]:
    """What goes on record of one size: the product's figures, at all weights, and the others'."""
    main, *more = LAMBDAS
    return {
        **figures(of[ours], main),
        "by_weight": {str(weight): _brief(figures(of[ours], weight)) for weight in more},
        "by_policy": {name: _brief(figures(cases, main)) for name, cases in of.items()},
    }


def _brief(found: Mapping[str, Any]) -> dict[str, Any]:
    """Values without their intervals."""
    return {
        name: value["value"] if isinstance(value, dict) else value
        for name, value in found.items()
        if name not in {"seeds", "cases"}
    }


def means(cells: Iterable[Cell]) -> list[dict[str, Any]]:
    """By change and size: mean accuracies in service, new and old, of each arm, and its cost."""
    of: dict[tuple[Any, ...], list[Cell]] = defaultdict(list)
    for cell in cells:
        keys = ("domain", "holdout", "originals", "updates", "change")
        of[tuple(cell[key] for key in keys)].append(cell)
    found = []
    for (domain, holdout, originals, updates, change), group in of.items():
        there = set.intersection(*(set(cell["arms"]) for cell in group))
        found.append(
            {
                "domain": domain,
                "holdout": holdout,
                "size": f"{originals}+{updates}",
                "change": change,
                "seeds": sorted(cell["seed"] for cell in group),
                "arms": {
                    arm: [
                        round(float(np.mean([_accuracy(cell, arm, side) for cell in group])), 4)
                        for side in ("new", "old")
                    ]
                    for arm in (KEEP, *sorted(there))
                },
            }
        )
    return found


# --- tables -----------------------------------------------------------------------------


def policy_table(of: Mapping[str, Sequence[Case]], weight: float) -> str:
    """Policies at one size, as Markdown."""
    lines = [
        "| policy | oracle's gain reached | of drops | harm | mean harm | false | broken | cost |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, cases in of.items():
        found = figures(cases, weight)
        cells = [
            _with_interval(found["gain_share"]),
            f"{found['gain_share_of_drops']['value']:.2f}",
            _with_interval(found["harm"], digits=3),
            f"{found['mean_harm']:.4f}",
            f"{found['false_trainings']:.2f}",
            f"{found['trainings_on_broken']:.2f}",
            f"{found['cost']:.2f}",
        ]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _with_interval(found: Mapping[str, float], digits: int = 2) -> str:
    return "{value:.{d}f} ({low:.{d}f} to {high:.{d}f})".format(**found, d=digits)


def size_table(of: Mapping[str, Mapping[str, Any]]) -> str:
    """One policy at all sizes, as Markdown."""
    weights = [str(weight) for weight in LAMBDAS[1:]]
    beside = " | ".join(f"at {weight}" for weight in weights)
    lines = [
        f"| size | oracle's gain | {beside} | drops | harm | mean harm | false | broken | cost |",
        f"|---|---|{'---|' * len(weights)}---|---|---|---|---|---|",
    ]
    for name, found in of.items():
        lines.append(
            f"| {name} | {_with_interval(found['gain_share'])} | "
            + " | ".join(f"{found['by_weight'][weight]['gain_share']:.2f}" for weight in weights)
            + f" | {found['gain_share_of_drops']['value']:.2f} | "
            f"{_with_interval(found['harm'], digits=3)} | {found['mean_harm']:.4f} | "
            f"{found['false_trainings']:.2f} | {found['trainings_on_broken']:.2f} | "
            f"{found['cost']:.2f} |"
        )
    return "\n".join(lines)


def change_table(cases: Sequence[Case], weight: float) -> str:
    """What one policy did at one size, by change: decisions, verdicts, gain, harm."""
    best = oracles([case.cell for case in cases], weight)
    of: dict[Kind, list[Case]] = defaultdict(list)
    for case in cases:
        of[case.kind].append(case)
    lines = [
        "| change | accuracy new / old | oracle | its gain | gain | harm | decided, then judged |",
        "|---|---|---|---|---|---|---|",
    ]
    for its, group in of.items():
        gains = [_gain(case.cell, case.done.serves, weight) for case in group]
        most = np.mean([_gain(case.cell, best[its], weight) for case in group])
        kept = (np.mean([case.cell["keep"][side] for case in group]) for side in ("new", "old"))
        lines.append(
            f"| {its[1]} | {' / '.join(f'{value:.3f}' for value in kept)} | {best[its]} | "
            f"{most:+.4f} | {np.mean(gains):+.4f} | {sum(g < -HARM for g in gains)} of "
            f"{len(group)} | {_told(group, lambda case: ' → '.join(case.done.reasons))} |"
        )
    return "\n".join(lines)


def _told(cases: Iterable[Case], of: Callable[[Case], str]) -> str:
    counted = Counter(of(case) for case in cases)
    return ", ".join(f"{count} {what}" for what, count in counted.most_common())

"""Is the right thing done with kinds of model beside text? At the API's defaults, on files.

A case is a change, a number of original rows, one of newly labelled ones, and a seed. All of it is
the product's own: files are read, snapshots taken, the first version trained and gated, the
diagnosis made, the decision taken after a drop of the metric, the challenger trained as the
decision plans and judged by the gate; a rejected fine-tune escalates once. Every other arm is
trained as well, from the same snapshot. What serves is scored on rows that nobody has seen.

U = .8 * score on new rows + .2 * score on old ones - .005 * cost; a retrain costs 1, a fine-tune as
much as it has rows. The score is the accuracy; where there are no classes, the share of the
baseline's error that is gone. The oracle is the arm with the best mean U of a change and size. An
action is right if it is no worse than the oracle by more than two standard errors. Where nothing
has changed that matters, or labels are broken, it is right to leave the model alone, though a third
more rows would make another a little better: no metric has fallen.
"""

import argparse
import json
import tempfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import cells
import items
import language
import numpy as np
import pyarrow as pa
import results
import series
import tables
from intervals import bootstrap, wilson
from pyarrow import parquet

from maintenance_contract import (
    Columns,
    Holdout,
    Outcome,
    Snapshot,
    Task,
    TrainingAction,
    TrainingReport,
    TrainingRequest,
    columns_of,
)
from maintenance_core.decide.decision import decide
from maintenance_core.decide.training_plan import plan_of
from maintenance_core.model import (
    Action,
    Champion,
    Decision,
    Degraded,
    Reading,
    Situation,
    Spec,
    ThresholdRange,
    Trigger,
)
from maintenance_core.spec import parse
from maintenance_trainer import tasks
from maintenance_trainer.cli import rules
from maintenance_trainer.data.folders import Named, Origin
from maintenance_trainer.data.rows import Row
from maintenance_trainer.data.sources import Joining, SourceFile
from maintenance_trainer.job import perform
from maintenance_trainer.locations import Places
from maintenance_trainer.progress import Silent
from maintenance_trainer.store import versions
from maintenance_trainer.store.store import Store
from maintenance_trainer.store.versions import Version

HERE: Final = Path(__file__).resolve().parent
TESTED: Final = 4000
SIZES: Final = ((1000, 300), (5000, 1000))
WEIGHT, PRICE = 0.8, 0.005
TWO_ERRORS: Final = 2.0
TOLERATED, LEAST_DROP = 0.02, 0.005
KEEP, FINE_TUNE, RETRAIN = "keep", "FineTune", "Retrain"
LEFT_OUT: Final = " without contradicted"
NOW: Final = datetime(2026, 1, 1, tzinfo=UTC)


WORLDS: Final[Mapping[str, tables.World | items.World | language.World | series.World]] = {
    Task.TABULAR_CLASSIFICATION: tables.World(classes=True),
    Task.TABULAR_REGRESSION: tables.World(classes=False),
    Task.NEXT_ITEM: items.World(),
    Task.CAUSAL_LM: language.World(),
    Task.TIME_SERIES_CLASSIFICATION: series.World(classes=True),
    Task.TIME_SERIES_FORECASTING: series.World(classes=False),
}
NULL: Final = (*tables.NULL, *items.NULL, *series.NULL)
BROKEN: Final = (*tables.BROKEN, *items.BROKEN, *series.BROKEN)
OLD_IS_OVER: Final = (*tables.OLD_IS_OVER, *items.OLD_IS_OVER, *series.OLD_IS_OVER)


# --- a case -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Lab:
    """A resource at the API's defaults, and its folders on this machine."""

    folder: Path
    kind: str

    @property
    def spec(self) -> Spec:
        """What the API server would complete it to."""
        root, world = self.folder, WORLDS[self.kind]
        base, arguments = getattr(world, "base", None), getattr(world, "arguments", {})
        places = rules.Places(root / "original", root / "updates", base, root / "store")
        columns = columns_of(self.kind, **getattr(world, "columns", {}))
        spec = rules.spec(Task(self.kind), places, columns, Holdout(), None, arguments)
        return replace(spec, windows=getattr(world, "windows", None))

    def write(self, name: str, table: Mapping[str, Sequence[Any]]) -> Path:
        """A Parquet file of rows."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        parquet.write_table(pa.table(dict(table)), path)
        return path

    def do(self, request: TrainingRequest) -> TrainingReport:
        """Carry out what the operator would ask a Job."""
        with Places("") as places:
            report, _ = perform(request, places, Silent())
        return report

    def store(self) -> Store:
        """Versions and reports."""
        from maintenance_trainer.cli.local import OWNER  # noqa: PLC0415

        return Store.open(f"file://{self.folder / 'store'}", OWNER, Places(""))

    def version(self, number: int) -> Version:
        """One that was written."""
        found = versions.find(self.store(), number)
        if found is None:
            raise LookupError(f"{self.folder}: version {number} is gone")
        return found

    def rows(self, path: Path, columns: Columns) -> list[Row]:
        """The rows of a file, read as the trainer reads them."""
        source = tasks.source(self.kind)
        file = Named(Origin.UPDATES, path.name)
        its = SourceFile(path, file, source.digest(path, file), columns, new=True, known=False)
        read = [found.row for found in source.read(its)]
        if isinstance(source, Joining):
            return source.join(read, self.spec.windows, its.remarks)
        return read

    def losses(self, number: int, rows: Sequence[Row]) -> np.ndarray[Any, Any]:
        """Of a version on rows."""
        task, version = tasks.find(self.kind), self.version(number)
        model = task.load(version.folder, version.labels)
        return task.outputs(model, rows, Silent(), "").loss


def one(kind: str, change: str, originals: int, updates: int, seed: int) -> dict[str, Any]:
    """What each arm scores and costs, and what the product does."""
    law, chance = WORLDS[kind].law(seed), np.random.default_rng(seed + 1_000_000)
    with tempfile.TemporaryDirectory(prefix="kinds-") as name:
        lab = Lab(Path(name), kind)
        spec = lab.spec
        lab.write("original/rows.parquet", law.draw("none", originals, chance))
        (lab.folder / "updates").mkdir()
        first = _first(lab, spec)
        if first is None:
            return {"kind": kind, "change": change, "size": [originals, updates], "seed": seed,
                    "blocked": "no first version"}  # fmt: skip
        before = change if change not in BROKEN else "none"
        tested = getattr(WORLDS[kind], "tested", TESTED)
        tests = {
            "new": lab.rows(
                lab.write("test/new.parquet", law.draw(before, tested, chance)), spec.columns
            ),
            "old": lab.rows(
                lab.write("test/old.parquet", law.draw("none", tested, chance)), spec.columns
            ),
        }
        drawn = getattr(law, "updates", law.draw)
        lab.write("updates/rows.parquet", drawn(change, updates, chance))
        kept = _scores(lab, first.number, tests)
        report = lab.do(rules.diagnose_request(spec, 2, first))
        decision = _decision(spec, report, first, kept)
        scores, numbers = {KEEP: kept | {"cost": 0.0}}, {}
        run = 3
        if report.outcome is Outcome.SUCCEEDED:
            snapshot = Snapshot(2, report.snapshot_digest)
            contradicts = change in OLD_IS_OVER and isinstance(law, tables.Law | series.Law)
            for arm in _arms(decision, old_is_over=contradicts):
                chosen = _by_hand(decision, arm)
                trained = lab.do(rules.train_request(spec, run, first, chosen, snapshot))
                run += 1
                if trained.candidate is None:
                    continue
                numbers[arm] = trained
                found = _scores(lab, trained.candidate.version, tests)
                rows = lab.version(trained.candidate.version).provenance["trainedRows"]
                scores[arm] = found | {"cost": min(1.0, sum(rows.values()) / (originals + updates))}
        firsts = _arm(decision)
        return {
            "kind": kind,
            "change": change,
            "size": [originals, updates],
            "seed": seed,
            "scores": scores,
            "first": firsts,
            "last": _loop(lab, spec, snapshot_of(report), first, decision, numbers),
            "action": decision.action.value,
            "reason": decision.reason,
            "blocked": report.reason,
            "path": {
                finding.question.value: finding.answer.value for finding in decision.path
            },
        }  # fmt: skip


def snapshot_of(report: TrainingReport) -> Snapshot:
    """What a training would read."""
    return Snapshot(report.run, report.snapshot_digest)


def _first(lab: Lab, spec: Spec) -> Version | None:
    report = lab.do(rules.diagnose_request(spec, 1, None))
    decision = rules.decision_on(report, spec, None, NOW)
    if decision.action.training is None:
        return None
    trained = lab.do(rules.train_request(spec, 1, None, decision, snapshot_of(report)))
    verdict = rules.verdict_on(trained, spec, None, decision, NOW)
    if trained.candidate is None or not verdict.promote:
        return None
    return lab.version(trained.candidate.version)


def _decision(
    spec: Spec, report: TrainingReport, first: Version, kept: Mapping[str, float]
) -> Decision:
    """After the metric has left its range, two points beyond what the champion was worth.

    Where it has not, the look is a false alarm: it lies just beyond. An error's points are of that
    of the median.
    """
    bound = kept["old"] - TOLERATED
    seen = min(kept["new"], bound - LEAST_DROP)
    allowed = ThresholdRange(min=max(0.0, bound))
    if "median" in kept:
        allowed = ThresholdRange(max=(1.0 - bound) * kept["median"])
        seen = (1.0 - seen) * kept["median"]
    served = Champion(
        first.number, first.folder.as_uri(), first.digest, NOW, TrainingAction.RETRAIN
    )
    reading = Reading(NOW, seen, 1000.0)
    return decide(
        Situation(
            number=2,
            trigger=Trigger.PERFORMANCE_DROP,
            spec=spec,
            report=report,
            now=NOW,
            degraded=Degraded(reading, 3, 5, allowed),
            champion=served,
        )
    )


def _scores(lab: Lab, number: int, tests: Mapping[str, Sequence[Row]]) -> dict[str, float]:
    found = {}
    for side, rows in tests.items():
        whole = 1.0
        if not rows[0].stratum and rows[0].numeric:
            whole = found["median"] = float(tasks.find(lab.kind).baseline(rows, rows).mean())
        found[side] = 1.0 - float(lab.losses(number, rows).mean()) / whole
    return found


def _arms(decision: Decision, *, old_is_over: bool) -> list[str]:
    arms = [FINE_TUNE, RETRAIN]
    drifted = decision.plan is not None and decision.plan.exclude_contradicted
    return [*arms, *(arm + LEFT_OUT for arm in arms)] if drifted or old_is_over else arms


def _by_hand(decision: Decision, arm: str) -> Decision:
    """The decision as it is where it says so, else that of a person who insists."""
    out = arm.endswith(LEFT_OUT)
    plan = decision.plan or plan_of(decision, parse(rules.DEFAULTS))
    action = Action(arm.removesuffix(LEFT_OUT))
    return replace(
        decision, action=action, plan=replace(plan, exclude_contradicted=out, race=False)
    )


def _arm(decision: Decision) -> str:
    if decision.action.training is None:
        return KEEP
    out = decision.plan is not None and decision.plan.exclude_contradicted
    return decision.action.value + (LEFT_OUT if out else "")


def _loop(
    lab: Lab,
    spec: Spec,
    snapshot: Snapshot,
    first: Version,
    decision: Decision,
    trained: Mapping[str, TrainingReport],
) -> list[str]:
    """What is trained in order, then what serves."""
    arm = _arm(decision)
    if arm == KEEP or arm not in trained:
        return [KEEP]
    if decision.plan is not None and decision.plan.race:
        report = lab.do(rules.train_request(spec, 20, first, decision, snapshot))
        won = report.candidate.action.value if report.candidate else KEEP
        passes = rules.verdict_on(report, spec, first, decision, NOW).promote
        return [FINE_TUNE, RETRAIN, won if passes else KEEP]
    if rules.verdict_on(trained[arm], spec, first, decision, NOW).promote:
        return [arm, arm]
    if arm != FINE_TUNE:
        return [arm, KEEP]
    again = _by_hand(decision, RETRAIN)
    passes = rules.verdict_on(trained[RETRAIN], spec, first, again, NOW).promote
    return [arm, RETRAIN, RETRAIN if passes else KEEP]


# --- figures ----------------------------------------------------------------------------


def net(score: Mapping[str, float], cost: float | None = None) -> float:
    """U of an arm, or of what serves after so much cost."""
    spent = score["cost"] if cost is None else cost
    return WEIGHT * score["new"] + (1 - WEIGHT) * score["old"] - PRICE * spent


def judged(cases: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """A row a case: gains, whether right, whether trained."""
    groups: dict[Any, list[Mapping[str, Any]]] = defaultdict(list)
    for case in cases:
        if "scores" in case:
            groups[case["change"], *case["size"]].append(case)
    found = []
    for (change, *_), group in groups.items():
        common = set.intersection(*(set(case["scores"]) for case in group))
        alone = change in (*NULL, *BROKEN)
        means = {arm: np.mean([net(c["scores"][arm]) for c in group]) for arm in common}
        oracle = KEEP if alone else max(means, key=lambda arm: means[arm])

        def away_of(case: Mapping[str, Any], oracle: str = oracle) -> float:
            scores = case["scores"]
            return net(scores[oracle]) - net(scores.get(case["first"], scores[KEEP]))

        away = np.array([away_of(case) for case in group])
        tie = TWO_ERRORS * away.std(ddof=1) / len(away) ** 0.5 if len(away) > 1 else 0.0
        for case in group:
            scores = case["scores"]
            *trained, serves = case["last"]
            cost = sum(scores[arm]["cost"] for arm in trained if arm != KEEP)
            kept = net(scores[KEEP])
            found.append(
                {
                    "change": change,
                    "size": case["size"],
                    "gain": net(scores[serves], cost) - kept,
                    "oracle": net(scores[oracle]) - kept,
                    "best": oracle,
                    "right": case["first"] == oracle or (not alone and away_of(case) <= tie),
                    "old loss": scores[KEEP]["old"] - scores[serves]["old"],
                    "trains": case["first"] != KEEP,
                    "null": change in NULL,
                    "broken": change in BROKEN,
                    "over": change in OLD_IS_OVER,
                }
            )
    return found


def figures(cases: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Of one kind, over all sizes and by size."""
    rows = judged(cases)
    by_size = {
        f"{originals}+{updates}": _figures(
            [row for row in rows if row["size"] == [originals, updates]]
        )
        for originals, updates in sorted({tuple(row["size"]) for row in rows})
    }
    return _figures(rows) | {"by_size": by_size}


def _figures(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    gain, oracle = (np.array([row[name] for row in rows]) for name in ("gain", "oracle"))
    drawn = np.random.default_rng(0).integers(len(rows), size=(2000, len(rows)))
    shares = gain[drawn].sum(1) / np.maximum(oracle[drawn].sum(1), 1e-9)
    low, high = np.quantile(shares, (0.025, 0.975))
    null = [row["trains"] for row in rows if row["null"]]
    broken = [row["trains"] for row in rows if row["broken"]]
    return {
        "action_accuracy": bootstrap([float(row["right"]) for row in rows]),
        "gain_share": {
            "value": round(float(gain.sum() / max(oracle.sum(), 1e-9)), 4),
            "low": round(float(low), 4),
            "high": round(float(high), 4),
        },
        "old_loss": bootstrap([row["old loss"] for row in rows if not row["over"]]),
        "false_action_rate": {
            "value": round(float(np.mean(null)), 4) if null else None,
            "of": len(null),
            "interval": wilson(sum(null), len(null)) if null else None,
        },
        "trained_on_broken_labels": sum(broken),
        "seeds": len({row["change"] for row in rows})
        and len(rows) // len({r["change"] for r in rows}),
    }


def table(cases: Sequence[Mapping[str, Any]]) -> str:
    """Scores by change and size, and what was decided, as Markdown."""
    arms = list(dict.fromkeys(arm for case in cases for arm in case.get("scores", {})))
    lines = [
        f"| change | originals + updates | {' | '.join(arms)} | decided | serves |",
        f"|---|---|{'---|' * len(arms)}---|---|",
    ]
    groups: dict[Any, list[Mapping[str, Any]]] = defaultdict(list)
    for case in cases:
        groups[case["change"], *case["size"]].append(case)
    for (change, originals, updates), group in groups.items():
        told = []
        for arm in arms:
            scores = [c["scores"][arm] for c in group if arm in c.get("scores", {})]
            sides = (f"{np.mean([s[side] for s in scores]):.3f}" for side in ("new", "old"))
            told.append(" / ".join(sides) if scores else "")
        said = _counted(
            f"{c.get('first', KEEP)} ({c.get('reason') or c['blocked']})" for c in group
        )
        serves = _counted(c["last"][-1] if "last" in c else KEEP for c in group)
        lines.append(
            f"| {change} | {originals} + {updates} | {' | '.join(told)} | {said} | {serves} |"
        )
    return "\n".join(lines)


def _counted(words: Any) -> str:
    counts: dict[str, int] = defaultdict(int)
    for word in words:
        counts[word] += 1
    return ", ".join(f"{k} {word}" for word, k in sorted(counts.items(), key=lambda i: -i[1]))


# --- running ----------------------------------------------------------------------------


def add_to(subparsers: Any) -> None:
    """The subcommand's arguments."""
    parser = subparsers.add_parser(
        "kinds",
        help="is the right thing done with kinds of model beside text?",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--kind", action="append", choices=list(WORLDS), metavar="K")
    parser.add_argument("--scenario", action="append", metavar="S", help="a change")
    parser.add_argument("--size", action="append", metavar="O+U", help="originals+updates")
    parser.add_argument("--first-seed", type=int, default=0, metavar="K")
    parser.add_argument("--seeds", type=int, default=5, metavar="M")
    parser.add_argument("--json", action="store_true", help="print the cases as JSON")
    parser.add_argument(
        "--record",
        action="store_true",
        help="write benchmarks/results; changes and sizes that are not asked for stay as on record",
    )
    parser.add_argument("--work", type=Path, default=cells.default_work(), metavar="DIR",
                        help="where finished cases are kept (%(default)s)")  # fmt: skip
    parser.set_defaults(run=run)


def _others(kind: str, found: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What is on record of other changes and sizes of a kind."""
    measured = {_case(cell) for cell in found}
    return [
        cell
        for case, its in results.newest_cells("kinds", _case).items()
        if case not in measured
        for cell in its
        if cell["kind"] == kind
    ]


def _case(cell: Mapping[str, Any]) -> tuple[Any, ...]:
    return cell["kind"], cell["change"], *cell["size"]


def run(args: argparse.Namespace) -> None:
    """Train what is missing, print the tables."""
    sizes = [tuple(map(int, size.split("+"))) for size in args.size or ()] or SIZES
    parts = [HERE / f"{part}.py" for part in ("kinds", "tables", "items", "language", "series")]
    code = cells.digest((*parts, language.TESTS / "support/language.py"))
    kept = cells.Kept(args.work / "kinds.jsonl", code)
    all_cases, recorded = [], {}
    for kind in args.kind or WORLDS:
        keys = [
            (str(kind), change, *size, args.first_seed + number)
            for size in sizes
            for change in WORLDS[kind].changes
            if change in (args.scenario or WORLDS[kind].changes)
            for number in range(args.seeds)
        ]
        found = cells.computed(one, keys, kept, jobs=args.jobs)
        all_cases += found
        if args.record:
            recorded[str(kind)] = figures([*found, *_others(str(kind), found)])
        print(json.dumps(found) if args.json else f"**{kind}**\n\n{table(found)}\n")
        print(json.dumps(figures(found), indent=1))
    if args.record:
        before = {kind: its for kind, its in results.newest("kinds").items() if kind in WORLDS}
        results.record("kinds", all_cases, {"kinds": before | recorded})

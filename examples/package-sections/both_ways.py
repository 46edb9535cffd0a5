"""Are the demo's decisions right, and its floor? Train both ways on rows that the demo deals.

Works with the trainer itself on a local folder, without a cluster, and prints what
docs/demo-decisions.md records: about five minutes on two cores for each seed. With --story only
the arm that the demo shows is trained, half the time: what each version reaches on the traffic.
"""

import argparse
import hashlib
import shutil
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import base_model
import model
import stretches
import yaml
from maintenance_examples.deployment import MANIFESTS
from maintenance_examples.shell import CACHE

from maintenance_contract import (
    ChampionRef,
    DataRef,
    Holdout,
    ModelRef,
    Operation,
    PairedCounts,
    Recipes,
    ResourceRef,
    Snapshot,
    Task,
    TrainingAction,
    TrainingReport,
    TrainingRequest,
)
from maintenance_contract.codec import Fields
from maintenance_trainer.job import perform
from maintenance_trainer.locations import Places
from maintenance_trainer.progress import LogProgress

RESOURCE: Final = ResourceRef("package-sections", "package-sections", "local")
NEW_DATA_PERCENT: Final = 50
"""As the operator decides by evidence."""
ACTS: Final = (("games", TrainingAction.FINE_TUNE), ("refiled", TrainingAction.RETRAIN))
"""The stretches with a drop, and what the operator does after each."""


class Laboratory:
    """The demo's claims as local folders; each arm works on a copy of the store."""

    def __init__(self, root: Path, spec: Mapping[str, Any]) -> None:
        self.root = root
        self._spec = spec
        base_model.copy_to(root / "models/base")
        (root / "data/updates").mkdir(parents=True)

    def champion(self, store: str, version: int) -> ChampionRef:
        """A version as requests name it."""
        manifest = self.root / "models" / store / f"versions/{version}/manifest.json"
        return ChampionRef(version, f"sha256:{hashlib.sha256(manifest.read_bytes()).hexdigest()}")

    def do(
        self,
        operation: Operation,
        run: int,
        store: str,
        champion: ChampionRef | None,
        action: TrainingAction | None = None,
        **more: Any,
    ) -> TrainingReport:
        """One Job's work, here."""
        training, holdout = self._spec["training"], self._spec["data"].get("holdout")
        request = TrainingRequest(
            operation,
            RESOURCE,
            run,
            ModelRef(Task.TEXT_CLASSIFICATION, "pvc://models/base", f"pvc://models/{store}"),
            DataRef(
                "pvc://data/original",
                "pvc://data/updates",
                holdout=Holdout.read(Fields(holdout)) if holdout else Holdout(),
            ),
            Recipes(
                training["fineTune"]["replayPercent"],
                training["fineTune"]["arguments"],
                training["retrain"]["arguments"],
                NEW_DATA_PERCENT if champion and action is TrainingAction.RETRAIN else 0,
            ),
            champion,
            action,
            **more,
        )
        report, code = perform(request, Places(str(self.root)), LogProgress())
        if code:
            sys.exit(f"{report.reason}: {report.message}")
        return report

    def right(self, store: str, version: int, stretch: stretches.Stretch) -> str:
        """What a version gets right of the traffic of a stretch, as the server would say."""
        champion = self.champion(store, version)
        named = {
            "storageUri": f"pvc://models/{store}/versions/{version}",
            "version": str(version),
            "digest": champion.digest,
        }
        answers = model.load(named, str(self.root)).predict(
            [{"text": row.text} for row in stretch.served]
        )
        right = sum(
            answer == row.label for answer, row in zip(answers, stretch.served, strict=True)
        )
        return f"version {version} on {stretch.name}: {right / len(answers):.3f}"


def row(name: str, report: TrainingReport) -> str:
    """A line of the table: an arm, its scores against the champion's, its seconds."""
    scores = report.evaluation
    assert scores is not None  # noqa: S101 - a training that succeeded has one
    return (
        f"| {name} | {_pair(scores.new)} | {_pair(scores.old)} | {report.timings['train']:.0f} s |"
    )


def _pair(counts: PairedCounts | None) -> str:
    if counts is None:
        return "-"
    return (
        f"{counts.champion_accuracy:.3f} → {counts.challenger_accuracy:.3f} "
        f"({counts.challenger_only} won, {counts.champion_only} lost, n {counts.n})"
    )


def _arms(
    stretch: str, chosen: TrainingAction, *, story: bool
) -> list[tuple[TrainingAction, bool]]:
    """Both actions; after concept drift also as they would be had nobody noticed it.

    With ``story`` only what the demo shows.
    """
    if story:
        return [(chosen, True)]
    return [
        (action, excluding)
        for excluding in ((True, False) if stretch == "refiled" else (True,))
        for action in TrainingAction
    ]


def both_ways(laboratory: Laboratory, data: stretches.DemoData, *, story: bool) -> None:
    """Version 1, then each drop diagnosed and trained both ways; the chosen arm goes on."""
    stretches.write(data, laboratory.root)
    shutil.move(laboratory.root / "original", laboratory.root / "data/original")
    by_name = {stretch.name: stretch for stretch in data.stretches}
    found = laboratory.do(Operation.DIAGNOSE, 1, "store", None)
    first = laboratory.do(
        Operation.TRAIN,
        1,
        "store",
        None,
        action=TrainingAction.RETRAIN,
        snapshot=Snapshot(1, found.snapshot_digest),
    )
    print(row("first version", first), flush=True)
    store = "store"
    print(laboratory.right(store, 1, by_name["known"]), flush=True)
    for run, (stretch, chosen) in enumerate(ACTS, start=2):
        labelled = laboratory.root / f"stretches/{stretch}/labelled.jsonl"
        shutil.copy(labelled, laboratory.root / f"data/updates/{stretch}.jsonl")
        champion = laboratory.champion(store, run - 1)
        print(laboratory.right(store, run - 1, by_name[stretch]), flush=True)
        found = laboratory.do(Operation.DIAGNOSE, run, store, champion)
        assert found.diagnosis is not None  # noqa: S101 - as above
        for finding in found.diagnosis.findings:
            numbers = ", ".join(f"{e.name} {e.value:.3g}" for e in finding.evidence)
            print(f"{stretch}: {finding.question} {finding.answer} ({numbers})", flush=True)
        for action, excluding in _arms(stretch, chosen, story=story):
            arm = f"{store}-{action.lower()}" + ("" if excluding else "-all")
            shutil.copytree(laboratory.root / "models" / store, laboratory.root / "models" / arm)
            report = laboratory.do(
                Operation.TRAIN,
                run,
                arm,
                champion,
                action=action,
                snapshot=Snapshot(run, found.snapshot_digest),
                exclude_contradicted=stretch == "refiled" and excluding,
            )
            note = "" if excluding else ", contradicted old rows kept"
            print(row(f"{stretch}: {action}{note}", report), flush=True)
            print(f"{arm}: {laboratory.right(arm, run, by_name[stretch])}", flush=True)
        store = f"{store}-{chosen.lower()}"


def main() -> None:
    """Run it in a temporary folder."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--seed", type=int, nargs="+", default=[stretches.SEED], help="of the rows that are dealt"
    )
    parser.add_argument(
        "--story", action="store_true", help="train only what the demo shows, not the other arm"
    )
    given = parser.parse_args()
    resource = yaml.safe_load((MANIFESTS / "modelmaintenance.yaml").read_text(encoding="utf-8"))
    for seed in given.seed:
        print(f"\nseed {seed}", flush=True)
        with tempfile.TemporaryDirectory() as folder:
            laboratory = Laboratory(Path(folder), resource["spec"])
            both_ways(laboratory, stretches.build(CACHE, seed), story=given.story)


if __name__ == "__main__":
    main()

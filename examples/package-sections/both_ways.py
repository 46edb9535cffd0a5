"""Are the demo's decisions right? Train both ways on the very rows that the demo deals.

Works with the trainer itself on a local folder, without a cluster, and prints what
docs/demo-decisions.md records. Takes about ten minutes on two cores.
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
from maintenance_trainer.places import Places
from maintenance_trainer.progress import LogProgress

RESOURCE: Final = ResourceRef("package-sections", "package-sections", "local")
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
            ),
            champion,
            **more,
        )
        report, code = perform(request, Places(str(self.root)), LogProgress())
        if code:
            sys.exit(f"{report.reason}: {report.message}")
        return report


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


def _arms(stretch: str) -> list[tuple[TrainingAction, bool]]:
    """Both actions; after concept drift also as they would be had nobody noticed it."""
    return [
        (action, excluding)
        for excluding in ((True, False) if stretch == "refiled" else (True,))
        for action in TrainingAction
    ]


def both_ways(laboratory: Laboratory, data: stretches.DemoData) -> None:
    """Version 1, then each drop diagnosed and trained both ways; the chosen arm goes on."""
    stretches.write(data, laboratory.root)
    shutil.move(laboratory.root / "original", laboratory.root / "data/original")
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
    for run, (stretch, chosen) in enumerate(ACTS, start=2):
        labelled = laboratory.root / f"stretches/{stretch}/labelled.jsonl"
        shutil.copy(labelled, laboratory.root / f"data/updates/{stretch}.jsonl")
        champion = laboratory.champion(store, run - 1)
        found = laboratory.do(Operation.DIAGNOSE, run, store, champion)
        assert found.diagnosis is not None  # noqa: S101 - as above
        for finding in found.diagnosis.findings:
            numbers = ", ".join(f"{e.name} {e.value:.3g}" for e in finding.evidence)
            print(f"{stretch}: {finding.question} {finding.answer} ({numbers})", flush=True)
        for action, excluding in _arms(stretch):
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
        store = f"{store}-{chosen.lower()}"


def main() -> None:
    """Run it in a temporary folder."""
    argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    ).parse_args()
    resource = yaml.safe_load((MANIFESTS / "modelmaintenance.yaml").read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory() as folder:
        laboratory = Laboratory(Path(folder), resource["spec"])
        both_ways(laboratory, stretches.build(CACHE))


if __name__ == "__main__":
    main()

"""What a version's manifest says about where it comes from."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from maintenance_contract import (
    Evaluation,
    TrainingAction,
    TrainingRequest,
)
from maintenance_contract.codec import Fields
from maintenance_contract.report import ROW_COUNTS
from maintenance_contract.request import SNAPSHOT
from maintenance_trainer.data.shares import BUCKETS
from maintenance_trainer.data.snapshot import Snapshot
from maintenance_trainer.recipes import take_over
from maintenance_trainer.store import inheritance
from maintenance_trainer.store.inheritance import Past, handed_on
from maintenance_trainer.store.versions import Version, sha256


@dataclass(frozen=True, slots=True)
class Made:
    """What training made: labels, rows by kind, contradicted rows left out, scores, seconds.

    ``steps`` are the optimizer's.
    """

    labels: tuple[str, ...]
    rows: Mapping[str, int]
    excluded: int
    evaluation: Evaluation
    seconds: Mapping[str, float]
    action: TrainingAction
    steps: int = 0
    race: Mapping[TrainingAction, Evaluation] = field(default_factory=dict)
    beside: Mapping[str, Any] = field(default_factory=dict)


def provenance(
    request: TrainingRequest,
    snapshot: Snapshot,
    champion: Version | None,
    made: Made,
    base_model: Path,
) -> Mapping[str, Any]:
    """The manifest without the files' digests.

    A fine-tuned version knows all files that its ancestors knew, and a row is held out of it only
    if it was held out of them.
    """
    parent = champion if made.action is TrainingAction.FINE_TUNE else None
    files = {file.digest for file in snapshot.files}
    recipes, model = request.recipes, request.model
    return {
        **_of_any(request, snapshot, made),
        **inheritance.document(snapshot, handed_on(snapshot, parent.past if parent else None)),
        "action": made.action.value,
        "parent": parent and {"version": parent.number, "digest": parent.digest},
        "baseModel": (
            parent.provenance.get("baseModel")
            if parent
            else _base_model(model.base_model, model.revision, base_model)
        ),
        "data": sorted(files | (parent.data if parent else frozenset())),
        "steps": made.steps,
        "arguments": recipes.fine_tune_arguments if parent else recipes.retrain_arguments,
        "replayPercent": recipes.replay_percent if parent else None,
        **_race_document(made.race),
    }


def taken_over(
    request: TrainingRequest, snapshot: Snapshot, made: Made, folder: Path
) -> Mapping[str, Any]:
    """The manifest, without the files' digests, of a version that was made elsewhere.

    Where it comes from and what its folder tells of its making; the scores are of here.
    """
    updates = BUCKETS if snapshot.holdout.updates_percent is None else snapshot.held_out.updates
    past, model = take_over.past(folder, updates), request.model
    return {
        **_of_any(request, snapshot, made),
        **inheritance.document(snapshot, Past(handed_on(snapshot, None).own, past.fair_holdout)),
        "action": request.action and request.action.value,
        "parent": None,
        "initialModel": {
            "storageUri": model.initial_model,
            **({"revision": model.initial_revision} if model.initial_revision else {}),
            "known": bool(past.manifest),
        },
        "baseModel": past.manifest.get("baseModel"),
        "data": sorted(past.data),
        "arguments": {},
        "replayPercent": None,
    }


def _of_any(request: TrainingRequest, snapshot: Snapshot, made: Made) -> Mapping[str, Any]:
    """What the manifest of any version says, wherever it was made."""
    return {
        "run": request.run,
        "requestDigest": request.digest,
        "resource": {"namespace": request.resource.namespace, "name": request.resource.name},
        "task": str(request.model.task),
        "labels": list(made.labels),
        "snapshot": request.snapshot and SNAPSHOT.document(request.snapshot),
        "rows": ROW_COUNTS.document(snapshot.counts),
        "trainedRows": dict(made.rows),
        "excludedContradicted": made.excluded,
        "evaluation": made.evaluation.document(),
        "timings": {name: round(seconds, 3) for name, seconds in made.seconds.items()},
        "code": _code(),
        **({"beside": made.beside} if made.beside else {}),
    }


def _race_document(race: Mapping[TrainingAction, Evaluation]) -> dict[str, Any]:
    if not race:
        return {}
    return {"race": {action.value: each.document() for action, each in race.items()}}


def read_race(fields: Fields) -> dict[TrainingAction, Evaluation]:
    """What both ways scored, by a manifest; empty where nothing raced."""
    if not fields.has("race"):
        return {}
    its = fields.fields("race")
    return {
        action: Evaluation.read(its.fields(action.value))
        for action in TrainingAction
        if its.has(action.value)
    }


def _base_model(uri: str, revision: str, folder: Path) -> dict[str, Any] | None:
    """None where the kind begins with nothing."""
    if not uri:
        return None
    return {
        "storageUri": uri,
        **({"revision": revision} if revision else {}),
        "files": {
            path.name: sha256(path)
            for path in sorted(folder.glob("*"))
            if path.suffix in {".safetensors", ".json", ".txt"}
        },
    }


def _code() -> dict[str, str]:
    return {
        "image": os.environ.get("MAINTENANCE_TRAINER_IMAGE", ""),
        "maintenance-trainer": _version("maintenance-trainer") or "source tree",
        **{name: version_of(name) for name in ("torch", "transformers", "xgboost")},
    }


@cache
def version_of(module: str) -> str:
    """The version of a library, whatever its distribution is called: xgboost-cu13, say.

    Nothing is imported: not every kind needs each library.
    """
    said = _version(module) or getattr(sys.modules.get(module), "__version__", "")
    if said:
        return str(said)
    holders = metadata.packages_distributions().get(module, ())
    return next(filter(None, map(_version, holders)), "not installed")


def _version(distribution: str) -> str:
    """Empty where it is not installed."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return ""

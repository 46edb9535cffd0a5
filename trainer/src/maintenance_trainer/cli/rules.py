"""The operator's own rules and gate, asked for a person: a laptop and a cluster decide alike."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from maintenance_contract import (
    ChampionRef,
    Columns,
    Holdout,
    Snapshot,
    StorageUri,
    Task,
    TrainingAction,
    TrainingReport,
    TrainingRequest,
)
from maintenance_core.decide.decision import decide
from maintenance_core.decide.gate import gate_for, judge
from maintenance_core.decide.training_plan import plan_of
from maintenance_core.lifecycle.jobs import Identity, request
from maintenance_core.model import (
    Action,
    Champion,
    Decision,
    Run,
    Situation,
    Spec,
    Step,
    Trigger,
    Verdict,
)
from maintenance_core.spec import parse
from maintenance_trainer.store.versions import Version

IDENTITY: Final = Identity("local", "by-hand", "")
DEFAULTS: Final[Mapping[str, Any]] = {
    "model": {
        "task": "TextClassification",
        "baseModel": {"storageUri": "pvc://local/base-model"},
        "storage": {"storageUri": "pvc://local/store"},
    },
    "data": {
        "original": {"storageUri": "pvc://local/original"},
        "updates": {"storageUri": "pvc://local/updates", "sampling": "Random"},
        "holdout": {"originalPercent": "Auto", "updatesPercent": "Auto"},
    },
    "metrics": {
        "server": "default",
        "interval": "5m",
        "performance": {
            "query": "accuracy",
            "thresholdRange": {"min": 0.5},
            "breach": {"count": 3, "of": 5},
        },
    },
    "decision": {"policy": "Evidence", "minNewRows": 50, "recheckAfter": "1h"},
    "training": {
        "fineTune": {"arguments": {}},
        "retrain": {"arguments": {}},
        "resources": {},
        "timeout": "4h",
        "retries": 1,
        "pendingTimeout": "24h",
    },
    "gate": {
        "minImprovement": 0,
        "confidence": 0.95,
        "oldData": {"maxLoss": 0.02, "onConceptDrift": "ReportOnly"},
    },
    "limits": {"cooldown": "6h", "runs": {"max": 4, "per": "168h"}},
}
"""A resource as the API server completes it; places and metric are not asked for by hand."""


@dataclass(frozen=True, slots=True)
class Places:
    """Folders of a laptop, where a resource names claims and buckets."""

    original: Path
    updates: Path
    base_model: Path | None
    store: Path


def spec(  # each is a field of its own
    task: Task,
    places: Places,
    columns: Columns,
    holdout: Holdout,
    replay_percent: int | None,
    arguments: Mapping[str, Any],
) -> Spec:
    """What a resource would say at the API's defaults, but for what the command was given."""
    model = {**DEFAULTS["model"], "task": task.value}
    if places.base_model is None:
        del model["baseModel"]
    filled = parse({**DEFAULTS, "model": model})
    return replace(
        filled,
        base_model=None if places.base_model is None else _uri(places.base_model),
        storage=_uri(places.store),
        original=_uri(places.original),
        updates=_uri(places.updates),
        columns=columns,
        holdout=holdout,
        training=replace(
            filled.training,
            replay_percent=replay_percent,
            fine_tune_arguments=arguments,
            retrain_arguments=arguments,
        ),
    )


def diagnose_request(its: Spec, number: int, champion: Version | None) -> TrainingRequest:
    """What the operator would ask a diagnosis Job."""
    return request(IDENTITY, _run(number, champion, Step.DIAGNOSE), its, Step.DIAGNOSE)


def train_request(
    its: Spec,
    number: int,
    champion: Version | None,
    decision: Decision,
    snapshot: Snapshot,
) -> TrainingRequest:
    """What the operator would ask a training Job after that decision."""
    run = replace(
        _run(number, champion, Step.TRAIN),
        action=decision.action,
        snapshot_run=snapshot.run,
        data_digest=snapshot.digest,
    )
    return request(IDENTITY, run, its, Step.TRAIN, plan_of(decision, its))


def decision_on(
    report: TrainingReport, its: Spec, champion: Version | None, now: datetime
) -> Decision:
    """What the rules make of a diagnosis, and the brakes of the rules.

    Nobody measures a metric here, so it is as if newly labelled rows had asked for the look: the
    labels themselves must show that the champion does worse.
    """
    return decide(
        Situation(
            number=report.run,
            trigger=Trigger.INITIAL if champion is None else Trigger.NEW_DATA,
            spec=its,
            report=report,
            now=now,
            champion=None if champion is None else _champion(champion, now),
        )
    )


def insisted(decision: Decision, action: TrainingAction) -> Decision:
    """The decision of a person who wants it otherwise; the gate is asked all the same."""
    return replace(decision, action=Action(action.value), reason="ByHand")


def excludes(decision: Decision, its: Spec) -> bool:
    """Whether old rows that new labels contradict stay out: then a retrain would see as few."""
    return plan_of(decision, its).exclude_contradicted


def verdict_on(
    report: TrainingReport,
    its: Spec,
    champion: Version | None,
    decision: Decision,
    now: datetime,
) -> Verdict:
    """What the gate makes of a training."""
    return judge(
        report,
        gate=gate_for(its.gate, plan_of(decision, its)),
        champion=None if champion is None else _champion(champion, now),
        concept_drift=excludes(decision, its),
        sampling=its.sampling,
    )


def _run(number: int, champion: Version | None, step: Step) -> Run:
    return Run(
        number=number,
        trigger=Trigger.INITIAL if champion is None else Trigger.NEW_DATA,
        step=step,
        start_time=datetime.min.replace(tzinfo=UTC),  # no part of a request
        spec={},
        champion=None if champion is None else ChampionRef(champion.number, champion.digest),
    )


def _champion(version: Version, now: datetime) -> Champion:
    return Champion(
        version.number,
        version.folder.as_uri(),
        version.digest,
        now,
        TrainingAction(version.provenance["action"]),
    )


def _uri(folder: Path) -> StorageUri:
    return StorageUri.parse(f"file://{folder.resolve()}")

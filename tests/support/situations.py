"""What the operator knows when it decides, with rows enough for every brake."""

from datetime import UTC, datetime

from maintenance_contract import (
    Diagnosis,
    Finding,
    HeldOut,
    Operation,
    Outcome,
    RowCounts,
    TrainingAction,
    TrainingReport,
)
from maintenance_core.model import (
    Champion,
    Degraded,
    Reading,
    Situation,
    Spec,
    ThresholdRange,
    Trigger,
)

NOW = datetime(2026, 11, 23, 18, 0, 3, tzinfo=UTC)


def diagnosed(spec: Spec, findings: tuple[Finding, ...], *, held_out: int, right: int) -> Situation:
    """A drop has been diagnosed; the champion gets ``right`` of the new held-out rows right."""
    return Situation(
        number=7,
        trigger=Trigger.PERFORMANCE_DROP,
        spec=spec,
        report=TrainingReport(
            Operation.DIAGNOSE,
            7,
            "sha256:request",
            Outcome.SUCCEEDED,
            diagnosis=Diagnosis(
                RowCounts(700, held_out, 5000, 5000),
                findings,
                new=HeldOut(held_out, right),
                old=HeldOut(5000, 4500),
            ),
        ),
        now=NOW,
        degraded=Degraded(Reading(NOW, 0.87, 1250.0), 3, 5, ThresholdRange(min=0.9)),
        champion=Champion(6, "pvc://models/6", "sha256:6", NOW, TrainingAction.RETRAIN),
    )

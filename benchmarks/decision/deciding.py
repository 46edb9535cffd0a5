"""The product, asked what it would do: its diagnosis, its rules, its brakes."""

import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
from cause import NO_RECURRENCE
from numpy.typing import NDArray

from maintenance_contract import (
    Diagnosis,
    HeldOut,
    Operation,
    Outcome,
    RowCounts,
    TrainingAction,
    TrainingReport,
    evidence_names,
)
from maintenance_core.decide.decision import decide
from maintenance_core.model import (
    Champion,
    Decision,
    Degraded,
    Policy,
    Reading,
    Situation,
    ThresholdRange,
    Trigger,
)
from maintenance_core.spec import parse
from maintenance_trainer.diagnose import examine, quality
from maintenance_trainer.diagnose import thresholds as at
from maintenance_trainer.diagnose.answers import Measure
from maintenance_trainer.diagnose.samples import Sample
from maintenance_trainer.errors import DataError

sys.path.append(str(Path(__file__).resolve().parents[2] / "tests"))

from support.plain import plain_spec

NOW: Final = datetime(2026, 1, 1, tzinfo=UTC)
SERVED: Final = Champion(1, "", "sha256:champion", NOW, TrainingAction.RETRAIN)

SPEC: Final = parse(
    plain_spec(
        metrics={"performance": {"thresholdRange": {"min": 0.8}}},
        decision={"policy": "Evidence", "minNewRows": 100},
    )
)


def decided(
    policy: Policy,
    seen: Sample,
    old: Sample,
    new: Sample,
    right_new: NDArray[Any],
    right_old: NDArray[Any],
) -> Decision:
    """What is decided after a drop.

    Args:
        policy: by which rules.
        seen: rows that the champion was trained on.
        old: held-out rows of that time.
        new: all newly labelled rows.
        right_new: whether the champion is right, for each of the new rows that are held out.
        right_old: the same for the old ones.
    """
    report = TrainingReport(Operation.DIAGNOSE, 2, "", Outcome.SUCCEEDED)
    try:
        quality.check(old, new)
    except DataError as error:
        report = replace(report, outcome=Outcome.FAILED, reason=error.reason)
    else:
        fresh = np.ones(len(new), bool)
        measured = examine.measure(seen, old, new, fresh, NO_RECURRENCE)
        report = replace(
            report,
            diagnosis=Diagnosis(
                RowCounts(len(new) - len(right_new), len(right_new), len(seen), len(right_old)),
                examine.findings(replace(measured, space=_space(seen, new))),
                new=HeldOut(len(right_new), int(right_new.sum())),
                old=HeldOut(len(right_old), int(right_old.sum())),
            ),
        )
    return decide(
        Situation(
            number=2,
            trigger=Trigger.PERFORMANCE_DROP,
            spec=replace(SPEC, policy=policy),
            report=report,
            now=NOW,
            degraded=Degraded(Reading(NOW, 0.75, 1000.0), 3, 5, ThresholdRange(min=0.8)),
            champion=SERVED,
        )
    )


def _space(seen: Sample, new: Sample) -> tuple[Measure, ...]:
    """Classes that the champion does not know: of what it reads no more is measured here."""
    unknown = float(np.mean(~np.isin(new.labels, np.unique(seen.labels))))
    count = len(new)
    return (Measure(evidence_names.NEW_LABELS, unknown, unknown, at.NEW_LABELS, None, count),)

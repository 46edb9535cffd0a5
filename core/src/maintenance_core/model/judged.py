"""What a decision rests on, and what the gate says."""

from dataclasses import dataclass
from datetime import datetime

from maintenance_contract import TrainingReport
from maintenance_core.model.declared import Spec
from maintenance_core.model.measured import Degraded
from maintenance_core.model.remembered import Champion, HistoryEntry, Score, Trigger


@dataclass(frozen=True, slots=True)
class Situation:
    """Everything a decision rests on: a diagnosis that ended, and what is remembered.

    ``report`` is the Diagnose report of the run (for an escalation: of the run it came from);
    ``degraded`` the assessment that triggered it, None for Initial.
    """

    number: int
    trigger: Trigger
    spec: Spec
    report: TrainingReport
    now: datetime
    degraded: Degraded | None = None
    champion: Champion | None = None
    history: tuple[HistoryEntry, ...] = ()
    generation: int = 0
    escalated_from: int | None = None
    spec_digest: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the gate says of a challenger."""

    promote: bool
    reason: str
    message: str
    new: Score | None = None
    old: Score | None = None

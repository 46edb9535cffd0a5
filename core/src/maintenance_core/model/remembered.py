"""What is remembered: a resource's ``status``, parsed."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from maintenance_contract import Answer, ChampionRef, Question, TrainingAction
from maintenance_core.model.counts import Alarm
from maintenance_core.model.measured import Baseline, Monitor, Reading


def _same(one: str, other: str) -> bool:
    """Whether two digests of specs are the same, and known."""
    return one == other != ""


class Action(StrEnum):
    """What a decision asks for."""

    NONE = "None"
    IMPORT = "Import"
    FINE_TUNE = "FineTune"
    RETRAIN = "Retrain"
    WAIT = "Wait"
    BLOCKED = "Blocked"

    @property
    def training(self) -> TrainingAction | None:
        """The way to a new version that it stands for, if any."""
        match self:
            case Action.IMPORT:
                return TrainingAction.IMPORT
            case Action.FINE_TUNE:
                return TrainingAction.FINE_TUNE
            case Action.RETRAIN:
                return TrainingAction.RETRAIN
            case _:
                return None


class Trigger(StrEnum):
    """Why a run began."""

    INITIAL = "Initial"
    PERFORMANCE_DROP = "PerformanceDrop"
    SCHEDULE = "Schedule"
    NEW_DATA = "NewData"
    ESCALATION = "Escalation"


WITHOUT_A_DROP: Final = frozenset({Trigger.SCHEDULE, Trigger.NEW_DATA})
"""What asks for a look whatever the metric says."""


class Step(StrEnum):
    """Where a live run stands."""

    DIAGNOSE = "Diagnose"
    TRAIN = "Train"
    REPORT = "Report"


class RunOutcome(StrEnum):
    """How a run ended."""

    PROMOTED = "Promoted"
    REJECTED = "Rejected"
    FAILED = "Failed"
    STOPPED = "Stopped"


@dataclass(frozen=True, slots=True)
class StatusEvidence:
    """A number of the path as status shows it."""

    name: str
    value: str
    threshold: str = ""
    p_value: str = ""
    n: int | None = None
    lower: str = ""
    upper: str = ""


@dataclass(frozen=True, slots=True)
class PathStep:
    """A question of the workflow and its answer."""

    question: Question
    answer: Answer
    evidence: tuple[StatusEvidence, ...] = ()


@dataclass(frozen=True, slots=True)
class RejectedAction:
    """An action not taken, and why."""

    action: Action
    because: str


@dataclass(frozen=True, slots=True)
class Power:
    """What the held-out rows that were there could show, and what more labelled rows would buy.

    Shares from 0 to 1. ``chance``: that a model which is as good as the champion was is promoted;
    ``stake``: what that would gain; ``smallest_gain``: of accuracy on new rows, that is shown four
    times in five.
    """

    new_held_out: int
    old_held_out: int
    chance: float
    stake: float
    smallest_gain: float
    more_rows: int
    chance_with_more: float
    smallest_gain_with_more: float


@dataclass(frozen=True, slots=True)
class TrainingPlan:
    """How a decision wants its training done, beside the action.

    ``exclude_contradicted``: without old rows that new labels refute. ``race``: both ways are
    trained. ``old_at_new_mix``: old rows are judged in the classes' new shares. ``cause_open``:
    no cause is named.
    """

    exclude_contradicted: bool = False
    race: bool = False
    old_at_new_mix: bool = False
    cause_open: bool = False


PLAIN: Final = TrainingPlan()


@dataclass(frozen=True, slots=True)
class Decision:
    """What is to be done, from which numbers."""

    number: int
    trigger: Trigger
    action: Action
    reason: str
    message: str
    path: tuple[PathStep, ...]
    rejected: tuple[RejectedAction, ...]
    time: datetime
    escalated_from: int | None = None
    power: Power | None = None
    plan: TrainingPlan | None = None
    """Of a training; None where a version before did not write it down."""


@dataclass(frozen=True, slots=True)
class Champion:
    """The version in service."""

    version: int
    storage_uri: str
    digest: str
    promoted_time: datetime
    action: TrainingAction
    baseline: Baseline | None = None


@dataclass(frozen=True, slots=True)
class Score:
    """Both models on the same held-out rows: shares of rows, or of a ``metric`` in its units."""

    n: int
    champion: float
    challenger: float
    metric: str = ""


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """A run that came to training, failed or was stopped. Newest first in status.

    ``spec_digest`` is of what bears on a training in the spec that it was held to (``digest_of``).
    """

    number: int
    trigger: Trigger
    action: Action
    reason: str
    outcome: RunOutcome
    message: str
    start_time: datetime
    end_time: datetime
    generation: int = 0
    data_digest: str = ""
    champion_version: int | None = None
    champion_digest: str = ""
    version: int | None = None
    trained: bool = False
    train_seconds: float | None = None
    new: Score | None = None
    old: Score | None = None
    spec_digest: str = ""

    def rejected_for(self, champion_digest: str, generation: int, spec_digest: str) -> bool:
        """Whether the gate rejected what was trained on known data, by the spec as it is."""
        return (
            self.outcome is RunOutcome.REJECTED
            and bool(self.data_digest)
            and self.champion_digest == champion_digest
            and self.held_to(generation, spec_digest)
        )

    def held_to(self, generation: int, spec_digest: str) -> bool:
        """Whether that is the spec it was held to, as far as it bears on a training.

        A spec that nobody edited is the same, though another release may fill it in otherwise; and
        releases before wrote no digest.
        """
        return self.generation == generation or _same(self.spec_digest, spec_digest)


@dataclass(frozen=True, slots=True)
class Breach:
    """The breach that began a run, as it stood then."""

    time: datetime
    value: float
    breached: int
    counted: int
    samples: float | None = None
    bound: float | None = None
    alarm: Alarm | None = None
    onset: datetime | None = None


@dataclass(frozen=True, slots=True)
class Stopping:
    """Why the operator gives a run up: written before its Job is deleted, so that it is kept."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Run:
    """The live run. Allocated, with its spec frozen, before its first Job.

    ``job_uid`` is empty until the step's Job was seen: a missing Job is then one to create, and
    afterwards one that somebody deleted. ``snapshot_run`` is the run whose data snapshot is
    trained on (another one for an escalation). ``half_batches``: the run before it ran out of
    memory. ``report`` is what the step's trainer said where its pod runs on: written down before
    the Job is deleted. ``request_digest`` is of what that trainer was asked, as the Job carries it:
    another release would ask in other words.
    """

    number: int
    trigger: Trigger
    step: Step
    start_time: datetime
    spec: Mapping[str, Any]
    generation: int = 0
    job_name: str = ""
    job_uid: str = ""
    champion: ChampionRef | None = None
    breach: Breach | None = None
    escalated_from: int | None = None
    action: Action | None = None
    subject: Step | None = None
    snapshot_run: int | None = None
    data_digest: str = ""
    train_start_time: datetime | None = None
    stopping: Stopping | None = None
    half_batches: bool = False
    report: str = ""
    request_digest: str = ""


@dataclass(frozen=True, slots=True)
class Recheck:
    """After fruitless looks: how many in a row on the same data and spec, and no new one before."""

    count: int
    time: datetime
    data_digest: str = ""
    spec_digest: str = ""

    def earned_by(self, spec_digest: str) -> bool:
        """Whether the looks were by that spec, as far as it bears on a training."""
        return _same(self.spec_digest, spec_digest)


@dataclass(frozen=True, slots=True)
class Condition:
    """As in the Kubernetes API conventions; ``status`` is True, False or Unknown."""

    type: str
    status: str
    reason: str
    message: str
    observed_generation: int
    last_transition_time: datetime


@dataclass(frozen=True, slots=True)
class Status:
    """A resource's status, parsed. ``performance`` is the reading at the last transition."""

    observed_generation: int = -1
    conditions: tuple[Condition, ...] = ()
    performance: Reading | None = None
    decision: Decision | None = None
    run: Run | None = None
    recheck: Recheck | None = None
    champion: Champion | None = None
    history: tuple[HistoryEntry, ...] = ()
    monitor: Monitor | None = None

    def condition(self, kind: str) -> Condition | None:
        """The condition of that type, if it is set."""
        return next((c for c in self.conditions if c.type == kind), None)

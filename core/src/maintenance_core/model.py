"""The values the operator thinks in. Immutable; times are aware and in UTC."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from maintenance_contract import (
    DEFAULT_MAX_ROWS,
    Answer,
    ChampionRef,
    Columns,
    Holdout,
    Question,
    Sampling,
    StorageUri,
    Task,
    TrainingAction,
    TrainingReport,
)
from maintenance_core.evidence import Thresholds
from maintenance_core.sequential import Alarm, Reference

# --- what is declared -------------------------------------------------------------------


DEFAULT_OLD_WEIGHT: Final = 0.2
DEFAULT_MIN_EXPECTED_GAIN: Final = 0.005
"""Of ``spec.gate.oldData.weight`` and ``spec.decision.minExpectedGain``, as the CRD has them."""


class Policy(StrEnum):
    """How causes become actions."""

    WORKFLOW = "Workflow"
    EVIDENCE = "Evidence"


class OnConceptDrift(StrEnum):
    """What the old held-out rows count for after concept drift."""

    REPORT_ONLY = "ReportOnly"
    JUDGE = "Judge"


class Proof(StrEnum):
    """Whether the challenger must be shown to have lost nothing on the old held-out rows.

    ``AUTO``: where they are enough to show it; fewer are weighed together with the new ones.
    """

    AUTO = "Auto"
    REQUIRED = "Required"
    NOT_REQUIRED = "NotRequired"


class OnAmbiguous(StrEnum):
    """What is trained where no cause is named."""

    FINE_TUNE = "FineTune"
    RACE = "Race"


class OnMissing(StrEnum):
    """What an empty or NaN reading is: nothing to go by, or a bad one."""

    HOLD = "Hold"
    BREACH = "Breach"


@dataclass(frozen=True, slots=True)
class ThresholdRange:
    """A floor (accuracy) or a ceiling (error rate); exactly one is set."""

    min: float | None = None
    max: float | None = None

    def breached_by(self, value: float) -> bool:
        """Whether a reading lies on the bad side. A missing one (NaN) lies in no range."""
        if math.isnan(value):
            return True
        if self.min is not None:
            return value < self.min
        return self.max is not None and value > self.max

    @property
    def bound(self) -> float:
        """The number a reading is held against."""
        bound = self.min if self.min is not None else self.max
        assert bound is not None  # noqa: S101 - the schema and the parser see to it
        return bound

    def tightened(self, level: float, drop: float) -> "ThresholdRange":
        """The stricter of this range and the one that ends ``drop`` beyond a level."""
        if self.min is not None:
            return ThresholdRange(min=max(self.min, level - drop))
        return ThresholdRange(max=min(self.bound, level + drop))


@dataclass(frozen=True, slots=True)
class SamplesQuery:
    """How many predictions a reading rests on, and how many it needs to count."""

    query: str
    min: float


@dataclass(frozen=True, slots=True)
class Metrics:
    """``spec.metrics``: a reading per interval; a breach is ``count`` bad ones ``of`` the last.

    ``max_drop`` is held against the champion's baseline; a resource that is degraded stays so until
    a reading lies beyond ``recover``.
    """

    server: str
    interval: timedelta
    query: str
    match: Mapping[str, str] = field(hash=False)
    threshold: ThresholdRange
    breach_count: int
    breach_of: int
    samples: SamplesQuery | None
    max_drop: float | None = None
    recover: float | None = None
    on_missing: OnMissing = OnMissing.HOLD


@dataclass(frozen=True, slots=True)
class Outcomes:
    """``spec.metrics`` with ``outcomes``: counters of right and wrong predictions by true class.

    ``baseline_samples``: so many after a promotion tell what the version achieves.
    """

    server: str
    interval: timedelta
    counter: str
    match_labels: Mapping[str, str]
    class_label: str
    correct_label: str
    version_label: str = ""
    tolerance: float = 0.02
    baseline_samples: int = 2000


@dataclass(frozen=True, slots=True)
class Schedule:
    """``spec.triggers.schedule``: five fields of cron, in a zone of the tz database."""

    cron: str
    time_zone: str


@dataclass(frozen=True, slots=True)
class NewData:
    """``spec.triggers.newData``: look when the query's one series reaches ``min``."""

    query: str
    min: float


@dataclass(frozen=True, slots=True)
class Triggers:
    """``spec.triggers``: why to look even without a drop."""

    schedule: Schedule | None = None
    new_data: NewData | None = None


@dataclass(frozen=True, slots=True)
class Gate:
    """``spec.gate``; ``proof``, ``max_old_loss``, ``old_weight``: of ``spec.gate.oldData``."""

    min_improvement: float
    confidence: float
    max_old_loss: float
    on_concept_drift: OnConceptDrift
    proof: Proof = Proof.AUTO
    old_weight: float = DEFAULT_OLD_WEIGHT
    """Of accuracy on old rows, where both are weighed; new ones have the rest."""


@dataclass(frozen=True, slots=True)
class Pod:
    """``spec.training.pod``: what of a run's pods may be chosen; each part as in a pod's spec."""

    node_selector: Mapping[str, str] = field(default_factory=dict)
    tolerations: tuple[Mapping[str, Any], ...] = ()
    env: tuple[Mapping[str, Any], ...] = ()
    priority_class_name: str = ""
    service_account_name: str = ""
    image_pull_secrets: tuple[Mapping[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class DiagnosisJob:
    """``spec.diagnosis``: what the Job that looks for the cause may use."""

    resources: Mapping[str, Any]
    timeout: timedelta
    max_rows: int = DEFAULT_MAX_ROWS


@dataclass(frozen=True, slots=True)
class Training:
    """``spec.training``; ``resources`` as in a container.

    ``new_data_percent``: share of new rows in a retrain; None leaves it to the decision.
    """

    replay_percent: int
    fine_tune_arguments: Mapping[str, Any]
    retrain_arguments: Mapping[str, Any]
    resources: Mapping[str, Any]
    timeout: timedelta
    retries: int
    pending_timeout: timedelta
    pod: Pod
    new_data_percent: int | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """``spec.limits``: no loop may start trainings."""

    cooldown: timedelta
    max_runs: int
    per: timedelta
    consecutive_failures: int


@dataclass(frozen=True, slots=True)
class Access:
    """Names of Secrets (``secretRef``), one per place; empty: the pod's own identity."""

    base_model: str = ""
    storage: str = ""
    original: str = ""
    updates: str = ""
    initial_model: str = ""


@dataclass(frozen=True, slots=True)
class Spec:
    """A ModelMaintenance's spec, parsed."""

    suspend: bool
    task: Task
    base_model: StorageUri
    storage: StorageUri
    original: StorageUri
    updates: StorageUri
    columns: Columns
    holdout: Holdout
    metrics: Metrics | Outcomes
    policy: Policy
    min_new_rows: int
    recheck_after: timedelta
    diagnosis: DiagnosisJob
    training: Training
    gate: Gate
    limits: Limits
    history_runs: int
    triggers: Triggers
    thresholds: Thresholds = field(default_factory=Thresholds)
    access: Access = field(default_factory=Access)
    revision: str = ""
    """Of a base model from a hub."""
    initial_model: StorageUri | None = None
    """Becomes version 1; nothing is made of it once there is a champion."""
    initial_revision: str = ""
    sampling: Sampling = Sampling.RANDOM
    on_ambiguous: OnAmbiguous = OnAmbiguous.FINE_TUNE
    min_expected_gain: float = DEFAULT_MIN_EXPECTED_GAIN


# --- what is configured -----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Server:
    """A Prometheus server that resources may name, from the operator's configuration.

    ``namespaces``: whose resources may; None for all. ``enforced_matchers``: label → value that
    each selector of a query must carry; ``{{ namespace }}`` in it is the resource's.
    """

    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    bearer_token_file: str = ""
    username: str = ""
    password_file: str = ""
    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""
    server_name: str = ""
    namespaces: frozenset[str] | None = None
    enforced_matchers: Mapping[str, str] = field(default_factory=dict)


# --- what is seen -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Series:
    """One series of a range query: its labels, and (time, value) in order. Values may be NaN."""

    labels: Mapping[str, str]
    points: tuple[tuple[datetime, float], ...]


@dataclass(frozen=True, slots=True)
class Reading:
    """The metric at one point of the grid; ``samples`` is None where no query was given.

    ``value`` is NaN where the metric was missing and ``onMissing: Breach`` counts that.
    """

    time: datetime
    value: float
    samples: float | None = None


@dataclass(frozen=True, slots=True)
class Healthy:
    """Not enough bad readings. ``reading`` is the latest that counts.

    ``level`` is their mean, weighted by samples, once all of them lie well after the promotion.
    With counters: ``monitor`` is what they are held against, ``season`` the time after which the
    error is up just as it was then.
    """

    reading: Reading
    breached: int
    counted: int
    level: "Baseline | None" = None
    monitor: "Monitor | None" = None
    season: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Degraded:
    """Performance is down, sustained, on enough samples. ``reading`` is the latest.

    ``recovering``: it was, and is no more, but has not reached ``recover`` either. Nothing starts
    then. ``alarm``: it is the sequential test of counters that says so, and no single reading.
    ``onset``: what lies before it was still good, as far as the readings tell.
    """

    reading: Reading
    breached: int
    counted: int
    threshold: ThresholdRange
    recovering: bool = False
    alarm: Alarm | None = None
    onset: datetime | None = None


@dataclass(frozen=True, slots=True)
class Unknown:
    """Nothing can be said; the operator holds. ``reason`` is of ``MetricsReason``."""

    reason: str
    message: str


Assessment = Healthy | Degraded | Unknown


class JobPhase(StrEnum):
    """Where a Job stands."""

    PENDING = "Pending"
    RUNNING = "Running"
    COMPLETE = "Complete"
    FAILED = "Failed"


@dataclass(frozen=True, slots=True)
class JobView:
    """One of our Jobs, as far as decisions need it.

    ``message`` is the raw termination message of its last pod, None where none can be had;
    ``failure`` is the reason of the Failed condition (``DeadlineExceeded``, ``PodFailurePolicy``,
    ``BackoffLimitExceeded``) or of its pod; ``detail`` a sentence on it, or on why the Job stands
    where it does, and ``cause`` Kubernetes' word for that. ``deadline_exceeded``
    tells that a pod of it ran longer than it may; ``unmounted`` that its pod waits for a volume or
    a Secret that somebody must provide, and ``detail`` says which. ``foreign`` names pods that
    claim to be the Job's and are not as it makes them: nothing is taken from those.

    Times are Kubernetes': ``waits_since`` of the newest wait for a pod to start, which a
    ``suspended`` Job does not do; ``started`` of the trainer's container. Of a Job that has not
    ended: ``ended`` is when its trainer did, for good, and ``message`` then what it said;
    ``kept_by`` names the containers that keep the pod, ``condemned`` is when Kubernetes gave the
    Job up and began to wait for its pods.
    """

    name: str
    uid: str
    owner_uid: str
    request_digest: str
    phase: JobPhase
    message: str | None = None
    failure: str = ""
    detail: str = ""
    finished: datetime | None = None
    deadline_exceeded: bool = False
    unmounted: bool = False
    deleted: datetime | None = None
    """Since when it is being deleted; ``finalizers`` are what keeps it until then."""
    finalizers: tuple[str, ...] = ()
    cause: str = ""
    foreign: str = ""
    suspended: bool = False
    waits_since: datetime | None = None
    started: datetime | None = None
    ended: datetime | None = None
    kept_by: str = ""
    condemned: datetime | None = None


class Request(StrEnum):
    """What the API server is asked for; a refusal of it is told, and the rest goes on."""

    READ_CONFIG_MAP = "ReadConfigMap"
    WRITE_CONFIG_MAP = "WriteConfigMap"
    READ_JOBS = "ReadJobs"
    CREATE_JOB = "CreateJob"
    DELETE_JOB = "DeleteJob"
    WRITE_STATUS = "WriteStatus"
    TELL_REFUSAL = "TellRefusal"
    """A status that only says that another one was refused."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A request that the API server did not carry out, ``count`` times in a row.

    ``about`` says which object and state of it was asked for: another one is tried at once, the
    same not before ``until``. ``refused``: it would be refused again; else it may have been bad
    luck. ``code`` is the HTTP status, 0 for no answer; ``words`` are the server's.
    """

    request: Request
    about: str
    refused: bool
    code: int
    words: str
    count: int
    until: datetime


# --- what is remembered (status) --------------------------------------------------------


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


@dataclass(frozen=True, slots=True)
class Baseline:
    """What a version achieved in production when it was new."""

    value: float
    time: datetime
    samples: float | None = None


@dataclass(frozen=True, slots=True)
class Monitor:
    """What the sequential test rests on, beside Prometheus.

    ``version`` is the champion's, ``counter`` a digest of what is counted, and both must still be
    the same; the test is rebuilt from ``checkpoint_time`` on.
    """

    version: int
    counter: str
    checkpoint_time: datetime
    reference: Reference


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
    """Accuracies on the same held-out rows."""

    n: int
    champion: float
    challenger: float


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """A run that came to training, failed or was stopped. Newest first in status."""

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


@dataclass(frozen=True, slots=True)
class Trouble:
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
    the Job is deleted.
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
    trouble: Trouble | None = None
    escalated_from: int | None = None
    action: Action | None = None
    subject: Step | None = None
    snapshot_run: int | None = None
    data_digest: str = ""
    train_start_time: datetime | None = None
    stopping: Stopping | None = None
    half_batches: bool = False
    report: str = ""


@dataclass(frozen=True, slots=True)
class Recheck:
    """After fruitless looks: how many in a row on the same data, and no new one before."""

    count: int
    time: datetime
    data_digest: str = ""


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


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the gate says of a challenger."""

    promote: bool
    reason: str
    message: str
    new: Score | None = None
    old: Score | None = None


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


# --- what a pass does -------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Note:
    """An Event to be."""

    reason: str
    message: str
    warning: bool = False


@dataclass(frozen=True, slots=True)
class WriteStatus:
    """Replace status, then tell: the events, the decision taken, the run that ended.

    ``instead`` of one that was refused: it only says so.
    """

    status: Status
    notes: tuple[Note, ...] = ()
    decided: Decision | None = None
    ended: HistoryEntry | None = None
    instead: bool = False


@dataclass(frozen=True, slots=True)
class CreateJob:
    """Create the Job of the live run's step."""

    manifest: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class DeleteJob:
    """Delete a Job of ours, and its pods; those first where something will hold the Job."""

    name: str
    uid: str
    pods_first: bool = False


@dataclass(frozen=True, slots=True)
class WriteConfigMap:
    """Project the champion; ``existing`` is the object to replace, None to create."""

    manifest: Mapping[str, Any]
    existing: Mapping[str, Any] | None


Effect = WriteStatus | CreateJob | DeleteJob | WriteConfigMap

"""What is declared: a resource's ``spec``, parsed, and the servers of the configuration."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Any, Final

from maintenance_contract import (
    DEFAULT_MAX_ROWS,
    Columns,
    Holdout,
    Sampling,
    ScoreMetric,
    StorageUri,
    Task,
    Windows,
)

DEFAULT_OLD_WEIGHT: Final = 0.2


DEFAULT_WEIGHED_CONFIDENCE: Final = 0.8


DEFAULT_MIN_EXPECTED_GAIN: Final = 0.005
"""Of ``spec.gate.oldData.weight`` and ``weighedConfidence``, and of
``spec.decision.minExpectedGain``, as the CRD has them."""


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
class OutcomeCounters:
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
    """``spec.gate``, and of its ``oldData`` all but ``min_improvement`` and ``confidence``."""

    min_improvement: float
    confidence: float
    max_old_loss: float
    on_concept_drift: OnConceptDrift
    proof: Proof = Proof.AUTO
    metric: ScoreMetric = ScoreMetric.ACCURACY
    old_weight: float = DEFAULT_OLD_WEIGHT
    """Of accuracy on old rows, where both are weighed; new ones have the rest."""
    weighed_confidence: float = DEFAULT_WEIGHED_CONFIDENCE
    """With which their gain must be shown then, if a cause is named and old rows are judged."""


@dataclass(frozen=True, slots=True)
class Thresholds:
    """``spec.decision.thresholds``: what a test must survive, and from which effect on it matters.

    ``alpha``: error budget of one diagnosis; at most one in a hundred names a cause where there is
    none: an answer can cost a GPU run, and the drop that asks for it has its own brake.
    ``new_domain``: share of new rows outside the support, beyond what is always there; rows that
    move in columns that mean nothing put about a twentieth there. ``other_stream``: from this share
    on the inputs are another stream's, and a retrain is due. ``class_mix``: total variation between
    class shares; a day of the week does less. ``error_rise``: of the whole error, by what neither
    inputs nor class mix explain; below, a training costs more than it gains. ``slight_drift``: rise
    of the error below which a concept drift asks for a fine-tune: what was learnt holds for nearly
    all inputs. ``concept_replaced``: share of its accuracy that the champion has lost to a concept
    drift; above, it holds for hardly any, and a fine-tune does as well as a retrain, for less.
    The last two are where arms that were really trained change places (benchmarks/README.md, "Is
    the right thing done?").
    """

    alpha: float = 0.01
    new_domain: float = 0.07
    other_stream: float = 0.30
    class_mix: float | None = 0.05
    """None where there are no classes."""
    error_rise: float = 0.02
    slight_drift: float = 0.10
    concept_replaced: float = 0.5


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

    ``replay_percent``: old rows per hundred new ones in a fine-tune; None is the kind's default.
    ``new_data_percent``: share of new rows in a retrain; None leaves it to the decision.
    """

    replay_percent: int | None
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
class SecretRefs:
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
    base_model: StorageUri | None
    """Where a retrain starts; None of kinds that begin with nothing."""
    storage: StorageUri
    original: StorageUri
    updates: StorageUri
    columns: Columns
    holdout: Holdout
    metrics: Metrics | OutcomeCounters
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
    access: SecretRefs = field(default_factory=SecretRefs)
    revision: str = ""
    """Of a base model from a hub."""
    initial_model: StorageUri | None = None
    """Becomes version 1; nothing is made of it once there is a champion."""
    initial_revision: str = ""
    sampling: Sampling = Sampling.RANDOM
    on_ambiguous: OnAmbiguous = OnAmbiguous.FINE_TUNE
    min_expected_gain: float = DEFAULT_MIN_EXPECTED_GAIN
    windows: Windows | None = None
    """How rows of a series become windows; None of other kinds."""


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

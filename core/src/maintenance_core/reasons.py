"""Every reason the operator gives, one sentence each.

Conditions, Events, decisions, logs and the documentation use these words and no others.
"""

from enum import StrEnum
from typing import Self


class Reason(StrEnum):
    """A CamelCase word that carries its meaning."""

    sentence: str

    def __new__(cls, word: str, sentence: str) -> Self:
        """A member is its word; the sentence rides along."""
        member = str.__new__(cls, word)
        member._value_ = word
        member.sentence = sentence
        return member


class ReadyReason(Reason):
    """Of the conditions Ready and Stalled."""

    WATCHING = "Watching", "The resource is followed."
    INVALID_SPEC = (
        "InvalidSpec",
        "A field cannot be followed; the message says which and how to mend it.",
    )
    UNKNOWN_SERVER = (
        "UnknownServer",
        "spec.metrics.server names no server of the operator's configuration.",
    )
    INVALID_QUERY = "InvalidQuery", "Prometheus refuses a query of spec.metrics as malformed."
    SERVER_FORBIDDEN = (
        "ServerForbidden",
        "The operator's configuration keeps this Prometheus server from this namespace.",
    )
    QUERY_FORBIDDEN = (
        "QueryForbidden",
        "A query lacks a matcher that the operator's configuration enforces on this server.",
    )
    STORE_IN_USE = "StoreInUse", "spec.model.storage belongs to another resource."
    CONFIGMAP_FOREIGN = (
        "ChampionConfigMapNameTaken",
        "A ConfigMap of that name exists that is not ours.",
    )
    CONFIGMAP_INVALID = (
        "ChampionConfigMapInvalid",
        "The ConfigMap to adopt the champion from cannot be read.",
    )
    CHAMPION_ELSEWHERE = (
        "ChampionElsewhere",
        "The ConfigMap names a version outside spec.model.storage, and initialModel is not given.",
    )
    CONFIGMAP_REFUSED = (
        "ChampionConfigMapRefused",
        "The champion's ConfigMap cannot be read or written; what serves may be another version.",
    )
    JOBS_UNREADABLE = "JobsUnreadable", "The API server does not let the operator read its Jobs."
    JOB_REFUSED = (
        "JobRefused",
        "The API server (quota, policy) or the operator's configuration refuses the Job.",
    )
    JOB_NOT_DELETED = (
        "JobNotDeleted",
        "The Job of a run that is over cannot be deleted, or something holds it.",
    )
    STATUS_REFUSED = "StatusRefused", "The API server refuses what the operator writes into status."
    REPEATED_FAILURES = (
        "RepeatedFailures",
        "So many runs in a row failed or were rejected that a person must look.",
    )
    INVALID_STATUS = "InvalidStatus", "Somebody wrote into status what the operator cannot read."


class MetricsReason(Reason):
    """Of the condition MetricsAvailable."""

    READING = "Reading", "The metric yields one usable reading."
    AWAITING_READINGS = "AwaitingReadings", "No reading counts yet for the champion in service."
    NO_DATA = "NoData", "The query yields no series; absent is not zero."
    NOT_A_NUMBER = "NotANumber", "The latest reading is NaN or infinite."
    STALE = "Stale", "The samples query yields nothing: nothing reports any more."
    INSUFFICIENT_SAMPLES = "InsufficientSamples", "No reading rests on enough samples."
    AMBIGUOUS = (
        "Ambiguous",
        "The query yields several series; spec.metrics.performance.match must pick one.",
    )
    OUTCOMES_UNREADABLE = (
        "OutcomesUnreadable",
        "The counters of spec.metrics.outcomes lack a label, or it says neither true nor false.",
    )
    TOLERANCE_TOO_WIDE = (
        "ToleranceTooWide",
        "spec.metrics.outcomes.tolerance above the version's error leaves no room for a rise.",
    )
    INVALID_QUERY = "InvalidQuery", "Prometheus refuses the query as malformed."
    QUERY_FAILED = "QueryFailed", "Prometheus answered with an error."
    REPLY_TOO_LARGE = "ReplyTooLarge", "Prometheus answers with more than is read."
    NOT_PROMETHEUS = (
        "NotPrometheus",
        "What answers is not Prometheus: a redirect, a login page, another service.",
    )
    PARTIAL = "PartialAnswer", "A part of what Prometheus reads from did not answer."
    UNREACHABLE = "Unreachable", "Prometheus does not answer."
    CREDENTIALS_REFUSED = (
        "CredentialsRefused",
        "Prometheus does not let the operator in, or its credentials cannot be read.",
    )
    UNKNOWN_SERVER = (
        "UnknownServer",
        "spec.metrics.server names no server of the operator's configuration.",
    )
    SERVER_FORBIDDEN = (
        "ServerForbidden",
        "The operator's configuration keeps this server from this namespace.",
    )
    QUERY_FORBIDDEN = (
        "QueryForbidden",
        "A query lacks a matcher that the operator's configuration enforces on this server.",
    )


class DegradedReason(Reason):
    """Of the condition Degraded."""

    BELOW_THRESHOLD = "BelowThreshold", "Performance is below its floor in enough readings."
    ABOVE_THRESHOLD = "AboveThreshold", "The error is above its ceiling in enough readings."
    ERROR_ROSE = "ErrorRose", "The error has risen by more than the tolerance, says the test."
    SEASON = (
        "SeasonSeenBefore",
        "The error is up as it was a day or a week before, and came down again then.",
    )
    MISSING = "Missing", "The metric is missing, and onMissing counts that as a bad reading."
    WITHIN_RANGE = "WithinRange", "Performance is within its range."
    NEW_VERSION = (
        "NewVersion",
        "Performance was down; no reading counts yet for the version that is in service now.",
    )


class DecisionReason(Reason):
    """Of a decision."""

    FIRST_VERSION = "FirstVersion", "There is no champion yet: train one from the base model."
    INITIAL_MODEL = "InitialModel", "spec.model.initialModel is given: it becomes version 1."
    FEATURE_SPACE_CHANGED = (
        "FeatureSpaceChanged",
        "What the model reads or predicts has changed at large.",
    )
    CONCEPT_DRIFT = "ConceptDrift", "The same inputs now mean something else."
    SLIGHT_CONCEPT_DRIFT = "SlightConceptDrift", "A few of the inputs now mean something else."
    CONCEPT_REPLACED = "ConceptReplaced", "Most of what the champion learnt no longer holds."
    DISTRIBUTION_SHIFT = "DistributionShift", "The inputs have changed at large."
    DOMAIN_EXPANSION = "DomainExpansion", "A minor share of the inputs is new to the model."
    COVARIATE_SHIFT = "CovariateShift", "The inputs have moved towards what the model errs on."
    LABEL_SHIFT = "LabelShift", "The classes come in other shares; each looks as before."
    BENIGN_SHIFT = "BenignShift", "The inputs have moved where the model does not look."
    MINOR_CHANGE = "MinorChange", "The change is minor: adapt the current model."
    UNDETERMINED = "Undetermined", "No test names a cause: try the cheapest arm, the gate decides."
    FINE_TUNE_REJECTED = (
        "FineTuneRejected",
        "The fine-tuned model did not pass the gate: retrain once.",
    )
    NO_CAUSE_FOUND = "NoCauseFound", "The newly labelled rows do not show what the metric shows."
    NO_DROP_FOUND = (
        "NoDropFound",
        "Without a drop of the metric: the champion does as well on newly labelled rows.",
    )
    NO_NEW_ROWS = "NoNewRows", "No newly labelled file has arrived since the champion was trained."
    NOT_ENOUGH_NEW_ROWS = (
        "NotEnoughNewRows",
        "Fewer newly labelled rows than spec.decision.minNewRows.",
    )
    NOT_ENOUGH_HELD_OUT_ROWS = (
        "NotEnoughHeldOutRows",
        "The held-out rows could hardly show a win that is worth a run.",
    )
    GAIN_TOO_SMALL = (
        "GainTooSmall",
        "What can be gained is less than a run must promise (spec.decision.minExpectedGain).",
    )
    NO_NEW_EVIDENCE = "NoNewEvidence", "The same action on the same data has already been rejected."
    RUN_LIMIT_REACHED = "RunLimitReached", "spec.limits.runs allows no further training for now."
    DATA_UNUSABLE = (
        "DataUnusable",
        "The data or the request cannot be used; the message says what and where.",
    )


class VerdictReason(Reason):
    """Of a gate's verdict."""

    FIRST_VERSION = "FirstVersion", "The first version beats what needs no model."
    IMPORTED = "Imported", "The model brought along does no worse than what needs no model."
    WORSE_THAN_MAJORITY = (
        "WorseThanMajority",
        "The model brought along does worse than always naming the most frequent label.",
    )
    WORSE_THAN_BASELINE = (
        "WorseThanBaseline",
        "The model brought along errs by more than the baseline, which needs no model.",
    )
    CHALLENGER_WINS = "ChallengerWins", "Better on new held-out rows and not worse on old ones."
    NO_IMPROVEMENT = "NoImprovement", "Not shown to be better on new held-out rows."
    FORGETS_OLD = "ForgetsOld", "Not shown to be as good as before on old held-out rows."
    NOT_BETTER_THAN_MAJORITY = "NotBetterThanMajority", "Not shown to beat the majority class."
    NOT_BETTER_THAN_BASELINE = (
        "NotBetterThanBaseline",
        "Not shown to beat the baseline, which needs no model.",
    )
    CHAMPION_CHANGED = "ChampionChanged", "Another version went into service during the run."
    REPORT_INVALID = (
        "ReportInvalid",
        "The trainer's report does not belong to this run or contradicts itself.",
    )


class RunReason(Reason):
    """Of a run's end, beside the verdict's reasons and those of the trainer."""

    JOB_FAILED = "JobFailed", "The Job failed without a report."
    JOB_DELETED = "JobDeleted", "The Job was deleted by somebody else before it ended."
    JOB_REFUSED = (
        "JobRefused",
        "The API server (quota, policy) or the operator's configuration refuses the Job.",
    )
    JOB_FOREIGN = "JobNameTaken", "A Job of that name exists that is not ours."
    PENDING_TIMEOUT = (
        "PendingTimeout",
        "The Job's pod did not start within spec.training.pendingTimeout.",
    )
    OUT_OF_MEMORY = "OutOfMemory", "The Job's pod used more memory than its limit allows."
    DEADLINE_EXCEEDED = "DeadlineExceeded", "The trainer ran longer than its timeout."
    REPORT_MISSING = "ReportMissing", "The Job ended, but no report can be found."
    SUSPENDED = "Suspended", "spec.suspend stopped the run."


class EventReason(Reason):
    """Of Events, the ones that a condition does not already name."""

    DIAGNOSIS_STARTED = (
        "DiagnosisStarted",
        "A run was allocated; a Job that looks for the cause is asked for.",
    )
    DECIDED = "Decided", "The decision and the reason for it."
    TRAINING_STARTED = "TrainingStarted", "The training Job is asked for."
    IMPORT_STARTED = (
        "ImportStarted",
        "A Job that copies spec.model.initialModel into the store is asked for.",
    )
    PROMOTED = "Promoted", "The challenger is the champion now."
    REJECTED = "Rejected", "The challenger did not pass the gate."
    RUN_FAILED = "RunFailed", "The run ended without a verdict."
    RUN_STOPPED = (
        "RunStopped",
        "The run was stopped: the resource is suspended, or another version went into service.",
    )
    CHAMPION_ADOPTED = "ChampionAdopted", "The champion was taken over from the ConfigMap."
    CHAMPION_PROJECTED = (
        "ChampionProjected",
        "The ConfigMap that servers read was brought in line with status.",
    )
    DEGRADED = "Degraded", "Performance has left its range."
    RECOVERED = "Recovered", "Performance is back in its range."
    MOUNT_FAILED = "MountFailed", "The Job's pod waits for a volume claim or Secret."
    FOREIGN_POD = "ForeignPod", "A pod claims to be the Job's and is not as the Job makes it."
    RELABELLED = "JobRelabelled", "Somebody changed labels of the run's Job."
    JOB_LEFT_OVER = "JobLeftOver", "A Job goes on that is of no run; none begins beside it."
    METRICS_UNAVAILABLE = "MetricsUnavailable", "The metric cannot be read; the operator holds."
    METRICS_AVAILABLE = "MetricsAvailable", "The metric can be read again."
    INVALID_SPEC = "InvalidSpec", "The resource cannot be followed as it is."


class TrainingReason(Reason):
    """Of the condition Training."""

    IDLE = "Idle", "No run is live."
    DIAGNOSING = "Diagnosing", "A Job looks for the cause; nothing is trained yet."
    QUEUED = "Queued", "The training Job's pod has not started yet."
    RUNNING = "Running", "The training Job runs."
    IMPORTING = "Importing", "A Job copies spec.model.initialModel into the store; none is trained."
    MOUNT_FAILED = (
        "MountFailed",
        "The Job's pod waits for a volume claim or Secret; create or mend it in this namespace.",
    )
    REFUSED = (
        "JobRefused",
        "The API server (quota, policy) or the operator's configuration refuses the Job.",
    )
    TERMINATING = "Terminating", "The run's Job is being deleted."
    FOREIGN_POD = (
        "ForeignPod",
        "A pod claims to be the Job's and is not as the Job makes it: it is not believed.",
    )
    RELABELLED = (
        "JobRelabelled",
        "Somebody changed labels of the run's Job, by which the operator finds it: restore them.",
    )
    HELD = (
        "Held",
        "Many resources of its server left their range together: look at what is measured first.",
    )
    AWAITING_METRICS = (
        "AwaitingMetrics",
        "No first version is trained while the metric cannot be asked for: see MetricsAvailable.",
    )
    LEFT_OVER = (
        "JobLeftOver",
        "A Job of this resource goes on and is of no run that status knows; none begins beside it.",
    )
    REPORTING = "Reporting", "A small Job reads the stored report again."

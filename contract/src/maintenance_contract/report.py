"""The report: what a Job found, as numbers. Untrusted input for the operator.

A container's termination message holds at most 4096 bytes. ``TrainingReport.to_message`` fits,
by dropping in a fixed order what matters least; the whole report lies in the store.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Final

from maintenance_contract import checks
from maintenance_contract.checks import Mismatch
from maintenance_contract.codec import Fields
from maintenance_contract.plain import printable
from maintenance_contract.record import EVERY, JSON, Document, Part, record
from maintenance_contract.request import Operation, TrainingAction
from maintenance_contract.scores import (
    AT_LEAST_ONE,
    BASELINE,
    LOSSES,
    PAIRED_SCORES,
    TIMES,
    PairedScores,
    ScoreMetric,
    beside_baseline,
    skill,
)
from maintenance_contract.values import (
    Codec,
    by_name,
    each,
    nullable,
    rounded,
    significant,
    text,
    whole,
)

REPORT_VERSION: Final = 1
MESSAGE_BYTES: Final = 4096
MOST_LEFT_OUT_NAMED: Final = 20


class Outcome(StrEnum):
    """Whether the operation did its work. A bad score is no failure."""

    SUCCEEDED = "Succeeded"
    FAILED = "Failed"


class Answer(StrEnum):
    """Answers to the workflow's questions."""

    NO = "No"
    MINOR = "Minor"
    MAJOR = "Major"
    UNDETERMINED = "Undetermined"
    YES = "Yes"


class Question(StrEnum):
    """The workflow's questions, in its order."""

    PERFORMANCE_DROP = "PerformanceDrop"
    DATA_DISTRIBUTION_SHIFT = "DataDistributionShift"
    CONCEPT_DRIFT = "ConceptDrift"
    FEATURE_SPACE_CHANGE = "FeatureSpaceChange"
    MONITOR_AND_OPTIMIZE = "MonitorAndOptimize"


class Reference(StrEnum):
    """Whom the challenger was scored against."""

    CHAMPION = "Champion"
    MAJORITY_CLASS = "MajorityClass"
    BASELINE = "Baseline"
    """What needs no model where there are no classes: the median, the season before."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """One number behind an answer: the effect, what it was held against, how sure, on how many.

    ``lower`` and ``upper`` are one-sided 95 % bounds of the effect, None where it has none.
    """

    name: str
    value: float
    threshold: float | None = None
    p_value: float | None = None
    n: int | None = None
    lower: float | None = None
    upper: float | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """The answer to one question."""

    question: Question
    answer: Answer
    evidence: tuple[Evidence, ...] = ()


LEAST_ROWS: Final = 40
"""Rows needed on each side of a comparison of new rows with old; with fewer no test is made."""


@dataclass(frozen=True, slots=True)
class RowCounts:
    """Rows of the snapshot, after exact duplicates are gone, by origin and side of the split.

    New rows are those of settled update files that the champion was not trained on; all others
    are old.
    """

    new_train: int = 0
    new_held_out: int = 0
    old_train: int = 0
    old_held_out: int = 0


@dataclass(frozen=True, slots=True)
class HeldOut:
    """The champion on held-out rows.

    ``design_effect`` (L. Kish, Survey Sampling, 1965, section 5.4): how many times the variance of
    its accuracy is what it were if rows of one unit were independent; at least 1.
    """

    n: int
    correct: int
    design_effect: float = 1.0

    @property
    def score(self) -> float:
        """Its accuracy; 0 without rows."""
        return self.correct / self.n if self.n else 0.0


@dataclass(frozen=True, slots=True)
class HeldOutLoss:
    """The champion on held-out rows, where its loss is a real number.

    ``loss`` and ``baseline`` are in units of the label, ``deviation`` in units of the baseline:
    see ``PairedLoss``.
    """

    metric: ScoreMetric
    n: int
    units: int
    loss: float
    baseline: float
    deviation: float

    @property
    def score(self) -> float:
        """Its skill: 1 perfect, 0 no better than the baseline, negative worse."""
        return skill(self.loss, self.baseline)


AnyHeldOut = HeldOut | HeldOutLoss


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """How the new labelled rows differ from what the champion was trained on.

    ``new`` and ``old`` score the champion on the held-out rows; None without a champion or rows.
    """

    rows: RowCounts
    findings: tuple[Finding, ...] = ()
    new: AnyHeldOut | None = None
    old: AnyHeldOut | None = None
    labels: int = 0
    new_labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Candidate:
    """A trained version in the store. ``digest`` is that of its manifest."""

    version: int
    digest: str
    action: TrainingAction


@dataclass(frozen=True, slots=True)
class PairedCounts:
    """Champion and challenger on the same held-out rows."""

    n: int
    both_correct: int
    champion_only: int
    challenger_only: int

    @property
    def champion_accuracy(self) -> float:
        """Share of rows that the champion (or the reference) gets right; 0 without rows."""
        return (self.both_correct + self.champion_only) / self.n if self.n else 0.0

    @property
    def challenger_accuracy(self) -> float:
        """Share of rows that the challenger gets right; 0 without rows."""
        return (self.both_correct + self.challenger_only) / self.n if self.n else 0.0


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Paired counts on held-out rows, new and old; None where there are no such rows.

    ``scores``: the same by the metric that the request asks for, where it is no share of rows, or
    where rows belong together; None where it has no value on the rows. Without classes there are
    scores alone.
    """

    reference: Reference
    new: PairedCounts | None = None
    old: PairedCounts | None = None
    scores: PairedScores | None = None

    def document(self) -> dict[str, Any]:
        """As reports and manifests spell it."""
        return _EVALUATION.document(self)

    @classmethod
    def read(cls, fields: Fields) -> "Evaluation":
        """From a report or a manifest.

        Raises:
            ContractError: with the dotted path of the field that is wrong.
        """
        return fields.decoded(_EVALUATION.decode)


@dataclass(frozen=True, slots=True)
class StoreState:
    """The highest numbers that the store has seen; the operator allocates above them."""

    highest_run: int = 0
    highest_version: int = 0


@dataclass(frozen=True, slots=True)
class LeftOutFile:
    """A file among the data that was not read: its name, ``updates/w2.csv.gz``, and why not."""

    name: str
    why: str


@dataclass(frozen=True, slots=True)
class LeftOut:
    """What lies among the data and was not read: how many files, and the first of them by name."""

    count: int = 0
    files: tuple[LeftOutFile, ...] = ()

    @classmethod
    def of(cls, files: Sequence[LeftOutFile]) -> "LeftOut":
        """Of all files, the first few keep their names."""
        return cls(len(files), tuple(files[:MOST_LEFT_OUT_NAMED]))

    def told(self, most: int = 3) -> str:
        """In words: the first few by name; empty where nothing was left out."""
        named = self.files[:most]
        if not self.count:
            return ""
        if not named:
            return f"{self.count} files"
        more = f" and {self.count - len(named)} more" if self.count > len(named) else ""
        return ", ".join(f"{file.name} ({file.why})" for file in named) + more


@dataclass(frozen=True, slots=True)
class TrainingReport:
    """What one operation found.

    ``reason`` is one CamelCase word, ``message`` one sentence that says what is wrong and who
    must act; both are empty when the operation succeeded without remark. ``timings`` are seconds
    by stage.
    """

    operation: Operation
    run: int
    request_digest: str
    outcome: Outcome
    reason: str = ""
    message: str = ""
    snapshot_digest: str = ""
    store: StoreState = field(default_factory=StoreState)
    diagnosis: Diagnosis | None = None
    candidate: Candidate | None = None
    evaluation: Evaluation | None = None
    timings: dict[str, float] = field(default_factory=dict)
    truncated: bool = False
    left_out: LeftOut = field(default_factory=LeftOut)

    def to_json(self) -> str:
        """The whole report in its canonical spelling."""
        return _DOCUMENT.write(self)

    def to_message(self, limit: int = MESSAGE_BYTES) -> str:
        """A spelling of at most ``limit`` bytes.

        Dropped first to last: names of new labels, names of files left out beyond three, timings,
        evidence beyond three a question, the message beyond 512 characters, the other names of
        files left out, the message beyond 128 characters, evidence beyond one. What a decision
        needs (answers, counts, digests) always stays.
        """
        text = self.to_json()
        for shorter in _shorter(self):
            if len(text.encode()) <= limit:
                break
            text = shorter.to_json()
        return text

    @classmethod
    def from_json(cls, text: str) -> "TrainingReport":
        """Read an untrusted report.

        Raises:
            ContractError: with the dotted path of the field that is wrong.
        """
        return _DOCUMENT.read(text)


def _shorter(report: TrainingReport) -> Iterator[TrainingReport]:
    def cut_message(most: int) -> Callable[[TrainingReport], TrainingReport]:
        return lambda r: replace(r, message=r.message[:most])

    def cut_evidence(most: int) -> Callable[[TrainingReport], TrainingReport]:
        return lambda r: (
            r
            if r.diagnosis is None
            else replace(
                r,
                diagnosis=replace(
                    r.diagnosis,
                    findings=tuple(
                        replace(finding, evidence=finding.evidence[:most])
                        for finding in r.diagnosis.findings
                    ),
                ),
            )
        )

    def cut_names(most: int) -> Callable[[TrainingReport], TrainingReport]:
        return lambda r: replace(r, left_out=replace(r.left_out, files=r.left_out.files[:most]))

    report = replace(report, truncated=True)
    cuts: tuple[Callable[[TrainingReport], TrainingReport], ...] = (
        lambda r: (
            r if r.diagnosis is None else replace(r, diagnosis=replace(r.diagnosis, new_labels=()))
        ),
        cut_names(3),
        lambda r: replace(r, timings={}),
        cut_evidence(3),
        cut_message(512),
        cut_names(0),
        cut_message(128),
        cut_evidence(1),
    )
    for cut in cuts:
        report = cut(report)
        yield report


_EVIDENCE: Final = record(Evidence, {**JSON, float: significant(6)}, name=text(64))
_FINDING: Final = record(Finding, always=EVERY, evidence=each(_EVIDENCE, most=64))


_RIGHT: Final = record(
    HeldOut,
    correct=Part(after=lambda n: whole(most=n)),
    design_effect=AT_LEAST_ONE,
)


def _a_loss(value: object) -> ScoreMetric:
    metric = checks.member(value, ScoreMetric)
    if metric not in LOSSES:
        raise Mismatch(f"{metric.value} is no loss")
    return metric


_LOST: Final = beside_baseline(
    record(
        HeldOutLoss,
        {**JSON, float: significant(6)},
        metric=Codec(_a_loss, lambda metric: metric.value),
        n=whole(least=1),
        units=Part(after=lambda _, n: whole(least=1, most=n)),
        baseline=BASELINE,
        deviation=TIMES,
    ),
    "loss",
)


def _held_out_in(value: Any) -> AnyHeldOut:
    of_numbers = checks.an_object(value).get("metric") is not None
    return _LOST.decode(value) if of_numbers else _RIGHT.decode(value)


def _held_out_out(value: AnyHeldOut) -> Any:
    return _RIGHT.encode(value) if isinstance(value, HeldOut) else _LOST.encode(value)


_HELD_OUT: Final = Codec(_held_out_in, _held_out_out)
ROW_COUNTS: Final = record(RowCounts, always=EVERY)
_DIAGNOSIS: Final = record(
    Diagnosis,
    always=EVERY,
    rows=ROW_COUNTS,
    findings=each(_FINDING, most=16),
    new=nullable(_HELD_OUT),
    old=nullable(_HELD_OUT),
)
_CANDIDATE: Final = record(Candidate, version=whole(least=1), digest=text(128))
_COUNTS: Final = record(
    PairedCounts,
    both_correct=Part(after=lambda n: whole(most=n)),
    champion_only=Part(after=lambda n, both: whole(most=n - both)),
    challenger_only=Part(after=lambda n, both, champion: whole(most=n - both - champion)),
)
_EVALUATION: Final = record(
    Evaluation,
    always={"new", "old"},
    new=nullable(_COUNTS),
    old=nullable(_COUNTS),
    scores=PAIRED_SCORES,
)
_NAME: Final = Codec(lambda value: printable(checks.text(value)))
_LEFT_OUT: Final = record(
    LeftOut,
    always=EVERY,
    count=whole(least=1),
    files=each(record(LeftOutFile, {str: _NAME}), most=MOST_LEFT_OUT_NAMED),
)
_DOCUMENT: Final = Document(
    "report",
    REPORT_VERSION,
    record(
        TrainingReport,
        always=EVERY,
        run=whole(least=1),
        reason=text(64),
        message=text(32_768),
        store=record(StoreState, always=EVERY),
        diagnosis=nullable(_DIAGNOSIS),
        candidate=nullable(_CANDIDATE),
        evaluation=nullable(_EVALUATION),
        timings=by_name(rounded(3)),
        left_out=Part(_LEFT_OUT, absent=LeftOut()),
    ),
)

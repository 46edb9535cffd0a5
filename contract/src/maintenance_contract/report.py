"""The report: what a Job found, as numbers. Untrusted input for the operator.

A container's termination message holds at most 4096 bytes. ``TrainingReport.to_message`` fits,
by dropping in a fixed order what matters least; the whole report lies in the store.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Final

from maintenance_contract.codec import Fields, canonical, load
from maintenance_contract.errors import ContractError
from maintenance_contract.plain import printable
from maintenance_contract.request import Operation, TrainingAction
from maintenance_contract.scores import (
    LOSSES,
    PairedScores,
    ScoreMetric,
    read_baseline,
    read_loss,
    skill,
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
    """The champion on held-out rows."""

    n: int
    correct: int

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

    ``scores``: the same by the metric that the request asks for, where it is not Accuracy; None
    where it has no value on the rows. Without classes there are scores alone.
    """

    reference: Reference
    new: PairedCounts | None = None
    old: PairedCounts | None = None
    scores: PairedScores | None = None

    def document(self) -> dict[str, Any]:
        """As reports and manifests spell it."""
        return {
            "reference": self.reference.value,
            "new": _counts_document(self.new),
            "old": _counts_document(self.old),
            **({"scores": self.scores.document()} if self.scores else {}),
        }

    @classmethod
    def read(cls, fields: Fields) -> "Evaluation":
        """From a report or a manifest.

        Raises:
            ContractError: with the dotted path of the field that is wrong.
        """
        return cls(
            reference=fields.one_of("reference", Reference),
            new=fields.optional("new", lambda key: _counts(fields.fields(key))),
            old=fields.optional("old", lambda key: _counts(fields.fields(key))),
            scores=PairedScores.read(fields.fields("scores")) if fields.has("scores") else None,
        )


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
        return canonical(_document(self))

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
        document = load(text, version=REPORT_VERSION, kind="report")
        return cls(
            operation=document.one_of("operation", Operation),
            run=document.integer("run", least=1),
            request_digest=document.string("requestDigest"),
            outcome=document.one_of("outcome", Outcome),
            reason=document.string("reason", most=64),
            message=document.string("message", most=32_768),
            snapshot_digest=document.string("snapshotDigest"),
            store=_store(document.fields("store")),
            diagnosis=document.optional("diagnosis", lambda key: _diagnosis(document.fields(key))),
            candidate=document.optional("candidate", lambda key: _candidate(document.fields(key))),
            evaluation=document.optional(
                "evaluation", lambda key: Evaluation.read(document.fields(key))
            ),
            timings=_timings(document),
            truncated=document.boolean("truncated"),
            left_out=document.optional("leftOut", lambda key: _left_out(document.fields(key)))
            or LeftOut(),
        )


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


def _document(report: TrainingReport) -> dict[str, Any]:
    return {
        "version": REPORT_VERSION,
        "operation": report.operation.value,
        "run": report.run,
        "requestDigest": report.request_digest,
        "outcome": report.outcome.value,
        "reason": report.reason,
        "message": report.message,
        "snapshotDigest": report.snapshot_digest,
        "store": {
            "highestRun": report.store.highest_run,
            "highestVersion": report.store.highest_version,
        },
        "diagnosis": report.diagnosis and _diagnosis_document(report.diagnosis),
        "candidate": report.candidate
        and {
            "version": report.candidate.version,
            "digest": report.candidate.digest,
            "action": report.candidate.action.value,
        },
        "evaluation": report.evaluation and report.evaluation.document(),
        "timings": {name: round(seconds, 3) for name, seconds in report.timings.items()},
        "truncated": report.truncated,
        **({"leftOut": _left_out_document(report.left_out)} if report.left_out.count else {}),
    }


def _left_out_document(left: LeftOut) -> dict[str, Any]:
    files = [{"name": file.name, "why": file.why} for file in left.files]
    return {"count": left.count, "files": files}


def _diagnosis_document(diagnosis: Diagnosis) -> dict[str, Any]:
    rows = diagnosis.rows
    return {
        "rows": {
            "newTrain": rows.new_train,
            "newHeldOut": rows.new_held_out,
            "oldTrain": rows.old_train,
            "oldHeldOut": rows.old_held_out,
        },
        "findings": [
            {
                "question": finding.question.value,
                "answer": finding.answer.value,
                "evidence": [_evidence_document(evidence) for evidence in finding.evidence],
            }
            for finding in diagnosis.findings
        ],
        "new": _held_out_document(diagnosis.new),
        "old": _held_out_document(diagnosis.old),
        "labels": diagnosis.labels,
        "newLabels": list(diagnosis.new_labels),
    }


def _held_out_document(held_out: AnyHeldOut | None) -> dict[str, Any] | None:
    match held_out:
        case None:
            return None
        case HeldOut(n, correct):
            return {"n": n, "correct": correct}
        case HeldOutLoss():
            return {
                "n": held_out.n,
                "units": held_out.units,
                "metric": held_out.metric.value,
                "loss": _round(held_out.loss),
                "baseline": _round(held_out.baseline),
                "deviation": _round(held_out.deviation),
            }


def _evidence_document(evidence: Evidence) -> dict[str, Any]:
    document: dict[str, Any] = {"name": evidence.name, "value": _round(evidence.value)}
    if evidence.threshold is not None:
        document["threshold"] = _round(evidence.threshold)
    if evidence.p_value is not None:
        document["pValue"] = _round(evidence.p_value)
    if evidence.n is not None:
        document["n"] = evidence.n
    if evidence.lower is not None:
        document["lower"] = _round(evidence.lower)
    if evidence.upper is not None:
        document["upper"] = _round(evidence.upper)
    return document


def _round(value: float) -> float:
    return float(f"{value:.6g}")


def _counts_document(counts: PairedCounts | None) -> dict[str, int] | None:
    if counts is None:
        return None
    return {
        "n": counts.n,
        "bothCorrect": counts.both_correct,
        "championOnly": counts.champion_only,
        "challengerOnly": counts.challenger_only,
    }


def _store(fields: Fields) -> StoreState:
    return StoreState(fields.integer("highestRun"), fields.integer("highestVersion"))


def _diagnosis(fields: Fields) -> Diagnosis:
    rows = fields.fields("rows")
    return Diagnosis(
        rows=RowCounts(
            rows.integer("newTrain"),
            rows.integer("newHeldOut"),
            rows.integer("oldTrain"),
            rows.integer("oldHeldOut"),
        ),
        findings=tuple(_finding(item) for item in fields.items("findings", most=16)),
        new=fields.optional("new", lambda key: _held_out(fields.fields(key))),
        old=fields.optional("old", lambda key: _held_out(fields.fields(key))),
        labels=fields.integer("labels"),
        new_labels=fields.strings("newLabels"),
    )


def _finding(fields: Fields) -> Finding:
    return Finding(
        question=fields.one_of("question", Question),
        answer=fields.one_of("answer", Answer),
        evidence=tuple(
            Evidence(
                name=item.string("name", most=64),
                value=item.number("value"),
                threshold=item.optional("threshold", item.number),
                p_value=item.optional("pValue", item.number),
                n=item.optional("n", item.integer),
                lower=item.optional("lower", item.number),
                upper=item.optional("upper", item.number),
            )
            for item in fields.items("evidence", most=64)
        ),
    )


def _held_out(fields: Fields) -> AnyHeldOut:
    if not fields.has("metric"):
        n = fields.integer("n")
        return HeldOut(n, fields.integer("correct", most=n))
    metric = fields.one_of("metric", ScoreMetric)
    if metric not in LOSSES:
        raise ContractError(f"{fields.name('metric')}: {metric.value} is no loss")
    n, baseline = fields.integer("n", least=1), read_baseline(fields)
    units = fields.integer("units", least=1, most=n)
    loss = read_loss(fields, "loss", baseline)
    return HeldOutLoss(metric, n, units, loss, baseline, read_loss(fields, "deviation"))


def _candidate(fields: Fields) -> Candidate:
    return Candidate(
        fields.integer("version", least=1),
        fields.string("digest", most=128),
        fields.one_of("action", TrainingAction),
    )


def _counts(fields: Fields) -> PairedCounts:
    n = fields.integer("n")
    both = fields.integer("bothCorrect", most=n)
    champion = fields.integer("championOnly", most=n - both)
    return PairedCounts(
        n, both, champion, fields.integer("challengerOnly", most=n - both - champion)
    )


def _left_out(fields: Fields) -> LeftOut:
    files = fields.items("files", most=MOST_LEFT_OUT_NAMED)
    return LeftOut(
        fields.integer("count", least=1),
        tuple(
            LeftOutFile(printable(file.string("name")), printable(file.string("why")))
            for file in files
        ),
    )


def _timings(document: Fields) -> dict[str, float]:
    timings = Fields(document.raw("timings"), "timings")
    return {name: timings.number(name) for name in document.raw("timings")}

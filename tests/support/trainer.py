"""The trainer's part, without training: a store in memory, and honest reports from it."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from maintenance_contract import (
    Answer,
    Candidate,
    Diagnosis,
    Evaluation,
    Evidence,
    Finding,
    HeldOut,
    Operation,
    Outcome,
    PairedCounts,
    Question,
    Reference,
    RowCounts,
    StoreState,
    TrainingReport,
    TrainingRequest,
)
from maintenance_contract.codec import digest
from maintenance_contract.exits import CONFIGURATION_ERROR, OK

Alter = Callable[[TrainingRequest, TrainingReport], TrainingReport]


@dataclass(frozen=True)
class Ending:
    """How a container ends."""

    message: str
    exit_code: int = OK
    reason: str = "Completed"


@dataclass
class Trainer:
    """Plays all Jobs of one store.

    ``findings`` answer the diagnosis of a store that has a champion; ``alter`` may change any
    report before it is sent. ``trained`` lists the run numbers that really trained.
    """

    findings: tuple[Finding, ...] = ()
    alter: Alter | None = None
    trained: list[int] = field(default_factory=list)
    requests: list[TrainingRequest] = field(default_factory=list)
    _reports: dict[tuple[int, Operation], TrainingReport] = field(default_factory=dict)

    def __call__(self, request: TrainingRequest) -> Ending:
        """Do what the request asks, as the trainer would; a repeated request is answered again."""
        self.requests.append(request)
        report = self._report(request)
        if self.alter is not None:
            report = self.alter(request, report)
        if report.outcome is Outcome.FAILED:
            return Ending(report.to_message(), CONFIGURATION_ERROR, "Error")
        return Ending(report.to_message())

    def _report(self, request: TrainingRequest) -> TrainingReport:
        if request.operation is Operation.REPORT:
            assert request.subject is not None
            return self._reports.get((request.run, request.subject)) or self._missing(request)
        known = self._reports.get((request.run, request.operation))
        if known is not None:
            if known.request_digest == request.digest:
                return known
            return self._failed(request, "RunNumberTaken", "The run's number is taken.")
        make = self._diagnose if request.operation is Operation.DIAGNOSE else self._train
        report = self._reports[request.run, request.operation] = make(request)
        return report

    @property
    def _store(self) -> StoreState:
        runs = [run for run, _ in self._reports]
        return StoreState(max(runs, default=0), len(self.trained))

    def _base(self, request: TrainingRequest) -> TrainingReport:
        return TrainingReport(
            request.operation, request.run, request.digest, Outcome.SUCCEEDED, store=self._store
        )

    def _failed(self, request: TrainingRequest, reason: str, message: str) -> TrainingReport:
        return replace(self._base(request), outcome=Outcome.FAILED, reason=reason, message=message)

    def _missing(self, request: TrainingRequest) -> TrainingReport:
        return self._failed(request, "ReportMissing", "The store holds no report of this run.")

    def _diagnose(self, request: TrainingRequest) -> TrainingReport:
        rows = RowCounts(new_train=700, new_held_out=300, old_train=1800, old_held_out=2000)
        diagnosis = Diagnosis(rows, labels=4)
        if request.champion is None:
            rows = RowCounts(old_train=1800, old_held_out=400)
            scored = HeldOut(400, 360) if request.model.initial_model else None
            diagnosis = Diagnosis(rows, labels=4, old=scored)
        else:
            diagnosis = replace(
                diagnosis,
                findings=self.findings or domain_expansion(),
                new=HeldOut(300, 200),
                old=HeldOut(2000, 1840),
            )
        return replace(
            self._base(request),
            snapshot_digest=digest(f"snapshot {request.run}"),
            diagnosis=diagnosis,
        )

    def _train(self, request: TrainingRequest) -> TrainingReport:
        assert request.action is not None
        assert request.snapshot is not None
        self.trained.append(request.run)
        version = len(self.trained)
        if request.champion is None:
            evaluation = Evaluation(Reference.MAJORITY_CLASS, old=PairedCounts(400, 100, 10, 260))
        else:
            evaluation = Evaluation(
                Reference.CHAMPION,
                new=PairedCounts(300, 190, 10, 80),
                old=PairedCounts(2000, 1800, 40, 60),
            )
        return replace(
            self._base(request),
            snapshot_digest=request.snapshot.digest,
            candidate=Candidate(version, digest(f"version {version}"), request.action),
            evaluation=evaluation,
            timings={"train": 1.5},
        )


def domain_expansion() -> tuple[Finding, ...]:
    """A minor share of the rows is new to the model; nothing else has changed."""
    return (
        Finding(
            Question.DATA_DISTRIBUTION_SHIFT,
            Answer.MINOR,
            (Evidence("outsideSupport", 0.18, 0.3, 0.001, 1000),),
        ),
        Finding(Question.CONCEPT_DRIFT, Answer.NO, (Evidence("errorChange", 0.01, 0.1, 0.6, 300),)),
        Finding(Question.FEATURE_SPACE_CHANGE, Answer.NO, (Evidence("newLabels", 0.0, 0.3),)),
    )


def concept_drift() -> tuple[Finding, ...]:
    """The same inputs mean something else."""
    return (
        Finding(Question.DATA_DISTRIBUTION_SHIFT, Answer.NO, (Evidence("classMix", 0.02, 0.3),)),
        Finding(
            Question.CONCEPT_DRIFT, Answer.MAJOR, (Evidence("errorChange", 0.4, 0.1, 1e-9, 300),)
        ),
        Finding(Question.FEATURE_SPACE_CHANGE, Answer.NO, (Evidence("newLabels", 0.0, 0.3),)),
    )

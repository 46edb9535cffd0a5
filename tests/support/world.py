"""A world of plain values in which a story is played; the test plays the pods."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from maintenance_contract import (
    Answer,
    Candidate,
    Diagnosis,
    Evaluation,
    Evidence,
    Finding,
    HeldOut,
    Outcome,
    PairedCounts,
    Question,
    Reference,
    RowCounts,
    TrainingReport,
    TrainingRequest,
)
from maintenance_contract.decision import DecisionRecord
from maintenance_core import status as status_json
from maintenance_core.errors import SpecError
from maintenance_core.lifecycle.conditions import is_down
from maintenance_core.lifecycle.jobs import Identity, TrainerImage
from maintenance_core.lifecycle.next_effect import next_effect
from maintenance_core.lifecycle.observation import Observation
from maintenance_core.lifecycle.settle import still_waiting
from maintenance_core.model import (
    Assessment,
    CreateJob,
    Degraded,
    DeleteJob,
    Effect,
    Healthy,
    JobPhase,
    JobView,
    Metrics,
    Reading,
    Refusal,
    Series,
    Spec,
    Status,
    ThresholdRange,
    Unknown,
    WriteConfigMap,
    WriteStatus,
)
from maintenance_core.names import (
    ANNOTATION_DECISION,
    ANNOTATION_DIGEST,
    ANNOTATION_REQUEST,
)
from maintenance_core.spec import parse
from maintenance_core.spec_digest import digest_of
from maintenance_core.watch.assess import assess, held_against
from maintenance_core.watch.reading_times import reading_times
from support.plain import merged, plain_spec

START = datetime(2026, 11, 23, 12, tzinfo=UTC)
HEALTHY = Healthy(Reading(START, 0.95, 500), 0, 5)
DOWN = Degraded(Reading(START, 0.80, 500), 3, 5, ThresholdRange(min=0.9))
AWAY = Unknown("Unreachable", "Prometheus does not answer.")


def a_spec(**changes: Any) -> dict[str, Any]:
    """With a GPU, and a reading a minute; ``changes`` replace whole parts."""
    plain = plain_spec(
        metrics={"interval": "1m"}, training={"resources": {"limits": {"nvidia.com/gpu": 1}}}
    )
    return {**plain, **changes}


def paired(n: int, both: int, champion: int, challenger: int) -> PairedCounts:
    return PairedCounts(n, both, champion, challenger)


BETTER = paired(300, 150, 5, 100)
SAME = paired(5000, 4500, 5, 5)
WORSE = paired(300, 150, 60, 50)


@dataclass
class World:
    """What a cluster remembers, and what the pods and people in it do."""

    spec: dict[str, Any] = field(default_factory=a_spec)
    generation: int = 1
    now: datetime = START
    assessment: Assessment = HEALTHY
    status: dict[str, Any] = field(default_factory=lambda: {"observedGeneration": -1})
    jobs: dict[str, JobView] = field(default_factory=dict)
    requests: dict[str, TrainingRequest] = field(default_factory=dict)
    records: dict[str, DecisionRecord] = field(default_factory=dict)
    config_map: dict[str, Any] | None = None
    created: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    writes: int = 0
    refusals: tuple[Refusal, ...] = ()
    breaker_reset: datetime | None = None
    scheduled: tuple[datetime, datetime] | None = None
    labels_arrived: float | None = None
    clock_agrees: bool = True
    reads: float | None = None
    """What the metric says at all times; where it is set, ``assessment`` follows from it."""
    new_correct: int = 150
    answer: Answer = Answer.MINOR
    drift: Answer = Answer.NO

    identity = Identity("finance", "news", "1a2b3c4d-0000")

    # -- the operator's side

    def _judged(self, value: float, spec: Spec, status: Status) -> Assessment:
        metrics = spec.metrics
        assert isinstance(metrics, Metrics)
        grid = reading_times(metrics, self.now)
        series = [Series(metrics.match, tuple((time, value) for time in grid))]
        since, bounds = held_against(metrics, status, degraded=is_down(status))
        return assess(metrics, series, None, grid, since, bounds)

    def seen(self) -> Observation:
        spec: Spec | SpecError
        try:
            spec = parse(self.spec)
        except SpecError as error:
            spec = error
        spec_digest = digest_of(self.spec) if isinstance(spec, Spec) else ""
        status = still_waiting(status_json.read(self.status), self.generation, spec_digest)
        if self.reads is not None and isinstance(spec, Spec):
            self.assessment = self._judged(self.reads, spec, status)
        return Observation(
            identity=self.identity,
            generation=self.generation,
            suspended=self.spec.get("suspend") is True,
            spec=spec,
            raw_spec=self.spec,
            spec_digest=spec_digest,
            status=status,
            assessment=self.assessment,
            now=self.now,
            trainer=TrainerImage("trainer:1"),
            jobs=tuple(self.jobs.values()),
            config_map=self.config_map,
            refusals=self.refusals,
            breaker_reset=self.breaker_reset,
            created=START,
            scheduled=self.scheduled,
            new_data=self.labels_arrived,
            clock_agrees=self.clock_agrees,
        )

    def do(self, effect: Effect) -> None:
        match effect:
            case WriteStatus():
                self.status = status_json.write(effect.status)
                self.notes += [str(note.reason) for note in effect.notes]
                self.writes += 1
            case CreateJob(manifest=manifest):
                name = manifest["metadata"]["name"]
                assert name not in self.created, "never a second Job"
                self.created.append(name)
                told = manifest["spec"]["template"]["metadata"]["annotations"]
                self.requests[name] = TrainingRequest.from_json(told[ANNOTATION_REQUEST])
                if ANNOTATION_DECISION in told:
                    self.records[name] = DecisionRecord.from_json(told[ANNOTATION_DECISION])
                self.jobs[name] = JobView(
                    name,
                    f"uid-{name}",
                    self.identity.uid,
                    manifest["metadata"]["annotations"][ANNOTATION_DIGEST],
                    JobPhase.RUNNING,
                )
            case DeleteJob(name=name):
                del self.jobs[name]
            case WriteConfigMap(manifest=manifest):
                self.config_map = dict(manifest)

    def settle(self) -> None:
        for _ in range(20):
            effect = next_effect(self.seen())
            if effect is None:
                return
            self.do(effect)
        pytest.fail("the story does not come to rest")

    # -- the pods' side

    @property
    def live(self) -> list[str]:
        return [name for name, job in self.jobs.items() if job.phase is JobPhase.RUNNING]

    def finish(
        self,
        report: TrainingReport | str | None = None,
        *,
        phase: JobPhase = JobPhase.COMPLETE,
        detail: str = "",
        failure: str = "",
    ) -> None:
        """End the one live Job with this message, and let the operator see it."""
        (name,) = self.live
        message = report.to_message() if isinstance(report, TrainingReport) else report
        self.jobs[name] = replace(
            self.jobs[name], phase=phase, message=message, detail=detail, failure=failure
        )
        self.settle()

    def report(self, **changes: Any) -> TrainingReport:
        (name,) = self.live
        request = self.requests[name]
        return TrainingReport(
            **{  # type: ignore[arg-type]
                "operation": request.operation,
                "run": request.run,
                "request_digest": request.digest,
                "outcome": Outcome.SUCCEEDED,
                "snapshot_digest": "sha256:data",
                **changes,
            }
        )

    def diagnosis(self, **changes: Any) -> TrainingReport:
        first = self.seen().status.champion is None
        findings = (
            ()
            if first
            else (
                Finding(
                    Question.DATA_DISTRIBUTION_SHIFT,
                    self.answer,
                    (Evidence("outsideSupport", 0.18, 0.3, 0.001, 500),),
                ),
                Finding(
                    Question.CONCEPT_DRIFT,
                    self.drift,
                    (Evidence("errorChange", 0.3, 0.1, 0.0001, 500),),
                ),
                Finding(Question.FEATURE_SPACE_CHANGE, Answer.NO),
            )
        )
        return self.report(
            **{
                "diagnosis": Diagnosis(
                    RowCounts(0, 0, 3000, 5000) if first else RowCounts(700, 300, 3000, 5000),
                    findings,
                    None if first else HeldOut(300, self.new_correct),
                    None if first else HeldOut(5000, 4500),
                ),
                **changes,
            }
        )

    def training(
        self, new: PairedCounts = BETTER, old: PairedCounts = SAME, **changes: Any
    ) -> TrainingReport:
        (name,) = self.live
        request = self.requests[name]
        assert request.action is not None
        version = (request.champion.version if request.champion else 0) + 1 + request.run
        first = request.champion is None
        return self.report(
            **{
                "candidate": Candidate(version, f"sha256:v{version}", request.action),
                "evaluation": Evaluation(
                    Reference.MAJORITY_CLASS if first else Reference.CHAMPION,
                    None if first else new,
                    old if not first else paired(5000, 2000, 10, 2500),
                ),
                "timings": {"train": 61.7},
                **changes,
            }
        )

    # -- short cuts

    @property
    def parsed(self) -> Status:
        return status_json.read(self.status)

    def condition(self, kind: str) -> tuple[str, str]:
        condition = self.parsed.condition(kind)
        assert condition is not None
        return condition.status, condition.reason

    def read(self, value: float) -> Assessment:
        """The metric has long had this value, and has it from now on: let the operator see it."""
        self.reads = value
        self.settle()
        return self.seen().assessment

    def with_champion(self) -> "World":
        self.settle()
        self.finish(self.diagnosis())
        self.finish(self.training())
        assert self.parsed.champion is not None
        self.now += timedelta(days=1)
        self.settle()
        return self

    def edit(self, **changes: Any) -> None:
        """Somebody changes the spec by a merge patch."""
        self.spec, self.generation = merged(self.spec, changes), self.generation + 1

    def degraded(self) -> "World":
        self.with_champion()
        self.assessment = DOWN
        self.settle()
        return self

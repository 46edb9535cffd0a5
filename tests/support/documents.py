"""Documents of every kind, drawn by chance: of a seed always the same ones, or as hypothesis wants.

Numbers are short, so that what is read again is equal, unless ``long`` ones are asked for.
"""

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from random import Random
from typing import Any, Self, TypeVar

from maintenance_contract import (
    Answer,
    Candidate,
    ChampionRef,
    Columns,
    DataRef,
    Diagnosis,
    Evaluation,
    Evidence,
    Finding,
    HeldOut,
    Holdout,
    LeftOut,
    LeftOutFile,
    ModelRef,
    Operation,
    Outcome,
    PairedCounts,
    PairedScore,
    PairedScores,
    Question,
    Recipes,
    Reference,
    ResourceRef,
    RowCounts,
    Sampling,
    ScoreMetric,
    Snapshot,
    StoreState,
    Task,
    TrainingAction,
    TrainingReport,
    TrainingRequest,
    columns_of,
)
from maintenance_contract.decision import Asked, DecisionRecord, Figure, NotTaken
from maintenance_core import model
from maintenance_core.errors import OperatorError

T = TypeVar("T")
E = TypeVar("E", bound=StrEnum)

WORDS = ("", "news", "größe", "测量", "🙂", 'a "quoted" word', "line\nbreak", "\x00", "half \ud83d")
GOLDEN = Path(__file__).resolve().parents[1] / "golden"
"""What was written, and said of what is wrong, before documents were declared."""
MEMBERS: dict[type[StrEnum], int] = {
    Operation: 3, Outcome: 2, Answer: 5, Question: 5, Reference: 2, Sampling: 2, TrainingAction: 3,
    ScoreMetric: 4, Task: 2, model.Action: 6, model.Trigger: 5, model.Step: 3, model.RunOutcome: 4,
    model.Kind: 2,
}  # fmt: skip
"""So many are drawn of each enumeration, should it grow: a seed draws what it drew."""
FIRST = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass
class Values:
    """Draws values."""

    chance: Random
    long: bool = False

    @classmethod
    def of(cls, seed: int, *, long: bool = False) -> Self:
        return cls(Random(seed), long)  # noqa: S311 - examples, no secrets

    # --- what all are made of

    def maybe(self, draw: Callable[[], T]) -> T | None:
        return draw() if self.chance.randrange(3) else None

    def some(self, draw: Callable[[], T], most: int = 3) -> tuple[T, ...]:
        return tuple(draw() for _ in range(self.chance.randrange(most + 1)))

    def one(self, kind: type[E]) -> E:
        return self.pick(list(kind)[: MEMBERS.get(kind)])

    def flag(self) -> bool:
        return self.chance.randrange(2) == 1

    def pick(self, options: Sequence[T]) -> T:
        return options[self.chance.randrange(len(options))]

    def whole(self, least: int = 0, most: int = 10**7) -> int:
        return self.chance.randrange(least, most + 1)

    def text(self) -> str:
        return f"{self.pick(WORDS)}{self.pick(WORDS)}"

    def word(self) -> str:
        return f"{self.pick(WORDS)}{self.whole(0, 99)}"

    def digest(self) -> str:
        return f"sha256:{self.chance.getrandbits(256):064x}"

    def number(self, digits: int = 6) -> float:
        size = 10.0 ** self.chance.randrange(-6, 7)
        value = self.chance.randrange(-(10**6), 10**6) / 10**6 * size
        if self.long:
            return value * 1.0000003
        return float(f"{value:.{digits}g}")

    def share(self, digits: int = 4) -> float:
        value = self.chance.randrange(10**6) / 10**6
        return value if self.long else round(value, digits)

    def time(self) -> datetime:
        return FIRST + timedelta(seconds=self.whole(0, 10**8))

    # --- the contract

    def holdout(self) -> Holdout:
        return Holdout(*(self.maybe(lambda: self.whole(1, 90)) for _ in range(2)))

    def arguments(self) -> dict[str, Any]:
        values: tuple[Any, ...] = (None, True, 7, -0.5, "text", [1, {"a": []}], {"b": {"c": None}})
        return dict(self.some(lambda: (self.word(), self.pick(values))))

    def columns(self, task: str) -> Columns:
        if task not in [*Task]:
            return Columns(dict(self.some(lambda: (self.word(), self.text()))))
        named = {role: self.word() for role in ("label", "time") if self.flag()}
        return columns_of(task, **named)

    def request(self) -> TrainingRequest:
        task: str = self.pick([*list(Task)[: MEMBERS[Task]], "AnotherKind"])
        secret: Callable[[], str] = lambda: self.pick(["", "keys"])  # noqa: E731
        return TrainingRequest(
            operation=self.one(Operation),
            resource=ResourceRef(self.text(), self.text(), self.text()),
            run=self.whole(1),
            model=ModelRef(
                task,
                self.text(),
                self.text(),
                revision=self.text(),
                base_model_secret=secret(),
                storage_secret=secret(),
                initial_model=self.text(),
                initial_revision=self.text(),
                initial_model_secret=secret(),
            ),
            data=DataRef(
                self.text(),
                self.text(),
                self.columns(task),
                self.holdout(),
                original_secret=secret(),
                updates_secret=secret(),
                sampling=self.one(Sampling),
                since=self.text(),
            ),
            recipes=Recipes(
                self.whole(0, 1000),
                self.arguments(),
                self.arguments(),
                self.whole(1, 99) if self.flag() else 0,
            ),
            champion=self.maybe(lambda: ChampionRef(self.whole(1), self.digest())),
            action=self.maybe(lambda: self.one(TrainingAction)),
            snapshot=self.maybe(lambda: Snapshot(self.whole(1), self.digest())),
            exclude_contradicted=self.flag(),
            subject=self.maybe(lambda: self.one(Operation)),
            max_rows=self.pick([5000, 1, 4999]),
            race=self.flag(),
            old_at_new_mix=self.flag(),
            metric=self.one(ScoreMetric),
        )

    def evidence(self) -> Evidence:
        return Evidence(
            self.text(),
            self.number(),
            self.maybe(self.number),
            self.maybe(self.number),
            self.maybe(self.whole),
            self.maybe(self.number),
            self.maybe(self.number),
        )

    def finding(self) -> Finding:
        return Finding(self.one(Question), self.one(Answer), self.some(self.evidence))

    def held_out(self) -> HeldOut:
        n = self.whole()
        return HeldOut(n, self.whole(0, n))

    def rows(self) -> RowCounts:
        return RowCounts(*(self.whole() for _ in range(4)))

    def diagnosis(self) -> Diagnosis:
        return Diagnosis(
            self.rows(),
            self.some(self.finding),
            self.maybe(self.held_out),
            self.maybe(self.held_out),
            self.whole(),
            self.some(self.text),
        )

    def counts(self) -> PairedCounts:
        both, champion, challenger, neither = (self.whole() for _ in range(4))
        return PairedCounts(both + champion + challenger + neither, both, champion, challenger)

    def scores(self) -> PairedScores:
        metric = self.one(ScoreMetric)

        def score() -> PairedScore:
            return PairedScore(metric, self.whole(1), *(self.share(6) for _ in range(4)))

        return PairedScores(metric, *(self.maybe(score) for _ in range(3)))

    def evaluation(self) -> Evaluation:
        return Evaluation(
            self.one(Reference),
            self.maybe(self.counts),
            self.maybe(self.counts),
            self.maybe(self.scores),
        )

    def left_out(self) -> LeftOut:
        name: Callable[[], str] = lambda: self.pick(["a.gz", "größe.csv", "测量"])  # noqa: E731
        files = self.some(lambda: LeftOutFile(name(), name()), 25)
        return LeftOut.of(files)

    def report(self) -> TrainingReport:
        return TrainingReport(
            operation=self.one(Operation),
            run=self.whole(1),
            request_digest=self.digest(),
            outcome=self.one(Outcome),
            reason=self.text(),
            message=self.text(),
            snapshot_digest=self.pick(["", self.digest()]),
            store=StoreState(self.whole(), self.whole()),
            diagnosis=self.maybe(self.diagnosis),
            candidate=self.maybe(
                lambda: Candidate(self.whole(1), self.digest(), self.one(TrainingAction))
            ),
            evaluation=self.maybe(self.evaluation),
            timings=dict(self.some(lambda: (self.word(), self.share(3)))),
            truncated=self.flag(),
            left_out=self.left_out(),
        )

    def figure(self) -> Figure:
        return Figure(
            self.word(),
            self.word(),
            self.text(),
            self.text(),
            self.maybe(self.whole),
            self.text(),
            self.text(),
        )

    def decision_record(self) -> DecisionRecord:
        return DecisionRecord(
            namespace=self.text(),
            name=self.text(),
            number=self.whole(),
            trigger=self.text(),
            action=self.text(),
            reason=self.text(),
            message=self.text(),
            time=self.text(),
            path=self.some(
                lambda: Asked(self.one(Question), self.one(Answer), self.some(self.figure))
            ),
            rejected=self.some(lambda: NotTaken(self.text(), self.text())),
            escalated_from=self.maybe(self.whole),
        )

    # --- status

    def decision(self) -> model.Decision:
        return model.Decision(
            number=self.whole(),
            trigger=self.one(model.Trigger),
            action=self.one(model.Action),
            reason=self.word(),
            message=self.text(),
            path=self.some(
                lambda: model.PathStep(
                    self.one(Question),
                    self.one(Answer),
                    self.some(
                        lambda: model.StatusEvidence(
                            self.word(),
                            self.word(),
                            self.text(),
                            self.text(),
                            self.maybe(self.whole),
                            self.text(),
                            self.text(),
                        )
                    ),
                )
            ),
            rejected=self.some(
                lambda: model.RejectedAction(self.one(model.Action), self.text() or "why")
            ),
            time=self.time(),
            escalated_from=self.maybe(self.whole),
            power=self.maybe(self.power),
            plan=self.maybe(lambda: model.TrainingPlan(*(self.flag() for _ in range(4)))),
        )

    def power(self) -> model.Power:
        return model.Power(
            self.whole(),
            self.whole(),
            self.share(),
            self.share(),
            self.share(),
            self.whole(),
            self.share(),
            self.share(),
        )

    def labelled(self) -> model.Counts:
        samples = self.whole(1, 200)
        return model.Counts(float(samples), float(self.whole(0, samples)))

    def reference(self) -> model.ReferenceCounts:
        return model.ReferenceCounts(
            self.time(), {self.word(): self.labelled() for _ in range(self.whole(1, 4))}
        )

    def alarm(self) -> model.Alarm:
        return model.Alarm(
            self.one(model.Kind),
            self.number(),
            self.number(),
            self.number(),
            self.time(),
            self.labelled(),
        )

    def samples(self) -> float:
        return self.whole(0, 10**6) + (0.25 if self.long else 0.0)

    def breach(self) -> model.Breach:
        return model.Breach(
            self.time(),
            self.number(),
            self.whole(),
            self.whole(),
            self.maybe(self.samples),
            self.maybe(self.number),
            self.maybe(self.alarm),
            self.maybe(self.time),
        )

    def run(self) -> model.Run:
        return model.Run(
            number=self.whole(1),
            trigger=self.one(model.Trigger),
            step=self.one(model.Step),
            start_time=self.time(),
            spec=self.arguments(),
            generation=self.whole(),
            job_name=self.text(),
            job_uid=self.text(),
            champion=self.maybe(lambda: ChampionRef(self.whole(1), self.digest())),
            breach=self.maybe(self.breach),
            escalated_from=self.maybe(self.whole),
            action=self.maybe(lambda: self.one(model.Action)),
            subject=self.maybe(lambda: self.one(model.Step)),
            snapshot_run=self.maybe(self.whole),
            data_digest=self.text(),
            train_start_time=self.maybe(self.time),
            stopping=self.maybe(lambda: model.Stopping(self.word(), self.text())),
            half_batches=self.flag(),
            report=self.text(),
        )

    def score(self) -> model.Score:
        return model.Score(self.whole(), self.share(), self.share())

    def entry(self) -> model.HistoryEntry:
        return model.HistoryEntry(
            number=self.whole(1),
            trigger=self.one(model.Trigger),
            action=self.one(model.Action),
            reason=self.word(),
            outcome=self.one(model.RunOutcome),
            message=self.text(),
            start_time=self.time(),
            end_time=self.time(),
            generation=self.whole(),
            data_digest=self.text(),
            champion_version=self.maybe(self.whole),
            champion_digest=self.text(),
            version=self.maybe(self.whole),
            trained=self.flag(),
            train_seconds=self.maybe(self.samples),
            new=self.maybe(self.score),
            old=self.maybe(self.score),
        )

    def champion(self) -> model.Champion:
        return model.Champion(
            self.whole(1),
            self.word(),
            self.digest(),
            self.time(),
            self.one(TrainingAction),
            self.maybe(
                lambda: model.Baseline(self.number(), self.time(), self.maybe(self.samples))
            ),
        )

    def status(self) -> model.Status:
        return model.Status(
            observed_generation=self.whole(-1, 99),
            conditions=self.some(
                lambda: model.Condition(
                    self.word(),
                    self.word(),
                    self.word(),
                    self.text(),
                    self.whole(),
                    self.time(),
                )
            ),
            performance=self.maybe(
                lambda: model.Reading(self.time(), self.number(), self.maybe(self.samples))
            ),
            decision=self.maybe(self.decision),
            run=self.maybe(self.run),
            recheck=self.maybe(lambda: model.Recheck(self.whole(), self.time(), self.text())),
            champion=self.maybe(self.champion),
            history=self.some(self.entry),
            monitor=self.maybe(
                lambda: model.Monitor(self.whole(1), self.text(), self.time(), self.reference())
            ),
        )


def corpus(write: Callable[[Values], str]) -> Iterator[str]:
    """Documents with long numbers."""
    for seed in range(150):
        yield write(Values.of(seed, long=True))


class Everything(Values):
    """Every field that may be there is."""

    def maybe(self, draw: Callable[[], T]) -> T | None:
        return draw()

    def some(self, draw: Callable[[], T], most: int = 3) -> tuple[T, ...]:
        return tuple(draw() for _ in range(min(2, most)))

    def flag(self) -> bool:
        return True

    def pick(self, options: Sequence[T]) -> T:
        return options[-1]

    def text(self) -> str:
        return f"{super().pick(WORDS[1:-1])}{self.whole(0, 99)}"

    def word(self) -> str:
        return f"{super().pick(WORDS)}{self.whole(0, 99)}"


class Nothing(Values):
    """No field that may be left out is there."""

    def maybe(self, draw: Callable[[], T]) -> T | None:  # noqa: ARG002
        return None

    def some(self, draw: Callable[[], T], most: int = 3) -> tuple[T, ...]:  # noqa: ARG002
        return ()

    def flag(self) -> bool:
        return False

    def pick(self, options: Sequence[T]) -> T:
        return options[0]

    def text(self) -> str:
        return ""


VARIANTS: dict[str, Callable[[], Values]] = {
    "full": lambda: Everything.of(1),
    "least": lambda: Nothing.of(1),
    "long": lambda: Values.of(1, long=True),
}
"""Of the documents in ``golden``."""

ABSENT = "absent"
WRONG: tuple[Any, ...] = (
    ABSENT, {"a": 1}, [1], [{}], "x" * 5000, "", -7, True, 1e300, 2**60, "nan", [[]] * 200,
)  # fmt: skip


def spoiled(document: Any, wrong: Sequence[Any] = WRONG) -> Iterator[tuple[str, str, Any]]:
    """Each field of a document replaced by each wrong value: its path, the value, the document."""
    for path in _paths(document):
        for value in wrong:
            yield _told(path), str(value)[:20], _with(document, path, value)


def each_spoiled_once(document: Any) -> Iterator[tuple[str, str, Any]]:
    """The same, each field by one wrong value, in turn."""
    for number, path in enumerate(_paths(document)):
        value = WRONG[number % len(WRONG)]
        yield _told(path), str(value)[:20], _with(document, path, value)


def golden(name: str) -> str:
    return (GOLDEN / name).read_text(encoding="utf-8").removesuffix("\n")


def sha256(lines: Iterable[str]) -> str:
    digest = hashlib.sha256()
    for line in lines:
        digest.update(line.encode(errors="backslashreplace") + b"\n")
    return digest.hexdigest()


def outcomes(
    document: str,
    read: Callable[[str], str],
    spoil: Callable[[Any], Iterator[tuple[str, str, Any]]],
) -> Iterator[str]:
    """What becomes of each spoiled document: what is said of it, or what is written again."""
    for path, value, spoiled_one in spoil(json.loads(document)):
        try:
            again = read(json.dumps(spoiled_one))
            told = "read" if again == document else f"read as {sha256([again])[:12]}"
        except (ValueError, OperatorError) as error:
            told = re.sub("one of .* is expected", "one of … is expected", str(error))
        yield f"{path} = {value}: {told}"


Way = tuple[str | int, ...]


def _told(path: Way) -> str:
    return "/".join(map(str, path))


def _paths(part: Any, above: Way = ()) -> Iterator[Way]:
    """Of lists the last item alone."""
    below: list[str | int] = []
    if isinstance(part, dict):
        below += sorted(part)
    elif isinstance(part, list) and part:
        below.append(len(part) - 1)
    for key in below:
        yield (*above, key)
        yield from _paths(part[key], (*above, key))


def _with(document: Any, path: Way, value: Any) -> Any:
    changed = json.loads(json.dumps(document))
    parent = changed
    for key in path[:-1]:
        parent = parent[key]
    if value is ABSENT:
        del parent[path[-1]]
    else:
        parent[path[-1]] = value
    return changed

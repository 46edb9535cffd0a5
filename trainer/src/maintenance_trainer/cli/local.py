"""The loop by hand, on local folders: the same requests that a Job gets, made here."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from maintenance_contract import (
    Answer,
    ChampionRef,
    Columns,
    DataRef,
    Holdout,
    ModelRef,
    Operation,
    Outcome,
    Question,
    Recipes,
    ResourceRef,
    Snapshot,
    Task,
    TrainingAction,
    TrainingReport,
    TrainingRequest,
)
from maintenance_trainer import checkpoints, files
from maintenance_trainer.cli import tables
from maintenance_trainer.errors import ConfigurationError, DataError
from maintenance_trainer.job import perform
from maintenance_trainer.places import Places
from maintenance_trainer.progress import BarProgress
from maintenance_trainer.store import Store

OWNER: Final = ResourceRef("local", "by-hand", "")
_ACTIONS: Final = {"fine-tune": TrainingAction.FINE_TUNE, "retrain": TrainingAction.RETRAIN}


@dataclass(frozen=True, slots=True)
class Folders:
    """What a person gives on the command line."""

    original: Path
    updates: Path
    base_model: Path
    store: Path
    text_column: str = "text"
    label_column: str = "label"
    original_percent: int = 10
    updates_percent: int = 30
    replay_percent: int = 50
    arguments: dict[str, Any] = field(default_factory=dict)
    champion: int | None = None

    def request(
        self,
        operation: Operation,
        run: int,
        champion: ChampionRef | None,
    ) -> TrainingRequest:
        """The request for one operation of a run."""
        for name in ("original_percent", "updates_percent"):
            if not 1 <= getattr(self, name) <= 90:  # noqa: PLR2004  # the contract's bounds
                message = f"--holdout-{name.removesuffix('_percent')}: write 1 to 90."
                raise ConfigurationError("ArgumentInvalid", message)
        return TrainingRequest(
            operation=operation,
            resource=OWNER,
            run=run,
            champion=champion,
            model=ModelRef(Task.TEXT_CLASSIFICATION, _uri(self.base_model), _uri(self.store)),
            data=DataRef(
                _uri(self.original),
                _uri(self.updates),
                Columns(self.text_column, self.label_column),
                Holdout(self.original_percent, self.updates_percent),
            ),
            recipes=Recipes(self.replay_percent, self.arguments, self.arguments),
        )


def diagnose(folders: Folders) -> int:
    """Open a new run and say what it finds."""
    store = Store.open(_uri(folders.store), OWNER, Places(""))
    champion = _champion(store, folders.champion)
    report, code = _do(folders.request(Operation.DIAGNOSE, store.state().highest_run + 1, champion))
    if report.outcome is Outcome.SUCCEEDED:
        print(tables.diagnosis(report))
        if champion is not None and not tables.new_rows(report):
            print(f"\n{tables.nothing_new(report)}")
            return code
        action = _suggested(report, champion)
        print(f"\nThe workflow's answer: {tables.name(action)}. Next: train (the same options).")
    return code


def train(folders: Folders, action: str | None, *, exclude: bool) -> int:
    """Train on the snapshot of the last diagnosis and show the fight."""
    store = Store.open(_uri(folders.store), OWNER, Places(""))
    champion = _champion(store, folders.champion)
    found = _last(store, Operation.DIAGNOSE)
    if found is None:
        message = "There is no diagnosis yet; give the verb diagnose first."
        raise ConfigurationError("SnapshotMissing", message)
    chosen = _ACTIONS[action] if action else _suggested(found, champion)
    run = found.run
    if store.stored_report(Operation.TRAIN, run) is not None:
        run = store.state().highest_run + 1
    request = folders.request(Operation.TRAIN, run, champion)
    drifted = _answers(found).get(Question.CONCEPT_DRIFT) is Answer.MAJOR
    report, code = _do(
        TrainingRequest(
            request.operation,
            request.resource,
            run,
            request.model,
            request.data,
            request.recipes,
            champion,
            chosen,
            Snapshot(found.run, found.snapshot_digest),
            exclude_contradicted=exclude or (drifted and chosen is TrainingAction.RETRAIN),
        )
    )
    if report.outcome is Outcome.SUCCEEDED:
        print(tables.comparison(report))
    return code


def compare(folder: Path, run: int | None) -> int:
    """Show a run's fight again."""
    store = Store.open(_uri(folder), OWNER, Places(""))
    report = store.stored_report(Operation.TRAIN, run) if run else _last(store, Operation.TRAIN)
    if report is None:
        message = f"{folder} holds no report of a training{f' of run {run}' if run else ''}."
        raise ConfigurationError("ReportMissing", message)
    found = store.stored_report(Operation.DIAGNOSE, report.run)
    if found is not None:
        print(tables.diagnosis(found), end="\n\n")
    print(tables.comparison(report))
    return 0


def _do(request: TrainingRequest) -> tuple[TrainingReport, int]:
    progress = BarProgress()
    try:
        with Places("") as places:
            report, code = perform(request, places, progress)
    finally:
        progress.close()
    if report.outcome is Outcome.FAILED:
        raise _failure(report, code)
    return report, code


def _failure(report: TrainingReport, code: int) -> ConfigurationError | DataError:
    kind = DataError if code == DataError.exit_code else ConfigurationError
    return kind(report.reason, report.message)


def _champion(store: Store, number: int | None) -> ChampionRef | None:
    chosen = number or store.state().highest_version
    if not chosen:
        return None
    version = checkpoints.find(store, chosen)
    if version is None:
        message = f"--champion {chosen}: there is no such version in {store.root}."
        raise ConfigurationError("ChampionMissing", message)
    return ChampionRef(version.number, version.digest)


def _last(store: Store, operation: Operation) -> TrainingReport | None:
    for run in range(store.state().highest_run, 0, -1):
        report = store.stored_report(operation, run)
        if report is not None and report.outcome is Outcome.SUCCEEDED:
            return report
    return None


def _answers(report: TrainingReport) -> dict[Question, Answer]:
    return {
        finding.question: finding.answer
        for finding in (report.diagnosis.findings if report.diagnosis else ())
    }


def _suggested(report: TrainingReport, champion: ChampionRef | None) -> TrainingAction:
    """A major change asks for a retrain, as does the first version."""
    major = Answer.MAJOR in _answers(report).values()
    return TrainingAction.RETRAIN if champion is None or major else TrainingAction.FINE_TUNE


def _uri(path: Path) -> str:
    place = str(path.resolve())
    if not files.is_text(place):
        message = f"{files.shown(place)}: the name is not UTF-8; rename it, or use another folder."
        raise ConfigurationError("ArgumentInvalid", message)
    return f"file://{place}"

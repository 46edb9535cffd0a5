"""The loop by hand, on folders: the operator's requests, rules and gate, without a cluster."""

import sys
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from maintenance_contract import (
    Columns,
    Holdout,
    Operation,
    Outcome,
    ResourceRef,
    ScoreMetric,
    Snapshot,
    Task,
    TrainingAction,
    TrainingReport,
    TrainingRequest,
    Windows,
    columns_of,
    metrics_of,
    windows_of,
)
from maintenance_contract.holdout import LEAST_PERCENT, MOST_PERCENT
from maintenance_contract.kinds import (
    BASE_OPTIONAL,
    FROM_SCRATCH,
    INPUTS,
    ROLES,
    TARGETS,
    WITHOUT_BATCHES,
    columns_unclear,
)
from maintenance_contract.paths import OWNER_FILE
from maintenance_contract.windows import LIMITS
from maintenance_core.model import Action, Decision, Gate, Spec, Verdict
from maintenance_trainer import files, tasks
from maintenance_trainer.cli import in_service, last_diagnosis, rules, tables
from maintenance_trainer.errors import ConfigurationError, TrainerError
from maintenance_trainer.job import perform
from maintenance_trainer.locations import Places
from maintenance_trainer.model_field import Given
from maintenance_trainer.progress import BarProgress, LogProgress
from maintenance_trainer.store import versions
from maintenance_trainer.store.store import Store

OWNER: Final = ResourceRef(rules.IDENTITY.namespace, rules.IDENTITY.name, rules.IDENTITY.uid)
ACTIONS: Final = {"fine-tune": TrainingAction.FINE_TUNE, "retrain": TrainingAction.RETRAIN}
FEW_STEPS: Final = 100
"""Fewer optimizer steps than this seldom teach a transformer anything."""


class Failed(TrainerError):
    """An operation that left a report of its failure, with its exit code."""

    def __init__(self, report: TrainingReport, code: int) -> None:
        super().__init__(report.reason, report.message)
        self.exit_code = code  # type: ignore[misc]  # of this one, as the Job's would be


@dataclass(frozen=True, slots=True)
class Folders:
    """What a person gives on the command line."""

    original: Path
    updates: Path
    base_model: Path | None
    store: Path
    task: str = Task.TEXT_CLASSIFICATION
    columns: dict[str, str] = field(default_factory=dict)
    inputs: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    windows: dict[str, int] = field(default_factory=dict)
    """Context, horizon and stride of series, as far as they are said."""
    original_percent: int | None = None
    updates_percent: int | None = None
    replay_percent: int | None = None
    arguments: dict[str, Any] = field(default_factory=dict)
    champion: int | None = None
    metric: str | None = None
    """What versions are compared by; None: the default of the kind."""

    def spec(self) -> Spec:
        """The resource that would say the same.

        Raises:
            ConfigurationError: an option that cannot be meant; before anything slow is imported.
        """
        _named("store", self.store)
        if self.store.exists() and not self.store.is_dir():
            message = f"--store {self.store}: that is a file; name a folder."
            raise ConfigurationError("ArgumentInvalid", message)
        self._refuse_base_model()
        for option in ("original", "updates", "base_model"):
            folder = getattr(self, option)
            if folder is None:
                continue
            _named(option, folder)
            if not folder.is_dir():
                flag, what = option.replace("_", "-"), "no folder" if folder.exists() else "nothing"
                message = f"--{flag} {folder}: there is {what} of that name{_where(folder)}."
                raise ConfigurationError("ArgumentInvalid", message)
        self._refuse_nested()
        for name in ("original_percent", "updates_percent"):
            percent = getattr(self, name)
            if percent is not None and not LEAST_PERCENT <= percent <= MOST_PERCENT:
                message = (
                    f"--holdout-{name.removesuffix('_percent')}: write auto, or "
                    f"{LEAST_PERCENT} to {MOST_PERCENT}."
                )
                raise ConfigurationError("ArgumentInvalid", message)
        places = rules.Places(self.original, self.updates, self.base_model, self.store)
        columns = self._columns()
        holdout = Holdout(self.original_percent, self.updates_percent)
        windows = self._windows()
        spec = rules.spec(
            Task(self.task), places, columns, holdout, self.replay_percent, self.arguments
        )
        return replace(spec, windows=windows, gate=self._gate(spec.gate))

    def _gate(self, gate: Gate) -> Gate:
        if self.metric is None:
            return gate
        known = [metric.value for metric in metrics_of(self.task)]
        if self.metric not in known:
            message = f"--metric: {self.task} has no {self.metric}; write {' or '.join(known)}."
            raise ConfigurationError("ArgumentInvalid", message)
        return replace(gate, metric=ScoreMetric(self.metric))

    def _refuse_nested(self) -> None:
        """Refuse folders within each other: rows would be read twice, and the store among them."""
        for one, other, instead in (
            ("updates", "original", "keep newly labelled files in a folder of their own"),
            ("store", "original", "keep the store in a folder of its own"),
            ("store", "updates", "keep the store in a folder of its own"),
        ):
            mine, theirs = (getattr(self, option).resolve() for option in (one, other))
            if _lies_in(mine, theirs) or _lies_in(theirs, mine):
                message = (
                    f"--{one} {getattr(self, one)} and --{other} {getattr(self, other)} are the "
                    f"same folder or lie in one another: {instead}, like "
                    "news/original, news/updates and news/model."
                )
                raise ConfigurationError("ArgumentInvalid", message)

    def _windows(self) -> Windows | None:
        found = windows_of(self.task, **self.windows)
        if self.windows and found is None:
            message = f"--{next(iter(self.windows))}: only time series have it; leave it out."
            raise ConfigurationError("ArgumentInvalid", message)
        for name, value in self.windows.items():
            least, most = LIMITS[name]
            if name == "horizon" and self.task == Task.TIME_SERIES_FORECASTING:
                least = 1
            if not least <= value <= most:
                message = f"--{name} {value}: write {least} to {most}."
                raise ConfigurationError("ArgumentInvalid", message)
        return found

    def _refuse_base_model(self) -> None:
        """Refuse a base model where none is read, and none where one is needed."""
        if self.task in FROM_SCRATCH and self.base_model is not None:
            message = f"--base-model: {self.task} begins with nothing; leave it out."
        elif self.task not in FROM_SCRATCH | BASE_OPTIONAL and self.base_model is None:
            message = f"--base-model is needed: {self.task} starts from one."
        else:
            return
        raise ConfigurationError("ArgumentInvalid", message)

    def _columns(self) -> Columns:
        known = [role.name for role in ROLES[self.task]]
        lists = {INPUTS.name: self.inputs, TARGETS.name: self.targets}
        given = self.columns | {role: ", ".join(names) for role, names in lists.items() if names}
        if strangers := sorted(given.keys() - set(known)):
            message = (
                f"--column {strangers[0]}={given[strangers[0]]}: {self.task} reads columns "
                f"for {', '.join(known)}; name one of these."
            )
            raise ConfigurationError("ArgumentInvalid", message)
        found = columns_of(self.task, self.inputs, self.targets, **self.columns)
        role, problem = columns_unclear(found)
        if problem:
            raise ConfigurationError("ArgumentInvalid", f"--column {role}=…: {problem}.")
        return found


def diagnose(folders: Folders) -> int:
    """Open a new run, say what it finds, and what the rules make of it."""
    spec = folders.spec()
    number, champion = 1, None
    if (store := _store(folders.store)) is not None:
        number, champion = (
            store.state().highest_run + 1,
            in_service.champion(store, folders.champion),
        )
    report = _do(rules.diagnose_request(spec, number, champion))
    print(tables.diagnosis(report), end="\n\n")
    if champion is not None and not tables.new_rows(report):
        print(tables.nothing_new(report, tasks.source(folders.task).suffixes))
        return 0
    print(tables.decision(rules.decision_on(report, spec, champion, _now())))
    return 0


def train(folders: Folders, action: str | None) -> int:
    """Train what the rules say, or the person; the gate says which version serves from now on."""
    spec = folders.spec()
    store = _store(folders.store)
    found = _last(store, Operation.DIAGNOSE) if store is not None else None
    if store is None or found is None:
        message = "There is no diagnosis yet; give the verb diagnose first."
        raise ConfigurationError("SnapshotMissing", message)
    champion = in_service.champion(store, folders.champion)
    data = rules.diagnose_request(spec, found.run, champion).data
    last_diagnosis.refuse_of_before(store, found, champion, data, tasks.source(folders.task))
    decision = rules.decision_on(found, spec, champion, _now())
    if action is not None and decision.action.value != ACTIONS[action].value:
        decision = rules.insisted(decision, ACTIONS[action])
    if decision.action.training is None:
        print(tables.decision(decision))
        return 0
    snapshot = Snapshot(found.run, found.snapshot_digest)
    request = rules.train_request(spec, found.run, champion, decision, snapshot)
    # One that was interrupted has left its request alone: the same again goes on in its run.
    if store.stored_report(Operation.TRAIN, found.run) or not store.free_for(request):
        request = replace(request, run=store.state().highest_run + 1)
    report = _do(request)
    print(tables.comparison(report))
    verdict = rules.verdict_on(report, spec, champion, decision, _now())
    if verdict.promote and report.candidate is not None:
        in_service.promote(store, report.candidate.version, report.candidate.digest, _now())
    elif champion is None:
        in_service.promote_none(store, _now())
    print(tables.verdict(verdict, report, champion.number if champion else None))
    for line in _advice(verdict, decision, report, spec, store):
        print(line)
    if champion is None and not verdict.promote:
        print(
            "Next: train with other arguments (--set NAME=VALUE), or add rows and diagnose again."
        )
    return 0


def compare(folder: Path, run: int | None) -> int:
    """Show a run's contest again."""
    store = _store(folder)
    report = None
    if store is not None:
        report = store.stored_report(Operation.TRAIN, run) if run else _last(store, Operation.TRAIN)
    if store is None or report is None:
        message = f"{folder} holds no report of a training{f' of run {run}' if run else ''}."
        raise ConfigurationError("ReportMissing", message)
    found = store.stored_report(Operation.DIAGNOSE, report.run)
    if found is not None:
        print(tables.diagnosis(found), end="\n\n")
    print(tables.comparison(report))
    champion = in_service.champion(store, None)
    if champion is not None:
        print(f"In service: version {champion.number}, {champion.folder}")
    else:
        print("No version is in service yet.")
    return 0


def _advice(
    verdict: Verdict, decision: Decision, report: TrainingReport, spec: Spec, store: Store
) -> list[str]:
    """What a person might do next."""
    lines = []
    steps = None if spec.task in WITHOUT_BATCHES else _steps(report, store)
    if not verdict.promote and steps is not None and steps < FEW_STEPS:
        lines.append(
            f"Only {steps} optimizer steps were taken, which seldom teaches a model anything: add "
            "labelled rows, or raise num_train_epochs (--set num_train_epochs=10)."
        )
    escalates = decision.action is Action.FINE_TUNE and not rules.excludes(decision, spec)
    if not verdict.promote and escalates:
        lines.append(
            "Next: train --action retrain, as the operator would go on after a rejected fine-tune."
        )
    return lines


def _steps(report: TrainingReport, store: Store) -> int | None:
    """How many optimizer steps made the version, where its manifest tells."""
    if report.candidate is None:
        return None
    version = versions.find(store, report.candidate.version)
    steps = version.provenance.get("steps") if version else None
    return steps if isinstance(steps, int) else None


def _do(request: TrainingRequest) -> TrainingReport:
    """Carry it out, with bars in a terminal and lines elsewhere.

    Raises:
        Failed: its report tells of a failure.
        ConfigurationError: the base model is none.
    """
    with ExitStack() as stack:
        places = stack.enter_context(Places(""))
        uri = request.model.base_model
        if uri:  # said at once, not when torch has been loaded
            source = tasks.source(request.model.task)
            source.check_model(uri, places.model(uri, "", ""), Given.BASE)
        progress: BarProgress | LogProgress
        if sys.stderr.isatty():
            progress = BarProgress()
            stack.callback(progress.close)
        else:
            progress = LogProgress(sys.stderr)
        stack.enter_context(progress.heartbeat())
        progress.stage("loading the libraries")
        report, code = perform(request, places, progress)
    if report.outcome is Outcome.FAILED:
        raise Failed(report, code)
    return report


def _store(folder: Path) -> Store | None:
    """The store, as it is: nothing is written by looking. None where there is none yet."""
    if not (folder / OWNER_FILE).exists():
        return None
    return Store.open(f"file://{folder.resolve()}", OWNER, Places(""))


def _last(store: Store, operation: Operation) -> TrainingReport | None:
    for run in range(store.state().highest_run, 0, -1):
        report = store.stored_report(operation, run)
        if report is not None and report.outcome is Outcome.SUCCEEDED:
            return report
    return None


def _named(option: str, folder: Path) -> None:
    if not files.is_text(str(folder)):
        flag = option.replace("_", "-")
        message = f"--{flag} {files.shown(str(folder))}: the name is not UTF-8; rename it."
        raise ConfigurationError("ArgumentInvalid", message)


def _lies_in(folder: Path, other: Path) -> bool:
    """Whether it is, or lies in, the other; names may differ in capitals where disks allow it."""
    if folder.is_relative_to(other):
        return True
    return other.exists() and any(
        part.exists() and part.samefile(other) for part in (folder, *folder.parents)
    )


def _where(folder: Path) -> str:
    """The names beside it that it may have been meant to be."""
    beside = folder.absolute().parent
    if not beside.is_dir():
        return f"; nor is there {beside}"
    names = sorted(path.name for path in beside.iterdir() if path.is_dir())[:10]
    return f"; in {beside} there are {', '.join(names)}" if names else f" in {beside}"


def _now() -> datetime:
    return datetime.now(UTC)

"""One operation in a Job: request in, report out, exit code. Never leaves without a report."""

import signal
import sys
import traceback
from dataclasses import replace
from pathlib import Path
from types import FrameType

from maintenance_contract import (
    ContractError,
    Operation,
    Outcome,
    TrainingReport,
    TrainingRequest,
    exits,
)
from maintenance_contract.decision import DecisionRecord
from maintenance_contract.paths import DECISION_FILE
from maintenance_trainer import faults
from maintenance_trainer import report as reports
from maintenance_trainer.errors import Interrupted, TrainerError
from maintenance_trainer.places import Places
from maintenance_trainer.progress import LogProgress, Progress
from maintenance_trainer.store import REPORT_FILES, Store
from maintenance_trainer.work import Work

FAILURE = 1
"""Exit code of what a retry may mend."""


def run(request_file: Path, places: Places, termination_log: Path) -> int:
    """Do what the request asks; returns the exit code."""
    signal.signal(signal.SIGTERM, _interrupt)
    progress = LogProgress()
    try:
        request = TrainingRequest.from_json(request_file.read_text(encoding="utf-8"))
    except (ContractError, OSError, UnicodeDecodeError) as error:
        print(f"request {request_file}: {error}", file=sys.stderr)  # noqa: T201
        return exits.CONFIGURATION_ERROR
    with progress.heartbeat(), places:
        places.tell = progress.say
        decision = request_file.parent / DECISION_FILE
        report, code = perform(request, places, progress, decision)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # the report is on its way out
    reports.emit(report, termination_log)
    if report.outcome is Outcome.FAILED:
        print(f"{report.reason}: {report.message}", file=sys.stderr)  # noqa: T201
    else:
        progress.say(f"{report.operation} of run {report.run} is done")
    return code


def perform(
    request: TrainingRequest, places: Places, progress: Progress, decision: Path | None = None
) -> tuple[TrainingReport, int]:
    """The report and the exit code; what goes wrong is in the report.

    ``decision`` is where the operator left its decision, if it did: it is kept with the run.
    """
    store: Store | None = None
    claimed = False
    try:
        if request.operation is Operation.REPORT:
            return reports.stored(request, places), exits.OK
        store = Store.open(
            request.model.storage, request.resource, places, request.model.storage_secret
        )
        store.claim_run(request)
        claimed = True
        if decision is not None:
            _keep(decision, store, request, progress)
        return _operate(Work(request, store, places, progress)), exits.OK
    except Interrupted:
        report, code = (
            reports.failed(
                request, "Interrupted", "The Job was told to stop; it can be started again."
            ),
            exits.INTERRUPTED,
        )
    except TrainerError as error:
        report, code = reports.failed(request, error.reason, error.message), error.exit_code
    except ContractError as error:
        report, code = (
            reports.failed(request, "InternalError", str(error)),
            exits.CONFIGURATION_ERROR,
        )
    except MemoryError:
        message = "The machine ran out of memory; raise the Job's memory limit."
        report, code = reports.failed(request, "OutOfMemory", message), exits.OUT_OF_MEMORY
    except Exception as error:  # noqa: BLE001  # the report must leave, whatever happened
        traceback.print_exc()
        message = f"{type(error).__name__}: {str(error)[:400]}"
        report, code = reports.failed(request, "InternalError", message), FAILURE
    report, code = _tried_before(report, store, code)
    return _kept(report, store, claimed=claimed, code=code), code


def _tried_before(
    report: TrainingReport, store: Store | None, code: int
) -> tuple[TrainingReport, int]:
    """An error that nobody foresaw costs one retry at most, however many the Job has."""
    before: TrainingReport | None = None
    if store is not None and report.operation in REPORT_FILES:
        try:
            before = store.stored_report(report.operation, report.run)
        except (OSError, TrainerError):
            before = None
    said, code = faults.after(report, before, code)
    return replace(report, message=f"{report.message} {said}".strip()), code


def _keep(decision: Path, store: Store, request: TrainingRequest, progress: Progress) -> None:
    """The decision and its picture are for people: without them the run goes on all the same."""
    try:
        record = DecisionRecord.from_json(decision.read_text(encoding="utf-8"))
        store.write_decision(request.run, record)
    except FileNotFoundError:
        return
    except (ContractError, TrainerError, OSError, UnicodeDecodeError) as error:
        progress.say(f"the decision's picture is not kept: {error}")


def _operate(work: Work) -> TrainingReport:
    # Torch and transformers cost seconds to import; checks of the store come first.
    with faults.beside_reading(work.store.uri):
        if work.request.operation is Operation.DIAGNOSE:
            from maintenance_trainer.diagnose.diagnosis import diagnose  # noqa: PLC0415

            return diagnose(work)
        from maintenance_trainer.training import train  # noqa: PLC0415

        return train(work)


def _kept(
    report: TrainingReport, store: Store | None, *, claimed: bool, code: int
) -> TrainingReport:
    """A failure that a retry would repeat, or may, is kept in the run's folder: it is its own."""
    if store is None:
        return report
    try:
        report = replace(report, store=store.state())
        if claimed and (code in exits.DO_NOT_RETRY or report.reason == faults.INTERNAL_ERROR):
            store.write_report(report)
    except (OSError, TrainerError) as error:
        print(f"report not stored: {error}", file=sys.stderr)  # noqa: T201
    return report


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise Interrupted

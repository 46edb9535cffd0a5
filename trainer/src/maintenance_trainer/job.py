"""One operation in a Job: request in, report out, exit code. Never leaves without a report."""

import os
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
from maintenance_trainer.errors import Interrupted, TimeOver, TrainerError, is_panic
from maintenance_trainer.locations import Places
from maintenance_trainer.progress import LogProgress, Progress
from maintenance_trainer.redaction import learn_mounted, redacted, redacted_streams
from maintenance_trainer.store.store import REPORT_FILES, Store
from maintenance_trainer.work import Work

FAILURE = 1
"""Exit code of what a retry may mend."""
MOST_SECONDS = 10**8
AGAIN_SECONDS = 5.0
"""Until it is said again that the work must end: a library may swallow what is raised within it."""
TOO_LONG = (
    "The work took longer than spec.training.timeout (a diagnosis: spec.diagnosis.timeout) and was "
    "stopped. The log shows how far it came: raise the timeout, or train fewer epochs."
)


def run(request_file: Path, places: Places, termination_log: Path) -> int:
    """Do what the request asks; returns the exit code."""
    signal.signal(signal.SIGTERM, _interrupt)
    _begin_the_time()
    with redacted_streams():
        try:
            request = TrainingRequest.from_json(request_file.read_text(encoding="utf-8"))
        except (ContractError, OSError, ValueError, RecursionError) as error:
            print(f"request {request_file}: {error}", file=sys.stderr)  # noqa: T201
            return exits.CONFIGURATION_ERROR
        progress = LogProgress()
        try:
            report, code = _attended(request, places, progress, request_file.parent / DECISION_FILE)
            _stop_listening()  # the report is on its way out
        except (Interrupted, TimeOver) as error:  # a second one, or on the way from the first
            _stop_listening()
            report, code = _failure(request, error)
        _emit(request, report, termination_log)
        if report.outcome is Outcome.FAILED:
            print(f"{report.reason}: {report.message}", file=sys.stderr)  # noqa: T201
        else:
            progress.say(f"{report.operation} of run {report.run} is done")
        return code


def _attended(
    request: TrainingRequest, places: Places, progress: LogProgress, decision: Path
) -> tuple[TrainingReport, int]:
    """``perform`` with what goes on around it; whatever happens there, a report is what remains."""
    done: tuple[TrainingReport, int] | None = None
    try:
        learn_mounted(places.secrets_root, public=request.to_json())
        with progress.heartbeat(), places:
            places.tell = progress.say
            done = perform(request, places, progress, decision)
    except BaseException as error:  # noqa: BLE001  # SIGTERM or SIGINT may arrive anywhere
        return done or _failure(request, error)
    return done


def _emit(request: TrainingRequest, report: TrainingReport, termination_log: Path) -> None:
    try:
        reports.emit(report, termination_log)
    except Exception as error:  # noqa: BLE001  # a report that cannot be spelled is one, too
        reports.emit(_failure(request, error)[0], termination_log)


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
    except KeyboardInterrupt:
        raise  # a person's; a Job's is reported by whoever asked for this
    except BaseException as error:  # noqa: BLE001  # native libraries give up with one of their own
        report, code = _failure(request, error)
    report, code = _tried_before(report, store, code)
    return _kept(report, store, claimed=claimed, code=code), code


def _failure(request: TrainingRequest, error: BaseException) -> tuple[TrainingReport, int]:
    """What is reported of an error, whatever it is, and the exit code."""
    if isinstance(error, Interrupted | TimeOver):
        _was_heard()
    if isinstance(error, Interrupted | KeyboardInterrupt):
        message = "The Job was told to stop; it can be started again."
        return reports.failed(request, "Interrupted", message), exits.INTERRUPTED
    if isinstance(error, TimeOver):
        return reports.failed(request, "DeadlineExceeded", TOO_LONG), exits.TIME_OVER
    if isinstance(error, TrainerError):
        return reports.failed(request, error.reason, error.message), error.exit_code
    if isinstance(error, ContractError):
        return reports.failed(request, "InternalError", str(error)), exits.CONFIGURATION_ERROR
    if isinstance(error, MemoryError):
        message = "The machine ran out of memory; raise the Job's memory limit."
        return reports.failed(request, "OutOfMemory", message), exits.OUT_OF_MEMORY
    trace = "".join(traceback.format_exception(error))
    print(*map(redacted, trace.splitlines()), sep="\n", file=sys.stderr)  # noqa: T201
    what = "A native library gave up: " if is_panic(error) else ""
    message = f"{what}{type(error).__name__}: {redacted(str(error))[:400]}"
    return reports.failed(request, "InternalError", message), FAILURE


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
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001  # the report leaves all the same
        print(f"report not stored: {redacted(str(error))}", file=sys.stderr)  # noqa: T201
    return report


def _begin_the_time() -> None:
    """The work ends itself when its time is over; without a number it has all the time.

    A call into a library that does not return delays it, and the operator ends that.
    """
    try:
        seconds = float(os.environ.get(exits.TIMEOUT_VARIABLE, ""))
    except ValueError:
        return
    if not 0 < seconds < MOST_SECONDS:
        return
    signal.signal(signal.SIGALRM, _time_over)
    signal.setitimer(signal.ITIMER_REAL, seconds, AGAIN_SECONDS)


def _stop_listening() -> None:
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


def _was_heard() -> None:
    """Stop saying it again."""
    if signal.getsignal(signal.SIGALRM) in {_time_over, _interrupt}:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _time_over(_number: int, _frame: FrameType | None) -> None:
    raise TimeOver


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    signal.signal(signal.SIGALRM, _interrupt)
    signal.setitimer(signal.ITIMER_REAL, AGAIN_SECONDS, AGAIN_SECONDS)
    raise Interrupted

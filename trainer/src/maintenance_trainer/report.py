"""The report on its way out: termination message, store, or again from the store.

Imports nothing heavy: emitting a stored report again takes a moment, not a model.
"""

import sys
from pathlib import Path

from maintenance_contract import Operation, Outcome, TrainingReport, TrainingRequest
from maintenance_trainer.errors import ConfigurationError
from maintenance_trainer.locations import Places
from maintenance_trainer.redaction import redacted
from maintenance_trainer.store.store import Store


def emit(report: TrainingReport, termination_log: Path) -> None:
    """Write the termination message; where there is no such file (a laptop), say so only."""
    try:
        # Half a character (of a file's name that is not UTF-8) becomes an escape, as JSON has it.
        termination_log.write_text(report.to_message(), encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        print(f"termination message not written: {error}", file=sys.stderr)  # noqa: T201


def stored(request: TrainingRequest, places: Places) -> TrainingReport:
    """The report that an earlier operation of this run left.

    Raises:
        ConfigurationError: ReportMissing, StoreInUse.
    """
    subject = request.subject
    if subject not in {Operation.DIAGNOSE, Operation.TRAIN}:
        message = "request.subject: Diagnose or Train is expected."
        raise ConfigurationError("ReportMissing", message)
    store = Store.open(
        request.model.storage, request.resource, places, request.model.storage_secret
    )
    report = store.stored_report(subject, request.run)
    if report is None:
        message = (
            f"Run {request.run} left no report of {subject} in {store.uri}; "
            "its Job ended before it could. Start a new run."
        )
        raise ConfigurationError("ReportMissing", message)
    return report


def failed(request: TrainingRequest, reason: str, message: str) -> TrainingReport:
    """A report of an operation that could not be done; its message is for everybody to read."""
    return TrainingReport(
        operation=request.operation,
        run=request.run,
        request_digest=request.digest,
        outcome=Outcome.FAILED,
        reason=reason,
        message=redacted(message),
    )

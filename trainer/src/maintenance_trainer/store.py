"""The model store on a file system: who owns it, which run asked what, what was found.

    owner.json                      the one resource that owns the store
    versions/<n>/                   immutable (see checkpoints.py)
    runs/<n>/request-<operation>.json, data.json, diagnosis.json, report.json

Every file appears whole or not at all: written beside its place, flushed, then moved there.
"""

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from maintenance_contract import (
    ContractError,
    Operation,
    Outcome,
    ResourceRef,
    StorageUri,
    StoreState,
    TrainingReport,
    TrainingRequest,
)
from maintenance_contract import (
    Snapshot as SnapshotRef,
)
from maintenance_contract.codec import Fields, canonical, load
from maintenance_contract.paths import (
    DIAGNOSIS_FILE,
    OWNER_FILE,
    REPORT_FILE,
    SNAPSHOT_FILE,
    run_directory,
    version_directory,
)
from maintenance_trainer.data import Snapshot
from maintenance_trainer.errors import ConfigurationError

OWNER_VERSION = 1
REPORT_FILES = {Operation.DIAGNOSE: DIAGNOSIS_FILE, Operation.TRAIN: REPORT_FILE}


@dataclass(frozen=True, slots=True)
class Store:
    """A store and the resource that works in it."""

    root: Path
    uri: str
    owner: ResourceRef

    @classmethod
    def open(cls, uri: str, owner: ResourceRef, claims_root: str) -> "Store":
        """Enter the store, leaving the owner marker if it has none.

        Raises:
            ConfigurationError: StoreInUse, StoreUnwritable.
        """
        store = cls(Path(StorageUri.parse(uri).local_path(claims_root)), uri, owner)
        try:
            for folder in ("versions", "runs"):
                (store.root / folder).mkdir(parents=True, exist_ok=True)
            place(store.root / OWNER_FILE, store._owner_document(), replace=False)
        except FileExistsError:
            store._refuse_other_owner()
        except OSError as error:
            raise _unwritable(uri, error) from None
        return store

    def state(self) -> StoreState:
        """The highest numbers used so far."""
        return StoreState(_highest(self.root / "runs"), _highest(self.root / "versions"))

    def version(self, number: int) -> Path:
        """Where a version lies."""
        return self.root / version_directory(number)

    def claim_run(self, request: TrainingRequest) -> None:
        """Write the request down; the same request again is welcome, another is not.

        Raises:
            ConfigurationError: RunNumberTaken, StoreUnwritable.
        """
        operation = request.operation.value.lower()
        path = self.root / run_directory(request.run) / f"request-{operation}.json"
        try:
            path.parent.mkdir(exist_ok=True)
            place(path, request.to_json(), replace=False)
        except FileExistsError:
            if path.read_text(encoding="utf-8") != request.to_json():
                message = (
                    f"Run {request.run} of {self.uri} belongs to another request; the "
                    f"highest run there is {self.state().highest_run}: use a higher number."
                )
                raise ConfigurationError("RunNumberTaken", message) from None
        except OSError as error:
            raise _unwritable(self.uri, error) from None

    def write_snapshot(self, run: int, snapshot: Snapshot) -> Snapshot:
        """Fix the snapshot of a run; a snapshot that is already there wins."""
        path = self.root / run_directory(run) / SNAPSHOT_FILE
        try:
            place(path, snapshot.to_json(), replace=False)
        except FileExistsError:
            return Snapshot.from_json(path.read_text(encoding="utf-8"))
        return snapshot

    def stored_snapshot(self, run: int) -> Snapshot | None:
        """The snapshot of a run, or None before there is one."""
        path = self.root / run_directory(run) / SNAPSHOT_FILE
        return Snapshot.from_json(path.read_text(encoding="utf-8")) if path.is_file() else None

    def read_snapshot(self, reference: SnapshotRef) -> Snapshot:
        """The snapshot that a request names.

        Raises:
            ConfigurationError: SnapshotMissing, SnapshotChanged.
        """
        try:
            snapshot = self.stored_snapshot(reference.run)
        except (ContractError, ValueError) as error:
            raise _snapshot_changed(reference.run, str(error)) from None
        if snapshot is None:
            message = (
                f"Run {reference.run} left no data snapshot in {self.uri}; "
                "a diagnosis must come first."
            )
            raise ConfigurationError("SnapshotMissing", message)
        if snapshot.digest != reference.digest:
            raise _snapshot_changed(reference.run, "its digest is not the one asked for")
        return snapshot

    def write_report(self, report: TrainingReport) -> None:
        """Keep a report. One that succeeded is never replaced."""
        kept = self.stored_report(report.operation, report.run)
        if kept is None or kept.outcome is Outcome.FAILED:
            path = self.root / run_directory(report.run) / REPORT_FILES[report.operation]
            place(path, report.to_json(), replace=True)

    def stored_report(self, operation: Operation, run: int) -> TrainingReport | None:
        """The report that an operation left, or None."""
        path = self.root / run_directory(run) / REPORT_FILES[operation]
        try:
            return TrainingReport.from_json(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except (ContractError, UnicodeDecodeError) as error:
            message = f"{path.name} of run {run} in {self.uri} cannot be read: {error}"
            raise ConfigurationError("ReportMissing", message) from None

    def _owner_document(self) -> str:
        return canonical(
            {"version": OWNER_VERSION, "namespace": self.owner.namespace, "name": self.owner.name}
        )

    def _refuse_other_owner(self) -> None:
        found = _read_owner(self.root / OWNER_FILE)
        if found != (self.owner.namespace, self.owner.name):
            message = (
                f"{self.uri} belongs to {'/'.join(found)}; give "
                f"{self.owner.namespace}/{self.owner.name} a store of its own, or remove "
                f"{OWNER_FILE} there if that resource is gone for good."
            )
            raise ConfigurationError("StoreInUse", message)


def place(path: Path, text: str, *, replace: bool) -> None:
    """Write a small file so that it is there whole or not at all.

    Raises:
        FileExistsError: it is there already and may not be replaced.
    """
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(0o644)
        if replace:
            Path(name).replace(path)
        else:
            path.hardlink_to(name)
    finally:
        Path(name).unlink(missing_ok=True)


def _read_owner(path: Path) -> tuple[str, str]:
    try:
        fields: Fields = load(
            path.read_text(encoding="utf-8"), version=OWNER_VERSION, kind=OWNER_FILE
        )
        return fields.string("namespace"), fields.string("name")
    except (ContractError, UnicodeDecodeError):
        return "an unreadable", OWNER_FILE


def _highest(folder: Path) -> int:
    return max(
        (int(path.name) for path in folder.glob("[0-9]*") if path.name.isdecimal()), default=0
    )


def _unwritable(uri: str, error: OSError) -> ConfigurationError:
    message = (
        f"model.storage: {uri} cannot be written ({error.strerror or error}); "
        "give the trainer's user (65532) a writable volume."
    )
    return ConfigurationError("StoreUnwritable", message)


def _snapshot_changed(run: int, what: str) -> ConfigurationError:
    message = f"data.json of run {run} is not the snapshot that was diagnosed ({what})."
    return ConfigurationError("SnapshotChanged", message)

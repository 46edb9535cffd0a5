"""The model store: who owns it, which run asked what, what was found.

    owner.json                      the one resource that owns the store
    versions/<n>/                   immutable (see checkpoints.py)
    runs/<n>/request-<operation>.json, data.json, diagnosis.json, report.json
    runs/<n>/decision.json, decision.svg    why it was trained, where the operator told

Every file appears whole or not at all, on a file system and in a bucket (see store_files.py).
"""

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
from maintenance_contract.decision import DecisionRecord
from maintenance_contract.flowchart import picture
from maintenance_contract.paths import (
    DECISION_FILE,
    DIAGNOSIS_FILE,
    OWNER_FILE,
    PICTURE_FILE,
    REPORT_FILE,
    SNAPSHOT_FILE,
    run_directory,
    version_directory,
)
from maintenance_trainer import faults
from maintenance_trainer.data.snapshot import Snapshot
from maintenance_trainer.errors import ConfigurationError
from maintenance_trainer.locations import Places
from maintenance_trainer.store.files import BucketFiles, FolderFiles, StoreFiles

OWNER_VERSION = 1
REPORT_FILES = {Operation.DIAGNOSE: DIAGNOSIS_FILE, Operation.TRAIN: REPORT_FILE}


@dataclass(frozen=True, slots=True)
class Store:
    """A store and the resource that works in it."""

    files: StoreFiles
    uri: str
    owner: ResourceRef

    @classmethod
    def open(cls, uri: str, owner: ResourceRef, places: Places, secret: str = "") -> "Store":
        """Enter the store, leaving the owner marker if it has none.

        Raises:
            ConfigurationError: StoreInUse, StoreFull, StoreUnwritable, StoreUnsafe, and those of a
                bucket.
            TransientError: StorageUnreachable.
        """
        place = StorageUri.parse(uri)
        try:
            files: StoreFiles = (
                FolderFiles(places.mounted(place))
                if place.mounted
                else BucketFiles(places.bucket(place, secret), places.scratch())
            )
            store = cls(files, uri, owner)
            store._take()
        except OSError as error:
            raise _unwritable(uri, error) from None
        except UnicodeDecodeError:
            raise _in_use(uri, ("an unreadable", OWNER_FILE), owner) from None
        return store

    @property
    def root(self) -> Path:
        """Where versions are read; in a bucket's case a scratch folder."""
        return self.files.root

    def state(self) -> StoreState:
        """The highest numbers used so far."""
        runs, versions = (self.files.numbers(folder) for folder in ("runs", "versions"))
        return StoreState(max(runs, default=0), max(versions, default=0))

    def version(self, number: int) -> Path:
        """Where a version lies."""
        return self.root / version_directory(number)

    def claim_run(self, request: TrainingRequest) -> None:
        """Write the request down; the same request again is welcome, another is not.

        Raises:
            ConfigurationError: RunNumberTaken, StoreUnwritable.
        """
        name = _request_file(request.operation, request.run)
        try:
            self.files.create(name, request.to_json())
        except FileExistsError:
            if self.files.read(name) != request.to_json():
                message = (
                    f"Run {request.run} of {self.uri} belongs to another request; the "
                    f"highest run there is {self.state().highest_run}: use a higher number."
                )
                raise ConfigurationError("RunNumberTaken", message) from None
        except OSError as error:
            raise _unwritable(self.uri, error) from None

    def free_for(self, request: TrainingRequest) -> bool:
        """Whether its run's number is free for it, or taken by the same request."""
        found = self.files.read(_request_file(request.operation, request.run))
        return found is None or found == request.to_json()

    def stored_request(self, operation: Operation, run: int) -> TrainingRequest | None:
        """What an operation of a run was asked; None where nothing tells."""
        try:
            text = self.files.read(_request_file(operation, run))
            return None if text is None else TrainingRequest.from_json(text)
        except (ContractError, UnicodeDecodeError):
            return None

    def write_snapshot(self, run: int, snapshot: Snapshot) -> Snapshot:
        """Fix the snapshot of a run; a snapshot that is already there wins."""
        try:
            self.files.create(f"{run_directory(run)}/{SNAPSHOT_FILE}", snapshot.to_json())
        except FileExistsError:
            return self.stored_snapshot(run) or snapshot
        return snapshot

    def stored_snapshot(self, run: int) -> Snapshot | None:
        """The snapshot of a run, or None before there is one."""
        text = self.files.read(f"{run_directory(run)}/{SNAPSHOT_FILE}")
        return None if text is None else Snapshot.from_json(text)

    def snapshot_before(self, run: int) -> Snapshot | None:
        """The newest snapshot of an earlier run; what cannot be read is passed over."""
        for earlier in sorted(self.files.numbers("runs"), reverse=True):
            if earlier >= run:
                continue
            try:
                snapshot = self.stored_snapshot(earlier)
            except (ContractError, UnicodeDecodeError):
                continue
            if snapshot is not None:
                return snapshot
        return None

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

    def write_decision(self, run: int, record: DecisionRecord) -> None:
        """Keep why a run trains, and the picture of it."""
        folder = run_directory(run)
        self.files.replace(f"{folder}/{DECISION_FILE}", record.to_json())
        self.files.replace(f"{folder}/{PICTURE_FILE}", picture(record))

    def write_report(self, report: TrainingReport) -> None:
        """Keep a report. One that succeeded is never replaced."""
        kept = self.stored_report(report.operation, report.run)
        if kept is None or kept.outcome is Outcome.FAILED:
            name = f"{run_directory(report.run)}/{REPORT_FILES[report.operation]}"
            self.files.replace(name, report.to_json())

    def stored_report(self, operation: Operation, run: int) -> TrainingReport | None:
        """The report that an operation left, or None."""
        name = REPORT_FILES[operation]
        try:
            text = self.files.read(f"{run_directory(run)}/{name}")
            return None if text is None else TrainingReport.from_json(text)
        except (ContractError, UnicodeDecodeError) as error:
            message = f"{name} of run {run} in {self.uri} cannot be read: {error}"
            raise ConfigurationError("ReportMissing", message) from None

    def _owner_document(self) -> str:
        return canonical(
            {"version": OWNER_VERSION, "namespace": self.owner.namespace, "name": self.owner.name}
        )

    def _take(self) -> None:
        """Leave the marker, or find one's own.

        It is looked for first, and written twice: where the second time succeeds, nothing keeps two
        writers apart, and the store must not be used.
        """
        found = self.files.read(OWNER_FILE)
        if found is None:
            document = self._owner_document()
            try:
                self.files.create(OWNER_FILE, document)
            except FileExistsError:
                found = self.files.read(OWNER_FILE)
            else:
                self._prove_exclusive(document)
                return
        owner = _read_owner(found or "")
        if owner != (self.owner.namespace, self.owner.name):
            raise _in_use(self.uri, owner, self.owner)

    def _prove_exclusive(self, document: str) -> None:
        try:
            self.files.create(OWNER_FILE, document)
        except FileExistsError:
            return
        message = (
            f"model.storage: the server of {self.uri} ignores conditional writes (If-None-Match), "
            "so two trainers could overwrite each other; use another server or a volume."
        )
        raise ConfigurationError("StoreUnsafe", message)


def _request_file(operation: Operation, run: int) -> str:
    return f"{run_directory(run)}/request-{operation.value.lower()}.json"


def _read_owner(text: str) -> tuple[str, str]:
    try:
        fields: Fields = load(text, version=OWNER_VERSION, kind=OWNER_FILE)
        return fields.string("namespace"), fields.string("name")
    except ContractError:
        return "an unreadable", OWNER_FILE


def _unwritable(uri: str, error: OSError) -> ConfigurationError:
    if error.errno and (explained := faults.of_volume(error, uri)):
        return explained
    message = (
        f"model.storage: {uri} cannot be used ({error.strerror or error}); give the trainer's user "
        "(65532) a writable volume of files and folders."
    )
    return ConfigurationError("StoreUnwritable", message)


def _in_use(uri: str, found: tuple[str, str], owner: ResourceRef) -> ConfigurationError:
    message = (
        f"{uri} belongs to {'/'.join(found)}; give {owner.namespace}/{owner.name} a store of its "
        f"own, or remove {OWNER_FILE} there if that resource is gone for good."
    )
    return ConfigurationError("StoreInUse", message)


def _snapshot_changed(run: int, what: str) -> ConfigurationError:
    message = f"data.json of run {run} is not the snapshot that was diagnosed ({what})."
    return ConfigurationError("SnapshotChanged", message)

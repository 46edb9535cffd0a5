"""What a training by hand goes by: the last diagnosis must tell of what is there now."""

from maintenance_contract import ChampionRef, DataRef, Operation, TrainingReport
from maintenance_contract import Snapshot as SnapshotRef
from maintenance_trainer.data import folders
from maintenance_trainer.data.folders import Named, Origin
from maintenance_trainer.data.sources import AnySource
from maintenance_trainer.errors import ConfigurationError
from maintenance_trainer.locations import Places
from maintenance_trainer.store.store import Store
from maintenance_trainer.store.versions import Version

FIRST = "give the verb diagnose first (python -m maintenance_trainer diagnose, the same options)."


def refuse_of_before(
    store: Store,
    found: TrainingReport,
    champion: Version | None,
    data: DataRef,
    source: AnySource,
) -> None:
    """Refuse a diagnosis that looked at another version, or at fewer files.

    Args:
        store: where it is kept.
        found: what it found.
        champion: the version in service.
        data: where the data lie.
        source: how files become rows.

    Raises:
        ConfigurationError: SnapshotMissing, SnapshotChanged.
        DataError: the data cannot be listed.
    """
    asked = store.stored_request(Operation.DIAGNOSE, found.run)
    now = None if champion is None else ChampionRef(champion.number, champion.digest)
    if asked is not None and asked.champion != now:
        looked, serves = (
            f"version {its.version}" if its else "none" for its in (asked.champion, now)
        )
        message = (
            f"The last diagnosis, of run {found.run}, looked at {looked} in service, and now it is "
            f"{serves}: {FIRST}"
        )
        raise ConfigurationError("SnapshotMissing", message)
    snapshot = store.read_snapshot(SnapshotRef(found.run, found.snapshot_digest))
    known = {(file.origin, file.name) for file in snapshot.files}
    if arrived := _arrived(known, data, source):
        more = f" and {len(arrived) - 1:,} more" if len(arrived) > 1 else ""
        message = (
            f"{arrived[0].where}{more}: not there when run {found.run}, the last diagnosis, looked "
            f"at the data: {FIRST}"
        )
        raise ConfigurationError("SnapshotMissing", message)


def _arrived(known: set[tuple[Origin, str]], data: DataRef, source: AnySource) -> list[Named]:
    """Files that are not known; those that somebody may be writing are waited for, as ever."""
    arrived: list[Named] = []
    with Places("") as places:
        for moving in (False, True):
            arrived = [
                Named(origin, name)
                for origin in Origin
                for name in _names(data, origin, places, source, moving=moving)
                if (origin, name) not in known
            ]
            if not arrived:
                break
    return arrived


def _names(
    data: DataRef, origin: Origin, places: Places, source: AnySource, *, moving: bool
) -> list[str]:
    root, found = folders.find(data, origin, places, source.suffixes, moving=moving)
    return [path.relative_to(root).as_posix() for path in found.settled]

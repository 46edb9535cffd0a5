"""Columns that say which rows belong together, and what a version knows of rows under others.

What is held out together is chosen by these columns. Under other ones a row that a version was
trained on falls into another unit, and may look as if it had been held out. Where nothing groups
the rows, a row is a unit by itself, known by its inputs: there other inputs do the same.
"""

from collections.abc import Iterable
from typing import Final

from maintenance_contract import Columns, ContractError, DataRef, Sampling
from maintenance_contract.kinds import OVERLAPPING
from maintenance_trainer.data.index_columns import is_nameless
from maintenance_trainer.data.known_by import Inputs, KnownBefore, known_before
from maintenance_trainer.data.shares import Shares
from maintenance_trainer.data.snapshot import Snapshot
from maintenance_trainer.store.store import Store
from maintenance_trainer.store.versions import Version

_MAKE_UNITS: Final = ("group", "user", "series")
_ARE_INPUTS: Final = ("text", "image", "messages", "prompt", "id")
"""What a row is known by where nothing groups it; ``id`` tells rows of few inputs apart."""
_SHOWN: Final = 3


def fair_under(store: Store, version: Version, data: DataRef) -> tuple[Shares, str]:
    """What was held out of a version, and a sentence where nothing of it can be told any more.

    Of files that it was not trained on all is fair, as ever. Rows sampled as Targeted are judged by
    old ones alone: there these stay, though some may be known by heart.
    """
    before = _trained_with(store, version)
    if before is None or not version.data:
        return version.past.fair, ""
    what = _other_units(version, before.columns, data.columns)
    if not what and "group" not in data.columns.names and version.task not in OVERLAPPING:
        what = _other_inputs(version, before, data.columns)
    if not what:
        return version.past.fair, ""
    what += ", so that no old row is known to have been held out of that version"
    if data.sampling is Sampling.TARGETED:
        return version.past.fair, f"{what}; it may do too well on old rows."
    fair = Shares(0, 0, dict.fromkeys(version.data, 0))
    return fair, f"{what}, and it is compared on rows of new files alone."


def _other_units(version: Version, then: Columns, now: Columns) -> str:
    """Which role makes other units; empty: none does."""
    roles = (*_MAKE_UNITS, "time") if version.task in OVERLAPPING else _MAKE_UNITS
    role = _changed(roles, then, now)
    return role and f"{_was(version, role, then, now)}: other rows belong together by it"


def _other_inputs(version: Version, before: Snapshot, now: Columns) -> str:
    """What a row of the version's files is known by, and was not then; empty: nothing else."""
    its_columns = {file.columns for file in before.files if file.columns}
    if not its_columns:
        return ""  # files that are an input each
    role = _changed(_ARE_INPUTS, before.columns, now)
    if role:
        return f"{_was(version, role, before.columns, now)}: a row is known by it"
    gone, added = set[str](), set[str]()
    for there in its_columns:
        then = {name for name in there if before.columns.is_input(name)}
        here = {name for name in there if _is_input(name, now)}
        gone |= then - here
        added |= here - then
    if not gone and not added:
        return ""
    parts = [
        f"{how} {_listed(names)}" for how, names in (("without", gone), ("with", added)) if names
    ]
    return (
        f"data.columns makes other inputs of the files than when version {version.number} was "
        f"trained ({', '.join(parts)}): a row is known by its inputs"
    )


def _is_input(name: str, columns: Columns) -> bool:
    """Whether it is one in a file that has it; an index is one where it is named (see there)."""
    return columns.is_input(name) and (bool(columns.inputs) or not is_nameless(name))


def _changed(roles: Iterable[str], then: Columns, now: Columns) -> str:
    """The first role that another column has."""
    return next((role for role in roles if then.names.get(role) != now.names.get(role)), "")


def _was(version: Version, role: str, then: Columns, now: Columns) -> str:
    before, after = (columns.names.get(role) or "not there" for columns in (then, now))
    return (
        f"data.columns.{role} is {after} and was {before} when version {version.number} was trained"
    )


def _listed(names: Iterable[str]) -> str:
    its = sorted(names)
    more = f" and {len(its) - _SHOWN} more" if len(its) > _SHOWN else ""
    return ", ".join(repr(name[:40]) for name in its[:_SHOWN]) + more


def known_inputs(store: Store, champion: Version | None, earlier: Snapshot | None) -> KnownBefore:
    """By which inputs rows of files were known, to the champion and in the run before.

    A file that is not there for a run is in service all the same.
    """
    trained = champion and _trained_with(store, champion)
    known: dict[str, Inputs] = {}
    for its in (trained, earlier):
        known |= known_before(its.files, its.columns) if its else {}
    return known


def _trained_with(store: Store, version: Version) -> Snapshot | None:
    """The snapshot that it was trained on; None where it is not there."""
    taken = version.provenance.get("snapshot")
    run = taken.get("run") if isinstance(taken, dict) else None
    if not isinstance(run, int):
        return None
    try:
        return store.stored_snapshot(run)
    except (ContractError, UnicodeDecodeError):
        return None

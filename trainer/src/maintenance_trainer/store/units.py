"""Columns that say which rows belong together, and what a version knows of rows under others.

What is held out together is chosen by these columns. Under other ones a row that a version was
trained on falls into another unit, and may look as if it had been held out.
"""

from typing import Final

from maintenance_contract import Columns, ContractError
from maintenance_trainer.data.shares import Shares
from maintenance_trainer.store.store import Store
from maintenance_trainer.store.versions import Version

_MAKE_UNITS: Final = ("group", "user", "series")


def fair_under(store: Store, version: Version, columns: Columns) -> tuple[Shares, str]:
    """What was held out of a version, and a sentence where nothing of it can be told any more."""
    before = _columns(store, version)
    if before is None:
        return version.past.fair, ""
    for role in _MAKE_UNITS:
        then, now = before.names.get(role), columns.names.get(role)
        if then != now:
            sentence = (
                f"data.columns.{role} is {now or 'not there'} and was {then or 'not there'} when "
                f"version {version.number} was trained: other rows belong together by it, so that "
                "no old row is known to have been held out of that version, and it is compared on "
                "new rows alone."
            )
            return Shares(0, 0), sentence
    return version.past.fair, ""


def _columns(store: Store, version: Version) -> Columns | None:
    """Those that it was trained with; None where its snapshot is not there."""
    taken = version.provenance.get("snapshot")
    run = taken.get("run") if isinstance(taken, dict) else None
    if not isinstance(run, int):
        return None
    try:
        snapshot = store.stored_snapshot(run)
    except (ContractError, UnicodeDecodeError):
        return None
    return None if snapshot is None else snapshot.columns

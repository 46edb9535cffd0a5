"""Columns that say which rows belong together, and what a version knows of rows under others.

What is held out together is chosen by these columns. Under other ones a row that a version was
trained on falls into another unit, and may look as if it had been held out.
"""

from typing import Final

from maintenance_contract import Columns, ContractError, DataRef, Sampling
from maintenance_trainer.data.shares import Shares
from maintenance_trainer.store.store import Store
from maintenance_trainer.store.versions import Version

_MAKE_UNITS: Final = ("group", "user", "series")


def fair_under(store: Store, version: Version, data: DataRef) -> tuple[Shares, str]:
    """What was held out of a version, and a sentence where nothing of it can be told any more.

    Of files that it was not trained on all is fair, as ever. Rows sampled as Targeted are judged by
    old ones alone: there these stay, though some may be known by heart.
    """
    before = _columns(store, version)
    if before is None or not version.data:
        return version.past.fair, ""
    for role in _MAKE_UNITS:
        then, now = before.names.get(role), data.columns.names.get(role)
        if then != now:
            what = (
                f"data.columns.{role} is {now or 'not there'} and was {then or 'not there'} when "
                f"version {version.number} was trained: other rows belong together by it, so that "
                "no old row is known to have been held out of that version"
            )
            if data.sampling is Sampling.TARGETED:
                return version.past.fair, f"{what}; it may do too well on old rows."
            fair = Shares(0, 0, dict.fromkeys(version.data, 0))
            return fair, f"{what}, and it is compared on rows of new files alone."
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

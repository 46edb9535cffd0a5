"""What was held out of a version: its manifest remembers it, and its descendants inherit it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from maintenance_contract.codec import Fields
from maintenance_trainer.data.auto_holdout import fair_to
from maintenance_trainer.data.folders import Origin
from maintenance_trainer.data.shares import BUCKETS, Shares, auto
from maintenance_trainer.data.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Past:
    """What was held out of a version: ``own`` by its training, ``fair`` by its ancestors', too."""

    own: Shares
    fair: Shares

    @classmethod
    def read(cls, manifest: Fields) -> "Past":
        """Of a manifest; those of before shares were of files tell of percentages alone.

        Raises:
            ContractError: it tells of neither.
        """
        fair = Shares.read(manifest.fields("fairHoldout"))
        if not manifest.has("holdout"):
            return cls(fair, fair)
        return cls(Shares.read(manifest.fields("holdout"), fair), fair)


def handed_on(snapshot: Snapshot, parent: Past | None) -> Past:
    """Of a version that is trained on a snapshot, starting from its parent, if it has one.

    A row is fair to a version only if no ancestor was trained on it, so that of each file the least
    counts. Files that are gone by now were seen all the same.
    """
    now = snapshot.held_out
    seen = snapshot.champion_holdout.files if snapshot.champion_holdout else {}
    unfair = [digest for digest, share in seen.items() if not share]
    before = None if parent is None else fair_to(parent.fair, snapshot.files, unfair)
    own: dict[str, int] = {}
    fair: dict[str, int] = {}
    for file in snapshot.files:
        held_out = now.of(file.origin, file.digest)
        if file.held_out is not None:
            own[file.digest] = held_out
        if before is not None:
            held_out = min(held_out, before.of(file.origin, file.digest))
        fair[file.digest] = min(held_out, fair.get(file.digest, BUCKETS))
    original, updates = (_least(snapshot, parent, fair, origin) for origin in Origin)
    by_file = any(file.held_out is not None for file in snapshot.files)
    if not by_file and not (parent and parent.fair.files):
        return Past(now, Shares(original, updates))
    return Past(
        Shares(now.original, now.updates, {**(parent.own.files if parent else {}), **own}),
        Shares(original, updates, {**(parent.fair.files if parent else {}), **fair}),
    )


def document(snapshot: Snapshot, past: Past) -> Mapping[str, Any]:
    """As the manifest holds it."""
    return {
        "holdout": {**past.own.document(), **snapshot.holdout.document()},
        "fairHoldout": past.fair.document(),
    }


def _least(snapshot: Snapshot, parent: Past | None, fair: Mapping[str, int], origin: Origin) -> int:
    """What was held out of all files of an origin."""
    least = snapshot.held_out.by_origin(origin)
    if auto(snapshot.holdout, origin):
        its = (fair[file.digest] for file in snapshot.files if file.origin is origin)
        least = min(its, default=BUCKETS)
    return least if parent is None else min(least, parent.fair.by_origin(origin))

"""Which version should be in service, and how status and the ConfigMap come to say so.

Status is the truth and is written first; the ConfigMap that servers read follows.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from maintenance_contract import Candidate, ChampionRef, ContractError, StorageUri
from maintenance_core.lifecycle import projection
from maintenance_core.lifecycle.jobs import champion_uri
from maintenance_core.lifecycle.observation import Observation
from maintenance_core.lifecycle.refusals import refused, waits
from maintenance_core.model import (
    Champion,
    HistoryEntry,
    Note,
    Request,
    Run,
    Spec,
    Status,
    WriteConfigMap,
)
from maintenance_core.reasons import EventReason

Claim = Callable[[Observation], Champion | None]


def promoted(seen: Observation) -> Champion | None:
    """The version that status says was promoted, or taken over."""
    return seen.status.champion


def projected(seen: Observation) -> Champion | None:
    """The version that the ConfigMap names, if it lies in the store of the spec.

    One in another store is of a resource that had the name before; runs could not read it there.
    """
    champion = named(seen)
    if champion is None or not isinstance(seen.spec, Spec):
        return champion
    return champion if _lies_in(champion, seen.spec.storage) else None


def elsewhere(seen: Observation) -> Champion | None:
    """The version that the ConfigMap names in another store than that of the spec, if it does."""
    return named(seen) if projected(seen) is None else None


def named(seen: Observation) -> Champion | None:
    """The version that the ConfigMap names, if it is ours and can be read."""
    config_map = seen.config_map
    if config_map is None or not projection.is_ours(config_map):
        return None
    try:
        return projection.read(config_map)
    except ContractError:
        return None


def _lies_in(champion: Champion, storage: StorageUri) -> bool:
    try:
        return StorageUri.parse(champion.storage_uri).inside(storage)
    except ContractError:
        return False


CLAIMS: Final[tuple[Claim, ...]] = (promoted, projected)
"""Who says which version should be in service: the first that names one is believed."""


def in_service(seen: Observation) -> Champion | None:
    """The version that should be in service; None before the first."""
    return next(filter(None, (claim(seen) for claim in CLAIMS)), None)


def adopted(seen: Observation, champion: Champion) -> tuple[Status, Note]:
    """Status takes over what is in service already, and what people are told."""
    config_map = projection.config_map_name(seen.identity.name)
    return replace(seen.status, champion=champion), Note(
        EventReason.CHAMPION_ADOPTED,
        f"Version {champion.version} ({champion.digest[:19]}…) is in service, says ConfigMap "
        f"{config_map}: taken over as the champion.",
    )


def promote(
    seen: Observation, run: Run, spec: Spec, candidate: Candidate, entry: HistoryEntry
) -> tuple[Status, Note]:
    """Status once the challenger is the champion and its run is over, and what people are told."""
    ref = ChampionRef(candidate.version, candidate.digest)
    champion = Champion(
        ref.version, champion_uri(spec, ref), ref.digest, seen.now, candidate.action
    )
    status = replace(
        seen.status,
        champion=champion,
        monitor=None,
        run=None,
        recheck=None,
        history=(entry, *seen.status.history),
    )
    return status, Note(
        EventReason.PROMOTED,
        f"Run {run.number}: version {champion.version} is the champion. {entry.message}",
    )


def late_projection(seen: Observation) -> WriteConfigMap | None:
    """The write that brings the ConfigMap in line with status, where it is not and that may be.

    Where the write is refused, everything else goes on.
    """
    champion, existing = seen.status.champion, seen.config_map
    if champion is None or refused(seen, Request.READ_CONFIG_MAP) is not None:
        return None
    if existing is not None and (
        not projection.is_ours(existing) or projection.says(existing, seen.identity, champion)
    ):
        return None
    write = WriteConfigMap(projection.manifest(seen.identity, champion, existing), existing)
    return None if waits(seen, write) else write

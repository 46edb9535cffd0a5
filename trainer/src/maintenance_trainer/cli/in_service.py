"""Which version of a local store is in service: the file ``champion.json``.

In a cluster a resource's status says it, and the ConfigMap that follows it. Here a file takes their
place, so that a version that the gate rejected is not taken for the champion for being the newest.
"""

from datetime import datetime
from typing import Any, Final

from maintenance_contract import ContractError
from maintenance_contract.codec import Fields, canonical, load
from maintenance_trainer.errors import ConfigurationError
from maintenance_trainer.store import versions
from maintenance_trainer.store.store import Store
from maintenance_trainer.store.versions import Version

CHAMPION_FILE: Final = "champion.json"
CHAMPION_VERSION: Final = 1


def promote(store: Store, version: int, digest: str, now: datetime) -> None:
    """From now on this version is the champion."""
    _write(store, {"version": version, "digest": digest}, "promotedTime", now)


def promote_none(store: Store, now: datetime) -> None:
    """Say that none of the versions there is in service."""
    _write(store, None, "checkedTime", now)


def _write(store: Store, its: dict[str, Any] | None, of: str, now: datetime) -> None:
    document = {
        "version": CHAMPION_VERSION,
        "champion": its,
        of: now.isoformat(timespec="seconds"),
    }
    store.files.replace(CHAMPION_FILE, canonical(document))


def champion(store: Store, chosen: int | None) -> Version | None:
    """The version in service, or the one that a person chose instead; None without any.

    A store of before has versions and no such file: its newest was taken for the champion.

    Raises:
        ConfigurationError: ChampionMissing, ChampionChanged.
    """
    there, named = (False, None) if chosen else _named(store)
    newest = 0 if there else store.state().highest_version
    number = chosen or (named[0] if named else newest)
    if not number:
        return None
    version = versions.find(store, number)
    if version is None:
        where = f"--champion {chosen}" if chosen else CHAMPION_FILE
        message = f"{where}: there is no version {number} in {store.root}."
        raise ConfigurationError("ChampionMissing", message)
    if named and named[1] != version.digest:
        message = (
            f"{CHAMPION_FILE} names version {number} by {named[1]}, but versions/{number} is "
            f"{version.digest}: restore it, or say which version serves with --champion."
        )
        raise ConfigurationError("ChampionChanged", message)
    return version


def _named(store: Store) -> tuple[bool, tuple[int, str] | None]:
    """Whether the file is there, and the version that it names; None where none is in service."""
    try:
        text = store.files.read(CHAMPION_FILE)
        if text is None:
            return False, None
        document: Fields = load(text, version=CHAMPION_VERSION, kind=CHAMPION_FILE)
        its = document.fields_or_none("champion")
        return True, None if its is None else (
            its.integer("version", least=1),
            its.string("digest"),
        )
    except (ContractError, UnicodeDecodeError, OSError) as error:
        why = getattr(error, "strerror", "") or error
        message = f"{store.root}/{CHAMPION_FILE}: {why}; say which version serves: --champion."
        raise ConfigurationError("ChampionChanged", message) from None

"""Versions: immutable folders of model files, each with a manifest that names every byte.

A version is made in a folder of its own and put in place with its manifest last, so that a version
that is there is complete.
"""

import fnmatch
import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from maintenance_contract import ChampionRef, ContractError, Task
from maintenance_contract.codec import canonical, digest, load
from maintenance_contract.paths import MANIFEST_FILE, version_directory
from maintenance_trainer import faults, files
from maintenance_trainer.errors import ConfigurationError
from maintenance_trainer.files import shown
from maintenance_trainer.hub import MODEL_FILES
from maintenance_trainer.store.inheritance import Past
from maintenance_trainer.store.store import Store

MANIFEST_VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class Version:
    """A version as its manifest describes it.

    ``data`` are the digests of all files it was trained on (through its ancestors, too);
    ``past`` is what was held out of it and its ancestors.
    """

    number: int
    digest: str
    folder: Path
    labels: tuple[str, ...]
    data: frozenset[str]
    past: Past
    provenance: Mapping[str, Any]

    @property
    def task(self) -> str:
        """The kind of model; those of before there were several are of the first."""
        return str(self.provenance.get("task", Task.TEXT_CLASSIFICATION))


def champion(store: Store, reference: ChampionRef) -> Version:
    """The version in service, every byte of it checked.

    Raises:
        ConfigurationError: ChampionMissing, ChampionChanged.
    """
    version = find(store, reference.version)
    if version is None:
        message = (
            f"Version {reference.version} is not in {store.uri}; "
            "restore it or remove the champion's ConfigMap."
        )
        raise ConfigurationError("ChampionMissing", message)
    if version.digest != reference.digest:
        raise _changed(version, f"its manifest is {version.digest}, not {reference.digest}")
    digests = _file_digests(version)
    store.files.fetch(version.number, [name for name, _ in digests])
    _refuse_added(version, {name for name, _ in digests})
    for name, expected in digests:
        if _digest_below(version.folder / name, store.root) != expected:
            raise _changed(version, f"{shown(name)} is not the file that was written")
    return version


def find(store: Store, number: int) -> Version | None:
    """A version by its number; None if there is none.

    Raises:
        ConfigurationError: ChampionChanged, its manifest cannot be read.
    """
    try:
        text = store.files.read(f"{version_directory(number)}/{MANIFEST_FILE}")
        return None if text is None else _version(number, store, text)
    except (ContractError, UnicodeDecodeError, OSError) as error:
        why = getattr(error, "strerror", "") or error
        message = f"versions/{number} of {store.uri}: {why}; restore it."
        raise ConfigurationError("ChampionChanged", message) from None


def trained_by(store: Store, request_digest: str) -> Version | None:
    """The version that a request has already led to, or None. A training is never repeated."""
    for number in range(store.state().highest_version, 0, -1):
        version = find(store, number)
        if version is not None and version.provenance.get("requestDigest") == request_digest:
            return version
    return None


def write(
    store: Store,
    save: Callable[[Path], None],
    provenance: Mapping[str, Any],
    prove: Callable[[Path], None] = lambda _: None,
) -> Version:
    """Write the next version.

    Args:
        store: the store it goes to.
        save: writes the model files into an empty folder.
        provenance: the manifest without the files' digests.
        prove: reads them back, before anybody else can; raises where they are no model.

    Raises:
        ConfigurationError: StoreFull, StoreUnwritable, and those of a bucket.
    """
    with faults.writing(store.uri):
        folder = store.files.workplace()
        try:
            save(folder)
            _open_to_readers(folder)
            prove(folder)
            files = {
                path.relative_to(folder).as_posix(): sha256(path)
                for path in sorted(folder.rglob("*"))
                if path.is_file()
            }
            manifest = canonical({"version": MANIFEST_VERSION, **provenance, "files": files})
            return _version(store.files.publish(folder, manifest), store, manifest)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise


def sha256(path: Path) -> str:
    """``sha256:…`` of a file's bytes."""
    return files.sha256(path.resolve())


def refuse_full(store: Store, model: Path) -> None:
    """Refuse a store without room for a version of the size of this model.

    Raises:
        ConfigurationError: StoreFull.
    """
    faults.refuse_full(store.root, store.uri, model.glob("*.safetensors"))


def _version(number: int, store: Store, manifest: str) -> Version:
    fields = load(manifest, version=MANIFEST_VERSION, kind=MANIFEST_FILE)
    return Version(
        number,
        digest(manifest),
        store.version(number),
        fields.strings("labels"),
        frozenset(fields.strings("data", most=1_000_000)),
        Past.read(fields),
        json.loads(manifest),
    )


def _file_digests(version: Version) -> list[tuple[str, str]]:
    files = version.provenance.get("files")
    if not isinstance(files, dict) or not files:
        raise _changed(version, "its manifest names no files")
    return sorted((str(name), str(its_digest)) for name, its_digest in files.items())


def _refuse_added(version: Version, written: set[str]) -> None:
    """Whatever lies beside a model by the name of one of its files, the libraries read."""
    for path in sorted(version.folder.glob("*")):
        its_kind = any(fnmatch.fnmatch(path.name, pattern) for pattern in MODEL_FILES)
        if its_kind and path.name not in {*written, MANIFEST_FILE}:
            raise _changed(version, f"{shown(path.name)} was added")


def _digest_below(path: Path, root: Path) -> str:
    """Of a regular file of the store; empty where there is none."""
    try:
        found = files.real(path, files.boundary(root))
        files.refuse_odd(found.stat())
        return sha256(found)
    except OSError:
        return ""


def _changed(version: Version, what: str) -> ConfigurationError:
    message = (
        f"versions/{version.number} was changed after it was written: {what}; versions are "
        "immutable: restore it."
    )
    return ConfigurationError("ChampionChanged", message)


def _open_to_readers(folder: Path) -> None:
    """Whoever serves the model is another user; some libraries write for the owner alone."""
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)

"""Take over: an existing model becomes a version, byte by byte; nothing is trained."""

import fnmatch
import json
import shutil
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from maintenance_contract import ContractError
from maintenance_contract.codec import load
from maintenance_contract.paths import MANIFEST_FILE
from maintenance_trainer.data.shares import Shares
from maintenance_trainer.files import shown
from maintenance_trainer.hub import MODEL_FILES, NEVER
from maintenance_trainer.model_field import Given
from maintenance_trainer.store.versions import MANIFEST_VERSION, sha256

NOTHING_KNOWN: Final = 0
"""Buckets of the original rows that are known to have been held out of an unknown training."""


@dataclass(frozen=True, slots=True)
class Past:
    """What is known of a model's making.

    ``data`` are digests of the files that it was trained on; ``fair_holdout`` what was held out of
    it; ``manifest`` where it comes from another store of ours, else empty.
    """

    data: frozenset[str]
    fair_holdout: Shares
    manifest: Mapping[str, Any]


def model_files(folder: Path, names: Collection[str] = ()) -> list[Path]:
    """What is taken over: never code, never pickles; a manifest is written anew.

    Args:
        folder: the model's.
        names: files that its tokenizer reads, whatever they are called.
    """
    return sorted(
        path
        for path in folder.iterdir()
        if path.is_file()
        and path.name != MANIFEST_FILE
        and path.suffix.lower() not in NEVER
        and (
            path.name in names
            or any(fnmatch.fnmatch(path.name, pattern) for pattern in MODEL_FILES)
        )
    )


def copy(source: Path, names: Collection[str], folder: Path) -> None:
    """Copy a model's files, and those of these names, into an empty folder."""
    for path in model_files(source, names):
        shutil.copyfile(path, folder / path.name)


def past(folder: Path, updates: int) -> Past:
    """What a model's folder tells of its making.

    Nothing, as a rule: then ``data.original`` counts as what the model knows, held-out rows of it
    are no fair test, and what lies in ``data.updates`` counts as new. A version of another store
    brings its manifest, which tells.

    Args:
        folder: the model's.
        updates: what is held out of updates here, of which it has seen none.

    Raises:
        ConfigurationError: InitialModelUnreadable, a version was changed after it was written.
    """
    manifest = _manifest(folder)
    if manifest is None:
        return Past(frozenset(), Shares(NOTHING_KNOWN, updates), {})
    for name, expected in manifest["files"].items():
        path = folder / name
        if "/" in name or not path.is_file() or sha256(path) != expected:
            problem = (
                f"{shown(name)} is not the file that {MANIFEST_FILE} beside it names; copy again."
            )
            raise Given.INITIAL.unreadable(problem)
    fields = load(json.dumps(manifest), version=MANIFEST_VERSION, kind=MANIFEST_FILE)
    return Past(
        frozenset(fields.strings("data", most=1_000_000)),
        Shares.read(fields.fields("fairHoldout")),
        manifest,
    )


def _manifest(folder: Path) -> dict[str, Any] | None:
    """The manifest of a version of ours; None for what others call so."""
    try:
        text = (folder / MANIFEST_FILE).read_text(encoding="utf-8")
        fields = load(text, version=MANIFEST_VERSION, kind=MANIFEST_FILE)
        fields.strings("data", most=1_000_000)
        Shares.read(fields.fields("fairHoldout"))
        if not all(isinstance(its, str) for its in fields.raw("files").values()):
            return None
    except (OSError, UnicodeDecodeError, ContractError):
        return None
    found: dict[str, Any] = json.loads(text)
    return found if found.get("files") else None

"""The version of the store that a ConfigMap names, of whatever kind it is."""

import hashlib
import importlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from service import Version

from maintenance_contract import StorageUri
from maintenance_contract.paths import CLAIMS_ROOT, MANIFEST_FILE

LOADERS: Final = {
    "CausalLM": "language_model",
    "NextItem": "items_model",
    "TabularClassification": "table_model",
    "TextClassification": "text_model",
    "TimeSeriesClassification": "series_model",
}
"""Modules by the kind of model; a server reads only the libraries of its own."""


class VersionError(RuntimeError):
    """The ConfigMap names a version that is not there as described."""


def load(champion: Mapping[str, str], claims: str = CLAIMS_ROOT) -> Version:
    """Load what the ConfigMap ``<name>-champion`` names.

    Args:
        champion: its data: ``storageUri``, ``version`` and ``digest`` (of the manifest).
        claims: where the claims are mounted.

    Raises:
        VersionError: the version is not in the store, or is not the one that was promoted.
    """
    folder = Path(StorageUri.parse(champion["storageUri"]).local_path(claims))
    try:
        manifest = (folder / MANIFEST_FILE).read_bytes()
        digest = "sha256:" + hashlib.sha256(manifest).hexdigest()
        if digest != champion["digest"]:
            raise VersionError(f"{folder}: the manifest's digest is {digest}, not as promoted")
        kind = json.loads(manifest).get("task", "TextClassification")
        if kind not in LOADERS:
            raise VersionError(f"{folder} holds a {kind}, which this server cannot serve")
        found: Version = importlib.import_module(LOADERS[kind]).load(folder, champion["version"])
    except OSError as error:
        raise VersionError(f"{folder} cannot be read: {error}") from error
    return found

"""A version of the store, ready to answer."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
import transformers

from maintenance_contract import StorageUri
from maintenance_contract.paths import CLAIMS_ROOT, MANIFEST_FILE

BATCH: Final = 64
transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()


class VersionError(RuntimeError):
    """The ConfigMap names a version that is not there as described."""


@dataclass(frozen=True, slots=True)
class Model:
    """A loaded version."""

    version: str
    tokenizer: Any
    network: Any

    def predict(self, texts: Sequence[str]) -> list[str]:
        """One label per text."""
        # Texts of about one length share a batch, so that little is padded.
        order = sorted(range(len(texts)), key=lambda number: len(texts[number]))
        labels = [""] * len(texts)
        for start in range(0, len(order), BATCH):
            chosen = order[start : start + BATCH]
            inputs = self.tokenizer(
                [texts[number] for number in chosen],
                padding=True, truncation=True, return_tensors="pt",
            )  # fmt: skip
            with torch.inference_mode():
                best = self.network(**inputs).logits.argmax(-1).tolist()
            for number, label in zip(chosen, best, strict=True):
                labels[number] = self.network.config.id2label[label]
        return labels


def load(champion: Mapping[str, str], claims: str = CLAIMS_ROOT) -> Model:
    """Load what the ConfigMap ``<name>-champion`` names.

    Args:
        champion: its data: ``storageUri``, ``version`` and ``digest`` (of the manifest).
        claims: where the claims are mounted.

    Raises:
        VersionError: the version is not in the store, or is not the one that was promoted.
    """
    folder = Path(StorageUri.parse(champion["storageUri"]).local_path(claims))
    try:
        digest = "sha256:" + hashlib.sha256((folder / MANIFEST_FILE).read_bytes()).hexdigest()
        if digest != champion["digest"]:
            raise VersionError(f"{folder}: the manifest's digest is {digest}, not as promoted")
        options = {"local_files_only": True, "trust_remote_code": False}
        return Model(
            champion["version"],
            transformers.AutoTokenizer.from_pretrained(folder, **options),
            transformers.AutoModelForSequenceClassification.from_pretrained(
                folder, use_safetensors=True, dtype=torch.float32, **options
            ).eval(),
        )
    except OSError as error:
        raise VersionError(f"{folder} cannot be read: {error}") from error

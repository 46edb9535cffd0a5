"""A version of the store that classifies texts, ready to answer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
import transformers

BATCH: Final = 64
transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()


@dataclass(frozen=True, slots=True)
class TextModel:
    """A loaded version."""

    version: str
    tokenizer: Any
    network: Any

    def predict(self, rows: Sequence[Mapping[str, Any]]) -> list[str]:
        """One label per row, by its column ``text``."""
        texts = [str(row["text"]) for row in rows]
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


def load(folder: Path, version: str) -> TextModel:
    """A folder in Hugging Face's format."""
    options = {"local_files_only": True, "trust_remote_code": False}
    return TextModel(
        version,
        transformers.AutoTokenizer.from_pretrained(folder, **options),
        transformers.AutoModelForSequenceClassification.from_pretrained(
            folder, use_safetensors=True, dtype=torch.float32, **options
        ).eval(),
    )

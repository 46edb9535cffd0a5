"""A version of the store that answers conversations, ready to do so."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Final

import torch
import transformers

LONGEST: Final = 40
"""Tokens of an answer."""
transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()


@dataclass(frozen=True, slots=True)
class LanguageModel:
    """A loaded version."""

    of_classes: ClassVar[bool] = False
    version: str
    tokenizer: Any
    network: Any

    def predict(self, rows: Sequence[Mapping[str, Any]]) -> list[str]:
        """One answer per row to its ``messages``: the likeliest token, one after the other."""
        inputs = self.tokenizer.apply_chat_template(
            [row["messages"] for row in rows],
            add_generation_prompt=True, padding=True, return_dict=True, return_tensors="pt",
        )  # fmt: skip
        with torch.inference_mode():
            said = self.network.generate(**inputs, max_new_tokens=LONGEST, do_sample=False)
        asked = inputs["input_ids"].shape[1]
        answers: list[str] = self.tokenizer.batch_decode(said[:, asked:], skip_special_tokens=True)
        return [answer.strip() for answer in answers]


def load(folder: Path, version: str) -> LanguageModel:
    """A folder in Hugging Face's format, with a chat template."""
    options = {"local_files_only": True, "trust_remote_code": False}
    return LanguageModel(
        version,
        # An answer goes on from the end of its question.
        transformers.AutoTokenizer.from_pretrained(folder, padding_side="left", **options),
        transformers.AutoModelForCausalLM.from_pretrained(
            folder, use_safetensors=True, dtype=torch.float32, **options
        ).eval(),
    )

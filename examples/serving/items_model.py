"""A version of the store that ranks items by what a user has chosen, ready to answer.

All that a server needs is transformers and ``items.json``, which names the items in the order of
their tokens, from 3 on: 1 stands for an item that the model does not know, 2 begins.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
import transformers

PADDING, UNKNOWN, BEGINNING, FIRST = 0, 1, 2, 3
SHOWN: Final = 10


@dataclass(frozen=True, slots=True)
class ItemsModel:
    """A loaded version."""

    version: str
    items: list[str]
    network: Any

    def predict(self, rows: Sequence[Mapping[str, Any]]) -> list[str]:
        """Of each row's ``history`` the ten items that come next, one a line, the likeliest first.

        Who has no history gets what is chosen first.
        """
        tokens = {item: FIRST + place for place, item in enumerate(self.items)}
        most = self.network.config.max_position_embeddings
        asked = [
            [BEGINNING, *(tokens.get(str(item), UNKNOWN) for item in row.get("history", ()))][
                -most:
            ]
            for row in rows
        ]
        longest = max(map(len, asked))
        inputs = torch.tensor([each + [PADDING] * (longest - len(each)) for each in asked])
        with torch.inference_mode():
            states = self.network.base_model(
                input_ids=inputs, attention_mask=(inputs != PADDING).long()
            ).last_hidden_state
            ends = torch.tensor([len(each) - 1 for each in asked])
            scores = self.network.get_output_embeddings()(states[torch.arange(len(asked)), ends])
        best = scores[:, FIRST:].topk(min(SHOWN, len(self.items))).indices.tolist()
        return ["\n".join(self.items[number] for number in numbers) for numbers in best]


def load(folder: Path, version: str) -> ItemsModel:
    """A decoder in Hugging Face's format, and ``items.json`` beside it."""
    items = json.loads((folder / "items.json").read_text(encoding="utf-8"))["items"]
    network = transformers.AutoModelForCausalLM.from_pretrained(
        folder,
        use_safetensors=True,
        dtype=torch.float32,
        local_files_only=True,
        trust_remote_code=False,
    ).eval()
    return ItemsModel(version, items, network)

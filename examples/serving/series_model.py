"""A version of the store that names what the last rows of a series show, ready to answer.

All that a server needs is transformers and ``series.json``, which names the channels in their order
with the scale of each, and the labels.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
import transformers

CLASSES: Final[Mapping[str, Any]] = {
    "patchtsmixer": transformers.PatchTSMixerForTimeSeriesClassification,
    "patchtst": transformers.PatchTSTForClassification,
}


@dataclass(frozen=True, slots=True)
class SeriesModel:
    """A loaded version."""

    version: str
    channels: list[dict[str, Any]]
    labels: list[str]
    network: Any

    def predict(self, rows: Sequence[Mapping[str, Any]]) -> list[str]:
        """One label per row, whose ``window`` has the last numbers of each channel by name."""
        windows = [
            [_scaled(row["window"].get(channel["name"]), channel, row) for channel in self.channels]
            for row in rows
        ]
        values = torch.tensor(windows, dtype=torch.float32).transpose(1, 2)
        with torch.inference_mode():
            found = self.network(past_values=values).prediction_outputs
        return [self.labels[number] for number in found.argmax(dim=1).tolist()]


def _scaled(
    numbers: Sequence[float | None] | None, channel: Mapping[str, Any], row: Mapping[str, Any]
) -> list[float]:
    """In the units of training; a missing number is the one before it, as the trainer reads it."""
    if numbers is None:
        numbers = [None] * max(map(len, row["window"].values()))
    last = next((number for number in numbers if number is not None), channel["mean"])
    scaled = []
    for number in numbers:
        last = last if number is None else number
        scaled.append((last - channel["mean"]) / channel["std"])
    return scaled


def load(folder: Path, version: str) -> SeriesModel:
    """A network of patches in Hugging Face's format, and ``series.json`` beside it."""
    series = json.loads((folder / "series.json").read_text(encoding="utf-8"))
    kind = json.loads((folder / "config.json").read_text(encoding="utf-8"))["model_type"]
    network = CLASSES[kind].from_pretrained(
        folder, use_safetensors=True, dtype=torch.float32, local_files_only=True
    )
    return SeriesModel(version, series["channels"], series["labels"], network.eval())

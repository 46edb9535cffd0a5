"""Networks of patches by the transformers library: made, trained, asked."""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
import transformers
from numpy.typing import NDArray
from torch import nn
from typing_extensions import override  # of torch; typing has it from Python 3.12 on

from maintenance_contract import TrainingAction
from maintenance_contract.request import rows_a_step
from maintenance_trainer.model_field import Given
from maintenance_trainer.progress import Progress
from maintenance_trainer.tasks.huggingface import arguments, fitting, loading, sizes
from maintenance_trainer.tasks.huggingface.early_stopping import Stopping
from maintenance_trainer.tasks.series import arrays
from maintenance_trainer.tasks.series.rows import Window
from maintenance_trainer.tasks.series.schema import Schema
from maintenance_trainer.tasks.task import Fitted, How

SIZE: Final[Mapping[str, Any]] = {
    "d_model": 16,
    "num_layers": 2,
    "expansion_factor": 2,
    "dropout": 0.2,
    "head_dropout": 0.1,
    "gated_attn": True,
    "norm_mlp": "LayerNorm",
    "loss": "mse",
}
"""Of a network that begins with nothing; what learns it on a CPU in seconds."""
PATCH: Final = 8
"""Rows that are read as one; of a short context a quarter."""
EPOCHS: Final[Mapping[TrainingAction, int]] = {
    TrainingAction.RETRAIN: 40,
    TrainingAction.FINE_TUNE: 20,
}
LEAST_STEPS: Final[Mapping[TrainingAction, int]] = {
    TrainingAction.RETRAIN: 800,
    TrainingAction.FINE_TUNE: 400,
}
"""With few rows more epochs are needed."""
MOST_EPOCHS: Final = 60
MOST_STEPS: Final = 4000
"""With many rows fewer epochs are enough."""
RATE: Final = 5e-3
"""Of either action: at a smaller one a fine-tune has not learnt a new class when it ends."""
EVALUATION_BATCH: Final = 512

hf_logging: Any = transformers.utils.logging  # its functions have no types
hf_logging.set_verbosity_error()
hf_logging.disable_progress_bar()


def made(schema: Schema, seed: int) -> Any:
    """A network of random weights for what is to be read and answered."""
    transformers.set_seed(seed)
    channels = len(schema.channels)
    patch = PATCH if schema.context >= 4 * PATCH else max(1, schema.context // 4)
    config = transformers.PatchTSMixerConfig(
        **SIZE,
        context_length=schema.context,
        patch_length=patch,
        patch_stride=patch,
        num_input_channels=channels,
        mode="mix_channel" if channels > 1 else "common_channel",
        scaling="std",
        **answering(schema, "patchtsmixer"),
    )
    return _class("patchtsmixer", schema)(config)


def answering(schema: Schema, kind: str) -> dict[str, Any]:
    """The fields of a configuration that say what a network answers."""
    if schema.labels:
        return {"num_targets": len(schema.labels), **loading.labelled(schema.labels)}
    fields: dict[str, Any] = {"prediction_length": schema.horizon}
    names = list(schema.names)
    chosen = [names.index(name) for name in schema.targets]
    if kind == "patchtsmixer" and chosen != list(range(len(names))):
        fields["prediction_channel_indices"] = chosen
    return fields


def _class(kind: str, schema: Schema) -> Any:
    classes = {
        ("patchtsmixer", True): transformers.PatchTSMixerForTimeSeriesClassification,
        ("patchtsmixer", False): transformers.PatchTSMixerForPrediction,
        ("patchtst", True): transformers.PatchTSTForClassification,
        ("patchtst", False): transformers.PatchTSTForPrediction,
    }
    return classes[kind, bool(schema.labels)]


def from_folder(folder: Path, schema: Schema, given: Given, new_head: int | None = None) -> Any:
    """The network in a folder.

    Args:
        folder: in Hugging Face's format.
        schema: what it is to read and answer.
        given: whose it is.
        new_head: of a network that is to answer other things, and to read as many channels as there
            are: the seed of what begins at random. None: it is as it was stored.

    Raises:
        ConfigurationError: of ``given``.
        Exception: whatever the library's parsers raise.
    """
    document = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    sizes.check_numbers(document)
    kind = str(document.get("model_type"))
    changes: dict[str, Any] = {}
    if new_head is not None:
        if problem := _unlike(document, schema):
            raise given.unreadable(problem)
        transformers.set_seed(new_head)
        others = {"prediction_channel_indices": None} if kind == "patchtsmixer" else {}
        changes = {
            "num_input_channels": len(schema.channels),
            **others,
            **answering(schema, kind),
            "loss": "mse",  # its head answers with numbers, and not with a distribution
        }
    network = loading.model(
        _class(kind, schema), folder, given, head=new_head is not None, **changes
    )
    loading.refuse_not_finite(network.state_dict(), given)
    return network


def _unlike(document: Mapping[str, Any], schema: Schema) -> str:
    """Why a body cannot go on with these windows; empty where it can."""
    context, channels = document.get("context_length", 32), document.get("num_input_channels", 1)
    if context != schema.context:
        return (
            f"it reads {context} rows (context_length of config.json), and windows have "
            f"{schema.context}: write data.windows.context: {context}."
        )
    if document.get("mode") == "mix_channel" and channels != len(schema.channels):
        return (
            f"it mixes {channels} channels (num_input_channels of config.json), and the data have "
            f"{len(schema.channels)}: name as many in data.columns.inputs, or a model of mode "
            "common_channel."
        )
    return ""


def grown(network: Any, schema: Schema, seed: int) -> Any:
    """The same with outputs for more classes; what it knew stays as it is."""
    transformers.set_seed(seed)
    document = {**network.config.to_dict(), **answering(schema, network.config.model_type)}
    larger = type(network)(type(network.config).from_dict(document))
    before = network.state_dict()
    with torch.no_grad():
        for name, weights in larger.state_dict().items():
            own = before[name]
            if own.shape == weights.shape:
                weights.copy_(own)
            else:
                weights[: own.shape[0]] = own
    return larger


class Learner(nn.Module):
    """A network and what it is held to: the gate's own loss, of what is known.

    Args:
        network: answers.
        schema: what it answers.
    """

    def __init__(self, network: Any, schema: Schema) -> None:
        super().__init__()
        self.network = network
        self.schema = schema

    @override
    def forward(self, past_values: torch.Tensor, labels: torch.Tensor) -> dict[str, torch.Tensor]:
        told = answered(self.network(past_values=past_values), self.schema)
        if self.schema.labels:
            return {"loss": nn.functional.cross_entropy(told, labels)}
        known = torch.isfinite(labels)
        away = (told - torch.nan_to_num(labels)).abs()
        return {"loss": (away * known).sum() / known.sum().clamp(min=1)}


def answered(output: Any, schema: Schema) -> torch.Tensor:
    """(n, horizon, targets) or (n, classes) of what a network gives."""
    told: torch.Tensor | None = getattr(output, "prediction_outputs", None)
    if told is None:
        told = output.prediction_logits
    names = list(schema.names)
    if schema.targets and told.shape[-1] == len(names):  # of every channel, in their order
        told = told[..., [names.index(name) for name in schema.targets]]
    return told


class Numbers(torch.utils.data.Dataset[int]):
    """Places of rows from ``first`` on; a batch of them is made at once."""

    def __init__(self, count: int, first: int = 0) -> None:
        self._count, self._first = count, first

    def __len__(self) -> int:
        return self._count

    @override
    def __getitem__(self, number: int) -> int:
        return self._first + number


class Collator:
    """Makes a batch of the places of rows.

    Args:
        rows: all of them.
        schema: how they are read.
        classes: (n,) the places of their labels; None: their continuations are to be told.
    """

    def __init__(
        self, rows: Sequence[Window], schema: Schema, classes: NDArray[np.int64] | None
    ) -> None:
        self._rows, self._schema, self._classes = rows, schema, classes

    def __call__(self, numbers: Sequence[int]) -> dict[str, torch.Tensor]:
        """The fields of a batch."""
        rows = [self._rows[number] for number in numbers]
        if self._classes is None:
            right = torch.from_numpy(arrays.answers(rows, self._schema))
        else:
            right = torch.from_numpy(self._classes[list(numbers)])
        seen = torch.from_numpy(arrays.inputs(rows, self._schema))
        return {"past_values": seen, "labels": right}


def built(action: TrainingAction, given: Mapping[str, Any], rows: int, scratch: Path) -> Any:
    """The library's ``TrainingArguments``: the user's over what such a network needs."""
    ours = {
        "num_train_epochs": _epochs(action, max(1, rows // rows_a_step(given))),
        "learning_rate": RATE,
        "lr_scheduler_type": "cosine",
        "bf16": False,  # half of the digits are not enough for numbers
    }
    return arguments.build(action, {**ours, **given}, scratch)


def _epochs(action: TrainingAction, steps: int) -> int:
    """As many of so many steps each as teach a network of this size."""
    enough = max(EPOCHS[action], math.ceil(LEAST_STEPS[action] / steps))
    return max(1, min(enough, MOST_EPOCHS, MOST_STEPS // steps))


def train(
    learner: Learner,
    rows: Sequence[Window],
    classes: NDArray[np.int64] | None,
    how: How,
    progress: Progress,
    stopping: Stopping[Window] | None,
) -> Fitted:
    """Train in place; the rows of ``stopping`` are the last of ``rows``, and not learnt.

    Raises:
        OutOfMemoryError: of the GPU.
        ConfigurationError: TrainingDiverged.
    """
    count = len(rows) - (len(stopping.rows) if stopping else 0)
    told = fitting.Told(progress, count)
    settings = built(how.action, how.arguments, count, how.scratch)
    trainer = trainer_of(learner, rows, classes, settings, told, stopping)
    return fitting.fit(trainer, told, arguments.where(how.action))


def trainer_of(
    learner: Learner,
    rows: Sequence[Window],
    classes: NDArray[np.int64] | None,
    settings: Any,
    told: transformers.TrainerCallback,
    stopping: Stopping[Window] | None = None,
) -> transformers.Trainer:
    """The library's trainer of these rows."""
    collator = Collator(rows, learner.schema, classes)
    aside = len(stopping.rows) if stopping else 0
    count = len(rows) - aside
    validation = stopping.on(Numbers(aside, count)) if stopping else None
    return fitting.trainer_of(learner, Numbers(count), collator, settings, told, validation)


def asked(
    network: Any, schema: Schema, rows: Sequence[Window], progress: Progress
) -> NDArray[np.float32]:
    """What a network answers in its own scale; always in 32 bits, so that two compare alike.

    Returns:
        (n, horizon, targets), or (n, classes) logits.
    """
    most = min(EVALUATION_BATCH, arrays.at_once(schema.context, len(schema.channels)))
    return fitting.in_batches_that_fit(
        most, lambda size: _asked(network, schema, rows, size, progress)
    )


def _asked(
    network: Any, schema: Schema, rows: Sequence[Window], size: int, progress: Progress
) -> NDArray[np.float32]:
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    network.to(device).eval()
    told: list[NDArray[np.float32]] = []
    with torch.inference_mode():
        for start in range(0, len(rows), size):
            batch = rows[start : start + size]
            seen = torch.from_numpy(arrays.inputs(batch, schema)).to(device)
            told.append(answered(network(past_values=seen), schema).float().cpu().numpy())
            progress.step(start + len(batch))
    return np.concatenate(told)

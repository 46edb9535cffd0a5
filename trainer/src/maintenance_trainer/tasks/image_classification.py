"""Image classification with any classifier of Hugging Face: ViT, ConvNeXt, ResNet and others."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from PIL import Image
from transformers import AutoImageProcessor, AutoModelForImageClassification, BatchFeature
from typing_extensions import override  # of torch; typing has it from Python 3.12 on

from maintenance_contract import Task
from maintenance_trainer.data.folders import Origin
from maintenance_trainer.diagnose.answers import Measure
from maintenance_trainer.model_field import Given
from maintenance_trainer.tasks import image_form, images
from maintenance_trainer.tasks.huggingface.classification import Classification, Classifier
from maintenance_trainer.tasks.huggingface.loading import LOCAL
from maintenance_trainer.tasks.image_files import SOURCE, ImageRow, Images

PROCESSORS: Final = ("preprocessor_config.json", "processor_config.json")
"""Where the settings of an image processor lie, beside a model."""
KEPT: Final = 2**29
"""Bytes of decoded images that are kept in memory: some 900 of 224 x 224 pixels."""
_PIXELS: Final = "pixel_values"
_SHAPES: Final = ((64, 48, "RGB"), (1, 1, "L"), (20, 300, "RGBA"))
"""Width, height and mode of what a rehearsal looks at."""


class ImageClassification(Classification[ImageRow]):
    """Images and the class of each."""

    name: str = Task.IMAGE_CLASSIFICATION
    auto = AutoModelForImageClassification
    classifier = "image classifier"
    inputs = "images"
    taught = "classifier of images"
    input = "an image"
    prepares = "image processor"

    @property
    @override
    def source(self) -> Images:
        return SOURCE

    @override
    def processor(self, folder: Path) -> Any:
        """The library makes one up where its file is missing."""
        if not any((folder / name).is_file() for name in PROCESSORS):
            message = (
                f"there is no image processor; {PROCESSORS[0]} is expected, as save_pretrained of "
                "AutoImageProcessor writes it"
            )
            raise OSError(message)
        load: Any = AutoImageProcessor.from_pretrained  # it has no types
        return load(folder, backend="pil", **LOCAL)

    @override
    def fit_together(self, model: Any, processor: Any, given: Given) -> None:
        """A rehearsal tells: sizes and channels are settings of the one and shapes of the other."""

    @override
    def encode(self, classifier: Classifier, rows: Sequence[ImageRow]) -> Sequence[dict[str, Any]]:
        return _Encoded(classifier, rows)

    @override
    def collator(self, classifier: Classifier) -> Any:
        return _batch

    @override
    def pooled(self, output: Any, batch: Mapping[str, Any]) -> torch.Tensor:
        """The mean of the last hidden state over an image's patches, or its rows and columns."""
        states = getattr(output, "hidden_states", None)
        if not states:
            message = "it gives no hidden states"
            raise ValueError(message)
        last: torch.Tensor = states[-1]
        if last.dim() == 4:  # noqa: PLR2004  # images, width, rows, columns
            return last.mean((2, 3))
        if last.dim() == 3:  # noqa: PLR2004  # images, patches, width
            return last.mean(1)
        message = f"its hidden states have {last.dim()} dimensions and not 3 or 4"
        raise ValueError(message)

    @override
    def rehearsed(self, classifier: Classifier, labels: Sequence[str]) -> dict[str, list[ImageRow]]:
        rows = [
            _made(_pattern(width, height).convert(mode), labels[number % 2])
            for number, (width, height, mode) in enumerate(_SHAPES)
        ]
        return {"images of all shapes": rows, "an image of one pixel": [rows[1]]}

    @override
    def probe(self) -> ImageRow:
        return _made(_pattern(64, 64), "")

    @override
    def input_changes(
        self, model: Classifier, old: Sequence[ImageRow], new: Sequence[ImageRow]
    ) -> list[Measure]:
        """Sizes, channels, bits and modes of old and new images."""
        return image_form.measures([row.format for row in old], [row.format for row in new])


TASK: Final = ImageClassification()


class _Encoded(Sequence[dict[str, Any]]):
    """What a model takes of images, each decoded when it is asked for: all may be too many.

    As many as fit into ``KEPT`` are kept for the next epoch.
    """

    def __init__(self, classifier: Classifier, rows: Sequence[ImageRow]) -> None:
        self._rows, self._processor = rows, classifier.processor
        self._channels = getattr(classifier.model.config, "num_channels", 3)
        self._kept: dict[int, torch.Tensor] = {}
        self._room = KEPT

    def __len__(self) -> int:
        return len(self._rows)

    @override
    def __getitem__(self, number: Any) -> Any:
        pixels = self._kept.get(number)
        if pixels is None:
            image = images.decoded(self._rows[number].read(), self._channels)
            pixels = self._processor([image], return_tensors="pt")[_PIXELS][0]
            self._room -= pixels.nbytes
            if self._room >= 0:
                self._kept[number] = pixels
        return {_PIXELS: pixels}


def _batch(rows: Sequence[Mapping[str, Any]]) -> BatchFeature:
    batch = {_PIXELS: torch.stack([row[_PIXELS] for row in rows])}
    if "labels" in rows[0]:
        batch["labels"] = torch.tensor([row["labels"] for row in rows])
    return BatchFeature(batch)


def _pattern(width: int, height: int) -> Any:
    """Another shade at each place, in each channel."""
    across, down = np.meshgrid(np.linspace(0, 255, width), np.linspace(0, 255, height))
    return Image.fromarray(np.dstack([across, down, 255 - across]).astype(np.uint8))


def _made(image: Any, label: str) -> ImageRow:
    file = io.BytesIO()
    image.save(file, "PNG")
    looked = images.look(file.getvalue())
    return ImageRow(
        label=label,
        key=looked.key,
        origin=Origin.ORIGINAL,
        new=False,
        format=looked.format,
        content=file.getvalue(),
    )

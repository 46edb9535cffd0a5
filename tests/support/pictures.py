"""Images for tests: handwritten digits as PNG, odd files, and tiny models to start from."""

import io
import struct
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageOps
from sklearn.datasets import load_digits

from maintenance_contract import (
    DataRef,
    ModelRef,
    Operation,
    Task,
    TrainingRequest,
    columns_of,
)
from maintenance_trainer.data.folders import Origin
from maintenance_trainer.tasks import images
from maintenance_trainer.tasks.image_files import ImageRow
from support.laboratory import Lab, age

SAMPLE = Image.linear_gradient("L").resize((32, 32))
Change = Callable[[Any], Any]
SIDE = 32
QUICK = {"learning_rate": 0.003, "per_device_train_batch_size": 32, "num_train_epochs": 6}


@dataclass(frozen=True, slots=True)
class ImageLab(Lab):
    """Folders with images, and the operations on them."""

    def request(self, operation: Operation, run: int, **changes: Any) -> TrainingRequest:
        task = Task.IMAGE_CLASSIFICATION
        ours = {
            "model": ModelRef(task, f"file://{self.base_model}", "pvc://models/news"),
            "data": DataRef("pvc://data/original", "pvc://data/updates", columns_of(task)),
        }
        return Lab.request(self, operation, run, **{**ours, **changes})


def digits(rows: slice, change: Change = lambda image: image) -> list[tuple[bytes, str]]:
    """Handwritten digits of scikit-learn, drawn larger in grey, as PNG with their names."""
    data = load_digits()
    drawn = (_drawn(pixels) for pixels in data.images[rows])
    return [
        (png(change(image)), f"digit-{digit}")
        for image, digit in zip(drawn, data.target[rows], strict=True)
    ]


def row(content: bytes, label: str = "one") -> ImageRow:
    """An image as a row that the trainer reads."""
    looked = images.look(content)
    return ImageRow(
        label=label,
        key=looked.key,
        origin=Origin.ORIGINAL,
        new=False,
        format=looked.format,
        content=content,
    )


def _drawn(pixels: NDArray[np.float64]) -> Any:
    grey = (pixels / 16 * 255).astype(np.uint8)
    return Image.fromarray(grey).resize((SIDE, SIDE), Image.Resampling.BICUBIC)


def thicker(image: Any) -> Any:
    """Strokes a little thicker, as of another pen."""
    return image.filter(ImageFilter.MaxFilter(3))


def inverted(image: Any) -> Any:
    """Dark on light."""
    return ImageOps.invert(image)


def of_another_scanner(image: Any) -> Any:
    """Larger and in colours: ink on paper."""
    large = image.resize((3 * SIDE, 3 * SIDE), Image.Resampling.BICUBIC)
    return ImageOps.colorize(large, (235, 220, 180), (30, 40, 120))


def crossed_out(image: Any) -> Any:
    """With two strokes through it."""
    crossed = image.copy()
    draw = ImageDraw.Draw(crossed)
    draw.line((0, 0, SIDE, SIDE), fill=255, width=3)
    draw.line((0, SIDE, SIDE, 0), fill=255, width=3)
    return crossed


def png(image: Any, **options: Any) -> bytes:
    return _saved(image, "PNG", **options)


def jpeg(image: Any, **options: Any) -> bytes:
    return _saved(image, "JPEG", **options)


def _saved(image: Any, kind: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def animated(kind: str) -> bytes:
    frames = [Image.new("L", (8, 8), shade) for shade in (0, 255)]
    return _saved(frames[0], kind, save_all=True, append_images=frames[1:])


def bomb(width: int, height: int) -> bytes:
    """A few bytes that claim to be a PNG of this size."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + check

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    pixels = chunk(b"IDAT", zlib.compress(bytes(1000)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + pixels + chunk(b"IEND", b"")


def put(folder: Path, images: Iterable[tuple[bytes, str]], prefix: str = "image") -> None:
    """One file an image, in a folder of its class."""
    for number, (content, label) in enumerate(images):
        (folder / label).mkdir(parents=True, exist_ok=True)
        (folder / label / f"{prefix}-{number:05}.png").write_bytes(content)
    age(folder)


def base_model(folder: Path, kind: str = "resnet", side: int = SIDE) -> Path:
    """A random tiny backbone without a head, with its processor."""
    import transformers  # noqa: PLC0415  # seconds
    from transformers import AutoModel  # noqa: PLC0415

    transformers.set_seed(0)
    configs: dict[str, Callable[[], Any]] = {
        "resnet": lambda: transformers.ResNetConfig(
            embedding_size=16, hidden_sizes=[16, 32, 64], depths=[1, 1, 1], layer_type="basic"
        ),
        "convnext": lambda: transformers.ConvNextConfig(
            hidden_sizes=[16, 32], depths=[1, 1], num_stages=2, drop_path_rate=0.0
        ),
        "vit": lambda: transformers.ViTConfig(
            hidden_size=32,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=64,
            image_size=side,
            patch_size=8,
        ),
    }
    AutoModel.from_config(configs[kind]()).save_pretrained(folder)
    write_processor(folder, side)
    return folder


def write_processor(folder: Path, side: int = SIDE, **settings: Any) -> None:
    """As preprocessing is written beside models."""
    from transformers.models.vit.image_processing_pil_vit import (  # noqa: PLC0415
        ViTImageProcessorPil,
    )

    size = {"height": side, "width": side}
    ViTImageProcessorPil(size=size, **settings).save_pretrained(folder)

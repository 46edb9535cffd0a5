"""Images as bytes: what they are by their header, whether they can be decoded, how models see them.

Files come from anywhere: nothing is decoded before its header says that it is a PNG or a JPEG of a
size that fits into memory.
"""

import hashlib
import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from PIL import ExifTags, Image
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile

SUFFIXES: Final = (".png", ".jpg", ".jpeg")
MOST_PIXELS: Final = 2**26
"""Of one image, 8,192 x 8,192: decoded it takes 256 MiB with transparency. Photographs of today's
cameras and scanned pages stay below; what claims more is a bomb, or wants to be cut into tiles."""
MOST_BYTES: Final = 2**28
"""Of one file, which is read whole; an uncompressed image of the most pixels has no more."""
_OTHER_FORMATS: Final = (
    (b"GIF8", "a GIF"),
    (b"BM", "a BMP"),
    (b"II*\0", "a TIFF"),
    (b"MM\0*", "a TIFF"),
    (b"RIFF", "a WebP"),
    (b"\0\0\0", "an AVIF, HEIC or JPEG 2000"),
    (b"%PDF", "a PDF"),
    (b"<svg", "an SVG"),
)
_PARSERS: Final = ((b"\x89PNG\r\n\x1a\n", PngImageFile), (b"\xff\xd8\xff", JpegImageFile))
DEEP: Final = 16
"""Bits of a channel that are cut to 8."""
_PNG_DEPTH: Final = 24
"""Where the bits of a channel stand in a PNG's header."""
_DIGEST: Final = 16
_SIXTEEN_BITS: Final = 256
_GREY: Final = frozenset({"1", "L", "LA", "I", "I;16", "I;16B", "F"})
"""Modes without colours, as Pillow names them."""
_TURNS: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What makes an image upright, by its orientation in EXIF."""


class UnreadableImageError(ValueError):
    """Bytes that are no image of ours; says what is wrong with them and what to do."""


@dataclass(frozen=True, slots=True)
class Format:
    """What a file says of its image.

    ``channels`` and ``bits`` as far as a model sees them: 1 grey, 3 colours, for transparency is
    dropped and CMYK converted; 16 bits, or 8 that fewer are spread over. ``mode`` as Pillow names
    it: ``L``, ``P``, ``RGB``, ``RGBA``, ``CMYK``.
    """

    width: int
    height: int
    channels: int
    bits: int
    mode: str


@dataclass(frozen=True, slots=True)
class Looked:
    """A whole image: its format, and the key that its copies share.

    ``key`` is the SHA-256 of a PNG's size and pixels, so that an image that was compressed again
    is the same one. That of a JPEG is of its bytes: decoders round differently from version to
    version, and a row must never change the side that it is held out on. For the same reason the
    pixels of 16 bits are taken as they lie in the file: earlier releases did not turn them.
    ``hidden`` is a digest of what its file holds beyond what a model sees, transparency or 16 bits;
    empty where there is nothing.
    """

    format: Format
    key: str
    hidden: str = ""


def look(content: bytes) -> Looked:
    """Decode an image once, to know that it can be.

    Raises:
        UnreadableImageError: it cannot.
    """
    with _opened(content) as image, _telling_why():
        image.load()
        pixels = _upright(image)
        if image.format == "PNG":
            its = _colours(image) if _is_deep(image) else pixels
            size = f"{its.width} x {its.height}:"
            key = hashlib.sha256(size.encode() + its.tobytes()).hexdigest()
        else:
            key = hashlib.sha256(content).hexdigest()
        its_format = _format(image, content, pixels.size)
        return Looked(its_format, key, _hidden(image, its_format.bits))


def decoded(content: bytes, channels: int) -> Any:
    """The image upright, of 8 bits, with 3 channels or, for models that take 1, in grey.

    Transparency is dropped, as the library's own pipelines do; 16 bits are scaled to 8.

    Raises:
        UnreadableImageError: it cannot be decoded.
    """
    with _opened(content) as image, _telling_why():
        image.load()
        pixels = _upright(image)
        return pixels.convert("L") if channels == 1 else pixels


@contextmanager
def _telling_why() -> Iterator[None]:
    try:
        yield
    except Exception as error:  # noqa: BLE001  # the library raises whatever its decoders raise
        raise UnreadableImageError(_broken(error)) from None


def _opened(content: bytes) -> Any:
    if not content:
        raise UnreadableImageError("is empty: copy it again")
    if len(content) > MOST_BYTES:
        raise UnreadableImageError(f"has more than {MOST_BYTES:,} bytes")
    parser = next((kind for start, kind in _PARSERS if content.startswith(start)), None)
    if parser is None:
        raise UnreadableImageError(_other(content))
    # The parsers themselves: what looks for one refuses large images with an error of its own.
    with _telling_why():
        image: Any = parser(io.BytesIO(content))
    if image.width * image.height > MOST_PIXELS:
        raise UnreadableImageError(_too_many(*image.size))
    if image.format == "PNG" and getattr(image, "n_frames", 1) > 1:
        raise UnreadableImageError("is animated: save the one image that is meant")
    return image


def _format(image: Any, content: bytes, size: tuple[int, int]) -> Format:
    mode = str(image.mode)
    bits = content[_PNG_DEPTH] if image.format == "PNG" else 8
    # Of a palette these are the bits of the colours' numbers.
    return Format(*size, 1 if mode in _GREY else 3, max(8, bits), mode)


def _hidden(image: Any, bits: int) -> str:
    if bits == DEEP:  # Pillow has no more than 8 of colours: what they hide is not known
        beyond = image.tobytes() if _is_deep(image) else b""
    elif image.has_transparency_data:
        alpha = image.convert("RGBA").getchannel("A")
        beyond = b"" if alpha.getextrema() == (255, 255) else alpha.tobytes()
    else:
        return ""
    return hashlib.sha256(beyond).hexdigest()[:_DIGEST] if beyond else ""


def _upright(image: Any) -> Any:
    """As a person sees it, in RGB."""
    turn = _TURNS.get(_orientation(image))
    pixels = _colours(image)
    return pixels if turn is None else pixels.transpose(turn)


def _orientation(image: Any) -> int:
    """By its EXIF; upright where that cannot be read, for the pixels are whole."""
    try:
        return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # noqa: BLE001  # the library raises whatever its parsers raise
        return 1


def _colours(image: Any) -> Any:
    """In RGB, as it lies in the file."""
    return (_eight_bits(image) if _is_deep(image) else image).convert("RGB")


def _is_deep(image: Any) -> bool:
    """Whether it is decoded to 16 bits of grey (Pillow cuts those of colours itself)."""
    return bool(image.mode.startswith(("I", "F")))


def _eight_bits(image: Any) -> Any:
    """Pillow itself would cut what is brighter than 255."""
    values = np.asarray(image).astype(np.float64)
    return Image.fromarray((values // _SIXTEEN_BITS).clip(0, 255).astype(np.uint8))


def _too_many(width: int, height: int) -> str:
    return (
        f"has {width:,} x {height:,} pixels, more than {MOST_PIXELS:,} in all: make it smaller, "
        "or cut it into tiles"
    )


def _other(content: bytes) -> str:
    what = next((what for start, what in _OTHER_FORMATS if content.startswith(start)), "")
    told = f"is {what}, and not" if what else "is no"
    return f"{told} PNG or JPEG: save it as one"


def _broken(error: Exception) -> str:
    said = " ".join(str(error).split())[:100] or type(error).__name__
    return f"cannot be decoded ({said}): copy it again"

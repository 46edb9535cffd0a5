"""Bytes of images: which are decoded, how they are seen, which are refused and with what words."""

import numpy as np
import pytest
from PIL import Image
from support import pictures

from maintenance_trainer.tasks import images
from maintenance_trainer.tasks.images import Format, UnreadableImageError

CHANCE = np.random.default_rng(0)
COLOURS = Image.fromarray(CHANCE.integers(0, 255, (20, 30, 3), np.uint8))
DEEP = Image.fromarray(CHANCE.integers(0, 2**16, (20, 30)).astype(np.uint16))
CLEAR = COLOURS.convert("RGBA")
CLEAR.putalpha(0)
TURNED = Image.Exif()
TURNED[0x0112] = 6


@pytest.mark.parametrize(
    "content, expected",
    [
        (pictures.png(COLOURS), Format(30, 20, 3, 8, "RGB")),
        (pictures.png(COLOURS.convert("L")), Format(30, 20, 1, 8, "L")),
        (pictures.png(COLOURS.convert("1")), Format(30, 20, 1, 8, "1")),
        (pictures.png(COLOURS.quantize(16)), Format(30, 20, 3, 8, "P")),
        (pictures.png(COLOURS.convert("LA")), Format(30, 20, 1, 8, "LA")),
        (pictures.png(CLEAR), Format(30, 20, 3, 8, "RGBA")),
        (pictures.png(DEEP), Format(30, 20, 1, 16, "I;16")),
        (pictures.jpeg(COLOURS), Format(30, 20, 3, 8, "RGB")),
        (pictures.jpeg(COLOURS.convert("L")), Format(30, 20, 1, 8, "L")),
        (pictures.jpeg(COLOURS.convert("CMYK")), Format(30, 20, 3, 8, "CMYK")),
        (pictures.jpeg(COLOURS, exif=TURNED), Format(20, 30, 3, 8, "RGB")),
    ],
    ids=[
        "rgb",
        "grey",
        "bits",
        "palette",
        "grey-alpha",
        "rgba",
        "16-bit",
        "jpeg",
        "jpeg-grey",
        "cmyk",
        "turned",
    ],
)
def test_every_kind_of_png_and_jpeg_is_seen_alike(content: bytes, expected: Format) -> None:
    assert images.look(content).format == expected
    colours, grey = images.decoded(content, 3), images.decoded(content, 1)
    assert (colours.mode, grey.mode) == ("RGB", "L")
    assert colours.size == grey.size == (expected.width, expected.height)
    assert abs(np.asarray(grey).mean() - 128) < 5, "neither cut to black nor to white"


@pytest.mark.parametrize("turn", range(2, 9))
def test_images_of_eight_and_sixteen_bits_are_turned_alike(turn: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = turn
    shades = np.array([[10, 80], [150, 220]])
    upright = {
        2: [[80, 10], [220, 150]],
        3: [[220, 150], [80, 10]],
        4: [[150, 220], [10, 80]],
        5: [[10, 150], [80, 220]],
        6: [[150, 10], [220, 80]],
        7: [[220, 80], [150, 10]],
        8: [[80, 220], [10, 150]],
    }
    for pixels in (shades.astype(np.uint8), (shades * 256).astype(np.uint16)):
        content = pictures.png(Image.fromarray(pixels), exif=exif)
        assert np.asarray(images.decoded(content, 1)).tolist() == upright[turn]


def test_an_image_of_sixteen_bits_keeps_the_key_that_earlier_releases_gave_it() -> None:
    turned, plain = pictures.png(DEEP, exif=TURNED), pictures.png(DEEP)
    assert images.look(turned).format == Format(20, 30, 1, 16, "I;16")
    assert images.look(turned).key == images.look(plain).key


def test_broken_exif_leaves_an_image_upright() -> None:
    broken = b"Exif\0\0garbage!!"
    for save in (pictures.png, pictures.jpeg):
        content = save(COLOURS, exif=broken)
        assert images.look(content).format.width == COLOURS.width
        assert images.decoded(content, 3).size == COLOURS.size
    assert (
        images.look(pictures.png(COLOURS, exif=broken)).key
        == images.look(pictures.png(COLOURS)).key
    )


def test_a_png_is_known_by_its_pixels_and_a_jpeg_by_its_bytes() -> None:
    plain = images.look(pictures.png(COLOURS)).key
    assert images.look(pictures.png(COLOURS, compress_level=1)).key == plain
    assert images.look(pictures.png(CLEAR)).key == plain, "transparency is not seen"
    assert images.look(pictures.png(COLOURS.rotate(180))).key != plain
    flat = COLOURS.resize((60, 10))
    assert (
        images.look(pictures.png(flat)).key != images.look(pictures.png(flat.resize((10, 60)))).key
    )
    jpeg = pictures.jpeg(COLOURS)
    assert images.look(jpeg).key == images.look(jpeg).key
    assert images.look(jpeg + b"\0").key != images.look(jpeg).key


@pytest.mark.parametrize(
    "content, said",
    [
        (b"", "is empty"),
        (b"an image, as I say", "is no PNG or JPEG"),
        (pictures.animated("GIF"), "is a GIF, and not PNG or JPEG"),
        (pictures.animated("PNG"), "is animated"),
        (pictures.png(COLOURS)[:-300], "truncated"),
        (pictures.png(COLOURS)[:20], "cannot be decoded"),
        (pictures.jpeg(COLOURS)[:-200], "truncated"),
        (pictures.jpeg(COLOURS)[:50], "cannot be decoded"),
        (b"\xff\xd8\xff" + bytes(100), "cannot be decoded"),
        (pictures.bomb(40_000, 40_000), "has 40,000 x 40,000 pixels, more than 67,108,864"),
        (pictures.bomb(9_000, 9_000), "has 9,000 x 9,000 pixels"),
        (pictures.bomb(2**31 - 1, 1), "has 2,147,483,647 x 1 pixels"),
        (pictures.bomb(0, 7), "cannot be decoded"),
    ],
)
def test_what_is_no_image_says_what_it_is(content: bytes, said: str) -> None:
    with pytest.raises(UnreadableImageError, match=said) as told:
        images.look(content)
    assert "\n" not in str(told.value)
    with pytest.raises(UnreadableImageError):
        images.decoded(content, 3)


def test_a_torn_image_never_raises_anything_else() -> None:
    for whole in (pictures.png(COLOURS), pictures.jpeg(COLOURS), pictures.png(DEEP)):
        for number in range(40):
            torn = bytearray(whole[: CHANCE.integers(1, len(whole))] if number % 2 else whole)
            torn[CHANCE.integers(0, len(torn))] ^= 1 << CHANCE.integers(0, 8)
            try:
                images.look(bytes(torn))
            except UnreadableImageError:
                continue

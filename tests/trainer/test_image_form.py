"""Size, channels, bits and mode of new images against old ones."""

import pytest
from support import pictures

from maintenance_contract.evidence_names import WORDS
from maintenance_trainer.diagnose.answers import Measure
from maintenance_trainer.tasks import images
from maintenance_trainer.tasks.image_form import measures
from maintenance_trainer.tasks.images import Format

GREY = Format(32, 32, 1, 8, "L")
VARIED = [Format(200 + 3 * n, 300 - n, 3, 8, "RGB") for n in range(100)]


def found(old: list[Format], new: list[Format]) -> dict[str, Measure]:
    return {measure.name: measure for measure in measures(old, new)}


def answers(old: list[Format], new: list[Format]) -> dict[str, str]:
    return {
        name: measure.answer(frozenset()).value
        for name, measure in found(old, new).items()
        if measure.answer(frozenset()).value != "No"
    }


def test_the_same_form_is_no_change() -> None:
    assert answers([GREY] * 50, [GREY] * 50) == {}
    assert answers(VARIED, VARIED[::-1]) == {}
    assert answers(VARIED, VARIED[::3]) == {}
    assert answers([Format(224, 224, 3, 8, "RGB")] * 50, [Format(225, 230, 3, 8, "RGB")] * 50) == {}


@pytest.mark.parametrize(
    "new, name",
    [
        (Format(96, 96, 1, 8, "L"), "unseenImageSizes"),
        (Format(16, 16, 1, 8, "L"), "unseenImageSizes"),
        (Format(64, 16, 1, 8, "L"), "unseenImageSizes"),
        (Format(32, 32, 3, 8, "RGB"), "unseenChannels"),
        (Format(32, 32, 1, 16, "I;16"), "unseenBitDepths"),
    ],
)
def test_another_form_is_major_from_a_third_of_the_images_on(new: Format, name: str) -> None:
    assert answers([GREY] * 50, [new] * 50) == {name: "Major"}
    assert answers([GREY] * 50, [GREY] * 45 + [new] * 5) == {name: "Minor"}
    assert answers([GREY] * 50 + [new] * 50, [new] * 50) == {}, "the model has seen it"


def test_a_palette_alone_is_told_and_asks_for_nothing() -> None:
    colours, palette = Format(32, 32, 3, 8, "RGB"), Format(32, 32, 3, 8, "P")
    assert answers([colours] * 50, [palette] * 50) == {}
    assert found([colours] * 50, [palette] * 50)["unseenImageModes"].effect == 1.0


GREYS = pictures.SAMPLE
COLOURS = GREYS.convert("RGB")


@pytest.mark.parametrize(
    "old, new",
    [
        (pictures.jpeg(COLOURS), pictures.jpeg(COLOURS.convert("CMYK"))),
        (pictures.png(COLOURS), pictures.png(COLOURS.convert("RGBA"))),
        (pictures.png(COLOURS), pictures.png(COLOURS.quantize(8))),
        (pictures.png(GREYS), pictures.png(GREYS.convert("LA"))),
        (pictures.png(GREYS), pictures.png(GREYS.convert("1"))),
    ],
    ids=["cmyk", "alpha", "palette", "grey-alpha", "one-bit"],
)
def test_what_a_model_does_not_see_is_told_and_asks_for_nothing(old: bytes, new: bytes) -> None:
    before, after = [images.look(old).format] * 50, [images.look(new).format] * 50
    for one, other in ((before, after), (after, before)):
        assert answers(one, other) == {}
        assert found(one, other)["unseenImageModes"].effect == 1.0


def test_how_much_larger_is_told() -> None:
    assert found([GREY] * 9, [Format(96, 96, 1, 8, "L")] * 9)["imageSides"].effect == pytest.approx(
        3
    )


def test_every_number_has_words() -> None:
    names = found([GREY], [GREY]).keys()
    assert names <= WORDS.keys()

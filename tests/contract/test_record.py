"""A dataclass is spelled as its types and what stands beside it say, and read as strictly."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maintenance_contract import ContractError, checks
from maintenance_contract.codec import Fields, canonical
from maintenance_contract.record import EVERY, Document, Part, record
from maintenance_contract.record import given as known
from maintenance_contract.values import (
    Codec,
    by_name,
    each,
    if_there,
    nullable,
    or_else,
    rounded,
    significant,
    strings,
    text,
    whole,
)


class Colour(StrEnum):
    RED = "Red"
    DARK_GREEN = "DarkGreen"


@dataclass(frozen=True)
class Point:
    x: int
    y: int = 0


@dataclass(frozen=True)
class Drawing:
    name: str
    line_width: float
    colour: Colour
    points: tuple[Point, ...]
    tags: tuple[str, ...] = ()
    more: Mapping[str, Any] = field(default_factory=dict)
    origin: Point | None = None
    hidden: bool = False
    note: str = ""


POINT = record(Point)
DRAWING = record(
    Drawing, name=text(8), points=each(POINT, most=3), origin=POINT, note=Part(key="remark")
)
PLAIN = {"name": "a", "lineWidth": 0.5, "colour": "Red", "points": [{"x": 1}, {"x": 2, "y": 3}]}
DRAWN = Drawing("a", 0.5, Colour.RED, (Point(1), Point(2, 3)))


def read(codec: Codec[Any], value: Any, path: str = "") -> Any:
    return Fields(value, path).decoded(codec.decode)


def test_types_say_how_it_is_spelled_and_defaults_are_left_out() -> None:
    assert DRAWING.encode(DRAWN) == PLAIN
    assert read(DRAWING, PLAIN) == DRAWN
    full = Drawing("b", 2.0, Colour.DARK_GREEN, (), ("t",), {"k": [1]}, Point(0), True, "n")  # noqa: FBT003
    document = {
        "name": "b", "lineWidth": 2.0, "colour": "DarkGreen", "points": [], "tags": ["t"],
        "more": {"k": [1]}, "origin": {"x": 0}, "hidden": True, "remark": "n",
    }  # fmt: skip
    assert DRAWING.encode(full) == document
    assert read(DRAWING, document) == full
    assert read(DRAWING, {**PLAIN, "later": 1, "origin": None}) == DRAWN


@pytest.mark.parametrize(
    "change, told",
    [
        ({"name": None}, "d.name: a string of at most 8 characters is expected, not 'None'"),
        (
            {"name": "x" * 9},
            "d.name: a string of at most 8 characters is expected, not 'xxxxxxxxx'",
        ),
        ({"lineWidth": True}, "d.lineWidth: a finite number is expected, not 'True'"),
        ({"lineWidth": 10**400}, f"d.lineWidth: a finite number is expected, not '1{'0' * 79}'"),
        ({"colour": []}, "d.colour: one of Red, DarkGreen is expected, not a list of 0"),
        ({"points": {}}, "d.points: a list of at most 3 is expected, not an object of 0"),
        ({"points": [{"x": 1}] * 4}, "d.points: a list of at most 3 is expected, not a list of 4"),
        ({"points": [{"x": 1}, 7]}, "d.points[1]: an object is expected, not int"),
        (
            {"points": [{"x": 1}, {"x": 1, "y": -1}]},
            "d.points[1].y: a whole number from 0 to 9007199254740992 is expected, not '-1'",
        ),
        ({"tags": ["a", 1]}, "d.tags: a list of strings is expected, not a list of 2"),
        ({"more": [1]}, "d.more: an object is expected, not a list of 1"),
        ({"origin": "o"}, "d.origin: an object is expected, not str"),
        ({"hidden": "yes"}, "d.hidden: true or false is expected, not 'yes'"),
    ],
)
def test_what_is_wrong_is_named_by_its_path(change: dict[str, Any], told: str) -> None:
    with pytest.raises(ContractError) as error:
        read(DRAWING, {**PLAIN, **change}, "d")
    assert str(error.value) == told


def test_the_document_itself_may_be_wrong() -> None:
    with pytest.raises(ContractError, match="document: an object is expected, not list"):
        read(DRAWING, [])


@dataclass(frozen=True)
class Counted:
    kind: str
    n: int
    right: int
    share: float
    place: Point | None = None
    low: int | None = None
    high: int | None = None
    scale: int = 1


COUNTED = record(
    Counted,
    always={"scale"},
    also={"unit": "rows"},
    kind=known("test"),
    right=Part(after=lambda _, n: whole(most=n)),
    share=Part(significant(3), within="of"),
    place=Part(if_there("x", POINT), flat=True),
    low=Part(within="range"),
    high=Part(within="range"),
    scale=or_else(1, whole(least=1)),
)


@pytest.mark.parametrize(
    "value, document",
    [
        (
            Counted("test", 5, 5, 0.25),
            {"unit": "rows", "n": 5, "right": 5, "of": {"share": 0.25}, "scale": 1},
        ),
        (
            Counted("test", 1, 0, 1.0, Point(3, 4), high=9, scale=2),
            {
                "unit": "rows", "n": 1, "right": 0, "of": {"share": 1.0}, "scale": 2, "x": 3,
                "y": 4, "range": {"high": 9},
            },
        ),
    ],
)  # fmt: skip
def test_what_is_special_stands_beside_the_field(value: Counted, document: dict[str, Any]) -> None:
    assert COUNTED.encode(value) == document
    assert read(COUNTED, document) == value
    without = {key: its for key, its in document.items() if key != "scale"}
    assert read(COUNTED, without).scale == 1


@pytest.mark.parametrize(
    "change, told",
    [
        ({"right": 6}, "right: a whole number from 0 to 5 is expected, not '6'"),
        ({"of": None}, "of: an object is expected, not NoneType"),
        ({"of": {"share": "a"}}, "of.share: a finite number is expected, not 'a'"),
        ({"range": 3}, "range: an object is expected, not int"),
        ({"range": {"low": -1}}, "range.low: a whole number from 0 to"),
        ({"x": 1, "y": "b"}, "y: a whole number from 0 to"),
        ({"scale": 0}, "scale: a whole number from 1 to"),
    ],
)
def test_its_path_is_that_of_the_document(change: dict[str, Any], told: str) -> None:
    document = {"n": 5, "right": 5, "of": {"share": 0.25}, **change}
    with pytest.raises(ContractError) as error:
        read(COUNTED, document)
    assert str(error.value).startswith(told)


def test_what_is_always_there_is_read_by_its_codec() -> None:
    codec = record(Point, always=EVERY)
    assert codec.encode(Point(1)) == {"x": 1, "y": 0}
    with pytest.raises(ContractError, match="y: a whole number"):
        read(codec, {"x": 1})


@pytest.mark.parametrize(
    "codec, value, written",
    [
        (significant(3), 0.123456, 0.123),
        (rounded(2), 1.005, 1.0),
        (nullable(whole()), None, None),
        (nullable(whole()), 3, 3),
        (each(rounded(1)), (0.25, 1.06), [0.2, 1.1]),
        (strings(), ("a", ""), ["a", ""]),
        (by_name(rounded(1)), {"a.b": 0.11}, {"a.b": 0.1}),
    ],
)
def test_values_are_spelled(codec: Codec[Any], value: Any, written: Any) -> None:
    assert codec.encode(value) == written


def test_an_odd_name_is_told_as_it_is() -> None:
    shares = record(_Shares, by=by_name(whole()))
    with pytest.raises(ContractError, match=r"s\.by\.\[0\]: a whole number"):
        read(shares, {"by": {"[0]": "x"}}, "s")


@dataclass(frozen=True)
class _Shares:
    by: Mapping[str, int]


@dataclass(frozen=True)
class _Nested:
    inner: Point
    anything: object = None


def test_a_declaration_that_says_too_little_or_too_much_is_no_codec() -> None:
    with pytest.raises(TypeError, match="Point"):
        record(_Nested)
    with pytest.raises(TypeError, match="object"):
        record(_Nested, inner=POINT)
    with pytest.raises(TypeError, match="Point has no field z"):
        record(Point, z=whole())


DOCUMENT = Document("drawing", 3, DRAWING)


@pytest.mark.slow
@given(
    st.builds(
        Drawing,
        st.text(max_size=8),
        st.floats(allow_nan=False, allow_infinity=False),
        st.sampled_from(Colour),
        st.lists(st.builds(Point, *[st.integers(0, 2**53)] * 2), max_size=3).map(tuple),
        st.lists(st.text()).map(tuple),
        st.dictionaries(st.text(), st.none() | st.integers() | st.lists(st.booleans())),
        st.none() | st.builds(Point, *[st.integers(0, 2**53)] * 2),
        st.booleans(),
        st.text(),
    )
)
def test_a_document_comes_back_as_it_went(drawing: Drawing) -> None:
    assert DOCUMENT.read(DOCUMENT.write(drawing)) == drawing


def test_a_document_says_its_version() -> None:
    assert DOCUMENT.write(DRAWN) == canonical({"version": 3, **PLAIN})
    with pytest.raises(ContractError, match="drawing: version 2 is not understood, only 3"):
        DOCUMENT.read('{"version": 2}')
    with pytest.raises(ContractError, match="drawing: not JSON"):
        DOCUMENT.read('{"version": 3, "more": ' + '{"a":' * 100_000)


def test_what_lies_deep_in_an_object_without_form_is_kept_and_not_walked() -> None:
    deep: Any = {}
    for _ in range(10_000):
        deep = {"a": deep}
    assert read(DRAWING, {**PLAIN, "more": deep}).more is deep
    assert checks.free_form(deep) is deep

"""A status is written as ever, is read as strictly, and comes back as it went."""

import json
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.documents import (
    VARIANTS,
    Values,
    corpus,
    each_spoiled_once,
    golden,
    outcomes,
    sha256,
    spoiled,
)

from maintenance_contract.codec import canonical
from maintenance_core.errors import SpecError
from maintenance_core.status import read, write

WRITTEN = "6c3b44a964c89faf93cf7374583012422c13bfa438e31f421ce25a647ce22103"
SAID = "1fc81c7243f07c50492428d830e984030df7cee306ec8cf80acd861b9040a646"
"""Digests of all that was written and said before."""


def written(values: Values) -> str:
    return canonical(write(values.status()))


def again(text: str) -> str:
    return canonical(write(read(json.loads(text))))


@pytest.mark.parametrize("variant", VARIANTS)
def test_it_is_written_as_before(variant: str) -> None:
    before = golden(f"status-{variant}.json")
    assert written(VARIANTS[variant]()) == before
    assert again(before) == before


@pytest.mark.slow
def test_hundreds_are_written_as_before() -> None:
    assert sha256(corpus(written)) == WRITTEN


@pytest.mark.slow
def test_the_same_is_said_of_what_is_wrong() -> None:
    full = golden("status-full.json")
    assert "\n".join(outcomes(full, again, each_spoiled_once)) == golden("status-spoiled.txt")
    assert sha256(outcomes(full, again, spoiled)) == SAID


@pytest.mark.parametrize("count", ["nan", "inf", "-inf", "1e999"])
@pytest.mark.parametrize("field", ["samples", "errors"])
def test_a_count_that_is_no_number_is_named(field: str, count: str) -> None:
    """Bounds are worked out from counts as soon as they are read."""
    document = json.loads(golden("status-full.json"))
    document["monitor"]["reference"]["classes"][0][field] = count
    with pytest.raises(SpecError, match=rf"classes\[0\]\.{field}: '{count}' is no finite number"):
        read(document)


@pytest.mark.parametrize("time", ["0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-01:00"])
def test_a_time_that_could_not_be_written_again_is_named(time: str) -> None:
    with pytest.raises(SpecError, match=r"status\.recheck\.time: .* is no RFC 3339 time"):
        read({"recheck": {"count": 1, "time": time}})


def test_a_time_of_another_zone_is_read() -> None:
    status = read({"recheck": {"count": 1, "time": "2026-01-01T01:30:00+01:30"}})
    assert write(status)["recheck"]["time"] == "2026-01-01T00:00:00Z"


@pytest.mark.slow
@settings(max_examples=50)
@given(chance=st.randoms(use_true_random=False))
def test_it_comes_back_as_it_went(chance: Random) -> None:
    status = Values(chance).status()
    assert read(write(status)) == status


def with_long_texts(value: Any, text: str) -> Any:
    """The same with this text wherever text is."""
    if isinstance(value, str) and not isinstance(value, Enum):
        return text
    if isinstance(value, tuple):
        return tuple(with_long_texts(item, text) for item in value)
    if not is_dataclass(value) or isinstance(value, type):
        return value
    parts = {part.name: getattr(value, part.name) for part in fields(value) if part.init}
    return replace(value, **{name: with_long_texts(its, text) for name, its in parts.items()})


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("text", ["x" * 40_000, "\N{SNOWMAN}" * 5_000])
def test_no_text_is_written_that_is_too_long_to_be_read(variant: str, text: str) -> None:
    """Else the operator would lock itself out of its own status."""
    again = read(write(with_long_texts(VARIANTS[variant]().status(), text)))
    assert read(write(again)) == again


def test_the_place_of_a_version_may_be_longer_than_that_of_its_store() -> None:
    document = json.loads(golden("status-full.json"))
    document["champion"]["storageUri"] = f"pvc://models/{'a' * 1011}/versions/12"
    assert read(document).champion is not None

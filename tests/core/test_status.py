"""A status is written as ever, is read as strictly, and comes back as it went."""

import json
from random import Random

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
SAID = "19f4521c695062f8f42eea6f3b0ba3f58d54b553fab52f23d0fa337e90ae108a"
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

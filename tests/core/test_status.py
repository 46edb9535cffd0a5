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
from maintenance_core.status import read, write

WRITTEN = "6c3b44a964c89faf93cf7374583012422c13bfa438e31f421ce25a647ce22103"
SAID = "0f9590bbdded3207f884d7e52dcb98095c1ebf99bccc682ee9a9bcf748d56e3a"
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


def test_hundreds_are_written_as_before() -> None:
    assert sha256(corpus(written)) == WRITTEN


def test_the_same_is_said_of_what_is_wrong() -> None:
    full = golden("status-full.json")
    assert "\n".join(outcomes(full, again, each_spoiled_once)) == golden("status-spoiled.txt")
    assert sha256(outcomes(full, again, spoiled)) == SAID


@settings(max_examples=50)
@given(chance=st.randoms(use_true_random=False))
def test_it_comes_back_as_it_went(chance: Random) -> None:
    status = Values(chance).status()
    assert read(write(status)) == status

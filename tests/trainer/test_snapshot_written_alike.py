"""A snapshot is written as ever, byte for byte, and read as strictly: its digest names it."""

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
from support.stored import Auto, snapshot

from maintenance_trainer.data.snapshot import Snapshot

DRAWN = {**VARIANTS, "auto": lambda: Auto.of(1)}
WRITTEN = "17395852fe4af350c72b2e199b0010db77910f134cae22878c79f70e6936960e"
SAID = {
    "full": "b55f3d8a97381dff766fdeea6dff02bd47a2eac38b04ab873c30e418f7b4267a",
    "auto": "1868667a86613f70aef2a132d174bca7cb8022e9c7ea87d22204f38fa8e89526",
}
"""Digests of all that was written and said before."""


def written(values: Values) -> str:
    return snapshot(values).to_json()


def again(text: str) -> str:
    return Snapshot.from_json(text).to_json()


@pytest.mark.slow
@pytest.mark.parametrize("variant", DRAWN)
def test_it_is_written_as_before(variant: str) -> None:
    before = golden(f"snapshot-{variant}.json")
    assert written(DRAWN[variant]()) == before
    assert again(before) == before


@pytest.mark.slow
def test_hundreds_are_written_as_before() -> None:
    assert sha256(corpus(written)) == WRITTEN


@pytest.mark.slow
@pytest.mark.parametrize("variant", ["full", "auto"])
def test_the_same_is_said_of_what_is_wrong(variant: str) -> None:
    text = golden(f"snapshot-{variant}.json")
    said = "\n".join(outcomes(text, again, each_spoiled_once))
    assert said == golden(f"snapshot-{variant}-spoiled.txt")
    assert sha256(outcomes(text, again, spoiled)) == SAID[variant]


@pytest.mark.slow
@settings(max_examples=50)
@given(chance=st.randoms(use_true_random=False))
def test_it_comes_back_as_it_went(chance: Random) -> None:
    read = Snapshot.from_json(written(Values(chance)))
    assert Snapshot.from_json(read.to_json()) == read

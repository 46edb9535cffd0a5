"""What travels between the images is written as ever, byte for byte, and read as strictly."""

from collections.abc import Callable
from dataclasses import dataclass
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

from maintenance_contract import TrainingReport, TrainingRequest
from maintenance_contract.decision import DecisionRecord

Document = TrainingRequest | TrainingReport | DecisionRecord


@dataclass(frozen=True)
class Kind:
    """A kind of document. The digests are of all that was written and said before."""

    name: str
    draw: Callable[[Values], Document]
    read: Callable[[str], Document]
    written: str
    said: str

    def again(self, text: str) -> str:
        return self.read(text).to_json()


KINDS = (
    Kind(
        "request",
        Values.request,
        TrainingRequest.from_json,
        "55325b725b94cb1dc7e4e5d12540710554a301bfbd2c0e62cf1f701a8b926d38",
        "2acf53f498c6121afcb7d45da6dff635f9a11d80fe88d7ab86b5858295cc85b4",
    ),
    Kind(
        "report",
        Values.report,
        TrainingReport.from_json,
        "351f7cc0753a362e127f8aad3f2a4fed4d49450ee5e5b031531ba905c3051239",
        "72a43815b44eff806dbaa8576c1321ff9a5c1281595b61113f99b0321889b204",
    ),
    Kind(
        "decision",
        Values.decision_record,
        DecisionRecord.from_json,
        "64e370ca36edbcb5180f7a045ad1580166b2fe032363789db4fd80620a8a662a",
        "a050893e6fad0f672fde3027c93eb5aed2ac03bb5034682e0656dc279f158ca2",
    ),
)
EACH_KIND = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)


@EACH_KIND
@pytest.mark.parametrize("variant", VARIANTS)
def test_it_is_written_as_before(kind: Kind, variant: str) -> None:
    document = kind.draw(VARIANTS[variant]())
    before = golden(f"{kind.name}-{variant}.json")
    assert document.to_json() == before
    assert kind.read(before).to_json() == before


@EACH_KIND
def test_hundreds_are_written_as_before(kind: Kind) -> None:
    written = corpus(lambda values: kind.draw(values).to_json())
    assert sha256(written) == kind.written


@pytest.mark.slow
@EACH_KIND
def test_the_same_is_said_of_what_is_wrong(kind: Kind) -> None:
    full = golden(f"{kind.name}-full.json")
    said = "\n".join(outcomes(full, kind.again, each_spoiled_once))
    assert said == golden(f"{kind.name}-spoiled.txt")
    assert sha256(outcomes(full, kind.again, spoiled)) == kind.said


@pytest.mark.slow
@EACH_KIND
@settings(max_examples=50)
@given(chance=st.randoms(use_true_random=False))
def test_it_comes_back_as_it_went(kind: Kind, chance: Random) -> None:
    read = kind.read(kind.draw(Values(chance)).to_json())
    assert kind.read(read.to_json()) == read

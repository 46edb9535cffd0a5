"""JSON that is nested deeper than anybody reads it."""

import json
from collections.abc import AsyncIterator

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maintenance_contract.codec import bounded
from maintenance_operator.adapters import documents

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text('}{]["\\a\n', max_size=5),
    lambda below: (
        st.lists(below, max_size=4) | st.dictionaries(st.text('{}"\\', max_size=3), below)
    ),
    max_leaves=30,
)


def nested(depth: int, key: str = "a") -> bytes:
    opening = json.dumps({key: 0}).encode().removesuffix(b"0}")
    return b'{"name": "deep", "arguments": ' + opening * depth + b"1" + b"}" * depth + b"}"


@pytest.mark.parametrize("depth", [10, 250, 300, 990, 1023, 1030, 9_000])
@pytest.mark.parametrize("key", ["a", "}", '\\"}'])
async def test_a_document_of_any_depth_is_read(depth: int, key: str) -> None:
    document = await documents.read(nested(depth, key))
    assert document["name"] == "deep"
    assert orjson.dumps(document), "it can be written again"
    assert not bounded(document["arguments"], depth=9, values=1000), "it can be refused"
    assert bounded(document["arguments"], depth=253, values=1000)


@pytest.mark.slow
@given(VALUES, st.integers(1, 6))
def test_what_is_cut_is_what_is_too_deep(value: object, depth: int) -> None:
    def cut(part: object, left: int) -> object:
        if isinstance(part, dict):
            return {name: cut(each, left - 1) for name, each in part.items()} if left else None
        if isinstance(part, list):
            return [cut(each, left - 1) for each in part] if left else None
        return part

    written = json.dumps(value).encode()
    assert json.loads(documents.cut(written, depth)) == cut(value, depth)


async def test_what_is_no_json_is_said_to_be_none() -> None:
    for data in (b"", b"{", b"[" * 5000, b'{"a": ' * 300, b"\xff", b'"' + b"[" * 5000):
        with pytest.raises(ValueError):  # noqa: PT011 - whichever words the parser has
            await documents.read(data)


async def test_a_stream_goes_on_after_a_line_that_is_too_deep() -> None:
    sent = [b'{"n": 1}', nested(5000), b"no JSON", b'{"n": 2}']
    whole = b"\n".join(sent) + b"\n"

    async def chunks() -> AsyncIterator[bytes]:
        for start in range(0, len(whole), 7):
            yield whole[start : start + 7]

    got = [line async for line in documents.lines(chunks())]
    assert [got[0], *got[2:]] == [sent[0], *sent[2:]]
    assert json.loads(got[1])["name"] == "deep"


@pytest.mark.parametrize(
    "value, depth, values, fits",
    [
        (1, 0, 1, True),
        ({}, 0, 1, True),
        ({"a": 1}, 0, 9, False),
        ({"a": 1}, 1, 2, True),
        ({"a": 1}, 1, 1, False),
        ([[[]]], 1, 9, False),
        ([[[]]], 2, 9, True),
        (list(range(100)), 1, 100, False),
        ("x" * 1000, 0, 1, True),
    ],
)
def test_a_value_fits_within_depth_and_number(
    value: object,
    depth: int,
    values: int,
    fits: bool,  # noqa: FBT001 - of the table
) -> None:
    assert bounded(value, depth=depth, values=values) is fits

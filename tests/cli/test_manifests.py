"""A manifest says to the plugin what it says to kubectl; expected is what kubectl 1.32 reads."""

import math
from typing import Any
from unittest import mock

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from maintenance_operator.cli import check
from maintenance_operator.cli.manifests import documents, scalar


def read(written: str) -> Any:
    return documents(f"x: {written}\n")[0]["x"]


@pytest.mark.parametrize(
    "written, expected",
    [
        ("1e-3", 0.001),
        ("1e3", 1000),
        ("1.5E+3", 1500),
        (".5", 0.5),
        ("1.", 1),
        ("3.0", 3),
        ("-0.0", 0),
        ("1_0.5", 10.5),
        ("01.5", 1.5),
        ("1e400", "1e400"),
        ("1e_3", 1000),
        ("1:30", "1:30"),
        ("-1:30:15", "-1:30:15"),
        ("017", 15),
        ("0o17", 15),
        ("0_7", 7),
        ("08", 8),
        ("0b11", 3),
        ("-0b11", -3),
        ("0X1f", 31),
        ("0x", "0x"),
        ("1_", 1),
        ("_1", "_1"),
        ("._5", "._5"),
        ("12345678901234567890123", 12345678901234567890123.0),
        ("yes", True),
        ("y", True),
        ("On", True),
        ("n", False),
        ("oFF", "oFF"),
        ("~", None),
        ("nULL", "nULL"),
        ("=", "="),
        ("nan", "nan"),
        ("2026-01-01", "2026-01-01"),
        ("2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z"),
        ("!!timestamp 2026-01-01", "2026-01-01"),
        ("'1e-3'", "1e-3"),
        ("!!str 1e-3", "1e-3"),
        ('!!float "1"', 1),
        ("!!binary aGVsbG8=", "hello"),
        ("!!set {a, b}", {"a": None, "b": None}),
        ("!!omap [a: 1]", [{"a": 1}]),
        ("!other {a: 1e-3}", {"a": 0.001}),
        (
            "{1: a, 017: b, yes: c, 1.5: d, 2026-01-01: e}",
            {"1": "a", "15": "b", "true": "c", "1.5": "d", "2026-01-01": "e"},
        ),
    ],
)
def test_a_value_is_what_kubectl_makes_of_it(written: str, expected: Any) -> None:
    found = read(written)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    "merged, expected",
    [
        ("{<<: *a, p: 2}", {"p": 2, "r": 0}),
        ("{p: 2, <<: *a}", {"p": 1, "r": 0}),
        ("{<<: [*a, *b], q: 2}", {"p": 1, "r": 0, "s": 4, "q": 2}),
    ],
)
def test_what_comes_later_counts(merged: str, expected: dict[str, int]) -> None:
    (found,) = documents(f"a: &a {{p: 1, r: 0}}\nb: &b {{p: 3, s: 4}}\nx: {merged}\nx2: 0\nx2: 1")
    assert found["x"] == expected
    assert found["x2"] == 1


@pytest.mark.parametrize(
    "written",
    [
        ".inf",
        ".NaN",
        "{~: 1}",
        "{[1]: 2}",
        "!!int 1.5",
        "!!bool 1",
        "&a [*a]",
        "{<<: 5}",
        "!!binary no",
        "[",
        "!!binary /w==",
    ],
)
def test_what_kubectl_refuses_is_an_error_of_the_file(written: str) -> None:
    with pytest.raises(yaml.YAMLError):
        read(written)


def test_json_is_read_as_json() -> None:
    assert documents('{"a":\t1e-3}\n{"a": "1:30"}') == [{"a": 0.001}, {"a": "1:30"}]
    assert documents("{a: 1e-3}") == [{"a": 0.001}]


@given(st.text(max_size=12))
def test_any_word_is_something(written: str) -> None:
    found = scalar(written)
    assert found is None or isinstance(found, bool | int | float | str)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_stays_what_it_is(number: float) -> None:
    assert math.isclose(float(read(repr(number))), number, rel_tol=1e-15, abs_tol=0.0)


def sources(text: str) -> list[check.Source]:
    with mock.patch("sys.stdin", mock.Mock(read=lambda: text)):
        return check.sources(check.STDIN)


def test_a_time_in_an_annotation_ends_in_no_traceback() -> None:
    (source,) = sources("metadata: {annotations: {reset: 2026-01-01T00:00:00Z}}")
    assert source.document["metadata"]["annotations"]["reset"] == "2026-01-01T00:00:00Z"


def test_what_is_no_json_is_said_of_the_document() -> None:
    (source,) = sources("spec: {a: .inf}")
    around = mock.Mock()
    (finding,) = check._shape(source.document, around)
    assert finding.told.startswith("no YAML that kubectl reads: .inf is no number of JSON")


def test_lists_within_lists_are_their_items() -> None:
    found = sources(
        "{kind: List, items: [{kind: XList, items: [{no1: 1}]}, {no1: 2}]}\n---\nno1: 3\n---"
    )
    assert [source.document["no1"] for source in found] == [1, 2, 3]

"""What others wrote, before it goes into status, Events and logs."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maintenance_contract.plain import address, plain

SECRET = "s3cr3t"  # noqa: S105 - a canary


@pytest.mark.parametrize(
    "text, expected",
    [
        ("parse error: unclosed\nleft  parenthesis", "parse error: unclosed left parenthesis"),
        (f"https://user:{SECRET}@host:9090/api?x=1 is away", "https://host:9090/… is away"),
        (f"'http://u:{SECRET}'{SECRET}@host/'", "'http://host'"),
        (f"http://u:{SECRET}/{SECRET}@host/x", "http://host/…"),
        (f"see (https://host/?token={SECRET}).", "see (https://host/…)."),
        (f"redis://:{SECRET}@cache:6379", "redis://cache:6379"),
        ("http://[::1]:9090: refused", "http://[::1]:9090: refused"),
        ("pvc://data/news/original holds no files.", "pvc://data/news/original holds no files."),
        (f"s3://key:{SECRET}@bucket/news?sig={SECRET}", "s3://bucket/news"),
        (f"http://user:{SECRET}<@host/x is away", "http://…<@host/x is away"),
        (f"Authorization: Bearer {SECRET * 4}", "Authorization: Bearer …"),
        ("the basic idea", "the basic idea"),
        ("\x1b[31mred\x1b[0m", "[31mred [0m"),
        ("abc\u202edef\u2066g\u200bh\ufeff", "abc def g h"),
        ("a\u2028b\x00c\x7fd", "a b c d"),
        ("Gültige 语言 🙂", "Gültige 语言 🙂"),
    ],
)
def test_text_of_others_is_one_line_without_secrets(text: str, expected: str) -> None:
    assert plain(text) == expected


@pytest.mark.slow
@pytest.mark.parametrize("before", ["", "x " * 1000, f"http://host/{'x' * 1000} "])
@pytest.mark.parametrize("scheme", ["http", "s3"])
def test_an_address_that_is_cut_shows_nothing_of_its_password(before: str, scheme: str) -> None:
    for length in range(0, 4000, 7):
        text = f"{before}{'y' * length} {scheme}://{SECRET}:{SECRET}{'z' * 4000}@host/x"
        assert SECRET not in plain(text), length


@given(st.text(), st.integers(1, 50))
def test_whatever_it_is_a_line_is_short_and_seen(text: str, most: int) -> None:
    line = plain(text, most)
    assert len(line) <= most
    assert not any(unicodedata.category(each) in {"Cc", "Cf", "Cs", "Zl", "Zp"} for each in line)
    assert plain(line, most) == line


@pytest.mark.parametrize(
    "url, expected",
    [
        (f"https://u:{SECRET}@login.example/cb?token={SECRET}", "https://login.example"),
        ("http://elsewhere/login", "http://elsewhere"),
        ("http://elsewhere:8080/", "http://elsewhere:8080"),
        (f"/login?token={SECRET}", ""),
        (f"//host/{SECRET}", ""),
        (f"user:{SECRET}@host", ""),
        ("", ""),
    ],
)
def test_of_an_address_remains_where_it_leads(url: str, expected: str) -> None:
    assert address(url) == expected

"""Text fits its page, and what others wrote does not drive the terminal."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maintenance_operator.cli.layout import Page, Tone, clean, paragraph, span, table


@pytest.mark.parametrize(
    "seconds, text",
    [
        (-5, "0s"),
        (0, "0s"),
        (119, "119s"),
        (120, "2m"),
        (3599, "59m"),
        (3600, "1h"),
        (3 * 3600 + 300, "3h5m"),
        (23 * 3600 + 300, "23h"),
        (86400, "1d"),
        (86400 + 3600, "1d1h"),
        (12 * 86400 + 3600, "12d"),
    ],
)
def test_a_span_has_two_units_at_most(seconds: int, text: str) -> None:
    assert span(timedelta(seconds=seconds)) == text


CELLS = st.text(st.characters(codec="ascii", categories=("L", "N", "P")), max_size=300)


@pytest.mark.slow
@given(
    st.lists(st.tuples(CELLS, CELLS, CELLS), max_size=5),
    st.integers(min_value=40, max_value=200),
)
def test_a_table_is_no_wider_than_its_terminal(
    rows: list[tuple[str, str, str]], width: int
) -> None:
    text = table(("NAME", "STATE", "NEXT"), rows, Page(width))
    assert max(map(len, text.splitlines())) <= width
    assert len(text.splitlines()) == len(rows) + 1


def test_a_file_gets_every_letter() -> None:
    text = table(("NAME", "STATE"), [("n" * 253, "Healthy")], Page())
    assert "n" * 253 in text
    assert text.splitlines()[0].index("STATE") == text.splitlines()[1].index("Healthy")


def test_an_empty_cell_is_a_dash() -> None:
    assert table(("A", "B"), [("", "1")], Page()).splitlines()[1] == "-   1"


def test_control_characters_are_not_passed_on() -> None:
    assert clean("red \x1b[31mtext\n\tand\x07 more") == "red \ufffd[31mtext and\ufffd more"


@pytest.mark.slow
@given(st.text(max_size=300), st.integers(min_value=1, max_value=300))
def test_a_paragraph_is_no_wider_than_its_page(text: str, width: int) -> None:
    page = Page(width)
    lines = paragraph(text, page, indent="    ", first="You ").splitlines()
    assert all(len(line) <= page.text_width for line in lines)


@pytest.mark.parametrize("colour, text", [(True, "\x1b[31mbad\x1b[0m"), (False, "bad")])
def test_colour_is_for_terminals(*, colour: bool, text: str) -> None:
    assert Page(80, colour=colour).paint("bad", Tone.BAD) == text

"""Numbers as people read them."""

import math
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maintenance_core.numbers import (
    duration,
    figure,
    moment,
    p_value,
    percent,
    shortened,
)


@pytest.mark.parametrize(
    "value, text",
    [
        (0.0, "0"),
        (-0.0, "0"),
        (1250.0, "1250"),
        (0.87, "0.87"),
        (0.123456, "0.1235"),
        (123456.7, "123500"),
        (-2.5, "-2.5"),
        (0.00001, "1e-05"),
        (1.7976931348623157e308, "1.798e+308"),
        (math.inf, "inf"),
        (math.nan, "nan"),
    ],
)
def test_figures(value: float, text: str) -> None:
    assert figure(value) == text


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_figure_is_the_number_to_four_digits(value: float) -> None:
    assert math.isclose(float(figure(value)), value, rel_tol=5.1e-4) or abs(value) > 1e308


@pytest.mark.parametrize(
    "p, text", [(0.0, "<0.0001"), (0.00009, "<0.0001"), (0.0001, "0.0001"), (0.55, "0.55")]
)
def test_p_values(p: float, text: str) -> None:
    assert p_value(p) == text


@pytest.mark.parametrize(
    "share, text",
    [
        (0.0, "0%"),
        (0.18, "18%"),
        (0.046, "4.6%"),
        (1.0, "100%"),
        (0.9999, "99.99%"),
        (-0.0001, "-0.01%"),
    ],
)
def test_percent(share: float, text: str) -> None:
    assert percent(share) == text


@pytest.mark.parametrize(
    "seconds, text", [(0, "0s"), (45, "45s"), (5400, "1h30m"), (604800, "168h"), (3601, "1h1s")]
)
def test_durations(seconds: int, text: str) -> None:
    assert duration(timedelta(seconds=seconds)) == text


def test_moments_are_in_utc() -> None:
    there = datetime(2026, 11, 23, 20, 5, tzinfo=timezone(timedelta(hours=2)))
    assert moment(there) == "2026-11-23 18:05 UTC"


def test_what_is_too_long_is_cut() -> None:
    assert shortened("short") == "short"
    assert shortened("x" * 1024) == "x" * 1024
    assert shortened("x" * 1025) == "x" * 1023 + "…"

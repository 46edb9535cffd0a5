"""Student's t distribution against published and library values."""

import pytest
from scipy.stats import t as student_t

from maintenance_core import student


@pytest.mark.parametrize(
    "confidence, degrees, t",
    [(0.95, 1, 6.314), (0.95, 5, 2.015), (0.95, 29, 1.699), (0.975, 10, 2.228), (0.8, 60, 0.848)],
)
def test_quantiles_of_the_tables(confidence: float, degrees: int, t: float) -> None:
    assert student.quantile(confidence, degrees) == pytest.approx(t, abs=5e-4)
    assert student.at_least(t, degrees) == pytest.approx(1.0 - confidence, abs=1e-4)


@pytest.mark.parametrize("degrees", [1, 2, 3, 8, 9, 120, 200])
@pytest.mark.parametrize("t", [-30.0, -1.5, -0.1, 0.0, 0.4, 2.0, 7.5])
def test_tails_are_those_of_scipy(t: float, degrees: int) -> None:
    assert student.at_least(t, degrees) == pytest.approx(student_t.sf(t, degrees), abs=1e-12)


def test_more_degrees_are_cautious_and_infinity_has_a_tail() -> None:
    assert student.at_least(2.0, 10_000) == student.at_least(2.0, student.MOST_DEGREES)
    assert student.at_least(float("inf"), 5) == 0.0
    assert student.at_least(float("-inf"), 5) == 1.0

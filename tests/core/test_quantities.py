"""Quantities: what Kubernetes takes is taken, quoted or not."""

import pytest

from maintenance_core.quantities import spelled

TAKEN = ["0", "1", "+1", "5.", ".5", "0.5", ".5Gi", "1.5Gi", "100m", "1n", "3u", "2k", "1E", "12Ei"]
TAKEN += ["1e3", "1E3", "1e9", "1e+3", "1e-3", "1.5e2", "16Gi", "17179869184"]
REFUSED = [
    "",
    ".",
    "-1",
    "1 Gi",
    " 1",
    "1Gi ",
    "lots",
    "1mi",
    "1gi",
    "1K",
    "1Mi5",
    "e3",
    "1e",
    "1ee3",
]
REFUSED += [
    "1.2.3",
    "0x10",
    "1_000",
    "\N{ARABIC-INDIC DIGIT ONE}",
    "NaN",
    "inf",
    "1GiB",
    "--1",
    "+-1",
    "1" * 65,
]


@pytest.mark.parametrize("text", TAKEN)
def test_a_string_stays_as_it_is(text: str) -> None:
    assert spelled(text) == text


@pytest.mark.parametrize(
    "value, text",
    [(1, "1"), (0.5, "0.5"), (1e9, "1000000000"), (2.0, "2"), (0.001, "0.001"), (1e-7, "1e-07")],
)
def test_a_number_is_spelled_as_json_has_it(value: float, text: str) -> None:
    assert spelled(value) == text


@pytest.mark.parametrize(
    "value", [*REFUSED, -1, -0.5, True, None, [], {}, float("nan"), float("inf")], ids=repr
)
def test_anything_else_is_refused_with_what_to_write(value: object) -> None:
    with pytest.raises(ValueError, match=r"is no quantity: write a quantity, like 500m, 0\.5"):
        spelled(value)

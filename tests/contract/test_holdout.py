"""How many rows are held out where the number of rows decides."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maintenance_contract import (
    AUTO,
    ContractError,
    Holdout,
    held_out_rows,
    more_held_out,
    rows_to_hold_out,
)
from maintenance_contract.codec import Fields


@pytest.mark.parametrize(
    "rows, held_out",
    [(0, 0), (1, 0), (2, 1), (60, 30), (150, 75), (300, 150), (400, 200), (1_000, 316),
     (3_000, 548), (10_000, 1_000), (30_000, 1_732), (250_000, 5_000), (1_000_000, 20_000)],
)  # fmt: skip
def test_half_of_few_rows_and_one_in_fifty_of_many(rows: int, held_out: int) -> None:
    assert held_out_rows(rows) == held_out


@given(st.integers(0, 2_000_000))
def test_more_rows_hold_out_no_fewer_and_leave_no_fewer_to_train_on(rows: int) -> None:
    now, then = held_out_rows(rows), held_out_rows(rows + 1)
    assert now <= then <= now + 1
    assert rows / 50 - 1 <= now <= rows / 2


@pytest.mark.slow
@given(st.integers(0, 100_000), st.integers(0, 100), st.integers(0, 100_000))
def test_more_rows_make_up_the_number(rows: int, percent: int, more: int) -> None:
    """As if all had been there at once; but at least one in fifty of them and half at most."""
    held_out = rows * percent // 100
    added = more_held_out(held_out, rows, more)
    least, most = min(math.ceil(more / 50), more // 2), more // 2
    assert least <= added <= most
    if least < added < most:
        assert held_out + added == held_out_rows(rows + more)


@pytest.mark.slow
@given(st.integers(1, 20_000), st.integers(0, 20_000), st.integers(0, 100))
def test_so_many_rows_hold_out_what_is_missing_and_fewer_do_not(
    missing: int, rows: int, percent: int
) -> None:
    held_out = rows * percent // 100
    needed = rows_to_hold_out(missing, held_out, rows)
    assert more_held_out(held_out, rows, needed) >= missing
    assert more_held_out(held_out, rows, needed - 1) < missing


@pytest.mark.parametrize("holdout", [Holdout(), Holdout(10), Holdout(None, 30), Holdout(1, 90)])
def test_what_is_written_is_read(holdout: Holdout) -> None:
    assert Holdout.read(Fields(holdout.document())) == holdout


@pytest.mark.parametrize("wrong", ["auto", "10", "10%", 0, 91, 10.0, True, None, [10]])
def test_neither_auto_nor_a_percentage_is_refused(wrong: object) -> None:
    with pytest.raises(ContractError, match=r"updatesPercent.*Auto or a whole number from 1 to 90"):
        Holdout.read(Fields({"originalPercent": AUTO, "updatesPercent": wrong}))

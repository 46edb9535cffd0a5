"""The same measurement written again, by another program, is no correction."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet
from support.laboratory import age
from support.series import load, records, rows_of, stamps, taken, write

from maintenance_contract import Windows
from maintenance_trainer.tasks.series.rounding import written_again
from maintenance_trainer.tasks.series.rows import Floats

WRITTEN: dict[str, Callable[[float], float]] = {
    "float32": lambda v: float(np.float32(v)),
    "float32 in nine digits": lambda v: float(f"{np.float32(v):.9g}"),
    "float32 in eight digits": lambda v: float(f"{np.float32(v):.8g}"),
    "float32 in seven digits": lambda v: float(f"{np.float32(v):.7g}"),
    "fifteen digits": lambda v: float(f"{v:.15g}"),
    "six digits": lambda v: float(f"{v:.6g}"),
    "five digits": lambda v: float(f"{v:.5g}"),
    "three decimals": lambda v: round(v, 3),
    "one decimal": lambda v: round(v, 1),
    "halves up": lambda v: float(np.floor(v * 100 + 0.5) / 100),
    "a last bit": lambda v: float(np.nextafter(v, 1e9)),
}


@pytest.fixture(scope="module")
def values() -> Floats:
    return load(0, 400)


def again(values: Floats, written: Callable[[float], float]) -> Floats:
    return np.array([written(float(v)) for v in values])


@pytest.mark.parametrize("written", WRITTEN.values(), ids=WRITTEN)
def test_numbers_that_are_written_otherwise_are_the_same(
    values: Floats, written: Callable[[float], float]
) -> None:
    other = again(values, written)
    assert written_again(values, other).all()
    assert written_again(other, values).all()  # the first file had fewer digits


@pytest.mark.parametrize("written", WRITTEN.values(), ids=WRITTEN)
def test_what_is_corrected_in_a_dump_is_found_among_what_is_rounded(
    values: Floats, written: Callable[[float], float]
) -> None:
    corrected = values.copy()
    corrected[50:60] += 0.3
    same = written_again(values, again(corrected, written))
    assert np.flatnonzero(~same).tolist() == list(range(50, 60))


def test_texts_of_few_decimals_are_the_same_in_float32(values: Floats) -> None:
    plain = again(values, lambda v: round(v, 1))
    assert written_again(plain, again(plain, WRITTEN["float32"])).all()
    few = plain[:3]
    assert written_again(few, again(few, WRITTEN["float32"])).all()


CORRECTED: dict[str, tuple[Floats, Floats]] = {
    "the last decimal": (np.arange(40.0) / 10, np.arange(40.0) / 10 + 0.1),
    "a calibration of three decimals": (
        np.round(np.sin(np.arange(40.0)), 3),
        np.round(np.sin(np.arange(40.0)) + 0.002, 3),
    ),
    "noise that was nothing": (np.round(np.sin(np.arange(40.0)) ** 2 / 3, 2) + 0.01, np.zeros(40)),
    "a counter by one": (1e9 + 7 * np.arange(40.0), 1e9 + 7 * np.arange(40.0) + 1),
    "a place on the globe by a metre": (
        52.520008 + np.arange(40) * 1e-5,
        52.520018 + np.arange(40) * 1e-5,
    ),
    "a few rows by a little": (np.array([1.234, 5.678]), np.array([1.2, 5.7])),
    "one number for all": (np.full(40, 3.3), np.full(40, 3.0)),
}


@pytest.mark.parametrize("earlier, later", CORRECTED.values(), ids=CORRECTED)
def test_a_correction_stays_one_however_small(earlier: Floats, later: Floats) -> None:
    assert not written_again(earlier, later).any()


def _in_parquet(path: Path, hours: list[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    columns: dict[str, Any] = {
        name: pa.array([hour[name] for hour in hours], pa.float32()) for name in ("v", "w")
    }
    parquet.write_table(pa.table({"time": [hour["time"] for hour in hours], **columns}), path)
    age(path)


@pytest.mark.parametrize("form", ["float32", "one decimal"])
def test_a_dump_of_all_rows_leaves_old_windows_old(tmp_path: Path, form: str) -> None:
    windows = Windows(4, 1, 1)
    whole = records(0, {"v": load(0, 120), "w": load(0, 120, seed=1)})
    write(tmp_path / "original/a.csv", whole[:90])
    before = {(row.key, row.unit) for row in rows_of(taken(tmp_path, windows))}
    dump = [*whole[:50], whole[50] | {"w": -7.0}, *whole[51:]]
    if form == "float32":
        _in_parquet(tmp_path / "updates/b.parquet", dump)
    else:
        rounded = [hour | {name: round(hour[name], 1) for name in "vw"} for hour in dump]
        write(tmp_path / "updates/b.csv", rounded)
    dataset = taken(tmp_path, windows)
    rows = rows_of(dataset)
    assert [row.end for row in rows if row.new and row.end < 90] == [50]
    columns = rows[0].series.columns
    assert (columns["w"][50], columns["v"][50]) == (-7.0, whole[50]["v"])
    after = {(row.key, row.unit) for row in rows if row.end < 45}
    assert after
    assert after <= before
    said = "a time of an earlier file, with the same numbers but for rounding (float32"
    # The first row's are whole numbers, and one was corrected.
    assert any(said in remark and "(88 in all)" in remark for remark in dataset.remarks)


def test_a_dump_of_the_very_numbers_is_told_as_before(tmp_path: Path) -> None:
    whole = [{"time": time, "v": at / 7} for at, time in enumerate(stamps(0, 40))]
    write(tmp_path / "original/a.csv", whole[:30])
    write(tmp_path / "updates/b.csv", whole)
    said = "a time of an earlier file, with the same numbers: read once (30 in all)"
    assert any(said in remark for remark in taken(tmp_path).remarks)

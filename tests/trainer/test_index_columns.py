"""The index of a data frame in files, as pandas writes it unasked: no model learns it."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet
from support.laboratory import age
from support.series import SMALL

from maintenance_contract import Columns, DataRef, Task, columns_of
from maintenance_contract.holdout import Holdout
from maintenance_trainer import files
from maintenance_trainer.data.snapshot import Snapshot, read_again, take_snapshot
from maintenance_trainer.locations import Places
from maintenance_trainer.tasks import source
from maintenance_trainer.tasks.tables import schema

TABLE, FORECAST = Task.TABULAR_CLASSIFICATION, Task.TIME_SERIES_FORECASTING
LEVEL = "__index_level_0__"
FILTERED = [3, 5, 8, 13, 21, 34]
COLUMNS: dict[str, list[Any]] = {
    "x": [0.5, 1.5, 2.5, 3.5, 4.5, 5.5],
    "y": [1.25, 1.25, 4.25, 1.25, 2.25, 1.25],
    "label": ["a", "a", "a", "b", "b", "b"],
}


def written(path: Path, columns: dict[str, list[Any]], index: Sequence[object] = ()) -> Path:
    """A file in the format of its name; ``index`` as pandas notes it in Parquet."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [dict(zip(columns, cells, strict=True)) for cells in zip(*columns.values(), strict=True)]
    if path.suffix == ".parquet":
        noted = {"pandas": json.dumps({"index_columns": list(index)})} if index else None
        parquet.write_table(pa.table(columns).replace_schema_metadata(noted), path)
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    else:
        lines = [list(columns), *(row.values() for row in rows)]
        path.write_text("".join(",".join(map(str, line)) + "\n" for line in lines))
    age(path)
    return path


def taken(
    folder: Path, columns: Columns, task: str = TABLE, known: frozenset[str] = frozenset()
) -> tuple[Snapshot, list[Any], list[str]]:
    """The snapshot of a folder, its rows, and what is told."""
    windows = SMALL if task == FORECAST else None
    (folder / "updates").mkdir(exist_ok=True)
    data = DataRef(
        f"file://{folder}/original",
        f"file://{folder}/updates",
        columns,
        Holdout(30, 30),
        windows=windows,
    )
    its, told = source(task), list[str]()
    snapshot, dataset = take_snapshot(
        data, Places(""), its, known=known, champion_holdout=None, tell=told.append
    )
    again = read_again(snapshot, data, Places(""), its, 1)
    assert [row.key for row in again.rows] == [row.key for row in dataset.rows]
    return snapshot, list(dataset.rows), told


def inputs(rows: list[Any]) -> set[str]:
    return set(schema.Schema.of(rows).names)


@pytest.mark.parametrize(
    "name, index, holds, noted",
    [
        ("a.parquet", LEVEL, FILTERED, [LEVEL]),
        ("a.parquet", "__index_level_1__", FILTERED, []),
        ("a.csv", LEVEL, FILTERED, []),
        ("a.csv", "Unnamed: 0", [0, 1, 2, 3, 4, 5], []),
        ("a.csv", "Unnamed: 0", [1, 2, 3, 4, 5, 6], []),
        ("a.csv", "Unnamed: 0.1", FILTERED, []),
        ("a.jsonl", "Unnamed: 0", FILTERED, []),
        ("a.parquet", "Unnamed: 0", FILTERED[::-1], []),
        ("a.csv", "Unnamed: 7", [7, 7, 8, 9, 9, 9], []),
    ],
)
@pytest.mark.parametrize("known", [False, True])
def test_the_index_of_a_data_frame_is_no_input_and_that_is_told(
    tmp_path: Path, name: str, index: str, holds: list[Any], noted: list[object], *, known: bool
) -> None:
    path = written(tmp_path / "original" / name, {index: holds, **COLUMNS}, noted)
    plain = written(tmp_path / "plain" / "original" / name, COLUMNS)
    digests = frozenset({files.sha256(path)} if known else ())
    snapshot, rows, told = taken(tmp_path, columns_of(TABLE), known=digests)
    assert inputs(rows) == {"x", "y"}
    assert index not in snapshot.files[0].columns
    assert any(f"original/{name}: the column {index!r} is the index" in each for each in told)
    assert {row.key for row in rows} == {
        row.key for row in taken(plain.parents[1], columns_of(TABLE))[1]
    }


@pytest.mark.parametrize(
    "name, index, holds, noted",
    [
        ("a.csv", "index", [0, 1, 2, 3, 4, 5], []),
        ("a.parquet", "z", FILTERED, [{"kind": "range", "start": 0, "stop": 6, "step": 1}]),
        ("a.csv", "__index_level__", FILTERED, []),
        ("a.parquet", "shop", list("uvuvuv"), ["shop"]),
        ("a.parquet", "x", COLUMNS["x"], ["x"]),
        ("a.csv", "Unnamed: at all", [7, 7, 8, 9, 9, 9], []),
    ],
)
def test_what_is_no_index_stays_an_input(
    tmp_path: Path, name: str, index: str, holds: list[Any], noted: list[object]
) -> None:
    written(tmp_path / "original" / name, {index: holds, **COLUMNS}, noted)
    snapshot, rows, told = taken(tmp_path, columns_of(TABLE))
    assert inputs(rows) == {index, "x", "y"}
    assert index in snapshot.files[0].columns
    assert not told


def test_an_index_that_the_resource_names_is_read(tmp_path: Path) -> None:
    written(tmp_path / "original/a.parquet", {LEVEL: FILTERED, **COLUMNS}, [LEVEL])
    named = columns_of(TABLE, inputs=("x", LEVEL))
    assert inputs(taken(tmp_path, named)[1]) == {"x", LEVEL}
    _, rows, told = taken(tmp_path, columns_of(TABLE, group=LEVEL))
    assert (len({row.group for row in rows}), told) == (6, [])


def test_what_is_an_index_in_one_file_is_one_in_all(tmp_path: Path) -> None:
    """Numbers that come twice, as joined frames have them, make no input of it."""
    written(tmp_path / "original/a.csv", {"Unnamed: 0": [0, 1, 2, 3, 4, 5], **COLUMNS})
    written(tmp_path / "updates/b.csv", {"Unnamed: 0": [0, 1, 2, 0, 1, 2], **COLUMNS})
    snapshot, rows, _ = taken(tmp_path, columns_of(TABLE))
    assert inputs(rows) == {"x", "y"}
    assert [file.columns for file in snapshot.files] == [tuple(COLUMNS)] * 2
    assert len({row.key for row in rows}) == len(COLUMNS["x"])


def test_the_index_is_no_channel(tmp_path: Path) -> None:
    count = 60
    times = [f"2026-01-01T00:{minute:02d}:00" for minute in range(count)]
    columns = {LEVEL: list(range(count)), "time": times, "load": [n % 7 for n in range(count)]}
    written(tmp_path / "original/a.parquet", columns, [LEVEL])
    _, rows, told = taken(tmp_path, columns_of(FORECAST), FORECAST)
    assert set(rows[0].series.columns) == set(rows[0].targets) == {"load"}
    assert any(f"the column {LEVEL!r} is the index" in each for each in told)


def test_time_as_the_index_of_a_frame_is_time(tmp_path: Path) -> None:
    count = 60
    times = [f"2026-01-01T00:{minute:02d}:00" for minute in range(count)]
    columns = {"time": times, "load": [n % 7 for n in range(count)]}
    written(tmp_path / "original/a.parquet", columns, ["time"])
    _, rows, told = taken(tmp_path, columns_of(FORECAST), FORECAST)
    assert set(rows[0].series.columns) == {"load"}
    assert not any("index" in each for each in told)


def test_an_index_is_no_new_column_of_interactions(tmp_path: Path) -> None:
    task = Task.NEXT_ITEM
    times = [f"2026-01-0{day}" for day in range(1, 7)]
    columns = {"user": list("aabbcc"), "item": list("uvuvuv"), "time": times}
    written(tmp_path / "original/a.parquet", columns)
    written(tmp_path / "updates/b.parquet", {LEVEL: FILTERED, **columns}, [LEVEL])
    snapshot, _, told = taken(tmp_path, columns_of(task), task)
    assert [file.columns for file in snapshot.files] == [("user", "item", "time")] * 2
    assert not any("index" in each for each in told)

"""Columns that are only in the names of folders: ``region=north/part-0.parquet``."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import csv, parquet
from support.laboratory import age

from maintenance_contract import Columns, DataRef, Task, Windows, columns_of
from maintenance_trainer.data.snapshot import take_snapshot
from maintenance_trainer.errors import DataError
from maintenance_trainer.locations import Places
from maintenance_trainer.tasks import source

COUNT = 40
BEGIN = datetime(2025, 1, 1, tzinfo=UTC)
TABLE = pa.table(
    {
        "time": [(BEGIN + timedelta(hours=n)).isoformat() for n in range(COUNT)],
        "user": [f"u{n % 4}" for n in range(COUNT)],
        "item": [f"i{n % 3}" for n in range(COUNT)],
        "text": [f"text {n}" for n in range(COUNT)],
        "v": [n * 1.5 for n in range(COUNT)],
        "label": ["ab"[n % 2] for n in range(COUNT)],
    }
)
WINDOWS = Windows(4, 1, 1)


def put(path: Path, table: pa.Table) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    match path.suffix:
        case ".parquet":
            parquet.write_table(table, path)
        case ".csv":
            csv.write_csv(table, path)
        case _:
            path.write_text("".join(json.dumps(row) + "\n" for row in table.to_pylist()))
    age(path)


def told(folder: Path, task: str, columns: Columns) -> list[str]:
    (folder / "updates").mkdir(exist_ok=True)
    data = DataRef(f"file://{folder}/original", f"file://{folder}/updates", columns)
    if task.startswith("TimeSeries"):
        data = DataRef(data.original, data.updates, columns, windows=WINDOWS)
    said: list[str] = []
    take_snapshot(
        data,
        Places(""),
        source(task),
        known=frozenset(),
        champion_holdout=None,
        tell=said.append,
    )
    return said


@pytest.mark.parametrize("suffix", [".parquet", ".csv", ".jsonl"])
@pytest.mark.parametrize(
    "task, wanted",
    [
        (Task.TABULAR_CLASSIFICATION, ("v", "region")),
        (Task.TABULAR_REGRESSION, ("region",)),
        (Task.TIME_SERIES_FORECASTING, ("v", "region")),
    ],
)
def test_a_column_that_a_folder_names_is_told(
    tmp_path: Path, task: str, wanted: tuple[str, ...], suffix: str
) -> None:
    names = ["v", "time"] if task == Task.TIME_SERIES_FORECASTING else ["v", "text", "label"]
    table = TABLE.select(names)
    if task == Task.TABULAR_REGRESSION:
        table = TABLE.select(["text"]).append_column("label", TABLE["v"])
    if task != Task.TIME_SERIES_FORECASTING:
        table = table.set_column(table.column_names.index("text"), "ward", TABLE["item"])
    put(tmp_path / f"original/region=north/part-0{suffix}", table.slice(0, 20))
    put(tmp_path / f"original/region=south/part-0{suffix}", table.slice(20))
    where = (
        f"original/region=north/part-0{suffix}: 'region': only in names of folders, which are not"
    )
    (said,) = (each for each in told(tmp_path, task, columns_of(task)) if "region" in each)
    assert said == (
        f"{where} read, so no input here; write it into the files if rows differ by it (2 in all)."
    )
    columns = columns_of(task, inputs=(*wanted, "ward") if "ward" in table.schema.names else wanted)
    if task == Task.TIME_SERIES_FORECASTING:
        columns = columns_of(task, inputs=wanted, targets=("v",))
    (said,) = (each for each in told(tmp_path, task, columns) if "region" in each)
    assert said.startswith(f"{where} read, so empty here; write it")


def test_the_days_of_a_calendar_are_one_sentence(tmp_path: Path) -> None:
    table = TABLE.select(["v", "label"])
    for day in ("01", "02"):
        put(tmp_path / f"original/year=2026/month=01/day={day}/a.csv", table)
    its = Task.TABULAR_CLASSIFICATION
    (said,) = (each for each in told(tmp_path, its, columns_of(its)) if "folders" in each)
    assert "'year', 'month', 'day': only in names of folders" in said


def test_nothing_is_told_of_a_folder_whose_column_is_there_or_not_wanted(tmp_path: Path) -> None:
    table = TABLE.select(["v", "text", "label", "user", "item", "time"])
    put(tmp_path / "original/item=i1/user=u1/a.parquet", table)
    for task in (Task.TEXT_CLASSIFICATION, Task.NEXT_ITEM):
        assert not [each for each in told(tmp_path, task, columns_of(task)) if "folder" in each]
    its = columns_of(Task.TABULAR_CLASSIFICATION, inputs=("v", "item"))
    assert not [
        each for each in told(tmp_path, Task.TABULAR_CLASSIFICATION, its) if "folder" in each
    ]


@pytest.mark.parametrize("suffix", [".parquet", ".csv", ".jsonl"])
@pytest.mark.parametrize(
    "task, column, value",
    [
        (Task.TEXT_CLASSIFICATION, "label", "ill"),
        (Task.TABULAR_CLASSIFICATION, "label", "ill"),
        (Task.NEXT_ITEM, "user", "u1"),
        (Task.TIME_SERIES_FORECASTING, "time", "2026-11-23"),
    ],
)
def test_a_column_that_is_missing_may_be_in_a_folders_name(
    tmp_path: Path, task: str, column: str, value: str, suffix: str
) -> None:
    put(tmp_path / f"original/{column}={value}/part-0{suffix}", TABLE.drop_columns(column))
    with pytest.raises(DataError) as caught:
        told(tmp_path, task, columns_of(task))
    assert caught.value.reason == "ColumnMissing"
    assert caught.value.message.endswith(
        f"; it is only in the name of a folder ({column}={value}), which is not read: write it "
        "into files, or name the right one in data.columns."
    )

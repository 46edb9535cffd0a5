"""Numbers of labels in Parquet files that name their classes, as ``datasets`` writes them."""

import io
import json
from collections.abc import Collection, Sequence
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet
from support.laboratory import age
from support.series import prices, taken

from maintenance_contract import DataRef, Task, columns_of
from maintenance_trainer.data.snapshot import read_again, take_snapshot
from maintenance_trainer.data.split import Dataset
from maintenance_trainer.errors import DataError
from maintenance_trainer.locations import Places
from maintenance_trainer.tasks import labelled_tables, valued_tables
from maintenance_trainer.tasks.texts import SOURCE


def noted(names: Sequence[str] = ("neg", "pos"), **columns: Sequence[object]) -> bytes:
    """A table whose numbers of labels have names."""
    features = {"label": {"names": list(names), "_type": "ClassLabel"}}
    told = json.dumps({"info": {"features": features}}).encode()
    table = pa.table(columns).replace_schema_metadata({b"huggingface": told})
    file = io.BytesIO()
    parquet.write_table(table, file)
    return file.getvalue()


TEXTS = noted(text=["a", "b", "c"], label=[0, 1, 1])


def read(
    folder: Path,
    content: bytes,
    champion: Collection[str] = (),
    task: Task = Task.TEXT_CLASSIFICATION,
) -> Dataset:
    (folder / "original").mkdir(exist_ok=True)
    (folder / "updates").mkdir(exist_ok=True)
    (folder / "original/rows.parquet").write_bytes(content)
    age(folder)
    places = (f"file://{folder}/original", f"file://{folder}/updates")
    data = DataRef(*places, columns_of(task))
    source = {
        Task.TEXT_CLASSIFICATION: SOURCE,
        Task.TABULAR_CLASSIFICATION: labelled_tables.SOURCE,
        Task.TABULAR_REGRESSION: valued_tables.SOURCE,
    }[task]
    snapshot, dataset = take_snapshot(
        data,
        Places(""),
        source,
        known=frozenset(),
        champion_holdout=None,
        champion_labels=champion,
        tell=lambda _: None,
    )
    again = read_again(snapshot, data, Places(""), source, 1, champion)
    assert (labels(again), again.remarks) == (labels(dataset), dataset.remarks)
    return dataset


def labels(dataset: Dataset) -> list[str]:
    return sorted(row.label for row in dataset.rows)


@pytest.mark.parametrize("champion", [(), ("neg", "pos"), ("neutral",), ("pos",)])
def test_numbers_are_read_by_the_names_that_the_file_notes(
    tmp_path: Path, champion: Collection[str]
) -> None:
    dataset = read(tmp_path, TEXTS, champion)
    assert (labels(dataset), dataset.remarks) == (["neg", "pos", "pos"], ())


def test_a_champion_that_has_learnt_the_numbers_goes_on_with_them(tmp_path: Path) -> None:
    dataset = read(tmp_path, TEXTS, ("0", "1"))
    assert labels(dataset) == ["0", "1", "1"]
    said = (
        "original/rows.parquet, column 'label': the model in service has learnt numbers of classes "
        "that the file names (neg, pos): they are read as numbers."
    )
    assert dataset.remarks == (said,)


def test_one_that_has_learnt_both_is_told_that_names_are_read(tmp_path: Path) -> None:
    dataset = read(tmp_path, TEXTS, ("0", "1", "neg", "pos"))
    assert labels(dataset) == ["neg", "pos", "pos"]
    assert "are read as these, though the model in service knows numbers" in dataset.remarks[0]


def test_names_that_are_numbers_themselves_are_names(tmp_path: Path) -> None:
    content = noted(["1", "0"], text=["a", "b", "c"], label=[0, 1, 1])
    dataset = read(tmp_path, content, ("0", "1"))
    assert (labels(dataset), dataset.remarks) == (["0", "0", "1"], ())


@pytest.mark.parametrize(
    "value, reason, said",
    [
        (2, "DataUnreadable", "the label is 2, and the file names 2 classes, from 0 on"),
        (-1, "LabelMissing", "row 2, column 'label': the label is missing"),
    ],
)
def test_a_number_without_a_name_is_refused(
    tmp_path: Path, value: int, reason: str, said: str
) -> None:
    with pytest.raises(DataError, match=said) as told:
        read(tmp_path, noted(text=["a", "b"], label=[0, value]))
    assert told.value.reason == reason


def test_columns_of_another_name_and_files_without_notes_are_as_ever(tmp_path: Path) -> None:
    file = io.BytesIO()
    parquet.write_table(pa.table({"text": ["a", "b"], "label": [0, 1]}), file)
    assert labels(read(tmp_path, file.getvalue())) == ["0", "1"]


def test_tables_name_classes_and_leave_numbers_numbers(tmp_path: Path) -> None:
    content = noted(age=[1.5, 2.5, 3.5], label=[0, 1, 1])
    found = read(tmp_path, content, task=Task.TABULAR_CLASSIFICATION)
    assert labels(found) == ["neg", "pos", "pos"]
    found = read(tmp_path, content, task=Task.TABULAR_REGRESSION)
    assert [float(label) for label in labels(found)] == [0, 1, 1]


def test_time_series_name_classes(tmp_path: Path) -> None:
    rows = prices(0, 400)
    numbers = [{"up": 1, "down": 0}.get(row["label"]) for row in rows]
    columns = {name: [row[name] for row in rows] for name in rows[0] if name != "label"}
    (tmp_path / "original").mkdir()
    content = noted(["down", "up"], **columns, label=numbers)
    (tmp_path / "original/rows.parquet").write_bytes(content)
    age(tmp_path)
    found = taken(tmp_path, task=Task.TIME_SERIES_CLASSIFICATION)
    assert set(labels(found)) == {"down", "up"}

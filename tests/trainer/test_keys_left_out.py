"""JSON lines that leave out what is null, as Spark and BigQuery write them."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.laboratory import age
from support.series import records

from maintenance_contract import Task, Windows, columns_of
from maintenance_trainer.data import reading
from maintenance_trainer.data.folders import Named, Origin
from maintenance_trainer.data.reading import Records
from maintenance_trainer.data.remarks import Remarks
from maintenance_trainer.data.rows import Row
from maintenance_trainer.data.sources import SourceFile
from maintenance_trainer.errors import DataError
from maintenance_trainer.tasks import source

TEXTS = columns_of(Task.TEXT_CLASSIFICATION)


def lines(path: Path, rows: Sequence[dict[str, Any]]) -> Path:
    """What is None is not written."""
    kept = ({name: cell for name, cell in row.items() if cell is not None} for row in rows)
    path.write_text("".join(json.dumps(row) + "\n" for row in kept), encoding="utf-8")
    age(path)
    return path


def found(path: Path) -> list[tuple[str, Any]]:
    return list(Records(path, f"updates/{path.name}", TEXTS))


def rows(kind: Task, path: Path, **columns: str) -> list[Row]:
    its = SourceFile(
        path,
        Named(Origin.UPDATES, path.name),
        "sha256:1",
        columns_of(kind, **columns),
        new=True,
        known=False,
        remarks=Remarks(),
        windows=Windows(4, 0, 1),
    )
    return [each.row for each in source(kind).read(its)]


@pytest.mark.parametrize("at", [0, 1, 4])
def test_a_key_that_other_lines_have_is_empty(tmp_path: Path, at: int) -> None:
    whole = [{"text": f"t{n}", "label": "x" if n == at else None} for n in range(5)]
    records = found(lines(tmp_path / "a.jsonl", whole))
    assert records == [(f"line {n}", row) for n, row in enumerate(whole, start=1)]


@pytest.mark.parametrize("bounds", [(3, 10**6), (10**6, 50)])
def test_so_many_lines_alone_are_kept_until_a_key_comes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bounds: tuple[int, int]
) -> None:
    monkeypatch.setattr(reading, "_LOOK_AHEAD", bounds)
    whole = [{"text": f"t{n}", "label": "x" if n == 90 else None} for n in range(99)]
    records = Records(lines(tmp_path / "a.jsonl", whole), "a.jsonl", TEXTS)
    assert next(iter(records)) == ("line 1", {"text": "t0", "label": None})
    assert "label" not in records.columns, "rows are not read to the end"
    assert [row for _, row in records] == whole
    with pytest.raises(DataError, match=r"a\.jsonl, line 1: there is no column 'label', only 't"):
        found(lines(tmp_path / "a.jsonl", whole[:90]))


def test_a_key_that_no_line_has_is_a_missing_column(tmp_path: Path) -> None:
    path = lines(tmp_path / "a.jsonl", [{"text": "a"}, {"text": "b", "labels": "x"}])
    with pytest.raises(DataError) as caught:
        rows(Task.TEXT_CLASSIFICATION, path)
    assert caught.value.reason == "ColumnMissing"
    assert caught.value.message == (
        "updates/a.jsonl, line 1: there is no column 'label', only 'text', 'labels'; name the "
        "right one in data.columns."
    )


@pytest.mark.parametrize(
    "kind, columns, missing",
    [
        (Task.TEXT_CLASSIFICATION, {"label": "tag"}, "tag"),
        (Task.TEXT_CLASSIFICATION, {"text": "body"}, "body"),
        (Task.TABULAR_CLASSIFICATION, {"label": "tag"}, "tag"),
        (Task.TABULAR_CLASSIFICATION, {"weight": "w"}, "w"),
        (Task.TABULAR_CLASSIFICATION, {"group": "g"}, "g"),
        (Task.TABULAR_CLASSIFICATION, {"id": "number"}, "number"),
        (Task.TABULAR_REGRESSION, {"label": "price"}, "price"),
    ],
)
def test_so_it_is_in_a_file_of_more_lines_than_are_kept(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    kind: Task,
    columns: dict[str, str],
    missing: str,
) -> None:
    monkeypatch.setattr(reading, "_LOOK_AHEAD", (3, 10**6))
    whole = [{"text": f"t{n}", "label": "x", "late": "z" if n > 7 else None} for n in range(9)]
    path = lines(tmp_path / "a.jsonl", whole)
    with pytest.raises(DataError) as caught:
        rows(kind, path, **columns)
    assert caught.value.reason == "ColumnMissing"
    said = f"updates/a.jsonl, line 1: there is no column '{missing}', only 'text', 'label', 'late'"
    assert caught.value.message.startswith(said)


def test_a_label_that_must_be_there_is_missed_where_it_is_left_out(tmp_path: Path) -> None:
    path = lines(tmp_path / "a.jsonl", [{"text": "a", "label": "x"}, {"text": "b", "label": None}])
    with pytest.raises(DataError, match=r"updates/a\.jsonl, line 2, column 'label': the label is"):
        rows(Task.TEXT_CLASSIFICATION, path)


def test_a_time_without_a_label_has_none(tmp_path: Path) -> None:
    whole = records(0, {"v": np.arange(9.0)})
    for at, row in enumerate(whole):
        row["label"] = "up" if at % 3 == 1 else None
    read = rows(Task.TIME_SERIES_CLASSIFICATION, lines(tmp_path / "a.jsonl", whole))
    assert [row.label for row in read] == ["", "up", ""] * 3


def test_a_row_without_a_group_or_a_name_is_a_case_of_its_own(tmp_path: Path) -> None:
    whole: list[dict[str, Any]] = [
        {"n": 1.5, "who": None, "visit": "v", "label": "x"},
        {"n": 2.5, "who": "a", "visit": None, "label": "y"},
    ]
    path = lines(tmp_path / "a.jsonl", whole)
    first, second = rows(Task.TABULAR_CLASSIFICATION, path, group="who", id="visit")
    assert first.unit == first.key
    assert second.unit != second.key

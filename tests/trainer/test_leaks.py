"""Columns that are the answer, and honest ones that look a little like it."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from support.series import records, rows_of, taken, write

from maintenance_contract import Task, Windows, columns_of
from maintenance_trainer.data.folders import Origin
from maintenance_trainer.errors import DataError
from maintenance_trainer.tasks.series import leakage as of_series
from maintenance_trainer.tasks.tables import leakage
from maintenance_trainer.tasks.tables.cells import NOTHING, of_text, word_of
from maintenance_trainer.tasks.tables.rows import Header, TableRow, Type


def rows(labels: Sequence[str], cells: Sequence[float | str]) -> list[TableRow]:
    """Rows of one column; an empty text is nothing."""
    header = Header("a.csv", (), ["code"], [Type.CATEGORY])
    return [
        TableRow(
            label=label,
            key=f"{number:064x}",
            origin=Origin.ORIGINAL,
            new=False,
            header=header,
            cells=_cell(cell).tobytes(),
        )
        for number, (label, cell) in enumerate(zip(labels, cells, strict=True))
    ]


def _cell(cell: float | str) -> "np.uint32":
    if isinstance(cell, str):
        return np.uint32(word_of(of_text(cell).place) if cell else NOTHING)
    return np.float32(cell).view(np.uint32)


LABELS = ["ill" if number % 3 else "healthy" for number in range(300)]
CODES = ["I10" if label == "ill" else "Z00" for label in LABELS]


@pytest.mark.parametrize("holes", [0, 1, 150])
def test_holes_hide_no_answer(holes: int) -> None:
    cells = ["" if number < holes else code for number, code in enumerate(CODES)]
    with pytest.raises(DataError, match=f"the label in each of {300 - holes} rows") as caught:
        leakage.check(rows(LABELS, cells), "data.original")
    assert caught.value.reason == "LabelInColumn"


@pytest.mark.parametrize(
    "cells",
    [
        ["" if number < 151 else code for number, code in enumerate(CODES)],
        [code if number else "Z00" for number, code in enumerate(CODES)],
        ["" if label == "healthy" and number > 10 else code
         for number, (label, code) in enumerate(zip(LABELS, CODES, strict=True))],
        ["yes" if number % 7 else "" for number in range(300)],
    ],
    ids=["mostly empty", "one differs", "few of a second label", "one value"],
)  # fmt: skip
def test_an_honest_column_is_no_answer(cells: list[str]) -> None:
    labels = ["ill", *LABELS[1:]]
    leakage.check(rows(labels, cells), "data.original")


def test_a_channel_with_a_hole_hides_no_label(tmp_path: Path) -> None:
    labels = [("up", "down")[at // 3 % 2] for at in range(200)]
    values = np.array([float(label == "up") for label in labels])
    values[17] = np.nan
    its = records(0, {"v": np.arange(200.0) ** 2, "code": values})
    for row, label in zip(its, labels, strict=True):
        row["label"] = label
    write(tmp_path / "original/a.csv", its)
    task = Task.TIME_SERIES_CLASSIFICATION
    found = rows_of(taken(tmp_path, windows=Windows(4, 0, 1), columns=columns_of(task), task=task))
    with pytest.raises(DataError, match="the column 'code' tells the label"):
        of_series.check_labels(found, "data.original")


def test_a_label_is_found_in_a_column_that_float32_has_rounded() -> None:
    chance = np.random.default_rng(0)
    labels = 1.7e9 + chance.integers(0, 10**5, 400).astype(float)
    with pytest.raises(DataError, match="the column 'code' is the label in each of 400 rows"):
        leakage.check_numbers(rows([""] * 400, (labels + 7).tolist()), labels, "data.original")
    noisy = labels + chance.normal(0, 3000, 400)
    leakage.check_numbers(rows([""] * 400, noisy.tolist()), labels, "data.original")
    coarse = 1.7e9 + 128.0 * (labels > np.median(labels))
    leakage.check_numbers(rows([""] * 400, coarse.tolist()), labels, "data.original")


def test_a_label_is_looked_for_in_some_of_very_many_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leakage, "MOST_ROWS", 50)
    labels = np.random.default_rng(0).normal(size=90)
    with pytest.raises(DataError, match="the label in each of 50 rows"):
        leakage.check_numbers(rows([""] * 90, labels.tolist()), labels, "data.original")

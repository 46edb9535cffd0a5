"""Columns that tell the answer: a model that is trained on one has learnt nothing else.

Asked for is what no honest column does: its values and the labels name each other, one to one, or
it is filled for one label and empty for the others.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from maintenance_contract import LEAST_ROWS
from maintenance_trainer.data.rows import Row
from maintenance_trainer.errors import DataError
from maintenance_trainer.tasks.leaks import (
    EXACTLY,
    LEAST_OF_A_LABEL,
    few,
    labels_of,
    names_labels,
    one_to_one,
)
from maintenance_trainer.tasks.tables import blocks
from maintenance_trainer.tasks.tables.cells import NOTHING, Words, numeric
from maintenance_trainer.tasks.tables.rows import TableRow

MOST_ROWS: Final = 20_000
"""What holds for all rows holds for some of them."""
MOST_ROUNDED: Final = 0.01
"""Of the answers' range: a column that is rounded more coarsely agrees with many."""
Numbers = NDArray[np.int64]


def check(rows: Sequence[TableRow], where: str) -> None:
    """Refuse a column that is the label.

    Args:
        rows: delivered together.
        where: as messages name them.

    Raises:
        DataError: LabelInColumn.
    """
    rows = few(rows, MOST_ROWS)
    labels = labels_of(rows)
    if labels is None:
        return
    for name, words in _columns(rows).items():
        if told := names_labels(words, words != NOTHING, labels):
            what = "its values and the labels name each other"
        elif _filled_for_one(words, labels):
            what, told = "it is filled for one label and empty for the other", len(rows)
        else:
            continue
        message = (
            f"{where}: the column {name!r} tells the label in each of {told:,} rows ({what}), "
            "so it is the answer and no input; a model that has it learns nothing else. Leave it "
            "out: name the inputs in data.columns.inputs without it, or name it in data.columns.id."
        )
        raise DataError("LabelInColumn", message)


def check_numbers(rows: Sequence[TableRow], labels: NDArray[np.float64], where: str) -> None:
    """Refuse a column of numbers that is the label, in whatever unit.

    Args:
        rows: n rows, delivered together.
        labels: (n,) their numbers.
        where: as messages name them.

    Raises:
        DataError: LabelInColumn.
    """
    chosen = few(range(len(rows)), MOST_ROWS)
    rows, labels = [rows[at] for at in chosen], labels[list(chosen)]
    if len(rows) < LEAST_ROWS or len(np.unique(labels)) < LEAST_OF_A_LABEL:
        return
    for name, words in _columns(rows).items():
        cells = numeric(words)
        numbers = cells.astype(np.float64)
        there = ~np.isnan(numbers)
        if there.sum() < max(LEAST_ROWS, len(rows) / 2) or not numbers[there].std():
            continue
        wanted = labels[there]
        slope, start = np.polyfit(numbers[there], wanted, 1)
        left = np.abs(slope * numbers[there] + start - wanted).max()
        spread = max(float(np.ptp(wanted)), 1e-300)
        # A cell holds seven digits: a large number is rounded by more than answers are.
        rounded = abs(float(slope)) * float(np.spacing(np.abs(cells[there]).max()))
        if left <= EXACTLY * spread + min(rounded, MOST_ROUNDED * spread):
            message = (
                f"{where}: the column {name!r} is the label in each of {int(there.sum()):,} rows "
                f"(times {slope:.4g}, and {start:.4g} more), so it is the answer and no input. "
                "Leave it out: name the inputs in data.columns.inputs without it, or name it in "
                "data.columns.id."
            )
            raise DataError("LabelInColumn", message)


def _filled_for_one(words: Words, labels: Numbers) -> bool:
    there = (words != NOTHING).astype(np.int64)
    return bool(labels.max() == 1 and 0 < there.mean() < 1 and one_to_one(there.view(), labels))


def _columns(rows: Sequence[TableRow]) -> dict[str, Words]:
    """(n,) the cells of each column; nothing where a row's file does not have it."""
    found: dict[str, Words] = {}
    for block in blocks.of(rows):
        for name in block.names:
            whole = found.setdefault(name, np.full(len(rows), NOTHING, np.uint32))
            whole[block.at] = block.column(name)
    return found


def constant(rows: Sequence[Row]) -> tuple[str, ...]:
    """Columns that hold one value in all rows."""
    tables = few([row for row in rows if isinstance(row, TableRow)], MOST_ROWS)
    return tuple(
        name
        for name, words in _columns(tables).items()
        if len(tables) > 1 and (words == words[0]).all() and words[0] != NOTHING
    )

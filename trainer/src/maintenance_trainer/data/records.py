"""Rows of CSV, JSON lines and Parquet files, for every kind whose inputs lie in their cells."""

import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Generic, TypeVar

from maintenance_trainer.data.cells import CellReader, Record
from maintenance_trainer.data.class_names import ClassNames
from maintenance_trainer.data.reading import Records
from maintenance_trainer.data.remarks import Remarks
from maintenance_trainer.data.rows import Row
from maintenance_trainer.data.sources import Found, SourceFile

C = TypeVar("C")
R = TypeVar("R", bound=Row)


class RecordReader(Generic[C, R]):
    """Reads one file.

    Args:
        source: the file.
        content: makes the input of a record; told where it stands.
        row: makes a row of its input and its label.
        spelled: the spelling of a label that a cell holds, where it is no class; None: it holds
            none.
    """

    may_be_empty = False

    def __init__(
        self,
        source: SourceFile,
        content: Callable[[Record, str], C],
        row: Callable[[C, str], R],
        spelled: Callable[[object], str | None] | None = None,
    ) -> None:
        where, columns, remarks = source.file.where, source.columns, source.remarks
        self._source, self._records = source, Records.of(source)
        self._cells = CellReader(
            where, columns, source.known, remarks, content, classes=source.champion_labels
        )
        if spelled is not None:
            self._cells.spelled, self._cells.expected = spelled, "a finite number"
        self._names = ClassNames(source) if spelled is None else None
        self._row = row

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the file's columns, complete once all is read."""
        return self._records.columns

    def __iter__(self) -> Iterator[Found[R]]:
        """Read.

        Raises:
            DataError: with file, line and column.
        """
        for place, record in self._records:
            named = self._names.given_to(record, place) if self._names else record
            cells = self._cells.read(place, named)
            if cells is not None:
                label = sys.intern(cells.label)
                yield Found(place, self._row(cells.content, label), cells.time)
        self._cells.finish(self._again)

    def _again(self) -> Iterator[Record]:
        for _, record in Records.of(replace(self._source, remarks=Remarks())):
            yield record

"""What numbers of a label stand for, where ``datasets`` has noted it in a Parquet file."""

import json
from functools import cached_property
from typing import Any, Final

from maintenance_trainer.data import reading
from maintenance_trainer.data.cells import Record
from maintenance_trainer.data.sources import SourceFile
from maintenance_trainer.errors import DataError

_METADATA: Final = b"huggingface"
"""The key of a Parquet file's schema under which ``datasets`` describes its columns."""
_SHOWN: Final = 40


class ClassNames:
    """Names the labels of a file's records.

    Earlier releases read such labels of all kinds but images as numbers. A champion that has learnt
    the numbers goes on with them, for its labels must not change: that is told.

    Args:
        source: the file.
        always: whether the names are meant, whatever the champion has learnt.
    """

    def __init__(self, source: SourceFile, *, always: bool = False) -> None:
        self._source, self._always = source, always
        self._column = source.columns.names.get("label", "")

    def given_to(self, record: Record, place: str) -> Record:
        """The record with the name of its class; -1 stands for none.

        Raises:
            DataError: DataUnreadable, a number that has no name, or the file is no Parquet.
        """
        names = self._names
        value = record.get(self._column)
        if not names or not isinstance(value, int) or isinstance(value, bool):
            return record
        if not -1 <= value < len(names):
            message = (
                f"{self._source.file.where}, {place}, column {self._column!r}: the label is "
                f"{value}, and the file names {len(names)} classes, from 0 on; write the file anew "
                "with the names of all classes."
            )
            raise DataError("DataUnreadable", message)
        return {**record, self._column: None if value == -1 else names[value]}

    @cached_property
    def _names(self) -> tuple[str, ...]:
        """Empty where there are none, or where the numbers are meant."""
        source, names = self._source, self._noted()
        numbers = set(map(str, range(len(names)))) - set(names)
        if self._always or numbers.isdisjoint(source.champion_labels):
            return names
        where = f"{source.file.where}, column {self._column!r}"
        shown = ", ".join(names)[:_SHOWN]
        if not set(names).isdisjoint(source.champion_labels):
            what = f"numbers stand for classes that the file names ({shown}) and are read as these"
            source.remarks.note(f"{what}, though the model in service knows numbers, too", where)
            return names
        what = f"the model in service has learnt numbers of classes that the file names ({shown})"
        source.remarks.note(f"{what}: they are read as numbers", where)
        return ()

    def _noted(self) -> tuple[str, ...]:
        source = self._source
        if not self._column or not source.file.name.lower().endswith(reading.PARQUET_SUFFIXES):
            return ()
        schema = reading.parquet_schema(source.path, source.file.where)
        try:
            told: Any = json.loads((schema.metadata or {})[_METADATA])
            names = told["info"]["features"][self._column]["names"]
        except (KeyError, TypeError, ValueError, RecursionError):
            return ()
        fine = isinstance(names, list) and all(isinstance(name, str) for name in names)
        return tuple(names) if fine else ()

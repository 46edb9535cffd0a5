"""The index of a data frame, as pandas writes it into files: it names rows, and describes none.

A frame that was filtered or shuffled has its index written to Parquet unasked, and one that was
saved to CSV and read again holds it as ``Unnamed: 0``. Where rows are sorted by what is to be
learnt, a model would learn their numbers.
"""

import json
import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Final

from maintenance_trainer.data import reading
from maintenance_trainer.data.reading import Records
from maintenance_trainer.data.remarks import Remarks
from maintenance_trainer.data.sources import SourceFile
from maintenance_trainer.errors import DataError

_LEVEL: Final = re.compile(r"__index_level_\d+__")
"""The name that pandas gives an index without one in Parquet."""
_UNNAMED: Final = re.compile(r"Unnamed: \d+(\.\d+)*")
"""The name that pandas gives a column without one, when it reads CSV."""
_PANDAS: Final = b"pandas"
_DIGITS: Final = 18


def is_level(name: str) -> bool:
    """Whether pandas alone gives a column this name, and an index only."""
    return _LEVEL.fullmatch(name) is not None


def without_index(source: SourceFile) -> tuple[SourceFile, frozenset[str]]:
    """The file without its columns that are an index, and their names.

    A column that the resource names is none. Where the kind reads all columns, it is told.
    """
    columns = source.columns
    named = {*columns.names.values(), *(columns.inputs or ()), *columns.targets}
    try:
        found = frozenset(_index_columns(source)) - named - columns.unread
    except DataError:  # whoever reads the rows says what is wrong with the file
        return source, frozenset()
    if not found:
        return source, found
    if columns.inputs is not None and not columns.inputs:
        for name in sorted(found):
            what = (
                f"the column {name!r} is the index of a data frame, and no input (unless "
                "data.columns.inputs names it)"
            )
            source.remarks.note(what, source.file.where)
    return replace(source, columns=replace(columns, unread=columns.unread | found)), found


def _index_columns(source: SourceFile) -> Iterable[str]:
    name = source.file.name.lower()
    if name.endswith(reading.PARQUET_SUFFIXES):
        schema = reading.parquet_schema(source.path, source.file.where)
        names = [str(each) for each in schema.names]
        noted = _noted(schema.metadata or {})
        found = {each for each in names if is_level(each) or each in noted}
    elif name.endswith((*reading.CSV_SUFFIXES, *reading.LINES_SUFFIXES)):
        _, first = next(iter(_records(source)), ("", {}))
        names = list(first)
        found = set(filter(is_level, names))
    else:
        return frozenset()
    unnamed = {each for each in names if _UNNAMED.fullmatch(each)}
    return found | _numbering_rows(source, unnamed)


def _noted(metadata: dict[bytes, bytes]) -> frozenset[str]:
    """Columns of Parquet that pandas has noted to be the index; a plain range is not stored."""
    try:
        said: Any = json.loads(metadata.get(_PANDAS, b"{}"))
    except (ValueError, RecursionError):
        return frozenset()
    its = said.get("index_columns") if isinstance(said, dict) else None
    return frozenset(each for each in its or () if isinstance(each, str))


def _numbering_rows(source: SourceFile, names: set[str]) -> set[str]:
    """Which of these columns hold whole numbers, none twice: those of a frame's rows.

    Files that were joined with their headers begin anew behind each.
    """
    numbers: dict[str, set[int]] = {name: set() for name in names}
    for _, record in _records(source) if numbers else ():
        for name in list(numbers):
            value = record.get(name)
            if value == name:
                numbers[name].clear()
                continue
            number = _whole(value)
            if number is None or number in numbers[name]:
                del numbers[name]
            else:
                numbers[name].add(number)
        if not numbers:
            break
    return set(numbers)


def _whole(value: object) -> int | None:
    if isinstance(value, str):
        text = value.strip()
        fine = text.isascii() and text.isdigit() and len(text) <= _DIGITS
        return int(text) if fine else None
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _records(source: SourceFile) -> Records:
    """Read apart: what is odd is told once, by whoever reads the rows."""
    return Records.of(replace(source, remarks=Remarks()))

"""The names of a file's columns: which are there, which are meant, which cannot be told apart."""

import re
from collections import Counter
from collections.abc import Sequence
from typing import Final

from maintenance_contract import Columns
from maintenance_trainer.data import partitions
from maintenance_trainer.errors import DataError

MOST_NAMES: Final = 10_000
"""As many as a stored snapshot may list of a file."""
_MOST_NAMED: Final = 20
_MOST_CHARACTERS: Final = 60
_HALF_CHARACTER: Final = re.compile("[\ud800-\udfff]")


def refuse_columns(where: str, columns: Columns, there: Sequence[str]) -> None:
    """Refuse a file that lacks a column that is read, or has it twice.

    Raises:
        DataError: ColumnMissing, DataUnreadable.
    """
    names = set(there)
    for column in columns.used:
        if column not in names:
            raise _column_missing(where, column, there)
    if len(names) < len(there):
        _refuse_doubled(where, columns, there)
    refuse_many(where, len(there))


def _refuse_doubled(where: str, columns: Columns, there: Sequence[str]) -> None:
    counts = Counter(there)
    doubled = (name for name in there if counts[name] > 1 and name.strip())
    column = next(filter(columns.reads, doubled), None)
    if column is None:
        return
    places = [number for number, name in enumerate(there, start=1) if name == column]
    message = (
        f"{where}: the column {column!r} is there twice, as field "
        f"{' and '.join(map(str, places[:3]))}; keep the right one and rename the other."
    )
    raise DataError("DataUnreadable", message)


def refuse_many(where: str, count: int) -> None:
    """Refuse more columns than a snapshot can list.

    Raises:
        DataError: DataUnreadable.
    """
    if count > MOST_NAMES:
        message = (
            f"{where}: more than {MOST_NAMES:,} columns; are values written as names? Keep the "
            "columns that are read."
        )
        raise DataError("DataUnreadable", message)


def storable(name: str) -> str:
    """A name as it can be written in UTF-8."""
    return _HALF_CHARACTER.sub(lambda half: f"\\u{ord(half[0]):04x}", name)


def _column_missing(where: str, column: str, there: Sequence[str]) -> DataError:
    names = ", ".join(map(_shown, there[:_MOST_NAMED]))
    more = f" and {len(there) - _MOST_NAMED} more" if len(there) > _MOST_NAMED else ""
    instead = partitions.instead(where, column)
    message = (
        f"{where}: there is no column {column!r}, only {names or 'none'}{more}; "
        f"{f'{instead}, or ' if instead else ''}name the right one in data.columns."
    )
    return DataError("ColumnMissing", message)


def _shown(name: str) -> str:
    return repr(name if len(name) <= _MOST_CHARACTERS else name[:_MOST_CHARACTERS] + "…")

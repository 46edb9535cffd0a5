"""The index of a data frame, as pandas writes it into files: it names rows, and describes none.

A frame that was filtered or shuffled has its index written to Parquet unasked, and one that was
saved to CSV and read again holds it as ``Unnamed: 0``. Where rows are sorted by what is to be
learnt, a model would learn their numbers. The name alone decides, whatever a file holds, so that a
column is an input in all files or in none. An index that has a name of its own is a column like
others: whoever groups a frame by shop has the shop in its index.
"""

import re
from collections.abc import Iterable
from dataclasses import replace
from itertools import islice
from typing import Final

from maintenance_trainer.data import reading
from maintenance_trainer.data.reading import Records
from maintenance_trainer.data.remarks import Remarks
from maintenance_trainer.data.sources import SourceFile
from maintenance_trainer.errors import DataError

_NAMELESS: Final = re.compile(r"__index_level_\d+__|Unnamed: \d+(\.\d+)*")
"""The names that pandas gives what has none: in Parquet an index, of CSV a column that it reads."""
_LINES: Final = 100
"""Writers of JSON lines leave out what is null, so that one line need not have all columns."""


def is_nameless(name: str) -> bool:
    """Whether pandas has made this name up for an index or a column that had none."""
    return _NAMELESS.fullmatch(name) is not None


def without_index(source: SourceFile) -> tuple[SourceFile, frozenset[str]]:
    """The file without its columns that are an index, and their names.

    A column that the resource names is none. Where the kind reads all columns, it is told.
    """
    columns = source.columns
    named = {*columns.names.values(), *(columns.inputs or ()), *columns.targets}
    try:
        found = frozenset(filter(is_nameless, names_of(source))) - named - columns.unread
    except DataError:  # whoever reads the rows says what is wrong with the file
        return source, frozenset()
    if not found:
        return source, found
    if columns.inputs is not None and not columns.inputs:
        for name in sorted(found):
            what = (
                f"the column {name!r} is the index of a data frame or had no name, and is no input "
                "(unless data.columns.inputs names it)"
            )
            source.remarks.note(what, source.file.where)
    return replace(source, columns=replace(columns, unread=columns.unread | found)), found


def names_of(source: SourceFile) -> Iterable[str]:
    """Names of a file's columns; of JSON lines, those of the first ones.

    Raises:
        DataError: it cannot be read.
    """
    name = source.file.name.lower()
    if name.endswith(reading.PARQUET_SUFFIXES):
        return map(str, reading.parquet_schema(source.path, source.file.where).names)
    if name.endswith((*reading.CSV_SUFFIXES, *reading.LINES_SUFFIXES)):
        # Read apart: what is odd is told once, by whoever reads the rows.
        lines = _LINES if name.endswith(reading.LINES_SUFFIXES) else 1
        some = islice(Records.of(replace(source, remarks=Remarks())), lines)
        return dict.fromkeys(name for _, record in some for name in record)
    return ()

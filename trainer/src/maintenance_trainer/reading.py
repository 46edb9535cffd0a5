"""Records of a data file, one after the other: CSV with a header, JSON lines, Parquet.

Nothing is read whole: a line, or a batch of a Parquet file, is in memory at a time, so a file may
be larger than the memory as long as what is kept of it is not.
"""

import csv
import hashlib
import io
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from maintenance_contract import Columns
from maintenance_trainer import bounds, files
from maintenance_trainer.errors import DataError
from maintenance_trainer.files import shown

if TYPE_CHECKING:
    import _csv

CSV_SUFFIXES: Final = (".csv",)
LINES_SUFFIXES: Final = (".jsonl", ".ndjson")
PARQUET_SUFFIXES: Final = (".parquet",)
SUFFIXES: Final = CSV_SUFFIXES + LINES_SUFFIXES + PARQUET_SUFFIXES
LONGEST_LINE: Final = 16 * 2**20
"""Bytes. Longer is no row of text, but a file that is torn or of another kind."""
_BLOCK: Final = 2**20
_MOST_NAMED: Final = 20
_MARK: Final = b"\xef\xbb\xbf"
csv.field_size_limit(LONGEST_LINE)

Record = Mapping[str, object]


class Records:
    """Iterates over ``(place, record)``; place is like ``line 3``.

    ``columns`` are the names found; with JSON lines they are complete once all is read. ``path``
    is without links (see files.py); ``name`` is the file's own, whose ending tells its format.

    Raises:
        DataError: DataUnreadable, DataEmpty, ColumnMissing, with file and line.
    """

    def __init__(self, path: Path, where: str, columns: Columns, name: str = "") -> None:
        self._path, self._where, self._wanted = path, where, columns
        self._name = name or path.name
        self._names: dict[str, None] = {}

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns."""
        return tuple(self._names)

    def __iter__(self) -> Iterator[tuple[str, Record]]:
        name = self._name.lower()
        if name.endswith(PARQUET_SUFFIXES):
            return _parquet_records(self._path, self._where, self._wanted, self._names)
        read = _csv_records if name.endswith(CSV_SUFFIXES) else _lines_records
        return read(_lines(self._path, self._where), self._where, self._wanted, self._names)


def sha256(path: Path, where: str) -> str:
    """``sha256:…`` of a file's bytes, a block at a time."""
    running = hashlib.sha256()
    try:
        with files.opened(path) as file:
            while block := file.read(_BLOCK):
                running.update(block)
    except OSError as error:
        raise _unreadable(where, error) from None
    return "sha256:" + running.hexdigest()


def _lines(path: Path, where: str) -> Iterator[str]:
    """Lines with their ends. A line feed is never part of another character in UTF-8."""
    number = 0
    try:
        with files.opened(path) as file:
            while line := file.readline(LONGEST_LINE):
                number += 1
                if len(line) == LONGEST_LINE and not line.endswith(b"\n"):
                    message = (
                        f"{where}, line {number}: longer than {LONGEST_LINE} bytes; is this a "
                        "file of rows?"
                    )
                    raise DataError("DataUnreadable", message)
                yield _decode(line.removeprefix(_MARK) if number == 1 else line, where, number)
    except OSError as error:
        raise _unreadable(where, error) from None


def _decode(line: bytes, where: str, number: int) -> str:
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError as error:
        message = (
            f"{where}, line {number}: byte {line[error.start]:#04x} is not UTF-8; "
            "save the file as UTF-8."
        )
        raise DataError("DataUnreadable", message) from None


# --- CSV ---------------------------------------------------------------------------------


def _csv_records(
    lines: Iterable[str], where: str, columns: Columns, names: dict[str, None]
) -> Iterator[tuple[str, Record]]:
    reader = csv.reader(_any_line_end(lines), strict=True)
    try:
        header = next(reader, None)
    except csv.Error as error:
        raise DataError("DataUnreadable", f"{where}, line 1: {error}.") from None
    if not header:
        raise DataError("DataEmpty", f"{where}: the file is empty; remove it or fill it.")
    bounds.refuse_many_columns(f"{where}, line 1", len(header))
    refuse_columns(f"{where}, line 1", columns, header)
    names.update(dict.fromkeys(header))
    yield from _csv_rows(reader, header, where)


def _any_line_end(lines: Iterable[str]) -> Iterator[str]:
    """Lines may also end with a carriage return alone, as old spreadsheets write them."""
    for line in lines:
        if "\r" in line.removesuffix("\n").removesuffix("\r"):
            yield from io.StringIO(line, newline="")
        else:
            yield line


def _csv_rows(reader: "_csv.Reader", header: list[str], where: str) -> Iterator[tuple[str, Record]]:
    line = reader.line_num + 1
    try:
        for record in reader:
            if record and len(record) != len(header):
                message = (
                    f"{where}, line {line}: {len(record)} fields where the header has "
                    f"{len(header)}; the line is torn or a comma is not quoted."
                )
                raise DataError("DataUnreadable", message)
            if record:
                yield f"line {line}", dict(zip(header, record, strict=True))
            line = reader.line_num + 1
    except csv.Error as error:
        raise DataError("DataUnreadable", f"{where}, line {line}: {error}.") from None


# --- JSON lines --------------------------------------------------------------------------


def _lines_records(
    lines: Iterable[str], where: str, columns: Columns, names: dict[str, None]
) -> Iterator[tuple[str, Record]]:
    for line, content in enumerate(lines, start=1):
        if not content.strip():
            continue
        try:
            record = json.loads(content)
        except (ValueError, RecursionError) as error:
            message = f"{where}, line {line}: not JSON: {str(error)[:120]}; the line may be torn."
            raise DataError("DataUnreadable", message) from None
        if not isinstance(record, dict):
            message = f"{where}, line {line}: one JSON object per line is expected."
            raise DataError("DataUnreadable", message)
        if content.count("[") + content.count("{") > bounds.MOST_NESTED and (
            bounds.nested_too_deep(record)
        ):
            message = (
                f"{where}, line {line}: lists or objects nest more than {bounds.MOST_NESTED} deep; "
                "is this a file of rows?"
            )
            raise DataError("DataUnreadable", message)
        refuse_columns(f"{where}, line {line}", columns, list(record))
        names.update(dict.fromkeys(record))
        bounds.refuse_many_columns(where, len(names))
        yield f"line {line}", record


# --- Parquet -----------------------------------------------------------------------------


def _parquet_records(
    path: Path, where: str, columns: Columns, names: dict[str, None]
) -> Iterator[tuple[str, Record]]:
    import pyarrow as pa  # noqa: PLC0415  # a third of a second that CSV need not pay
    from pyarrow import parquet  # noqa: PLC0415

    number = 0
    try:
        with files.opened(path) as raw:
            if not os.fstat(raw.fileno()).st_size:
                raise DataError("DataEmpty", f"{where}: the file is empty; remove it or fill it.")
            metadata = parquet.read_metadata(raw)
            schema = metadata.schema.to_arrow_schema()
            header: list[str] = schema.names
            bounds.refuse_many_columns(where, len(header))
            refuse_columns(where, columns, header)
            names.update(dict.fromkeys(header))
            wanted = [name for name in (columns.text, columns.label, columns.time) if name]
            rows = bounds.parquet_batch(metadata, wanted, where)
            # A text that repeats is kept once, as the file keeps it: a few bytes can say it a
            # million times. A buffer: column chunks are streamed, not read whole.
            file = parquet.ParquetFile(
                raw,
                metadata=metadata,
                read_dictionary=[name for name in wanted if _is_text(schema.field(name).type)],
                buffer_size=_BLOCK,
                pre_buffer=False,
            )
            for batch in file.iter_batches(rows, columns=wanted, use_threads=False):
                values = [_values(batch, name) for name in wanted]
                _refuse_long(values, f"{where}, rows {number + 1} to {number + batch.num_rows}")
                for row in zip(*values, strict=True):
                    number += 1
                    yield f"row {number}", dict(zip(wanted, row, strict=True))
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        after = f", after row {number}" if number else ""
        what = " ".join(str(error).split())[:200]
        message = f"{where}{after}: not Parquet that can be read ({what}); the file may be torn."
        raise DataError("DataUnreadable", message) from None


def _is_text(kind: Any) -> bool:
    """Whether a column can be read as its distinct values and which row has which."""
    import pyarrow as pa  # noqa: PLC0415

    asked = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
    return any(is_one(kind) for is_one in asked)


def _values(batch: Any, name: str) -> list[object]:
    column = batch.column(batch.schema.get_field_index(name))
    if not hasattr(column, "dictionary"):
        values: list[object] = column.to_pylist()
        return values
    distinct = column.dictionary.to_pylist()
    return [None if at is None else distinct[at] for at in column.indices.to_pylist()]


def _refuse_long(values: Iterable[Iterable[object]], where: str) -> None:
    lengths = [len(value) for column in values for value in column if isinstance(value, str)]
    longest = max(lengths, default=0)
    if longest > LONGEST_LINE:
        message = f"{where}: a text of {longest:,} characters; is this a file of rows?"
        raise DataError("DataUnreadable", message)
    bounds.refuse_large_batch(sum(lengths), where)


# --- what is refused alike ---------------------------------------------------------------


def refuse_columns(where: str, columns: Columns, there: Sequence[str]) -> None:
    """Refuse a file that lacks a column, or has a name twice."""
    for column in (columns.text, columns.label, columns.time):
        if column and column not in there:
            raise _column_missing(where, column, there)
    if len(set(there)) != len(there):
        raise DataError("DataUnreadable", f"{where}: a column name occurs twice.")


def _column_missing(where: str, column: str, there: Sequence[str]) -> DataError:
    names = ", ".join(repr(shown(name)) for name in there[:_MOST_NAMED])
    more = f" and {len(there) - _MOST_NAMED} more" if len(there) > _MOST_NAMED else ""
    message = (
        f"{where}: there is no column {column!r}, only {names or 'none'}{more}; "
        "name the right one in data.columns."
    )
    return DataError("ColumnMissing", message)


def _unreadable(where: str, error: OSError) -> DataError:
    return DataError("DataUnreadable", f"{where}: {error.strerror or error}.")

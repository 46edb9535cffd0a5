"""Records of a data file, one after the other: CSV with a header, JSON lines, Parquet.

Nothing is read whole: a line, or a batch of a Parquet file, is in memory at a time, so a file may
be larger than the memory as long as what is kept of it is not.
"""

import base64
import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from maintenance_contract import Columns
from maintenance_trainer import files
from maintenance_trainer.data import bounds
from maintenance_trainer.data.columns import refuse_columns, refuse_many, storable
from maintenance_trainer.data.delimited import csv_records, plain_lines
from maintenance_trainer.data.remarks import Remarks
from maintenance_trainer.data.sources import SourceFile
from maintenance_trainer.errors import DataError

CSV_SUFFIXES: Final = (".csv",)
LINES_SUFFIXES: Final = (".jsonl", ".ndjson")
PARQUET_SUFFIXES: Final = (".parquet",)
SUFFIXES: Final = CSV_SUFFIXES + LINES_SUFFIXES + PARQUET_SUFFIXES
LONGEST_LINE: Final = 16 * 2**20
"""Bytes. Longer is no row of text, but a file that is torn or of another kind."""
_LOOK_AHEAD: Final = 1000, 2**24
"""So many lines of JSON, and characters, are kept until all columns have come; after that the file
is looked through for those that have not."""
_BLOCK: Final = 2**20
_UNREADABLE: Final = (ValueError, OverflowError, LookupError, TypeError)
"""What Arrow raises for values that Python has none for: text that is no UTF-8, the year 300000."""
_ARROW: Final = b"ARROW:schema"
_OTHER_MARKS: Final = (b"\xff\xfe", b"\xfe\xff")

Record = Mapping[str, object]


class Records:
    """Iterates over ``(place, record)``; place is like ``line 3``.

    ``columns`` are the names found; with JSON lines they are complete once all is read. ``path``
    is without links (see files.py); ``name`` is the file's own, whose ending tells its format.
    ``known``: a version was trained on the file, so nothing in it is refused that was not refused
    then.

    Raises:
        DataError: DataUnreadable, DataEmpty, ColumnMissing, with file and line.
    """

    def __init__(
        self,
        path: Path,
        where: str,
        columns: Columns,
        remarks: Remarks | None = None,
        *,
        known: bool = False,
        name: str = "",
    ) -> None:
        self._path, self._where, self._wanted = path, where, columns
        self._name = name or path.name
        self._remarks, self._known = remarks or Remarks(), known
        self._names: dict[str, None] = {}

    @classmethod
    def of(cls, source: SourceFile) -> "Records":
        """Those of a file that is read for a kind of model."""
        return cls(
            source.path,
            source.file.where,
            source.columns,
            source.remarks,
            known=source.known,
            name=source.file.name,
        )

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns."""
        return tuple(map(storable, self._names))

    def __iter__(self) -> Iterator[tuple[str, Record]]:
        name = self._name.lower()
        where, wanted, names = self._where, self._wanted, self._names
        if name.endswith(PARQUET_SUFFIXES):
            return _parquet_records(self._path, where, wanted, names)
        lines = _lines(self._path, where, known=self._known)
        if name.endswith(CSV_SUFFIXES):
            return csv_records(lines, where, wanted, names, self._remarks, known=self._known)
        return self._lines_records(lines)

    def _lines_records(self, lines: Iterable[str]) -> Iterator[tuple[str, Record]]:
        """What a line leaves out and others have is empty: so Spark and BigQuery write null.

        Raises:
            DataError: DataUnreadable; ColumnMissing, where no line has a column that is read.
        """
        columns, names = self._wanted, self._names
        waiting: list[tuple[str, Record]] = []
        most, room = _LOOK_AHEAD
        first, complete = "", False
        for line, content, record in self._objects(lines):
            names.update(dict.fromkeys(record))
            refuse_many(f"{self._where}, line {line}", len(names))
            lacking = [name for name in columns.used if name not in record]
            complete = complete or not lacking or names.keys() >= set(columns.used)
            first = first or f"{self._where}, line {line}"
            room -= len(content)
            waiting.append((f"line {line}", record | dict.fromkeys(lacking) if lacking else record))
            if not complete and (len(waiting) >= most or room < 0):
                self._look_on(first)
                complete = True
            if complete:
                yield from waiting
                waiting.clear()
        if first and not complete:
            refuse_columns(first, columns, list(names))

    def _look_on(self, first: str) -> None:
        """Read the file as far as it takes to meet all columns, and keep their names alone.

        What follows would blame a line for lacking what the whole file lacks.

        Raises:
            DataError: DataUnreadable; ColumnMissing, where no line has a column that is read.
        """
        met: dict[str, None] = {}
        wanted = set(self._wanted.used)
        for line, _, record in self._objects(_lines(self._path, self._where, known=self._known)):
            met.update(dict.fromkeys(record))
            refuse_many(f"{self._where}, line {line}", len(met))
            if met.keys() >= wanted:
                return
        refuse_columns(first, self._wanted, list(met))

    def _objects(self, lines: Iterable[str]) -> Iterator[tuple[int, str, dict[str, object]]]:
        return _objects(lines, self._where, self._wanted, known=self._known)


def parquet_schema(path: Path, where: str, *, as_written: bool = False) -> Any:
    """The schema of a Parquet file, with what its writer has noted there.

    Args:
        path: the file.
        where: the same for messages.
        as_written: with the types that Arrow has written, where it did: it reads numbers in a
            dictionary back as numbers.

    Raises:
        DataError: DataUnreadable.
    """
    import pyarrow as pa  # noqa: PLC0415  # a third of a second that CSV need not pay
    from pyarrow import parquet  # noqa: PLC0415

    try:
        with files.opened(path) as raw:
            schema = parquet.read_schema(raw)
            noted = (parquet.read_metadata(raw).metadata or {}).get(_ARROW) if as_written else None
            if noted is None:
                return schema
            return pa.ipc.read_schema(pa.py_buffer(base64.b64decode(noted)))
    except (pa.ArrowException, OSError, *_UNREADABLE) as error:
        raise _no_parquet(where, error) from None


def sha256(path: Path, where: str) -> str:
    """``sha256:…`` of a file's bytes, a block at a time."""
    try:
        return files.sha256(path)
    except OSError as error:
        raise _unreadable(where, error) from None


def _lines(path: Path, where: str, *, known: bool) -> Iterator[str]:
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
                yield _decode(line, where, number, known=known)
    except OSError as error:
        raise _unreadable(where, error) from None


def _decode(line: bytes, where: str, number: int, *, known: bool) -> str:
    try:
        if number == 1 and line.startswith(_OTHER_MARKS):
            message = f"{where}: the file is in UTF-16; save the file as UTF-8."
            raise DataError("DataUnreadable", message)
        text = line.decode("utf-8")
    except UnicodeDecodeError as error:
        byte = line[error.start : error.start + 1]
        meant = byte.decode("cp1252", "replace")
        perhaps = f" (in Windows-1252 it is {meant!r})" if meant.isprintable() else ""
        message = (
            f"{where}, line {number}: byte {byte[0]:#04x} is not UTF-8{perhaps}; "
            "save the file as UTF-8."
        )
        raise DataError("DataUnreadable", message) from None
    if "\0" in text and not known:
        message = (
            f"{where}, line {number}: there are NUL characters; is the file in UTF-16, or no "
            "text? Save the file as UTF-8."
        )
        raise DataError("DataUnreadable", message)
    return text


# --- JSON lines --------------------------------------------------------------------------


def _objects(
    lines: Iterable[str], where: str, columns: Columns, *, known: bool
) -> Iterator[tuple[int, str, dict[str, object]]]:
    """The number of each line that is not blank, its text and its object."""
    objects = _Objects()
    decoder = json.JSONDecoder(object_pairs_hook=objects)
    for line, content in enumerate(plain_lines(lines), start=1):
        if not content.strip():
            continue
        place = f"{where}, line {line}"
        try:
            record = decoder.decode(content)
        except (ValueError, RecursionError) as error:
            message = f"{place}: not JSON: {str(error)[:120]}; the line may be torn."
            raise DataError("DataUnreadable", message) from None
        if not isinstance(record, dict):
            message = f"{place}: one JSON object per line is expected."
            raise DataError("DataUnreadable", message)
        if content.count("[") + content.count("{") > bounds.MOST_NESTED and (
            bounds.nested_too_deep(record)
        ):
            message = (
                f"{place}: lists or objects nest more than {bounds.MOST_NESTED} deep; "
                "is this a file of rows?"
            )
            raise DataError("DataUnreadable", message)
        doubled = [name for name in objects.twice if columns.reads(name)]
        if doubled and not known:
            message = f"{place}: the key {doubled[0]!r} is there twice; keep the right one."
            raise DataError("DataUnreadable", message)
        yield line, content, record


class _Objects:
    """Makes objects; ``twice`` are the keys that the last one, the outermost, has twice."""

    def __init__(self) -> None:
        self.twice: tuple[str, ...] = ()

    def __call__(self, pairs: list[tuple[str, object]]) -> dict[str, object]:
        found = dict(pairs)
        self.twice = ()
        if len(found) != len(pairs):
            counts = Counter(name for name, _ in pairs)
            self.twice = tuple(name for name, count in counts.items() if count > 1)
        return found


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
            refuse_columns(where, columns, header)
            names.update(dict.fromkeys(header))
            wanted = tuple(filter(columns.reads, header))
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
            fields = map(file.schema_arrow.field, wanted)
            lengthy = [at for at, field in enumerate(fields) if not _is_number(field.type)]
            for batch in file.iter_batches(rows, columns=list(wanted), use_threads=False):
                values = [_values(batch, name, where, number) for name in wanted]
                _refuse_long(
                    [values[at] for at in lengthy],
                    f"{where}, rows {number + 1} to {number + batch.num_rows}",
                )
                for row in zip(*values, strict=True):
                    number += 1
                    yield f"row {number}", dict(zip(wanted, row, strict=True))
    except (pa.ArrowException, OSError, *_UNREADABLE) as error:
        after = f", after row {number}" if number else ""
        raise _no_parquet(where + after, error) from None


def _no_parquet(where: str, error: Exception) -> DataError:
    what = " ".join(str(error).split())[:200]
    message = f"{where}: not Parquet that can be read ({what}); the file may be torn."
    return DataError("DataUnreadable", message)


def _is_text(kind: Any) -> bool:
    """Whether a column can be read as its distinct values and which row has which."""
    import pyarrow as pa  # noqa: PLC0415

    asked = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
    return any(is_one(kind) for is_one in asked)


def _values(batch: Any, name: str, where: str, before: int) -> list[object]:
    """The values of a column; ``before`` rows came before the batch.

    Raises:
        DataError: DataUnreadable, a value that Python has no value for.
    """
    column = batch.column(batch.schema.get_field_index(name))
    try:
        if hasattr(column, "dictionary"):
            distinct = _plain(column.dictionary).to_pylist()
            return [None if at is None else distinct[at] for at in column.indices.to_pylist()]
        if _is_number(column.type):
            return _numbers(column)
        values: list[object] = _plain(column).to_pylist()
    except _UNREADABLE:
        return _one_by_one(column, name, where, before)
    return values


def _is_number(kind: Any) -> bool:
    """Whether it is a number that numpy has a type for."""
    import pyarrow as pa  # noqa: PLC0415

    types = pa.types
    return bool(types.is_integer(kind) or types.is_float32(kind) or types.is_float64(kind))


def _numbers(column: Any) -> list[object]:
    """Numbers as Python has them, in a tenth of the time of ``to_pylist``."""
    missing = column.null_count
    filled = column.fill_null(0) if missing else column
    values: list[object] = filled.to_numpy(zero_copy_only=False).tolist()
    if missing:
        for place in column.is_null().to_numpy(zero_copy_only=False).nonzero()[0].tolist():
            values[place] = None
    return values


def _one_by_one(column: Any, name: str, where: str, before: int) -> list[object]:
    """The same value by value, so that the one that cannot be read has a place."""
    values: list[object] = []
    for number, value in enumerate(column, start=before + 1):
        try:
            values.append(value.as_py())
        except _UNREADABLE as error:
            what = " ".join(str(error).split())[:120]
            kind = getattr(column.type, "value_type", column.type)
            message = (
                f"{where}, row {number}, column {name!r}: a value of type {kind} cannot "
                f"be read ({what}); mend the row or leave it out."
            )
            raise DataError("DataUnreadable", message) from None
    return values


def _refuse_long(values: Iterable[Iterable[object]], where: str) -> None:
    every = [value for column in values for value in column]
    lengths = [len(value) for value in every if isinstance(value, str)]
    longest = max(lengths, default=0)
    if longest > LONGEST_LINE:
        message = f"{where}: a text of {longest:,} characters; is this a file of rows?"
        raise DataError("DataUnreadable", message)
    bounds.refuse_large_batch(sum(lengths) + sum(map(_bytes, every)), where)


def _bytes(value: object) -> int:
    """Of binary data, alone or in an object."""
    inner = value.values() if isinstance(value, dict) else (value,)
    return sum(len(each) for each in inner if isinstance(each, bytes))


def _plain(column: Any) -> Any:
    """Times as Python has them: microseconds (the rest is cut), and in UTC whatever the zone."""
    import pyarrow as pa  # noqa: PLC0415

    if pa.types.is_timestamp(column.type):
        zone = column.type.tz and "UTC"
        unit = "us" if column.type.unit == "ns" else column.type.unit
        column = column.cast(pa.timestamp(unit, zone), safe=False)
    return column


def _unreadable(where: str, error: OSError) -> DataError:
    return DataError("DataUnreadable", f"{where}: {error.strerror or error}.")

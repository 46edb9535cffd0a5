"""Labelled rows: read, made unique, split. The same files always give the same rows and sides.

Files are CSV (with a header line) or JSON lines, in UTF-8. A file counts once it is settled: names
that begin with a dot or end like a file that is still being written are left alone.
"""

import csv
import hashlib
import io
import json
import math
import os
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Final

from maintenance_contract import Columns, DataRef, Holdout, RowCounts, StorageUri
from maintenance_contract.codec import Fields, canonical, digest, load
from maintenance_trainer.errors import ConfigurationError, DataError

if TYPE_CHECKING:
    import _csv

CSV_SUFFIXES: Final = (".csv",)
LINES_SUFFIXES: Final = (".jsonl", ".ndjson")
UNSETTLED_SUFFIXES: Final = (".tmp", ".part", ".partial", ".crdownload", ".swp", "~")
UNSETTLED_NAMES: Final = ("lost+found",)
SNAPSHOT_VERSION: Final = 1
SEED: Final = 42
"""Of every sample and every training; part of the snapshot."""
_NOT_A_LABEL: Final = frozenset({"", "nan", "none", "null"})
_BUCKETS: Final = 10_000
_MOST_NAMED: Final = 20
csv.field_size_limit(16 * 2**20)


class Origin(StrEnum):
    """Where a file lies."""

    ORIGINAL = "original"
    UPDATES = "updates"


@dataclass(frozen=True, slots=True)
class DataFile:
    """A file of the snapshot. ``new``: the champion was not trained on it."""

    origin: Origin
    name: str
    digest: str
    rows: int
    new: bool
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """A labelled text. ``key`` is the SHA-256 of the normalised text alone."""

    text: str
    label: str
    key: str
    origin: Origin
    new: bool

    def held_out(self, holdout: Holdout) -> bool:
        """Whether this text is never trained on, under these percentages."""
        bucket = int(self.key[:16], 16) % _BUCKETS
        return bucket * 100 < percent_of(holdout, self.origin) * _BUCKETS


@dataclass(frozen=True, slots=True)
class Recurrence:
    """Texts of old rows that come again in new ones, and how many come with another label."""

    n: int
    relabelled: int


@dataclass(frozen=True, slots=True)
class Dataset:
    """The snapshot's rows by age and side. Exact duplicates are gone, the newest stays."""

    new_train: tuple[Row, ...]
    new_held_out: tuple[Row, ...]
    old_train: tuple[Row, ...]
    old_held_out: tuple[Row, ...]
    recurrence: Recurrence

    @property
    def rows(self) -> tuple[Row, ...]:
        """All of them."""
        return self.new_train + self.new_held_out + self.old_train + self.old_held_out

    @property
    def counts(self) -> RowCounts:
        """Rows by age and side."""
        return RowCounts(
            len(self.new_train), len(self.new_held_out), len(self.old_train), len(self.old_held_out)
        )


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Which files, in which state, split how. Its digest names it.

    ``champion_holdout`` are the percentages under which the champion was trained: old rows that
    they did not hold out are no fair test of it.
    """

    files: tuple[DataFile, ...]
    columns: Columns
    holdout: Holdout
    champion_holdout: Holdout | None
    counts: RowCounts

    def to_json(self) -> str:
        """The canonical spelling, as it lies in ``runs/<n>/data.json``."""
        return canonical(
            {
                "version": SNAPSHOT_VERSION,
                "files": [
                    {
                        "origin": file.origin.value,
                        "name": file.name,
                        "digest": file.digest,
                        "rows": file.rows,
                        "new": file.new,
                        "columns": list(file.columns),
                    }
                    for file in self.files
                ],
                "columns": {"text": self.columns.text, "label": self.columns.label},
                "split": {
                    "by": "sha256 of the normalised text",
                    "seed": SEED,
                    **holdout_document(self.holdout),
                },
                "championSplit": self.champion_holdout and holdout_document(self.champion_holdout),
                "rows": counts_document(self.counts),
            }
        )

    @property
    def digest(self) -> str:
        """``sha256:…`` of the canonical spelling."""
        return digest(self.to_json())

    @classmethod
    def from_json(cls, text: str) -> "Snapshot":
        """Read a stored snapshot.

        Raises:
            ContractError: it is no snapshot of this version.
        """
        fields = load(text, version=SNAPSHOT_VERSION, kind="snapshot")
        columns, rows = fields.fields("columns"), fields.fields("rows")
        return cls(
            files=tuple(
                DataFile(
                    file.one_of("origin", Origin),
                    file.string("name", most=4096),
                    file.string("digest"),
                    file.integer("rows"),
                    file.boolean("new"),
                    file.strings("columns"),
                )
                for file in fields.items("files", most=1_000_000)
            ),
            columns=Columns(columns.string("text"), columns.string("label")),
            holdout=read_holdout(fields.fields("split")),
            champion_holdout=fields.optional(
                "championSplit", lambda key: read_holdout(fields.fields(key))
            ),
            counts=RowCounts(
                rows.integer("newTrain"),
                rows.integer("newHeldOut"),
                rows.integer("oldTrain"),
                rows.integer("oldHeldOut"),
            ),
        )


def read_holdout(fields: Fields) -> Holdout:
    """The inverse of ``holdout_document``."""
    return Holdout(fields.integer("originalPercent"), fields.integer("updatesPercent"))


def percent_of(holdout: Holdout, origin: Origin) -> int:
    """Per cent of rows of an origin that are never trained on."""
    return holdout.original_percent if origin is Origin.ORIGINAL else holdout.updates_percent


def holdout_document(holdout: Holdout) -> dict[str, int]:
    """As it is written into snapshots and manifests."""
    return {"originalPercent": holdout.original_percent, "updatesPercent": holdout.updates_percent}


def counts_document(counts: RowCounts) -> dict[str, int]:
    """As it is written into snapshots and manifests."""
    return {
        "newTrain": counts.new_train,
        "newHeldOut": counts.new_held_out,
        "oldTrain": counts.old_train,
        "oldHeldOut": counts.old_held_out,
    }


def take_snapshot(
    data: DataRef, claims_root: str, *, known: frozenset[str], champion_holdout: Holdout | None
) -> tuple[Snapshot, Dataset]:
    """Read everything that is settled.

    Args:
        data: where the data lie and how they are read.
        claims_root: where volume claims are mounted.
        known: digests of the files that the champion was trained on.
        champion_holdout: the percentages under which it was trained; None without a champion.

    Raises:
        DataError: with file, line and column.
    """
    files: list[DataFile] = []
    rows: list[Row] = []
    for origin in Origin:
        root = _root(data, origin, claims_root)
        for path in _settled(root, origin, data):
            name = path.relative_to(root).as_posix()
            content, its_digest = _content(path, f"{origin}/{name}")
            new = origin is Origin.UPDATES and its_digest not in known
            header, its_rows = _parse(content, origin, name, data.columns, new=new)
            files.append(DataFile(origin, name, its_digest, len(its_rows), new, header))
            rows.extend(its_rows)
    _refuse_nothing(files, data)
    dataset = split(rows, data.holdout, champion_holdout)
    return Snapshot(
        tuple(files), data.columns, data.holdout, champion_holdout, dataset.counts
    ), dataset


def read_again(snapshot: Snapshot, data: DataRef, claims_root: str, run: int) -> Dataset:
    """The rows of a snapshot, no matter what has arrived since.

    Raises:
        ConfigurationError: SnapshotChanged, naming the file that is gone or was rewritten.
    """
    rows: list[Row] = []
    for file in snapshot.files:
        path = _root(data, file.origin, claims_root) / file.name
        content, its_digest = _content(path, "") if path.is_file() else (b"", "")
        if its_digest != file.digest:
            message = (
                f"{file.origin}/{file.name} {'was rewritten' if its_digest else 'is gone'} "
                f"since run {run} took its snapshot; never change a file once it is there, "
                "add another. A new run is needed."
            )
            raise ConfigurationError("SnapshotChanged", message)
        rows += _parse(content, file.origin, file.name, snapshot.columns, new=file.new)[1]
    return split(rows, snapshot.holdout, snapshot.champion_holdout)


def split(rows: Sequence[Row], holdout: Holdout, champion_holdout: Holdout | None) -> Dataset:
    """Make rows unique and put each on its side.

    A text that is held out anywhere is trained on nowhere: an old copy of a held-out new text
    leaves the training side without becoming a held-out old row, for the champion has seen it.
    """
    unique = {(row.key, row.label): row for row in sorted(rows, key=lambda row: row.new)}
    sealed = {row.key for row in unique.values() if row.held_out(holdout)}
    new_train: list[Row] = []
    new_held_out: list[Row] = []
    old_train: list[Row] = []
    old_held_out: list[Row] = []
    for row in unique.values():
        if row.key not in sealed:
            (new_train if row.new else old_train).append(row)
        elif row.new:
            if row.held_out(holdout):
                new_held_out.append(row)
        elif row.held_out(holdout) and (champion_holdout is None or row.held_out(champion_holdout)):
            old_held_out.append(row)
    return Dataset(
        tuple(new_train),
        tuple(new_held_out),
        tuple(old_train),
        tuple(old_held_out),
        _recurrence(rows),
    )


def normalise(text: str) -> str:
    """The text as it is compared: Unicode NFKC, case folded, blanks collapsed."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def make_row(text: str, label: str, origin: Origin, *, new: bool) -> Row:
    """A row with its key."""
    key = hashlib.sha256(normalise(text).encode("utf-8", "surrogatepass")).hexdigest()
    return Row(text, label, key, origin, new)


def _recurrence(rows: Sequence[Row]) -> Recurrence:
    before: dict[str, set[str]] = {}
    for row in rows:
        if not row.new:
            before.setdefault(row.key, set()).add(row.label)
    again = {(row.key, row.label) for row in rows if row.new and row.key in before}
    return Recurrence(len(again), sum(label not in before[key] for key, label in again))


def _root(data: DataRef, origin: Origin, claims_root: str) -> Path:
    uri = data.original if origin is Origin.ORIGINAL else data.updates
    return Path(StorageUri.parse(uri).local_path(claims_root))


def _settled(root: Path, origin: Origin, data: DataRef) -> list[Path]:
    if not root.is_dir():
        uri = data.original if origin is Origin.ORIGINAL else data.updates
        message = (
            f"data.{origin}: the folder {uri} does not exist; mend the URI, or create the "
            f"folder{' (it may be empty)' if origin is Origin.UPDATES else ''}."
        )
        raise DataError("DataMissing", message)
    found = []
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if _is_settled(name))
        found += [
            Path(folder, name)
            for name in names
            if _is_settled(name) and name.lower().endswith(CSV_SUFFIXES + LINES_SUFFIXES)
        ]
    return sorted(found)


def _is_settled(name: str) -> bool:
    return not (
        name.startswith(".") or name.lower().endswith(UNSETTLED_SUFFIXES) or name in UNSETTLED_NAMES
    )


def _refuse_nothing(files: Sequence[DataFile], data: DataRef) -> None:
    if not any(file.origin is Origin.ORIGINAL for file in files):
        message = (
            f"data.original: {data.original} holds no settled .csv, .jsonl or .ndjson file; "
            "put the labelled rows of the first training there."
        )
        raise DataError("DataEmpty", message)


def _content(path: Path, where: str) -> tuple[bytes, str]:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError("DataUnreadable", f"{where}: {error.strerror or error}.") from None
    return content, "sha256:" + hashlib.sha256(content).hexdigest()


def _parse(
    content: bytes,
    origin: Origin,
    name: str,
    columns: Columns,
    *,
    new: bool,
) -> tuple[tuple[str, ...], list[Row]]:
    where = f"{origin}/{name}"
    read = _csv_records if name.lower().endswith(CSV_SUFFIXES) else _lines_records
    header, records = read(_decode(content, where), where, columns)
    rows = [
        make_row(*_cells(record, columns, f"{where}, line {line}"), origin, new=new)
        for line, record in records
    ]
    if not rows:
        raise DataError("DataEmpty", f"{where}: the file holds no rows; remove it or fill it.")
    return header, rows


def _decode(content: bytes, where: str) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        message = (
            f"{where}, line {line}: byte {error.object[error.start]:#04x} is not UTF-8; "
            "save the file as UTF-8."
        )
        raise DataError("DataUnreadable", message) from None


def _csv_records(
    text: str,
    where: str,
    columns: Columns,
) -> tuple[tuple[str, ...], Iterator[tuple[int, Mapping[str, object]]]]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = next(reader, None)
    except csv.Error as error:
        raise DataError("DataUnreadable", f"{where}, line 1: {error}.") from None
    if not header:
        raise DataError("DataEmpty", f"{where}: the file is empty; remove it or fill it.")
    for column in (columns.text, columns.label):
        if column not in header:
            raise _column_missing(f"{where}, line 1", column, header)
    if len(set(header)) != len(header):
        raise DataError("DataUnreadable", f"{where}, line 1: a column name occurs twice.")
    return tuple(header), _csv_rows(reader, header, where)


def _csv_rows(
    reader: "_csv.Reader",
    header: list[str],
    where: str,
) -> Iterator[tuple[int, Mapping[str, object]]]:
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
                yield line, dict(zip(header, record, strict=True))
            line = reader.line_num + 1
    except csv.Error as error:
        raise DataError("DataUnreadable", f"{where}, line {line}: {error}.") from None


def _lines_records(
    text: str,
    where: str,
    columns: Columns,
) -> tuple[tuple[str, ...], Iterator[tuple[int, Mapping[str, object]]]]:
    records: list[tuple[int, Mapping[str, object]]] = []
    names: dict[str, None] = {}
    for line, content in enumerate(text.split("\n"), start=1):
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
        for column in (columns.text, columns.label):
            if column not in record:
                raise _column_missing(f"{where}, line {line}", column, list(record))
        names.update(dict.fromkeys(record))
        records.append((line, record))
    return tuple(names), iter(records)


def _column_missing(where: str, column: str, there: Sequence[str]) -> DataError:
    names = ", ".join(repr(name) for name in there[:_MOST_NAMED])
    more = f" and {len(there) - _MOST_NAMED} more" if len(there) > _MOST_NAMED else ""
    message = (
        f"{where}: there is no column {column!r}, only {names or 'none'}{more}; "
        "name the right one in data.columns."
    )
    return DataError("ColumnMissing", message)


def _cells(record: Mapping[str, object], columns: Columns, where: str) -> tuple[str, str]:
    text, label = record[columns.text], record[columns.label]
    if text is not None and not isinstance(text, str):
        message = f"{where}, column {columns.text!r}: a text is expected, not {str(text)[:40]!r}."
        raise DataError("DataUnreadable", message)
    spelled = _label(label)
    if spelled is None:
        message = f"{where}, column {columns.label!r}: a text or a whole number is expected."
        raise DataError("DataUnreadable", message)
    if spelled.lower() in _NOT_A_LABEL:
        message = (
            f"{where}, column {columns.label!r}: the label is missing "
            f"({str(label)[:20]!r}); label the row or leave it out."
        )
        raise DataError("LabelMissing", message)
    return text or "", spelled


def _label(value: object) -> str | None:
    """A label's spelling; None for what cannot be one."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int):
        return str(value).strip()
    return None

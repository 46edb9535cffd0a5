"""What one file holds of series: a stamp, numbers and a label in each row, by column."""

from array import array
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final

from typing_extensions import override  # typing has it from Python 3.12 on

from maintenance_trainer.data import dates, labels
from maintenance_trainer.data.cells import Record, kind_of
from maintenance_trainer.data.rows import Row
from maintenance_trainer.data.sources import SourceFile
from maintenance_trainer.errors import DataError

EARLIEST: Final = datetime(1700, 1, 1, tzinfo=UTC)
MOST: Final = 3.4e38
MISSING: Final = frozenset(
    {"", "na", "n/a", "#n/a", "nan", "-nan", "null", "none", "<na>", "nil", "#na", "nat"}
    | labels.NOTHING
)
"""As pandas, databases and others write nothing; case apart."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_NAN: Final = float("nan")
_SHOWN: Final = 40


@dataclass(slots=True, eq=False)
class Table:
    """The rows of one file, in its order; ``channels`` by name, NaN where nothing is.

    ``header`` are all its columns, complete once it is read.
    """

    where: str
    known: bool
    header: tuple[str, ...] = ()
    stamps: "array[int]" = field(default_factory=lambda: array("q"))
    names: "array[int]" = field(default_factory=lambda: array("l"))
    places: list[str] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    channels: dict[str, "array[float]"] = field(default_factory=dict)
    series: dict[str, int] = field(default_factory=dict)
    """Names of series, by their numbers."""
    ways: dict[str, str] = field(default_factory=dict)
    """How its times are written, and where each way is first."""

    def __len__(self) -> int:
        return len(self.stamps)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamped(Row):
    """A row of a file, which is to become a part of windows.

    ``targets`` are the channels that the resource wants told; empty: all.
    """

    table: Table
    at: int
    width: int
    targets: tuple[str, ...] = ()

    @property
    @override
    def size(self) -> int:
        """Of its numbers."""
        return 8 * (self.width + 4)


class TableBuilder:
    """Takes in the records of one file.

    Args:
        source: the file.
    """

    def __init__(self, source: SourceFile) -> None:
        self.table = Table(source.file.where, source.known)
        self._source, self._columns = source, source.columns
        self._csv = source.file.name.lower().endswith(".csv")
        self._roles = set(self._columns.names.values())
        self._strangers: set[str] = set()

    def add(self, record: Record, place: str) -> datetime | None:
        """Take in a row; its time, or None for a line that repeats the header.

        Raises:
            DataError: DataUnreadable, TimeUnreadable, with file, line and column.
        """
        table, where = self.table, f"{self.table.where}, {place}"
        time_cell = record[self._columns.time]
        if isinstance(time_cell, str) and self._is_header(record, time_cell, where):
            return None
        stamp = self._time(time_cell, where)
        if not record.keys() <= table.channels.keys() | self._roles | self._strangers:
            self._meet(record)
        for name, values in table.channels.items():
            values.append(self._number(record.get(name), name, where))
        table.stamps.append((stamp - _EPOCH) // _MICROSECOND)
        table.names.append(self._series(record, where))
        table.labels.append(self._label(record, where))
        table.places.append(place)
        return stamp

    def _meet(self, record: Record) -> None:
        """Columns that are new in this file: those of earlier rows hold nothing."""
        for name in record:
            if name in self.table.channels or name in self._roles or name in self._strangers:
                continue
            if self._columns.is_input(name) and name.strip():
                self.table.channels[name] = array("d", [_NAN]) * len(self.table)
                continue
            if not name.strip():
                what = "a column without a name is no channel (the index of a data frame?)"
                self._source.remarks.note(what, self.table.where)
            self._strangers.add(name)

    def _is_header(self, record: Record, cell: str, where: str) -> bool:
        if cell.strip() != self._columns.time.strip():
            return False
        if all(str(value).strip() == name.strip() for name, value in record.items()):
            self._source.remarks.note("the header again, left out; were files joined?", where)
            return True
        return False

    def _time(self, value: object, where: str) -> datetime:
        column = self._columns.time
        dated = dates.of(value, where, column, EARLIEST)
        ways = self.table.ways
        if dated.way in ways:
            return dated.time
        ways[dated.way] = where
        if len(ways) == 1:
            return dated.time
        (before, first), *_ = ways.items()
        of_both = all(not ways.keys().isdisjoint(each) for each in (dates.ZONED, dates.UNZONED))
        if of_both and not self.table.known:
            message = (
                f"{where}, column {column!r}: {str(value)[:_SHOWN]!r} is {dated.way}, and "
                f"{first} has {before}: which came first cannot be told. Write all times of the "
                "file with a zone, like 2026-11-23T18:00:00Z, or none."
            )
            raise DataError("TimeUnreadable", message)
        what = (
            f"column {column!r} holds {dated.way}, and {before} in {first}: one way to write "
            "times is safer (without a zone, a time is in UTC)"
        )
        self._source.remarks.note(what, where)
        return dated.time

    def _series(self, record: Record, where: str) -> int:
        column = self._columns.names.get("series")
        if column is None:
            return self.table.series.setdefault("", 0)
        name = labels.spelled(record[column])
        if not name:
            what = "is missing" if name == "" else f"is {kind_of(record[column])}"
            message = (
                f"{where}, column {column!r}: the name of the series {what}; write a text or a "
                "whole number, or leave data.columns.series out if all rows are of one series."
            )
            raise DataError("DataUnreadable", message)
        if not self.table.known and (fault := labels.fault(name)):
            message = (
                f"{where}, column {column!r}: the name of the series {name[:_SHOWN]!r} {fault}; "
                "mend the row or leave it out."
            )
            raise DataError("DataUnreadable", message)
        if name.casefold() in MISSING and name not in self.table.series:
            what = "a series with a name that some programs write for none: are its rows of one?"
            self._source.remarks.note(what, f"{where}, column {column!r}: {name[:_SHOWN]!r}")
        return self.table.series.setdefault(name, len(self.table.series))

    def _label(self, record: Record, where: str) -> str:
        column = self._columns.names.get("label")
        if column is None:
            return ""
        label = labels.spelled(record[column])
        if label is None:
            message = (
                f"{where}, column {column!r}: a text or a whole number is expected, not "
                f"{kind_of(record[column])} ({str(record[column])[:_SHOWN]!r}); write labels as "
                "strings, and leave the cell empty where the label is not known."
            )
            raise DataError("DataUnreadable", message)
        learnt = label.casefold() in labels.NOTHING and label in self._source.champion_labels
        if not learnt and (label.casefold() in MISSING or not labels.visible(label)):
            if label:
                what = "that is written for nothing and counts as no label; call no class so"
                self._source.remarks.note(what, f"{where}, column {column!r}: {label[:_SHOWN]!r}")
            return ""
        if not self.table.known and (fault := labels.fault(label)):
            message = (
                f"{where}, column {column!r}: the label {label[:_SHOWN]!r} {fault}; mend the row "
                "or leave it out."
            )
            raise DataError("DataUnreadable", message)
        return label

    def _number(self, value: object, name: str, where: str) -> float:
        match value:
            case None:
                return _NAN
            case str() if self._csv:
                return self._of_text(value, name, where)
            case bool():
                return float(value)
            case int() | float() | Decimal():
                number = _float(value)
            case str() if value.strip().casefold() in MISSING:
                return _NAN
            case _:
                raise self._no_number(value, name, where)
        if abs(number) > MOST:  # of NaN it is not
            raise self._no_number(value, name, where)
        return number

    def _of_text(self, text: str, name: str, where: str) -> float:
        try:
            number = float(text)
        except ValueError:
            if text.strip().casefold() in MISSING:
                return _NAN
            if text.strip().casefold() in {"true", "false"}:
                return float(text.strip().casefold() == "true")
            raise self._no_number(text, name, where) from None
        if abs(number) > MOST or not _as_written(text, known=self.table.known):
            raise self._no_number(text, name, where)
        return number

    def _no_number(self, value: object, name: str, where: str) -> DataError:
        text = str(value)
        number = isinstance(value, int | float | Decimal) or (self._csv and _is_number(text))
        what = "no finite number of at most 3.4e38" if number else "no number"
        named = self._columns.inputs
        instead = (
            "leave the cell empty, or leave the column out of data.columns.inputs"
            if named
            else "leave the cell empty, or name the channels in data.columns.inputs without it"
        )
        message = f"{where}, column {name!r}: {text[:_SHOWN]!r} is {what}; write one, or {instead}."
        return DataError("DataUnreadable", message)


def _float(value: float | Decimal) -> float:
    try:
        return float(value)
    except OverflowError:
        return float("inf")


def _as_written(text: str, *, known: bool) -> bool:
    """Whether others write numbers so; Python also reads ``1_000`` and digits of any script."""
    return "_" not in text and (known or text.isascii() or text.strip().isascii())


def _is_number(text: str) -> bool:
    """Whether a text is a number in any spelling that people use, infinity among them."""
    try:
        float(text)
    except ValueError:
        return False
    return _as_written(text, known=False)

"""What a record says: content, label, time. Or why it is no row, or none that is read."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Final, Generic, TypeVar

from maintenance_contract import Columns
from maintenance_trainer.data import dates, labels
from maintenance_trainer.data.remarks import Remarks
from maintenance_trainer.data.repeated_header import RepeatedHeader
from maintenance_trainer.errors import DataError

Record = Mapping[str, object]
C = TypeVar("C")
_KINDS: Final = {
    bool: "true or false",
    int: "a number",
    float: "a number",
    Decimal: "a number",
    bytes: "binary data",
    list: "a list",
    dict: "an object",
}
_SHOWN: Final = 40


@dataclass(frozen=True, slots=True)
class Cells(Generic[C]):
    """What is read of one row; ``time`` is None where the column is not read."""

    content: C
    label: str
    time: datetime | None


@dataclass(slots=True)
class CellReader(Generic[C]):
    """Reads the records of one file.

    ``content`` makes the input of a record, which stands at a place; ``spelled`` a label of its
    cell, which is ``expected`` to be so. ``known``: a version was
    trained on this file, so nothing in it is refused that was not refused then; rules may have
    become stricter since. ``classes`` are those of the model in service: they are labels.
    """

    file: str
    columns: Columns
    known: bool
    remarks: Remarks
    content: Callable[[Record, str], C]
    spelled: Callable[[object], str | None] = labels.spelled
    expected: str = "a text or a whole number"
    classes: Collection[str] = ()
    _ways: dict[str, str] = field(default_factory=dict)
    _header: RepeatedHeader = field(init=False)

    def __post_init__(self) -> None:
        columns = self.columns
        self.classes = frozenset(self.classes)  # asked for each row
        self._header = RepeatedHeader(
            columns, columns["label"], self.remarks, known=self.known, classes=self.classes
        )

    @property
    def instead(self) -> str:
        """What to write where a label is none."""
        numbers = self.spelled is not labels.spelled
        return "mend the row or leave it out" if numbers else "write labels as strings"

    def read(self, place: str, record: Record) -> Cells[C] | None:
        """The cells of a row; None for a line that repeats the header.

        Raises:
            DataError: DataUnreadable, LabelMissing, TimeUnreadable, with file, line and column.
        """
        where = f"{self.file}, {place}"
        columns = self.columns
        if self._header.is_one(record, where):
            return None
        content = self.content(record, where)
        label = self._label(record[columns["label"]], where)
        time = self._time(record[columns.time], where) if columns.time else None
        return Cells(content, label, time)

    def finish(self, again: Callable[[], Iterable[Record]]) -> None:
        """Once all is read; ``again`` reads the file once more.

        Raises:
            DataError: DataUnreadable, a second header.
        """
        self._header.refuse_doubtful(again)

    def _label(self, value: object, where: str) -> str:
        where = f"{where}, column {self.columns['label']!r}"
        label = self.spelled(value)
        if label is None:
            message = (
                f"{where}: {self.expected} is expected, not {kind_of(value)} "
                f"({str(value)[:_SHOWN]!r}); {self.instead}."
            )
            raise DataError("DataUnreadable", message)
        if not label or not (self.known or labels.is_one(label) or label in self.classes):
            message = (
                f"{where}: the label is missing ({str(value)[:20]!r}); label the row or leave it "
                "out."
            )
            raise DataError("LabelMissing", message)
        fault = "" if self.known else labels.fault(label)
        if fault:
            message = (
                f"{where}: the label {label[:_SHOWN]!r} {fault}; mend the row or leave it out."
            )
            raise DataError("DataUnreadable", message)
        return label

    def _time(self, value: object, where: str) -> datetime:
        dated = dates.of(value, where, self.columns.time)
        if self._ways.setdefault(dated.way, where) == where and len(self._ways) > 1:
            before, first = list(self._ways.items())[-2]
            what = (
                f"column {self.columns.time!r} holds {dated.way}, and {before} in {first}: one "
                "way to write times is safer (without a zone, a time is in UTC)"
            )
            self.remarks.note(what, where)
        return dated.time


def kind_of(value: object) -> str:
    """What a value is, in words."""
    return _KINDS.get(type(value), f"a {type(value).__name__}")

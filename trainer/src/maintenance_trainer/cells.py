"""What a record says: the text, the label, the time. Or why it is no row, or none that is read."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from maintenance_contract import Columns
from maintenance_trainer import dates, labels
from maintenance_trainer.columns import used
from maintenance_trainer.errors import DataError
from maintenance_trainer.remarks import Remarks

_ODD: Final = re.compile("[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\ud800-\udfff]")
"""Half a character, or one that no person writes (blanks of all kinds are none of these)."""
_HALF: Final = re.compile("[\ud800-\udfff]")
_KINDS: Final = {
    bool: "true or false",
    int: "a number",
    float: "a number",
    bytes: "binary data",
    list: "a list",
    dict: "an object",
}
_SHOWN: Final = 40


@dataclass(frozen=True, slots=True)
class Cells:
    """What is read of one row; ``time`` is None where the column is not read."""

    text: str
    label: str
    time: datetime | None


@dataclass(slots=True)
class CellReader:
    """Reads the records of one file.

    ``known``: a version was trained on this file, so nothing in it is refused that was not refused
    then; rules may have become stricter since.
    """

    file: str
    columns: Columns
    known: bool
    remarks: Remarks
    _names: Collection[str] = ()
    _ways: dict[str, str] = field(default_factory=dict)

    def read(self, place: str, record: Mapping[str, object]) -> Cells | None:
        """The cells of a row; None for a line that repeats the header.

        Raises:
            DataError: DataUnreadable, LabelMissing, TimeUnreadable, with file, line and column.
        """
        where = f"{self.file}, {place}"
        if self._is_header(record, where):
            return None
        columns = self.columns
        text = self._text(record[columns.text], where)
        label = self._label(record[columns.label], where)
        time = self._time(record[columns.time], where) if columns.time else None
        return Cells(text, label, time)

    def _is_header(self, record: Mapping[str, object], where: str) -> bool:
        if not self._names:
            self._names = {_folded(name) for name in (*record, *used(self.columns))}
        if _folded(record[self.columns.label]) not in self._names:
            return False
        names, cells = (list(map(_folded, part)) for part in (record, record.values()))
        if names == cells:
            self.remarks.note("the header again, left out; were files joined?", where)
            return True
        read = (self.columns.text, self.columns.label)
        if not self.known and (
            sorted(names) == sorted(cells)
            or all(_folded(record[name]) == _folded(name) for name in read)
        ):
            shown = ", ".join(repr(str(cell)[:_SHOWN]) for cell in list(record.values())[:5])
            message = (
                f"{where}: a second header with other columns ({shown}); keep joined files apart, "
                "each with its own header."
            )
            raise DataError("DataUnreadable", message)
        return False

    def _text(self, value: object, where: str) -> str:
        if value is None:
            return ""
        if not isinstance(value, str):
            message = (
                f"{where}, column {self.columns.text!r}: a text is expected, not "
                f"{_kind(value)} ({str(value)[:_SHOWN]!r}); write it as a string."
            )
            raise DataError("DataUnreadable", message)
        return self._mended(value, where) if _ODD.search(value) else value

    def _mended(self, text: str, where: str) -> str:
        """Half a character is read as U+FFFD, for no tokenizer takes it."""
        whole = _HALF.sub("\ufffd", text)
        if whole != text:
            what = "half a character in the text (a lone surrogate), read as U+FFFD"
        else:
            what = "control characters in the text"
        self.remarks.note(what, where)
        return whole

    def _label(self, value: object, where: str) -> str:
        where = f"{where}, column {self.columns.label!r}"
        label = labels.spelled(value)
        if label is None:
            message = (
                f"{where}: a text or a whole number is expected, not {_kind(value)} "
                f"({str(value)[:_SHOWN]!r}); write labels as strings."
            )
            raise DataError("DataUnreadable", message)
        if not label or not (self.known or labels.visible(label)):
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


def _folded(value: object) -> str:
    return value.strip("\ufeff \t").casefold() if isinstance(value, str) else ""


def _kind(value: object) -> str:
    return _KINDS.get(type(value), f"a {type(value).__name__}")

"""Records of a CSV file, as spreadsheets and programs write it."""

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Final

from maintenance_contract import Columns
from maintenance_trainer.data.columns import refuse_columns
from maintenance_trainer.data.remarks import Remarks
from maintenance_trainer.errors import DataError

if TYPE_CHECKING:
    import _csv

LONGEST_FIELD: Final = 16 * 2**20
_MOST_LINES: Final = 100
"""Of a header: a name that goes on for more has a quotation mark that is not closed."""
_MARK: Final = "\ufeff"
_COMMA: Final = ","
_OTHERS: Final = {";": "semicolons", "\t": "tabs", "|": "vertical bars"}
_TO_EXCEL: Final = re.compile(r"sep=[,;\t|]", re.IGNORECASE)
csv.field_size_limit(LONGEST_FIELD)


@dataclass(frozen=True, slots=True)
class _Header:
    """``names`` without what a spreadsheet leaves behind the last name; ``width`` with it.

    ``before`` lines are empty before it.
    """

    names: Sequence[str]
    width: int
    before: int


def csv_records(
    lines: Iterable[str],
    where: str,
    columns: Columns,
    names: dict[str, None],
    remarks: Remarks,
    *,
    known: bool,
) -> Iterator[tuple[str, dict[str, object]]]:
    """``(place, record)`` of each row; ``names`` is filled from the header.

    ``known``: values under columns without a name are not refused, for they were not before.

    Raises:
        DataError: DataUnreadable, DataEmpty, ColumnMissing.
    """
    numbered = enumerate(plain_lines(lines), start=1)
    begin, first = next(
        ((number, line) for number, line in numbered if line.strip() and not _tells_excel(line)),
        (0, ""),
    )
    if not first:
        raise DataError("DataEmpty", f"{where}: the file is empty; remove it or fill it.")
    head = [first]
    delimiter = _delimiter(head, (line for _, line in numbered), columns)
    if delimiter != _COMMA:
        remarks.note(f"fields are parted by {_OTHERS[delimiter]}", where)
    reader = csv.reader(
        chain(head, (line for _, line in numbered)), delimiter=delimiter, strict=True
    )
    try:
        cells = next(reader)
    except csv.Error as error:
        raise _torn(where, begin, error) from None
    refuse_columns(f"{where}, line {begin}", columns, cells)
    header = _header(cells, begin)
    names.update(dict.fromkeys(header.names))
    yield from _rows(reader, header, where, columns, remarks, known=known)


def plain_lines(lines: Iterable[str]) -> Iterator[str]:
    """Lines may also end with a carriage return alone, as old spreadsheets write them.

    A byte order mark begins a file, and where files were joined a line inside one: it is no text.
    """
    for line in lines:
        if "\r" in line.removesuffix("\n").removesuffix("\r"):
            yield from (part.lstrip(_MARK) for part in io.StringIO(line, newline=""))
        else:
            yield line.lstrip(_MARK)


def _tells_excel(line: str) -> bool:
    """``sep=;`` before the header tells Excel alone how fields are parted."""
    return _TO_EXCEL.fullmatch(line.strip('\r\n "')) is not None


def _delimiter(head: list[str], following: Iterator[str], columns: Columns) -> str:
    """A comma, unless the header has the names that are read only where something else parts it.

    A quoted name may have line breaks: of the lines that follow, those of the header join ``head``.
    """
    wanted = set(columns.used)
    while True:
        for delimiter in (_COMMA, *_OTHERS):
            if wanted <= set(next(csv.reader(head, delimiter=delimiter), ())):
                return delimiter
        is_open = sum(line.count('"') for line in head) % 2
        more = next(following, None) if is_open and len(head) < _MOST_LINES else None
        if more is None:
            return _COMMA
        head.append(more)


def _header(cells: Sequence[str], line: int) -> _Header:
    named = max(number for number, name in enumerate(cells, start=1) if name.strip())
    return _Header(cells[:named], len(cells), line - 1)


def _rows(
    reader: "_csv.Reader",
    header: _Header,
    where: str,
    columns: Columns,
    remarks: Remarks,
    *,
    known: bool,
) -> Iterator[tuple[str, dict[str, object]]]:
    line = header.before + reader.line_num + 1
    try:
        for cells in reader:
            if any(map(str.strip, cells)):
                _refuse_torn(cells, header, f"{where}, line {line}", columns, known=known)
                yield f"line {line}", dict(zip(header.names, cells, strict=False))
            elif cells:
                remarks.note("a row of empty fields, left out", f"{where}, line {line}")
            line = header.before + reader.line_num + 1
    except csv.Error as error:
        raise _torn(where, line, error) from None


def _refuse_torn(
    cells: Sequence[str], header: _Header, where: str, columns: Columns, *, known: bool
) -> None:
    named, beyond = len(header.names), cells[len(header.names) :]
    if named <= len(cells) and not any(map(str.strip, beyond)):
        return
    if len(cells) == header.width:
        if known:
            return
        message = (
            f"{where}: field {named + 1} and what follows have no name in the header, and hold "
            f"{next(cell for cell in beyond if cell.strip())[:40]!r}; name the column, or quote "
            "the field with a comma in it."
        )
    elif set(columns.without_time().used) <= set(cells) and _are_names(cells, header):
        message = (
            f"{where}: a second header, with {len(cells)} fields where the first has {named}; keep "
            "joined files apart."
        )
    else:
        message = (
            f"{where}: {len(cells)} fields where the header has {named}; the line is torn or a "
            "comma is not quoted."
        )
    raise DataError("DataUnreadable", message)


def _are_names(cells: Sequence[str], header: _Header) -> bool:
    """Whether several are names of columns; a label alone may be called like its column."""
    return len(set(cells) & set(header.names) - {""}) > 1


def _torn(where: str, line: int, error: Exception) -> DataError:
    message = (
        f"{where}, line {line}: {error}; is a quotation mark not closed, or one inside a quoted "
        "text not doubled?"
    )
    return DataError("DataUnreadable", message)

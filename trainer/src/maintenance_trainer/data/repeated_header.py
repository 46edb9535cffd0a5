"""A header that comes again among the rows, as ``cat a.csv b.csv`` leaves it."""

from collections.abc import Collection, Mapping
from typing import Final

from maintenance_contract import Columns
from maintenance_trainer.data.remarks import Remarks
from maintenance_trainer.errors import DataError

_SHOWN: Final = 40


class RepeatedHeader:
    """Finds it in one file.

    Args:
        columns: of the file.
        probe: one that is read; a row whose cell there names no column is not looked at further.
        known: whether a version was trained on the file: nothing of it is refused now.
        remarks: told of a header that is left out.
    """

    def __init__(self, columns: Columns, probe: str, remarks: Remarks, *, known: bool) -> None:
        self._columns, self._probe = columns, probe
        self._remarks, self._known = remarks, known
        self._names: Collection[str] = ()

    def is_one(self, record: Mapping[str, object], where: str) -> bool:
        """Whether a row is the header again, which is told.

        Raises:
            DataError: DataUnreadable: it is that of other columns.
        """
        if not self._names:
            self._names = {_folded(name) for name in (*record, *self._columns.used)}
        if _folded(record[self._probe]) not in self._names:
            return False
        names, cells = (list(map(_folded, part)) for part in (record, record.values()))
        if names == cells:
            self._remarks.note("the header again, left out; were files joined?", where)
            return True
        if not self._known and (sorted(names) == sorted(cells) or self._names_columns(record)):
            shown = ", ".join(repr(str(cell)[:_SHOWN]) for cell in list(record.values())[:5])
            message = (
                f"{where}: a second header with other columns ({shown}); keep joined files apart, "
                "each with its own header."
            )
            raise DataError("DataUnreadable", message)
        return False

    def _names_columns(self, record: Mapping[str, object]) -> bool:
        """Whether a row holds the names of the columns that are read, and of several.

        A label alone may be called like its column: fraud, in the column ``fraud``.
        """
        pairs = ((name, _folded(name), _folded(cell)) for name, cell in record.items())
        named = {name for name, its, cell in pairs if its and its == cell}
        several = len(named) > 1 or len(record) == 1
        return several and named.issuperset(self._columns.without_time().used)


def _folded(value: object) -> str:
    return value.strip("\ufeff \t").casefold() if isinstance(value, str) else ""

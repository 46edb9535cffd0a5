"""A header that comes again among the rows, as ``cat a.csv b.csv`` leaves it."""

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Final

from maintenance_contract import Columns
from maintenance_trainer.data.remarks import Remarks
from maintenance_trainer.errors import DataError

_SHOWN: Final = 40
_NAME: Final = re.compile(r"[^\W\d][\w .:/()%-]{0,60}")
"""What a column may be called; a number or a sentence is none."""

_MOST_HEADERS: Final = 20
"""Of one file: where more rows look like one, they are of a class."""

Record = Mapping[str, object]


class RepeatedHeader:
    """Finds it in one file.

    Args:
        columns: of the file.
        probe: one that is read; a row whose cell there names no column is not looked at further.
        known: whether a version was trained on the file: nothing of it is refused now.
        remarks: told of a header that is left out.
        classes: of the model in service: they are labels, whatever they are called.
    """

    def __init__(
        self,
        columns: Columns,
        probe: str,
        remarks: Remarks,
        *,
        known: bool,
        classes: Collection[str] = (),
    ) -> None:
        self._columns, self._probe = columns, probe
        self._remarks, self._known = remarks, known
        self._classes = classes
        self._names: Collection[str] = ()
        self._doubtful: dict[tuple[str, ...], tuple[str, Record]] = {}
        self._is_class = False

    def is_one(self, record: Record, where: str) -> bool:
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
        if self._known:
            return False
        named = self._named(record)
        if sorted(names) == sorted(cells) or (named and (len(named) > 1 or len(record) == 1)):
            raise _second(record, where)
        if named and not self._is_class and record[self._probe] not in self._classes:
            self._doubt(record, where)
        return False

    def refuse_doubtful(self, again: Callable[[], Iterable[Record]]) -> None:
        """Once all is read: refuse a row that is a header, though its label alone says so.

        A label may be called like its column: fraud, in the column ``fraud``. Then what else is in
        its rows are no names, or is in rows of other labels, too.

        Args:
            again: reads the file once more, which few files need.

        Raises:
            DataError: DataUnreadable: it is the header of other columns.
        """
        if self._is_class or not self._doubtful:
            return
        doubtful = [
            {(name, _folded(cell)) for name, cell in record.items() if name != self._probe}
            for _, record in self._doubtful.values()
        ]
        cells = set().union(*doubtful)
        label = _folded(self._probe)
        for record in again():
            if _folded(record[self._probe]) != label and any(
                (name, _folded(cell)) in cells for name, cell in record.items()
            ):
                return
        where, first = next(iter(self._doubtful.values()))
        instead = f"if {self._probe!r} is a class, too, give the column another name"
        raise _second(first, where, instead)

    def _named(self, record: Record) -> Collection[str]:
        """The columns whose name a row holds, if all that are read are among them."""
        pairs = ((name, _folded(name), _folded(cell)) for name, cell in record.items())
        named = {name for name, its, cell in pairs if its and its == cell}
        return named if named.issuperset(self._columns.without_time().used) else ()

    def _doubt(self, record: Record, where: str) -> None:
        cells = tuple(map(_folded, record.values()))
        self._doubtful.setdefault(cells, (where, record))
        are_names = len(set(cells)) == len(cells) and all(map(_NAME.fullmatch, cells))
        self._is_class = not are_names or len(self._doubtful) > _MOST_HEADERS


def _second(record: Record, where: str, instead: str = "") -> DataError:
    shown = ", ".join(repr(str(cell)[:_SHOWN]) for cell in list(record.values())[:5])
    message = (
        f"{where}: a second header with other columns ({shown}); keep joined files apart, each "
        f"with its own header{f' ({instead})' if instead else ''}."
    )
    return DataError("DataUnreadable", message)


def _folded(value: object) -> str:
    return value.strip("\ufeff \t").casefold() if isinstance(value, str) else ""

"""Tables in files: which columns are inputs, what is in their cells, and which rows are the same.

What a file holds in a column is decided by all its rows: a text among numbers is a mistake, unless
other files say that it is none, and a column of texts is a category.
"""

import hashlib
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import compress
from math import isnan, nan
from operator import itemgetter
from pathlib import Path
from typing import Any, ClassVar, Final, NamedTuple

from maintenance_contract import ContractError, Role, Windows
from maintenance_trainer.data import partitions, reading
from maintenance_trainer.data.cells import Record
from maintenance_trainer.data.folders import Named
from maintenance_trainer.data.records import RecordReader
from maintenance_trainer.data.remarks import Remarks
from maintenance_trainer.data.rows import mark
from maintenance_trainer.data.sources import Found, SourceFile
from maintenance_trainer.errors import DataError
from maintenance_trainer.model_field import Given
from maintenance_trainer.tasks.tables import joining, stored
from maintenance_trainer.tasks.tables.cells import (
    NOTHING,
    TRUE,
    VOCABULARY,
    Categories,
    Cell,
    Kind,
    NoCellError,
    of_text,
    of_value,
    place_of_number,
    plain_numbers,
    plain_values,
    word_of,
    written,
)
from maintenance_trainer.tasks.tables.identifiers import identified
from maintenance_trainer.tasks.tables.joining import Spellings
from maintenance_trainer.tasks.tables.notations import Notations
from maintenance_trainer.tasks.tables.rows import (
    FEW_TEXTS,
    Header,
    Held,
    TableRow,
    Type,
    are_few,
)

LITTLE: Final = 12
"""A row of fewer values, all of them categories or small whole numbers, says so little that others
are like it by chance."""
SMALL: Final = 1000
_TEXTS: Final = frozenset({Kind.TEXT, Kind.BOOLEAN, Kind.CODE, Kind.NOTATION})
_ORDER: Final = (Kind.TEXT, Kind.NOTATION, Kind.BOOLEAN, Kind.CODE)
_KEPT: Final = 2**16
"""Spellings whose meaning is remembered while a file is read."""


class Content(NamedTuple):
    """What is read of a row beside its label."""

    cells: bytes
    key: str
    anonymous: bool
    before: str
    group: str
    name: str
    weight: float


class Tables:
    """Files of tables."""

    roles: tuple[Role, ...]
    suffixes = reading.SUFFIXES
    row: ClassVar[type[TableRow]] = TableRow
    """What a row is."""

    def spelling(self, source: SourceFile) -> Callable[[object], str | None] | None:
        """How a label of a file is spelled that is no class; None: it is one."""
        del source
        return None

    def check_model(self, uri: str, folder: Path, given: Given) -> None:
        """A folder with a model of XGBoost's and the columns that it reads.

        Raises:
            ConfigurationError: of ``given``, missing or unreadable.
        """
        if given is Given.BASE:
            return  # there is none: a retrain begins with nothing
        try:
            stored.look(folder)
        except FileNotFoundError as error:
            raise given.missing(f"{uri} {error}") from None
        except (ContractError, ValueError, OSError) as error:
            raise given.unreadable(f"{uri}: {error}") from None

    def digest(self, path: Path, file: Named) -> str:
        """``sha256:…`` of its bytes."""
        return reading.sha256(path, file.where)

    def read(self, source: SourceFile, texts: Spellings | None = None) -> "TableReader":
        """The rows of a file."""
        return TableReader(source, self.row, self.spelling(source), texts)

    def join(
        self, rows: list[TableRow], windows: Windows | None, remarks: Remarks
    ) -> list[TableRow]:
        """Rows as what all files hold together says that they are; see ``Joining``."""
        del windows
        return joining.joined(rows, remarks, self.read)


class TableReader:
    """Reads one file; its header is complete once all is read."""

    may_be_empty = False

    def __init__(
        self,
        source: SourceFile,
        row: type[TableRow],
        spelled: Callable[[object], str | None] | None = None,
        texts: Spellings | None = None,
    ) -> None:
        name = source.file.name.lower()
        self._source = source
        self._cells = _CellsOfFile(source, csv=name.endswith(reading.CSV_SUFFIXES))
        self._cells.texts = texts or {}
        if name.endswith(reading.PARQUET_SUFFIXES):
            self._cells.categories = found = _categories(source)
            # A number in a dictionary is a category, though its value looks like any number.
            self._cells.plain = None if any(map(source.columns.is_input, found)) else plain_values

        def made(its: Content, label: str) -> TableRow:
            return row(
                label=label,
                key=its.key,
                origin=source.file.origin,
                new=source.new,
                file=source.digest,
                header=self._cells.header,
                cells=its.cells,
                weight=its.weight,
                group=its.group,
                name=its.name,
                anonymous=its.anonymous,
                before=its.before,
            )

        self._records: RecordReader[Content, TableRow] = RecordReader(
            source, self._cells.content, made, spelled
        )

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the file's columns, complete once all is read."""
        return self._records.columns

    def __iter__(self) -> Iterator[Found[TableRow]]:
        """Read.

        Raises:
            DataError: with file, line and column.
        """
        yield from self._records
        self._cells.finish()


def _categories(source: SourceFile) -> frozenset[str]:
    """Columns of Parquet that say themselves that their values are one of a set."""
    import pyarrow as pa  # noqa: PLC0415  # a third of a second that CSV need not pay

    schema = reading.parquet_schema(source.path, source.file.where, as_written=True)
    return frozenset(field.name for field in schema if pa.types.is_dictionary(field.type))


@dataclass(slots=True)
class _Seen:
    """How many cells of each kind a column has held so far, and where each was first."""

    counts: list[int]
    """Without the plain numbers that are counted for several columns at once."""
    kept: int = 0
    """Dates that keep their text: once they were texts, and models have learnt them so."""
    first: dict[Kind, tuple[str, str]] = field(default_factory=dict)
    notations: Notations = field(default_factory=Notations)

    @property
    def holds_numbers(self) -> bool:
        """Whether it has held numbers, and nothing else."""
        numbers, nothing = self.counts[Kind.NUMBER], self.counts[Kind.NOTHING]
        return numbers > 0 and numbers + nothing == sum(self.counts)


class _CellsOfFile:
    """Makes the cells of the records of one file."""

    def __init__(self, source: SourceFile, *, csv: bool) -> None:
        columns = source.columns
        self.header = Header(source.file.where, columns.inputs or (), source=source)
        self.texts: Spellings = {}
        self.categories: frozenset[str] = frozenset()
        self._source, self._columns, self._csv = source, columns, csv
        self._seen: list[_Seen] = []
        self._index: dict[str, int] = {}
        self._strangers: set[str] = set()
        self._spellings: dict[str, Cell] = {}
        self._written: dict[tuple[str, int], str] = {}
        self._known: dict[str, Categories] = {}
        self._keys = _Keys(self.header.names)
        known_by = source.known_by
        self._before = _Keys(self.header.names, known_by) if known_by else None
        self._rows = 0
        self.plain: Callable[[Sequence[Any]], list[float] | None] | None = None
        """Reads cells that are plain numbers all at once; None for files in which columns come
        and go."""
        if csv:
            self.plain = plain_numbers
        self._at_once: list[int] = []
        self._others: Sequence[int] = ()
        self._of: Callable[[Record], Sequence[object]] | None = None
        self._plains = 0
        self._stale = False

    def content(self, record: Record, where: str) -> Content:
        """The cells of a record.

        Raises:
            DataError: DataUnreadable, with column.
        """
        plain = self._plain(record)
        if plain is None:
            if not record.keys() <= self._index.keys() | self._strangers:
                self._meet(record)
            numbers = [nan] * len(self.header.names)
            texts = self._one_by_one(record, where, range(len(numbers)), numbers)
        elif self._others:
            numbers = [nan] * len(self.header.names)
            for index, number in zip(self._at_once, plain, strict=True):
                numbers[index] = number
            texts = self._one_by_one(record, where, self._others, numbers)
        else:
            numbers, texts = plain, []
        self._rows += 1
        cells = array("f", numbers)
        words = memoryview(cells).cast("B").cast("I")
        for index, place in texts:
            words[index] = word_of(place)
        return self._made(record, where, cells, numbers, texts)

    def _one_by_one(
        self, record: Record, where: str, which: Iterable[int], numbers: list[float]
    ) -> list[tuple[int, int]]:
        """Read these columns, put their numbers where they belong; the places of their texts."""
        texts: list[tuple[int, int]] = []
        names, seen = self.header.names, self._seen
        for index in which:
            name, its = names[index], seen[index]
            cell = self._cell(record.get(name), name, where)
            numbers[index] = cell.number
            kind = cell.kind
            if kind in _TEXTS or cell.place:
                texts.append((index, cell.place))
            if kind not in its.first:
                its.first[kind] = (where, str(record.get(name)))
                self._stale = True
            if kind is Kind.NOTATION:
                its.notations.add(str(record[name]).strip())
            if kind is Kind.DATE and cell.place:
                its.kept += 1
            its.counts[kind] += 1
        return texts

    def _plain(self, record: Record) -> list[float] | None:
        """The numbers of the columns that are read at once; None: here one holds another thing."""
        if self.plain is None:
            return None
        if self._stale:
            self._choose()
        if self._of is None:
            return None
        found = self.plain(self._of(record))
        if found is None:
            return None
        self._plains += 1
        if isnan(sum(found)):
            for index in compress(self._at_once, map(isnan, found)):
                counts = self._seen[index].counts
                counts[Kind.NOTHING] += 1
                counts[Kind.NUMBER] -= 1
        return found

    def _choose(self) -> None:
        """Which columns are read at once from here on: those that have held numbers alone."""
        self._count_plains()
        held = [its.holds_numbers for its in self._seen]
        self._at_once = [index for index, its in enumerate(held) if its]
        self._others = [index for index, its in enumerate(held) if not its]
        names = [self.header.names[index] for index in self._at_once]
        self._of = itemgetter(*names) if len(names) > 1 else None
        self._stale = False

    def _count_plains(self) -> None:
        for index in self._at_once:
            self._seen[index].counts[Kind.NUMBER] += self._plains
        self._plains = 0

    def _made(
        self,
        record: Record,
        where: str,
        cells: "array[float]",
        numbers: list[float],
        texts: list[tuple[int, int]],
    ) -> Content:
        words = memoryview(cells).cast("B").cast("I")
        own = self._own(record, words, numbers, texts) if self.texts else []
        if own:
            texts = [*texts, *((index, place) for index, place, another in own if another)]
        identifier = self._identifier(record)
        key, anonymous = self._keys.of(words, numbers, texts, identifier)
        before = ""
        if self._before is not None:
            known, little = self._before.of(words, numbers, texts, identifier)
            # Of rows of the same inputs of before nobody can say which of them is which.
            before = "" if little else known
        for index, place, _ in own:
            words[index] = word_of(place)
        return Content(
            cells.tobytes(),
            key,
            anonymous,
            before,
            self._group(record),
            mark(_hashed(identifier)) if identifier else "",
            self._weight(record, where),
        )

    def _own(
        self,
        record: Record,
        words: "memoryview[int]",
        numbers: Sequence[float],
        texts: Sequence[tuple[int, int]],
    ) -> list[tuple[int, int, bool]]:
        """Cells that keep their own text: which column, its place, and whether it is another one.

        A row's key is that of its numbers, as it was before the column was known to hold texts;
        but where two texts are one number, the later one is itself.
        """
        places = dict(texts)
        found = []
        for name, known in self.texts.items():
            index = self._index.get(name)
            if index is None or words[index] == NOTHING or places.get(index, 0) > TRUE:
                continue
            text, number = written(record[name]), numbers[index]
            if index in places:
                number = float(places[index])
            if known is not None:
                text = self._categories_of(name, known).text(text)
            first = self._written.setdefault((name, words[index]), text)
            another = known is None and index not in places and first != text
            with suppress(NoCellError):  # too many, or too long: it stays a number
                found.append((index, place_of_number(text, number), another))
        return found

    def _categories_of(self, name: str, known: frozenset[str]) -> Categories:
        found = self._known.get(name)
        if found is None:
            found = self._known[name] = Categories(sorted(known))
        return found

    def finish(self) -> None:
        """Decide what each column holds.

        Raises:
            DataError: DataUnreadable: numbers among dates, dates that nobody can read.
        """
        self._count_plains()
        for name, seen in zip(self.header.names, self._seen, strict=True):
            mistake = "" if self._source.known else self._mistake(name, seen)
            self.header.types.append(_type_of(seen))
            self.header.held.append(replace(_held(seen), mistake=mistake))
        its = self._index.keys() | partitions.of(self._source.file.name)  # those are told
        absent = [name for name in self.header.wanted if name not in its]
        for name in absent:
            what = f"there is no column {name!r} of data.columns.inputs: it counts as empty"
            self._source.remarks.note(what, self.header.where)

    def _meet(self, record: Record) -> None:
        """Columns that are new in this file."""
        for name in record:
            if name in self._index or name in self._strangers:
                continue
            if self._columns.is_input(name) and name.strip():
                self._index[name] = len(self.header.names)
                self.header.names.append(name)
                counts = [0] * len(Kind)
                counts[Kind.NOTHING] = self._rows
                self._seen.append(_Seen(counts))
            else:
                if not name.strip():
                    what = "a column without a name is no input (the index of a data frame?)"
                    self._source.remarks.note(what, self.header.where)
                self._strangers.add(name)

    def _cell(self, value: object, name: str, where: str) -> Cell:
        try:
            if not self._csv or not isinstance(value, str):
                return of_value(value, category=name in self.categories)
            known = self._spellings.get(value)
            if known is not None:
                return known
            found = of_text(value)
        except NoCellError as error:
            raise DataError("DataUnreadable", f"{where}, column {name!r}: {error}.") from None
        if len(self._spellings) < _KEPT:
            self._spellings[value] = found
        return found

    def _identifier(self, record: Record) -> str:
        column = self._columns.names.get("id")
        return identified(record[column]) if column else ""

    def _group(self, record: Record) -> str:
        """Rows without a group are held out by themselves."""
        column = self._columns.names.get("group")
        if column is None:
            return ""
        text = identified(record[column])
        return _hashed(text) if text else ""

    def _weight(self, record: Record, where: str) -> float:
        column = self._columns.names.get("weight")
        if column is None:
            return 1.0
        value = record[column]
        try:
            cell = of_text(value) if isinstance(value, str) else of_value(value)
        except NoCellError:
            cell = Cell(Kind.TEXT, 0.0)
        if cell.kind is Kind.NUMBER and cell.number > 0:
            return cell.number
        message = (
            f"{where}, column {column!r}: a weight is a number above 0, not {str(value)[:40]!r}; "
            "mend the row or leave it out."
        )
        raise DataError("DataUnreadable", message)

    def _mistake(self, name: str, seen: _Seen) -> str:
        """Why texts among numbers or dates are a mistake, unless other files say they are none.

        Raises:
            DataError: DataUnreadable: what is one in any case.
        """
        counts = seen.counts
        others = counts[Kind.NUMBER] + counts[Kind.DATE]
        texts = counts[Kind.TEXT] + counts[Kind.NOTATION] + counts[Kind.CODE]
        texts += counts[Kind.BOOLEAN] if counts[Kind.DATE] else 0
        if counts[Kind.DATE] and counts[Kind.NUMBER]:
            rare = min((Kind.DATE, Kind.NUMBER), key=lambda kind: counts[kind])
            what = "a number and most are dates or the other way"
            return self._among_dates(name, seen, rare, what)
        if not texts or not others:
            return ""
        if counts[Kind.DATE]:
            first = next(kind for kind in _ORDER if counts[kind])
            what = "no date that can be read (write 2026-11-23)"
            return self._among_dates(name, seen, first, what)
        # One code makes a column of codes; of other texts a few are mistakes.
        if are_few(texts, texts + others) and not counts[Kind.CODE]:
            first = Kind.TEXT if counts[Kind.TEXT] else Kind.NOTATION
            return self._mixed(name, seen, first, "no number").message
        what = (
            f"column {name!r} holds {others:,} numbers and {texts:,} texts: all count as categories"
        )
        self._source.remarks.note(what, self.header.where)
        return ""

    def _among_dates(self, name: str, seen: _Seen, kind: Kind, what: str) -> str:
        """The same of a text or number among dates, which all must keep their text.

        Raises:
            DataError: DataUnreadable: they never were texts.
        """
        mistake = self._mixed(name, seen, kind, what)
        if seen.kept < seen.counts[Kind.DATE]:
            raise mistake
        return mistake.message

    def _mixed(self, name: str, seen: _Seen, kind: Kind, what: str) -> DataError:
        where, value = seen.first[kind]
        present = sum(seen.counts) - seen.counts[Kind.NOTHING]
        message = (
            f"{where}, column {name!r}: {value[:40]!r} is {what}, and {present - 1:,} other rows "
            "of the file hold a value there; mend the row, or leave the cell empty."
        )
        return DataError("DataUnreadable", message)


def _hashed(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


def _held(seen: _Seen) -> Held:
    counts = seen.counts
    filled = sum(counts) - counts[Kind.NOTHING]
    numbers = counts[Kind.NUMBER] + counts[Kind.BOOLEAN] + counts[Kind.DATE] - seen.kept
    boolean = seen.first.get(Kind.BOOLEAN) if counts[Kind.NUMBER] else None
    return Held(filled, numbers, boolean, _in_notation(seen, filled), dates=bool(seen.kept))


def _in_notation(seen: _Seen, filled: int) -> tuple[str, str] | None:
    """Where the first number or date in another notation is, and its text, if most cells are such.

    A few other texts stand for nothing; where there are more, the column is none of numbers.
    """
    counts, surely = seen.counts, seen.notations.count
    texts = counts[Kind.TEXT] + counts[Kind.CODE] + counts[Kind.BOOLEAN]
    texts += counts[Kind.NOTATION] - surely
    most = 2 * surely > filled and texts < FEW_TEXTS * filled
    return seen.first[Kind.NOTATION] if most else None


def _type_of(seen: _Seen) -> Type:
    counts = seen.counts
    if seen.kept and counts[Kind.NUMBER] + counts[Kind.BOOLEAN]:
        return Type.CATEGORY  # only a file that was learnt so holds both
    if counts[Kind.TEXT] or counts[Kind.NOTATION] or counts[Kind.CODE]:
        return Type.CATEGORY
    if counts[Kind.DATE]:
        return Type.DATE
    if counts[Kind.NUMBER]:
        return Type.NUMBER
    return Type.BOOLEAN if counts[Kind.BOOLEAN] else Type.NOTHING


class _Keys:
    """The keys of one file's rows: of their inputs alone, in whatever order the columns are.

    Of inputs of these names; ``only`` is empty: of all.

    Rows that say little get their identifier into the key, or how many of the same have come
    before: two patients of the same age, sex and ward are two patients. The same file delivered
    again has the same keys all the same.
    """

    def __init__(self, names: list[str], only: frozenset[str] = frozenset()) -> None:
        self._names, self._only = names, only
        self._met = 0
        self._order: list[int] = []
        self._sorted: list[str] = []
        self._in_order: Callable[[Any], tuple[int, ...]] = tuple
        self._all = _head(())
        self._before: Counter[bytes] = Counter()

    def of(
        self,
        words: "memoryview[int]",
        numbers: list[float],
        texts: Sequence[tuple[int, int]],
        identifier: str,
    ) -> tuple[str, bool]:
        """The key, and whether rows of the same inputs are cases of their own."""
        if self._met < len(self._names):
            self._meet()
        present: Sequence[int] = self._order
        held: Sequence[int] = self._in_order(words)
        if NOTHING in held:
            filled = [word != NOTHING for word in held]
            present, held = list(compress(present, filled)), list(compress(held, filled))
            running = _head(compress(self._sorted, filled))
        else:
            running = self._all.copy()
        places = dict(texts)
        if places:
            held = [
                0 if index in places else word for index, word in zip(present, held, strict=True)
            ]
        running.update(array("I", held).tobytes())
        for index in filter(places.__contains__, present if places else ()):
            text = VOCABULARY.text(places[index]).encode()
            running.update(len(text).to_bytes(4, "little") + text)
        if len(present) >= LITTLE or not all(
            index in places or (numbers[index].is_integer() and abs(numbers[index]) < SMALL)
            for index in present
        ):
            return running.hexdigest(), False
        if identifier:
            running.update(b"id:" + identifier.encode("utf-8", "replace"))
            return running.hexdigest(), False
        inputs = running.digest()
        number = self._before[inputs]
        self._before[inputs] += 1
        running.update(b"#%d" % number)
        return running.hexdigest(), True

    def _meet(self) -> None:
        self._met = len(self._names)
        names = {name: at for at, name in enumerate(self._names)}
        self._sorted = [name for name in sorted(names) if name in (self._only or names)]
        self._order = order = [names[name] for name in self._sorted]
        self._all = _head(self._sorted)
        if len(order) > 1:
            self._in_order = itemgetter(*order)
        else:
            self._in_order = lambda words: tuple(words[index] for index in order)


def _head(names: Iterable[str]) -> Any:
    return hashlib.sha256("\0".join(names).encode("utf-8", "replace") + b"\0\0")

"""What files of a table say together: their columns, how categories are spelled in them."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import log
from typing import Any, Final

import numpy as np

from maintenance_trainer.data.folders import Origin
from maintenance_trainer.data.remarks import Remarks
from maintenance_trainer.data.sources import Found, SourceFile
from maintenance_trainer.errors import DataError, TransientError
from maintenance_trainer.tasks.named_columns import refuse_spellings
from maintenance_trainer.tasks.tables import blocks, repeats, schema
from maintenance_trainer.tasks.tables.cells import VOCABULARY, is_text, place_of
from maintenance_trainer.tasks.tables.rows import Header, Held, TableRow, Type, are_few

Spellings = Mapping[str, frozenset[str] | None]
"""Columns whose cells keep their own text, though they look like numbers. None: the file itself
holds texts there; else the texts of other files, which are taken where they mean the same."""
Again = Callable[[SourceFile, Spellings], Iterable[Found[Any]]]
"""Reads a file once more, with its columns of texts."""


_WORDS: Final = {
    Type.NUMBER: "numbers",
    Type.BOOLEAN: "true and false",
    Type.DATE: "dates",
    Type.CATEGORY: "texts",
}


SURE: Final = 1e6
"""One in so many files begins by chance as another one does."""


@dataclass(frozen=True, slots=True)
class _File:
    """The rows of a file: those from ``start`` to ``end`` of all; ``places`` of its columns."""

    header: Header
    start: int
    end: int
    places: Mapping[str, int]

    def held(self, name: str) -> Held | None:
        """What its column holds; None: it has none, or only nothing."""
        place = self.places.get(name)
        if place is None:
            return None
        found = self.header.held[place]
        return found if found.filled else None

    def type_of(self, name: str) -> Type:
        """Of a column that it has."""
        return self.header.types[self.places[name]]

    def dates_as_texts(self, name: str) -> bool:
        """Whether its column holds dates, and no cell of it has lost its text."""
        held = self.held(name)
        return held is not None and held.dates and held.texts == held.filled


def joined(rows: list[TableRow], remarks: Remarks, again: Again) -> list[TableRow]:
    """The rows, with categories as their files write them, and each case with a key of its own.

    Args:
        rows: in the order of the files.
        remarks: told of what is read otherwise than it is written.
        again: how a file is read once more.

    Raises:
        DataError: DataUnreadable: a column in two spellings, a few texts, true or false among
            numbers, numbers or dates in another notation.
        TransientError: DataChanging.
    """
    files = _files(rows)
    refuse_spellings(
        [(file.header.where, file.header.known, file.header.names) for file in files], remarks
    )
    for file in files:
        _refuse_booleans(file, rows)
    for name in _names(files):
        _refuse_mistakes(name, files)
        _refuse_notation(name, files)
        _compare_types(name, files, remarks)
    _spell(files, rows, again)
    _tell_apart(files, rows)
    repeats.tell((rows[file.start : file.end] for file in files), remarks)
    return rows


def _files(rows: Sequence[TableRow]) -> list[_File]:
    """In their order; without those whose header says nothing of what they hold."""
    starts = [at for at, row in enumerate(rows) if not at or row.header is not rows[at - 1].header]
    ends = [*starts[1:], len(rows)]
    return [
        _File(header, start, end, {name: place for place, name in enumerate(header.names)})
        for start, end in zip(starts, ends, strict=True)
        if len((header := rows[start].header).held) == len(header.names)
    ]


def _refuse_mistakes(name: str, files: Sequence[_File]) -> None:
    """Refuse a few texts among numbers, unless other files have the column as categories.

    A day has few rows: what is a category in the files of a model in service is one of that day,
    too. Where no model has the column, texts that are few in a file may be many in all; among
    dates they are mistakes.
    """
    here = [(file, held) for file in files if (held := file.held(name)) is not None]
    mistaken = [held for _, held in here if held.mistake]
    known = [file for file, _ in here if file.header.known]
    if not mistaken:
        return
    first = next((held for held in mistaken if held.dates), mistaken[0])
    texts, filled = sum(held.texts for _, held in here), sum(held.filled for _, held in here)
    few = first.dates or are_few(texts, filled)
    if _decided(known, name) is not Type.CATEGORY if known else few:
        raise DataError("DataUnreadable", first.mistake)


def _refuse_notation(name: str, files: Sequence[_File]) -> None:
    """Refuse a column of numbers or dates that would count as categories, unless a model has it."""
    here = [(file, held) for file in files if (held := file.held(name)) is not None]
    if any(file.header.known and file.type_of(name) is Type.CATEGORY for file, _ in here):
        return
    for file, held in here:
        if held.notation is not None and not file.header.known:
            where, value = held.notation
            message = (
                f"{where}, column {name!r}: {value[:40]!r} is a number or a date in a notation "
                "that is read as text, and so are most cells of the column; write numbers like "
                "1234.5, without signs for units or thousands, and dates like 2026-11-23 or "
                "2026-11-23T18:00:00Z. If they are names of classes, write them as such (5 per "
                "cent), or as a column of type dictionary in Parquet (pandas' category)."
            )
            raise DataError("DataUnreadable", message)


def _compare_types(name: str, files: Sequence[_File], remarks: Remarks) -> None:
    """Refuse, or tell of, a file that holds something else in a column than all files do.

    What one file of many holds otherwise would be read as nothing. Of updates, and of what was
    trained on, it is told: there the diagnosis asks what it means.
    """
    here = [file for file in files if file.held(name) is not None]
    if len({file.type_of(name) for file in here}) < 2:  # noqa: PLR2004
        return
    wanted = _decided(here, name)
    numbers = [file for file in here if file.type_of(name) in {Type.NUMBER, Type.BOOLEAN}]
    if wanted is Type.CATEGORY and numbers:
        texts = next(file for file in here if file.type_of(name) is Type.CATEGORY)
        what = f"column {name!r} holds numbers here, and texts in {texts.header.where}: categories"
        remarks.note(what, numbers[0].header.where)
    for file in here:
        its = file.type_of(name)
        if schema.alike(its, wanted) or (wanted is Type.CATEGORY and file.dates_as_texts(name)):
            continue
        held = f"{_WORDS[its]}, and {_WORDS[wanted]} in other files"
        source = file.header.source
        if source is None or source.known or source.file.origin is Origin.UPDATES:
            what = f"column {name!r} holds {held}: these count as empty"
            remarks.note(what, file.header.where)
            continue
        message = (
            f"{file.header.where}, column {name!r}: it holds {held}, so that all of it would "
            "count as empty; write the same in all files, or name the inputs without it."
        )
        raise DataError("DataUnreadable", message)


def _refuse_booleans(file: _File, rows: Sequence[TableRow]) -> None:
    """Refuse true and false among numbers that are neither 1 nor 0: they count as these."""
    header = file.header
    for name, kind, held in zip(header.names, header.types, header.held, strict=True):
        if held.boolean is None or kind is not Type.NUMBER or header.known:
            continue
        for block in blocks.of(rows[file.start : file.end]):
            if name not in block.names:
                continue
            numbers = block.column(name).copy().view(np.float32)
            if np.isin(numbers[~np.isnan(numbers)], (0.0, 1.0)).all():
                continue
            where, value = held.boolean
            message = (
                f"{where}, column {name!r}: {value[:40]!r} is no number, and other rows of the "
                "file hold numbers there that are neither 1 nor 0; mend the row, or leave the "
                "cell empty."
            )
            raise DataError("DataUnreadable", message)


# --- categories that look like numbers ---------------------------------------------------


def _spell(files: Sequence[_File], rows: list[TableRow], again: Again) -> None:
    """Give cells of categories their own text, which a number of 32 bits has lost.

    What a column holds is known once all is read, and a file of plain numbers must be read fast:
    so the files that hold both are read once more, and that those whose numbers are categories
    beside texts of other files are spelled as these, comes last.
    """
    wanted = {name for name in _names(files) if any(_is_of_texts(file, name) for file in files)}
    own: dict[int, dict[str, frozenset[str] | None]] = defaultdict(dict)
    for name in sorted(wanted):
        for number, file in enumerate(files):
            held = file.held(name)
            if held is not None and held.numbers and _is_of_texts(file, name):
                own[number][name] = None
    for number, spellings in own.items():
        _read_again(files[number], spellings, rows, again)
    others: dict[int, dict[str, frozenset[str] | None]] = defaultdict(dict)
    for name in sorted(name for name in wanted if _decided(files, name) is Type.CATEGORY):
        known: frozenset[str] | None = None
        for number, file in enumerate(files):
            held = file.held(name)
            if held is None or file.type_of(name) not in {Type.NUMBER, Type.BOOLEAN}:
                continue
            if known is None:
                known = _texts(files, name, rows)
            others[number][name] = known
    for number, spellings in others.items():
        # What it has read of its own columns it is to keep.
        _read_again(files[number], {**spellings, **own.get(number, {})}, rows, again)


def _names(files: Sequence[_File]) -> list[str]:
    return list(dict.fromkeys(name for file in files for name in file.header.names))


def _is_of_texts(file: _File, name: str) -> bool:
    return file.held(name) is not None and file.type_of(name) is Type.CATEGORY


def _decided(files: Sequence[_File], name: str) -> Type:
    """What the column holds in all files.

    Dates that keep their text are texts where a model has learnt them beside others.
    """
    are_texts = any(
        held.dates and file.header.known and file.type_of(name) is Type.CATEGORY
        for file in files
        if (held := file.held(name)) is not None
    )
    present = Counter[Type]()
    for file in files:
        held = file.held(name)
        if held is not None:
            its = Type.CATEGORY if are_texts and file.dates_as_texts(name) else file.type_of(name)
            present[its] += held.filled
    return schema.decided(present)


def _texts(files: Sequence[_File], name: str, rows: Sequence[TableRow]) -> frozenset[str]:
    """The texts of a column in files that hold texts there."""
    found: set[str] = set()
    for file in files:
        if _is_of_texts(file, name):
            for block in blocks.of(rows[file.start : file.end]):
                if name in block.names:
                    words = np.unique(block.column(name))
                    found.update(VOCABULARY.texts(place_of(words[is_text(words)])))
    return frozenset(found)


def _read_again(file: _File, spellings: Spellings, rows: list[TableRow], again: Again) -> None:
    """Put what a file's columns of texts hold into its rows; whether they are new stays.

    Raises:
        TransientError: DataChanging, somebody wrote meanwhile.
    """
    source = file.header.source
    if source is None:
        return
    at = file.start
    for found in again(replace(source, remarks=Remarks()), spellings):
        row: TableRow = found.row
        if at == file.end or row.label != rows[at].label:
            raise _changing(source)
        rows[at] = replace(
            rows[at], cells=row.cells, key=row.key, anonymous=row.anonymous, before=row.before
        )
        at += 1
    if at != file.end:
        raise _changing(source)


def _changing(source: SourceFile) -> TransientError:
    message = (
        f"{source.file.where} was written while it was read; put files in place whole (write "
        "under another name, then rename)."
    )
    return TransientError("DataChanging", message)


# --- rows that say little ----------------------------------------------------------------


def _tell_apart(files: Sequence[_File], rows: list[TableRow]) -> None:
    """Give rows that say little keys of their file: those of other files are cases of their own.

    A reader counts the rows of one file that say the same, and so do readers of other files: a
    hundred files of one row each would hold one case. What begins as another file does repeats it,
    or goes on where it ended, and its cases are the same. No other file has a part in a key, so
    that none that comes or goes moves a row to another side.
    """
    for file in files:
        its = rows[file.start : file.end]
        name = hashlib.sha256(_beginning(its).encode("utf-8", "replace"))
        for at, row in enumerate(its, file.start):
            if row.anonymous:
                running = name.copy()
                running.update(row.key.encode())
                rows[at] = replace(row, key=running.hexdigest())


def _beginning(rows: Sequence[TableRow]) -> str:
    """What a file is known by that says little: the first of such rows, until it is no chance.

    Two files that hold the same rows have them in the same order by chance once in all orders, of
    which there are n! / (a! b! …) where a row is there a times, another one b times. Of sorted
    files few orders can be: there each step from one kind of row to the next is taken for one
    chance in two. Where a file is too short for both, its bytes alone are what it is known by, and
    where it holds no such row, it is known by nothing.
    """
    running, counts = hashlib.sha256(), Counter[tuple[bytes, str]]()
    orders, steps, count = 0.0, 0.0, 0
    before: tuple[bytes, str] | None = None
    for row in rows:
        if not row.anonymous:
            continue
        its = (row.cells, row.label)
        count += 1
        counts[its] += 1
        orders += log(count) - log(counts[its])
        steps += log(2) if before not in (None, its) else 0.0
        before = its
        running.update(f"{row.key} {len(row.label)} {row.label}".encode("utf-8", "replace"))
        if min(orders, steps) >= log(SURE):
            return running.hexdigest()
    return rows[0].file if count else ""

"""Interactions of CSV, JSON lines and Parquet files: who chose what, and when."""

import hashlib
import math
import re
from array import array
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

import numpy as np
from numpy.typing import NDArray

from maintenance_trainer.data import bounds, dates, labels
from maintenance_trainer.data.cells import kind_of
from maintenance_trainer.data.reading import Record, Records
from maintenance_trainer.data.sources import Found, SourceFile
from maintenance_trainer.errors import DataError
from maintenance_trainer.tasks.items.names import ITEMS
from maintenance_trainer.tasks.items.rows import ItemRow, Items, Times, moment

MOST_OWN: Final = 2000
"""Interactions of one user and file, the newest ones: whoever has more is a program."""
_BYTES: Final = 24
"""Of an interaction while a file is read."""
_LOOK: Final = 2**16
_KEPT: Final = 2**17
"""Spellings of times whose meaning is kept."""
_PLAIN: Final = (str, int)
_SECONDS: Final = "seconds since 1970"
_DIGITS: Final = 10
_SHOWN: Final = 40
_FOR_NOTHING: Final = labels.NOTHING | labels.PERHAPS_NOTHING
_FRACTION: Final = re.compile(r"-?[0-9]+\.0+")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class InteractionReader:
    """Reads one file: a row for each user, in the order in which they come first."""

    may_be_empty = False

    def __init__(self, source: SourceFile) -> None:
        self._source, self._where = source, source.file.where
        self._records = Records.of(source)
        self._users: dict[str, int] = {}
        self._first: list[str] = []
        self._fine: dict[str, dict[object, str]] = {"user": {}, "item": {}}
        self._times: dict[str, tuple[int, str]] = {}
        self._ways: dict[str, str] = {}
        self._earliest = int(dates.LONG_AGO.timestamp())
        self._latest = int(datetime.now(UTC).timestamp())
        self._by = array("i"), array("i"), array("q")

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the file's columns, complete once all is read."""
        return self._records.columns

    def __iter__(self) -> Iterator[Found[ItemRow]]:
        """Read.

        Raises:
            DataError: DataUnreadable, TimeUnreadable, DataTooLarge, with file, line and column.
        """
        users, items, times = self._by
        for place, record in self._records:
            where = f"{self._where}, {place}"
            if self._is_header(record, where):
                continue
            user = self._user(record, place)
            items.append(ITEMS.number(self._id(record, "item", where)))
            times.append(self._time(record, where))
            users.append(user)
            if not len(users) % _LOOK and len(users) * _BYTES > bounds.MOST_BYTES:
                raise bounds.too_large(where)
        yield from self._rows()

    def _rows(self) -> Iterator[Found[ItemRow]]:
        users, items, times = (
            np.frombuffer(column, kind) if len(column) else np.zeros(0, kind)
            for column, kind in zip(self._by, (np.int32, np.int32, np.int64), strict=True)
        )
        self._remark_order(times)
        order = np.lexsort((np.arange(len(users)), times, users))
        items, times = items[order].astype(np.int32), times[order].astype(np.int64)
        ends = np.cumsum(np.bincount(users, minlength=len(self._users)))
        marks = ITEMS.marks
        copies = 0
        for user, end, place in zip(self._users, ends, self._first, strict=True):
            start = int(ends[self._users[user] - 1]) if self._users[user] else 0
            its, when, repeated = _once(items[start:end], times[start:end])
            copies += repeated
            first = its[0], when[0]
            if len(its) > MOST_OWN:
                what = f"a user with more than {MOST_OWN:,} interactions: the newest are read"
                self._source.remarks.note(what, f"{self._where}, {place}, user {user[:_SHOWN]!r}")
                its, when = its[-MOST_OWN:], when[-MOST_OWN:]
            yield Found(place, self._row(user, its, when, marks, first), moment(int(when[-1])))
        if copies:
            what = f"{copies:,} interactions are there twice (user, item, time) and count once"
            self._source.remarks.note(what, self._where)

    def _row(  # each is a fact of its own
        self,
        user: str,
        items: Items,
        times: Times,
        marks: NDArray[np.uint64],
        first: tuple[np.int32, np.int64],
    ) -> ItemRow:
        unit = _digest(user)
        alike = "" if _is_plain(user) else labels.identity(user).casefold()
        key, begun = (hashlib.sha256(unit.encode()) for _ in range(2))
        begun.update(marks[first[0]].tobytes() + first[1].tobytes())
        key.update(marks[items].tobytes() + times.tobytes())
        return ItemRow(
            label=ITEMS.text(int(items[-1])),
            key=key.hexdigest(),
            origin=self._source.file.origin,
            new=self._source.new,
            file=self._source.digest,
            user=unit,
            items=items,
            times=times,
            answers=np.arange(len(items), dtype=np.int32),
            begun=begun.hexdigest(),
            alike=_digest(alike) if alike not in ("", user) else "",
        )

    def _user(self, record: Record, place: str) -> int:
        where = f"{self._where}, {place}"
        text = self._id(record, "user", where)
        found = self._users.get(text)
        if found is None:
            found = self._users[text] = len(self._users)
            self._first.append(place)
        return found

    def _id(self, record: Record, role: str, where: str) -> str:
        """A user or an item, as text.

        Raises:
            DataError: DataUnreadable.
        """
        column = self._source.columns[role]
        value = record[column]
        fine = self._fine[role]
        if type(value) in _PLAIN and value in fine:
            return fine[value]
        text = self._checked(value, role, column, where)
        if type(value) in _PLAIN and text.casefold() not in _FOR_NOTHING:
            fine[value] = text
        return text

    def _checked(self, value: object, role: str, column: str, where: str) -> str:
        text = spelled(value)
        named = f"{where}, column {column!r}"
        if text is None:
            message = (
                f"{named}: the {role} is a text or a whole number, not {kind_of(value)} "
                f"({str(value)[:_SHOWN]!r}); write it as a string."
            )
            raise DataError("DataUnreadable", message)
        if not text or not labels.visible(text):
            message = (
                f"{named}: the {role} is missing ({str(value)[:20]!r}); write who chose what in "
                "each row, or leave the row out."
            )
            raise DataError("DataUnreadable", message)
        if not self._source.known and (fault := labels.fault(text)):
            message = (
                f"{named}: the {role} {text[:_SHOWN]!r} {fault}; mend the row or leave it out."
            )
            raise DataError("DataUnreadable", message)
        if text.casefold() in _FOR_NOTHING:
            what = (
                f"column {column!r} holds {text!r}, which some programs write for a missing {role}"
            )
            self._source.remarks.note(what, where)
        if isinstance(value, str) and _FRACTION.fullmatch(text):
            what = (
                f"column {column!r} holds texts like '42.0', each of which counts as another "
                f"{role} than '42': were they whole numbers once?"
            )
            self._source.remarks.note(what, where)
        return text

    def _time(self, record: Record, where: str) -> int:
        value = record[self._source.columns.time]
        found = self._in_seconds(value)
        if found is not None:
            return found
        known = self._times.get(value) if isinstance(value, str) else None
        if known is None:
            dated = dates.of(value, where, self._source.columns.time, dates.LONG_AGO)
            known = _microseconds(dated.time), dated.way
            if isinstance(value, str) and len(self._times) < _KEPT:
                self._times[value] = known
        if self._ways.setdefault(known[1], where) == where and len(self._ways) > 1:
            before, first = list(self._ways.items())[-2]
            what = (
                f"column {self._source.columns.time!r} holds {known[1]}, and {before} in {first}: "
                "one way to write times is safer (without a zone, a time is in UTC)"
            )
            self._source.remarks.note(what, where)
        return known[0]

    def _in_seconds(self, value: object) -> int | None:
        """Whole seconds since 1970, as most logs have them, once the column is known to hold them.

        It says what ``dates.of`` says, without asking a million times how a number is meant.
        """
        if _SECONDS not in self._ways or len(self._ways) > 1:
            return None
        if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= _DIGITS:
            value = int(value)
        if type(value) is int and self._earliest <= value <= self._latest:
            return value * 10**6
        return None

    def _is_header(self, record: Record, where: str) -> bool:
        """Whether a line repeats the header, as joined files have it."""
        names = self._source.columns.used
        if any(record[name] != name for name in names):
            return False
        self._source.remarks.note("the header again, left out; were files joined?", where)
        return True

    def _remark_order(self, times: Times) -> None:
        if len(times) > 1 and (times == times[0]).all():
            what = f"all {len(times):,} interactions have one time: the order of the rows is taken"
            self._source.remarks.note(what, self._where)


def spelled(value: object) -> str | None:
    """An identifier as text; empty where it is missing; None for what cannot be one.

    A table of whole numbers with a gap holds them as fractions: 42.0 is 42.
    """
    if isinstance(value, float) and not math.isnan(value):
        return str(int(value)) if value.is_integer() and abs(value) < 2**53 else None
    if isinstance(value, Decimal) and value.is_finite():
        return str(int(value)) if value == value.to_integral_value() else None
    return labels.spelled(value)


def _digest(user: str) -> str:
    return hashlib.sha256(user.encode("utf-8", "replace")).hexdigest()


def _is_plain(user: str) -> bool:
    """Whether a name is surely no other spelling of one: most are, and there may be millions."""
    if not user.isascii() or not user.isalnum():
        return False
    if user.isdigit():
        return user[0] != "0"
    return user[0].isalpha() and user == user.lower() and user not in {"true", "false"}


def _once(items: Items, times: Times) -> tuple[Items, Times, int]:
    """Without copies of an interaction; how many there were. Both are in the order of time."""
    if len(items) < 2 or (np.diff(times) > 0).all():  # noqa: PLR2004
        return items, times, 0
    _, first = np.unique(np.stack([times, items.astype(np.int64)]), axis=1, return_index=True)
    first.sort()
    return items[first], times[first], len(items) - len(first)


def _microseconds(time: datetime) -> int:
    since = time - _EPOCH
    return (since.days * 86_400 + since.seconds) * 10**6 + since.microseconds

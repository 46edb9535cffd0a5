"""A value of a table in 32 bits, so that a million rows of hundreds of columns fit into memory.

A number is a ``float32``, which is what XGBoost reads; nothing is its NaN. A text is another NaN,
which carries the text's place in a vocabulary: whoever takes the row for numbers finds nothing
there.
"""

import re
from array import array
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import IntEnum
from itertools import compress
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from maintenance_trainer.tasks.tables.notations import is_notation

Words = NDArray[np.uint32]
"""Cells as they are stored."""

NOTHING: Final = 0x7FC00000
"""The NaN of a missing value; those above it are texts."""
_SIGN: Final = 2**31
"""The first bit, which negative numbers have and texts have not."""
MOST_TEXTS: Final = 2**22 - 2
MOST_NUMBER: Final = 3.4e38
"""Beyond it a ``float32`` is infinite."""
MOST_CHARACTERS: Final = 1024
"""Of a category."""
MISSING_TEXTS: Final = frozenset(
    {
        "", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN",
        "<NA>", "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null",
    }
)  # fmt: skip
"""What stands for nothing in a CSV file: the spellings that pandas reads so."""
_DATE: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"(?:[Tt ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:[.,][0-9]{1,9})?)?"
    r"(?: ?(?:[Zz]|UTC|[+-][0-9]{2}:?[0-9]{2}))?)?"
)
_ZONED: Final = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:[.,][0-9]{1,9})?)?)"
    r" ?(?:[Zz]|UTC|GMT|([+-][0-9]{2}(?::?[0-9]{2})?))"
)
"""A zone of hours alone, or behind a blank: as databases write one. It was a text once."""
_NUMBER: Final = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?")
_CODE: Final = re.compile(r"0[0-9]+")
_PLAIN: Final = re.compile(r"[0-9.\-\0]*")
_PLAIN_TYPES: Final = frozenset({float, int, type(None)})
_CODES: Final = re.compile(r"(?:^|\0)0[0-9]")
"""Where a cell may be a code; ``0.5`` is none."""
_INFINITE: Final = frozenset({"inf", "infinity"})
_HALF: Final = re.compile("[\ud800-\udfff]")
"""A lone surrogate, which no file can hold."""
_DAY: Final = 86_400.0
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Kind(IntEnum):
    """What a cell holds."""

    NUMBER = 0
    NOTHING = 1
    TEXT = 2
    BOOLEAN = 3
    DATE = 4
    CODE = 5
    """A text of digits that begins with a zero: nobody writes a number so."""
    NOTATION = 6
    """A text that is a number or a date in another notation: ``36,5``, ``12 %``, ``31.12.2026``."""


class Cell(NamedTuple):
    """A cell as it was read: a number or a date (days since 1970), else a text's place.

    A date has a place, too, where it keeps its text.
    """

    kind: Kind
    number: float
    place: int = 0


class NoCellError(ValueError):
    """A value that no cell can hold; says what is wrong with it and what to write."""


class Vocabulary:
    """Texts by their places. It only grows: rows that were read stay what they are."""

    def __init__(self) -> None:
        self._places: dict[str, int] = {}
        self._texts: list[str] = []
        self._numbers = array("d")
        self._of_numbers: dict[str, int] = {}
        self._of_others: dict[tuple[str, float], int] = {}
        for text in ("false", "true"):
            self.place(text)

    def place(self, text: str) -> int:
        """The text's place.

        Raises:
            NoCellError: there are too many.
        """
        found = self._places.get(text)
        if found is None:
            found = self._places[text] = self._added(text)
        return found

    def place_of_number(self, text: str, number: float) -> int:
        """The place of a text that is a number where a model reads numbers.

        Raises:
            NoCellError: there are too many.
        """
        first = self._of_numbers.get(text)
        if first is None:
            first = self._of_numbers[text] = self._added(text, number)
        if self._numbers[first] == number:
            return first
        found = self._of_others.get((text, number))  # which few texts have
        if found is None:
            found = self._of_others[text, number] = self._added(text, number)
        return found

    def number(self, place: int) -> float:
        """What the text at a place is as a number; NaN for most."""
        return self._numbers[place]

    def _added(self, text: str, number: float = float("nan")) -> int:
        if len(self._texts) >= MOST_TEXTS:
            message = (
                f"there are more than {MOST_TEXTS:,} different texts in all columns; is one of "
                "them an identifier or free text? Leave it out of data.columns.inputs"
            )
            raise NoCellError(message)
        self._texts.append(text)
        self._numbers.append(number)
        return len(self._texts) - 1

    def text(self, place: int) -> str:
        """The text at a place."""
        return self._texts[place]

    def texts(self, places: Iterable[int]) -> list[str]:
        """The texts at these places."""
        return [self._texts[place] for place in places]


VOCABULARY: Final = Vocabulary()
"""Of this process. What it holds is never part of a key or of a file."""
FALSE, TRUE = 0, 1
_ABSENT: Final = Cell(Kind.NOTHING, float("nan"))
_BOOLEANS: Final = {
    "false": Cell(Kind.BOOLEAN, float("nan"), FALSE),
    "true": Cell(Kind.BOOLEAN, float("nan"), TRUE),
}


def of_text(text: str) -> Cell:
    """A cell of a CSV file, where all is text: a number, a date, true or false, or a category.

    Raises:
        NoCellError: infinity, a number beyond ``float32``, a text that is too long.
    """
    text = text.strip()
    if text in MISSING_TEXTS:
        return _ABSENT
    if _NUMBER.fullmatch(text):
        if _CODE.fullmatch(text):
            return _category(text)._replace(kind=Kind.CODE)
        return _number(float(text), text)
    found = _dated(text)
    if found is not None:
        return found
    if text.lstrip("+-").casefold() in _INFINITE:
        raise NoCellError(_no_number(text))
    return _text(text)


def plain_numbers(cells: Sequence[str]) -> list[float] | None:
    """The numbers of a row of a CSV file that holds nothing else and none that is odd; NaN: empty.

    Most rows of large tables are such ones, and it takes a tenth of the time of cell by cell.
    """
    joined = "\0".join(cells)
    if not _PLAIN.fullmatch(joined) or _CODES.search(joined):
        return None
    try:
        if "" not in cells:
            found = there = [float(cell) + 0.0 for cell in cells]
        else:
            found = [float(cell) + 0.0 if cell else _ABSENT.number for cell in cells]
            there = list(compress(found, cells))
    except ValueError:
        return None
    if not there or max(there) > MOST_NUMBER or min(there) < -MOST_NUMBER:
        return None
    return found


def plain_values(cells: Sequence[Any]) -> list[float] | None:
    """The same of a row of a file that knows types: NaN for what is missing."""
    if not _PLAIN_TYPES.issuperset(map(type, cells)):
        return None
    there = [cell for cell in cells if cell is not None and cell == cell]  # noqa: PLR0124  # NaN
    if not there or max(there) > MOST_NUMBER or min(there) < -MOST_NUMBER:
        return None
    if len(there) == len(cells):
        return [cell + 0.0 for cell in cells]
    # One NaN stands for nothing: others would be texts, or negative numbers.
    return [_ABSENT.number if cell is None or cell != cell else cell + 0.0 for cell in cells]  # noqa: PLR0124


def of_value(  # noqa: PLR0911  # one a type
    value: object, *, category: bool = False
) -> Cell:
    """A cell of a file that knows types (JSON, Parquet): what stands in quotes is no number.

    Args:
        value: as it was read.
        category: it is one of a set of values, whatever they look like.

    Raises:
        NoCellError: a list, an object, binary data; infinity.
    """
    if value is None or value != value:  # noqa: PLR0124  # NaN, of whatever type
        return _ABSENT
    match value:
        case bool():
            return _BOOLEANS["true" if value else "false"]
        case int() | float() | Decimal() if category:
            return _category(spelled(value) if isinstance(value, float) else str(value))
        case int() | float() | Decimal():
            return _number(_float(value), value)
        case str():
            text = value.strip()
            if not text:
                return _ABSENT
            dated = None if category else _dated(text)
            return dated or (_category(text) if category else _text(text))
        case datetime():
            return Cell(Kind.DATE, _days(value))
        case date():
            return Cell(Kind.DATE, _days(datetime(value.year, value.month, value.day, tzinfo=UTC)))
        case _:
            message = (
                f"a number, a text, true or false or a date is expected, not {_what(value)}; "
                "write one value a column, or leave the column out of data.columns.inputs"
            )
            raise NoCellError(message)


def spelled(number: float) -> str:
    """A number as the category that it is among texts, where nobody knows how it was written."""
    if number.is_integer():
        return str(int(number))
    short = np.float32(number)
    return str(short) if float(short) == number else repr(number)


def written(value: object) -> str:
    """A cell that is no text as the category that it is among texts: as its file writes it."""
    match value:
        case str():
            return value.strip()
        case bool():
            return "true" if value else "false"
        case float():
            return spelled(value)
        case _:
            return str(value)


class Categories:
    """Finds texts among categories: as they are written, else as what they mean.

    A file of another type spells a category otherwise: ``7`` where others have ``7.0``, ``true``
    for ``TRUE``. Where two categories mean the same, each is itself alone.
    """

    def __init__(self, texts: Iterable[str]) -> None:
        self._texts = list(texts)
        self._places = {text: place for place, text in enumerate(self._texts)}
        self._meant: dict[str, int | None] = {}
        for text, place in self._places.items():
            meant = _meant(text)
            self._meant[meant] = None if meant in self._meant else place

    def place(self, text: str) -> int | None:
        """Which one it is; None where it is none of them."""
        found = self._places.get(text)
        return self._meant.get(_meant(text)) if found is None else found

    def text(self, text: str) -> str:
        """The category that it is, as that is written; itself where it is none."""
        found = self.place(text)
        return text if found is None else self._texts[found]


def _meant(text: str) -> str:
    if _NUMBER.fullmatch(text):
        return str(Decimal(text).normalize())
    return text.lower() if text.lower() in _BOOLEANS else text


def place_of_number(text: str, number: float) -> int:
    """The place of a text that looks like a number, in a column of texts.

    Raises:
        NoCellError: it is too long, or there are too many.
    """
    _refuse_long(text)
    return VOCABULARY.place_of_number(text, number)


def numeric(words: Words) -> NDArray[np.float32]:
    """(n,) the numbers that cells hold, or that their texts are; NaN for what is none."""
    values = np.ascontiguousarray(words).view(np.float32).copy()
    texts = is_text(words)
    if texts.any():
        different, inverse = np.unique(words[texts], return_inverse=True)
        numbers = [VOCABULARY.number(place) for place in place_of(different).tolist()]
        values[texts] = np.array(numbers, np.float32)[inverse]
    return values


def is_text(words: Words) -> NDArray[np.bool_]:
    """Which cells hold a text: a NaN above that of nothing, and no negative number."""
    return np.asarray((words > NOTHING) & (words < _SIGN))


def is_nothing(words: Words) -> NDArray[np.bool_]:
    """Which cells hold nothing."""
    return np.asarray(words == NOTHING)


def place_of(words: Words) -> NDArray[np.int64]:
    """The places of texts."""
    return words.astype(np.int64) - NOTHING - 1


def word_of(place: int) -> int:
    """A text as a cell."""
    return NOTHING + 1 + place


def _number(number: float, written: object) -> Cell:
    if not -MOST_NUMBER <= number <= MOST_NUMBER:
        raise NoCellError(_no_number(str(written)))
    return Cell(Kind.NUMBER, number + 0.0)  # -0.0 is 0.0


def _float(value: float | Decimal) -> float:
    try:
        return float(value)
    except OverflowError:
        return float("inf")


def _no_number(written: str) -> str:
    return (
        f"{written[:40]!r} is no finite number (of at most 3.4e38, which is what XGBoost reads); "
        "write what was measured, or leave the cell empty"
    )


def _dated(text: str) -> Cell | None:
    if not text[:4].isdecimal():
        return None
    if _DATE.fullmatch(text):
        days = _days_of(text.upper().replace(" UTC", "Z").replace(",", "."))
        if days is not None:
            return Cell(Kind.DATE, days)
    return _dated_as_text(text)


def _dated_as_text(text: str) -> Cell | None:
    """A date that keeps its text: a model that has learnt it as a category reads it as that.

    So the key of its row is that of the text, too, and the row stays on its side.
    """
    found = _ZONED.fullmatch(text)
    if found is None:
        return None
    moment, zone = found.groups()
    days = _days_of(moment.upper().replace(",", ".") + (zone or "Z"))
    return None if days is None else Cell(Kind.DATE, days, place_of_number(text, days))


def _days_of(iso: str) -> float | None:
    try:
        return _days(datetime.fromisoformat(iso))
    except ValueError:
        return None


def _days(moment: datetime) -> float:
    """Since 1970, in UTC; a ``float32`` tells minutes apart."""
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - _EPOCH).total_seconds() / _DAY


def _text(text: str) -> Cell:
    found = _category(text)
    if found.kind is Kind.TEXT and is_notation(text):
        return found._replace(kind=Kind.NOTATION)
    return found


def _category(text: str) -> Cell:
    found = _BOOLEANS.get(text.lower())
    if found is not None:
        return found
    _refuse_long(text)
    whole = text if text.isascii() else _HALF.sub("\ufffd", text)
    return Cell(Kind.TEXT, float("nan"), VOCABULARY.place(whole))


def _refuse_long(text: str) -> None:
    if len(text) > MOST_CHARACTERS:
        message = (
            f"a text of {len(text):,} characters is no category; is it free text? Leave the column "
            "out of data.columns.inputs"
        )
        raise NoCellError(message)


def _what(value: object) -> str:
    names: dict[type, str] = {bytes: "binary data", list: "a list", dict: "an object"}
    return names.get(type(value), f"a {type(value).__name__}")

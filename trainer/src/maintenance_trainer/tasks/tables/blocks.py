"""Rows as arrays: those whose files have the same columns together, in their order."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from maintenance_trainer.tasks.tables.cells import (
    FALSE,
    NOTHING,
    TRUE,
    VOCABULARY,
    Categories,
    Words,
    is_nothing,
    is_text,
    numeric,
    place_of,
    spelled,
    word_of,
)
from maintenance_trainer.tasks.tables.rows import TableRow, Type

if TYPE_CHECKING:
    from maintenance_trainer.tasks.tables.schema import Column, Schema

Matrix = NDArray[np.float32]
_WORD: Final = 4


@dataclass(frozen=True, slots=True)
class Block:
    """Some of the rows: ``words`` (n, k) of k columns, ``at`` (n,) their numbers among all."""

    names: dict[str, int]
    types: tuple[Type, ...]
    words: Words
    at: NDArray[np.int64]

    @property
    def rows(self) -> int:
        """How many they are."""
        return len(self.at)

    def type_of(self, name: str) -> Type:
        """What the column holds in these rows' files."""
        return self.types[self.names[name]]

    def keeps_texts(self, name: str) -> bool:
        """Whether all its cells are texts, be they dates: a model may have them as categories."""
        words = self.column(name)
        return bool((is_text(words) | is_nothing(words)).all())

    def column(self, name: str) -> Words:
        """(n,) the cells of a column that these rows have."""
        return self.words[:, self.names[name]]

    def numbers(self, name: str, wanted: Type) -> Matrix:
        """(n,) a column read as numbers, booleans or dates; NaN for what is none."""
        kind, words = self.type_of(name), self.column(name)
        if (kind is Type.DATE) is not (wanted is Type.DATE):
            return np.full(len(words), np.nan, np.float32)
        values = numeric(words)
        values[np.isnan(values)] = np.nan
        if kind is not Type.DATE:
            values[words == word_of(FALSE)] = 0.0
            values[words == word_of(TRUE)] = 1.0
        return values

    def texts(self, name: str) -> list[str]:
        """The different values of a column, read as categories."""
        words = np.unique(self.column(name))
        texts = VOCABULARY.texts(place_of(words[is_text(words)]))
        if self.type_of(name) is Type.DATE:
            return texts
        return texts + [spelled(number) for number in _numbers(words)]

    def codes(self, name: str, categories: Sequence[str]) -> Matrix:
        """(n,) a column as places among categories; NaN for what is none of them."""
        different, inverse = np.unique(self.column(name), return_inverse=True)
        known = Categories(categories)
        texts = [_as_text(int(word)) for word in different]
        if self.type_of(name) is Type.DATE:  # of which those that keep their text have one
            pairs = zip(texts, is_text(different).tolist(), strict=True)
            texts = [text if is_one else None for text, is_one in pairs]
        codes = [None if text is None else known.place(text) for text in texts]
        return np.array(codes, np.float32)[inverse]


def of(rows: Sequence[TableRow]) -> list[Block]:
    """The rows of each form."""
    forms: dict[object, int] = {}
    by_header: dict[int, int] = {}
    found: dict[tuple[int, int], list[int]] = {}
    for number, row in enumerate(rows):
        form = by_header.get(id(row.header))
        if form is None:
            form = by_header[id(row.header)] = forms.setdefault(row.header.form, len(forms))
        found.setdefault((form, len(row.cells)), []).append(number)
    return [_block(rows, numbers) for numbers in found.values()]


def matrix(rows: Sequence[TableRow], schema: "Schema") -> Matrix:
    """(n, d) what a model reads of rows: numbers, codes of categories, NaN for what is missing."""
    out = np.full((len(rows), len(schema.columns)), np.nan, np.float32)
    for block in of(rows):
        for index, column in enumerate(schema.columns):
            if column.name in block.names:
                out[block.at, index] = read(block, column)
    return out


def read(block: Block, column: "Column") -> Matrix:
    """(n,) a column of these rows as the model reads it."""
    if column.type is Type.CATEGORY:
        return block.codes(column.name, column.categories)
    return block.numbers(column.name, column.type)


def _block(rows: Sequence[TableRow], numbers: list[int]) -> Block:
    header = rows[numbers[0]].header
    cells = b"".join(rows[number].cells for number in numbers)
    width = len(rows[numbers[0]].cells) // _WORD
    words = np.frombuffer(cells, np.uint32).reshape(len(numbers), width)
    names = {name: index for index, name in enumerate(header.names[:width])}
    return Block(names, tuple(header.types[:width]), words, np.array(numbers, np.int64))


def _as_text(word: int) -> str | None:
    """A cell read as a category; None where it holds nothing."""
    number = float(np.uint32(word).view(np.float32))
    if not np.isnan(number):
        return spelled(number)
    return None if word == NOTHING else VOCABULARY.text(word - NOTHING - 1)


def _numbers(words: Words) -> list[float]:
    """Those among cells."""
    values = words.view(np.float32)
    return [float(value) for value in values[~np.isnan(values)]]

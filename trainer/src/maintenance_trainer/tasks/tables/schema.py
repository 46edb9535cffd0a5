"""What a model of a table reads: its columns in their order, their types, their categories.

The schema is inferred once, from the rows of a retrain, and stored beside the model in plain JSON:
whoever serves the model needs it, too.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from maintenance_contract import ContractError
from maintenance_contract.codec import Fields
from maintenance_trainer.errors import DataError
from maintenance_trainer.tasks.named_columns import MOST_CHARACTERS, refuse_unstorable
from maintenance_trainer.tasks.tables import blocks
from maintenance_trainer.tasks.tables.blocks import Block
from maintenance_trainer.tasks.tables.cells import Categories, is_nothing
from maintenance_trainer.tasks.tables.rows import FEW_TEXTS, TableRow, Type

MOST_COLUMNS: Final = 10_000
MOST_CATEGORIES: Final = 10_000
"""Of one column; a list of them is stored with each version."""
SURELY_CATEGORIES: Final = 40
"""So few different texts are categories, however few rows there are."""
POINTS: Final = 33
"""Quantiles of numbers that are kept: what the model was trained on, every 3 % of the rows."""
MOST_ROWS: Final = 200_000
"""Rows that quantiles are taken of."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column that a model reads.

    ``categories`` are the texts that codes 0, 1, … stand for. ``quantiles`` of numbers and dates
    (days since 1970) are those of the rows that the model was trained on, ``missing`` is the share
    of them that held nothing; empty and 0 where nobody has said so.
    """

    name: str
    type: Type
    categories: tuple[str, ...] = ()
    quantiles: tuple[float, ...] = ()
    missing: float = 0.0

    def document(self) -> dict[str, Any]:
        """As it is stored."""
        return {
            "name": self.name,
            "type": self.type.value,
            **({"categories": list(self.categories)} if self.type is Type.CATEGORY else {}),
            **({"quantiles": list(self.quantiles)} if self.quantiles else {}),
            **({"missing": self.missing} if self.missing else {}),
        }

    @classmethod
    def read(cls, fields: Fields) -> "Column":
        """The inverse of ``document``.

        Raises:
            ContractError: with the dotted path of the field that is wrong.
        """
        kind = fields.one_of("type", Type)
        if kind is Type.NOTHING:
            raise ContractError(f"{fields.name('type')}: write number, boolean, date or category")
        categories = fields.strings("categories", most=MOST_CATEGORIES)
        if len(set(categories)) < len(categories) or (categories and kind is not Type.CATEGORY):
            problem = "each category once, of a column of type category"
            raise ContractError(f"{fields.name('categories')}: {problem}")
        return cls(
            fields.string("name", most=MOST_CHARACTERS),
            kind,
            categories,
            _quantiles(fields),
            fields.share("missing") if fields.has("missing") else 0.0,
        )


@dataclass(frozen=True, slots=True)
class Schema:
    """The columns of a model, in the order of its features."""

    columns: tuple[Column, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Of the columns."""
        return tuple(column.name for column in self.columns)

    @property
    def feature_types(self) -> list[str]:
        """As XGBoost calls them: ``q`` for quantities, ``c`` for categories."""
        return ["c" if column.type is Type.CATEGORY else "q" for column in self.columns]

    @classmethod
    def of(cls, rows: Sequence[TableRow]) -> "Schema":
        """What these rows hold. Columns without a single value are none.

        Raises:
            DataError: DataUnreadable: no columns, or one of texts that are no categories.
        """
        found = blocks.of(rows)
        names = list(dict.fromkeys(name for block in found for name in block.names))
        columns = [column for name in names if (column := _inferred(name, found)) is not None]
        if not columns:
            message = (
                "data: there is no column to learn from; every one has a role of its own or is "
                "empty. Name the inputs in data.columns.inputs."
            )
            raise DataError("ColumnMissing", message)
        refuse_unstorable([column.name for column in columns], MOST_COLUMNS)
        return cls(tuple(columns))

    def grown(self, rows: Sequence[TableRow]) -> "Schema":
        """The same with the categories that these rows have, behind the known ones."""
        found = blocks.of(rows)
        return Schema(tuple(_grown(column, found) for column in self.columns))

    def document(self) -> list[dict[str, Any]]:
        """As it is stored."""
        return [column.document() for column in self.columns]

    @classmethod
    def read(cls, fields: Fields) -> "Schema":
        """The inverse of ``document``, of the field ``columns``.

        Raises:
            ContractError: with the dotted path of the field that is wrong.
        """
        columns = tuple(map(Column.read, fields.items("columns", most=MOST_COLUMNS)))
        counts = Counter(column.name for column in columns)
        doubled = next((name for name, count in counts.items() if count > 1), None)
        if not columns or doubled is not None:
            problem = "there are none" if doubled is None else f"{doubled!r} is there twice"
            raise ContractError(f"{fields.name('columns')}: {problem}")
        return cls(columns)


def _quantiles(fields: Fields) -> tuple[float, ...]:
    values = fields.raw_value("quantiles")
    if values is None:
        return ()
    fine = isinstance(values, list) and 2 <= len(values) <= MOST_CATEGORIES  # noqa: PLR2004
    if not fine or not all(
        isinstance(value, int | float) and np.isfinite(value) for value in values
    ):
        raise ContractError(f"{fields.name('quantiles')}: a list of finite numbers is expected")
    if values != sorted(values):
        raise ContractError(f"{fields.name('quantiles')}: write them in ascending order")
    return tuple(map(float, values))


def _inferred(name: str, found: Sequence[Block]) -> Column | None:
    here = [block for block in found if name in block.names]
    present = Counter[Type]()
    for block in here:
        present[block.type_of(name)] += int((~is_nothing(block.column(name))).sum())
    total = sum(block.rows for block in found)
    filled = sum(present.values())
    if not filled:
        return None
    kind = decided(present)
    missing = round(1 - filled / total, 6)
    if kind is Type.CATEGORY:
        return Column(name, kind, _categories(name, here, filled), (), missing)
    if kind is Type.BOOLEAN:
        return Column(name, kind, (), (), missing)
    values = np.concatenate([block.numbers(name, kind) for block in here])
    return Column(name, kind, (), quantiles_of(values), missing)


def decided(present: Counter[Type]) -> Type:
    """One type for all files. Few texts among numbers of other files make no categories of them."""
    texts, total = present[Type.CATEGORY], sum(present.values())
    if texts >= FEW_TEXTS * total:
        return Type.CATEGORY
    if present[Type.DATE] > present[Type.NUMBER] + present[Type.BOOLEAN]:
        return Type.DATE
    return Type.NUMBER if present[Type.NUMBER] else Type.BOOLEAN


def alike(found: Type, wanted: Type) -> bool:
    """Whether a file's column can hold what a model reads; a category may be a number."""
    if wanted is Type.CATEGORY:
        return found is not Type.DATE
    numbers = {Type.NUMBER, Type.BOOLEAN}
    return found is wanted or found is Type.NOTHING or {found, wanted} <= numbers


def quantiles_of(values: NDArray[np.float32]) -> tuple[float, ...]:
    """Evenly spaced ones of the numbers that are there, the least and the greatest among them."""
    values = values[~np.isnan(values)]
    if not len(values):
        return ()
    step = max(1, len(values) // MOST_ROWS)
    points = np.quantile(values[::step].astype(np.float64), np.linspace(0, 1, POINTS))
    return tuple(float(f"{point:.7g}") for point in points)


def _categories(name: str, here: Sequence[Block], filled: int) -> tuple[str, ...]:
    texts = sorted({text for block in here for text in block.texts(name)})
    many = len(texts) > SURELY_CATEGORIES and len(texts) > filled / 2
    if many or len(texts) > MOST_CATEGORIES:
        message = (
            f"data.columns.inputs: the column {name!r} holds {len(texts):,} different texts in "
            f"{filled:,} rows (like {texts[0][:40]!r}), so it is no category but an identifier, "
            "free text, a date that is not written like 2026-11-23, or numbers in quotes or "
            "with a decimal comma. Name it in data.columns.id, or name the inputs without it."
        )
        raise DataError("DataUnreadable", message)
    return tuple(texts)


def _grown(column: Column, found: Sequence[Block]) -> Column:
    if column.type is not Type.CATEGORY:
        return column
    here = [block for block in found if column.name in block.names]
    known = Categories(column.categories)
    texts = {text for block in here for text in block.texts(column.name)}
    news = {text for text in texts if known.place(text) is None}
    room = MOST_CATEGORIES - len(column.categories)
    return replace(column, categories=(*column.categories, *sorted(news)[:room]))


def unfilled(rows: Sequence[TableRow]) -> tuple[str, ...]:
    """Columns that the files have and that hold nothing."""
    found = blocks.of(rows)
    names = dict.fromkeys(name for block in found for name in block.names)
    return tuple(name for name in names if not _filled(name, found))


def _filled(name: str, found: Iterable[Block]) -> bool:
    return any(
        bool((~is_nothing(block.column(name))).any()) for block in found if name in block.names
    )

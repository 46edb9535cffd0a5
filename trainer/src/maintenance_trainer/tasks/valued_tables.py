"""Files of tables whose rows have a number each."""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import ClassVar, Final

from typing_extensions import override  # typing has it from Python 3.12 on

from maintenance_contract import Task
from maintenance_contract.kinds import ROLES
from maintenance_trainer.data import labels
from maintenance_trainer.data.sources import SourceFile
from maintenance_trainer.tasks.tables.files import Tables
from maintenance_trainer.tasks.tables.rows import TableRow

MOST: Final = 3.4e38
"""Beyond it a number is infinite for XGBoost."""
_NUMBER: Final = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
"""As files write one: Python's own ``float`` reads ``1_000``, and digits of any script, too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ValuedRow(TableRow):
    """A row with a number; there are no classes."""

    @property
    @override
    def stratum(self) -> str:
        return ""


class ValuedTables(Tables):
    """Rows with a number."""

    roles = ROLES[Task.TABULAR_REGRESSION]
    row: ClassVar[type[TableRow]] = ValuedRow

    @override
    def spelling(self, source: SourceFile) -> Callable[[object], str | None]:
        """What a version was trained on is read as it was."""
        return _as_python_does if source.known else spelled


def spelled(value: object) -> str | None:
    """A number in its shortest spelling; empty where it is missing; None for what is none."""
    text = _text(value)
    return _shortest(text) if not text or _NUMBER.fullmatch(text) else None


def _as_python_does(value: object) -> str | None:
    return _shortest(_text(value))


def _text(value: object) -> str | None:
    """What is written there, empty where nothing is; None for what is neither number nor text."""
    if isinstance(value, bool):
        return None
    text = str(value) if isinstance(value, float | Decimal) else labels.spelled(value)
    if text is None:
        return None
    if not text or text.casefold() in {"nan", "na", "null", "none", "n/a"} | labels.NOTHING:
        return ""
    return text


def _shortest(text: str | None) -> str | None:
    if not text:
        return text
    try:
        number = float(text)
    except ValueError:
        return None
    return repr(number + 0.0) if math.isfinite(number) and abs(number) <= MOST else None


SOURCE: Final = ValuedTables()

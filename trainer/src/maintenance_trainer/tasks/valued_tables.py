"""Files of tables whose rows have a number each."""

import math
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from typing_extensions import override  # typing has it from Python 3.12 on

from maintenance_contract import Task
from maintenance_contract.kinds import ROLES
from maintenance_trainer.data import labels
from maintenance_trainer.tasks.tables.files import Tables
from maintenance_trainer.tasks.tables.rows import TableRow

MOST: Final = 3.4e38
"""Beyond it a number is infinite for XGBoost."""


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


def spelled(value: object) -> str | None:
    """A number in its shortest spelling; empty where it is missing; None for what is none."""
    if isinstance(value, bool):
        return None
    text = str(value) if isinstance(value, float | Decimal) else labels.spelled(value)
    if not text or text.casefold() in {"nan", "na", "null", "none", "n/a"}:
        return ""
    try:
        number = float(text)
    except ValueError:
        return None
    return repr(number + 0.0) if math.isfinite(number) and abs(number) <= MOST else None


SOURCE: Final = ValuedTables(ValuedRow, spelled)

"""How many labelled rows are never trained on, so that versions can be compared on them."""

import math
from dataclasses import dataclass
from typing import Final

from maintenance_contract import checks
from maintenance_contract.codec import Fields
from maintenance_contract.record import EVERY, record
from maintenance_contract.values import Codec

AUTO: Final = "Auto"
"""What stands for a percentage that follows from the number of rows."""
LEAST_PERCENT: Final = 1
MOST_PERCENT: Final = 90
_OF_FEW: Final = 10
_OF_MANY: Final = 50
_MOST: Final = 10**9


@dataclass(frozen=True, slots=True)
class Holdout:
    """Per cent of rows never trained on, by origin; None: ``held_out_rows`` says how many."""

    original_percent: int | None = None
    updates_percent: int | None = None

    def document(self) -> dict[str, int | str]:
        """As requests, snapshots and manifests spell it."""
        return HOLDOUT.document(self)

    @classmethod
    def read(cls, document: Fields) -> "Holdout":
        """The inverse of ``document``, and what a resource says.

        Raises:
            ContractError: neither Auto nor a whole number from 1 to 90.
        """
        return document.decoded(HOLDOUT.decode)


_PERCENT: Final = Codec(
    lambda value: checks.whole_or(AUTO, value, LEAST_PERCENT, MOST_PERCENT),
    lambda percent: AUTO if percent is None else percent,
)
HOLDOUT: Final = record(Holdout, always=EVERY, original_percent=_PERCENT, updates_percent=_PERCENT)


def held_out_rows(rows: int) -> int:
    """How many of so many rows ``Auto`` holds out: half of few, one in fifty of very many.

    In between ten times the square root: then what a comparison can show and what a training can
    learn grow together. 300 rows: 150, 1,000: 316, 10,000: 1,000, 30,000: 1,732.
    """
    return min(rows // 2, round(max(_OF_FEW * math.sqrt(rows), rows / _OF_MANY)))


def more_held_out(held_out: int, rows: int, more: int) -> int:
    """How many of ``more`` rows ``Auto`` holds out, where ``held_out`` of ``rows`` are already.

    Half of them at most: from the rest a model learns. One in fifty at least: they may be of
    another kind than those before.
    """
    missing = held_out_rows(rows + more) - held_out
    return min(max(missing, math.ceil(more / _OF_MANY)), more // 2)


def rows_to_hold_out(missing: int, held_out: int, rows: int) -> int:
    """How many more rows ``Auto`` must find to hold out ``missing`` more: the inverse of that."""
    low, high = 0, 2 * missing
    while more_held_out(held_out, rows, high) < missing and high < _MOST:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        enough = more_held_out(held_out, rows, middle) >= missing
        low, high = (low, middle) if enough else (middle, high)
    return high

"""How many labelled rows are never trained on, so that versions can be compared on them."""

import math
from dataclasses import dataclass
from typing import Final

from maintenance_contract.codec import Fields

AUTO: Final = "Auto"
"""What stands for a percentage that follows from the number of rows."""
LEAST_PERCENT: Final = 1
MOST_PERCENT: Final = 90
_OF_FEW: Final = 10
_OF_MANY: Final = 50


@dataclass(frozen=True, slots=True)
class Holdout:
    """Per cent of rows never trained on, by origin; None: ``held_out_rows`` says how many."""

    original_percent: int | None = None
    updates_percent: int | None = None

    def document(self) -> dict[str, int | str]:
        """As requests, snapshots and manifests spell it."""
        return {
            "originalPercent": _spelled(self.original_percent),
            "updatesPercent": _spelled(self.updates_percent),
        }

    @classmethod
    def read(cls, fields: Fields) -> "Holdout":
        """The inverse of ``document``, and what a resource says.

        Raises:
            ContractError: neither Auto nor a whole number from 1 to 90.
        """
        original, updates = (
            fields.integer_or(AUTO, key, least=LEAST_PERCENT, most=MOST_PERCENT)
            for key in ("originalPercent", "updatesPercent")
        )
        return cls(original, updates)


def held_out_rows(rows: int) -> int:
    """How many of so many rows ``Auto`` holds out: half of few, one in fifty of very many.

    In between ten times the square root: then what a comparison can show and what a training can
    learn grow together. 300 rows: 150, 1,000: 316, 10,000: 1,000, 30,000: 1,732.
    """
    return min(rows // 2, round(max(_OF_FEW * math.sqrt(rows), rows / _OF_MANY)))


def _spelled(percent: int | None) -> int | str:
    return AUTO if percent is None else percent

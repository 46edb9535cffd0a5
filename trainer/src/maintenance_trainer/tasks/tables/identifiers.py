"""Who a row is of, whatever its file holds that in: one patient has one name in all files."""

import re
from typing import Final

from maintenance_trainer.data import labels
from maintenance_trainer.tasks.tables.cells import MISSING_TEXTS

_FRACTION: Final = re.compile(r"(-?(?:0|[1-9][0-9]*))\.0+")
"""A whole number beside gaps, as programs write it; ``007`` and ``1E5`` are names."""


def identified(value: object) -> str:
    """The name that a cell holds, equal for spellings of one name; empty where it holds none."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    text = "" if value is None else str(value).strip()
    if text in MISSING_TEXTS:  # nan among them
        return ""
    fraction = _FRACTION.fullmatch(text)
    if fraction:
        return fraction[1]
    if text.casefold() in {"true", "false"}:
        return text.casefold()
    return labels.seen(text) or text

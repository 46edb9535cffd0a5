"""Which items a model's tokens stand for, in plain JSON beside it.

    items.json      {"version": 1, "items": ["…"], "counts": [12]}

Token 0 fills a batch up, 1 stands for any item that the model does not know, 2 begins a history;
the first item of the list is token 3, and so on. ``counts`` says how often each was chosen in the
rows that the model was trained on: whoever serves has what to show where nothing is known of a
user.
"""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from maintenance_contract import ContractError
from maintenance_contract.codec import load

ITEMS_FILE: Final = "items.json"
ITEMS_VERSION: Final = 1
PADDING, UNKNOWN, BEGINNING, FIRST = 0, 1, 2, 3
"""Tokens; the last of these is that of the first item."""
MOST_ITEMS: Final = 1_000_000
"""Of a list that is read."""
_HALF_CHARACTER: Final = re.compile("[\ud800-\udfff]")


class Catalogue:
    """The items of a model, in the order of their tokens."""

    def __init__(self, items: Sequence[str], counts: Sequence[int]) -> None:
        self.items = tuple(items)
        self.counts = tuple(counts)

    def __len__(self) -> int:
        return len(self.items)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Catalogue) and (self.items, self.counts) == (
            other.items,
            other.counts,
        )

    __hash__ = None  # type: ignore[assignment]  # of lists as long as these nobody makes keys

    @property
    def tokens(self) -> int:
        """How many a model has."""
        return FIRST + len(self.items)


def read(folder: Path) -> Catalogue:
    """The items that a folder names.

    Raises:
        FileNotFoundError: there is no list.
        ContractError: it is none.
    """
    path = folder / ITEMS_FILE
    if not path.is_file():
        message = (
            f"holds no {ITEMS_FILE}, which names the items in the order of their tokens, from "
            f'token {FIRST} on: {{"version": 1, "items": ["a", "b"], "counts": [12, 3]}}.'
        )
        raise FileNotFoundError(message)
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise ContractError(f"{ITEMS_FILE}: not UTF-8") from None
    fields = load(text, version=ITEMS_VERSION, kind=ITEMS_FILE)
    try:
        items = fields.strings("items", most=MOST_ITEMS)
        counts = fields.raw_value("counts")
    except ContractError as error:
        raise ContractError(f"{ITEMS_FILE}: {error}") from None
    if not items or len(set(items)) < len(items) or not all(map(str.strip, items)):
        raise ContractError(f"{ITEMS_FILE}: items: write each item once, and none that is empty")
    if blank := next((item for item in items if item != item.strip()), ""):
        problem = f"{blank[:40]!r} has blanks around it, which names in data files never have"
        raise ContractError(f"{ITEMS_FILE}: items: {problem}")
    if counts is None:  # a model that was made elsewhere need not know
        counts = [0] * len(items)
    whole = isinstance(counts, list) and all(
        isinstance(count, int) and not isinstance(count, bool) and count >= 0 for count in counts
    )
    if not whole or len(counts) != len(items):
        problem = f"{len(items)} whole numbers are expected, one for each item"
        raise ContractError(f"{ITEMS_FILE}: counts: {problem}")
    return Catalogue(items, counts)


def write(folder: Path, catalogue: Catalogue) -> None:
    """Write the list."""
    document = {
        "version": ITEMS_VERSION,
        "items": list(catalogue.items),
        "counts": list(catalogue.counts),
    }
    text = json.dumps(document, ensure_ascii=False, allow_nan=False)
    if _HALF_CHARACTER.search(text):
        text = json.dumps(document, allow_nan=False)
    (folder / ITEMS_FILE).write_text(f"{text}\n", encoding="utf-8")

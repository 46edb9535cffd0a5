"""Which items are gone: nobody chooses them any more, though somebody was to be expected to.

An item of which new rows should show some, at its old popularity, and that show none, is gone; of a
rare one that says little. Where most of those that can be told are gone, the rare ones are as well:
Bayes' rule, with the share of items that are gone as what is known beforehand.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from maintenance_trainer.tasks.items.names import ITEMS
from maintenance_trainer.tasks.items.rows import ItemRow, Items

EXPECTED: Final = 5.0
"""New users who must be expected to choose an item, so that its absence tells."""
TELLING: Final = 10
"""Items that must be expected so often; of fewer nothing is concluded."""
LEAST: Final = 0.2
"""Share of these that must be gone: in a season some are not asked for, and will be again."""
SURE: Final = 0.95


def without_gone(rows: Sequence[ItemRow]) -> list[ItemRow]:
    """The same; old ones whose last item is gone judge nothing any more."""
    over = gone(rows)
    if not over.any():
        return list(rows)
    return [replace(row, over=True) if not row.new and over[row.last] else row for row in rows]


def gone(rows: Sequence[ItemRow]) -> NDArray[np.bool_]:
    """By number, whether an item of old rows is gone."""
    before, now = (_counts(rows, new=new) for new in (False, True))
    nothing = np.zeros(len(ITEMS), bool)
    if not before.sum() or not now.sum():
        return nothing
    expected = before * (now.sum() / before.sum())
    telling = expected >= EXPECTED
    if telling.sum() < TELLING:
        return nothing
    absent = now == 0
    share = float(absent[telling].mean())
    if share < LEAST:
        return nothing
    alive = (1.0 - share) * np.exp(-expected)
    found: NDArray[np.bool_] = (before > 0) & absent & (share >= SURE * (share + alive))
    return found


def _counts(rows: Sequence[ItemRow], *, new: bool) -> NDArray[np.int64]:
    """How many users chose each item: what one of them chooses again and again tells no more."""
    own: defaultdict[str, list[Items]] = defaultdict(list)
    for row in rows:
        if row.new is new:
            own[row.user].append(row.own)
    numbers = [np.unique(np.concatenate(its)) for its in own.values()]
    return np.bincount(np.concatenate(numbers) if numbers else [], minlength=len(ITEMS))

"""A user's interactions lie in several files: what was done before is the context of what follows.

Rows stay rows of their files, so that a file is held out and learnt from as it is. A row that the
champion was trained on sees no newer row's interactions, whatever their times say.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from maintenance_trainer.data.remarks import Remarks
from maintenance_trainer.tasks.items.gone import without_gone
from maintenance_trainer.tasks.items.names import ITEMS
from maintenance_trainer.tasks.items.rows import ItemRow

LONELY: Final = 0.5
"""Share of users with one interaction from which on it is told."""


def join(rows: Sequence[ItemRow]) -> list[ItemRow]:
    """The same rows, each with what its user did before.

    An interaction that several files hold counts once, for the first of them; a row of which
    nothing is left is gone.

    Args:
        rows: of all files, in their order.
    """
    users: dict[str, list[int]] = {}
    for number, row in enumerate(rows):
        users.setdefault(row.user, []).append(number)
    joined: dict[int, ItemRow] = {}
    for numbers in users.values():
        if len(numbers) == 1:
            joined[numbers[0]] = rows[numbers[0]]
            continue
        its = [(number, rows[number]) for number in numbers]
        for new in (False, True):
            if any(row.new is new for _, row in its):
                seen = [(number, row) for number, row in its if new or not row.new]
                joined |= {
                    number: row for number, row in _merged(seen).items() if rows[number].new is new
                }
    return without_gone([joined[number] for number in sorted(joined)])


def tell(rows: Sequence[ItemRow], remarks: Remarks) -> None:
    """Tell of users who judge nothing, held out or not: here all of them are at hand."""
    length: dict[str, int] = {}
    for row in rows:
        length[row.user] = max(length.get(row.user, 0), len(row.items))
    lonely = sum(each < 2 for each in length.values())  # noqa: PLR2004
    if length and lonely >= LONELY * len(length):
        what = (
            f"{lonely:,} of {len(length):,} users have one interaction: they tell what is chosen "
            "first, and judge nothing"
        )
        remarks.note(what, "data")
    old = [row for row in rows if not row.new and row.latest]
    if over := sum(row.over for row in old):
        what = (
            f"the last item of {over:,} of {len(old):,} old users is gone from the catalogue: "
            "those of them who are held out judge nothing any more"
        )
        remarks.note(what, "data")


def _merged(its: Sequence[tuple[int, ItemRow]]) -> dict[int, ItemRow]:
    """By number; old rows come first, so that what a new file repeats stays old."""
    ordered = sorted(its, key=lambda one: one[1].new)
    items = np.concatenate([row.own for _, row in ordered])
    times = np.concatenate([row.times[row.answers] for _, row in ordered])
    of = np.repeat(np.arange(len(ordered)), [len(row.answers) for _, row in ordered])
    _, first = np.unique(np.stack([times, items.astype(np.int64)]), axis=1, return_index=True)
    first.sort()
    items, times, of = items[first], times[first], of[first]
    order = np.argsort(times, kind="stable")
    items, times, of = items[order], times[order], of[order]
    last = dict.fromkeys((False, True), -1)
    of_each = np.cumsum(np.bincount(of, minlength=len(ordered)))[:-1]
    places = np.split(np.argsort(of, kind="stable").astype(np.int32), of_each)
    for (_, row), own in zip(ordered, places, strict=True):
        last[row.new] = max(last[row.new], int(own[-1]) if len(own) else -1)
    return {
        number: replace(
            row,
            items=items[: own[-1] + 1],
            times=times[: own[-1] + 1],
            answers=own,
            label=ITEMS.text(int(items[own[-1]])),
            latest=int(own[-1]) == last[row.new],
        )
        for (number, row), own in zip(ordered, places, strict=True)
        if len(own)
    }

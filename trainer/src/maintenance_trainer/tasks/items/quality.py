"""Can new interactions be trusted at all? See ``diagnose.quality``, which asks it of classes.

Items that were shuffled, or joined with the wrong users, keep their popularity and lose what led to
them. So the question is whether what other users went on to tells anything of what these do, beyond
what is popular; as of old rows it does. A change of taste changes what follows, not whether
anything does.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from maintenance_trainer.diagnose import thresholds as at
from maintenance_trainer.diagnose.quality import lost
from maintenance_trainer.errors import DataError
from maintenance_trainer.seed import SEED
from maintenance_trainer.tasks.items.names import ITEMS
from maintenance_trainer.tasks.items.rows import EACH, ItemRow

Floats = NDArray[np.float64]

LEARNABLE: Final = 0.05
"""Of old rows' items, told beyond popularity, from which on there is something to lose."""
FIRST: Final = 10
"""An item is told where it is among so many."""
BACK: Final = 3
"""Items of a history that are looked at, the newest ones."""
MOST_USERS: Final = 1000
MOST_ASKED: Final = 4000
"""Items that are asked for; more make the answer surer than it need be."""


def check(old: Sequence[ItemRow], new: Sequence[ItemRow]) -> None:
    """Refuse new interactions of which no model can learn what follows what.

    Args:
        old: rows that the champion was trained on, or could have been.
        new: rows that are new to it.

    Raises:
        DataError: LabelsUnpredictable.
    """
    old, new = (_few([row for row in rows if row.scored], MOST_USERS) for rows in (old, new))
    if min(len(old), len(new)) < at.LEAST_ROWS:
        return
    as_many = _few(old, len(new))
    before, after = _among_themselves(as_many), _among_themselves(new)
    # What old rows teach is a second way to read new ones.
    still = _gains(_Followers.of(old), new).mean()
    error = float(np.hypot(_error(before), _error(after)))
    was, now = float(before.mean()), max(float(after.mean()), float(still))
    if lost(was, now, error, LEARNABLE):
        message = (
            f"data.updates: what {len(new)} users chose does not follow from what they chose "
            f"before (told beyond what is popular: {now:.0%} of the items; of as many old users "
            f"{was:.0%}): items look shuffled, or joined with the wrong users or times. Whoever "
            "delivers the rows must mend them; nothing is trained on them."
        )
        raise DataError("LabelsUnpredictable", message)


@dataclass(frozen=True, slots=True)
class _Followers:
    """How often an item came soon after another, and how often at all."""

    after: sparse.csr_array
    popular: NDArray[np.int64]
    most: NDArray[np.int64]

    @classmethod
    def of(cls, rows: Sequence[ItemRow]) -> "_Followers":
        total = len(ITEMS)
        first, then, weight = [], [], []
        for row in rows:
            items = row.items[-EACH:]
            for back in range(1, BACK + 1):
                first.append(items[:-back])
                then.append(items[back:])
                weight.append(np.full(max(0, len(items) - back), 1.0 / back))
        pairs = (np.concatenate(first), np.concatenate(then))
        after = sparse.csr_array((np.concatenate(weight), pairs), shape=(total, total))
        popular = np.bincount(np.concatenate([row.items[-EACH:] for row in rows]), minlength=total)
        return cls(after, popular, np.argsort(-popular, kind="stable")[:FIRST])

    def told(self, history: NDArray[np.int32]) -> NDArray[np.int64]:
        """The items that come first after such a history, then the popular ones."""
        back = history[: -BACK - 1 : -1]
        there = np.concatenate([self._row(item) for item in back] + [self.most])
        weights = np.concatenate(
            [self._weights(item) / (1 + at) for at, item in enumerate(back)]
            + [np.zeros(len(self.most))]
        )
        items, place = np.unique(there, return_inverse=True)
        scores = np.bincount(place, weights)
        ordered: NDArray[np.int64] = items[np.lexsort((-self.popular[items], -scores))]
        return ordered[:FIRST]

    def _row(self, item: int) -> NDArray[np.int64]:
        found: NDArray[np.int64] = self.after.indices[
            self.after.indptr[item] : self.after.indptr[item + 1]
        ].astype(np.int64)
        return found

    def _weights(self, item: int) -> Floats:
        found: Floats = self.after.data[self.after.indptr[item] : self.after.indptr[item + 1]]
        return found


def _among_themselves(rows: Sequence[ItemRow]) -> Floats:
    """Of each item that is asked for, the gain by what the other half of the users teaches."""
    halves = rows[::2], rows[1::2]
    return np.concatenate(
        [_gains(_Followers.of(other), half) for half, other in (halves, halves[::-1])]
    )


def _gains(followers: _Followers, rows: Sequence[ItemRow]) -> Floats:
    """(n,) 1 where followers tell an item and popularity does not, -1 the other way, else 0."""
    popular = set(followers.most.tolist())
    asked = [(row, place) for row in rows for place in row.answers[-EACH:].tolist() if place]
    chance = np.random.default_rng(SEED)
    chosen = chance.permutation(len(asked))[: MOST_ASKED // 2]
    found = np.zeros(len(chosen))
    for number, at_place in enumerate(chosen.tolist()):
        row, place = asked[at_place]
        item = int(row.items[place])
        told = item in followers.told(row.items[:place]).tolist()
        found[number] = float(told) - float(item in popular)
    return found


def _few(rows: Sequence[ItemRow], most: int) -> list[ItemRow]:
    """At most so many, drawn by their keys, which nothing can favour."""
    return sorted(rows, key=lambda row: row.key[16:])[:most]


def _error(values: Floats) -> float:
    return float(values.std()) / max(1.0, float(np.sqrt(len(values))))

"""Users whose law is known, who choose items one after another, and what can happen to both.

A catalogue of genres, each with popular items and rare ones. A user prefers some genres and goes on
from item to item: mostly to one of those that follow the last one, else to another of a genre that
the user prefers, the popular ones first.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Table = dict[str, list[Any]]
Whole = NDArray[np.int64]

GENRES, PER_GENRE = 8, 25
FOLLOWERS: Final = 3
GOES_ON: Final = 0.6
"""How often a user goes on to a follower of the last item."""
STAYS: Final = 0.5
"""How often one who does not stays in the genre."""
SHORTEST, LONGEST = 3, 15
"""Interactions of a user in one file."""
LAUNCHED: Final = 2
"""Genres that a launch adds."""
LAUNCH_SHARE: Final = 0.3
REPLACED: Final = 0.8
KNOWN: Final = 0.5
"""Share of the users of the updates that have been there before."""
ON_SALE: Final = 2
"""Genres that a sale is of; every fourth user likes them, and in its week most who come do."""
COME: Final = 0.75
TESTED: Final = 2000
"""Users that nobody has seen: each is a sequence, and costs as much as fifteen rows."""
START, DAY = 1_750_000_000, 86_400
CHANGES: Final = ("none", "sales-week", "launch", "catalogue", "taste", "items-shuffled")
NULL: Final = ("none", "sales-week")
BROKEN: Final = ("items-shuffled",)
OLD_IS_OVER: Final = ("catalogue", "taste")
"""What was chosen then is chosen no more, or followed by something else."""


@dataclass(frozen=True)
class World:
    """What can happen to users and items."""

    changes: tuple[str, ...] = CHANGES
    tested: int = TESTED

    def law(self, seed: int) -> "Law":
        """That of a seed."""
        return Law(seed)


@dataclass
class Law:
    """How one seed's users choose."""

    seed: int
    _users: int = field(default=0, init=False)

    @cached_property
    def _followers(self) -> Mapping[bool, Whole]:
        """(items, FOLLOWERS) of each item, before and after a change of taste.

        Those of a launch are there from the beginning, and nobody chooses them yet.
        """
        chance = np.random.default_rng(self.seed)
        total = (GENRES + LAUNCHED) * PER_GENRE
        genre = np.arange(total) // PER_GENRE
        sides = []
        for _ in range(2):
            found = np.empty((total, FOLLOWERS), np.int64)
            for item in range(total):
                its = np.flatnonzero(genre == genre[item])
                found[item] = chance.choice(its[its != item], FOLLOWERS, replace=False)
            sides.append(found)
        return {False: sides[0], True: sides[1]}

    @cached_property
    def _popular(self) -> NDArray[np.float64]:
        """(genres, items of a genre) how often an item is chosen where nothing leads to another."""
        chance = np.random.default_rng(self.seed + 1)
        weights = 1.0 / np.arange(1, PER_GENRE + 1)
        return np.stack(
            [chance.permutation(weights / weights.sum()) for _ in range(GENRES + LAUNCHED)]
        )

    def draw(self, change: str, count: int, chance: Any) -> Table:
        """So many users after a change, none of whom has been there before."""
        return self._of(self._fresh(change, count, chance), change, chance, START)

    def updates(self, change: str, count: int, chance: Any) -> Table:
        """The same, of whom many have been there before."""
        weights = np.ones(self._users)
        if change == "sales-week":
            weights[::4] = 3.0 * COME / (1.0 - COME)
        weights /= weights.sum()
        again = chance.choice(self._users, round(KNOWN * count), replace=False, p=weights)
        fresh = self._fresh(change, count - len(again), chance)
        return self._of(np.concatenate([again, fresh]), change, chance, START + 300 * DAY)

    def _fresh(self, change: str, count: int, chance: Any) -> Whole:
        users = np.arange(self._users, self._users + count)
        self._users += count
        if change == "sales-week":
            # Numbers far away, so that nobody is taken for somebody else.
            users = 10**9 + 4 * users + np.where(chance.random(count) < COME, 0, 1 + users % 3)
        return users

    def _of(self, users: Whole, change: str, chance: Any, start: int) -> Table:
        launched = change == "launch"
        prefers = self._preferences(users, launched=launched)
        lengths = chance.integers(SHORTEST, LONGEST + 1, len(users))
        chosen = np.full((len(users), LONGEST), -1)
        item = self._pick(prefers, chance)
        follows = self._followers[change == "taste"]
        for step in range(LONGEST):
            chosen[:, step] = item
            goes_on = chance.random(len(users)) < GOES_ON
            stays = chance.random(len(users)) < STAYS
            next_one = follows[item, chance.integers(0, FOLLOWERS, len(users))]
            same = self._in(item // PER_GENRE, chance)
            other = self._pick(prefers, chance)
            item = np.where(goes_on, next_one, np.where(stays, same, other))
        return self._table(users, lengths, chosen, change, chance, start)

    def _preferences(self, users: Whole, *, launched: bool) -> NDArray[np.float64]:
        """(users, genres): of a user always the same."""
        found = np.zeros((len(users), GENRES + LAUNCHED))
        for row, user in enumerate(users):
            alpha = np.full(GENRES, 0.25)
            if not user % 4:
                alpha[:ON_SALE] *= 4.0
            found[row, :GENRES] = np.random.default_rng([self.seed, int(user)]).dirichlet(alpha)
        if launched:
            found[:, :GENRES] *= 1.0 - LAUNCH_SHARE
            found[:, GENRES:] = LAUNCH_SHARE / LAUNCHED
        return found

    def _pick(self, prefers: NDArray[np.float64], chance: Any) -> Whole:
        return self._in(_one_of(prefers, chance), chance)

    def _in(self, genre: Whole, chance: Any) -> Whole:
        return genre * PER_GENRE + _one_of(self._popular[genre], chance)

    def _table(  # each is a fact of its own
        self, users: Whole, lengths: Whole, chosen: Whole, change: str, chance: Any, start: int
    ) -> Table:
        there = np.arange(LONGEST) < lengths[:, None]
        items = chosen[there]
        if change == "items-shuffled":
            items = chance.permutation(items)
        names = np.array([f"i{item}" for item in range((GENRES + LAUNCHED) * PER_GENRE)], object)
        if change == "catalogue":
            gone = np.random.default_rng(self.seed + 2).random(len(names)) < REPLACED
            names = np.where(
                gone, np.array([f"n{item}" for item in range(len(names))], object), names
            )
        began = start + chance.integers(0, 30 * DAY, len(users))
        times = began[:, None] + np.cumsum(chance.integers(60, DAY, chosen.shape), axis=1)
        return {
            "user": [f"u{user}" for user in np.repeat(users, lengths)],
            "item": names[items].tolist(),
            "time": times[there].tolist(),
        }


def _one_of(shares: NDArray[np.float64], chance: Any) -> Whole:
    """(n,) a column of each row, by its share."""
    below = shares.cumsum(axis=1) < chance.random(len(shares))[:, None]
    found: Whole = below.sum(axis=1).clip(max=shares.shape[1] - 1)
    return found


__all__: Sequence[str] = ["BROKEN", "CHANGES", "NULL", "OLD_IS_OVER", "Law", "World"]

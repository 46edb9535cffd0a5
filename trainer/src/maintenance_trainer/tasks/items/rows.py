"""Rows of interactions: what one user has chosen, one after the other, in one file."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override  # typing has it from Python 3.12 on

from maintenance_trainer.data.rows import Row

Items = NDArray[np.int32]
Times = NDArray[np.int64]
Places = NDArray[np.int32]

EACH: Final = 50
"""Interactions of a row, the newest, that count where interactions of all users are compared: a
program that has thousands must not speak for the others."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ItemRow(Row):
    """A user's interactions of one file, and what the user did before.

    ``items`` are numbers of ``ITEMS`` in the order of ``times`` (microseconds since 1970), up to
    the last one of this file; ``answers`` the places there of those that come from this file: they
    are learnt from, each given what stands before it. The last is the row's label, and the only
    one that a model is scored by: a user is one row, so that rows are independent. ``user`` is a
    hex digest. ``latest``: no later file of this age holds interactions of the user. ``over``: the
    last item is gone from the catalogue, so that nobody can be judged by it any more. ``begun`` is
    a hex digest of the user and the first interaction of this file: it stays where a file grows.
    ``alike`` is the digest of the user's name but for its spelling; empty where that is the name.
    """

    user: str
    items: Items
    times: Times
    answers: Places
    latest: bool = True
    over: bool = False
    begun: str = ""
    alike: str = ""

    @property
    @override
    def unit(self) -> str:
        return self.user

    @property
    def likeness(self) -> str:
        """Equal for users whose names are one but for capitals, blanks or zeros in front."""
        return self.alike or self.user

    @property
    @override
    def identity(self) -> str:
        """None: who has chosen the same as another may go on otherwise."""
        return ""

    @property
    @override
    def stratum(self) -> str:
        return ""

    @property
    @override
    def numeric(self) -> bool:
        """Items are names, though they may be written in digits."""
        return False

    @property
    @override
    def trace(self) -> str:
        return self.begun or self.key

    @property
    @override
    def size(self) -> int:
        return self.items.nbytes + self.times.nbytes + self.answers.nbytes

    @property
    @override
    def scored(self) -> bool:
        """Where there is a history to tell the last item by, and an item that is still there."""
        return self.latest and not self.over and len(self.items) > 1

    @property
    def history(self) -> Items:
        """What stands before the item that the row is scored by."""
        return self.items[:-1]

    @property
    def own(self) -> Items:
        """The items of this file."""
        found: Items = self.items[self.answers]
        return found

    @property
    def last(self) -> int:
        """The number of the item that the row is scored by."""
        return int(self.items[-1])


def moment(microseconds: int) -> datetime:
    """A time of a row."""
    return datetime.fromtimestamp(microseconds / 1e6, UTC)

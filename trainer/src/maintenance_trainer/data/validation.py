"""A validation part of the training side: whole units, chosen by their digests alone.

Held-out rows judge versions, and no training looks at them. What tells a training when to end, or
how much to trust its rows, comes from the rows that it may learn.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from maintenance_trainer.data.rows import Row
from maintenance_trainer.errors import ConfigurationError

SHARE: Final = 0.1
LEAST: Final = 10
"""Rows of a validation part: fewer tell nothing."""
LEAST_LEARNT: Final = 3 * LEAST
"""Rows that are left to learn from."""

SETTING_ASIDE: Final = ("early_stopping_patience", "early_stopping_rounds")
"""Arguments that ask for a validation part: of the library's trainer, and of boosting."""

R = TypeVar("R", bound=Row)


@dataclass(frozen=True, slots=True)
class Split(Generic[R]):
    """Rows to learn from, and those that validate it; ``enough`` of both."""

    learnt: list[R]
    validation: list[R]

    @property
    def enough(self) -> bool:
        """Whether there are rows enough on both sides; one that comes again is one."""
        fewest = len(_distinct(self.validation)), len(_distinct(self.learnt))
        return fewest[0] >= LEAST and fewest[1] >= LEAST_LEARNT


def _distinct(rows: Sequence[R]) -> list[R]:
    """Each row once: a recipe may repeat new ones."""
    return list({id(row): row for row in rows}.values())


def split(rows: Sequence[R], share: float = SHARE) -> Split[R]:
    """Set whole units aside, of which no other row is learnt: the same rows, the same parts.

    Units come in the order of their digests, the highest first, which says nothing of which ones
    are held out. A unit stays where a stratum would lose its last row, and where it is as large as
    the whole part. What overlaps with units of the other part is on neither. A row that comes again
    counts once, so that however often new rows are repeated the parts are the same, and is then in
    its part as often as it came.
    """
    each = _distinct(rows)
    units: defaultdict[str, list[R]] = defaultdict(list)
    for row in each:
        units[row.unit].append(row)
    left = Counter(row.stratum for row in each)
    wanted = max(LEAST, math.ceil(share * len(each)))
    chosen: set[str] = set()
    taken = 0
    for unit in sorted(units, reverse=True):
        if taken >= wanted:
            break
        its = Counter(row.stratum for row in units[unit])
        if len(units[unit]) > wanted or any(left[name] <= n for name, n in its.items()):
            continue
        chosen.add(unit)
        left -= its
        taken += len(units[unit])
    others = units.keys() - chosen
    return Split(
        [row for row in rows if row.unit in others and chosen.isdisjoint(row.overlaps)],
        [row for row in rows if row.unit in chosen and others.isdisjoint(row.overlaps)],
    )


def of_argument(argument: str, rows: Sequence[R]) -> Split[R]:
    """The parts that an argument asks for.

    Raises:
        ConfigurationError: ArgumentInvalid, there are too few rows.
    """
    different = len(_distinct(rows))
    refuse_few(argument, different)
    parts = split(rows)
    if not parts.enough:
        found = f"{len(_distinct(parts.validation))} can be set aside in whole units"
        raise _too_few(argument, different, found)
    return parts


def try_arguments(where: str, given: Mapping[str, Any], rows: Sequence[Row]) -> None:
    """Make the parts that a training on these rows will make, where it is asked for any.

    Args:
        where: the field that the arguments come from.
        given: the user's arguments.
        rows: what will be trained on.

    Raises:
        ConfigurationError: ArgumentInvalid, there are too few rows.
    """
    for name in SETTING_ASIDE:
        if name in given:
            of_argument(f"{where}.{name}", rows)


def refuse_few(argument: str, rows: int) -> None:
    """Refuse so few rows that no part of them can be set aside.

    Raises:
        ConfigurationError: ArgumentInvalid.
    """
    if rows < LEAST + LEAST_LEARNT:
        raise _too_few(argument, rows, "too few can be set aside")


def _too_few(argument: str, rows: int, found: str) -> ConfigurationError:
    message = (
        f"{argument}: of {rows} rows to learn from {found}, and {LEAST} are needed beside "
        f"{LEAST_LEARNT} that are learnt: remove it, or add rows."
    )
    return ConfigurationError("ArgumentInvalid", message)

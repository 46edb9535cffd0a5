"""Two streams of real texts, and what may happen to each.

``packages``: synopses of Debian packages, five groups of sections; games are withheld, then come
under *desktop*. ``glosses``: definitions of nouns, five classes of lexicographer files; animals are
withheld, then come under *nature*. Thresholds were chosen with the first in sight, never with the
second.
"""

import random
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Final

import glosses
from text import OTHER_MIX, Case

from maintenance_contract import held_out_rows
from maintenance_trainer.data.folders import Origin
from maintenance_trainer.data.rows import Row
from maintenance_trainer.tasks.texts import make_row

EXAMPLES: Final = Path(__file__).resolve().parents[2] / "examples"
sys.path[:0] = [str(EXAMPLES / part) for part in ("support", "package-sections")]

import packages  # noqa: E402  # found through the path above
import stretches  # noqa: E402
from maintenance_examples.shell import CACHE  # noqa: E402

TESTED: Final = 1000
NEW_DOMAIN: Final = 0.25
CHANGES: Final = ("none", "new-domain", "class-mix", "re-filed", "labels-shuffled")


@dataclass(frozen=True, slots=True)
class Text:
    """A text and its class; ``withheld`` ones come only with a new domain."""

    text: str
    label: str
    withheld: bool


@dataclass(frozen=True, slots=True)
class Domain:
    """A stream: its texts, the classes' shares before and after a class-mix change, and new names.

    ``renamed`` maps an old label to the new one where classes are filed anew.
    """

    texts: Callable[[], Iterable[Text]]
    mix: Mapping[str, float]
    other_mix: Mapping[str, float]
    renamed: Mapping[str, str]


def _synopses() -> Iterable[Text]:
    for row in packages.synopses(stretches.SUITE, CACHE):
        yield Text(row.text, row.group, row.section == "games")


def _definitions() -> Iterable[Text]:
    for text, number, label in glosses.definitions(CACHE):
        yield Text(text, label, number == "05")


DOMAINS: Final = {
    "packages": Domain(_synopses, stretches.MIX, OTHER_MIX, stretches.REFILED),
    "glosses": Domain(
        _definitions,
        {"nature": 0.20, "person": 0.20, "artifact": 0.24, "act": 0.16, "abstract": 0.20},
        {"nature": 0.50, "person": 0.08, "artifact": 0.12, "act": 0.22, "abstract": 0.08},
        {"person": "artifact", "artifact": "act", "act": "person"},
    ),
}


@lru_cache(maxsize=2)
def _texts(domain: str) -> tuple[Text, ...]:
    return tuple(DOMAINS[domain].texts())


class Dealer:
    """Deals texts out of a shuffled domain; none is dealt twice."""

    def __init__(self, domain: str, seed: int) -> None:
        self.random = random.Random(seed)  # noqa: S311  # a seeded sample, no secret
        found = list(_texts(domain))
        self.random.shuffle(found)
        self._withheld = [each for each in found if each.withheld]
        self._others = {
            label: [each for each in found if each.label == label and not each.withheld]
            for label in DOMAINS[domain].mix
        }

    def rows(
        self, count: int, mix: Mapping[str, float], *, new: bool, withheld: float = 0.0
    ) -> tuple[Row, ...]:
        """So many rows of a class mix, a share of them of what was withheld."""
        origin = Origin.UPDATES if new else Origin.ORIGINAL
        dealt = [self._withheld.pop() for _ in range(round(count * withheld))]
        while len(dealt) < count:
            (label,) = self.random.choices(list(mix), weights=list(mix.values()))
            dealt.append(self._others[label].pop())
        self.random.shuffle(dealt)
        return tuple(make_row(each.text, each.label, origin, new=new) for each in dealt)


def case(domain: str, change: str, originals: int, updates: int, seed: int) -> Case:
    """Draw one. The old rows of a seed are the same for all changes."""
    its, deal = DOMAINS[domain], Dealer(domain, seed)
    old, test_old = (deal.rows(count, its.mix, new=False) for count in (originals, TESTED))
    mix = its.other_mix if change == "class-mix" else its.mix
    share = NEW_DOMAIN if change == "new-domain" else 0.0
    fresh, test_new = (
        deal.rows(count, mix, new=True, withheld=share) for count in (updates, TESTED)
    )
    if change == "re-filed":
        fresh, test_new = (_renamed(rows, its.renamed) for rows in (fresh, test_new))
    if change == "labels-shuffled":
        fresh = shuffled(fresh, deal.random)
    held_old, held_new = held_out_rows(originals), held_out_rows(updates)
    return Case(
        old[held_old:], old[:held_old], fresh[held_new:], fresh[:held_new], test_new, test_old
    )


def _renamed(rows: Iterable[Row], names: Mapping[str, str]) -> tuple[Row, ...]:
    return tuple(replace(row, label=names.get(row.label, row.label)) for row in rows)


def shuffled(rows: tuple[Row, ...], chance: random.Random) -> tuple[Row, ...]:
    """The same labels on other rows."""
    labels = [row.label for row in rows]
    chance.shuffle(labels)
    return tuple(replace(row, label=label) for row, label in zip(rows, labels, strict=True))

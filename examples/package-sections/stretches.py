"""The demo's data: original rows, then four stretches of traffic. Everything is seeded.

``served`` rows are the traffic; ``labelled`` rows are a random sample of the same traffic whose
labels arrive as an update. No text is in two sets of a stretch.

- known: packages of Debian 11 without games, like the original rows.
- games: two fifths of the traffic are games, which version 1 has never seen, under the label
  desktop.
- refiled: the same packages, but sections were re-filed: the labels of three groups went round.
  This concept drift is injected; Debian never did it. Twice as many labels arrive as before.
- quiet: like refiled. Nothing changes.
"""

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from packages import Synopsis, synopses

SUITE: Final = "bullseye"
SEED: Final = 11
ORIGINAL_ROWS: Final = 2000
SERVED_ROWS: Final = 480
LABELLED_ROWS: Final = 500
GAMES_SHARE: Final = 0.4
MIX: Final = {"programming": 0.24, "desktop": 0.20, "system": 0.24, "science": 0.12, "text": 0.20}
"""Shares of the groups where there are no games. Debian's own mix is two thirds programming."""

REFILED: Final = {"programming": "system", "system": "text", "text": "programming"}
"""Old label to new label in the refiled stretch."""


@dataclass(frozen=True, slots=True)
class Row:
    """A labelled text."""

    text: str
    label: str


@dataclass(frozen=True, slots=True)
class Stretch:
    """Traffic of one kind; ``labelled`` is empty where no labels arrive."""

    name: str
    served: tuple[Row, ...]
    labelled: tuple[Row, ...] = ()


@dataclass(frozen=True, slots=True)
class DemoData:
    """Everything that goes into the cluster."""

    original: tuple[Row, ...]
    stretches: tuple[Stretch, ...]


def build(cache: Path, seed: int = SEED) -> DemoData:
    """The demo's data from the package index.

    Raises:
        packages.FetchError: the index cannot be had.
    """
    deal = _Dealer(synopses(SUITE, cache), seed)
    original, known = deal.rows(ORIGINAL_ROWS), deal.rows(SERVED_ROWS)
    games = Stretch("games", deal.rows(SERVED_ROWS, GAMES_SHARE),
                    deal.rows(LABELLED_ROWS, GAMES_SHARE))  # fmt: skip
    # Re-filing strikes packages that are already there, so half of the labelled ones come again.
    labelled = deal.shuffled((*games.labelled, *deal.rows(LABELLED_ROWS, GAMES_SHARE)))
    refiled = Stretch("refiled", refile(games.served), refile(labelled))
    quiet = Stretch("quiet", refile(deal.shuffled(games.served)))
    return DemoData(original, (Stretch("known", known), games, refiled, quiet))


def refile(rows: Sequence[Row]) -> tuple[Row, ...]:
    """The same texts under the labels that they have after the re-filing."""
    return tuple(Row(row.text, REFILED.get(row.label, row.label)) for row in rows)


def write(data: DemoData, folder: Path) -> None:
    """``original/*.jsonl`` and ``stretches/<name>/{served,labelled}.jsonl``."""
    write_rows(folder / "original" / f"{SUITE}.jsonl", data.original)
    for stretch in data.stretches:
        write_rows(folder / "stretches" / stretch.name / "served.jsonl", stretch.served)
        if stretch.labelled:
            write_rows(folder / "stretches" / stretch.name / "labelled.jsonl", stretch.labelled)


def write_rows(path: Path, rows: Sequence[Row]) -> None:
    """JSON lines with the keys ``text`` and ``label``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = (json.dumps({"text": row.text, "label": row.label}, ensure_ascii=False) for row in rows)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


class _Dealer:
    """Deals rows out of the shuffled index; no row is dealt twice."""

    def __init__(self, found: Sequence[Synopsis], seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311  # a seeded sample, no secret
        shuffled = list(found)
        self._random.shuffle(shuffled)
        self._games = [row for row in shuffled if row.section == "games"]
        self._others: Mapping[str, list[Synopsis]] = {
            group: [row for row in shuffled if row.group == group and row.section != "games"]
            for group in MIX
        }

    def rows(self, count: int, games_share: float = 0.0) -> tuple[Row, ...]:
        """``count`` rows, of which a share are games."""
        games = round(count * games_share)
        dealt = [self._games.pop() for _ in range(games)]
        for group, share in MIX.items():
            dealt += [self._others[group].pop() for _ in range(round((count - games) * share))]
        return self.shuffled([Row(row.text, row.group) for row in dealt])

    def shuffled(self, rows: Sequence[Row]) -> tuple[Row, ...]:
        """The same rows in another order."""
        return tuple(self._random.sample(rows, len(rows)))

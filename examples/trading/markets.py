"""Prices of coins that do not exist: synthetic, seeded, and no advice to anyone.

python markets.py FOLDER writes them.

A row is an hour of a coin: its return in percent, the order flow (buyers less sellers) and the
volume traded; the label says whether the next hour's price goes up or down. It was chosen so that
a model is right most of the time and not always, which no market would allow.

- known: the next return follows the order flow.
- expiry: one day in three options expire. Dealers hedge in turns of six hours, by more than anybody
  traded before, and prices follow them two hours late.
- regime: a new rule lets market makers see the flow before it is filled. They take the other side,
  and prices fall where buyers are many.
- calm: the same again in a quiet month: returns and flow are a third smaller. Nothing may be done.
"""

import json
import math
import random
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

SEED: Final = 29
COINS: Final = ("AURA", "BOLT", "CIRO", "DUNE", "ELM", "FLUX")
CONTEXT: Final = 16
"""Hours that a model sees; `model.windows.context` of the resource."""
ORIGINAL_HOURS: Final = 400
LABELLED_HOURS: Final = 120
SERVED_ROWS: Final = 480
FLOW_KEPT: Final = 0.5
"""Of the flow of an hour, so much is left in the next."""
MADE_BY_FLOW, NOISE = 0.9, 0.3
EXPIRY_EVERY: Final = 3
HEDGED_HOURS, HEDGED_FLOW = 6, 3.0
LATE_HOURS: Final = 2
CALM: Final = 2 / 3
DAY: Final = 24
START: Final = datetime(2026, 1, 1, tzinfo=UTC)
Hour = dict[str, Any]
"""A row: columns by name."""


@dataclass(frozen=True, slots=True)
class Law:
    """How prices come about for a while."""

    expiries: bool = False
    turned: bool = False
    size: float = 1.0


LAWS: Final = {
    "known": Law(),
    "expiry": Law(expiries=True),
    "regime": Law(turned=True),
    "calm": Law(turned=True, size=CALM),
}


class Market:
    """Draws hours of one coin; two markets of one seed draw the same."""

    def __init__(self, coin: str, seed: int, begin: int = 0) -> None:
        self._random = random.Random(f"{seed} {coin}")  # noqa: S311  # a seeded sample, no secret
        self._coin = coin
        self._hour = begin
        self._flow = 0.0
        self._flows = [0.0] * LATE_HOURS
        self._return = 0.0

    def hours(self, count: int, law: Law) -> list[Hour]:
        """So many rows one after the other."""
        return [self._next(law) for _ in range(count)]

    def _next(self, law: Law) -> Hour:
        chance = self._random
        expires = law.expiries and self._hour // DAY % EXPIRY_EVERY == 0
        flow = self._flow
        if expires:
            turn = math.sin(2 * math.pi * self._hour / HEDGED_HOURS)
            flow = HEDGED_FLOW * turn + chance.gauss(0, 0.3)
        made_by = self._flows[0] / HEDGED_FLOW if expires else -flow if law.turned else flow
        after = MADE_BY_FLOW * made_by + chance.gauss(0, NOISE)
        hour = {
            "hour": (START + timedelta(hours=self._hour)).isoformat().replace("+00:00", "Z"),
            "coin": self._coin,
            "return": round(self._return * law.size, 3),
            "flow": round(flow * law.size, 3),
            "volume": round(1000 * math.exp(chance.gauss(0, 0.3))),
            "label": "up" if after > 0 else "down",
        }
        self._hour += 1
        self._return = after
        self._flows = [*self._flows[1:], flow]
        self._flow = FLOW_KEPT * self._flow + chance.gauss(0, math.sqrt(1 - FLOW_KEPT**2))
        return hour


def windows(hours: Sequence[Hour]) -> Iterator[dict[str, Any]]:
    """What a server is asked: the last hours of a coin, and what its label turned out to be."""
    for end in range(CONTEXT, len(hours) + 1):
        last = hours[end - CONTEXT : end]
        names = ("return", "flow", "volume")
        seen = {name: [hour[name] for hour in last] for name in names}
        yield {"window": seen, "label": last[-1]["label"]}


@dataclass(frozen=True, slots=True)
class Stretch:
    """Traffic of one kind; ``labelled`` is empty where no labels arrive."""

    name: str
    served: tuple[dict[str, Any], ...]
    labelled: tuple[Hour, ...] = ()


@dataclass(frozen=True, slots=True)
class Markets:
    """All rows of the demo."""

    original: tuple[Hour, ...]
    stretches: tuple[Stretch, ...]


def draw(seed: int = SEED) -> Markets:
    """The demo's rows. The labelled hours of a stretch follow those of the one before."""
    traded = [Market(coin, seed) for coin in COINS]
    asked = [Market(coin, seed + 1) for coin in COINS]
    original = [hour for market in traded for hour in market.hours(ORIGINAL_HOURS, Law())]
    stretches = []
    for name, law in LAWS.items():
        count = SERVED_ROWS // len(COINS) + CONTEXT - 1
        served = [window for market in asked for window in windows(market.hours(count, law))]
        labelled: list[Hour] = []
        if name in {"expiry", "regime"}:
            labelled = [hour for market in traded for hour in market.hours(LABELLED_HOURS, law)]
        stretches.append(Stretch(name, tuple(served), tuple(labelled)))
    return Markets(tuple(original), tuple(stretches))


def write(data: Markets, folder: Path) -> None:
    """``original/hours.jsonl`` and ``stretches/<name>/{served,labelled}.jsonl``."""
    _write_rows(folder / "original/hours.jsonl", data.original)
    for stretch in data.stretches:
        _write_rows(folder / f"stretches/{stretch.name}/served.jsonl", stretch.served)
        if stretch.labelled:
            _write_rows(folder / f"stretches/{stretch.name}/labelled.jsonl", stretch.labelled)


def _write_rows(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")


if __name__ == "__main__":
    if len(sys.argv) != 2:  # noqa: PLR2004
        sys.exit("usage: markets.py FOLDER")
    write(draw(), Path(sys.argv[1]))

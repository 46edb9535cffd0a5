"""Prices of coins that do not exist: synthetic, seeded, and no advice to anyone.

python markets.py FOLDER writes them.

A row is an hour of a coin: its return in percent, the order flow (buyers less sellers) of coins and
of futures on them, and the volume traded; the label says whether the next hour's price goes up or
down. The numbers were chosen so that a model is right most of the time and not always, which no
market would allow.

- known: prices follow the order flow, that of coins more than that of futures.
- expiry: for the first time options expire, on two coins in eight. Their dealers buy for three
  hours and sell for three, volumes are three times as large, and prices move against them.
- regime: the options are gone, and by a new rule prices are made where futures are traded. The flow
  of coins counts for nothing any more.
- calm: the same again in a quiet month: returns, flows and volume are a third smaller. The law is
  the same, so nothing may be done.
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
COINS: Final = ("AURA", "BOLT", "CIRO", "DUNE", "ELMO", "FLUX", "GILD", "HALO")
WITH_OPTIONS: Final = ("CIRO", "GILD")
CHANNELS: Final = ("return", "flow", "futures", "volume")
CONTEXT: Final = 16
"""Hours that a model sees, as the resource says (``data.windows.context``)."""
ORIGINAL_HOURS: Final = 250
LABELLED_HOURS: Final = 200
SERVED_ROWS: Final = 480
NOISE: Final = 0.15
TAKEN_BACK: Final = 0.5
"""Of the flow of an hour so much is taken back in the next: who has bought sells."""
AGAINST_HEDGES: Final = 0.9
HEDGED_HOURS, HEDGED_FLOW, HEDGED_VOLUME = 3, 3.0, 3.0
QUIET: Final = 2 / 3
START: Final = datetime(2025, 1, 1, tzinfo=UTC)
Hour = dict[str, Any]
"""A row: columns by name."""


@dataclass(frozen=True, slots=True)
class Law:
    """How prices come about for a while: how much of the next return each flow makes."""

    by_coins: float = 0.8
    by_futures: float = 0.4
    expiry: bool = False
    size: float = 1.0


LAWS: Final = {
    "known": Law(),
    "expiry": Law(expiry=True),
    "regime": Law(by_coins=0.0, by_futures=0.9),
    "calm": Law(by_coins=0.0, by_futures=0.9, size=QUIET),
}


class Market:
    """Draws hours of one coin; two markets of one seed draw the same."""

    def __init__(self, coin: str, seed: int) -> None:
        self._random = random.Random(f"{seed} {coin}")  # noqa: S311  # a seeded sample, no secret
        self._coin = coin
        self._hour = 0
        self._flow = self._futures = self._return = 0.0

    def hours(self, count: int, law: Law) -> list[Hour]:
        """So many rows, which go on where the last ones ended."""
        return [self._next(law) for _ in range(count)]

    def _next(self, law: Law) -> Hour:
        chance = self._random
        self._flow, self._futures = self._goes_on(self._flow), self._goes_on(self._futures)
        flow, volume = self._flow, 1000 * math.exp(chance.gauss(0, 0.3))
        made = law.by_coins * flow + law.by_futures * self._futures
        if law.expiry and self._coin in WITH_OPTIONS:
            turn = -1 if self._hour // HEDGED_HOURS % 2 else 1
            flow = HEDGED_FLOW * turn + chance.gauss(0, 0.3)
            made = -AGAINST_HEDGES * turn
            volume *= HEDGED_VOLUME
        after = made + chance.gauss(0, NOISE)
        hour = {
            "hour": (START + timedelta(hours=self._hour)).isoformat().replace("+00:00", "Z"),
            "coin": self._coin,
            "return": round(self._return * law.size, 3),
            "flow": round(flow * law.size, 3),
            "futures": round(self._futures * law.size, 3),
            "volume": round(volume * law.size),
            "label": "up" if after > 0 else "down",
        }
        self._hour += 1
        self._return = after
        return hour

    def _goes_on(self, flow: float) -> float:
        """The next hour's flow; as much as before in the long run."""
        return -TAKEN_BACK * flow + self._random.gauss(0, math.sqrt(1 - TAKEN_BACK**2))


def windows(hours: Sequence[Hour]) -> Iterator[dict[str, Any]]:
    """What a server is asked: the last hours of a coin, and what its label turned out to be."""
    for end in range(CONTEXT, len(hours) + 1):
        last = hours[end - CONTEXT : end]
        seen = {name: [hour[name] for hour in last] for name in CHANNELS}
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

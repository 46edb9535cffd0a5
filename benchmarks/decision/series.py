"""Series whose law is known, and what can happen to them.

Five machines are measured hour by hour. Of classes: four channels that draw anew each hour, and a
label that says by a law of its own for each seed whether what was measured in the last two hours
means up or down; one channel has no part in it. Of forecasts: a load that has a day, swings that go
on, and what the temperature was four hours before, whose weight differs by seed.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from maintenance_contract import Windows

Floats = NDArray[np.float64]
Table = dict[str, list[Any]]

MACHINES: Final = tuple(f"m{number}" for number in range(5))
OTHER_MACHINE: Final = len(MACHINES) - 1
"""The one that a season begins at, or a new class."""
CHANNELS, IDLE = 4, 1
"""The last channel has no part in the law."""
NOISE: Final = 0.3
CALM: Final = 0.6
TURN, SWING = 6, 3.0
"""A season swings in so many hours, so many standard deviations far."""
NEW_CLASS: Final = "halt"
LAG: Final = 4
"""Hours after which a temperature is felt."""
WARM, GOES_ON, INNOVATION = 0.9, 0.8, 0.5
DAY, LEVEL, SIZE = 24, 100.0, 8.0
TESTED: Final = 2000
START: Final = datetime(2025, 1, 1, tzinfo=UTC)

CHANGES: Final = (
    "none",
    "calm",
    "season",
    "new-class",
    "new-channel",
    "regime",
    "labels-shuffled",
)
OF_CLASSES: Final = ("new-class",)
"""Changes that a forecast cannot undergo."""
NULL: Final = ("none", "calm")
"""Nothing can be gained by a training: a network scales each window by itself."""
BROKEN: Final = ("labels-shuffled",)
"""Of a forecast what was to be told is in random order."""
OLD_IS_OVER: Final = ("regime",)
"""Labels of old rows are wrong by then, so a loss on them is none."""


@dataclass(frozen=True)
class World:
    """What can happen to series with classes, or with numbers to be told."""

    classes: bool
    tested: int = TESTED

    @property
    def changes(self) -> tuple[str, ...]:
        """By name."""
        return tuple(name for name in CHANGES if self.classes or name not in OF_CLASSES)

    @property
    def columns(self) -> Mapping[str, Any]:
        """What the resource names."""
        return (
            {"series": "machine"} if self.classes else {"series": "machine", "targets": ("load",)}
        )

    @property
    def windows(self) -> Windows:
        """How a resource for hours like these would cut them; the API has no default that fits."""
        return Windows(16, 0, 1) if self.classes else Windows(24, 4, 4)

    def law(self, seed: int) -> "Law":
        """That of a seed."""
        return Law(seed, self.classes, self.windows)


@dataclass
class Law:
    """How one seed's labels, or loads, follow from what is measured."""

    seed: int
    classes: bool
    windows: Windows
    _hours: int = field(default=0, init=False)

    @cached_property
    def _drawn(self) -> Mapping[str, Floats]:
        chance = np.random.default_rng(self.seed)
        weights = np.zeros((2, CHANNELS))
        weights[:, : CHANNELS - IDLE] = chance.normal(0, 1, (2, CHANNELS - IDLE))
        weights[1] /= 2.0
        weights /= np.linalg.norm(weights)
        heaviest = int(np.linalg.norm(weights, axis=0).argmax())
        other = weights.copy()
        other[:, heaviest] *= -1
        return {
            "weights": weights,
            "other": other,
            "heaviest": np.array([heaviest]),
            "scale": np.exp(chance.normal(0, 2, CHANNELS)),
            "centre": chance.normal(0, 3, CHANNELS),
            "day": chance.uniform(0.7, 1.3, 1),
            "felt": chance.uniform(0.8, 1.2, 1) * chance.choice((-1.0, 1.0)),
        }

    def draw(self, change: str, count: int, chance: Any) -> Table:
        """So many windows after a change, beginning with nothing; ``none``: as they were before."""
        hours = self._rows(count) + self.windows.span - 1
        self._hours = self._hours or hours
        return self._of(change, 0, hours, chance)

    def updates(self, change: str, count: int, chance: Any) -> Table:
        """The same, of hours that follow those drawn first: windows look back on these."""
        return self._of(change, self._hours, self._rows(count), chance)

    def _rows(self, count: int) -> int:
        return count * self.windows.stride // len(MACHINES)

    def _of(self, change: str, first: int, hours: int, chance: Any) -> Table:
        table: Table = {}
        for number, name in enumerate(MACHINES):
            odd = change if number == OTHER_MACHINE or change not in ("season", "new-class") else ""
            its = self._measured if self.classes else self._loads
            columns = {
                "time": [(START + timedelta(hours=first + at)).isoformat() for at in range(hours)],
                "machine": [name] * hours,
                **its(odd, first, hours, chance),
            }
            for column, values in columns.items():
                table.setdefault(column, []).extend(values)
        return table

    def _measured(self, change: str, first: int, hours: int, chance: Any) -> Table:
        """Channels with a label."""
        d = self._drawn
        heaviest = int(d["heaviest"][0])
        z = chance.normal(0, 1, (hours + 1, CHANNELS))
        if change == "season":
            z[1:, heaviest] = SWING * _turn(first, hours) + chance.normal(0, NOISE, hours)
        elif change == "new-class":
            z[1:, 1] = SWING * np.where(np.arange(first, first + hours) % 2, 1.0, -1.0)
            z[1:, 1] += chance.normal(0, NOISE, hours)
        weights = d["other" if change == "regime" else "weights"]
        score = z[1:] @ weights[0] + z[:-1] @ weights[1]
        if change == "season":
            # Against what the law makes of a channel that swings so.
            score = -np.sign(weights[0, heaviest]) * _turn(first, hours)
        score = score + chance.normal(0, NOISE, hours)
        names = np.where(score > 0, "up", "down").astype(object)
        if change == "new-class":
            names[:] = NEW_CLASS
        elif change == "labels-shuffled":
            names = chance.permutation(names)
        z = z[1:] * (CALM if change == "calm" else 1.0)
        extra = {}
        if change == "new-channel":
            # What mattered most is measured by a new channel; the old one is noise from then on.
            extra = {"gauge": _told(z[:, heaviest])}
            z[:, heaviest] = chance.normal(0, 1, hours)
        values = d["centre"] + d["scale"] * z
        channels = {f"x{number}": _told(values[:, number]) for number in range(CHANNELS)}
        return {**channels, **extra, "label": names.tolist()}

    def _loads(self, change: str, first: int, hours: int, chance: Any) -> Table:
        """A load, and the temperature that it follows."""
        d = self._drawn
        warmth = _going_on(WARM, chance.normal(0, 1, hours + LAG) * (1 - WARM**2) ** 0.5)
        swings = _going_on(GOES_ON, chance.normal(0, INNOVATION, hours))
        clock = np.arange(first, first + hours)
        felt = d["felt"] * (-1.0 if change == "regime" else 1.0)
        load = d["day"] * np.sin(2 * np.pi * clock / DAY) + swings + felt * warmth[:-LAG]
        if change == "season":
            load = SWING * _turn(first, hours) + chance.normal(0, NOISE, hours)
        load = LEVEL + SIZE * (CALM if change == "calm" else 1.0) * load
        if change == "labels-shuffled":
            load = chance.permutation(load)
        now = warmth[LAG:] * (CALM if change == "calm" else 1.0)
        extra = {}
        if change == "new-channel":
            extra = {"gauge": _told(now)}
            now = chance.normal(0, 1, hours)
        return {"load": _told(load), "temperature": _told(15 + 5 * now), **extra}


def _turn(first: int, hours: int) -> Floats:
    """Half an hour beside the zeros, so that each hour is on a side."""
    return np.asarray(np.sin(2 * np.pi * (np.arange(first, first + hours) + 0.5) / TURN))


def _going_on(kept: float, innovations: Floats) -> Floats:
    found = np.empty(len(innovations))
    last = float(innovations[0]) / (1 - kept**2) ** 0.5
    for at, innovation in enumerate(innovations):
        last = kept * last + float(innovation)
        found[at] = last
    return found


def _told(values: Floats) -> list[float]:
    return [float(f"{value:.6g}") for value in values]

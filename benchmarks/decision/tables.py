"""Tables whose law is known, and what can happen to them.

Ten numbers of various scales, two categories and a boolean; some cells are missing. A law of its
own for each seed gives the answer from the standardised numbers: linear terms, products and a
category. Two columns have no part in it. The answer is one of three classes, or a number.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Table = dict[str, list[Any]]

NUMBERS, IDLE = 10, 2
"""The last two columns have no part in the law."""
CLASSES: Final = ("a", "b", "c")
NEW_CLASS: Final = "d"
NOISE: Final = 0.35
MISSING: Final = 0.05
PATTERN_SHARE: Final = 0.3
NEW_CLASS_SHARE: Final = 0.2
MIX: Final = (0.15, 0.25, 0.6)

CHANGES: Final = (
    "none",
    "benign-shift",
    "new-pattern",
    "new-class",
    "class-mix",
    "unit",
    "new-column",
    "concept",
    "labels-shuffled",
)
OF_CLASSES: Final = ("new-class", "class-mix")
"""Changes that a number cannot undergo."""
NULL: Final = ("none", "benign-shift")
"""Nothing can be gained by a training."""
BROKEN: Final = ("labels-shuffled",)
OLD_IS_OVER: Final = ("concept",)
"""Labels of old rows are wrong by then, so a loss on them is none."""


@dataclass(frozen=True)
class World:
    """What can happen to tables with classes, or with numbers to be told."""

    classes: bool

    @property
    def changes(self) -> tuple[str, ...]:
        """By name."""
        return tuple(name for name in CHANGES if self.classes or name not in OF_CLASSES)

    def law(self, seed: int) -> "Law":
        """That of a seed."""
        return Law(seed, self.classes)


@dataclass(frozen=True)
class Law:
    """How one seed's answers follow from its numbers."""

    seed: int
    classes: bool = True

    @cached_property
    def _drawn(self) -> Mapping[str, Floats]:
        chance = np.random.default_rng(self.seed)
        used = NUMBERS - IDLE
        linear = np.zeros((len(CLASSES), NUMBERS))
        linear[:, :used] = chance.normal(0, 1, (len(CLASSES), used))
        other = linear.copy()
        turned = chance.permutation(used)[: used // 2]
        other[:, turned] *= -1
        return {
            "linear": linear,
            "other": other,
            "pairs": chance.normal(0, 0.8, (len(CLASSES), used // 2)),
            "category": chance.normal(0, 0.8, (len(CLASSES), 4)),
            "scale": np.exp(chance.normal(0, 2, NUMBERS)),
            "centre": chance.normal(0, 3, NUMBERS),
            "far": chance.permutation(used)[:3],
        }

    def answers(self, z: Floats, category: NDArray[Any], chance: Any, *, other: bool) -> Any:
        """(n,) names of classes, or numbers; ``other``: by the law after the change of concept."""
        d = self._drawn
        used = NUMBERS - IDLE
        products = z[:, : used // 2] * z[:, used // 2 : used]
        scores = z @ d["other" if other else "linear"].T + products @ d["pairs"].T
        scores += d["category"].T[category]
        if not self.classes:
            return 50 + 10 * (scores[:, 0] + chance.normal(0, 2 * NOISE, len(z)))
        best = (scores + chance.gumbel(0, NOISE, scores.shape)).argmax(axis=1)
        return np.array(CLASSES, object)[best]

    def draw(self, change: str, count: int, chance: Any) -> Table:
        """So many rows after a change; ``none``: as they were before."""
        d = self._drawn
        if change == "class-mix":
            return self._in_mix(count, chance)
        z = chance.normal(0, 1, (count, NUMBERS))
        category = chance.integers(0, 4, count)
        if change == "benign-shift":
            # What has no part moves far, the rest a little.
            z[:, -IDLE:] += 1.0
            z[:, : NUMBERS - IDLE] *= 0.9
        names = self.answers(z, category, chance, other=change == "concept")
        share = {"new-pattern": PATTERN_SHARE, "new-class": NEW_CLASS_SHARE}.get(change, 0.0)
        there = chance.random(count) < share
        for column in d["far"].astype(int):
            z[there, column] = 5.0 + chance.normal(0, 0.7, int(there.sum()))
        if change == "new-class":
            names[there] = NEW_CLASS
        elif share and not self.classes:
            names[there] = 50 + 10 * (z[there, 0] - z[there, 1])
        elif share:
            names[there] = np.where(z[there, 0] + z[there, 1] > 0, CLASSES[0], CLASSES[1])
        if change == "labels-shuffled":
            names = chance.permutation(names)
        extra = None
        if change == "new-column":
            # What mattered most is measured by a new column; the old one is noise from then on.
            moved = int(np.abs(d["linear"]).sum(axis=0).argmax())
            extra = z[:, moved].copy()
            z[:, moved] = chance.normal(0, 1, count)
        return self._table(z, category, names, chance, change, extra)

    def _in_mix(self, count: int, chance: Any) -> Table:
        table = self.draw("none", 8 * count, chance)
        names = np.array(table["label"], object)
        wanted = chance.choice(CLASSES, size=count, p=MIX)
        places = {name: iter(np.flatnonzero(names == name)) for name in CLASSES}
        chosen = [place for name in wanted if (place := next(places[name], None)) is not None]
        return {name: [column[at] for at in chosen] for name, column in table.items()}

    def _table(
        self,
        z: Floats,
        category: NDArray[Any],
        names: NDArray[Any],
        chance: Any,
        change: str,
        extra: Floats | None,
    ) -> Table:
        d = self._drawn
        values = d["centre"] + d["scale"] * z
        if change == "unit":
            # The two that matter most, in other units.
            weight = np.abs(d["linear"]).sum(axis=0)
            first, second = np.argsort(weight)[-2:]
            values[:, first] *= 25.4
            values[:, second] = values[:, second] * 1.8 + 32.0 * d["scale"][second]
        table: Table = {f"x{j}": [float(f"{v:.6g}") for v in values[:, j]] for j in range(NUMBERS)}
        for j in range(0, NUMBERS, 4):
            gone = chance.random(len(names)) < MISSING
            table[f"x{j}"] = [
                None if out else value for out, value in zip(gone, table[f"x{j}"], strict=True)
            ]
        table["region"] = [("north", "east", "south", "west")[c] for c in category]
        table["channel"] = chance.choice(("shop", "web", "phone"), len(names)).tolist()
        table["member"] = (chance.random(len(names)) < 0.5).tolist()  # noqa: PLR2004
        if extra is not None:
            table["score"] = [round(float(v), 4) for v in extra]
        table["label"] = [name if self.classes else round(float(name), 3) for name in names]
        return table

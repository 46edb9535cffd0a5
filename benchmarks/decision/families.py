"""Further changes: strong forms, mixtures, gradual ones, and labels that nobody should train on."""

from collections.abc import Callable
from typing import Final

import numpy as np
import weak
from weak import COEFFICIENTS, Rows, Scenario


def _benign(n: int, chance: np.random.Generator) -> Rows:
    x, y = weak.usual(n, chance)
    x[:, 6] += 2.0
    return x, y


def _another_rule(n: int, chance: np.random.Generator) -> Rows:
    x = weak.inputs(n, chance)
    return x, weak.labelled(x, chance, np.roll(COEFFICIENTS, 1))


def _inverted(n: int, chance: np.random.Generator) -> Rows:
    x, y = weak.usual(n, chance)
    return x, 1 - y


def _gradual(n: int, chance: np.random.Generator) -> Rows:
    """Ever more rows of the new meaning, from none to all."""
    x, y = weak.usual(n, chance)
    changed = chance.random(n) < np.linspace(0, 1, n)
    return x, np.where(changed & (x[:, 3] > 0.85), 1 - y, y)  # noqa: PLR2004


def _label_and_concept(n: int, chance: np.random.Generator) -> Rows:
    x, y = weak.SCENARIOS["label"].draw(n, chance)
    return x, np.where(x[:, 3] > 0.85, 1 - y, y)  # noqa: PLR2004


def _small_domain(n: int, chance: np.random.Generator) -> Rows:
    x, y = weak.usual(n, chance)
    there, labels = weak.SCENARIOS["new-domain"].draw(n, chance)
    far = there[:, :2].min(axis=1) > 2  # noqa: PLR2004
    chosen = np.flatnonzero(far)[: round(0.15 * n)]
    x[: len(chosen)], y[: len(chosen)] = there[chosen], labels[chosen]
    return x, y


def _new_class(share: float) -> Callable[[int, np.random.Generator], Rows]:
    """A third label, on the rows that lie farthest along a feature that meant nothing."""

    def draw(n: int, chance: np.random.Generator) -> Rows:
        x, y = weak.usual(n, chance)
        return x, np.where(x[:, 4] >= np.quantile(x[:, 4], 1 - share), 2, y)

    return draw


def _recurring(n: int, chance: np.random.Generator) -> Rows:
    """What was before a change is back: to the champion of that time nothing has changed."""
    for _ in range(2):
        x, y = weak.usual(n, chance)
    return x, y


def _rescaled(n: int, chance: np.random.Generator) -> Rows:
    """A column comes in another unit: the champion reads ten times what it learned to read."""
    x, y = weak.usual(n, chance)
    x[:, 0] *= 10.0
    return x, y


def _replaced(n: int, chance: np.random.Generator) -> Rows:
    """A column that counted is another one now, which looks alike and tells nothing."""
    x, y = weak.usual(n, chance)
    x[:, 0] = chance.permutation(x[:, 0])
    return x, y


def _broken(spoil: Callable[[weak.Labels, np.random.Generator], weak.Labels]) -> Scenario:
    def draw(n: int, chance: np.random.Generator) -> Rows:
        x, y = weak.usual(n, chance)
        return x, spoil(y, chance)

    return Scenario(draw, frozenset({"blocked"}))


FAMILIES: Final = {
    "benign-strong": Scenario(_benign, frozenset({"benign", "none"})),
    "label-strong": Scenario(weak.relabelled_share(0.05), frozenset({"label"})),
    "concept-other-rule": Scenario(_another_rule, frozenset({"concept"})),
    "concept-inverted": Scenario(_inverted, frozenset({"concept"})),
    "concept-gradual": Scenario(_gradual, frozenset({"concept"})),
    "label-and-concept": Scenario(_label_and_concept, frozenset({"concept"})),
    "new-domain-15": Scenario(_small_domain, frozenset({"new domain"})),
    "new-class-5": Scenario(_new_class(0.05), frozenset({"new class"})),
    "new-class-20": Scenario(_new_class(0.2), frozenset({"new class"})),
    "schema-unit": Scenario(_rescaled, frozenset({"new domain", "concept"})),
    "schema-column": Scenario(_replaced, frozenset({"concept"})),
    "recurring": Scenario(_recurring, frozenset({"none"})),
    "labels-shuffled": _broken(lambda y, chance: chance.permutation(y)),
    "labels-late": _broken(lambda y, _: np.roll(y, 1)),
    "labels-constant": _broken(lambda y, _: np.ones_like(y)),
}

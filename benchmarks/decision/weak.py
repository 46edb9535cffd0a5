"""Ten weak changes of eight features under a deployed logistic regression, drawn from a seed.

The concept is P(y=1|x) = s(2z) with z = x.B + 1.2 x0 x1 - 0.8 (x2^2 - 1); inputs are standard
normal with x5 += 0.5 x0. The model is misspecified on purpose: its error is about .16.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]
Rows = tuple[Floats, Labels]

FEATURES: Final = 8
COEFFICIENTS: Final = np.array([1.6, -1.2, 0.9, 0.0, 0.0, 0.7, 0.0, 0.0])
TRAINED, REFERENCE = 4000, 2000
ROW_COUNTS: Final = (200, 500, 2000)


@dataclass(frozen=True, slots=True)
class Case:
    """One draw: the champion, what it was trained on, fresh rows of that law, the new window."""

    scenario: str
    champion: Any  # scikit-learn ships no types
    trained: Rows
    reference: Rows
    new: Rows


def case(scenario: str, n: int, seed: int, among: "dict[str, Scenario] | None" = None) -> Case:
    """Draw a scenario's window of ``n`` rows, with a model trained afresh."""
    chance = np.random.default_rng(seed)
    trained, reference = usual(TRAINED, chance), usual(REFERENCE, chance)
    new = (among or SCENARIOS)[scenario].draw(n, chance)
    return Case(scenario, fitted(*trained), trained, reference, new)


def fitted(x: Floats, y: Labels) -> Any:
    """The deployed model: logistic regression on standardised features."""
    return make_pipeline(StandardScaler(), LogisticRegression()).fit(x, y)


def inputs(n: int, chance: np.random.Generator) -> Floats:
    """(n, 8) inputs of the old law."""
    x = chance.standard_normal((n, FEATURES))
    x[:, 5] += 0.5 * x[:, 0]
    return x


def sigmoid(z: Floats) -> Floats:
    """The logistic function."""
    return np.asarray(1 / (1 + np.exp(-z)))


def labelled(x: Floats, chance: np.random.Generator, coefficients: Floats = COEFFICIENTS) -> Labels:
    """Draw labels by the concept."""
    z = x @ coefficients + 1.2 * x[:, 0] * x[:, 1] - 0.8 * (x[:, 2] ** 2 - 1)
    return (chance.random(len(x)) < sigmoid(2 * z)).astype(np.int64)


def usual(n: int, chance: np.random.Generator) -> Rows:
    """Rows of the old law."""
    x = inputs(n, chance)
    return x, labelled(x, chance)


def _benign(n: int, chance: np.random.Generator) -> Rows:
    x = inputs(n, chance)
    y = labelled(x, chance)
    x[:, 6] += 0.7
    x[:, 7] *= 1.3
    return x, y


def _covariate(n: int, chance: np.random.Generator) -> Rows:
    x, y = usual(10 * n, chance)
    weight = np.exp(1.1 * np.abs(x[:, 2]) - 0.72 * x[:, 0] * np.sign(x[:, 1]))
    chosen = chance.choice(len(x), n, replace=False, p=weight / weight.sum())
    return x[chosen], y[chosen]


def relabelled_share(share: float) -> Callable[[int, np.random.Generator], Rows]:
    """Rows resampled within classes until P(y=1) is ``share``; P(x given y) is kept."""

    def draw(n: int, chance: np.random.Generator) -> Rows:
        x, y = usual(8 * n, chance)
        ones = int(chance.binomial(n, share))
        chosen = np.concatenate(
            [
                chance.choice(np.flatnonzero(y == value), count, replace=False)
                for value, count in ((1, ones), (0, n - ones))
            ]
        )
        chance.shuffle(chosen)
        return x[chosen], y[chosen]

    return draw


def _flipped_beyond(bound: float) -> Callable[[int, np.random.Generator], Rows]:
    def draw(n: int, chance: np.random.Generator) -> Rows:
        x, y = usual(n, chance)
        return x, np.where(x[:, 3] > bound, 1 - y, y)

    return draw


def _coefficient(n: int, chance: np.random.Generator) -> Rows:
    x = inputs(n, chance)
    changed = COEFFICIENTS.copy()
    changed[1] *= -0.2
    return x, labelled(x, chance, changed)


def _concept_and_shift(n: int, chance: np.random.Generator) -> Rows:
    x = inputs(n, chance)
    x[:, [0, 6]] += 0.3
    y = labelled(x, chance)
    return x, np.where(x[:, 3] > 1.3, 1 - y, y)  # noqa: PLR2004


def _new_domain(n: int, chance: np.random.Generator) -> Rows:
    x, y = usual(n, chance)
    unseen = chance.random(n) < 0.25  # noqa: PLR2004
    centre = np.zeros(FEATURES)
    centre[:2] = 3.5
    x[unseen] = centre + 0.6 * chance.standard_normal((int(unseen.sum()), FEATURES))
    z = 3 * (x[unseen, 3] + x[unseen, 4])
    y[unseen] = chance.random(len(z)) < sigmoid(z)
    return x, y


@dataclass(frozen=True, slots=True)
class Scenario:
    """How a window is drawn, and which verdicts on it are right."""

    draw: Callable[[int, np.random.Generator], Rows]
    right: frozenset[str]


def _scenario(draw: Callable[[int, np.random.Generator], Rows], *right: str) -> Scenario:
    return Scenario(draw, frozenset(right))


SCENARIOS: Final = {
    "none": _scenario(usual, "none"),
    "benign": _scenario(_benign, "benign", "none"),
    "covariate": _scenario(_covariate, "covariate"),
    "label": _scenario(relabelled_share(0.2), "label"),
    "label-mild": _scenario(relabelled_share(0.35), "label"),
    "concept-local": _scenario(_flipped_beyond(0.85), "concept"),
    "concept-coefficient": _scenario(_coefficient, "concept"),
    "concept-6": _scenario(_flipped_beyond(1.5), "concept"),
    "concept-and-shift": _scenario(_concept_and_shift, "concept"),
    "new-domain": _scenario(_new_domain, "new domain"),
}

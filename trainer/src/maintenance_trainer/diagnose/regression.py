"""What inputs tell of a number: predictions that no row took part in.

Ridge with squares and products, gradient boosting, or no more than the median: whichever errs
least out of fold. So a relation that is straight costs few rows, and one that is not is seen.
"""

from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import KFold, PredefinedSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from maintenance_trainer.diagnose.measured import Floats
from maintenance_trainer.diagnose.samples import expanded
from maintenance_trainer.seed import SEED

FOLDS: Final = 5
STRENGTHS: Final = (0.1, 1.0, 10.0, 100.0, 1000.0)
TAIL: Final = 0.005
"""Numbers beyond these quantiles are fitted as if they lay there: one slip must not bend it all."""
LEAST_IN_LEAF: Final = 20

Predict = Callable[[Floats], Floats]


def regressed(
    x: Floats, y: Floats, other: Floats, kept: NDArray[np.int64] | None = None
) -> tuple[Floats, Floats]:
    """Predict numbers from inputs.

    Args:
        x: (n, k) inputs; n at least ``FOLDS``.
        y: (n,) their numbers.
        other: (m, k) further inputs.
        kept: (n,) the fold of each row; None: any.

    Returns:
        (n,) predictions out of fold, and (m,) predictions of the others.
    """
    held = winsorised(y)
    any_folds = KFold(FOLDS, shuffle=True, random_state=SEED)
    folds = list((any_folds if kept is None else PredefinedSplit(kept)).split(x))
    best: tuple[float, Callable[[Floats, Floats], Predict], Floats] | None = None
    for fit in (_median, _ridge, _boosted):
        out = np.empty(len(y))
        for rows, rest in folds:
            out[rest] = fit(x[rows], held[rows])(x[rest])
        error = float(np.abs(held - out).mean())
        if best is None or error < best[0]:
            best = error, fit, out
    assert best is not None  # noqa: S101 - there are ways to fit
    return best[2], best[1](x, held)(other) if len(other) else np.empty(0)


def winsorised(values: Floats, tail: float = TAIL) -> Floats:
    """The values, none beyond the quantiles of their tails."""
    low, high = np.quantile(values, [tail, 1 - tail])
    return np.clip(values, low, high)


def _median(_x: Floats, y: Floats) -> Predict:
    middle = float(np.median(y))
    return lambda rows: np.full(len(rows), middle)


def _ridge(x: Floats, y: Floats) -> Predict:
    model: Any = make_pipeline(StandardScaler(), RidgeCV(STRENGTHS))  # scikit-learn ships no types
    model.fit(expanded(x), y)
    low, high = y.min(), y.max()
    return lambda rows: np.clip(model.predict(expanded(rows)), low, high)


def _boosted(x: Floats, y: Floats) -> Predict:
    model: Any = HistGradientBoostingRegressor(
        max_iter=80, max_depth=4, min_samples_leaf=LEAST_IN_LEAF, random_state=SEED
    )
    model.fit(x, y)
    return lambda rows: np.asarray(model.predict(rows))

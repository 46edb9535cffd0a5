"""Which old rows the new labels contradict: they would teach the old concept again."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.neighbors import NearestNeighbors
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from maintenance_trainer.data import SEED, Row

FOLDS: Final = 5
LEAST_ROWS_PER_LABEL: Final = FOLDS
TRUSTED_ACCURACY: Final = 0.9
"""Out of fold, the new labels must be told this well above the confidence that is acted on."""
IMPROBABLE: Final = 0.05
"""An old label this unlikely under the new rows is contradicted."""
COVERED_QUANTILE: Final = 0.95
"""An old row is covered if it lies as near to a new row as this share of new rows do."""


def contradicted(
    old: Sequence[Row],
    new: Sequence[Row],
    old_embeddings: NDArray[np.float32],
    new_embeddings: NDArray[np.float32],
) -> NDArray[np.bool_]:
    """Mark old rows whose label the new rows refute.

    Two rules. The same text carries only other labels now. Or: a classifier of the new rows, on
    the champion's embeddings, finds the old label improbable and is sure of another one; it is
    believed only above the confidence at which it is right out of fold, and only where new rows
    lie, so regions that the new rows do not cover stay as they were.

    Args:
        old: m old training rows.
        new: n new training rows.
        old_embeddings: (m, d) by the champion.
        new_embeddings: (n, d) by the champion.

    Returns:
        m flags.
    """
    now: dict[str, set[str]] = {}
    for row in new:
        now.setdefault(row.key, set()).add(row.label)
    same_text = np.array([row.key in now and row.label not in now[row.key] for row in old], bool)
    return same_text | _improbable(old, new, old_embeddings, new_embeddings)


def _improbable(
    old: Sequence[Row],
    new: Sequence[Row],
    old_embeddings: NDArray[np.float32],
    new_embeddings: NDArray[np.float32],
) -> NDArray[np.bool_]:
    nothing = np.zeros(len(old), bool)
    labels = np.array([row.label for row in new])
    names, counts = np.unique(labels, return_counts=True)
    usable = np.isin(labels, names[counts >= LEAST_ROWS_PER_LABEL])
    if len(old) == 0 or len(set(labels[usable])) < 2:  # noqa: PLR2004  # two labels to tell apart
        return nothing
    x, y = new_embeddings[usable], labels[usable]
    confidence = _trusted_confidence(x, y)
    if confidence is None:
        return nothing
    model = _classifier().fit(x, y)
    probabilities = model.predict_proba(old_embeddings)
    column = {name: number for number, name in enumerate(model.classes_)}
    of_old_label = np.array(
        [
            probabilities[i, column[row.label]] if row.label in column else 0.0
            for i, row in enumerate(old)
        ]
    )
    return np.asarray(
        (probabilities.max(axis=1) >= confidence)
        & (of_old_label < IMPROBABLE)
        & _covered(old_embeddings, x)
    )


def _classifier() -> Any:  # scikit-learn ships no types
    return make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=500))


def _trusted_confidence(x: NDArray[np.float32], y: NDArray[np.str_]) -> float | None:
    """The lowest confidence above which out-of-fold predictions are right often enough."""
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=SEED)
    out_of_fold = cross_val_predict(_classifier(), x, y, cv=folds, method="predict_proba")
    sure = out_of_fold.max(axis=1)
    right = np.unique(y)[out_of_fold.argmax(axis=1)] == y
    order = np.argsort(-sure)
    accuracy = np.cumsum(right[order]) / np.arange(1, len(order) + 1)
    trusted = np.flatnonzero(accuracy >= TRUSTED_ACCURACY)
    return float(sure[order][trusted[-1]]) if len(trusted) else None


def _covered(old: NDArray[np.float32], new: NDArray[np.float32]) -> NDArray[np.bool_]:
    neighbours = NearestNeighbors(n_neighbors=2).fit(new)
    among_new = neighbours.kneighbors(new)[0][:, 1]
    to_new = neighbours.kneighbors(old, n_neighbors=1)[0][:, 0]
    return np.asarray(to_new <= np.quantile(among_new, COVERED_QUANTILE))

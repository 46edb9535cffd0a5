"""Which old rows the new labels contradict: they would teach the old concept again."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import NearestNeighbors
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from maintenance_trainer.data.rows import Row
from maintenance_trainer.diagnose.measured import Floats
from maintenance_trainer.diagnose.samples import expanded
from maintenance_trainer.recipes.refuted_numbers import refuted
from maintenance_trainer.seed import SEED

LEAST_ROWS_PER_LABEL: Final = 5
REFUTED: Final = 0.3
"""An old label is contradicted where new labels make it less than this part as likely as old ones
did. Where nothing has changed, the two differ by chance and seldom that much."""
COVERED_QUANTILE: Final = 0.95
"""An old row is covered if it lies as near to a new row as this share of new rows do."""
MOST_ROWS: Final = 5000
"""Old rows that a classifier of them is fitted on: more say nothing new, and take minutes."""


def contradicted(
    old: Sequence[Row],
    new: Sequence[Row],
    old_embeddings: NDArray[np.float32],
    new_embeddings: NDArray[np.float32],
) -> NDArray[np.bool_]:
    """Mark old rows whose label the new rows refute.

    Two rules. The same input carries only other labels now. Or: given the champion's embedding, a
    classifier of the new rows finds the old label far less likely than one of other old rows does;
    it is believed only where new rows lie, so regions that they do not cover stay as they were. The
    ratio, not the likelihood itself: an old label that always was doubtful is no sign of change.

    Of numbers ``refuted_numbers`` has the second rule, and there is no first: labels of one input
    differ by noise.

    Args:
        old: m old training rows.
        new: n new training rows.
        old_embeddings: (m, d) by the champion.
        new_embeddings: (n, d) by the champion.

    Returns:
        m flags.
    """
    if not any(row.stratum or row.numeric for row in new):
        return np.zeros(len(old), bool)
    if not any(row.stratum for row in new):
        numbers = refuted(
            old, new, old_embeddings.astype(np.float64), new_embeddings.astype(np.float64)
        )
        return numbers & _covered(old_embeddings, new_embeddings) if numbers.any() else numbers
    now: dict[str, set[str]] = {}
    for row in new:
        if row.identity:
            now.setdefault(row.identity, set()).add(row.label)
    same_input = np.array(
        [
            bool(row.stratum) and row.identity in now and row.label not in now[row.identity]
            for row in old
        ],
        bool,
    )
    return same_input | _improbable(old, new, old_embeddings, new_embeddings)


def _improbable(
    old: Sequence[Row],
    new: Sequence[Row],
    old_embeddings: NDArray[np.float32],
    new_embeddings: NDArray[np.float32],
) -> NDArray[np.bool_]:
    labels = np.array([row.stratum for row in new], str)
    names, counts = np.unique(labels, return_counts=True)
    usable = np.isin(labels, names[counts >= LEAST_ROWS_PER_LABEL])
    if len(old) < 2 or len(set(labels[usable])) < 2:  # noqa: PLR2004  # two labels to tell apart
        return np.zeros(len(old), bool)
    was = np.array([row.stratum for row in old], str)
    x, of_new = (expanded(e.astype(np.float64)) for e in (old_embeddings, new_embeddings[usable]))
    now = _likelihood(of_new, labels[usable], x, was)
    before = _among_themselves(x, was)
    # A label too rare for the new rows to show one is not refuted by their having none.
    _, which, alike = np.unique(was, return_inverse=True, return_counts=True)
    share = (alike / len(was))[which.reshape(-1)]
    to_be_seen = np.isin(was, labels) | (share * len(new) >= LEAST_ROWS_PER_LABEL)
    refuted = (now < REFUTED * before) & to_be_seen
    return np.asarray(refuted & _covered(old_embeddings, new_embeddings[usable]))


def _among_themselves(x: Floats, labels: NDArray[np.str_]) -> Floats:
    """How likely each label is by the rows of the other half."""
    order = np.random.default_rng(SEED).permutation(len(x))
    halves = order[::2], order[1::2]
    found = np.ones(len(x))
    for half, other in (halves, halves[::-1]):
        if len(np.unique(labels[half[:MOST_ROWS]])) > 1:
            fit = half[:MOST_ROWS]
            found[other] = _likelihood(x[fit], labels[fit], x[other], labels[other])
    return found


def _likelihood(
    x: Floats, labels: NDArray[np.str_], rows: Floats, theirs: NDArray[np.str_]
) -> Floats:
    """P(label | row) by a classifier of other rows; 0 for a label that they do not have."""
    model: Any = make_pipeline(  # scikit-learn ships no types
        StandardScaler(), LogisticRegression(C=0.1, max_iter=500)
    )
    probabilities = model.fit(x, labels).predict_proba(rows)
    column = np.searchsorted(model.classes_, theirs).clip(max=len(model.classes_) - 1)
    known = model.classes_[column] == theirs
    return np.where(known, probabilities[np.arange(len(rows)), column], 0.0)


def _covered(old: NDArray[np.float32], new: NDArray[np.float32]) -> NDArray[np.bool_]:
    neighbours = NearestNeighbors(n_neighbors=2).fit(new)
    among_new = neighbours.kneighbors(new)[0][:, 1]
    to_new = neighbours.kneighbors(old, n_neighbors=1)[0][:, 0]
    return np.asarray(to_new <= np.quantile(among_new, COVERED_QUANTILE))

"""Which old numbers the new ones refute: they would teach the old relation again."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from maintenance_trainer.data.rows import Row
from maintenance_trainer.diagnose.measured import Flags, Floats
from maintenance_trainer.diagnose.numbers import number
from maintenance_trainer.diagnose.regression import regressed
from maintenance_trainer.seed import SEED

LEAST_ROWS: Final = 40
MOST_ROWS: Final = 5000
"""Rows that a regression is fitted on: more say nothing new, and take minutes."""
REFUTED: Final = 0.3
"""An old number is refuted where new rows make it less than this part as likely as old ones do."""
_LEAST_SCALE: Final = 1e-9


def refuted(old: Sequence[Row], new: Sequence[Row], old_x: Floats, new_x: Floats) -> Flags:
    """Mark old rows whose number is far less likely by the new rows than by other old ones.

    Both likelihoods are Laplace's around what a regression of those rows tells, as wide as it errs
    out of fold: a number that always was an odd one is no sign of change.

    Args:
        old: m old training rows.
        new: n new training rows.
        old_x: (m, d) embeddings by the champion.
        new_x: (n, d) embeddings by the champion.

    Returns:
        m flags; none set where labels are no single numbers, or rows are few.
    """
    was, now = (np.array([number(row.label) for row in rows], float) for rows in (old, new))
    none = np.zeros(len(old), bool)
    if min(len(old), len(new)) < LEAST_ROWS or not np.isfinite([*was, *now]).all():
        return none
    spread = float(np.abs(was - np.median(was)).mean())
    if spread <= 0.0:
        return none
    fit = np.random.default_rng(SEED).permutation(len(new))[:MOST_ROWS]
    by_new = _log_likelihood(new_x[fit], now[fit], old_x, was, spread)
    by_old = _among_themselves(old_x, was, spread)
    return np.asarray(by_new - by_old < np.log(REFUTED), bool)


def _among_themselves(x: Floats, labels: Floats, spread: float) -> Floats:
    """How likely each number is by the rows of the other half."""
    order = np.random.default_rng(SEED).permutation(len(x))
    halves = order[::2], order[1::2]
    found = np.empty(len(x))
    for half, other in (halves, halves[::-1]):
        fit = half[:MOST_ROWS]
        found[other] = _log_likelihood(x[fit], labels[fit], x[other], labels[other], spread)
    return found


def _log_likelihood(
    x: Floats, labels: Floats, rows: Floats, theirs: Floats, spread: float
) -> Floats:
    told, of_rows = regressed(x, labels, rows)
    scale = max(float(np.mean(np.abs(labels - told))), _LEAST_SCALE * spread)
    return np.asarray(-np.abs(theirs - of_rows) / scale - np.log(scale))

"""How likely the champion is to be wrong on a row, judging by its input alone.

P(label | input) is learnt from old rows that the champion was not trained on, out of fold; that
the champion is wrong has one minus the probability of its own answer. Where the class mix has
moved, Bayes' rule moves that probability along (Saerens, Latinne and Decaestecker 2002, with the
new shares counted, not estimated).
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from maintenance_trainer.design_effect import Units
from maintenance_trainer.diagnose.clusters import folds_of
from maintenance_trainer.diagnose.measured import Floats
from maintenance_trainer.diagnose.samples import Names, Sample, expanded, log_odds
from maintenance_trainer.seed import SEED

FOLDS: Final = 5
STRENGTHS: Final = (0.003, 0.03, 0.3)
"""Inverse regularisation; the one with the best out-of-fold likelihood is taken."""
LEAST: Final = 1e-4


@dataclass(frozen=True, slots=True)
class ExpectedError:
    """Per row, P(champion wrong | input): by the old rows; and with the class mix of the new."""

    plain: Floats
    reweighted: Floats


def expected_errors(old: Sample, new: Sample) -> tuple[ExpectedError, ExpectedError]:
    """Of old rows (out of fold) and of new rows.

    Classes that old rows do not have are left to the answers that cannot be right: expected error
    one.
    """
    classes = np.unique(old.labels)
    p_old, p_new = _posterior(_features(old), old.labels, _features(new), classes, old.units)
    ratio = _shares(new.labels, classes) / _shares(old.labels, classes)
    return (
        _errors(p_old, ratio, classes, old.predicted),
        _errors(p_new, ratio, classes, new.predicted),
    )


def _features(sample: Sample) -> Floats:
    return np.hstack([expanded(sample.x), log_odds(sample.probabilities)])


def _posterior(
    x: Floats, labels: Names, other: Floats, classes: Names, units: Units | None
) -> tuple[Floats, Floats]:
    if len(classes) < 2:  # noqa: PLR2004
        return np.ones((len(x), 1)), np.ones((len(other), 1))
    folds = list(folds_of(len(x), units, FOLDS, SEED))
    best: tuple[float, float, Floats] | None = None
    for strength in STRENGTHS:
        out = np.empty((len(x), len(classes)))
        for fit, rest in folds:
            out[rest] = _fitted(strength, x[fit], labels[fit], x[rest], classes)
        likelihood = float(np.log(out[np.arange(len(x)), np.searchsorted(classes, labels)]).mean())
        if best is None or likelihood > best[0]:
            best = likelihood, strength, out
    assert best is not None  # noqa: S101 - there are strengths
    return best[2], _fitted(best[1], x, labels, other, classes)


def _fitted(strength: float, x: Floats, labels: Names, other: Floats, classes: Names) -> Floats:
    """P(class | row) of other rows; a class that the fold lacks gets next to nothing."""
    out = np.full((len(other), len(classes)), LEAST)
    there = np.unique(labels)
    columns = np.searchsorted(classes, there)
    if len(there) == 1:
        out[:, columns] = 1.0
    else:
        model: Any = make_pipeline(  # scikit-learn ships no types
            StandardScaler(), LogisticRegression(C=strength, max_iter=300)
        )
        out[:, columns] = np.maximum(model.fit(x, labels).predict_proba(other), LEAST)
    return np.asarray(out / out.sum(axis=1, keepdims=True))


def _shares(labels: Names, classes: Names) -> Floats:
    counts = np.array([(labels == name).sum() for name in classes], float) + 0.5
    return np.asarray(counts / counts.sum())


def _errors(p: Floats, ratio: Floats, classes: Names, predicted: Names) -> ExpectedError:
    moved = p * ratio
    moved /= moved.sum(axis=1, keepdims=True)
    column = np.searchsorted(classes, predicted)
    column[column == len(classes)] = 0
    known = classes[column] == predicted
    rows = np.arange(len(predicted))
    return ExpectedError(
        *(np.where(known, 1.0 - q[rows, column], 1.0).clip(LEAST, 1.0) for q in (p, moved))
    )

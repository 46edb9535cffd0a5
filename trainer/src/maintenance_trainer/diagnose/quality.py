"""Can the new labels be trusted at all? A model that is trained on broken ones is worse than none.

Labels that were shuffled, shifted by a row or joined with the wrong rows keep their shares and lose
their inputs. So the question is whether the new rows' labels can be learnt from their inputs as
well as old ones can: drift changes what is learnt, not whether there is anything to learn.
"""

from dataclasses import replace
from typing import Any, Final

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import KFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from maintenance_trainer.diagnose import statistics
from maintenance_trainer.diagnose import thresholds as at
from maintenance_trainer.diagnose.measured import Flags, Floats
from maintenance_trainer.diagnose.samples import Names, Sample, expanded, log_odds
from maintenance_trainer.errors import DataError
from maintenance_trainer.seed import SEED

FOLDS: Final = 5
STRENGTH: Final = 0.03
LEARNABLE: Final = 0.2
"""Informedness of old labels from which on they count as learnable: below, nothing can be lost."""
LOST: Final = 0.4
"""Broken: less than this part of the old labels' informedness is left, and by no accident."""
LEAST_Z: Final = 2.5
"""Standard errors of a difference of two such numbers."""
MOST_ROWS: Final = 2000
CHANCE: Final = 1e-6
"""Below it, a sample of one class from a mix of several is no accident."""


def check(old: Sample, new: Sample) -> None:
    """Refuse new labels that no model can have learnt from.

    Args:
        old: rows that the champion was not trained on.
        new: newly labelled rows, with labels that it knows.

    Raises:
        DataError: LabelsConstant, LabelsUnpredictable.
    """
    if min(len(old), len(new)) < at.LEAST_ROWS:
        return
    _varied(old, new)
    old, new = (rows.part(_few(len(rows))) for rows in (old, new))
    old_x, new_x = statistics.reduce(old.x, new.x)
    _learnable(replace(old, x=old_x), replace(new, x=new_x))


def _few(count: int) -> Flags:
    """Two thousand rows tell learnable labels from broken ones; the fits of more take minutes."""
    return np.random.default_rng(SEED).permutation(count) < MOST_ROWS


def _varied(old: Sample, new: Sample) -> None:
    names = np.unique(new.labels)
    share = float(np.mean(old.labels == names[0]))
    if len(names) == 1 and share ** len(new) < CHANCE:
        message = (
            f"data.updates: all {len(new)} new rows are labelled {str(names[0])!r}; of old rows "
            f"{share:.0%} are. Whoever provides the labels must mend them, or label rows of every "
            "class."
        )
        raise DataError("LabelsConstant", message)


def _learnable(old: Sample, new: Sample) -> None:
    few = np.zeros(len(old), bool)
    few[np.random.default_rng(SEED).permutation(len(old))[: len(new)]] = True
    before, _ = _learnt(old.part(few))
    after, error = _learnt(new)
    # The champion's own answers are a second way to read the labels.
    best = max(after, _informedness(new.labels, new.predicted)[0])
    if lost(before, best, np.sqrt(2) * error, LEARNABLE):
        message = (
            f"data.updates: the labels of {len(new)} new rows do not follow from their inputs "
            f"(informedness {best:.2f}; of as many old rows {before:.2f}): they look shuffled, "
            "late or joined with the wrong rows. Whoever provides the labels must mend them; "
            "nothing is trained on them."
        )
        raise DataError("LabelsUnpredictable", message)


def lost(before: float, after: float, error: float, learnable: float) -> bool:
    """Whether what old labels taught is gone from new ones, and by no accident.

    Args:
        before: how well other rows teach old labels, from 0 (not at all) to 1.
        after: how well they teach new ones.
        error: the standard error of their difference.
        learnable: from which on old labels count as learnable; below, nothing can be lost.
    """
    gone = after < LOST * before and before - after > LEAST_Z * error
    return bool(before >= learnable and gone)


def _learnt(rows: Sample) -> tuple[float, float]:
    """How well other rows teach these labels; standard error."""
    features = np.hstack([expanded(rows.x), log_odds(rows.probabilities)])
    return _informedness(rows.labels, _out_of_fold(features, rows.labels))


def _informedness(labels: Names, answers: Names) -> tuple[float, float]:
    """Mean recall of the classes, from 0 (chance) to 1; standard error. No class mix moves it."""
    names, counts = np.unique(labels, return_counts=True)
    if len(names) < 2:  # noqa: PLR2004
        return 1.0, 0.0
    recalls = np.array([np.mean(answers[labels == name] == name) for name in names])
    # Half a row each way: a class of one row is not certain.
    smooth = (recalls * counts + 0.5) / (counts + 1)
    beyond = len(names) / (len(names) - 1)
    error = np.sqrt(np.sum(smooth * (1 - smooth) / counts)) / len(names) * beyond
    return float((recalls.mean() - 1 / len(names)) * beyond), float(error)


def _out_of_fold(x: Floats, labels: Names) -> Names:
    model: Any = make_pipeline(  # scikit-learn ships no types
        StandardScaler(), LogisticRegression(C=STRENGTH, max_iter=300, class_weight="balanced")
    )
    if len(np.unique(labels)) < 2:  # noqa: PLR2004
        return labels
    folds = KFold(FOLDS, shuffle=True, random_state=SEED)
    try:
        return np.asarray(cross_val_predict(model, x, labels, cv=folds))
    except ValueError:
        # A fold without a second class: the rarest one is learnt nowhere.
        names, counts = np.unique(labels, return_counts=True)
        return np.full(len(labels), names[counts.argmax()])

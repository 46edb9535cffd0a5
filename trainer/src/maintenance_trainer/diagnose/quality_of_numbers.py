"""Can new labels that are numbers be trusted at all? See ``quality``, which asks it of classes.

How well other rows teach these labels is the correlation of what is predicted out of fold with
their normal scores: no unit moves it, and no single slip.
"""

from typing import Final

import numpy as np
from scipy import stats

from maintenance_trainer.diagnose import statistics
from maintenance_trainer.diagnose import thresholds as at
from maintenance_trainer.diagnose.measured import Flags, Floats
from maintenance_trainer.diagnose.numbers import NumberSample
from maintenance_trainer.diagnose.quality import CHANCE, LOST, MOST_ROWS, lost
from maintenance_trainer.diagnose.regression import regressed
from maintenance_trainer.errors import DataError
from maintenance_trainer.seed import SEED

LEARNABLE: Final = 0.4
"""Correlation of old labels from which on they count as learnable: below, nothing can be lost."""
OTHER_UNIT: Final = 5.0
"""Times as large, or as small, as old rows of the same inputs: no drift does that to all alike."""
STILL: Final = 1.1
"""Times the loss on old rows: up to it the champion still reads the new ones."""
KEPT: Final = 0.8
"""Part of the correlation with what old rows teach that is left where the unit alone changed."""


def check(old: NumberSample, new: NumberSample) -> None:
    """Refuse new numbers that no model can have learnt from.

    Args:
        old: rows that the champion was not trained on.
        new: newly labelled rows.

    Raises:
        DataError: LabelsConstant, LabelsRescaled, LabelsUnpredictable.
    """
    labelled = old.labelled and new.labelled
    if min(len(old), len(new)) < at.LEAST_ROWS or not (labelled or old.onward):
        return
    few_old, few_new = (rows.part(_few(len(rows))) for rows in (old, new))
    old_x, new_x = statistics.reduce(few_old.x, few_new.x)
    if old.onward:
        _in_order(few_old, few_new, old_x, new_x)
    if labelled:
        _varied(old, new)
        _rescaled(few_old, few_new, old_x, new_x)
        _learnable(few_old, few_new, old_x, new_x)


def _few(count: int) -> Flags:
    return np.random.default_rng(SEED).permutation(count) < MOST_ROWS


def _varied(old: NumberSample, new: NumberSample) -> None:
    first = new.label[0]
    share = float(np.mean(old.label == first))
    if (new.label == first).all() and share ** len(new) < CHANCE:
        message = (
            f"data.updates: all {len(new)} new rows are labelled {first:g}; of old rows "
            f"{share:.0%} are. Whoever provides the labels must mend them."
        )
        raise DataError("LabelsConstant", message)


def _rescaled(old: NumberSample, new: NumberSample, old_x: Floats, new_x: Floats) -> None:
    """A linear map of what old rows teach, as close as ever, and many times as steep."""
    before, after = regressed(old_x, old.label, new_x)
    if min(np.ptp(before), np.ptp(after)) <= 0:
        return
    was, now = (
        float(stats.spearmanr(told, rows.label).statistic)
        for told, rows in ((before, old), (after, new))
    )
    if not (was >= LEARNABLE and now >= KEPT * was):
        return
    times = _steepness(after, new.label) / max(_steepness(before, old.label), 1e-300)
    if 1 / OTHER_UNIT < times < OTHER_UNIT:
        return
    size = f"{times:.3g} times as large as" if times > 1 else f"{times:.2g} of what"
    verb = "" if times > 1 else " would be"
    message = (
        f"data.updates: the labels of {len(new)} new rows follow from their inputs as before, but "
        f"are {size} old ones of such inputs{verb}: they look measured in another unit. Whoever "
        "provides the labels must give all of them in one; if the new unit is meant, give the "
        "original data in it, too. Nothing is trained on both."
    )
    raise DataError("LabelsRescaled", message)


def _steepness(told: Floats, labels: Floats) -> float:
    """By how much labels rise where what is told of them does; of the middle, without the tails."""
    low, high = np.quantile(told, [0.25, 0.75])
    above, below = labels[told >= high], labels[told <= low]
    return float(np.median(above) - np.median(below)) / max(float(high - low), 1e-300)


def _learnable(old: NumberSample, new: NumberSample, old_x: Floats, new_x: Floats) -> None:
    few = np.random.default_rng(SEED).permutation(len(old))[: len(new)]
    before, _ = _learnt(old_x[few], old.label[few])
    after, error = _learnt(new_x, new.label)
    # The champion's own answers are a second way to read the labels.
    still = _explained(new) >= LOST * _explained(old) > 0
    if lost(before, after, np.sqrt(2) * error, LEARNABLE) and not still:
        message = (
            f"data.updates: the labels of {len(new)} new rows do not follow from their inputs "
            f"(correlation {after:.2f}; of as many old rows {before:.2f}): they look shuffled, "
            "late or joined with the wrong rows. Whoever provides the labels must mend them; "
            "nothing is trained on them."
        )
        raise DataError("LabelsUnpredictable", message)


def _in_order(old: NumberSample, new: NumberSample, old_x: Floats, new_x: Floats) -> None:
    """How a target goes on follows from how it ran, in new rows as in old ones."""
    if float(new.loss.mean()) <= STILL * float(old.loss.mean()):
        return  # the champion still tells it
    for name in sorted(set(old.onward) & set(new.onward)):
        then, now = _onward(old_x, old.onward[name]), _onward(new_x, new.onward[name])
        if then is None or now is None:
            continue
        (before, _), (after, error) = then, now
        if lost(before, after, np.sqrt(2) * error, LEARNABLE):
            message = (
                f"data.updates: in {len(new)} new windows the column {name!r} does not follow from "
                f"the rows before (correlation {after:.2f}; in {len(old)} old ones {before:.2f}): "
                "its rows look shuffled, or joined with the wrong times. Whoever provides the data "
                "must mend them; nothing is trained on them."
            )
            raise DataError("LabelsUnpredictable", message)


def _onward(x: Floats, values: Floats) -> tuple[float, float] | None:
    """See ``_learnt``; None where too few are known."""
    there = np.isfinite(values)
    return _learnt(x[there], values[there]) if there.sum() >= at.LEAST_ROWS else None


def _learnt(x: Floats, labels: Floats) -> tuple[float, float]:
    """How well other rows teach these labels, at least 0; standard error."""
    scores = stats.norm.ppf((stats.rankdata(labels) - 0.5) / len(labels))
    told, _ = regressed(x, scores, x[:0])
    if min(np.ptp(told), np.ptp(scores)) <= 0:
        return 0.0, 1 / np.sqrt(len(labels))
    r = max(0.0, float(np.corrcoef(told, scores)[0, 1]))
    return r, (1 - r * r) / np.sqrt(len(labels))


def _explained(rows: NumberSample) -> float:
    """The share of these labels' own spread that the champion explains, by absolute errors."""
    spread = float(np.abs(rows.label - np.median(rows.label)).mean())
    return 1.0 - float(np.mean(rows.loss)) * rows.unit / spread if spread > 0 else 0.0

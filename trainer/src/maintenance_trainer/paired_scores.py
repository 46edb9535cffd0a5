"""Champion and challenger by a metric that is no mean over rows, and the error of the difference.

The difference is a function of the weights of the rows. Its standard error is the delete-one
jackknife's (B. Efron and C. Stein, Annals of Statistics 9 (1981), section 2), which for the area
under the curve is close to that of E. R. DeLong and others, Biometrics 44 (1988). Against a
difference other than 0 the jackknife is bold where a class has few rows and few errors: all of them
may be right by luck. Then half a row won and half a row lost are added to each class, as A. Agresti
and Y. Min, Statistics in Medicine 24 (2005) add them to the table of a paired comparison.
``benchmarks/decision gate`` has how well both hold their level.

Rows of one unit (a patient, a stretch of time) are not independent. Then the variance is that
between units (W. G. Cochran, Sampling Techniques, 1977, section 9A.4, of the linearised metric),
and never less than if they were.
"""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from maintenance_contract import PairedScore, ScoreMetric
from maintenance_trainer.design_effect import Strata, Units, count_of, design_effect

Floats = NDArray[np.float64]

_HALF: Final = 0.5
_RIGHT, _WRONG = "right", "wrong"
_TWO: Final = 2


@dataclass(frozen=True, slots=True)
class Predictions:
    """Of one model on n rows: labels, and for AUROC the probability of the second class (n,)."""

    labels: Sequence[str]
    probability: Floats | None = None


@dataclass(frozen=True, slots=True)
class _Cells:
    """Rows that are alike: their class, what either model says of them, and how many they are.

    ``step`` is what is left out at a time: one row, or the whole of a part of one.
    """

    truth: Floats
    champion: Floats
    challenger: Floats
    weights: Floats

    @property
    def step(self) -> Floats:
        return np.minimum(self.weights, 1.0)


_Scores = tuple[float, Floats]
"""One model's score, and what it is without a row of each cell."""


def paired_score(
    metric: ScoreMetric,
    labels: Sequence[str],
    champion: Predictions,
    challenger: Predictions,
    units: Units | None = None,
    unknown: Collection[str] = (),
) -> PairedScore | None:
    """Score two models on the same rows; None where the metric has no value on these.

    Args:
        metric: only classes that the rows have count; AUROC is of exactly two.
        labels: the rows' n labels.
        champion: what it predicts of these n rows.
        challenger: what it predicts of them.
        units: (n,) the number of each row's unit, see ``units_of``; None: each row is one.
        unknown: labels that the champion cannot name.
    """
    classes = sorted(set(labels))
    if len(labels) < _TWO or (metric is ScoreMetric.AUROC and len(classes) != _TWO):
        return None
    number = {label: float(place) for place, label in enumerate(classes)}
    columns = [np.asarray([number[label] for label in labels])]
    for model in (champion, challenger):
        if metric is not ScoreMetric.AUROC:
            columns.append(np.asarray([number.get(label, -1.0) for label in model.labels]))
        elif model.probability is None:  # it knows one of the classes alone
            columns.append(np.zeros(len(labels)))
        else:
            columns.append(np.asarray(model.probability, dtype=np.float64))
    table, cell, counts = np.unique(
        np.stack(columns, axis=1), axis=0, return_inverse=True, return_counts=True
    )
    cells = _Cells(table[:, 0], table[:, 1], table[:, 2], counts.astype(np.float64))
    seen, adjusted = _both(metric, cells), _with_half_rows(metric, cells)
    (before, _), (after, _) = seen
    score = PairedScore(
        metric=metric,
        n=len(labels),
        champion=before,
        challenger=after,
        standard_error=_jackknife_error(cells, seen),
        adjusted_error=_jackknife_error(adjusted, _both(metric, adjusted)),
    )
    if units is None:
        return score
    influence = _without_one(cells, seen)[cell.reshape(-1)]
    return _clustered(score, influence, units, Strata(labels, unknown))


def paired_share(
    metric: ScoreMetric,
    champion: Floats,
    challenger: Floats,
    units: Units | None,
    strata: Strata,
) -> PairedScore | None:
    """The same by the share of rows that are right; None without two rows.

    Args:
        metric: which share that is.
        champion: (n,) its losses, 0 where it is right.
        challenger: (n,) its losses.
        units: as of ``paired_score``.
        strata: the classes of the rows; of kinds without any all the same.
    """
    first, second = (
        Predictions([_RIGHT if loss == 0.0 else _WRONG for loss in losses])
        for losses in (champion, challenger)
    )
    score = paired_score(ScoreMetric.ACCURACY, [_RIGHT] * len(champion), first, second)
    if score is None:
        return None
    score = replace(score, metric=metric)
    return score if units is None else _clustered(score, champion - challenger, units, strata)


def _clustered(score: PairedScore, influence: Floats, units: Units, strata: Strata) -> PairedScore:
    """With the errors that it has as rows of these units belong together."""
    larger = math.sqrt(design_effect(influence, units, strata))
    return replace(
        score,
        standard_error=min(1.0, larger * score.standard_error),
        adjusted_error=min(1.0, larger * score.adjusted_error),
        units=count_of(units, score.n),
    )


def _both(metric: ScoreMetric, cells: _Cells) -> tuple[_Scores, _Scores]:
    one = _auroc if metric is ScoreMetric.AUROC else _by_class
    return one(metric, cells, cells.champion), one(metric, cells, cells.challenger)


def _jackknife_error(cells: _Cells, scores: tuple[_Scores, _Scores]) -> float:
    """The standard error of challenger less champion, from the scores of both on these cells."""
    total, change = cells.weights.sum(), _without_one(cells, scores)
    mean = (cells.weights * change).sum() / total
    variance = (total - 1.0) / total * (cells.weights * (change - mean) ** 2).sum()
    return min(1.0, float(np.sqrt(variance)))


def _without_one(cells: _Cells, scores: tuple[_Scores, _Scores]) -> Floats:
    """By how much the difference changes without a row of each cell."""
    (before, before_without), (after, after_without) = scores
    return np.asarray((after_without - before_without - (after - before)) / cells.step)


def _with_half_rows(metric: ScoreMetric, cells: _Cells) -> _Cells:
    """The rows, and of each class half a row that either model alone gets right."""
    classes = np.unique(cells.truth)
    sizes = [cells.weights[cells.truth == label].sum() for label in classes]
    largest_first = classes[np.argsort(sizes)[::-1]]
    extra = []
    for label in classes:
        if metric is ScoreMetric.AUROC:
            both = np.concatenate([cells.champion, cells.challenger])
            right, wrong = (both.max(), both.min()) if label else (both.min(), both.max())
        else:
            right, wrong = label, next((one for one in largest_first if one != label), -1.0)
        extra += [(label, right, wrong), (label, wrong, right)]
    truth, champion, challenger = np.asarray(extra).T
    return _Cells(
        np.concatenate([cells.truth, truth]),
        np.concatenate([cells.champion, champion]),
        np.concatenate([cells.challenger, challenger]),
        np.concatenate([cells.weights, np.full(len(extra), _HALF)]),
    )


def _by_class(metric: ScoreMetric, cells: _Cells, predicted: Floats) -> _Scores:
    """From the weights, class by class, of its rows, of those that are right, and of its name."""
    classes = np.unique(cells.truth)[None]
    member = (cells.truth[:, None] == classes).astype(np.float64)
    named = (predicted[:, None] == classes).astype(np.float64)
    parts = np.stack([member, member * named, named])  # (3, cells, classes)
    whole = np.einsum("c,pck->pk", cells.weights, parts)
    without = whole[:, None] - cells.step[None, :, None] * parts
    return float(_of_classes(metric, whole)), _of_classes(metric, without)


def _of_classes(metric: ScoreMetric, parts: Floats) -> Floats:
    """The metric of weights (3, ..., classes); classes without rows do not count."""
    rows, right, named = parts
    if metric is ScoreMetric.ACCURACY:
        return np.asarray(right.sum(axis=-1) / rows.sum(axis=-1))
    there = rows > 0.0
    if metric is ScoreMetric.BALANCED_ACCURACY:
        each = right / np.where(there, rows, 1.0)
    else:
        each = 2.0 * right / np.where(there, rows + named, 1.0)
    return np.asarray(np.where(there, each, 0.0).sum(axis=-1) / there.sum(axis=-1))


def _auroc(_metric: ScoreMetric, cells: _Cells, predicted: Floats) -> _Scores:
    """The chance that a row of the second class scores higher than one of the first; ties half."""
    second = cells.truth == 1.0
    beaten = np.where(
        second,
        _below(predicted, predicted[~second], cells.weights[~second]),
        _below(-predicted, -predicted[second], cells.weights[second]),
    )
    positives, negatives = cells.weights[second].sum(), cells.weights[~second].sum()
    won = (cells.weights * beaten)[second].sum()
    pairs = (positives - cells.step * second) * (negatives - cells.step * ~second)
    without = np.where(
        pairs > 0.0, (won - cells.step * beaten) / np.where(pairs > 0, pairs, 1), _HALF
    )
    return float(won / (positives * negatives)), without


def _below(values: Floats, others: Floats, weights: Floats) -> Floats:
    """The weight of the others that lie below each value, ties half."""
    order = np.argsort(others, kind="stable")
    sums = np.concatenate([[0.0], np.cumsum(weights[order])])
    left = np.searchsorted(others[order], values, side="left")
    right = np.searchsorted(others[order], values, side="right")
    return np.asarray((sums[left] + sums[right]) / 2.0)

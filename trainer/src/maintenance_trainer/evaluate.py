"""Champion and challenger on the same rows, by the same code."""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from maintenance_contract import (
    COUNTED,
    HITS,
    LOSSES,
    AnyHeldOut,
    Evaluation,
    HeldOut,
    Paired,
    PairedCounts,
    PairedLoss,
    PairedScore,
    PairedScores,
    Reference,
    ScoreMetric,
)
from maintenance_trainer.data.rows import Row
from maintenance_trainer.data.split import Dataset
from maintenance_trainer.design_effect import Strata, design_effect, units_of
from maintenance_trainer.errors import ConfigurationError
from maintenance_trainer.paired_losses import Yardstick, held_out_loss, paired_loss
from maintenance_trainer.paired_scores import Predictions, paired_score, paired_share

if TYPE_CHECKING:
    from maintenance_trainer.tasks.task import AnyTask

Losses = NDArray[np.float64]

RARE: Final = 0.01
_TWO: Final = 2


@dataclass(frozen=True, slots=True)
class Answers:
    """Of one model, or of what needs none, on n rows.

    ``loss`` (n,), and ``beside`` what else is told of each row. Where there are classes n
    ``predicted`` labels, and of a model that gives them ``probabilities`` (n, c) in the order of
    its ``labels``.
    """

    loss: Losses
    predicted: Sequence[str] = ()
    probabilities: NDArray[np.float32] | None = None
    labels: tuple[str, ...] = ()
    beside: Mapping[str, Losses] = field(default_factory=dict)

    def predictions(self, rows: slice, second: str) -> Predictions:
        """On some of the rows, with the probability of a class; None if it does not know it."""
        of = None
        if self.probabilities is not None and second in self.labels:
            of = self.probabilities[rows, self.labels.index(second)].astype(np.float64)
        return Predictions(self.predicted[rows], of)


def evaluation(
    metric: ScoreMetric,
    reference: Reference,
    held_out: tuple[Sequence[Row], Sequence[Row]],
    champion: Answers,
    challenger: Answers,
) -> Evaluation:
    """Champion and challenger on the held-out rows.

    Args:
        metric: beside the counts.
        reference: what stands for the champion.
        held_out: new rows and old ones.
        champion: its answers on the new rows and then the old ones.
        challenger: its answers on the same.
    """
    new, old = held_out
    first, second = slice(0, len(new)), slice(len(new), len(new) + len(old))
    counts = Evaluation(
        reference,
        new=paired_counts(champion.loss[first], challenger.loss[first]),
        old=paired_counts(champion.loss[second], challenger.loss[second]),
    )
    if metric in COUNTED:
        return replace(counts, scores=_shares(metric, reference, held_out, champion, challenger))
    both = [*new, *old]
    labels = [row.stratum for row in both]
    unknown = _unknown(labels, champion.labels)

    def score(rows: slice) -> PairedScore | None:
        label = max(labels[rows], default="")
        before, after = (model.predictions(rows, label) for model in (champion, challenger))
        units = units_of(both[rows])
        return paired_score(metric, labels[rows], before, after, units, unknown)

    alone = reference is Reference.MAJORITY_CLASS
    return replace(counts, scores=_by_age(metric, held_out, score, alone=alone))


def _shares(
    metric: ScoreMetric,
    reference: Reference,
    held_out: tuple[Sequence[Row], Sequence[Row]],
    champion: Answers,
    challenger: Answers,
) -> PairedScores | None:
    """Beside counts where rows belong together, as exact tests take them for independent."""
    both = [*held_out[0], *held_out[1]]
    if units_of(both) is None:
        return None
    unknown = _unknown([row.stratum for row in both], champion.labels)

    def score(part: slice) -> PairedScore | None:
        losses = champion.loss[part], challenger.loss[part]
        strata = Strata([row.stratum for row in both[part]], unknown)
        return paired_share(metric, *losses, units_of(both[part]), strata)

    return _by_age(metric, held_out, score, alone=reference is not Reference.CHAMPION)


def _by_age(
    metric: ScoreMetric,
    held_out: tuple[Sequence[Row], Sequence[Row]],
    score: Callable[[slice], Paired | None],
    *,
    alone: bool,
) -> PairedScores:
    """Scores of new rows, of old ones, and of all where there is no champion (``alone``).

    ``score``: of some of the rows, new ones first.
    """
    new = len(held_out[0])
    whole = score(slice(None)) if alone else None
    return PairedScores(metric, score(slice(0, new)), score(slice(new, None)), whole)


def _unknown(classes: Sequence[str], labels: Sequence[str]) -> frozenset[str]:
    """Those that a model cannot name; none where it is not known what it can name."""
    return frozenset(classes) - set(labels) if labels else frozenset()


def evaluation_of_losses(
    yardstick: Yardstick | None,
    reference: Reference,
    held_out: tuple[Sequence[Row], Sequence[Row]],
    champion: Losses,
    challenger: Losses,
    metric: ScoreMetric,
) -> Evaluation:
    """Champion and challenger on held-out rows without classes: see ``evaluation``.

    ``yardstick``: what the losses are measured by; None: there is nothing to explain.
    """
    both = [*held_out[0], *held_out[1]]
    if yardstick is None or not both:
        return Evaluation(reference, scores=PairedScores(metric))

    def score(part: slice) -> PairedLoss | None:
        return paired_loss(yardstick, both[part], champion[part], challenger[part])

    alone = reference is Reference.BASELINE
    return Evaluation(reference, scores=_by_age(metric, held_out, score, alone=alone))


def yardstick(metric: ScoreMetric, task: "AnyTask", dataset: Dataset) -> Yardstick | None:
    """What real-valued losses are measured by: the baseline's on the rows that are trained on.

    On those that the champion was trained on, where their labels differ. None where there are
    classes, or nothing to explain.
    """
    if metric not in LOSSES:
        return None
    for rows in (dataset.old_train, dataset.old_train + dataset.new_train, dataset.rows):
        found = Yardstick.of(metric, task.baseline(rows, rows)) if rows else None
        if found is not None:
            return found
    return None


def refuse_metric(metric: ScoreMetric, strata: Collection[str]) -> None:
    """Refuse a metric that these rows can have no value of.

    Raises:
        ConfigurationError: MetricUndefined.
    """
    classes = len(set(strata) - {""})
    if metric in LOSSES and classes:
        problem = f"{metric.value} is of numbers, and the rows have classes"
    elif metric in HITS and classes:
        problem = f"{metric.value} is of rankings, and the rows have classes"
    elif metric in LOSSES or metric in HITS or metric is ScoreMetric.EXACT_MATCH:
        return
    elif metric is ScoreMetric.AUROC and classes != _TWO:
        problem = f"AUROC compares two classes, and the rows have {classes}"
    elif not classes:
        problem = f"{metric.value} is of classes, and the rows have none"
    else:
        return
    instead = "MacroF1, BalancedAccuracy or Accuracy" if classes else "MAE or RMSE"
    raise ConfigurationError(
        "MetricUndefined", f"spec.gate.metric: {problem}: write {instead} instead."
    )


def always_the_most_frequent(train: Sequence[Row], rows: Sequence[Row]) -> Losses:
    """(n,) 0 or 1 where whoever gives the answer that is most often right is right or wrong."""
    answer = _most_frequent(row.label for row in train) if train else ""
    return np.array([row.label != answer for row in rows], float)


def paired_counts(champion: Losses, challenger: Losses) -> PairedCounts | None:
    """Count who is right where; None without rows.

    Args:
        champion: (n,) its losses on n held-out rows, 0 where it is right and 1 where it is wrong.
        challenger: (n,) its losses on the same rows.
    """
    if not len(champion):
        return None
    old, new = champion == 0, challenger == 0
    return PairedCounts(
        len(champion), int((old & new).sum()), int((old & ~new).sum()), int((new & ~old).sum())
    )


def at_class_mix(rows: Sequence[Row], mix: Sequence[Row]) -> tuple[Row, ...]:
    """As many rows as can be had in the class shares of others, drawn by the hash of the input.

    Classes of less than one in a hundred do not bound how many there are; of more than a hundred
    classes, those of less than their mean share. Without classes the rows stay as they are.

    Args:
        rows: m held-out rows.
        mix: n rows whose shares are wanted.
    """
    of: defaultdict[str, list[Row]] = defaultdict(list)
    for row in rows:
        of[row.stratum].append(row)
    counts = Counter(row.stratum for row in mix if row.stratum in of)
    total = sum(counts.values())
    if not total:
        return tuple(rows)
    shares = {label: count / total for label, count in counts.items()}
    rare = min(RARE, 1 / len(shares))
    most = min(len(of[label]) / share for label, share in shares.items() if share >= rare)
    chosen = {
        row.key
        for label, share in shares.items()
        for row in sorted(of[label], key=lambda row: row.key[16:])[: round(most * share)]
    }
    return tuple(row for row in rows if row.key in chosen)


def told_beside(
    held_out: tuple[Sequence[Row], Sequence[Row]], champion: Answers, challenger: Answers
) -> dict[str, dict[str, list[float]]]:
    """What is shown and judges nothing; arguments are those of ``evaluation``.

    By age and name the mean of the challenger and, where it has one, of the champion.
    """
    first = len(held_out[0])
    parts = {"new": slice(0, first), "old": slice(first, None)}
    return {
        age: {
            name: [
                round(float(its.beside[name][part].mean()), 4)
                for its in (challenger, champion)
                if name in its.beside
            ]
            for name in challenger.beside
        }
        for (age, part), rows in zip(parts.items(), held_out, strict=True)
        if rows and challenger.beside
    }


def mase_beside(judged: Evaluation) -> dict[str, dict[str, list[float]]]:
    """The mean absolute scaled error, in the form of ``told_beside``; empty for other metrics.

    R. J. Hyndman and A. B. Koehler, International Journal of Forecasting 22 (2006): the mean
    absolute error over that of the last number, or of the season before, on the rows trained on.
    """
    scores = judged.scores
    if scores is None or scores.metric is not ScoreMetric.MAE:
        return {}
    with_champion = judged.reference is Reference.CHAMPION
    return {
        age: {
            "MASE": [
                round(error / its.baseline, 4)
                for error in (its.challenger, *([its.champion] if with_champion else []))
            ]
        }
        for age, its in (("new", scores.new), ("old", scores.old))
        if isinstance(its, PairedLoss)
    }


def held_out(
    metric: ScoreMetric,
    yardstick: Yardstick | None,
    rows: Sequence[Row],
    losses: Losses,
    labels: Sequence[str] = (),
) -> AnyHeldOut | None:
    """Score one model by its losses on n rows; None without rows.

    The design effect is that at the class shares that the rows have. ``labels``: what it can name;
    empty: all.
    """
    if metric in LOSSES:
        return held_out_loss(yardstick, rows, losses)
    if not len(losses):
        return None
    right, units = losses == 0, units_of(rows)
    classes = [row.stratum for row in rows]
    strata = Strata(classes, _unknown(classes, labels))
    effect = design_effect(right.astype(np.float64), units, strata)
    return HeldOut(len(losses), int(right.sum()), effect)


def majority_class(train: Sequence[Row]) -> str:
    """The most frequent label of the training rows; ties go to the first by name."""
    return _most_frequent(row.stratum for row in train)


def _most_frequent(labels: Iterable[str]) -> str:
    """Ties go to the first by name."""
    counts = Counter(labels)
    return min(counts, key=lambda label: (-counts[label], label))

"""Rows whose answers are numbers, as tests see them, and the measures of drift for these.

There are no classes within which an error could be compared. So the champion's loss is compared
given the input: the rise that the inputs do not explain is drift, whatever it is in units, as a
share of what the baseline errs by. Tests go by ranks beside means: a loss has heavy tails.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from scipy import stats

from maintenance_contract import evidence_names
from maintenance_trainer.data.rows import Row
from maintenance_trainer.design_effect import Units, chosen_units, design_effect
from maintenance_trainer.diagnose import shift, statistics
from maintenance_trainer.diagnose import thresholds as at
from maintenance_trainer.diagnose.answers import Measure
from maintenance_trainer.diagnose.clusters import Clusters, weaker
from maintenance_trainer.diagnose.measured import Flags, Floats, Measured
from maintenance_trainer.diagnose.regression import regressed, winsorised
from maintenance_trainer.diagnose.samples import expanded
from maintenance_trainer.diagnose.statistics import FOLDS
from maintenance_trainer.seed import SEED

LOSS_TAIL: Final = 0.01
"""Of the losses, beyond which they count as if they lay there."""


@dataclass(frozen=True, slots=True)
class NumberSample:
    """n rows.

    ``x`` (n, k): the champion's embeddings. ``loss`` (n,): its losses in units of the baseline's.
    ``label`` (n,): what the rows are labelled; NaN where that is no single number. ``unit``: the
    baseline's loss, in units of the label. ``units``: which rows belong together. ``onward``: how
    targets go on (n,) by name, of labels that are several numbers.
    """

    x: Floats
    loss: Floats
    label: Floats
    unit: float = 1.0
    units: Units | None = None
    onward: Mapping[str, Floats] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.loss)

    def part(self, chosen: Flags) -> "NumberSample":
        """The rows that are flagged."""
        return NumberSample(
            self.x[chosen],
            self.loss[chosen],
            self.label[chosen],
            self.unit,
            chosen_units(self.units, chosen),
            {name: values[chosen] for name, values in self.onward.items()},
        )

    @property
    def labelled(self) -> bool:
        """Whether each label is one number."""
        return bool(np.isfinite(self.label).all())


@dataclass(frozen=True, slots=True)
class Again:
    """Inputs of old rows that come again: by how much their numbers have changed, (n,)."""

    changes: Floats

    @classmethod
    def of(cls, old: Sequence[Row], new: Sequence[Row]) -> "Again":
        """Each new row less the mean of the old rows of its input."""
        before: dict[str, list[float]] = {}
        for row in old:
            before.setdefault(row.key, []).append(number_of(row))
        again = {row.key for row in new if row.key in before}
        means = {key: float(np.mean(before[key])) for key in again}
        changes = [number_of(row) - means[row.key] for row in new if row.key in again]
        found = np.array(changes, float)
        return cls(found[np.isfinite(found)])


def number_of(row: Row) -> float:
    """The number that a row is labelled; NaN where its label is a name or a text."""
    return number(row.label) if row.numeric else float("nan")


def number(label: str) -> float:
    """The number that a label is; NaN for what is none."""
    try:
        return float(label)
    except ValueError:
        return float("nan")


def inputs(old: NumberSample, new: NumberSample, inside: Flags) -> list[Measure]:
    """What a shift of the inputs does to the champion: told, not counted.

    Args:
        old: m rows that it was not trained on, reduced.
        new: n newly labelled rows, reduced.
        inside: n flags: the row lies where the champion was trained.
    """
    measured = (
        (evidence_names.ERROR_RISE_OUTSIDE, _outside(old, new, inside)),
        (
            evidence_names.INPUT_SHIFT_AUC,
            shift.of_points(old.x, new.x, Clusters(old.units, new.units)),
        ),
        (evidence_names.EXPECTED_ERROR_RISE, _expected(old, new)),
    )
    return [
        Measure.of(name, found, at.ONLY_TOLD, counts=False)
        for name, found in measured
        if found is not None
    ]


def drift(old: NumberSample, new: NumberSample, familiar: Flags) -> list[Measure]:
    """The rise of the loss that the inputs do not explain, where the champion was trained.

    Empty where it cannot be asked: too few familiar rows, or none that could be old.

    Args:
        old: m rows that it was not trained on, reduced.
        new: n newly labelled rows, reduced.
        familiar: n flags: the row is new to the champion, and lies where it was trained.
    """
    part = new.part(familiar)
    if min(len(part), len(old)) < at.LEAST_ROWS:
        return []
    together = Clusters(old.units, part.units)
    g = statistics.propensity(expanded(old.x), expanded(part.x), together)
    if statistics.area(g[0], g[1]) >= at.TOO_DIFFERENT:
        return []
    found = rise_given_input(old, part, g)
    return [Measure.of(evidence_names.UNEXPLAINED_ERROR_RISE, found, at.ERROR_RISE)]


def rise_given_input(old: NumberSample, new: NumberSample, g: tuple[Floats, Floats]) -> Measured:
    """Rise of the loss that the inputs do not explain: generalised covariance measure.

    As ``statistics.error_given_input``, of ranks and of losses without their tail; both share the
    p-value. The effect is that of the losses.

    Args:
        old: m rows.
        new: n rows.
        g: P(row is new) at equal weight of both samples, m and n values.
    """
    x, loss = np.concatenate([old.x, new.x]), np.concatenate([old.loss, new.loss])
    is_new = np.concatenate([np.zeros(len(old)), np.ones(len(new))])
    prior = len(new) / len(x)
    balanced = np.concatenate(g)
    odds = balanced / (1 - balanced) * prior / (1 - prior)
    of_new = is_new - odds / (1 + odds)
    scale = float(np.mean(of_new**2)) or 1.0
    held = np.minimum(loss, np.quantile(loss, 1 - LOSS_TAIL))
    ranks = stats.norm.ppf((stats.rankdata(loss) - 0.5) / len(loss))
    together = Clusters(old.units, new.units)
    kept = together.folds(len(old), len(new), FOLDS, SEED)
    found = []
    for values in (held, ranks):
        product = of_new * (values - regressed(x, values, x[:0], kept)[0])
        error, p = statistics.covariance_test(product, len(old), together)
        found.append((float(product.mean()) / scale, error / scale, p))
    effect, error, _ = found[0]
    p = min(1.0, 2 * min(each[2] for each in found))
    return Measured(effect, effect + at.INTERVAL_Z * error, p, len(new))


def changed_at_same_input(again: Again, spread: float) -> list[Measure]:
    """How far the numbers of inputs that come again have moved, all to one side.

    Wilcoxon's signed-rank test: noise of the labels moves them to both.

    Args:
        again: the changes.
        spread: the baseline's loss, in units of the label.
    """
    changes = again.changes
    if len(changes) < at.LEAST_ROWS or not changes.any():
        return []
    held = winsorised(changes, LOSS_TAIL) / spread
    effect, error = abs(float(held.mean())), float(held.std(ddof=1)) / np.sqrt(len(held))
    p = float(stats.wilcoxon(changes, zero_method="zsplit").pvalue)
    found = Measured(effect, effect + at.INTERVAL_Z * error, p, len(changes))
    return [Measure.of(evidence_names.CHANGE_AT_SAME_INPUT, found, at.RELABELLED)]


def _outside(old: NumberSample, new: NumberSample, inside: Flags) -> Measured | None:
    """Rise of the loss on new rows outside the support over old ones; Mann and Whitney's test."""
    there = new.loss[~inside]
    if not len(there):
        return None
    mine, theirs = (np.minimum(loss, _tail(old, new)) for loss in (old.loss, there))
    rise = float(theirs.mean() - mine.mean())
    error = np.sqrt(theirs.var() / len(theirs) + mine.var() / len(mine))
    p = float(stats.mannwhitneyu(there, old.loss, alternative="greater").pvalue)
    together = Clusters(old.units, chosen_units(new.units, ~inside))
    effect = together.effect(mine, theirs)
    error *= np.sqrt(effect)
    p = weaker(p, effect, together.degrees(len(mine), len(theirs)))
    return Measured(rise, rise + at.INTERVAL_Z * float(error), p, len(there))


def _tail(old: NumberSample, new: NumberSample) -> float:
    return float(np.quantile(np.concatenate([old.loss, new.loss]), 1 - LOSS_TAIL))


def _expected(old: NumberSample, new: NumberSample) -> Measured:
    """The rise of the loss that the moved inputs lead to expect.

    Old rows weighted as if they were new; whether the loss goes with being like a new row at all is
    Spearman's test, on old rows alone.
    """
    together = Clusters(old.units, new.units)
    g, _ = statistics.propensity(expanded(old.x), expanded(new.x), together)
    odds = g / (1 - g)
    loss = np.minimum(old.loss, np.quantile(old.loss, 1 - LOSS_TAIL))
    rise = float(np.average(loss, weights=odds) - loss.mean())
    effective = odds.sum() ** 2 / (odds**2).sum()
    of_units = design_effect(loss, old.units)
    error = float(loss.std()) * np.sqrt((1 / effective + 1 / len(loss)) * of_units)
    varied = len(np.unique(loss)) > 1 and len(np.unique(g)) > 1
    p = float(stats.spearmanr(g, old.loss, alternative="greater").pvalue) if varied else 1.0
    p = weaker(p, of_units, together.degrees(len(loss), 1))
    return Measured(rise, rise + at.INTERVAL_Z * error, p, len(new))

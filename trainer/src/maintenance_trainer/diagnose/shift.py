"""Have the inputs moved, within classes too, and does the champion see it?

Kolmogorov-Smirnov tests of each dimension under Bonferroni find a shift of one column, a domain
classifier one of their interplay; the champion's own outputs tell whether what moved is anything
that it looks at (Rabanser, Guennemann and Lipton 2019, section 3).
"""

from typing import Any, Final

import numpy as np
from scipy import stats
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from maintenance_trainer.diagnose.clusters import ALONE, Clusters, weaker, weaker_of_two_sides
from maintenance_trainer.diagnose.measured import Floats, Measured
from maintenance_trainer.diagnose.posterior import ExpectedError
from maintenance_trainer.diagnose.samples import Sample, expanded, log_odds
from maintenance_trainer.diagnose.thresholds import INTERVAL_Z
from maintenance_trainer.seed import SEED

LEAST_IN_CLASS: Final = 10
STRENGTH: Final = 0.02


def of_inputs(old: Sample, new: Sample) -> Measured:
    """Any shift of the inputs: columns one by one, and a domain classifier."""
    return of_points(old.x, new.x, Clusters(old.units, new.units))


def of_points(old: Floats, new: Floats, together: Clusters = ALONE) -> Measured:
    """The same, of inputs alone."""
    none = np.zeros(len(old)), np.zeros(len(new))
    return _either(_columns(old, new, together), *_classifier(old, new, *none, together))


def within_classes(old: Sample, new: Sample) -> Measured | None:
    """A shift of the inputs of one class or more: a moved class mix alone is none.

    Returns:
        None where no class has rows enough on both sides.
    """
    classes = [
        name
        for name in np.unique(old.labels)
        if min((old.labels == name).sum(), (new.labels == name).sum()) >= LEAST_IN_CLASS
    ]
    if not classes:
        return None
    mine, theirs = (
        sum((number + 1) * (sample.labels == name) for number, name in enumerate(classes))
        for sample in (old, new)
    )
    old, new = old.part(mine > 0), new.part(theirs > 0)
    p = min(_columns_of(name, old, new) for name in classes) * len(classes)
    classes_of = mine[mine > 0], theirs[theirs > 0]
    together = Clusters(old.units, new.units)
    return _either(min(1.0, p), *_classifier(old.x, new.x, *classes_of, together))


def _columns_of(name: str, old: Sample, new: Sample) -> float:
    mine, theirs = old.part(old.labels == name), new.part(new.labels == name)
    return _columns(mine.x, theirs.x, Clusters(mine.units, theirs.units))


def of_outputs(old: Sample, new: Sample, expected: tuple[ExpectedError, ExpectedError]) -> Measured:
    """A shift of what the champion makes of the inputs, and of the error they lead to expect.

    The effect is the rise of the expected error: what the shift of the inputs should cost.
    """
    sides = [
        np.column_stack([log_odds(s.probabilities), s.probabilities.max(axis=1), e.plain])
        for s, e in zip((old, new), expected, strict=True)
    ]
    mine, theirs = expected[0].plain, expected[1].plain
    rise = float(theirs.mean() - mine.mean())
    together = Clusters(old.units, new.units)
    error = np.sqrt(mine.var() / len(mine) + theirs.var() / len(theirs))
    error *= np.sqrt(together.effect(mine, theirs))
    p = _columns(sides[0], sides[1], together)
    return Measured(rise, rise + INTERVAL_Z * float(error), p, len(new))


def _columns(old: Floats, new: Floats, together: Clusters) -> float:
    """Kolmogorov-Smirnov, each column, under Bonferroni."""
    degrees = together.degrees(len(old), len(new))
    p = [
        weaker_of_two_sides(
            float(stats.ks_2samp(mine, theirs, method="asymp").pvalue),
            together.effect(mine, theirs),
            degrees,
        )
        for mine, theirs in zip(old.T, new.T, strict=True)
    ]
    return min(1.0, min(p) * len(p))


def _classifier(
    old: Floats, new: Floats, old_class: Floats, new_class: Floats, together: Clusters
) -> tuple[float, float, int]:
    """Domain classifier fitted on each half, judged on the other within classes.

    Mann-Whitney statistics of the classes are added up (van Elteren 1960).

    Returns:
        p-value (Bonferroni over the halves), area under the curve, rows judged.
    """
    chance = np.random.default_rng(SEED)
    of_rows = [chance.permutation(len(s)) < len(s) // 2 for s in (old, new)]
    halves = together.halved(of_rows[0], of_rows[1], chance)
    x = [
        np.hstack([expanded(s), np.equal.outer(c, np.unique(old_class)[1:]).astype(float)])
        for s, c in ((old, old_class), (new, new_class))
    ]
    p, areas = [], []
    for flip in (False, True):
        fit = [half ^ flip for half in halves]
        model: Any = make_pipeline(  # scikit-learn ships no types
            StandardScaler(),
            LogisticRegression(C=STRENGTH, max_iter=300, class_weight="balanced"),
        )
        model.fit(
            np.concatenate([x[0][fit[0]], x[1][fit[1]]]),
            np.repeat([0, 1], [fit[0].sum(), fit[1].sum()]),
        )
        scores = [model.decision_function(side[~f]) for side, f in zip(x, fit, strict=True)]
        area, one = _ranked(scores[0], scores[1], old_class[~fit[0]], new_class[~fit[1]])
        judged = together.part(~fit[0], ~fit[1])
        p.append(weaker(one, judged.effect(*scores), judged.degrees(*map(len, scores))))
        areas.append(area)
    return min(1.0, 2 * min(p)), float(np.mean(areas)), len(new)


def _ranked(
    mine: Floats, theirs: Floats, my_class: Floats, their_class: Floats
) -> tuple[float, float]:
    excess = variance = pairs = higher = 0.0
    for name in np.unique(my_class):
        a, b = mine[my_class == name], theirs[their_class == name]
        m, n = len(a), len(b)
        if min(m, n) == 0:
            continue
        u = float(stats.mannwhitneyu(b, a).statistic)
        excess += (u - m * n / 2) / (m + n + 1)
        variance += m * n / 12 / (m + n + 1)
        pairs, higher = pairs + m * n, higher + u
    if not pairs:
        return 0.5, 1.0
    return higher / pairs, float(stats.norm.sf(excess / np.sqrt(variance)))


def _either(columns: float, classifier: float, area: float, n: int) -> Measured:
    """Two tests of one question share its budget; the classifier's area is the effect."""
    error = np.sqrt(area * (1 - area) / max(n // 2, 1))
    return Measured(
        area, area + INTERVAL_Z * float(error), min(1.0, 2 * min(columns, classifier)), n
    )

"""The tests. Pure: arrays in, effect, interval and p-value out.

Sources: split-half classifier two-sample test, Lopez-Paz and Oquab 2017; generalised covariance
measure, Shah and Peters 2020; shared-support weights, Cai, Namkoong and Yadlowsky 2023;
Cochran-Mantel-Haenszel 1959; Holm 1979; area under the curve, Hanley and McNeil 1982.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import PredefinedSplit, StratifiedKFold, cross_val_predict
from sklearn.neighbors import NearestNeighbors
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from maintenance_trainer.diagnose.clusters import ALONE, Clusters, weaker
from maintenance_trainer.diagnose.measured import Flags, Floats, Measured
from maintenance_trainer.diagnose.thresholds import INTERVAL_Z, RELABELLED
from maintenance_trainer.seed import SEED

FEW_DIMENSIONS: Final = 12
"""Up to so many columns are looked at one by one, and at their squares and products."""
COMPONENTS: Final = 50
ROWS_PER_COMPONENT: Final = 8
FOLDS: Final = 5
NEIGHBOURS: Final = 5
SUPPORT_QUANTILE: Final = 0.95
LEAST_WEIGHT: Final = 0.02
"""Propensities are kept this far from 0 and 1."""


def reduce(*samples: Floats) -> tuple[Floats, ...]:
    """Standardise and project samples together on their first principal components.

    The samples are treated alike, so that no test can tell them apart by the projection. Few
    columns stay as they are: each may be one that a reader knows, and a change may lie in it alone.
    """
    together = np.concatenate(samples).astype(np.float64)
    if together.shape[1] <= FEW_DIMENSIONS:
        scaled = StandardScaler().fit_transform(together)
        return tuple(np.split(scaled, np.cumsum([len(sample) for sample in samples])[:-1]))
    components = max(1, min(COMPONENTS, together.shape[1], len(together) // ROWS_PER_COMPONENT))
    scaled = StandardScaler().fit_transform(together)
    if not scaled.any():  # a champion to which all rows are alike: nothing varies
        return tuple(np.zeros((len(sample), components)) for sample in samples)
    projected = PCA(components, random_state=SEED, svd_solver="full").fit_transform(scaled)
    projected /= projected.std(axis=0).mean() or 1.0
    return tuple(np.split(projected, np.cumsum([len(sample) for sample in samples])[:-1]))


def class_mix(old: Sequence[str], new: Sequence[str], together: Clusters = ALONE) -> Measured:
    """Total variation distance between class shares, chi-squared test of homogeneity.

    Two samples of one law differ, too: from each class's squared difference its sampling variance
    is taken before the differences are added up. Where rows belong together chi squared is divided
    by the mean design effect (J. N. K. Rao and A. J. Scott, Journal of the American Statistical
    Association 76 (1981), section 4).
    """
    names = sorted({*old, *new})
    counted = Counter(old), Counter(new)
    table = np.array([[side[name] for name in names] for side in counted], float)
    shares = table / table.sum(axis=1, keepdims=True)
    pooled = table.sum(axis=0) / table.sum()
    effects = np.ones(len(names))
    if together.there:
        sides = [np.array(side, str) for side in (old, new)]
        effects[:] = [together.effect(*(1.0 * (side == name) for side in sides)) for name in names]
    variance = pooled * (1 - pooled) * (1 / len(old) + 1 / len(new)) * effects
    excess = np.maximum((shares[0] - shares[1]) ** 2 - variance, 0.0)
    effect = 0.5 * float(np.sqrt(excess).sum())
    error = 0.5 * float(np.sqrt(variance.sum()))
    if len(names) == 1:
        return Measured(effect, effect + INTERVAL_Z * error, 1.0, len(new))
    test = stats.chi2_contingency(table, correction=False)
    mean_effect = float(np.average(effects, weights=1 - pooled))
    p = float(stats.chi2.sf(test.statistic / mean_effect, test.dof))
    return Measured(effect, effect + INTERVAL_Z * error, p, len(new))


def told_apart(old: Floats, new: Floats, together: Clusters = ALONE) -> Measured:
    """Domain classifier: fitted on one half of both samples, judged on the other.

    The effect is the area under the curve; folds would be dependent, so there is one split. Units
    stay whole: a classifier that has seen one half of a unit knows the other.
    """
    chance = np.random.default_rng(SEED)
    fit_old, fit_new = (
        np.isin(np.arange(len(x)), chance.permutation(len(x))[: len(x) // 2]) for x in (old, new)
    )
    fit_old, fit_new = together.halved(fit_old, fit_new, chance)
    x = np.concatenate([old[fit_old], new[fit_new]])
    y = np.concatenate([np.zeros(fit_old.sum()), np.ones(fit_new.sum())])
    model = _logistic().fit(x, y)
    score_old, score_new = (
        model.decision_function(rows) for rows in (old[~fit_old], new[~fit_new])
    )
    test = stats.mannwhitneyu(score_new, score_old, alternative="greater")
    m, n = len(score_old), len(score_new)
    auc = float(test.statistic) / (m * n)
    judged = together.part(~fit_old, ~fit_new)
    effect = judged.effect(*_placements(score_old, score_new))
    p = weaker(float(test.pvalue), effect, judged.degrees(m, n))
    error = _auc_error(auc, m, n) * np.sqrt(effect)
    return Measured(auc, auc + INTERVAL_Z * float(error), p, n + m)


def _placements(low: Floats, high: Floats) -> tuple[Floats, Floats]:
    """Of each value, which share of the others it beats; ties count half.

    The area under the curve is their mean, and its variance that of these (N. A. Obuchowski,
    Biometrics 53 (1997), "Nonparametric analysis of clustered ROC curve data").
    """
    ranks = stats.rankdata(np.concatenate([low, high]))
    m, n = len(low), len(high)
    below = (ranks[m:] - stats.rankdata(high)) / m
    above = 1.0 - (ranks[:m] - stats.rankdata(low)) / n
    return above, below


def outside_support(
    seen: Floats, unseen: Floats, new: Floats, together: Clusters = ALONE
) -> tuple[Measured, Flags]:
    """Share of new rows farther from all that was trained on than old rows ever are.

    Held-out old rows say how far an unseen but familiar row lies from the rows that were trained
    on; a share of ``1 - SUPPORT_QUANTILE`` lies beyond by construction and is subtracted.

    Args:
        seen: old rows that were trained on.
        unseen: old held-out rows.
        new: new rows.
        together: which of the last two belong together.

    Returns:
        The share in excess, and which new rows lie within the support.
    """
    neighbours = NearestNeighbors(n_neighbors=min(NEIGHBOURS, len(seen))).fit(seen)
    far_old, far_new = (neighbours.kneighbors(x)[0].mean(axis=1) for x in (unseen, new))
    bound = np.quantile(far_old, SUPPORT_QUANTILE, method="higher")
    inside = far_new <= bound
    beyond, usual = float(np.mean(~inside)), 1 - SUPPORT_QUANTILE
    of_units = together.effect(1.0 * (far_old > bound), 1.0 * ~inside)
    error_null = np.sqrt(usual * (1 - usual) * (1 / len(unseen) + 1 / len(new)))
    error = np.sqrt(beyond * (1 - beyond) / len(new) + usual * (1 - usual) / len(unseen))
    error *= np.sqrt(of_units)
    effect = max(0.0, (beyond - usual) / SUPPORT_QUANTILE)
    upper = (beyond - usual + INTERVAL_Z * error) / SUPPORT_QUANTILE
    p = float(stats.norm.sf((beyond - usual) / error_null))
    p = weaker(p, of_units, together.degrees(len(unseen), len(new)))
    return Measured(effect, float(upper), p, len(new)), inside


def error_outside(
    old: "Scored", new: "Scored", inside: Flags, together: Clusters = ALONE
) -> Measured | None:
    """Rise of the error on new rows outside the support over that of old rows; Fisher's exact test.

    Returns:
        None where no new row lies outside.
    """
    wrong = new.wrong[~inside]
    n, k, m, j = len(wrong), int(wrong.sum()), len(old.wrong), int(old.wrong.sum())
    if n == 0:
        return None
    effect = k / n - j / m
    error = np.sqrt((k + 0.5) * (n - k + 0.5) / (n + 1) ** 3 + j * (m - j) / m**3)
    p = float(stats.hypergeom.sf(k - 1, n + m, k + j, n))
    there = together.part(np.ones(m, bool), ~inside)
    of_units = there.effect(old.wrong, wrong)
    error *= np.sqrt(of_units)
    p = weaker(p, of_units, there.degrees(m, n))
    return Measured(effect, effect + INTERVAL_Z * float(error), p, n)


def propensity(old: Floats, new: Floats, together: Clusters = ALONE) -> tuple[Floats, Floats]:
    """Out-of-fold probability that a row is new, at equal weight of both samples."""
    x = np.concatenate([old, new])
    y = np.concatenate([np.zeros(len(old)), np.ones(len(new))])
    kept = together.folds(len(old), len(new), FOLDS, SEED)
    folds: Any = StratifiedKFold(FOLDS, shuffle=True, random_state=SEED)
    folds = folds if kept is None else PredefinedSplit(kept)
    g = cross_val_predict(_logistic(), x, y, cv=folds, method="predict_proba")[:, 1]
    g = np.clip(g, LEAST_WEIGHT, 1 - LEAST_WEIGHT)
    return g[: len(old)], g[len(old) :]


def area(low: Floats, high: Floats) -> float:
    """Probability that a value of ``high`` exceeds one of ``low``; ties count half."""
    return float(stats.mannwhitneyu(high, low).statistic) / (len(low) * len(high))


def error_at_equal_class(
    old: "Scored",
    new: "Scored",
    weight_old: Floats,
    weight_new: Floats,
    together: Clusters = ALONE,
) -> Measured | None:
    """Rise of the error within classes, rows weighted by how much they are of both samples.

    Cochran-Mantel-Haenszel with weights: strata are the true classes, each counts by its
    effective size. One-sided: only a rise is drift that hurts.

    Returns:
        None where no class occurs on both sides.
    """
    rise = variance = null = total = 0.0
    for name in sorted(set(old.classes) & set(new.classes)):
        mine, theirs = old.classes == name, new.classes == name
        a, b = weight_old[mine], weight_new[theirs]
        size_a, size_b = a.sum() ** 2 / (a**2).sum(), b.sum() ** 2 / (b**2).sum()
        error_a, error_b = (
            np.average(x, weights=w) for x, w in ((old.wrong[mine], a), (new.wrong[theirs], b))
        )
        weight = size_a * size_b / (size_a + size_b)
        pooled = (size_a * error_a + size_b * error_b) / (size_a + size_b)
        # Half a row of each kind keeps small classes from looking certain.
        smooth_a = (size_a * error_a + 0.5) / (size_a + 1)
        smooth_b = (size_b * error_b + 0.5) / (size_b + 1)
        rise += weight * (error_b - error_a)
        null += (
            weight**2
            * pooled
            * (1 - pooled)
            * (1 / size_a + 1 / size_b)
            * ((size_a + size_b) / max(size_a + size_b - 1, 1))
        )
        variance += weight**2 * (
            smooth_a * (1 - smooth_a) / size_a + smooth_b * (1 - smooth_b) / size_b
        )
        total += weight
    if total == 0.0:
        return None
    effect, n = rise / total, len(new.wrong)
    of_units = together.effect(old.wrong, new.wrong)
    p = float(stats.norm.sf(rise / np.sqrt(null))) if null > 0 else 1.0
    p = weaker(p, of_units, together.degrees(len(old.wrong), n))
    error = np.sqrt(variance * of_units) / total
    return Measured(float(effect), float(effect + INTERVAL_Z * error), p, n)


def error_given_input(
    old_x: Floats,
    new_x: Floats,
    old: "Scored",
    new: "Scored",
    g: tuple[Floats, Floats],
    together: Clusters = ALONE,
) -> Measured:
    """Rise of the error that the inputs do not explain: generalised covariance measure.

    Residuals of "is new" and of "is wrong", both given the input and out of fold, are
    uncorrelated unless the same input meets another error. The effect is their regression slope.
    """
    x = np.concatenate([old_x, new_x])
    wrong = np.concatenate([old.wrong, new.wrong])
    is_new = np.concatenate([np.zeros(len(old_x)), np.ones(len(new_x))])
    prior = len(new_x) / len(x)
    balanced = np.concatenate(g)
    odds = balanced / (1 - balanced) * prior / (1 - prior)
    of_new = is_new - odds / (1 + odds)
    of_wrong = wrong - _expected_error(
        x, wrong, together.folds(len(old_x), len(new_x), FOLDS, SEED)
    )
    product = of_new * of_wrong
    scale = float(np.mean(of_new**2)) or 1.0
    effect = float(product.mean()) / scale
    error, p = covariance_test(product, len(old_x), together)
    return Measured(effect, effect + INTERVAL_Z * error / scale, p, len(new_x))


def covariance_test(product: Floats, old: int, together: Clusters) -> tuple[float, float]:
    """Standard error of the mean of products of residuals, and the p-value that it is above 0.

    Args:
        product: (m + n,), the ``old`` rows first.
        old: m.
        together: which rows belong together.
    """
    effect = together.effect(product[:old], product[old:])
    error = float(product.std(ddof=1)) / np.sqrt(len(product)) * np.sqrt(effect)
    if error <= 0.0:
        return error, 1.0
    z = product.mean() / error
    if effect <= 1.0:
        return error, float(stats.norm.sf(z))
    return error, float(stats.t.sf(z, together.degrees(old, len(product) - old)))


@dataclass(frozen=True, slots=True)
class Scored:
    """Rows as the champion scored them: n true classes, n flags 1.0 where it was wrong."""

    classes: NDArray[np.str_]
    wrong: Floats


def relabelled(n: int, changed: int) -> Measured:
    """Share of inputs that come again with another label; exact test against tolerated noise."""
    test = stats.binomtest(changed, n, RELABELLED.minor, alternative="greater")
    upper = stats.binomtest(changed, n).proportion_ci(0.90, "wilson").high
    return Measured(changed / n, float(upper), float(test.pvalue), n)


def _expected_error(x: Floats, wrong: Floats, kept: NDArray[np.int64] | None) -> Floats:
    if min(wrong.sum(), len(wrong) - wrong.sum()) < 2 * FOLDS:
        return np.full(len(wrong), wrong.mean())
    folds: Any = StratifiedKFold(FOLDS, shuffle=True, random_state=SEED)
    if kept is not None:
        if any(len(np.unique(wrong[kept != fold])) < 2 for fold in np.unique(kept)):  # noqa: PLR2004
            return np.full(len(wrong), wrong.mean())
        folds = PredefinedSplit(kept)
    return np.asarray(
        cross_val_predict(_logistic(balanced=False), x, wrong, cv=folds, method="predict_proba")[
            :, 1
        ]
    )


def _logistic(*, balanced: bool = True) -> Any:  # scikit-learn ships no types
    return make_pipeline(
        StandardScaler(),
        LogisticRegression(C=0.1, max_iter=500, class_weight="balanced" if balanced else None),
    )


def _auc_error(auc: float, m: int, n: int) -> float:
    q1, q2 = auc / (2 - auc), 2 * auc**2 / (1 + auc)
    variance = (auc * (1 - auc) + (n - 1) * (q1 - auc**2) + (m - 1) * (q2 - auc**2)) / (m * n)
    return float(np.sqrt(max(variance, 0.0)))

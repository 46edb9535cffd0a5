"""How much more would the champion get right if it knew that the classes come in other shares?

Its probabilities, times the ratio of the new to the learnt shares, are those of a model that was
trained on the new mix, as long as each class looks as before (M. Saerens, P. Latinne and C.
Decaestecker, Neural Computation 14 (2002), section 2.1). Nothing is served so; it tells what a
fine-tune can reach.
"""

import numpy as np
from scipy import stats

from maintenance_trainer.design_effect import design_effect
from maintenance_trainer.diagnose.clusters import Clusters, weaker
from maintenance_trainer.diagnose.measured import Measured
from maintenance_trainer.diagnose.samples import Names, Sample


def at_new_mix(seen: Sample, new: Sample) -> Measured | None:
    """Gain of accuracy on new rows with the shares put right; p of McNemar's exact test, one-sided.

    Args:
        seen: rows that the champion was trained on: the shares that it learnt.
        new: newly labelled rows.

    Returns:
        None where the champion answers one class alone.
    """
    names = _names(new)
    if (names != "").sum() < 2:  # noqa: PLR2004
        return None
    ratios = np.array([_share(new.labels, name) / _share(seen.labels, name) for name in names])
    ratios[names == ""] = 1.0
    answers = names[(new.probabilities * ratios).argmax(axis=1)]
    then, now = new.wrong == 0, answers == new.labels
    won, lost = int((now & ~then).sum()), int((then & ~now).sum())
    p = float(stats.binomtest(won, won + lost, alternative="greater").pvalue) if won + lost else 1.0
    apart = 1.0 * now - then
    p = weaker(p, design_effect(apart, new.units), Clusters(new=new.units).degrees(1, len(new)))
    gain = (won - lost) / len(new)
    return Measured(gain, gain, p, len(new))


def _names(sample: Sample) -> Names:
    """The class of each column, by what the champion answers; empty where it never does."""
    best = sample.probabilities.argmax(axis=1)
    found = ["" for _ in range(sample.probabilities.shape[1])]
    for column in np.unique(best):
        found[column] = str(sample.predicted[best == column][0])
    return np.array(found, str)


def _share(labels: Names, name: str) -> float:
    """With one row more than there is: a class that was never seen is not impossible."""
    return float((np.sum(labels == name) + 1) / (len(labels) + 1))

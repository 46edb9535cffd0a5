"""Have the inputs changed? Class mix, embeddings, and rows unlike anything trained on."""

from collections.abc import Sequence

from maintenance_contract import evidence_names
from maintenance_trainer.diagnose import statistics
from maintenance_trainer.diagnose import thresholds as at
from maintenance_trainer.diagnose.answers import Measure
from maintenance_trainer.diagnose.clusters import ALONE, Clusters
from maintenance_trainer.diagnose.measured import Floats, Measured


def measures(
    old: Sequence[str],
    new: Sequence[str],
    old_x: Floats,
    new_x: Floats,
    outside: Measured,
    together: Clusters = ALONE,
) -> list[Measure]:
    """Three tests, the most telling first.

    Args:
        old: labels of m old held-out rows.
        new: labels of n new rows.
        old_x: (m, k) their embeddings, reduced.
        new_x: (n, k) the same of the new rows.
        outside: the share outside support.
        together: which of these rows belong together.
    """
    apart = statistics.told_apart(old_x, new_x, together)
    mix = statistics.class_mix(old, new, together)
    return [
        Measure.of(evidence_names.OUTSIDE_SUPPORT, outside, at.OUTSIDE_SUPPORT),
        Measure.of(evidence_names.CLASS_MIX, mix, at.CLASS_MIX),
        Measure.of(evidence_names.TOLD_APART_AUC, apart, at.TOLD_APART),
    ]

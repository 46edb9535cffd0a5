"""Have the inputs changed? Class mix, embeddings, and rows unlike anything trained on."""

from collections.abc import Sequence

from maintenance_trainer.data import Row
from maintenance_trainer.diagnose import statistics
from maintenance_trainer.diagnose import thresholds as at
from maintenance_trainer.diagnose.answers import Measure
from maintenance_trainer.diagnose.statistics import Floats, Measured


def measures(
    old: Sequence[Row], new: Sequence[Row], old_x: Floats, new_x: Floats, outside: Measured
) -> list[Measure]:
    """Three tests, the most telling first.

    Args:
        old: m old held-out rows.
        new: n new rows.
        old_x: (m, k) their embeddings, reduced.
        new_x: (n, k) the same of the new rows.
        outside: the share outside support.
    """
    apart = statistics.told_apart(old_x, new_x)
    mix = statistics.class_mix([row.label for row in old], [row.label for row in new])
    return [
        Measure.of("outsideSupport", outside, at.OUTSIDE_SUPPORT),
        Measure.of("classMix", mix, at.CLASS_MIX),
        Measure.of("toldApartAuc", apart, at.TOLD_APART),
    ]

"""Do the same inputs mean something else now?

The champion was trained on none of the new rows, so all of them are a fair test of it; of the
old rows, those held out. Its error must have risen at equal class and at equal input: the first
alone would call a new domain inside a known class drift, the second alone a moved class mix.
"""

from dataclasses import replace

import numpy as np

from maintenance_contract import evidence_names
from maintenance_trainer.data.split import Recurrence
from maintenance_trainer.diagnose import statistics
from maintenance_trainer.diagnose import thresholds as at
from maintenance_trainer.diagnose.answers import Measure
from maintenance_trainer.diagnose.clusters import ALONE, Clusters
from maintenance_trainer.diagnose.measured import Flags, Floats
from maintenance_trainer.diagnose.statistics import Scored


def measures(
    old_x: Floats,
    new_x: Floats,
    old: Scored,
    new: Scored,
    inside: Flags,
    together: Clusters = ALONE,
) -> list[Measure]:
    """The rise of the error at equal class on familiar rows, and given the input.

    Empty where the question cannot be asked: too few familiar rows, or none that could be old.

    Args:
        old_x: (m, k) embeddings of old held-out rows, reduced.
        new_x: (n, k) embeddings of new rows whose inputs the champion has not seen.
        old: the m rows as the champion scored them.
        new: the n rows as the champion scored them.
        inside: n flags: the row lies where the champion was trained.
        together: which of these rows belong together.
    """
    familiar = np.flatnonzero(inside)
    if len(familiar) < at.LEAST_ROWS or len(old_x) < at.LEAST_ROWS:
        return []
    new_x, new = new_x[familiar], Scored(new.classes[familiar], new.wrong[familiar])
    together = together.part(np.ones(len(old_x), bool), inside)
    g = statistics.propensity(old_x, new_x, together)
    if statistics.area(g[0], g[1]) >= at.TOO_DIFFERENT:
        return []
    at_class = statistics.error_at_equal_class(old, new, g[0], 1 - g[1], together)
    given_input = statistics.error_given_input(old_x, new_x, old, new, g, together)
    if at_class is None:
        return []
    # Both must have risen: the less sure of the two is the test, and one of them small is a No.
    joint = replace(
        at_class, p=max(at_class.p, given_input.p), upper=min(at_class.upper, given_input.upper)
    )
    return [
        Measure.of(evidence_names.ERROR_RISE_AT_EQUAL_CLASS, joint, at.ERROR_RISE),
        Measure.of(evidence_names.ERROR_RISE_GIVEN_INPUT, given_input, at.ERROR_RISE, counts=False),
    ]


def relabelled(recurrence: Recurrence) -> list[Measure]:
    """Inputs that come again with another label, where enough come again."""
    if recurrence.n < at.LEAST_ROWS:
        return []
    found = statistics.relabelled(recurrence.n, recurrence.relabelled)
    return [Measure.of(evidence_names.RELABELLED_TEXTS, found, at.RELABELLED)]

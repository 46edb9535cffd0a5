"""The questions about inputs and meaning, asked of samples. Pure: the same for Jobs and benchmarks.

``Workflow`` goes by the measures that count; ``Evidence`` by all of them, in the operator.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from maintenance_contract import Answer, Evidence, Finding, Question, evidence_names
from maintenance_contract.holm import holm
from maintenance_trainer.data.split import Recurrence
from maintenance_trainer.diagnose import (
    concept_drift,
    distribution_shift,
    numbers,
    prior,
    regions,
    shift,
    statistics,
)
from maintenance_trainer.diagnose import posterior as likely
from maintenance_trainer.diagnose import thresholds as at
from maintenance_trainer.diagnose.answers import Measure, gravest
from maintenance_trainer.diagnose.clusters import Clusters
from maintenance_trainer.diagnose.measured import Flags, Floats
from maintenance_trainer.diagnose.numbers import Again, NumberSample
from maintenance_trainer.diagnose.samples import Sample
from maintenance_trainer.seed import SEED

MOST_ROWS: Final = 5000
"""Of each sample; more make every answer a little surer, and the diagnosis minutes longer."""


@dataclass(frozen=True, slots=True)
class Measures:
    """What was measured for each question."""

    shift: tuple[Measure, ...] = ()
    drift: tuple[Measure, ...] = ()
    space: tuple[Measure, ...] = ()


def measure(
    seen: Sample, old: Sample, new: Sample, fresh: Flags, recurrence: Recurrence
) -> Measures:
    """Measure shift of the inputs and drift of their meaning.

    Args:
        seen: rows that the champion was trained on.
        old: rows of their time that it was not trained on.
        new: newly labelled rows, with labels that it knows.
        fresh: flags of new rows whose inputs it was not trained on.
        recurrence: how inputs that come again are labelled.
    """
    again = tuple(concept_drift.relabelled(recurrence))
    chosen = few(len(new))
    seen, old, new, fresh = (
        seen.part(few(len(seen))),
        old.part(few(len(old))),
        new.part(chosen),
        fresh[chosen],
    )
    if min(len(new), len(old), len(seen)) < at.LEAST_ROWS:
        return Measures(drift=again)
    old_x, new_x, seen_x = statistics.reduce(old.x, new.x, seen.x)
    old, new = replace(old, x=old_x), replace(new, x=new_x)
    together = Clusters(old.units, new.units)
    outside, inside = statistics.outside_support(seen_x, old_x, new_x, together)
    expected = likely.expected_errors(old, new)
    inputs = [
        *distribution_shift.measures(
            old.labels.tolist(), new.labels.tolist(), old_x, new_x, outside, together
        ),
        *_shifts(old, new, expected, inside),
        *_at_new_mix(seen, new),
    ]
    drift = concept_drift.measures(
        old_x,
        new_x[fresh],
        old.scored,
        new.part(fresh).scored,
        inside[fresh],
        together.part(np.ones(len(old), bool), fresh),
    )
    return Measures(tuple(inputs), (*drift, *again, *_rise(old, new, expected, inside & fresh)))


def measure_numbers(
    seen: Floats, old: NumberSample, new: NumberSample, fresh: Flags, again: Again
) -> Measures:
    """Measure shift and drift where answers are numbers; what needs classes is not asked.

    Args:
        seen: (l, d) embeddings of rows that the champion was trained on.
        old: m rows of their time that it was not trained on.
        new: n newly labelled rows.
        fresh: n flags: its input is new to the champion.
        again: how the numbers of inputs that come again have changed.
    """
    at_same_input = tuple(numbers.changed_at_same_input(again, new.unit))
    chosen = few(len(new))
    seen, old, new, fresh = (
        seen[few(len(seen))],
        old.part(few(len(old))),
        new.part(chosen),
        fresh[chosen],
    )
    if min(len(new), len(old), len(seen)) < at.LEAST_ROWS:
        return Measures(drift=at_same_input)
    old_x, new_x, seen_x = statistics.reduce(old.x, new.x, seen)
    old, new = replace(old, x=old_x), replace(new, x=new_x)
    together = Clusters(old.units, new.units)
    outside, inside = statistics.outside_support(seen_x, old_x, new_x, together)
    apart = statistics.told_apart(old_x, new_x, together)
    return Measures(
        (
            Measure.of(evidence_names.OUTSIDE_SUPPORT, outside, at.OUTSIDE_SUPPORT),
            Measure.of(evidence_names.TOLD_APART_AUC, apart, at.TOLD_APART),
            *numbers.inputs(old, new, inside),
        ),
        (*numbers.drift(old, new, inside & fresh), *at_same_input),
    )


def few(count: int) -> Flags:
    """Which of so many rows are looked at: all, or as many as the tests can make use of."""
    chosen = np.ones(count, bool)
    if count > MOST_ROWS:
        chosen[np.random.default_rng(SEED).permutation(count)[MOST_ROWS:]] = False
    return chosen


def findings(measures: Measures, told: tuple[Evidence, ...] = ()) -> tuple[Finding, ...]:
    """One finding a question; ``told`` is shown with the feature space."""
    counted = (*measures.shift, *measures.drift)
    tests = {m.name: m.p for m in counted if m.p is not None and m.counts}
    significant = holm(tests, at.ALPHA)
    return (
        _finding(Question.DATA_DISTRIBUTION_SHIFT, measures.shift, significant),
        _finding(Question.CONCEPT_DRIFT, measures.drift, significant),
        _finding(Question.FEATURE_SPACE_CHANGE, measures.space, significant, told),
    )


def _shifts(
    old: Sample,
    new: Sample,
    expected: tuple[likely.ExpectedError, likely.ExpectedError],
    inside: Flags,
) -> list[Measure]:
    measured = (
        (
            evidence_names.ERROR_RISE_OUTSIDE,
            statistics.error_outside(
                old.scored, new.scored, inside, Clusters(old.units, new.units)
            ),
        ),
        (evidence_names.INPUT_SHIFT_AUC, shift.of_inputs(old, new)),
        (evidence_names.SHIFT_WITHIN_CLASSES_AUC, shift.within_classes(old, new)),
        (evidence_names.EXPECTED_ERROR_RISE, shift.of_outputs(old, new, expected)),
    )
    return [
        Measure.of(name, found, at.ONLY_TOLD, counts=False)
        for name, found in measured
        if found is not None
    ]


def _at_new_mix(seen: Sample, new: Sample) -> list[Measure]:
    found = prior.at_new_mix(seen, new)
    told = at.ONLY_TOLD
    return (
        []
        if found is None
        else [Measure.of(evidence_names.GAIN_AT_NEW_MIX, found, told, counts=False)]
    )


def _rise(
    old: Sample,
    new: Sample,
    expected: tuple[likely.ExpectedError, likely.ExpectedError],
    familiar: Flags,
) -> list[Measure]:
    if familiar.sum() < at.LEAST_ROWS:
        return []
    part = new.part(familiar)
    there = likely.ExpectedError(expected[1].plain[familiar], expected[1].reweighted[familiar])
    propensity = statistics.propensity(old.x, part.x, Clusters(old.units, part.units))
    rise = regions.error_rise(old, part, (expected[0], there), propensity)
    of_region = Measure(
        evidence_names.ERROR_RISE_IN_REGION,
        rise.in_region,
        1.0,
        at.ONLY_TOLD,
        None,
        rise.measured.n,
        counts=False,
    )
    share = Measure(
        evidence_names.REGION_SHARE, rise.share, 1.0, at.ONLY_TOLD, None, len(part), counts=False
    )
    return [
        Measure.of(
            evidence_names.UNEXPLAINED_ERROR_RISE, rise.measured, at.ONLY_TOLD, counts=False
        ),
        of_region,
        share,
    ]


def _finding(
    question: Question,
    measures: Sequence[Measure],
    significant: frozenset[str],
    told: tuple[Evidence, ...] = (),
) -> Finding:
    counted = [m for m in measures if m.counts]
    answer = gravest([m.answer(significant) for m in counted])
    # What the answer turns on comes first: a short report keeps the first evidence.
    ordered = sorted(measures, key=lambda m: not m.counts or m.answer(significant) is not answer)
    evidence = tuple(m.evidence(significant) for m in ordered)
    return Finding(question, answer if counted else Answer.UNDETERMINED, evidence + told)

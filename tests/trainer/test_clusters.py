"""Rows that belong together: weaker tests, and halves and folds of whole units."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from maintenance_trainer.data.split import Recurrence
from maintenance_trainer.design_effect import Strata, chosen_units, design_effect
from maintenance_trainer.diagnose import examine
from maintenance_trainer.diagnose.clusters import (
    ALONE,
    Clusters,
    folds_of,
    weaker,
    weaker_of_two_sides,
)
from maintenance_trainer.diagnose.numbers import Again, NumberSample
from maintenance_trainer.diagnose.samples import Sample
from maintenance_trainer.diagnose.statistics import told_apart

IN_UNIT = 10


def units(count: int, rows: int = IN_UNIT) -> np.ndarray:
    return np.repeat(np.arange(count), rows)


@given(p=st.floats(0.0, 1.0), effect=st.floats(1.0, 50.0), degrees=st.integers(1, 500))
def test_a_weaker_test_shows_no_more(p: float, effect: float, degrees: int) -> None:
    found = weaker(p, effect, degrees)
    assert 0.0 <= found <= 1.0
    assert found >= min(p, 0.5) - 1e-9
    assert weaker(p, 1.0, degrees) == p
    assert weaker_of_two_sides(p, effect, degrees) >= min(p, 0.999) - 1e-9


def test_four_times_the_variance_is_half_the_distance() -> None:
    assert weaker(float(stats.norm.sf(4.0)), 4.0, 100_000) == pytest.approx(
        float(stats.norm.sf(2.0)), rel=0.001
    )


@pytest.mark.parametrize("old, new", [(units(4), units(3)), (None, units(5)), (units(12), None)])
def test_halves_and_folds_keep_units_whole(old: np.ndarray | None, new: np.ndarray | None) -> None:
    together = Clusters(old, new)
    m, n = (40 if each is None else len(each) for each in (old, new))
    halves = together.halved(np.arange(m) < m // 2, np.arange(n) < n // 2, np.random.default_rng(0))
    folds = together.folds(m, n, 5, 0)
    assert folds is not None
    for each, half, fold in zip((old, new), halves, np.split(folds, [m]), strict=True):
        assert 0 < half.sum() < len(half)
        assert set(fold) == set(folds), "both samples are in each fold"
        for unit in () if each is None else np.unique(each):
            assert len(set(half[each == unit])) == 1
            assert len(set(fold[each == unit])) == 1


def test_one_sample_is_cut_between_units() -> None:
    found = list(folds_of(60, units(6), 5, 0))
    assert len(found) == 5
    for fit, rest in found:
        assert not set(fit // IN_UNIT) & set(rest // IN_UNIT)
    assert sum(len(rest) for _, rest in found) == 60
    assert len(list(folds_of(60, None, 5, 0))) == len(list(folds_of(60, units(1, 60), 5, 0))) == 5


def test_of_some_rows_units_are_numbered_anew() -> None:
    chosen = np.isin(units(5), [1, 4])
    assert list(np.unique(chosen_units(units(5), chosen))) == [0, 1]
    assert ALONE.part(chosen, chosen) == ALONE


def test_who_knows_half_of_a_unit_does_not_know_what_is_new() -> None:
    chance = np.random.default_rng(0)
    old, new = (chance.normal(size=(count, 8))[units(count)] for count in (20, 20))
    assert told_apart(old, new).p < 1e-6
    assert told_apart(old, new, Clusters(units(20), units(20))).p > 0.05


def sample(chance: np.random.Generator, count: int, shift: float = 0.0) -> Sample:
    """Rows of which half of the variance is their unit's; in one unit of five labels are odd."""
    of = units(count)
    own, shared = chance.normal(size=(len(of), 5)), chance.normal(size=(count, 5))[of]
    x = np.sqrt(0.5) * (own + shared)
    x[:, 0] += shift
    p = 1 / (1 + np.exp(-x @ [2.0, -1.5, 0.0, 0.0, 0.0]))
    odd = (chance.random(count) < 0.2)[of]
    yes = chance.random(len(of)) < np.where(odd, 1 - p, p)
    probabilities = np.column_stack([1 - p, p])
    labels, predicted = (np.where(each, "yes", "no") for each in (yes, p > 0.5))
    return Sample(x, probabilities, labels, predicted, of)


def p_values(seed: int, *, together: bool, shift: float = 0.0) -> dict[str, float]:
    chance = np.random.default_rng(seed)
    seen, old, new = sample(chance, 60), sample(chance, 40), sample(chance, 30, shift)
    if not together:
        seen, old, new = (replace(each, units=None) for each in (seen, old, new))
    fresh = np.ones(len(new), bool)
    found = examine.measure(seen, old, new, fresh, Recurrence(0, 0))
    return {each.name: each.p for each in (*found.shift, *found.drift) if each.p is not None}


@pytest.mark.slow
def test_other_units_are_no_change() -> None:
    seeds = range(6)
    alone = [p_values(seed, together=False) for seed in seeds]
    together = [p_values(seed, together=True) for seed in seeds]
    assert all(min(found.values()) < 0.01 for found in alone), "else it would need no units"
    surprised = sum(p < 0.01 for found in together for p in found.values())
    assert surprised <= 1, together
    moved = [p_values(seed, together=True, shift=1.5) for seed in seeds]
    assert sum(found["inputShiftAuc"] < 0.01 for found in moved) >= 4, moved


@pytest.mark.slow
@pytest.mark.parametrize("count", [1, 2, 3])
def test_few_units_show_nothing_and_break_nothing(count: int) -> None:
    chance = np.random.default_rng(1)
    seen, old = sample(chance, 30), sample(chance, 30)
    new = sample(chance, count, shift=0.5)
    fields = (new.x, new.probabilities, new.labels, new.predicted)
    x, probabilities, labels, predicted = (np.repeat(each, 5, axis=0) for each in fields)
    new = Sample(x, probabilities, labels, predicted, units(count, 5 * IN_UNIT))
    found = examine.measure(seen, old, new, np.ones(len(new), bool), Recurrence(0, 0))
    assert all(0.0 <= each.p <= 1.0 for each in (*found.shift, *found.drift) if each.p is not None)
    before, after = (
        NumberSample(each.x, each.wrong + 0.1, each.x[:, 0], 1.0, each.units) for each in (old, new)
    )
    fresh, again = np.ones(len(new), bool), Again(np.zeros(0))
    measured = examine.measure_numbers(seen.x, before, after, fresh, again)
    told = [*measured.shift, *measured.drift]
    assert told
    assert all(0.0 <= each.p <= 1.0 for each in told if each.p is not None)


def test_which_class_a_unit_is_of_is_no_luck() -> None:
    classes = ["a", "b"] * 2
    of = units(4)
    by_class = np.array([{"a": 1.0, "b": 0.0}[classes[unit]] for unit in of])
    names = [classes[unit] for unit in of]
    assert design_effect(by_class, of) > 9
    assert design_effect(by_class, of, Strata(names)) == 1.0
    chance = np.random.default_rng(0)
    alike = by_class + chance.normal(size=4)[of]
    assert design_effect(alike, of, Strata(names)) == pytest.approx(IN_UNIT * 4 / 3 * 39 / 40)


def test_a_class_of_one_unit_is_one_witness_unless_the_champion_cannot_name_it() -> None:
    """Of six units one is of a class of its own, all of whose rows are won."""
    of = units(6)
    names = ["new" if unit == 5 else "ab"[row % 2] for row, unit in enumerate(of)]
    won = np.where(of == 5, 1.0, np.random.default_rng(0).choice([-1.0, 0.0, 0.0, 1.0], 60))
    won[51] = 0.0
    assert design_effect(won, of) > 2.5
    assert design_effect(won, of, Strata(names)) > 2.5
    assert design_effect(won, of, Strata(names, {"new"})) < 1.5

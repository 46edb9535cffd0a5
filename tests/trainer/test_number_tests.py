"""The tests of diagnosis and recipes where answers are numbers, on values alone."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from maintenance_contract import evidence_names
from maintenance_trainer.diagnose import examine, numbers, quality_of_numbers
from maintenance_trainer.diagnose.numbers import Again, NumberSample
from maintenance_trainer.diagnose.regression import regressed
from maintenance_trainer.errors import DataError
from maintenance_trainer.recipes.contradicted import contradicted

CHANCE = np.random.default_rng(3)


@dataclass(frozen=True)
class Point:
    """A row."""

    label: str
    key: str = ""
    stratum: str = ""
    numeric: bool = True


def table(seed: int, n: int, *, slope: float = 2.0, noise: float = 0.5) -> tuple[Any, Any]:
    chance = np.random.default_rng(seed)
    x = chance.standard_normal((n, 3))
    return x, slope * x[:, 0] - x[:, 1] + noise * chance.standard_normal(n)


def sample(x: Any, y: Any, unit: float = 1.8) -> NumberSample:
    """As a champion sees it that knows the relation of ``table``."""
    return NumberSample(x, np.abs(y - (2.0 * x[:, 0] - x[:, 1])) / unit, y, unit)


def rows(y: Any) -> list[Any]:
    return [Point(f"{value:.6g}", str(number)) for number, value in enumerate(y)]


@pytest.mark.slow
def test_old_numbers_that_still_hold_are_kept_and_others_are_not() -> None:
    old_x, old_y = table(1, 800)
    for slope, share in ((2.0, (0.0, 0.06)), (0.5, (0.4, 0.9))):
        new_x, new_y = table(2, 300, slope=slope)
        marked = contradicted(
            rows(old_y), rows(new_y), old_x.astype(np.float32), new_x.astype(np.float32)
        )
        assert share[0] <= marked.mean() <= share[1], (slope, marked.mean())
    # What does not contradict lies where both relations cross.
    near = np.abs(old_x[:, 0]) < 0.1
    assert marked[near].mean() < 0.1


@pytest.mark.slow
def test_where_new_rows_do_not_lie_and_of_what_is_no_number_nothing_is_marked() -> None:
    old_x, old_y = table(1, 400)
    new_x, new_y = table(2, 300, slope=-2.0)
    far = contradicted(
        rows(old_y), rows(new_y), old_x.astype(np.float32) + 50, new_x.astype(np.float32)
    )
    assert not far.any()
    several = [Point("1.0 2.0") for _ in old_y]
    assert not contradicted(several, several, old_x, old_x).any()  # type: ignore[arg-type]
    few = contradicted(rows(old_y), rows(new_y[:20]), old_x, new_x[:20])
    assert not few.any()


@pytest.mark.slow
def test_predictions_out_of_fold_are_of_the_way_that_errs_least() -> None:
    x, _ = table(4, 500)
    straight = 3.0 * x[:, 0]
    bent = np.where(x[:, 0] > 0, 1.0, -1.0) * np.where(x[:, 1] > 0, 1.0, -1.0)
    noise = CHANCE.standard_normal(500)
    for y, most in ((straight, 0.1), (bent, 0.45)):
        out, other = regressed(x, y, x[:7])
        assert np.abs(out - y).mean() < most
        assert len(other) == 7
    out, _ = regressed(x, noise, x[:0])
    assert np.ptp(out) < np.ptp(noise) / 4


@pytest.mark.slow
def test_one_slip_of_a_label_does_not_bend_it_all() -> None:
    x, y = table(5, 300)
    y[17] = 1e9
    out, _ = regressed(x, y, x[:0])
    assert np.median(np.abs(out - y)) < 1.0


def measured(old: NumberSample, new: NumberSample) -> dict[str, Any]:
    seen, _ = table(10, 700)
    found = examine.measure_numbers(seen, old, new, np.ones(len(new), bool), Again(np.empty(0)))
    return {measure.name: measure for measure in (*found.shift, *found.drift)}


@pytest.mark.slow
@pytest.mark.parametrize("tails", ["normal", "t"])
def test_a_rise_is_measured_as_a_share_of_the_baselines_error(tails: str) -> None:
    chance = np.random.default_rng(8)
    old, new = (sample(*table(seed, 400)) for seed in (11, 12))
    worse = 0.3 + (np.abs(chance.standard_t(2, 400)) if tails == "t" else 0.0) / 10
    name = evidence_names.UNEXPLAINED_ERROR_RISE
    quiet = measured(old, new)[name]
    assert quiet.p > 0.01
    assert abs(quiet.effect) < 0.05
    drifted = measured(old, NumberSample(new.x, new.loss + worse, new.label, new.unit))[name]
    assert drifted.p < 1e-6
    assert drifted.effect == pytest.approx(float(np.mean(worse)), abs=0.06)


@pytest.mark.slow
def test_a_harder_region_that_comes_more_often_is_a_shift_and_no_drift() -> None:
    """The loss depends on the input, and as before."""
    chance = np.random.default_rng(9)

    def drawn(n: int, centre: float) -> NumberSample:
        x = chance.normal((centre, 0.0, 0.0), 1.0, size=(n, 3))
        loss = np.abs(chance.standard_normal(n)) * np.exp(0.5 * x[:, 0]) / 4
        return NumberSample(x, loss, x[:, 0])

    found = measured(drawn(600, 0.0), drawn(600, 0.7))
    assert found[evidence_names.INPUT_SHIFT_AUC].p < 1e-6
    assert found[evidence_names.EXPECTED_ERROR_RISE].p < 0.001
    assert found[evidence_names.EXPECTED_ERROR_RISE].effect > 0.02
    assert found[evidence_names.UNEXPLAINED_ERROR_RISE].p > 0.01


@pytest.mark.slow
def test_what_does_not_vary_is_no_drift() -> None:
    """A champion that is right everywhere, and labels that are all alike."""
    x, y = table(13, 200)
    still = NumberSample(x, np.zeros(200), y)
    found = measured(still, still)
    assert found[evidence_names.UNEXPLAINED_ERROR_RISE].p == 1.0
    quality_of_numbers.check(
        NumberSample(x, np.zeros(200), np.ones(200)), NumberSample(x, np.zeros(200), np.ones(200))
    )


LABELS: dict[str, tuple[Any, str]] = {
    "as before": (lambda y: y, ""),
    "steeper, which may be drift": (lambda y: 1.8 * y + 32, ""),
    "turned round": (lambda y: -y, ""),
    "another level": (lambda y: y + 100, ""),
    "one slip": (lambda y: np.where(np.arange(len(y)) == 5, 1e12, y), ""),
    "larger unit": (lambda y: 0.01 * y, "LabelsRescaled"),
    "smaller unit": (lambda y: 1000 * y, "LabelsRescaled"),
    "smaller unit from another zero": (lambda y: 1000 * y + 5000, "LabelsRescaled"),
    "a row late": (lambda y: np.roll(y, 1), "LabelsUnpredictable"),
    "all alike": (lambda y: np.full_like(y, 3.0), "LabelsConstant"),
}


@pytest.mark.slow
@pytest.mark.parametrize("change", LABELS)
def test_labels_are_refused_only_where_nobody_can_have_meant_them(change: str) -> None:
    labels, reason = LABELS[change]
    old = sample(*table(21, 400))
    x, y = table(22, 300)
    new = sample(x, labels(y))
    if not reason:
        quality_of_numbers.check(old, new)
        return
    with pytest.raises(DataError) as error:
        quality_of_numbers.check(old, new)
    assert error.value.reason == reason


@pytest.mark.slow
def test_labels_that_never_could_be_learnt_are_not_blamed() -> None:
    x, y = table(23, 400, slope=0.0, noise=50.0)
    quality_of_numbers.check(sample(x, y), sample(*table(24, 300, slope=0.0, noise=50.0)))


def test_inputs_that_come_again_are_compared_with_the_mean_of_before() -> None:
    old = [Point("1", "a"), Point("3", "a"), Point("x", "b"), Point("5", "c")]
    new = [Point("2.5", "a"), Point("1", "b"), Point("4", "c"), Point("9", "d")]
    assert Again.of(old, new).changes.tolist() == [0.5, -1.0]  # type: ignore[arg-type]
    assert numbers.changed_at_same_input(Again(np.zeros(100)), 1.0) == []
    assert numbers.changed_at_same_input(Again(np.ones(10)), 1.0) == []

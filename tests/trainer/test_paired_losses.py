"""Real-valued losses: values, errors, units, and what is no number."""

from dataclasses import dataclass

import numpy as np
import pytest

from maintenance_contract import LOSSES, Reference, ScoreMetric
from maintenance_contract.scores import MOST_LOSS, PAIRED_SCORES, PairedScores
from maintenance_trainer.evaluate import evaluation_of_losses
from maintenance_trainer.paired_losses import Yardstick, held_out_loss, paired_loss
from maintenance_trainer.recipes.race import _worth

MAE, RMSE = ScoreMetric.MAE, ScoreMetric.RMSE


@dataclass(frozen=True)
class Point:
    """A held-out row."""

    unit: str
    stratum: str = ""


def rows(n: int, units: int | None = None) -> list[Point]:
    return [Point(str(number % (units or n))) for number in range(n)]


def drawn(seed: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    chance = np.random.default_rng(seed)
    both = chance.standard_normal((3, n))
    return np.abs(both[0] + 0.5 * both[1]), np.abs(both[0] + 0.5 * both[2])


def test_of_single_rows_it_is_the_paired_mean_and_its_error() -> None:
    champion, challenger = drawn(1, 50)
    found = paired_loss(Yardstick(MAE, 2.0), rows(50), champion, challenger)  # type: ignore[arg-type]
    assert found is not None
    difference = (champion - challenger) / 2.0
    assert (found.n, found.units, found.baseline) == (50, 50, 2.0)
    assert found.champion == pytest.approx(champion.mean())
    assert found.challenger == pytest.approx(challenger.mean())
    assert found.difference == pytest.approx(difference.mean())
    assert found.standard_error == pytest.approx(difference.std(ddof=1) / np.sqrt(50))
    assert found.deviation == pytest.approx(champion.std(ddof=1) / 2.0)
    centred = difference - difference.mean()
    assert found.skewness == pytest.approx((centred**3).mean() / (centred**2).mean() ** 1.5)


@pytest.mark.parametrize("metric", LOSSES)
def test_the_error_is_that_of_leaving_each_unit_out(metric: ScoreMetric) -> None:
    champion, challenger = drawn(2, 60)
    held = rows(60, 12)
    found = paired_loss(Yardstick(metric, 1.0), held, champion, challenger)  # type: ignore[arg-type]
    assert found is not None
    power = 2 if metric is RMSE else 1

    def value(losses: np.ndarray, kept: np.ndarray) -> float:
        return float((losses[kept] ** power).mean() ** (1 / power))

    unit = np.array([row.unit for row in held])
    without = np.array(
        [value(champion, unit != one) - value(challenger, unit != one) for one in sorted(set(unit))]
    )
    assert found.units == 12
    assert found.standard_error == pytest.approx(
        np.sqrt(11 / 12 * ((without - without.mean()) ** 2).sum())
    )
    every = np.ones(60, bool)
    assert found.champion == pytest.approx(value(champion, every))
    assert found.challenger == pytest.approx(value(challenger, every))


def test_rows_of_one_unit_count_as_one() -> None:
    """Ten copies of a row say no more than one."""
    champion, challenger = drawn(3, 30)
    alone = paired_loss(Yardstick(MAE, 1.0), rows(30), champion, challenger)  # type: ignore[arg-type]
    copies = paired_loss(
        Yardstick(MAE, 1.0),
        rows(300, 30),  # type: ignore[arg-type]
        np.tile(champion, 10),
        np.tile(challenger, 10),
    )
    assert alone is not None
    assert copies is not None
    assert copies.standard_error == pytest.approx(alone.standard_error)
    assert copies.units == 30


@pytest.mark.parametrize(
    "losses, baseline",
    [
        ([1.0, 3.0], 2.0),
        ([0.0, 0.0], None),
        ([], None),
        ([float("nan"), float("inf")], None),
        ([float("nan"), 4.0], 4.0),
        ([1e308, 1e308], 1e308),
    ],
)
def test_the_yardstick_is_the_baselines_error_where_there_is_any(
    losses: list[float], baseline: float | None
) -> None:
    for metric in LOSSES:
        found = Yardstick.of(metric, np.array(losses))
        if baseline is None:
            assert found is None
        elif metric is MAE or len(set(losses)) == 1:
            assert found is not None
            assert found.baseline == pytest.approx(baseline)


@pytest.mark.parametrize("metric", LOSSES)
@pytest.mark.parametrize("odd", [float("nan"), float("inf"), 1e308, -5.0])
def test_what_is_no_number_is_as_bad_as_can_be_told(metric: ScoreMetric, odd: float) -> None:
    champion, challenger = drawn(4, 40)
    challenger[7] = odd
    found = paired_loss(Yardstick(metric, 1e-3), rows(40), champion, challenger)  # type: ignore[arg-type]
    assert found is not None
    document = PAIRED_SCORES.document(PairedScores(metric, found))["new"]
    assert all(np.isfinite(value) for value in document.values())
    assert document["challenger"] <= MOST_LOSS
    if odd != -5.0:
        assert found.difference < 0


def test_without_rows_or_yardstick_there_is_no_score() -> None:
    empty = np.empty(0)
    assert paired_loss(Yardstick(MAE, 1.0), [], empty, empty) is None
    assert held_out_loss(None, rows(3), np.ones(3)) is None  # type: ignore[arg-type]
    one = paired_loss(Yardstick(MAE, 1.0), rows(1), np.ones(1), np.zeros(1))  # type: ignore[arg-type]
    assert one is not None
    assert (one.standard_error, one.units) == (0.0, 1)


def test_each_age_has_its_score_and_without_a_champion_all_rows_have_one() -> None:
    champion, challenger = drawn(5, 30)
    held_out = rows(20), rows(10)
    for reference in (Reference.CHAMPION, Reference.BASELINE):
        found = evaluation_of_losses(
            Yardstick(MAE, 1.0),
            reference,
            held_out,
            champion,
            challenger,
            MAE,  # type: ignore[arg-type]
        )
        assert (found.new, found.old) == (None, None)
        assert found.scores is not None
        assert found.scores.new is not None
        assert found.scores.old is not None
        assert (found.scores.new.n, found.scores.old.n) == (20, 10)
        assert (found.scores.all is not None) == (reference is Reference.BASELINE)
        # A race goes to the smaller error.
        assert _worth(found) == pytest.approx(1.0 - challenger[:20].mean())

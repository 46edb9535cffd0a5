"""Real-valued losses: values, errors, units, and what is no number."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from maintenance_contract import LOSSES, PairedLoss, Reference, ScoreMetric
from maintenance_contract.scores import MOST_LOSS, PAIRED_SCORES, PairedScores
from maintenance_core.decide.loss_tests import win_p
from maintenance_trainer.evaluate import evaluation_of_losses
from maintenance_trainer.paired_losses import Yardstick, held_out_loss, paired_loss
from maintenance_trainer.recipes.race import _worth

MAE, RMSE = ScoreMetric.MAE, ScoreMetric.RMSE


@dataclass(frozen=True)
class Point:
    """A held-out row."""

    unit: str
    stratum: str = ""
    drawn_within: str = ""


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


def of_series(sizes: dict[str, tuple[int, ...]]) -> list[Point]:
    """Rows of each series' blocks, so many of each."""
    return [
        Point(f"{name}{block}", drawn_within=name)
        for name, blocks in sizes.items()
        for block, size in enumerate(blocks)
        for _ in range(size)
    ]


def within(held: list[Point], metric: ScoreMetric = MAE, seed: int = 6) -> PairedLoss:
    champion, challenger = drawn(seed, len(held))
    found = paired_loss(Yardstick(metric, 1.0), held, champion, challenger)  # type: ignore[arg-type]
    assert found is not None
    return found


def test_the_error_is_that_of_blocks_within_their_series() -> None:
    """Of equal blocks, by hand: sum of share squared times variance of the blocks' means / n."""
    held = of_series({"a": (5, 5, 5), "b": (5, 5), "c": (5, 5, 5, 5)})
    champion, challenger = drawn(6, len(held))
    series = np.array([row.drawn_within for row in held])
    champion += np.where(series == "b", 3.0, 0.0)  # series differ, so within them is narrower
    found = paired_loss(Yardstick(MAE, 1.0), held, champion, challenger)  # type: ignore[arg-type]
    assert found is not None
    parts, degrees = [], []
    for name in "abc":
        means = (champion - challenger)[series == name].reshape(-1, 5).mean(axis=1)
        parts.append((len(means) / 9) ** 2 * means.var(ddof=1) / len(means))
        degrees.append(len(means) - 1)
    assert found.standard_error == pytest.approx(np.sqrt(sum(parts)))
    assert found.degrees_of_freedom == pytest.approx(
        sum(parts) ** 2 / sum(part**2 / free for part, free in zip(parts, degrees, strict=True))
    )
    assert found.difference == pytest.approx((champion - challenger).mean())


@pytest.mark.parametrize("metric", LOSSES)
@pytest.mark.parametrize("sizes", [{"a": (3, 4, 5, 3)}, dict.fromkeys("abcdef", (4,))])
def test_of_one_series_and_of_series_with_a_block_each_it_is_that_of_all(
    metric: ScoreMetric, sizes: dict[str, tuple[int, ...]]
) -> None:
    held = of_series(sizes)
    without = [replace(row, drawn_within="") for row in held]
    assert within(held, metric) == within(without, metric)
    assert within(held, metric).degrees_of_freedom is None


def test_where_series_do_not_differ_degrees_of_freedom_are_not_spent() -> None:
    held = of_series(dict.fromkeys("abcde", (4, 4)))
    champion, challenger = drawn(11, len(held))
    together = [replace(row, drawn_within="") for row in held]
    found = within(held, seed=11)
    of_all = paired_loss(Yardstick(MAE, 1.0), together, champion, challenger)  # type: ignore[arg-type]
    assert found == of_all
    assert found.degrees_of_freedom is None


def test_one_series_that_gains_shows_it() -> None:
    """One machine of five runs in another season, and a model learns it: its blocks agree."""
    held = of_series({"a": (9, 9), "b": (9, 9), "c": (9, 9), "d": (9, 9), "e": (9, 9)})
    chance = np.random.default_rng(7)
    challenger = 1.0 + 0.05 * chance.standard_normal(len(held))
    champion = challenger + np.array([1.0 if row.drawn_within == "e" else 0.0 for row in held])
    champion += 0.05 * chance.standard_normal(len(held))
    yardstick = Yardstick(MAE, 1.0)
    together = [replace(row, drawn_within="") for row in held]
    found = paired_loss(yardstick, held, champion, challenger)  # type: ignore[arg-type]
    blurred = paired_loss(yardstick, together, champion, challenger)  # type: ignore[arg-type]
    assert found is not None
    assert blurred is not None
    assert win_p(blurred) > 0.05
    assert win_p(found) < 0.001


def test_one_block_of_one_series_shows_nothing() -> None:
    """Whether the series is better or the block was lucky cannot be told."""
    held = of_series({"a": (9, 9), "b": (9, 9), "c": (9, 9), "d": (9, 9), "e": (9,)})
    challenger = np.ones(len(held))
    champion = challenger + np.array([1.0 if row.drawn_within == "e" else 0.0 for row in held])
    found = paired_loss(Yardstick(MAE, 1.0), held, champion, challenger)  # type: ignore[arg-type]
    assert found is not None
    assert win_p(found) > 0.05


@pytest.mark.parametrize("blocks", [(2, 2, 2, 2, 2), (3, 2, 3, 1, 2), (6, 5, 6, 5, 6), (2,) * 30])
@pytest.mark.parametrize("spread", [(1.0,), (1.0, 0.1, 0.1, 0.1, 0.1)])
def test_equal_models_are_seldom_called_better(
    blocks: tuple[int, ...], spread: tuple[float, ...]
) -> None:
    """Also where series gain and lose for good, as long as they do not on the whole."""
    held = of_series({f"{number:02}": (4,) * each for number, each in enumerate(blocks)})
    series = np.array([int(row.drawn_within) for row in held])
    unit = np.unique([row.unit for row in held], return_inverse=True)[1]
    scale = np.resize(spread, len(blocks))
    chance = np.random.default_rng(8)
    called = []
    for _ in range(1000):
        gains = chance.standard_normal(len(blocks))[series]
        apart = scale[series] * chance.standard_normal(unit.max() + 1)[unit]
        apart += gains - gains.mean() + 0.3 * chance.standard_normal(len(held))
        found = paired_loss(Yardstick(MAE, 1.0), held, 9.0 + apart, np.full(len(held), 9.0))  # type: ignore[arg-type]
        assert found is not None
        called.append(win_p(found) <= 0.05)
    assert np.mean(called) <= 0.075


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

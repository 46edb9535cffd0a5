"""How many held-out rows a fight needs: by simulation, and against the tests that will judge."""

import random
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from maintenance_contract import PairedCounts, held_out_rows
from maintenance_core.decide.compared import Counted
from maintenance_core.decide.paired_rows import little_beside
from maintenance_core.decide.power import (
    EXACT_ROWS,
    MOST_ROWS,
    POWER,
    discordant,
    fewest_rows,
    fewest_wins,
    no_loss_chance,
    rows_to_show_no_loss,
    weighed_chance,
    win_chance,
    win_power,
)
from maintenance_core.decide.worth import kept_chance
from maintenance_core.model import (
    DEFAULT_MIN_EXPECTED_GAIN,
    DEFAULT_OLD_WEIGHT,
    DEFAULT_WEIGHED_CONFIDENCE,
    Gate,
    OnConceptDrift,
    Proof,
)
from maintenance_core.statistics import (
    Part,
    mcnemar,
    paired_lower_bound,
    weighted_lower_bound,
)

calmly = settings(deadline=None, max_examples=25)
GATE = Gate(0.0, 0.95, 0.02, OnConceptDrift.REPORT_ONLY)
shares = st.floats(0.0, 1.0)
confidences = st.sampled_from([0.5, 0.8, 0.9, 0.95, 0.99, 0.999])


@pytest.mark.slow
@calmly
@given(shares, shares)
def test_discordant_shares_keep_the_accuracies(champion: float, challenger: float) -> None:
    gain, loss = discordant(champion, challenger)
    assert gain >= 0.0
    assert loss >= 0.0
    assert gain + loss <= 1.0 + 1e-12
    assert champion - loss + gain == pytest.approx(challenger)


@calmly
@given(st.integers(0, 300), confidences)
def test_fewest_wins_is_where_the_test_turns(rows: int, confidence: float) -> None:
    wins = fewest_wins(rows, confidence)
    alpha = 1.0 - confidence
    if wins <= rows:
        assert mcnemar(wins, rows - wins) <= alpha
    if wins > 0:
        assert wins > rows or mcnemar(wins - 1, rows - wins + 1) > alpha
        assert wins <= rows or mcnemar(rows, 0) > alpha


@calmly
@given(confidences)
def test_fewest_rows_is_where_a_clean_sweep_suffices(confidence: float) -> None:
    rows, alpha = fewest_rows(confidence), 1.0 - confidence
    assert mcnemar(rows, 0) <= alpha + 1e-12
    assert rows == 1 or mcnemar(rows - 1, 0) > alpha


@pytest.mark.parametrize(
    "n, gain, loss", [(40, 0.25, 0.05), (100, 0.2, 0.1), (13, 0.6, 0.0), (50, 0.5, 0.5)]
)
def test_power_is_the_sum_over_all_outcomes(n: int, gain: float, loss: float) -> None:
    law = stats.multinomial(n, [gain, loss, max(0.0, 1 - gain - loss)])
    slow = sum(
        float(law.pmf([wins, losses, n - wins - losses]))
        for wins in range(n + 1)
        for losses in range(n + 1 - wins)
        if mcnemar(wins, losses) <= 0.05
    )
    assert win_power(n, gain, loss, 0.95) == pytest.approx(slow, abs=1e-6)


def test_without_discordant_rows_there_is_no_power() -> None:
    assert win_power(1000, 0.0, 0.0, 0.95) == 0.0


@pytest.mark.parametrize(
    "n, before, after", [(30, 0.6, 0.8), (90, 0.7, 0.8), (300, 0.75, 0.8), (316, 0.25, 0.3)]
)
def test_the_chance_of_a_win_is_that_of_the_exact_test(n: int, before: float, after: float) -> None:
    passed = _share(n, before, after, lambda wins, losses: mcnemar(wins, losses) <= 0.05)
    assert win_chance(n, before, after, 0.95) == pytest.approx(passed, abs=0.03)


def test_the_two_ways_of_counting_meet() -> None:
    exact = win_power(EXACT_ROWS, *discordant(0.80, 0.84), 0.95)
    assert win_chance(EXACT_ROWS + 1, 0.80, 0.84, 0.95) == pytest.approx(exact, abs=0.03)


@pytest.mark.slow
@pytest.mark.parametrize(
    "n, before, after", [(30, 0.6, 0.8), (75, 0.7, 0.8), (150, 0.75, 0.8), (316, 0.25, 0.3)]
)
def test_the_chance_of_a_weighed_win_is_that_of_the_gate(
    n: int, before: float, after: float
) -> None:
    """Simulated with the gate's own bound; old rows as many, and as good as before."""
    gain, loss = discordant(0.8, 0.8)
    chance = random.Random(11)  # noqa: S311 - a simulation, repeatable

    def passes(wins: int, losses: int) -> bool:
        old = chance.choices((1, -1, 0), (gain, loss, 1 - gain - loss), k=n)
        ages = ((0.8, wins, losses), (0.2, old.count(1), old.count(-1)))
        parts = [
            Part(weight, (won - lost) / n, paired_lower_bound(n, won, lost, 0.95))
            for weight, won, lost in ages
        ]
        return weighted_lower_bound(parts) > 0.0

    told = weighed_chance((0.8, n, before, after), (0.2, n, 0.8), 0.95)
    assert told == pytest.approx(_share(n, before, after, passes), abs=0.06)


@pytest.mark.slow
@pytest.mark.parametrize("margin", [0.0, 0.005, 0.02])
@pytest.mark.parametrize("n, accuracy", [(700, 0.9), (1600, 0.8), (1600, 0.5)])
def test_the_chance_to_keep_is_that_of_the_gate_where_much_is_won(
    n: int, accuracy: float, margin: float
) -> None:
    """Simulated with the gate's own bounds, for a challenger that is as good on old rows."""
    gate, new = replace(GATE, max_old_loss=margin), Counted(PairedCounts(100, 10, 5, 80))
    won = new.gain_bound(gate.confidence)

    def passes(wins: int, losses: int) -> bool:
        old = Counted(PairedCounts(n, n - wins - losses, losses, wins))
        return old.keeps(gate.max_old_loss, gate.confidence) or little_beside(new, old, gate)

    told = kept_chance(gate, won, partial(no_loss_chance, n, accuracy))
    assert told == pytest.approx(_share(n, accuracy, accuracy, passes), abs=0.05)
    proof = no_loss_chance(n, accuracy, gate.max_old_loss, gate.confidence)
    assert told > proof + 0.02
    required = replace(gate, proof=Proof.REQUIRED)
    assert kept_chance(required, won, partial(no_loss_chance, n, accuracy)) == proof


def _share(n: int, before: float, after: float, passes: Callable[[int, int], bool]) -> float:
    gain, loss = discordant(before, after)
    chance = random.Random(7)  # noqa: S311 - a simulation, repeatable
    passed = 0
    for _ in range(1500):
        draws = chance.choices((1, -1, 0), (gain, loss, 1 - gain - loss), k=n)
        passed += passes(draws.count(1), draws.count(-1))
    return passed / 1500


def test_no_chance_without_rows_or_without_a_gain() -> None:
    assert win_chance(4, 0.2, 0.9, 0.95) == 0.0
    assert win_chance(500, 0.8, 0.8, 0.95) == 0.0
    assert weighed_chance((0.8, 4, 0.2, 0.9), (0.2, 100, 0.8), 0.95) == 0.0
    assert weighed_chance((0.8, 50, 0.8, 0.8), (0.2, 100, 0.8), 0.95) == pytest.approx(0.05)
    assert no_loss_chance(100, 0.8, 0.0, 0.95) == 0.0
    assert no_loss_chance(10, 1.0, 0.05, 0.95) == 0.0
    assert no_loss_chance(1, 0.8, 1.0, 0.95) == 1.0


@calmly
@given(st.floats(0.05, 0.98), st.floats(0.01, 0.2), confidences)
def test_enough_rows_to_show_no_loss_have_the_power_asked_for(
    accuracy: float, margin: float, confidence: float
) -> None:
    rows = rows_to_show_no_loss(accuracy, margin, confidence)
    assert no_loss_chance(rows, accuracy, margin, confidence) >= POWER - 1e-9


def test_what_nobody_labels() -> None:
    assert rows_to_show_no_loss(0.8, 0.0, 0.95) == MOST_ROWS
    assert rows_to_show_no_loss(0.8, 1e-6, 0.95) == MOST_ROWS


def test_any_loss_allowed_needs_one_row() -> None:
    assert rows_to_show_no_loss(0.8, 1.0, 0.95) == 1


def test_not_one_loss_must_still_be_a_surprise() -> None:
    rows = rows_to_show_no_loss(1.0, 0.05, 0.95)
    assert 0.95**rows <= 0.05 < 0.95 ** (rows - 1)


@pytest.mark.parametrize("accuracy, margin", [(0.9, 0.05), (0.7, 0.08), (0.98, 0.03)])
def test_simulated_equals_pass_four_times_in_five(accuracy: float, margin: float) -> None:
    rows = rows_to_show_no_loss(accuracy, margin, 0.95)
    # Four standard errors of 400 trials below the power asked for; and not wasteful.
    assert _passing(rows, accuracy, margin) >= POWER - 0.08
    assert _passing(rows // 2, accuracy, margin) < POWER - 0.08


def _passing(rows: int, accuracy: float, margin: float) -> float:
    gain, loss = discordant(accuracy, accuracy)
    chance = random.Random(7)  # noqa: S311 - a simulation, repeatable
    passed = 0
    for _ in range(400):
        draws = chance.choices((1, -1, 0), (gain, loss, 1 - gain - loss), k=rows)
        passed += paired_lower_bound(rows, draws.count(1), draws.count(-1), 0.95) >= -margin
    return passed / 400


@pytest.mark.parametrize("least", [5e-324, 2.2e-309, 1e-200, 1e-12])
def test_numbers_at_the_edge_of_nothing_mean_more_rows_than_anybody_labels(least: float) -> None:
    assert rows_to_show_no_loss(0.9, least, 0.95) == MOST_ROWS


def test_the_page_on_how_much_data_is_needed_says_what_the_code_says() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs/how-much-data.md").read_text("utf-8")
    sizes, price = (60, 150, 300, 1000, 3000), DEFAULT_MIN_EXPECTED_GAIN
    for points in (30, 20, 10, 5, 3, 2, 1):
        drop, cells = points / 100, []
        for rows in sizes:
            new = (1.0 - DEFAULT_OLD_WEIGHT, held_out_rows(rows), 0.85 - drop, 0.85)
            old = (DEFAULT_OLD_WEIGHT, held_out_rows(1000), 0.85)
            chance = weighed_chance(new, old, DEFAULT_WEIGHED_CONFIDENCE)
            mark = "**" if chance * (1.0 - DEFAULT_OLD_WEIGHT) * drop >= price else "*"
            cells.append(f"{mark}{min(99, round(100 * chance))}%{mark}")
        assert f"by {points}{' points' if points == 30 else ''} | {' | '.join(cells)} |\n" in page

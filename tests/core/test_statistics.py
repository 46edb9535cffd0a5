"""Counts into probabilities, held against scipy, published tables and brute force."""

import math
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from maintenance_core import statistics
from maintenance_core.statistics import (
    EXACT_ROWS,
    binomial_at_least,
    binomial_probability,
    clopper_pearson,
    fewer_right,
    mcnemar,
    non_inferiority_p,
    normal_quantile,
    paired_lower_bound,
    score,
)

calmly = settings(deadline=None, max_examples=50)
# Between zero and 1e-200 scipy's own binomial overflows.
shares = st.just(0.0) | st.floats(1e-200, 1.0)
counts = st.integers(0, 2000)


@st.composite
def paired(draw: st.DrawFn, most: int = 400) -> tuple[int, int, int]:
    """(n, wins, losses)."""
    n = draw(st.integers(1, most))
    wins = draw(st.integers(0, n))
    return n, wins, draw(st.integers(0, n - wins))


@calmly
@given(k=counts, n=counts, p=shares)
def test_binomial_probabilities_are_scipys(k: int, n: int, p: float) -> None:
    assert binomial_probability(k, n, p) == pytest.approx(
        float(stats.binom.pmf(k, n, p)), rel=1e-8, abs=1e-300
    )


@pytest.mark.slow
@calmly
@given(k=counts, n=counts, p=shares)
def test_binomial_tails_are_scipys(k: int, n: int, p: float) -> None:
    assert binomial_at_least(k, n, p) == pytest.approx(
        float(stats.binom.sf(k - 1, n, p)), rel=1e-8, abs=1e-12
    )


@pytest.mark.parametrize("n", [500_000, 10**9, 10**12])
@pytest.mark.parametrize("share", [0.003, 0.1, 0.5, 0.9])
def test_an_interval_of_many_takes_no_longer_and_keeps_its_digits(n: int, share: float) -> None:
    k = round(n * share)
    began = time.process_time()

    low, high = clopper_pearson(k, n, 0.8)

    assert time.process_time() - began < 0.5
    assert low == pytest.approx(stats.beta.ppf(0.1, k, n - k + 1), rel=2e-9)
    assert high == pytest.approx(stats.beta.isf(0.1, k + 1, n - k), rel=2e-9)


def test_the_interval_of_many_goes_on_from_that_of_fewer(monkeypatch: pytest.MonkeyPatch) -> None:
    summed = clopper_pearson(90_000, 900_000, 0.8)
    monkeypatch.setattr(statistics, "_SUMMED", 50_000.0)

    assert clopper_pearson(90_000, 900_000, 0.8) == pytest.approx(summed, rel=1e-10)


@calmly
@given(n=st.integers(1, 300), known_n=st.integers(1, 3000), data=st.data())
def test_fewer_right_is_scipys_fisher_test(n: int, known_n: int, data: st.DataObject) -> None:
    k, known_k = data.draw(st.integers(0, n)), data.draw(st.integers(0, known_n))
    table = [[k, n - k], [known_k, known_n - known_k]]
    p = float(stats.fisher_exact(table, alternative="less").pvalue)
    assert fewer_right(k, n, known_k, known_n) == pytest.approx(p, rel=1e-6, abs=1e-12)


def test_a_far_tail_keeps_its_digits() -> None:
    assert binomial_at_least(1900, 2000, 0.5) == pytest.approx(
        float(stats.binom.sf(1899, 2000, 0.5)), rel=1e-8
    )
    assert binomial_probability(3, 2, 0.5) == 0.0
    assert binomial_at_least(-1, 2, 0.5) == 1.0


@pytest.mark.slow
@calmly
@given(n=st.integers(1, 500), data=st.data(), confidence=st.sampled_from([0.5, 0.8, 0.95, 0.999]))
def test_clopper_pearson_is_scipys(n: int, data: st.DataObject, confidence: float) -> None:
    k = data.draw(st.integers(0, n))
    theirs = stats.binomtest(k, n).proportion_ci(confidence, method="exact")
    assert clopper_pearson(k, n, confidence) == pytest.approx((theirs.low, theirs.high), abs=1e-9)


@calmly
@given(wins=st.integers(0, 300), losses=st.integers(0, 300))
def test_mcnemar_is_the_sign_test(wins: int, losses: int) -> None:
    n = wins + losses
    theirs = float(stats.binomtest(wins, n, alternative="greater").pvalue) if n else 1.0
    assert mcnemar(wins, losses) == pytest.approx(theirs, rel=1e-8, abs=1e-12)


@calmly
@given(wins=st.integers(0, 300), losses=st.integers(0, 300))
def test_mcnemar_is_monotone(wins: int, losses: int) -> None:
    assert mcnemar(wins + 1, losses) <= mcnemar(wins, losses) <= mcnemar(wins, losses + 1)


def test_normal_quantile() -> None:
    assert normal_quantile(0.975) == pytest.approx(1.959964, abs=1e-6)


def test_tangos_interval_as_published() -> None:
    """Airway hyper-responsiveness before and after transplantation: 1 won, 7 lost of 21.

    Tango's 95 % interval is (-0.517, -0.026): M. W. Fagerland, S. Lydersen and P. Laake,
    Statistics in Medicine 33 (2014).
    """
    assert paired_lower_bound(21, 1, 7, 0.975) == pytest.approx(-0.517, abs=5e-4)
    assert -paired_lower_bound(21, 7, 1, 0.975) == pytest.approx(-0.026, abs=5e-4)


@calmly
@given(paired(), st.sampled_from([0.6, 0.9, 0.95, 0.99]))
def test_the_lower_bound_solves_the_score_equation(
    outcome: tuple[int, int, int], confidence: float
) -> None:
    n, wins, losses = outcome
    bound = paired_lower_bound(n, wins, losses, confidence)
    assert -1.0 <= bound <= (wins - losses) / n
    if bound > -1.0 + 1e-9:
        assert score(n, wins, losses, bound) == pytest.approx(normal_quantile(confidence), abs=1e-3)


@calmly
@given(paired(), st.sampled_from([0.9, 0.95]))
def test_the_lower_bound_is_monotone(outcome: tuple[int, int, int], confidence: float) -> None:
    n, wins, losses = outcome
    here = paired_lower_bound(n, wins, losses, confidence)
    if wins + losses < n:
        assert paired_lower_bound(n, wins + 1, losses, confidence) >= here - 1e-9
        assert paired_lower_bound(n, wins, losses + 1, confidence) <= here + 1e-9
    if losses:
        assert paired_lower_bound(n, wins + 1, losses - 1, confidence) >= here - 1e-9
    assert paired_lower_bound(n, wins, losses, 0.99) <= here + 1e-9


def test_bounds_at_the_edges() -> None:
    assert paired_lower_bound(0, 0, 0, 0.95) == -1.0
    assert paired_lower_bound(10, 0, 10, 0.95) == pytest.approx(-1.0, abs=1e-9)
    z = normal_quantile(0.95)
    # Without one discordant row the bound has a closed form.
    assert paired_lower_bound(200, 0, 0, 0.95) == pytest.approx(-z * z / (200 + z * z), abs=1e-9)
    assert score(10, 0, 0, 0.0) == 0.0
    assert score(10, 10, 0, -1.0) == math.inf


def test_on_many_rows_the_p_value_agrees_with_the_bound() -> None:
    bound = paired_lower_bound(500, 20, 22, 0.95)
    assert non_inferiority_p(500, 20, 22, -bound) == pytest.approx(0.05, abs=1e-6)
    assert non_inferiority_p(0, 0, 0, 0.1) == 1.0


@pytest.mark.slow
def test_on_few_rows_the_p_value_is_the_worst_over_the_unknown_share() -> None:
    """All cells of a small table, summed the slow way."""
    n, margin = 8, 0.25
    cells = [(w, lost) for w in range(n + 1) for lost in range(n + 1 - w)]
    for wins, losses in ((0, 0), (2, 0), (1, 1), (3, 2)):
        seen = score(n, wins, losses, -margin)
        worst = 0.0
        for step in range(41):
            gain = (1 - margin) / 2 * step / 40
            law = stats.multinomial(n, [gain, gain + margin, max(0.0, 1 - 2 * gain - margin)])
            worst = max(
                worst,
                sum(
                    float(law.pmf([w, lost, n - w - lost]))
                    for w, lost in cells
                    if score(n, w, lost, -margin) >= seen - 1e-9
                ),
            )
        assert non_inferiority_p(n, wins, losses, margin) == pytest.approx(worst, abs=1e-9)


@pytest.mark.slow
def test_the_exact_test_holds_its_level() -> None:
    """Whatever the unknown share, at most one in twenty is wrongly found not inferior."""
    n, margin = 12, 0.25
    passing = [
        (wins, losses)
        for wins in range(n + 1)
        for losses in range(n + 1 - wins)
        if non_inferiority_p(n, wins, losses, margin) <= 0.05
    ]
    assert passing
    for gain in (0.0, 0.013, 0.05, 0.1, 0.217, 0.3, 0.375):
        law = stats.multinomial(n, [gain, gain + margin, max(0.0, 1 - 2 * gain - margin)])
        level = sum(float(law.pmf([w, lost, n - w - lost])) for w, lost in passing)
        assert level <= 0.05 + 2e-3


@pytest.mark.slow
def test_the_exact_test_is_monotone() -> None:
    n, margin = 9, 0.2
    assert n <= EXACT_ROWS
    p = {
        (w, lost): non_inferiority_p(n, w, lost, margin)
        for w in range(n + 1)
        for lost in range(n + 1 - w)
    }
    for (wins, losses), here in p.items():
        assert p.get((wins + 1, losses), 0.0) <= here + 1e-9
        assert p.get((wins, losses + 1), 1.0) >= here - 1e-9

"""The gate, the brakes and the rules where the loss is a real number."""

import math
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maintenance_contract import (
    Candidate,
    Evaluation,
    HeldOutLoss,
    Operation,
    Outcome,
    PairedLoss,
    PairedScores,
    Reference,
    ScoreMetric,
    TrainingAction,
    TrainingReport,
)
from maintenance_core import student
from maintenance_core.decide import loss_power, loss_tests
from maintenance_core.decide.gate import judge
from maintenance_core.decide.power import Level
from maintenance_core.decide.worth import many
from maintenance_core.model import Champion, Gate, OnConceptDrift, Proof, Score, Verdict
from maintenance_core.reasons import VerdictReason

MAE = ScoreMetric.MAE
GATE = Gate(0.0, 0.95, 0.02, OnConceptDrift.REPORT_ONLY, metric=MAE)
PROOF = replace(GATE, proof=Proof.REQUIRED)
FEW = replace(GATE, proof=Proof.NOT_REQUIRED)
CHAMPION = Champion(
    6,
    "pvc://m/versions/6",
    "sha256:six",
    datetime(2026, 11, 23, tzinfo=UTC),
    TrainingAction.RETRAIN,
)


def a_loss(
    before: float,
    after: float,
    error: float,
    *,
    n: int = 300,
    units: int | None = None,
    baseline: float = 10.0,
    skewness: float = 0.0,
    deviation: float = 0.5,
) -> PairedLoss:
    return PairedLoss(MAE, n, units or n, before, after, baseline, error, skewness, deviation)


def judged(
    new: PairedLoss | None,
    old: PairedLoss | None = None,
    gate: Gate = PROOF,
    *,
    together: PairedLoss | None = None,
    imported: bool = False,
) -> Verdict:
    champion = None if together else CHAMPION
    reference = Reference.BASELINE if together else Reference.CHAMPION
    evaluation = Evaluation(reference, scores=PairedScores(MAE, new, old, together))
    report = TrainingReport(
        operation=Operation.TRAIN,
        run=7,
        request_digest="sha256:request",
        outcome=Outcome.SUCCEEDED,
        candidate=Candidate(7, "sha256:seven", TrainingAction.FINE_TUNE),
        evaluation=evaluation,
    )
    return judge(report, gate=gate, champion=champion, concept_drift=False, imported=imported)


KEPT = a_loss(3.0, 3.0, 0.005)


def test_a_smaller_error_promotes_and_is_told_in_units_of_the_label() -> None:
    verdict = judged(a_loss(4.1, 3.2, 0.02), KEPT)
    assert verdict.promote, verdict.message
    assert verdict.new == Score(300, 4.1, 3.2, "MAE")
    assert (
        "MAE 3.2, the champion 4.1, on 300 new held-out rows (0.9 less, standard error 0.2, p"
        in (verdict.message)
    )
    assert "allowed are 2% of the baseline's MAE (10)" in verdict.message


def test_a_larger_error_is_no_improvement() -> None:
    assert judged(a_loss(3.2, 4.1, 0.02), KEPT).reason is VerdictReason.NO_IMPROVEMENT


@pytest.mark.parametrize("gate", [PROOF, FEW])
def test_a_loss_on_old_rows_that_is_shown_is_refused(gate: Gate) -> None:
    verdict = judged(a_loss(6.0, 3.0, 0.03), a_loss(3.0, 4.0, 0.01), gate)
    assert verdict.reason is VerdictReason.FORGETS_OLD


def test_what_may_be_lost_and_must_be_won_are_shares_of_the_baselines_error() -> None:
    """Whatever the label is measured in."""
    for unit in (1e-6, 1.0, 1e6):
        won = a_loss(4.0 * unit, 3.0 * unit, 0.01, baseline=10.0 * unit)
        lost = a_loss(3.0 * unit, 3.1 * unit, 0.004, baseline=10.0 * unit)  # one point
        assert judged(won, lost).promote
        refused = judged(won, lost, replace(PROOF, max_old_loss=0.015))
        assert refused.reason is VerdictReason.FORGETS_OLD
        assert judged(won, lost, replace(PROOF, min_improvement=0.1)).promote
        refused = judged(won, lost, replace(PROOF, min_improvement=0.11))
        assert "Better, but by 10% only" in refused.message


def test_a_loss_that_is_little_beside_the_gain_needs_no_proof_of_its_own() -> None:
    """A column in another unit: the champion is worse than the baseline, old rows are many."""
    gate = replace(PROOF, proof=Proof.AUTO)
    new = a_loss(16.6, 5.0, 0.07, n=316)
    old = a_loss(2.77, 2.94, 0.007, n=4000)
    assert many(Level(old.n, 0.7, old.deviation))
    verdict = judged(new, old, gate)
    assert verdict.promote
    assert "Little lost: MAE 2.94, the champion 2.77, on 4000 old held-out rows" in verdict.message
    assert judged(new, old).reason is VerdictReason.FORGETS_OLD
    assert judged(a_loss(4.0, 2.5, 0.02), old, gate).reason is VerdictReason.FORGETS_OLD
    assert judged(new, a_loss(2.77, 3.0, 0.007, n=4000), gate).reason is VerdictReason.FORGETS_OLD


def test_no_gain_however_large_stands_for_a_loss_that_nobody_knows() -> None:
    """A champion may err by twenty times as much as the baseline, and old rows be of few units."""
    gate = replace(PROOF, proof=Proof.AUTO)
    new, old = a_loss(200.0, 5.0, 1.0, n=316), a_loss(3.0, 3.1, 0.25, n=4000, units=40)
    assert judged(new, old, gate).reason is VerdictReason.FORGETS_OLD
    surely = judged(new, replace(old, standard_error=0.02), gate)
    assert surely.promote


def test_what_is_won_is_told_by_the_baseline_of_its_own_rows() -> None:
    gate = replace(PROOF, proof=Proof.AUTO)
    new = a_loss(16.6, 5.0, 0.07, n=316, baseline=8.0)
    verdict = judged(new, a_loss(2.77, 2.94, 0.007, n=4000), gate)
    assert verdict.promote
    assert "allowed are 2% of the baseline's MAE (10). That it" in verdict.message
    assert "points of the baseline's MAE (8). That is enough" in verdict.message


def test_a_first_version_must_beat_the_baseline() -> None:
    good = judged(None, together=a_loss(9.9, 3.0, 0.05))
    assert (good.promote, good.reason) == (True, VerdictReason.FIRST_VERSION)
    assert "gets MAE 3 on 300 held-out rows, against 9.9 by the baseline" in good.message
    bad = judged(None, together=a_loss(9.9, 9.8, 0.05))
    assert bad.reason is VerdictReason.NOT_BETTER_THAN_BASELINE
    assert "not shown to beat the baseline" in bad.message
    taken = judged(None, together=a_loss(9.9, 9.8, 0.05), imported=True)
    assert (taken.promote, taken.reason) == (True, VerdictReason.IMPORTED)
    wrong = judged(None, together=a_loss(9.9, 9900.0, 50.0), imported=True)
    assert wrong.reason is VerdictReason.WORSE_THAN_BASELINE
    assert "answers in the unit of their labels" in wrong.message


def test_rows_of_few_units_show_less() -> None:
    """The degrees of freedom are the units'."""
    won = a_loss(4.0, 3.0, 0.045)
    assert judged(won, KEPT).promote
    assert not judged(replace(won, units=4), KEPT).promote
    assert not judged(replace(won, units=1), KEPT).promote


def test_a_challenger_that_errs_rarely_and_far_is_held_to_more() -> None:
    won = a_loss(4.0, 3.0, 0.056, n=60)
    assert judged(won, KEPT).promote
    assert not judged(replace(won, skewness=-6.0), KEPT).promote
    # Skewness to the other side lowers nothing: it is estimated, too.
    assert loss_tests.win_p(replace(won, skewness=6.0)) == loss_tests.win_p(won)


@pytest.mark.slow
@given(
    st.floats(-1, 1),
    st.floats(0.001, 1),
    st.floats(-30, 30),
    st.integers(2, 400),
    st.sampled_from([0.8, 0.9, 0.95, 0.99]),
)
@settings(max_examples=200, deadline=None)
def test_a_win_is_shown_where_the_bound_lies_above_nothing(
    difference: float, error: float, skewness: float, n: int, confidence: float
) -> None:
    score = a_loss(5.0, 5.0 - 10.0 * difference, error, n=n, skewness=skewness)
    low, high = loss_tests.bounds(score, confidence)
    assert low <= score.difference <= high
    if abs(low) > 1e-6:
        assert (loss_tests.win_p(score) <= 1.0 - confidence) == (low > 0.0)


@pytest.mark.slow
@given(st.floats(0.5, 0.99), st.floats(0.5, 0.99), st.floats(0.0, 0.2), st.floats(0.0, 0.2))
@settings(max_examples=100, deadline=None)
def test_what_a_laxer_gate_refuses_no_stricter_one_promotes(
    confidence: float, other: float, allowed: float, more: float
) -> None:
    new, old = a_loss(4.0, 3.6, 0.02), a_loss(3.0, 3.1, 0.01)
    lax = replace(FEW, confidence=min(confidence, other), max_old_loss=allowed + more)
    strict = replace(lax, confidence=max(confidence, other), max_old_loss=allowed)
    for gate in (lax, strict):
        assert (
            judged(new, old, gate).promote
            or not judged(new, old, replace(gate, proof=Proof.REQUIRED)).promote
        )
    assert judged(new, old, lax).promote or not judged(new, old, strict).promote


def test_old_rows_are_many_where_two_points_of_the_baselines_error_would_show() -> None:
    deviation = 0.5
    paired = loss_power.paired_deviation(deviation, deviation)
    needed = loss_power.rows_to_show_no_loss(paired, 0.02, 0.95)
    assert needed == math.ceil((2.4865 * paired / 0.02) ** 2)
    assert many(Level(needed, 0.7, deviation))
    assert not many(Level(needed - 1, 0.7, deviation))
    assert loss_power.no_loss_chance(needed, paired, 0.02, 0.95) == pytest.approx(0.8, abs=0.001)


@pytest.mark.slow
def test_the_chance_of_a_win_is_that_of_the_gate() -> None:
    """Normal losses of both models, correlated as assumed: simulated with the gate's own test."""
    import random  # noqa: PLC0415

    chance = random.Random(7)  # noqa: S311 - draws, no secrets
    n, gain, deviation = 80, 0.1, 0.4
    own = deviation * math.sqrt(1.0 - loss_power.CORRELATION)
    shown, draws = 0, 1500
    for _ in range(draws):
        differences = [gain + own * (chance.gauss(0, 1) - chance.gauss(0, 1)) for _ in range(n)]
        mean = sum(differences) / n
        spread = math.sqrt(sum((each - mean) ** 2 for each in differences) / (n - 1) / n)
        shown += loss_tests.win_p(a_loss(5.0, 5.0 - 10.0 * mean, spread, n=n)) <= 0.05
    told = loss_power.win_chance(n, gain, loss_power.paired_deviation(deviation, deviation), 0.95)
    assert told == pytest.approx(shown / draws, abs=0.04)


def test_a_rise_of_the_mean_loss_is_welchs() -> None:
    # statsmodels and scipy agree: t 2.5, degrees 157.9.
    p = student.means_differ(0.1, [(0.032, 100), (0.024, 60)])
    assert p == pytest.approx(0.006723, abs=1e-6)
    assert student.means_differ(0.1, [(0.0, 100)]) == 1.0
    assert student.means_differ(0.1, [(0.03, 1), (0.01, 100)]) == 1.0


def test_a_champions_loss_is_a_skill() -> None:
    found = HeldOutLoss(MAE, 100, 100, loss=2.5, baseline=10.0, deviation=0.3)
    assert found.score == 0.75
    assert replace(found, loss=12.0).score == pytest.approx(-0.2)

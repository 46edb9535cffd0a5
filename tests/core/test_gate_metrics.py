"""The gate by a metric that is no mean over rows."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maintenance_contract import (
    Candidate,
    Evaluation,
    Operation,
    Outcome,
    PairedCounts,
    PairedScore,
    PairedScores,
    Reference,
    Sampling,
    ScoreMetric,
    TrainingAction,
    TrainingReport,
)
from maintenance_core.decide.gate import Contest, judge
from maintenance_core.decide.power import Level
from maintenance_core.model import Champion, Gate, OnConceptDrift, Proof, Score, Verdict
from maintenance_core.reasons import VerdictReason

BALANCED = ScoreMetric.BALANCED_ACCURACY
GATE = Gate(0.0, 0.95, 0.02, OnConceptDrift.REPORT_ONLY, metric=BALANCED)
PROOF = replace(GATE, proof=Proof.REQUIRED)
FEW = replace(GATE, proof=Proof.NOT_REQUIRED)
CHAMPION = Champion(
    6,
    "pvc://m/versions/6",
    "sha256:six",
    datetime(2026, 11, 23, tzinfo=UTC),
    TrainingAction.RETRAIN,
)
WON = PairedCounts(300, 200, 10, 60)
"""Counts by which the challenger would be promoted."""


def a_score(
    before: float, after: float, error: float, adjusted: float = 0.0, n: int = 300
) -> PairedScore:
    return PairedScore(BALANCED, n, before, after, error, adjusted or error)


def judged(
    new: PairedScore | None,
    old: PairedScore | None,
    gate: Gate = PROOF,
    counts: tuple[PairedCounts | None, PairedCounts | None] = (WON, WON),
) -> Verdict:
    scores = PairedScores(BALANCED, new, old)
    evaluation = Evaluation(Reference.CHAMPION, *counts, scores)
    return _verdict(evaluation, gate, CHAMPION)


def a_report(evaluation: Evaluation) -> TrainingReport:
    return TrainingReport(
        operation=Operation.TRAIN,
        run=7,
        request_digest="sha256:request",
        outcome=Outcome.SUCCEEDED,
        candidate=Candidate(7, "sha256:seven", TrainingAction.FINE_TUNE),
        evaluation=evaluation,
    )


def _verdict(evaluation: Evaluation, gate: Gate, champion: Champion | None) -> Verdict:
    return judge(a_report(evaluation), gate=gate, champion=champion, concept_drift=False)


def test_a_gain_by_the_metric_promotes_and_says_which() -> None:
    verdict = judged(a_score(0.6, 0.7, 0.03), a_score(0.8, 0.8, 0.005))
    assert verdict.promote
    assert verdict.new == Score(300, 0.6, 0.7)
    assert "balanced accuracy 0.7, the champion 0.6, on 300 new held-out rows" in verdict.message
    assert "difference 0.1, standard error 0.03" in verdict.message


def test_what_the_counts_would_promote_the_metric_refuses() -> None:
    assert judged(a_score(0.7, 0.69, 0.03), a_score(0.8, 0.8, 0.005)).reason is (
        VerdictReason.NO_IMPROVEMENT
    )


@pytest.mark.parametrize("gate", [PROOF, FEW])
def test_a_loss_that_is_shown_is_refused(gate: Gate) -> None:
    verdict = judged(a_score(0.6, 0.8, 0.03), a_score(0.8, 0.7, 0.02), gate)
    assert verdict.reason is VerdictReason.FORGETS_OLD


def test_the_adjusted_error_decides_about_a_loss_and_the_plain_one_about_a_gain() -> None:
    kept = a_score(0.8, 0.8, 0.001, adjusted=0.05)
    assert judged(a_score(0.6, 0.7, 0.03, adjusted=0.2), kept).reason is VerdictReason.FORGETS_OLD
    assert judged(a_score(0.6, 0.7, 0.03, adjusted=0.2), kept, FEW).promote


def test_the_floor_is_a_difference_of_the_metric() -> None:
    won, kept = a_score(0.6, 0.7, 0.03), a_score(0.8, 0.8, 0.005)
    assert judged(won, kept, replace(PROOF, min_improvement=0.1)).promote
    refused = judged(won, kept, replace(PROOF, min_improvement=0.11))
    assert "where spec.gate.minImprovement asks for 11%" in refused.message


def test_rows_without_a_value_are_not_taken_for_no_rows() -> None:
    verdict = judged(a_score(0.6, 0.7, 0.03), None)
    assert verdict.reason is VerdictReason.NO_IMPROVEMENT
    assert "BalancedAccuracy has no value on the old held-out rows" in verdict.message
    assert judged(a_score(0.6, 0.7, 0.01), None, counts=(WON, None)).promote


@pytest.mark.parametrize("there", [None, PairedScores(ScoreMetric.MACRO_F1)])
def test_a_report_without_the_metric_is_of_no_use(there: PairedScores | None) -> None:
    verdict = _verdict(Evaluation(Reference.CHAMPION, WON, WON, there), PROOF, CHAMPION)
    assert verdict.reason is VerdictReason.REPORT_INVALID
    assert "no score by spec.gate.metric BalancedAccuracy" in verdict.message


def test_a_first_version_is_judged_on_all_rows_against_the_majority_class() -> None:
    def first(score: PairedScore | None) -> Verdict:
        scores = PairedScores(BALANCED, all=score)
        return _verdict(Evaluation(Reference.MAJORITY_CLASS, None, WON, scores), PROOF, None)

    assert (
        "balanced accuracy 0.7 on 300 held-out rows, against 0.2"
        in first(a_score(0.2, 0.7, 0.03)).message
    )
    assert first(a_score(0.2, 0.7, 0.03)).reason is VerdictReason.FIRST_VERSION
    assert not first(a_score(0.5, 0.51, 0.03)).promote
    assert not first(None).promote


shares = st.floats(0.0, 1.0)


@pytest.mark.slow
@settings(deadline=None, max_examples=100)
@given(st.tuples(shares, shares), st.tuples(shares, shares), st.floats(0.0, 0.2), st.data())
def test_more_confidence_or_less_loss_promotes_no_more(
    on_new: tuple[float, float], on_old: tuple[float, float], error: float, data: st.DataObject
) -> None:
    n, proof = data.draw(st.integers(1, 3000)), data.draw(st.booleans())
    new, old = a_score(*on_new, error, n=n), a_score(*on_old, error, n=n)
    gate = PROOF if proof else FEW
    stricter = (
        replace(gate, confidence=0.99),
        replace(gate, max_old_loss=0.0),
        replace(gate, weighed_confidence=0.9),
        replace(gate, min_improvement=0.05),
        replace(gate, proof=Proof.REQUIRED),
    )
    if any(judged(new, old, one).promote for one in stricter):
        assert judged(new, old, gate).promote


def test_reports_and_manifests_spell_the_scores() -> None:
    scores = PairedScores(BALANCED, a_score(0.6, 0.7, 0.03, 0.04), None, a_score(0.1, 0.2, 0.5))
    evaluation = Evaluation(Reference.CHAMPION, WON, None, scores)
    report = TrainingReport(
        operation=Operation.TRAIN,
        run=1,
        request_digest="sha256:r",
        outcome=Outcome.SUCCEEDED,
        evaluation=evaluation,
    )
    assert TrainingReport.from_json(report.to_message()).evaluation == evaluation


def grouped(
    new: tuple[PairedCounts, float], old: tuple[PairedCounts, float], gate: Gate, units: int = 30
) -> Verdict:
    """Counts of rows that belong together, each with the error of its difference."""

    def score(counts: PairedCounts, error: float) -> PairedScore:
        shares = counts.champion_accuracy, counts.challenger_accuracy
        return PairedScore(ScoreMetric.ACCURACY, counts.n, *shares, error, error, units)

    scores = PairedScores(ScoreMetric.ACCURACY, score(*new), score(*old))
    evaluation = Evaluation(Reference.CHAMPION, new[0], old[0], scores)
    return _verdict(evaluation, replace(gate, metric=ScoreMetric.ACCURACY), CHAMPION)


KEPT = PairedCounts(2000, 1600, 3, 3)
GAINED = PairedCounts(300, 200, 20, 45)
ALONE = 0.027
"""The error of these 300 rows' difference if they were independent."""


@pytest.mark.parametrize("gate", [PROOF, FEW])
def test_rows_that_belong_together_show_less_than_as_many_single_ones(gate: Gate) -> None:
    for error, promotes in ((ALONE, True), (4 * ALONE, False)):
        verdict = grouped((GAINED, error), (KEPT, 0.001), gate)
        assert verdict.promote is promotes
        assert "45 won and 20 lost, 30 units" in verdict.message
        assert verdict.new == Score(300, GAINED.champion_accuracy, GAINED.challenger_accuracy)


def test_a_loss_of_whole_units_is_not_taken_for_none() -> None:
    assert grouped((GAINED, ALONE), (KEPT, 0.001), PROOF).promote
    verdict = grouped((GAINED, ALONE), (KEPT, 0.02), PROOF)
    assert verdict.reason is VerdictReason.FORGETS_OLD


def test_one_unit_shows_nothing() -> None:
    verdict = grouped((GAINED, ALONE), (KEPT, 0.001), FEW, units=1)
    assert verdict.reason is VerdictReason.NO_IMPROVEMENT


@given(error=st.floats(0.0, 1.0), units=st.integers(1, 300), won=st.integers(0, 80))
@settings(max_examples=50)
def test_no_error_makes_of_counts_more_than_they_are(error: float, units: int, won: int) -> None:
    counts = PairedCounts(300, 180, 20, won)
    with_error = grouped((counts, error), (KEPT, error), FEW, units)
    evaluation = Evaluation(Reference.CHAMPION, counts, KEPT)
    alone = _verdict(evaluation, replace(FEW, metric=ScoreMetric.ACCURACY), CHAMPION)
    assert alone.promote or not with_error.promote


def test_scores_of_another_metric_beside_counts_are_refused() -> None:
    score = a_score(0.6, 0.7, 0.03)
    evaluation = Evaluation(Reference.CHAMPION, GAINED, KEPT, PairedScores(BALANCED, score, score))
    verdict = _verdict(evaluation, replace(FEW, metric=ScoreMetric.ACCURACY), CHAMPION)
    assert verdict.reason is VerdictReason.REPORT_INVALID


@pytest.mark.parametrize("error", [0.001, 0.2])
def test_how_much_proof_old_rows_can_give_does_not_hang_on_another_metrics_error(
    error: float,
) -> None:
    """Balanced accuracy varies more than accuracy where classes are rare; rows are as many."""
    scores = PairedScores(BALANCED, a_score(0.6, 0.7, error), a_score(0.8, 0.8, error))
    report = a_report(Evaluation(Reference.CHAMPION, GAINED, KEPT, scores))
    contest = Contest(
        report, GATE, CHAMPION, concept_drift=False, imported=False, sampling=Sampling.RANDOM
    )
    assert contest.old_level == Level(KEPT.n, KEPT.champion_accuracy)

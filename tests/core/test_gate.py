"""The gate: who may go into service, and in which words."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from maintenance_contract import (
    Candidate,
    Evaluation,
    Operation,
    Outcome,
    PairedCounts,
    Reference,
    Sampling,
    TrainingAction,
    TrainingReport,
)
from maintenance_core.decide.gate import gate_for, judge
from maintenance_core.decide.power import rows_to_show_no_loss
from maintenance_core.model import (
    Champion,
    Gate,
    OnConceptDrift,
    Proof,
    Score,
    TrainingPlan,
    Verdict,
)
from maintenance_core.reasons import VerdictReason

calmly = settings(deadline=None, max_examples=60)

CHAMPION = Champion(
    6,
    "pvc://models/news/versions/6",
    "sha256:six",
    datetime(2026, 11, 23, tzinfo=UTC),
    TrainingAction.RETRAIN,
)
GATE = Gate(0.0, 0.95, 0.02, OnConceptDrift.REPORT_ONLY)
PROOF = replace(GATE, proof=Proof.REQUIRED)
FEW = replace(GATE, proof=Proof.NOT_REQUIRED)
BETTER = PairedCounts(300, 200, 10, 60)
SAME = PairedCounts(5000, 4500, 40, 45)
WORSE = PairedCounts(5000, 4300, 300, 45)


def a_report(
    new: PairedCounts | None = BETTER, old: PairedCounts | None = SAME, **changes: Any
) -> TrainingReport:
    reference = changes.pop("reference", Reference.CHAMPION)
    return TrainingReport(
        **{
            "operation": Operation.TRAIN,
            "run": 7,
            "request_digest": "sha256:request",
            "outcome": Outcome.SUCCEEDED,
            "candidate": Candidate(7, "sha256:seven", TrainingAction.FINE_TUNE),
            "evaluation": Evaluation(reference, new, old),
            **changes,
        }
    )


def test_without_a_random_sample_the_old_rows_decide() -> None:
    """Targeted updates: the challenger must be better there, for there is nothing else."""
    better = judge(
        a_report(None, BETTER),
        gate=GATE,
        champion=CHAMPION,
        concept_drift=False,
        sampling=Sampling.TARGETED,
    )
    same = judge(
        a_report(None, SAME),
        gate=GATE,
        champion=CHAMPION,
        concept_drift=False,
        sampling=Sampling.TARGETED,
    )

    assert (better.promote, better.reason) == (True, VerdictReason.CHALLENGER_WINS)
    assert "on 300 old held-out rows" in better.message
    assert (same.promote, same.reason) == (False, VerdictReason.NO_IMPROVEMENT)


def judged(
    new: PairedCounts | None = BETTER,
    old: PairedCounts | None = SAME,
    *,
    gate: Gate = GATE,
    drift: bool = False,
    **changes: Any,
) -> Verdict:
    return judge(a_report(new, old, **changes), gate=gate, champion=CHAMPION, concept_drift=drift)


def first(
    new: PairedCounts | None, old: PairedCounts | None, gate: Gate = GATE, **changes: Any
) -> Verdict:
    changes = {"reference": Reference.MAJORITY_CLASS, **changes}
    return judge(a_report(new, old, **changes), gate=gate, champion=None, concept_drift=False)


def test_better_on_new_and_as_good_on_old_is_promoted() -> None:
    verdict = judged()
    assert (verdict.promote, verdict.reason) == (True, VerdictReason.CHALLENGER_WINS)
    assert verdict.message == (
        "Better: 86.7% right, the champion 70%, on 300 new held-out rows (60 won and 10 lost, "
        "p <0.0001, asked for 0.05). Nothing lost: 90.9% right, the champion 90.8%, on 5000 old "
        "held-out rows (45 won and 40 lost); with 95% confidence it loses at most 0.2%, allowed "
        "are 2%."
    )
    assert verdict.new == Score(300, 210 / 300, 260 / 300)
    assert verdict.old == Score(5000, 4540 / 5000, 4545 / 5000)


@pytest.mark.parametrize(
    "new",
    [PairedCounts(300, 200, 30, 30), PairedCounts(300, 200, 30, 42), PairedCounts(9, 5, 0, 4)],
)
def test_better_by_chance_is_not_better(new: PairedCounts) -> None:
    verdict = judged(new)
    assert (verdict.promote, verdict.reason) == (False, VerdictReason.NO_IMPROVEMENT)
    assert verdict.message.startswith("Not shown to be better: ")


def test_five_wins_of_five_are_just_enough() -> None:
    assert judged(PairedCounts(10, 5, 0, 5)).promote
    assert not judged(PairedCounts(10, 5, 0, 5), gate=replace(GATE, confidence=0.99)).promote


def test_the_improvement_seen_must_reach_the_one_asked_for() -> None:
    """A significant win of 50 rows in 300."""
    exactly, more = replace(GATE, min_improvement=50 / 300), replace(GATE, min_improvement=0.17)
    assert judged(gate=exactly).promote
    verdict = judged(gate=more)
    assert (verdict.promote, verdict.reason) == (False, VerdictReason.NO_IMPROVEMENT)
    assert verdict.message.startswith(
        "Better, but by 16.7% only, where spec.gate.minImprovement asks for 17%: "
    )


def test_forgetting_is_refused() -> None:
    verdict = judged(old=WORSE)
    assert (verdict.promote, verdict.reason) == (False, VerdictReason.FORGETS_OLD)
    assert "Better: " in verdict.message
    assert "Not shown to have kept what the champion knew: " in verdict.message
    assert verdict.old == Score(5000, 0.92, 0.869)


def test_too_few_old_rows_show_nothing() -> None:
    assert judged(old=PairedCounts(100, 90, 0, 0), gate=PROOF).reason == VerdictReason.FORGETS_OLD


def test_on_few_rows_the_exact_test_must_agree() -> None:
    """On 12 rows without a loss the score bound alone would allow 0.2; exactly it is 1 in 15."""
    gate, old = replace(PROOF, max_old_loss=0.2), PairedCounts(12, 12, 0, 0)
    assert judged(old=old, gate=gate).reason == VerdictReason.FORGETS_OLD
    assert judged(old=PairedCounts(14, 14, 0, 0), gate=gate).promote


def test_any_loss_may_be_allowed() -> None:
    gate = replace(GATE, max_old_loss=1.0)
    assert judged(old=PairedCounts(20, 0, 20, 0), gate=gate).promote


def test_after_concept_drift_old_rows_are_reported() -> None:
    verdict = judged(old=WORSE, drift=True)
    assert verdict.promote
    assert "reported and not judged" in verdict.message
    assert verdict.old == Score(5000, 0.92, 0.869)
    judging = replace(GATE, on_concept_drift=OnConceptDrift.JUDGE)
    assert judged(old=WORSE, drift=True, gate=judging).reason == VerdictReason.FORGETS_OLD
    assert judged(old=WORSE, drift=False).reason == VerdictReason.FORGETS_OLD


@pytest.mark.parametrize("none", [None, PairedCounts(0, 0, 0, 0)])
@pytest.mark.parametrize("drift", [False, True])
def test_without_old_rows_the_new_ones_decide(none: PairedCounts | None, *, drift: bool) -> None:
    verdict = judged(old=none, drift=drift)
    assert verdict.promote
    assert verdict.old is None
    assert "There is no old held-out row" in verdict.message


@pytest.mark.parametrize("none", [None, PairedCounts(0, 0, 0, 0)])
def test_without_new_rows_nothing_is_promoted(none: PairedCounts | None) -> None:
    verdict = judged(none)
    assert (verdict.promote, verdict.reason) == (False, VerdictReason.NO_IMPROVEMENT)
    assert "spec.data.holdout.updatesPercent" in verdict.message
    assert verdict.new is None


# --- few old rows -----------------------------------------------------------------------

GAMES = PairedCounts(76, 19, 0, 47)
"""A quarter of the new rows right before, most of them after."""


def test_few_old_rows_are_weighed_with_the_new_ones() -> None:
    """A hundred old rows cannot show that less than two points are lost: none is better."""
    old = PairedCounts(108, 70, 6, 7)
    verdict = judged(GAMES, old)
    assert (verdict.promote, verdict.reason) == (True, VerdictReason.CHALLENGER_WINS)
    assert verdict.message == (
        "Better: 86.8% right, the champion 25%, on 76 new held-out rows (47 won and 0 lost); with "
        "80% confidence the gain of both ages (0.2 of it the old one's) is at least 45.8 points. "
        "71.3% right, the champion 70.4%, on 108 old held-out rows (7 won and 6 lost): that it "
        "loses more than 2% is not shown, nor can so few exclude it: it may be up to 4.9%."
    )
    assert judged(GAMES, old, gate=PROOF).reason == VerdictReason.FORGETS_OLD


def test_a_loss_that_is_shown_is_refused_however_large_the_win() -> None:
    verdict = judged(GAMES, PairedCounts(108, 50, 26, 2))
    assert (verdict.promote, verdict.reason) == (False, VerdictReason.FORGETS_OLD)
    assert "Shown to forget: 48.1% right, the champion 70.4%" in verdict.message


def test_a_win_that_an_old_loss_may_outweigh_is_none() -> None:
    new, old = PairedCounts(100, 70, 5, 14), PairedCounts(100, 70, 10, 5)
    verdict = judged(new, old, gate=replace(GATE, old_weight=0.5))
    assert (verdict.promote, verdict.reason) == (False, VerdictReason.FORGETS_OLD)
    assert verdict.message.startswith("Not shown to be better: ")
    assert judged(new, PairedCounts(100, 75, 0, 0)).promote


@pytest.mark.parametrize("new", [PairedCounts(60, 40, 8, 8), PairedCounts(60, 40, 10, 4)])
def test_no_better_or_worse_is_not_promoted_on_few_rows(new: PairedCounts) -> None:
    verdict = judged(new, PairedCounts(100, 80, 5, 5))
    assert (verdict.promote, verdict.reason) == (False, VerdictReason.NO_IMPROVEMENT)


def test_the_floor_of_the_estimate_holds_on_few_rows_too() -> None:
    verdict = judged(
        PairedCounts(100, 60, 2, 20),
        PairedCounts(50, 40, 0, 0),
        gate=replace(GATE, min_improvement=0.3),
    )
    assert verdict.reason == VerdictReason.NO_IMPROVEMENT
    assert "spec.gate.minImprovement asks for 30%" in verdict.message


def test_old_rows_alone_never_carry_a_promotion() -> None:
    """Whoever gains on old rows and loses on new ones is no answer to a drop."""
    verdict = judged(PairedCounts(400, 300, 21, 20), PairedCounts(800, 500, 0, 200), gate=FEW)
    assert verdict.reason == VerdictReason.NO_IMPROVEMENT


def test_from_when_on_a_proof_is_required_follows_from_the_rows() -> None:
    """895 rows at an accuracy of .9 show a loss below 2 points four times in five."""
    assert rows_to_show_no_loss(0.9, 0.02, 0.95) == 895
    fewer, enough = PairedCounts(890, 781, 20, 8), PairedCounts(900, 790, 20, 8)
    assert judged(BETTER, fewer).promote
    assert judged(BETTER, enough).reason == VerdictReason.FORGETS_OLD


def test_a_loss_that_is_little_beside_the_gain_needs_no_proof_of_its_own() -> None:
    """A champion that is worse than none must not stay for a loss that is hardly seen."""
    old = PairedCounts(900, 790, 20, 8)
    verdict = judged(GAMES, old)
    assert (verdict.promote, verdict.reason) == (True, VerdictReason.CHALLENGER_WINS)
    assert verdict.message == (
        "Better: 86.8% right, the champion 25%, on 76 new held-out rows (47 won and 0 lost, "
        "p <0.0001, asked for 0.05). Little lost: 88.7% right, the champion 90%, on 900 old "
        "held-out rows (8 won and 20 lost); with 95% confidence it loses at most 2.4%, allowed are "
        "2%. That it loses no more is seen, not shown; but the loss is shown to be at most a tenth "
        "of the gain on new rows, which is at least 52.4 points. That is enough unless "
        "spec.gate.oldData.proof is Required."
    )
    assert judged(GAMES, old, gate=FEW).promote
    assert judged(GAMES, old, gate=PROOF).reason == VerdictReason.FORGETS_OLD
    weightless = replace(GATE, old_weight=1.0)
    assert judged(GAMES, old, gate=weightless).reason == VerdictReason.FORGETS_OLD
    seen = PairedCounts(900, 780, 30, 8)
    assert judged(GAMES, seen).reason == VerdictReason.FORGETS_OLD
    assert judged(GAMES, old, gate=replace(GATE, max_old_loss=0.01)).reason == (
        VerdictReason.FORGETS_OLD
    )


def test_a_gain_that_is_likely_is_enough_on_few_rows_where_old_ones_stand_beside_it() -> None:
    """Of labels that are believed against the old ones more is asked: those may be wrong."""
    new, old = PairedCounts(60, 36, 6, 12), PairedCounts(100, 80, 5, 5)
    likely = judged(new, old)
    assert likely.promote
    assert "with 80% confidence" in likely.message
    surer = judged(new, old, gate=replace(GATE, weighed_confidence=0.95))
    assert surer.reason == VerdictReason.NO_IMPROVEMENT
    for alone in (judged(new, old, drift=True), judged(new, None)):
        assert alone.reason == VerdictReason.NO_IMPROVEMENT
        assert "with 95% confidence" in alone.message


def test_more_is_asked_where_no_cause_is_named_and_of_the_better_of_two() -> None:
    gate = gate_for(GATE, TrainingPlan())
    assert (gate.confidence, gate.weighed_confidence) == (0.95, 0.8)
    gate = gate_for(GATE, TrainingPlan(cause_open=True))
    assert (gate.confidence, gate.weighed_confidence) == (0.95, 0.95)
    gate = gate_for(GATE, TrainingPlan(cause_open=True, race=True))
    assert (gate.confidence, gate.weighed_confidence) == pytest.approx((0.975, 0.975))
    gate = gate_for(replace(GATE, weighed_confidence=0.99), TrainingPlan(cause_open=True))
    assert gate.weighed_confidence == 0.99


@pytest.mark.slow
@calmly
@given(
    st.integers(0, 60), st.integers(0, 60), st.integers(0, 60), st.integers(0, 60),
    st.integers(0, 60), st.integers(0, 60),
)  # fmt: skip
def test_one_more_win_never_undoes_a_promotion(
    both: int, lost: int, won: int, old_both: int, old_lost: int, old_won: int
) -> None:
    new = PairedCounts(both + lost + won + 1, both, lost, won)
    old = PairedCounts(old_both + old_lost + old_won, old_both, old_lost, old_won)
    if judged(new, old, gate=FEW).promote:
        assert judged(replace(new, challenger_only=won + 1), old, gate=FEW).promote


# --- the first version ------------------------------------------------------------------


def test_a_first_version_must_beat_the_most_frequent_label() -> None:
    verdict = first(None, PairedCounts(500, 200, 10, 200))
    assert (verdict.promote, verdict.reason) == (True, VerdictReason.FIRST_VERSION)
    assert verdict.message == (
        "The first version gets 80% of 500 held-out rows right, against 42% by always naming the "
        "most frequent label (200 won and 10 lost, p <0.0001, asked for 0.05)."
    )
    bad = first(None, PairedCounts(500, 200, 100, 100))
    assert (bad.promote, bad.reason) == (False, VerdictReason.NOT_BETTER_THAN_MAJORITY)
    assert bad.old == Score(500, 0.6, 0.6)


def test_where_a_class_is_rare_another_metric_is_named() -> None:
    """Whoever always answers the frequent class is right nearly always."""
    rare = first(None, PairedCounts(1000, 985, 10, 3))
    assert "set gate.metric to BalancedAccuracy" in rare.message
    assert "gate.metric" not in first(None, PairedCounts(500, 200, 100, 100)).message


def test_a_first_version_is_judged_on_all_held_out_rows() -> None:
    """Neither side alone is enough."""
    half = PairedCounts(4, 1, 0, 3)
    assert not first(half, None).promote
    assert not first(None, half).promote
    assert first(half, half).promote


def test_a_first_version_needs_a_row() -> None:
    verdict = first(None, PairedCounts(0, 0, 0, 0))
    assert verdict.reason == VerdictReason.NOT_BETTER_THAN_MAJORITY
    assert "spec.data.holdout" in verdict.message


# --- a model that was brought along -----------------------------------------------------


def imported(new: PairedCounts | None, old: PairedCounts | None, **changes: Any) -> Verdict:
    report = a_report(new, old, reference=Reference.MAJORITY_CLASS, **changes)
    return judge(report, gate=GATE, champion=None, concept_drift=False, imported=True)


def test_a_model_brought_along_may_not_do_worse_than_the_most_frequent_label() -> None:
    equal = PairedCounts(500, 200, 50, 50)
    verdict = imported(None, equal)
    assert (verdict.promote, verdict.reason) == (True, VerdictReason.IMPORTED)
    assert verdict.message == (
        "The model of spec.model.initialModel gets 50% of 500 held-out rows right, against 50% by "
        "always naming the most frequent label. They may be among what it was trained on: it is "
        "the right model, no more is shown."
    )
    verdict = imported(PairedCounts(100, 20, 30, 0), equal)
    assert (verdict.promote, verdict.reason) == (False, VerdictReason.WORSE_THAN_MAJORITY)
    assert "gets 45% of 600 held-out rows right, against 50% by" in verdict.message
    assert "or remove spec.model.initialModel, and a first version is trained" in verdict.message
    assert verdict.new == Score(100, 0.5, 0.2)


def test_a_model_brought_along_needs_a_row_and_a_report() -> None:
    verdict = imported(None, None)
    assert (verdict.promote, verdict.reason) == (False, VerdictReason.WORSE_THAN_MAJORITY)
    assert "(spec.data.holdout)" in verdict.message
    assert imported(None, SAME, candidate=None).reason == VerdictReason.REPORT_INVALID


def test_only_who_asked_for_an_import_judges_it_so_mildly() -> None:
    equal = PairedCounts(500, 200, 50, 50)
    claims = Candidate(7, "sha256:seven", TrainingAction.IMPORT)
    assert first(None, equal, candidate=claims).reason == VerdictReason.NOT_BETTER_THAN_MAJORITY


# --- reports that cannot be judged ------------------------------------------------------


@pytest.mark.parametrize(
    "changes, said",
    [
        ({"operation": Operation.DIAGNOSE}, "of a diagnosis"),
        ({"outcome": Outcome.FAILED, "reason": "OutOfMemory"}, "(OutOfMemory)"),
        ({"outcome": Outcome.FAILED}, "(no reason given)"),
        ({"candidate": None}, "no challenger"),
        ({"candidate": Candidate(7, "", TrainingAction.RETRAIN)}, "no challenger"),
        ({"candidate": Candidate(6, "sha256:x", TrainingAction.RETRAIN)}, "no newer"),
        ({"evaluation": None}, "no evaluation"),
        ({"reference": Reference.MAJORITY_CLASS}, "against MajorityClass, not Champion"),
        ({"new": PairedCounts(10, 5, 5, 5)}, "contradict"),
        ({"old": PairedCounts(10, -1, 5, 5)}, "contradict"),
    ],
)
def test_a_report_that_does_not_belong_is_refused(changes: dict[str, Any], said: str) -> None:
    verdict = judged(**changes)
    assert (verdict.promote, verdict.reason) == (False, VerdictReason.REPORT_INVALID)
    assert said in verdict.message
    assert (verdict.new, verdict.old) == (None, None)


def test_a_first_version_is_not_scored_against_a_champion() -> None:
    verdict = first(BETTER, SAME, reference=Reference.CHAMPION)
    assert verdict.reason == VerdictReason.REPORT_INVALID


def test_a_report_that_was_asked_for_again_is_as_good() -> None:
    assert judged(operation=Operation.REPORT).promote


# --- properties -------------------------------------------------------------------------


@st.composite
def counts(draw: st.DrawFn) -> PairedCounts:
    n = draw(st.integers(1, 600))
    both = draw(st.integers(0, n))
    lost = draw(st.integers(0, n - both))
    return PairedCounts(n, both, lost, draw(st.integers(0, n - both - lost)))


gates = st.builds(
    Gate,
    st.floats(0.0, 0.3),
    st.sampled_from([0.8, 0.95]),
    st.floats(0.0, 1.0),
    st.sampled_from(list(OnConceptDrift)),
)


def mended(counts: PairedCounts) -> PairedCounts:
    """One more row that only the challenger gets right, of those where it could be."""
    if counts.champion_only:
        return replace(
            counts, champion_only=counts.champion_only - 1, both_correct=counts.both_correct + 1
        )
    wrong = counts.n - counts.both_correct - counts.challenger_only
    return replace(counts, challenger_only=counts.challenger_only + min(1, wrong))


@pytest.mark.slow
@calmly
@given(new=counts(), old=counts(), gate=gates, drift=st.booleans())
def test_a_better_challenger_is_never_refused_instead(
    new: PairedCounts, old: PairedCounts, gate: Gate, *, drift: bool
) -> None:
    before = judged(new, old, gate=gate, drift=drift)
    if before.promote:
        assert judged(mended(new), old, gate=gate, drift=drift).promote
        assert judged(new, mended(old), gate=gate, drift=drift).promote
    assert 0 < len(before.message) <= 1024
    assert judged(new, old, gate=gate, drift=drift) == before


@pytest.mark.slow
@calmly
@given(new=counts(), old=counts(), gate=gates)
def test_a_better_first_version_is_never_refused_instead(
    new: PairedCounts, old: PairedCounts, gate: Gate
) -> None:
    if first(new, old, gate).promote:
        assert first(mended(new), old, gate).promote
        assert first(new, mended(old), gate).promote


@pytest.mark.slow
@calmly
@given(
    new=counts(),
    old=counts(),
    gate=gates,
    proof=st.sampled_from(list(Proof)),
    drift=st.booleans(),
)
@example(
    new=PairedCounts(3, 0, 0, 3),
    old=PairedCounts(3, 0, 0, 2),
    gate=Gate(0.0, 0.8, 5e-324, OnConceptDrift.REPORT_ONLY),
    proof=Proof.AUTO,
    drift=False,
)
@example(
    new=PairedCounts(100, 40, 5, 40),
    old=PairedCounts(1200, 1030, 50, 30),
    gate=Gate(0.0, 0.95, 0.02, OnConceptDrift.REPORT_ONLY),
    proof=Proof.AUTO,
    drift=False,
)
@example(
    new=PairedCounts(100, 10, 5, 80),
    old=PairedCounts(1600, 1270, 40, 20),
    gate=Gate(0.0, 0.95, 0.015, OnConceptDrift.REPORT_ONLY),
    proof=Proof.AUTO,
    drift=False,
)
@example(
    new=PairedCounts(100, 10, 5, 80),
    old=PairedCounts(1600, 1270, 40, 15),
    gate=Gate(0.0, 0.95, 0.015, OnConceptDrift.REPORT_ONLY),
    proof=Proof.AUTO,
    drift=False,
)
@example(
    new=PairedCounts(100, 10, 5, 80),
    old=PairedCounts(60, 40, 10, 2),
    gate=Gate(0.0, 0.95, 0.04, OnConceptDrift.REPORT_ONLY),
    proof=Proof.NOT_REQUIRED,
    drift=False,
)
def test_surer_or_stricter_promotes_no_more(
    new: PairedCounts, old: PairedCounts, gate: Gate, proof: Proof, *, drift: bool
) -> None:
    gate = replace(gate, proof=proof)
    if not judged(new, old, gate=gate, drift=drift).promote:
        for stricter in (
            replace(gate, confidence=0.999),
            replace(gate, max_old_loss=gate.max_old_loss / 2),
            replace(gate, min_improvement=gate.min_improvement + 0.1),
            replace(gate, proof=Proof.AUTO if proof is Proof.NOT_REQUIRED else Proof.REQUIRED),
        ):
            assert not judged(new, old, gate=stricter, drift=drift).promote

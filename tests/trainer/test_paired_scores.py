"""Metrics that are no mean over rows, and the error of their differences."""

import math
from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import balanced_accuracy_score, f1_score, roc_auc_score

from maintenance_contract import (
    Candidate,
    Evaluation,
    HeldOut,
    Operation,
    Outcome,
    PairedScore,
    Reference,
    ScoreMetric,
    TrainingAction,
    TrainingReport,
)
from maintenance_contract.codec import Fields
from maintenance_trainer.cli.tables import comparison
from maintenance_trainer.design_effect import design_effect
from maintenance_trainer.evaluate import Answers, evaluation, held_out
from maintenance_trainer.paired_scores import Predictions, paired_score
from maintenance_trainer.recipes.race import _worth

Labels = tuple[str, ...]


def _drawn(seed: int, n: int, classes: int) -> tuple[Labels, Labels, Labels]:
    """Labels, and two models that are right on some eight tenths of them."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, classes, n)

    def model() -> Labels:
        right = rng.random(n) < 0.8
        return tuple(f"c{k}" for k in np.where(right, truth, rng.integers(0, classes + 1, n)))

    return tuple(f"c{k}" for k in truth), model(), model()


def _score(metric: ScoreMetric, truth: Labels, *models: Labels) -> PairedScore:
    found = paired_score(metric, truth, *(Predictions(labels) for labels in models))
    assert found is not None
    return found


@pytest.mark.parametrize("classes", [2, 5, 20])
@pytest.mark.parametrize("seed", range(5))
def test_scores_are_those_of_scikit_learn(seed: int, classes: int) -> None:
    truth, champion, challenger = _drawn(seed, 60, classes)
    balanced = _score(ScoreMetric.BALANCED_ACCURACY, truth, champion, challenger)
    macro = _score(ScoreMetric.MACRO_F1, truth, champion, challenger)
    of_rows = sorted(set(truth))
    for model, recall, f1 in (
        (champion, balanced.champion, macro.champion),
        (challenger, balanced.challenger, macro.challenger),
    ):
        known = tuple(label if label in of_rows else of_rows[0] + "?" for label in model)
        expected = np.mean(
            [
                np.mean([m == t for m, t in zip(model, truth, strict=True) if t == c])
                for c in of_rows
            ]
        )
        assert recall == pytest.approx(expected)
        assert f1 == pytest.approx(
            f1_score(truth, known, labels=of_rows, average="macro", zero_division=0)
        )
    within = tuple(label if label in of_rows else of_rows[0] for label in champion)
    assert _score(
        ScoreMetric.BALANCED_ACCURACY, truth, within, challenger
    ).champion == pytest.approx(balanced_accuracy_score(truth, within))


@pytest.mark.parametrize("digits", [1, 6])
def test_the_area_under_the_curve_and_the_error_of_delong(digits: int) -> None:
    rng = np.random.default_rng(3)
    truth = rng.random(150) < 0.3
    champion = np.round(rng.normal(truth * 1.0, 1.0), digits)
    challenger = np.round(champion + rng.normal(truth * 0.4, 0.5), digits)
    labels = tuple("yes" if one else "no" for one in truth)
    found = paired_score(
        ScoreMetric.AUROC, labels, Predictions((), champion), Predictions((), challenger)
    )
    assert found is not None
    assert found.champion == pytest.approx(roc_auc_score(truth, champion))
    assert found.challenger == pytest.approx(roc_auc_score(truth, challenger))
    assert found.standard_error == pytest.approx(_delong(truth, champion, challenger), rel=0.05)


def _delong(
    truth: NDArray[np.bool_], champion: NDArray[np.float64], challenger: NDArray[np.float64]
) -> float:
    """The standard error of the difference by the structural components, as published."""

    def kernel(scores: NDArray[np.float64]) -> NDArray[np.float64]:
        above = scores[truth][:, None] - scores[~truth][None]
        return np.where(above > 0, 1.0, np.where(above == 0, 0.5, 0.0))

    difference = kernel(challenger) - kernel(champion)
    of_positive, of_negative = difference.mean(axis=1), difference.mean(axis=0)
    return math.sqrt(
        of_positive.var(ddof=1) / len(of_positive) + of_negative.var(ddof=1) / len(of_negative)
    )


def test_the_error_of_accuracy_is_that_of_a_paired_mean() -> None:
    truth, champion, challenger = _drawn(1, 80, 3)
    found = _score(ScoreMetric.ACCURACY, truth, champion, challenger)
    gains = np.array(
        [(b == t) - float(a == t) for t, a, b in zip(truth, champion, challenger, strict=True)]
    )
    assert found.difference == pytest.approx(gains.mean())
    assert found.standard_error == pytest.approx(gains.std(ddof=1) / math.sqrt(80))


@pytest.mark.parametrize("metric", [ScoreMetric.BALANCED_ACCURACY, ScoreMetric.MACRO_F1])
def test_equal_models_differ_by_nothing_but_few_rows_show_little(metric: ScoreMetric) -> None:
    few, _, _ = _drawn(2, 20, 4)
    found = _score(metric, few, few, few)
    assert (found.champion, found.challenger, found.standard_error) == (1.0, 1.0, 0.0)
    many, _, _ = _drawn(2, 2000, 4)
    assert found.adjusted_error > 5 * _score(metric, many, many, many).adjusted_error > 0.0


def test_the_order_of_rows_and_labels_of_no_row_change_nothing() -> None:
    truth, champion, challenger = _drawn(4, 50, 3)
    turned = [tuple(reversed(one)) for one in (truth, champion, challenger)]
    for metric in (ScoreMetric.BALANCED_ACCURACY, ScoreMetric.MACRO_F1):
        there, back = _score(metric, truth, champion, challenger), _score(metric, *turned)
        assert there.standard_error == pytest.approx(back.standard_error)
        assert there.adjusted_error == pytest.approx(back.adjusted_error)


@pytest.mark.parametrize(
    "metric, labels",
    [
        (ScoreMetric.AUROC, ("a", "b", "c")),
        (ScoreMetric.AUROC, ("a", "a")),
        (ScoreMetric.BALANCED_ACCURACY, ("a",)),
        (ScoreMetric.MACRO_F1, ()),
    ],
)
def test_no_score_where_a_metric_has_none(metric: ScoreMetric, labels: Labels) -> None:
    assert paired_score(metric, labels, Predictions(labels), Predictions(labels)) is None


@pytest.mark.slow
def test_many_rows_and_classes_are_scored_in_bounded_memory() -> None:
    truth, champion, challenger = _drawn(5, 20_000, 40)
    found = _score(ScoreMetric.MACRO_F1, truth, champion, challenger)
    assert 0.0 < found.standard_error < found.adjusted_error < 0.01


@pytest.mark.parametrize("metric", [ScoreMetric.ACCURACY, ScoreMetric.MACRO_F1, ScoreMetric.AUROC])
def test_a_row_that_comes_four_times_says_as_much_as_once(metric: ScoreMetric) -> None:
    truth, champion, challenger = _drawn(3, 80, 2)
    chance = np.random.default_rng(4)
    of = chance.random((2, 80))

    def repeated(labels: Labels, times: int) -> Labels:
        return tuple(label for label in labels for _ in range(times))

    alone = paired_score(
        metric, truth, Predictions(champion, of[0]), Predictions(challenger, of[1])
    )
    units = np.repeat(np.arange(80), 4)
    four = paired_score(
        metric,
        repeated(truth, 4),
        Predictions(repeated(champion, 4), np.repeat(of[0], 4)),
        Predictions(repeated(challenger, 4), np.repeat(of[1], 4)),
        units,
    )
    assert alone is not None
    assert four is not None
    assert (alone.units, four.units, four.n) == (None, 80, 320)
    assert four.difference == pytest.approx(alone.difference)
    assert four.standard_error == pytest.approx(alone.standard_error, rel=0.03)
    assert four.adjusted_error == pytest.approx(alone.adjusted_error, rel=0.1)


def test_units_that_cancel_are_taken_for_no_surer_than_single_rows() -> None:
    """Of each unit one row is won and one is lost: chance, for nothing makes rows unlike."""
    truth = ("a",) * 40
    champion, challenger = ("a", "b") * 20, ("b", "a") * 20
    single = _score(ScoreMetric.ACCURACY, truth, champion, challenger)
    models = Predictions(champion), Predictions(challenger)
    found = paired_score(ScoreMetric.ACCURACY, truth, *models, np.repeat(np.arange(20), 2))
    assert found is not None
    assert found.standard_error == single.standard_error


def test_the_design_effect_is_the_units_size_where_its_rows_are_alike() -> None:
    right = np.repeat(np.random.default_rng(0).integers(0, 2, 200).astype(float), 5)
    units = np.repeat(np.arange(200), 5)
    assert design_effect(right, units) == pytest.approx(5.0, rel=0.01)
    assert design_effect(np.ones(10), np.zeros(10, int)) == 10.0, "of other units it says nothing"
    assert design_effect(np.arange(10.0), np.zeros(10, int)) == 10.0
    assert design_effect(np.arange(10.0), np.arange(10)) == pytest.approx(1.0)


@dataclass(frozen=True)
class Point:
    """A held-out row."""

    unit: str
    stratum: str = "a"


def test_counts_have_an_error_beside_them_where_rows_belong_together() -> None:
    chance = np.random.default_rng(1)
    champion, challenger = (Answers(chance.integers(0, 2, 50).astype(float)) for _ in range(2))
    single = [Point(str(number)) for number in range(50)]
    grouped = [Point(f"g{number // 5}") for number in range(30)], single[:20]
    metric, of_champion = ScoreMetric.ACCURACY, Reference.CHAMPION
    both = single[:30], single[30:]
    assert evaluation(metric, of_champion, both, champion, challenger).scores is None  # type: ignore[arg-type]
    found = evaluation(metric, of_champion, grouped, champion, challenger)  # type: ignore[arg-type]
    assert found.scores is not None
    assert found.scores.all is None
    new, old, counts = found.scores.new, found.scores.old, found.new
    assert isinstance(new, PairedScore)
    assert isinstance(old, PairedScore)
    assert counts is not None
    assert (new.n, new.units, old.n, old.units) == (30, 6, 20, None)
    assert new.champion == counts.champion_accuracy
    assert new.challenger == counts.challenger_accuracy
    first = evaluation(metric, Reference.MAJORITY_CLASS, grouped, champion, challenger)  # type: ignore[arg-type]
    assert first.scores is not None
    assert first.scores.all is not None
    assert first.scores.all.units == 20 + 6
    read = Evaluation.read(Fields(first.document()))
    assert read.document() == first.document()
    assert _worth(found) == counts.challenger_accuracy


def test_a_person_is_told_how_many_units_there_are() -> None:
    chance = np.random.default_rng(1)
    champion, challenger = (Answers(chance.integers(0, 2, 50).astype(float)) for _ in range(2))
    both = [Point(f"g{number // 5}") for number in range(30)], [Point(str(k)) for k in range(20)]
    judged = evaluation(ScoreMetric.ACCURACY, Reference.CHAMPION, both, champion, challenger)  # type: ignore[arg-type]
    report = TrainingReport(
        operation=Operation.TRAIN,
        run=2,
        request_digest="sha256:request",
        outcome=Outcome.SUCCEEDED,
        candidate=Candidate(2, "sha256:two", TrainingAction.FINE_TUNE),
        evaluation=judged,
    )
    of_new, of_old = comparison(report).splitlines()[1:]
    assert "standard error of the difference" in of_new
    assert of_new.endswith("(6 units)")
    assert " p " in of_old


def test_the_champion_alone_is_told_with_its_design_effect() -> None:
    rows = [Point(str(number // 5)) for number in range(50)]
    losses = np.repeat(np.arange(10) % 2, 5).astype(float)
    found = held_out(ScoreMetric.ACCURACY, None, rows, losses)  # type: ignore[arg-type]
    assert isinstance(found, HeldOut)
    assert (found.n, found.correct) == (50, 25)
    assert found.design_effect == pytest.approx(50 / 10 * (10 / 9) * (49 / 50))
    single = held_out(ScoreMetric.ACCURACY, None, [Point(str(k)) for k in range(50)], losses)  # type: ignore[arg-type]
    assert single == HeldOut(50, 25)

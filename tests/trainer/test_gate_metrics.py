"""A metric of the gate, from the request to the report and the verdict."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from maintenance_contract import Operation, Reference, ScoreMetric
from maintenance_core.decide.gate import judge
from maintenance_core.spec import parse
from maintenance_trainer.cli.rules import DEFAULTS
from maintenance_trainer.errors import ConfigurationError
from maintenance_trainer.evaluate import Answers, evaluation, refuse_metric

from .test_kinds import CENTRES, RETRAIN, Plane, drawn, plane, registered

__all__ = ["registered"]

BALANCED = ScoreMetric.BALANCED_ACCURACY


class Point:
    """A held-out row."""

    def __init__(self, stratum: str) -> None:
        self.stratum = stratum
        self.unit = str(id(self))


def _answers(labels: str, truth: str, second: list[float] | None = None) -> Answers:
    loss = np.asarray([float(a != b) for a, b in zip(labels, truth, strict=True)])
    if second is None:
        return Answers(loss, tuple(labels))
    probabilities = np.stack([1 - np.asarray(second), second], axis=1).astype(np.float32)
    return Answers(loss, tuple(labels), probabilities, ("a", "b"))


def test_each_age_has_its_score_and_without_a_champion_all_rows_have_one() -> None:
    truth = "aaab" + "ab"
    rows = [Point(label) for label in truth]
    held_out = rows[:4], rows[4:]
    champion, challenger = _answers("aaaaaa", truth), _answers("aaabab", truth)
    for reference in Reference:
        found = evaluation(BALANCED, reference, held_out, champion, challenger)  # type: ignore[arg-type]
        assert found.new is not None
        assert found.new.challenger_only == 1
        assert found.scores is not None
        assert found.scores.new is not None
        assert found.scores.old is not None
        assert (found.scores.new.n, found.scores.old.n) == (4, 2)
        assert (found.scores.new.champion, found.scores.new.challenger) == (0.5, 1.0)
        alone = reference is Reference.MAJORITY_CLASS
        assert (found.scores.all is not None) == alone
    plain = evaluation(ScoreMetric.ACCURACY, Reference.CHAMPION, held_out, champion, challenger)  # type: ignore[arg-type]
    assert plain.scores is None


def test_who_knows_one_class_alone_cannot_rank() -> None:
    truth = "abab"
    rows = [Point(label) for label in truth], []
    champion = _answers("aaaa", truth)
    challenger = _answers("abab", truth, [0.2, 0.9, 0.3, 0.8])
    found = evaluation(ScoreMetric.AUROC, Reference.CHAMPION, rows, champion, challenger)  # type: ignore[arg-type]
    assert found.scores is not None
    assert found.scores.new is not None
    assert (found.scores.new.champion, found.scores.new.challenger) == (0.5, 1.0)
    assert found.scores.old is None


@pytest.mark.parametrize(
    "metric, strata, said",
    [
        (ScoreMetric.AUROC, {"a", "b", "c"}, "the rows have 3: write MacroF1, BalancedAccuracy or"),
        (ScoreMetric.AUROC, {"a"}, "the rows have 1"),
        (ScoreMetric.MACRO_F1, {""}, "the rows have none: write MAE or RMSE instead"),
        (ScoreMetric.ACCURACY, {""}, "the rows have none: write MAE or RMSE instead"),
        (
            ScoreMetric.MAE,
            {"a", "b"},
            "MAE is of numbers, and the rows have classes: write MacroF1",
        ),
    ],
)
def test_a_metric_without_a_meaning_is_refused(
    metric: ScoreMetric, strata: set[str], said: str
) -> None:
    with pytest.raises(ConfigurationError, match=said) as error:
        refuse_metric(metric, strata)
    assert error.value.reason == "MetricUndefined"


@pytest.mark.slow
def test_a_run_is_judged_by_the_metric_that_was_asked_for(tmp_path: Path) -> None:
    lab = plane(Plane, tmp_path)
    two = {name: CENTRES[name] for name in ("left", "right")}
    lab.points("original/first.csv", drawn(1, 200, **two))
    report, code = lab.do(lab.request(Operation.DIAGNOSE, 1, metric=ScoreMetric.AUROC))
    assert (report.reason, code) == ("", 0)
    first = lab.train(1, RETRAIN, report, metric=BALANCED)
    assert first.evaluation is not None
    assert first.evaluation.scores is not None
    assert first.evaluation.scores.all is not None
    assert first.evaluation.scores.all.champion == 0.5
    gate = replace(parse(DEFAULTS).gate, metric=BALANCED)
    verdict = judge(first, gate=gate, champion=None, concept_drift=False)
    assert verdict.promote, verdict.message
    # The report is read again from the manifest, as after a restart.
    assert lab.train(1, RETRAIN, report, metric=BALANCED).evaluation == first.evaluation

    lab.points("updates/top.csv", drawn(2, 60, **CENTRES))
    refused, code = lab.do(lab.request(Operation.DIAGNOSE, 2, metric=ScoreMetric.AUROC))
    assert (refused.reason, code) == ("MetricUndefined", 78)
    assert "spec.gate.metric: AUROC compares two classes" in refused.message

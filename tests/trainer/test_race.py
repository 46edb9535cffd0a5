"""Both ways on the same rows: the better one is kept, and both scores are told."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from support.laboratory import Lab, champion, headlines, write_lines

from maintenance_contract import Evaluation, PairedCounts, Reference, TrainingAction
from maintenance_trainer.recipes import Trained
from maintenance_trainer.recipes.race import Judged, race
from maintenance_trainer.tasks.task import Fitted

FINE_TUNE, RETRAIN = TrainingAction.FINE_TUNE, TrainingAction.RETRAIN


def scored(right: int, *, old_only: bool = False) -> Evaluation:
    counts = PairedCounts(100, right, 100 - right, 0)
    if old_only:
        return Evaluation(Reference.CHAMPION, None, counts)
    return Evaluation(Reference.CHAMPION, counts, None)


@pytest.mark.parametrize("old_only", [False, True])
@pytest.mark.parametrize(
    "first, second, winner", [(70, 60, FINE_TUNE), (60, 70, RETRAIN), (70, 70, FINE_TUNE)]
)
def test_the_better_one_wins_and_a_tie_goes_to_the_first(
    first: int, second: int, winner: TrainingAction, *, old_only: bool
) -> None:
    models: Any = {FINE_TUNE: "a", RETRAIN: "b"}
    right: Any = {"a": first, "b": second}

    def trainer(action: TrainingAction) -> Callable[[], Trained]:
        return lambda: Trained(models[action], {}, Fitted(2.0))

    ended = race(
        {action: trainer(action) for action in (FINE_TUNE, RETRAIN)},
        lambda model: Judged(scored(right[model], old_only=old_only)),
    )

    assert (ended.action, ended.trained.model) == (winner, models[winner])
    assert set(ended.scores) == {FINE_TUNE, RETRAIN}
    assert ended.seconds == 4.0, "both were paid for"


@pytest.mark.slow
def test_one_job_trains_both_and_writes_the_winner(make_lab: Callable[..., Lab]) -> None:
    lab = make_lab(headlines(["finance", "sport"], 300, seed=1))
    version_1 = lab.train(1, RETRAIN, lab.diagnose(1))
    write_lines(lab.updates / "arts.jsonl", headlines(["finance", "sport", "arts"], 200, seed=5))
    found = lab.diagnose(2, champion=champion(version_1))

    report = lab.train(2, FINE_TUNE, found, champion=champion(version_1), race=True)

    assert report.candidate is not None
    assert report.candidate.version == 2
    assert not (lab.store / "versions/3").exists(), "the loser is not kept"
    manifest = json.loads((lab.store / "versions/2/manifest.json").read_text())
    race_told = manifest["race"]
    assert set(race_told) == {"FineTune", "Retrain"}

    def right(counts: dict[str, int]) -> int:
        return counts["bothCorrect"] + counts["challengerOnly"]

    best = max(("FineTune", "Retrain"), key=lambda way: right(race_told[way]["new"]))
    assert manifest["action"] == report.candidate.action.value == best
    assert manifest["evaluation"] == race_told[best]
    assert (manifest["parent"] is None) == (best == "Retrain")
    assert "FineTune gets" in report.message
    assert "Retrain gets" in report.message
    again = lab.train(2, FINE_TUNE, found, champion=champion(version_1), race=True)
    assert again == report, "a second attempt trains nothing"

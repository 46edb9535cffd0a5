"""Models of items go the whole way: what is asked of a change, and what both ways give."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from support.items import ITEMS, LATER, ItemLab, lab, users
from support.laboratory import champion

from maintenance_contract import (
    Answer,
    ChampionRef,
    Question,
    TrainingAction,
    TrainingReport,
)
from maintenance_core.decide.gate import judge
from maintenance_core.model import Champion
from maintenance_core.spec import parse
from maintenance_trainer.cli.rules import DEFAULTS

FINE_TUNE, RETRAIN = TrainingAction.FINE_TUNE, TrainingAction.RETRAIN
NOW = datetime(2026, 11, 29, tzinfo=UTC)


def first_version(folder: Path, **arguments: Any) -> tuple[ItemLab, TrainingReport]:
    made = lab(folder, **arguments)
    made.put("original/first.csv", users(1, 400))
    return made, made.train(1, RETRAIN, made.diagnose(1))


def answers(report: TrainingReport) -> dict[Question, Answer]:
    assert report.diagnosis is not None
    return {finding.question: finding.answer for finding in report.diagnosis.findings}


def evidence(report: TrainingReport) -> dict[str, float]:
    assert report.diagnosis is not None
    return {
        each.name: each.value for finding in report.diagnosis.findings for each in finding.evidence
    }


def hit_rates(report: TrainingReport, age: str = "new") -> tuple[float, float]:
    assert report.evaluation is not None
    counts = getattr(report.evaluation, age)
    return counts.champion_accuracy, counts.challenger_accuracy


def promoted(report: TrainingReport, version: ChampionRef | None) -> bool:
    served = version and Champion(version.version, "", version.digest, NOW, RETRAIN)
    gate = parse({**DEFAULTS, "model": {"task": "NextItem", **STORE}}).gate
    return judge(report, gate=gate, champion=served, concept_drift=False).promote


STORE = {"storage": {"storageUri": "pvc://local/store"}}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[ItemLab, TrainingReport]:
    return first_version(tmp_path_factory.mktemp("items"))


@pytest.mark.slow
def test_the_first_version_needs_no_base_model_and_names_its_items(
    trained: tuple[ItemLab, TrainingReport],
) -> None:
    made, first = trained
    assert promoted(first, None), first.evaluation
    popular, hits = hit_rates(first, "old")
    assert popular < 0.4  # 5 of 40 items, however they are chosen
    assert hits > 0.9
    folder = made.store / "versions/1"
    manifest = json.loads((folder / "manifest.json").read_text())
    assert set(manifest["files"]) >= {"config.json", "items.json", "model.safetensors"}
    assert (manifest["task"], manifest["labels"], manifest["baseModel"]) == ("NextItem", [], None)
    assert "NDCG@5 on old held-out rows: 0." in first.message
    items = json.loads((folder / "items.json").read_text())
    assert sorted(items["items"]) == sorted(f"i{number}" for number in range(ITEMS))
    assert sum(items["counts"]) == 8 * manifest["trainedRows"]["old"]


@pytest.mark.slow
def test_new_items_grow_the_model_and_past_preferences_stay(tmp_path: Path) -> None:
    made, first = first_version(tmp_path)
    launched = [f"n{number}" for number in range(10)]
    ring = [f"i{number}" for number in range(30)] + launched
    made.put("updates/launch.csv", users(2, 300, first=1000, names=ring, start=LATER))
    found = made.diagnose(2, champion=champion(first))
    assert 0.2 < evidence(found)["newItems"] < 0.3
    # Of old users who still judge: the last item of the others is gone, too.
    assert 0.05 < evidence(found)["goneItems"] < 0.3
    assert "judge nothing any more" in found.message
    assert answers(found)[Question.FEATURE_SPACE_CHANGE] is Answer.MINOR
    tuned = made.train(2, FINE_TUNE, found, champion=champion(first))
    before, after = hit_rates(tuned)
    assert after > before + 0.15
    assert promoted(tuned, champion(first)), tuned.evaluation
    old = hit_rates(tuned, "old")
    assert old[1] > old[0] - 0.05
    known = json.loads((made.store / "versions/1/items.json").read_text())["items"]
    grown = json.loads((made.store / "versions/2/items.json").read_text())["items"]
    assert grown[: len(known)] == known
    assert sorted(grown[len(known) :]) == sorted(launched)


@pytest.mark.slow
def test_a_catalogue_that_is_replaced_asks_for_a_retrain(
    trained: tuple[ItemLab, TrainingReport],
) -> None:
    made, first = trained
    ring = [f"i{number}" if number < 5 else f"n{number}" for number in range(ITEMS)]
    made.put("updates/replaced.csv", users(3, 300, first=1000, names=ring, start=LATER))
    found = made.diagnose(3, champion=champion(first))
    assert evidence(found)["newItems"] > 0.8
    assert answers(found)[Question.FEATURE_SPACE_CHANGE] is Answer.MAJOR
    again = made.train(3, RETRAIN, found, champion=champion(first))
    before, after = hit_rates(again)
    assert before < 0.2
    assert after > before + 0.4

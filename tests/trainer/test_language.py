"""A chatbot goes the whole way: first version, diagnosis, fine-tune, retrain, gate."""

import json
import shutil
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from support.laboratory import champion
from support.language import NEW_SUBJECTS, SUBJECTS, Bank, ChatLab, conversations, lab, with_system
from transformers import AutoModelForCausalLM, AutoTokenizer

from maintenance_contract import (
    Answer,
    ChampionRef,
    Operation,
    PairedLoss,
    Question,
    ScoreMetric,
    TrainingAction,
    TrainingReport,
)
from maintenance_core.decide.gate import judge
from maintenance_core.model import Action, Champion
from maintenance_core.spec import parse
from maintenance_trainer.cli import rules
from maintenance_trainer.locations import Places
from maintenance_trainer.store.store import Store
from maintenance_trainer.store.versions import find

FINE_TUNE, RETRAIN = TrainingAction.FINE_TUNE, TrainingAction.RETRAIN
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
NOW = datetime(2026, 11, 29, tzinfo=UTC)
SPEC = parse({**rules.DEFAULTS, "model": {**rules.DEFAULTS["model"], "task": "CausalLM"}})


@pytest.fixture(scope="module")
def taught(tmp_path_factory: pytest.TempPathFactory) -> tuple[ChatLab, TrainingReport]:
    made = lab(tmp_path_factory.mktemp("chat"), num_train_epochs=4)
    made.put("original/first.jsonl", conversations(1, 900))
    return made, made.train(1, RETRAIN, made.diagnose(1))


@pytest.fixture
def bot(taught: tuple[ChatLab, TrainingReport], tmp_path: Path) -> tuple[ChatLab, TrainingReport]:
    """The first version, in folders of its own."""
    made, first = taught
    shutil.copytree(made.claims, tmp_path / "claims")
    return replace(made, claims=tmp_path / "claims"), first


def answers(report: TrainingReport) -> dict[Question, Answer]:
    assert report.diagnosis is not None
    return {finding.question: finding.answer for finding in report.diagnosis.findings}


def losses(report: TrainingReport) -> tuple[PairedLoss, PairedLoss]:
    """On new held-out rows, and on old ones."""
    assert report.evaluation is not None
    assert report.evaluation.scores is not None
    new, old = report.evaluation.scores.new, report.evaluation.scores.old
    assert isinstance(new, PairedLoss)
    assert isinstance(old, PairedLoss)
    return new, old


def decided(made: ChatLab, report: TrainingReport, first: TrainingReport) -> Action:
    """What the operator's rules make of it."""
    assert first.candidate is not None
    request = made.request(Operation.DIAGNOSE, report.run)
    store = Store.open(f"file://{made.store}", request.resource, Places(""))
    return rules.decision_on(report, SPEC, find(store, first.candidate.version), NOW).action


def promoted(report: TrainingReport, version: ChampionRef | None) -> bool:
    served = version and Champion(version.version, "", version.digest, NOW, RETRAIN)
    return judge(report, gate=SPEC.gate, champion=served, concept_drift=False).promote


def test_the_first_version_is_a_folder_of_the_library(
    taught: tuple[ChatLab, TrainingReport],
) -> None:
    made, first = taught
    assert promoted(first, None), first.evaluation
    folder = made.store / "versions/1"
    manifest = json.loads((folder / "manifest.json").read_text())
    assert (manifest["task"], manifest["labels"]) == ("CausalLM", [])
    tokenizer: Any = AutoTokenizer.from_pretrained(folder)
    model: Any = AutoModelForCausalLM.from_pretrained(folder)
    question = [{"role": "user", "content": "Customer 5 here. What is the fee of a car loan?"}]
    asked = tokenizer.apply_chat_template(
        question, add_generation_prompt=True, return_tensors="pt", return_dict=True
    )
    told = model.generate(**asked, max_new_tokens=40, do_sample=False)
    answer = tokenizer.decode(told[0, asked["input_ids"].shape[1] :], skip_special_tokens=True)
    assert answer == f"The fee of a car loan is {Bank().fact('car loan', 'fee')} euros."


def test_nothing_has_changed(bot: tuple[ChatLab, TrainingReport]) -> None:
    made, first = bot
    made.put("updates/more.jsonl", conversations(2, 300))
    found = made.diagnose(2, champion=champion(first))
    assert set(answers(found).values()) == {Answer.NO}
    assert decided(made, found, first) is Action.NONE


def test_new_terms_are_learnt_by_going_on(bot: tuple[ChatLab, TrainingReport]) -> None:
    made, first = bot
    made.put("updates/more.jsonl", conversations(2, 300, Bank(SUBJECTS + NEW_SUBJECTS)))
    found = made.diagnose(2, champion=champion(first))
    assert answers(found)[Question.DATA_DISTRIBUTION_SHIFT] is Answer.MINOR
    assert answers(found)[Question.FEATURE_SPACE_CHANGE] is Answer.NO
    assert decided(made, found, first) is Action.FINE_TUNE
    tuned = made.train(2, FINE_TUNE, found, champion=champion(first))
    assert promoted(tuned, champion(first)), tuned.evaluation
    new, old = losses(tuned)
    assert new.challenger < new.champion / 2
    assert old.challenger - old.champion < 0.02 * old.baseline


def test_another_form_of_conversation_asks_for_a_retrain(
    bot: tuple[ChatLab, TrainingReport],
) -> None:
    made, first = bot
    changed = conversations(2, 300, Bank(SUBJECTS + NEW_SUBJECTS), with_system)
    made.put("updates/more.jsonl", changed)
    found = made.diagnose(2, champion=champion(first))
    assert answers(found)[Question.FEATURE_SPACE_CHANGE] is Answer.MAJOR
    assert decided(made, found, first) is Action.RETRAIN
    again = made.train(2, RETRAIN, found, champion=champion(first))
    assert promoted(again, champion(first)), again.evaluation


def test_other_facts_are_a_drift_of_the_concept(bot: tuple[ChatLab, TrainingReport]) -> None:
    made, first = bot
    made.put("updates/more.jsonl", conversations(2, 300, Bank(shift=1)))
    found = made.diagnose(2, champion=champion(first))
    assert answers(found)[Question.CONCEPT_DRIFT] is Answer.MAJOR
    assert answers(found)[Question.DATA_DISTRIBUTION_SHIFT] is Answer.NO
    assert decided(made, found, first) is Action.RETRAIN


def test_versions_can_be_compared_by_exact_answers(bot: tuple[ChatLab, TrainingReport]) -> None:
    made, first = bot
    made.put("updates/more.jsonl", conversations(2, 300, Bank(shift=1)))
    metric = ScoreMetric.EXACT_MATCH
    found = made.diagnose(2, champion=champion(first), metric=metric)
    assert found.diagnosis is not None
    new, old = found.diagnosis.new, found.diagnosis.old
    assert new is not None
    assert old is not None
    assert old.score > 0.6
    assert new.score < 0.3
    assert answers(found)[Question.CONCEPT_DRIFT] is Answer.MAJOR

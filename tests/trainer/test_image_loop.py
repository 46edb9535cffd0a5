"""The whole way with real handwritten digits: what the rules decide, and what both ways would give.

The decision is the product's own, from a diagnosis of real images; it is checked by training both
ways on the same rows.
"""

import json
import logging
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from support import pictures
from support.laboratory import Lab, champion
from support.pictures import ImageLab

from maintenance_contract import (
    Holdout,
    Operation,
    Task,
    TrainingAction,
    TrainingReport,
    columns_of,
)
from maintenance_contract.codec import Fields
from maintenance_contract.exits import CONFIGURATION_ERROR
from maintenance_core.decide.gate import judge
from maintenance_core.model import Champion, Decision
from maintenance_core.spec import parse
from maintenance_trainer.cli import command, rules
from maintenance_trainer.locations import Places
from maintenance_trainer.store import versions
from maintenance_trainer.store.provenance import read_race
from maintenance_trainer.store.store import Store

FINE_TUNE, RETRAIN = TrainingAction.FINE_TUNE, TrainingAction.RETRAIN
NOW = datetime(2026, 11, 29, tzinfo=UTC)
FIRST, LATER = slice(0, 900), slice(900, 1797)
pytestmark = pytest.mark.slow
LOG = logging.getLogger(__name__)
First = tuple[ImageLab, TrainingReport]
Images = Sequence[tuple[bytes, str]]


@dataclass(frozen=True)
class Arms:
    """Accuracy on new held-out images: the champion's, and after training each way."""

    raced: TrainingReport
    before: float
    fine_tuned: float
    retrained: float


@pytest.fixture(scope="session")
def digits(tmp_path_factory: pytest.TempPathFactory) -> First:
    """A store with version 1, trained on digits; shared: tests work on copies."""
    folder = tmp_path_factory.mktemp("digits")
    base = pictures.base_model(folder / "base")
    lab = ImageLab(folder / "claims", base, pictures.QUICK)
    pictures.put(lab.original, pictures.digits(FIRST))
    lab.updates.mkdir()
    return lab, lab.train(1, RETRAIN, lab.diagnose(1))


@pytest.fixture
def copied(digits: First, tmp_path: Path) -> Callable[[Images], First]:
    """The same store by itself, with newly labelled images."""

    def make(images: Images) -> First:
        lab, version_1 = digits
        shutil.copytree(lab.claims, tmp_path / "claims")
        mine = replace(lab, claims=tmp_path / "claims")
        pictures.put(mine.updates, images)
        return mine, version_1

    return make


def decided(lab: ImageLab, report: TrainingReport, version_1: TrainingReport) -> Decision:
    """What the operator's rules make of a diagnosis."""
    request = lab.request(Operation.DIAGNOSE, report.run)
    store = Store.open(request.model.storage, request.resource, Places(str(lab.claims)))
    version = versions.champion(store, champion(version_1))
    places = rules.Places(lab.original, lab.updates, lab.base_model, lab.store)
    columns = columns_of(Task.IMAGE_CLASSIFICATION)
    spec = rules.spec(Task.IMAGE_CLASSIFICATION, places, columns, Holdout(), 50, lab.arguments)
    return rules.decision_on(report, spec, version, NOW)


def both_ways(lab: ImageLab, report: TrainingReport, version_1: TrainingReport) -> Arms:
    """Trains both ways on the rows of a diagnosis."""
    raced = lab.train(report.run, FINE_TUNE, report, champion=champion(version_1), race=True)
    manifest = json.loads((lab.store / "versions/2/manifest.json").read_text())
    arms = read_race(Fields(manifest))
    fine_tuned, retrained = arms[FINE_TUNE].new, arms[RETRAIN].new
    assert fine_tuned is not None
    assert retrained is not None
    found = Arms(
        raced,
        fine_tuned.champion_accuracy,
        fine_tuned.challenger_accuracy,
        retrained.challenger_accuracy,
    )
    LOG.info(
        "champion %.3f, FineTune %.3f, Retrain %.3f",
        found.before,
        found.fine_tuned,
        found.retrained,
    )
    return found


def test_the_first_version_reads_digits_and_is_a_folder_for_any_server(digits: First) -> None:
    lab, version_1 = digits
    assert version_1.evaluation is not None
    assert version_1.evaluation.old is not None
    assert version_1.evaluation.old.challenger_accuracy > 0.9
    folder = lab.store / "versions/1"
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["task"] == "ImageClassification"
    assert manifest["labels"] == [f"digit-{digit}" for digit in range(10)]
    assert {"config.json", "model.safetensors", "preprocessor_config.json"} <= set(
        manifest["files"]
    )


def test_strokes_a_little_thicker_ask_for_a_fine_tune(copied: Callable[[Images], First]) -> None:
    lab, version_1 = copied(pictures.digits(LATER, pictures.thicker))
    found = lab.diagnose(2, champion=champion(version_1))
    decision = decided(lab, found, version_1)
    assert (decision.action.value, decision.reason) == ("FineTune", "DomainExpansion")
    arms = both_ways(lab, found, version_1)
    assert arms.fine_tuned > arms.before
    assert arms.fine_tuned > arms.retrained - 0.02, "a retrain would cost more and give no more"
    served = Champion(1, "", champion(version_1).digest, NOW, RETRAIN)
    gate = parse(rules.DEFAULTS).gate
    assert judge(arms.raced, gate=gate, champion=served, concept_drift=False).promote


@pytest.mark.parametrize(
    "change, reason, said",
    [
        (pictures.of_another_scanner, "FeatureSpaceChanged", "unseenImageSizes"),
        (pictures.inverted, "DistributionShift", "outsideSupport"),
    ],
)
def test_images_of_another_kind_ask_for_a_retrain(
    copied: Callable[[Images], First], change: pictures.Change, reason: str, said: str
) -> None:
    lab, version_1 = copied(pictures.digits(LATER, change))
    found = lab.diagnose(2, champion=champion(version_1))
    decision = decided(lab, found, version_1)
    assert (decision.action.value, decision.reason) == ("Retrain", reason)
    assert said in decision.message
    arms = both_ways(lab, found, version_1)
    assert arms.retrained > arms.before + 0.3
    assert arms.retrained >= arms.fine_tuned - 0.02


def test_a_class_that_is_new_grows_the_head(copied: Callable[[Images], First]) -> None:
    crosses = pictures.digits(slice(1300, 1500), pictures.crossed_out)
    lab, version_1 = copied(
        [*pictures.digits(slice(900, 1300)), *((image, "crossed out") for image, _ in crosses)]
    )
    found = lab.diagnose(2, champion=champion(version_1))
    assert found.diagnosis is not None
    assert found.diagnosis.new_labels == ("crossed out",)
    tuned = lab.train(2, FINE_TUNE, found, champion=champion(version_1))
    manifest = json.loads((lab.store / "versions/2/manifest.json").read_text())
    assert manifest["labels"] == [*(f"digit-{digit}" for digit in range(10)), "crossed out"]
    assert manifest["trainedRows"]["old"] == manifest["trainedRows"]["new"] // 2, "replayed"
    assert tuned.evaluation is not None
    assert tuned.evaluation.new is not None
    assert tuned.evaluation.new.challenger_accuracy > 0.9
    assert tuned.evaluation.new.champion_accuracy < 0.75


def test_images_that_mean_something_else_now_contradict_old_ones(
    copied: Callable[[Images], First],
) -> None:
    swapped = {"digit-3": "digit-8", "digit-8": "digit-3", "digit-1": "digit-7"}
    swapped["digit-7"] = "digit-1"
    lab, version_1 = copied(
        [(image, swapped.get(label, label)) for image, label in pictures.digits(LATER)]
    )
    found = lab.diagnose(2, champion=champion(version_1))
    decision = decided(lab, found, version_1)
    assert decision.reason in {"ConceptDrift", "ConceptReplaced"}
    retrained = lab.train(
        2, RETRAIN, found, champion=champion(version_1), exclude_contradicted=True
    )
    manifest = json.loads((lab.store / "versions/2/manifest.json").read_text())
    of_these = sum(label in swapped for _, label in pictures.digits(FIRST))
    assert 0.5 * of_these * 599 / 900 < manifest["excludedContradicted"] < 1.2 * of_these
    assert retrained.evaluation is not None
    assert retrained.evaluation.new is not None
    assert retrained.evaluation.new.challenger_accuracy > 0.9


def test_a_classifier_made_elsewhere_becomes_the_first_version(
    digits: First, tmp_path: Path
) -> None:
    lab, _ = digits
    brought = tmp_path / "claims/models/brought"
    shutil.copytree(lab.store / "versions/1", brought)
    (brought / "manifest.json").unlink()
    (brought / "optimizer.pt").write_bytes(b"a pickle")
    mine = replace(lab, claims=tmp_path / "claims")
    pictures.put(mine.original, pictures.digits(slice(900, 1000)))
    mine.updates.mkdir()
    model = replace(mine.request(Operation.DIAGNOSE, 1).model, initial_model="pvc://models/brought")
    found = mine.diagnose(1, model=model)
    assert found.diagnosis is not None
    assert found.diagnosis.old is not None
    assert found.diagnosis.old.correct / found.diagnosis.old.n > 0.9
    mine.train(1, TrainingAction.IMPORT, found, model=model)
    names = {path.name for path in (mine.store / "versions/1").iterdir()}
    assert names == {
        "config.json", "manifest.json", "model.safetensors", "preprocessor_config.json"
    }  # fmt: skip


def test_a_version_of_images_is_no_champion_for_texts(digits: First, base_model: Path) -> None:
    lab, version_1 = digits
    texts = Lab(lab.claims, base_model, {})
    report, code = texts.do(texts.request(Operation.DIAGNOSE, 90, champion=champion(version_1)))
    assert (report.reason, code) == ("ChampionOfOtherTask", CONFIGURATION_ERROR)
    assert "write task: ImageClassification" in report.message


def test_the_command_for_a_person_keeps_images(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pictures.put(tmp_path / "original", pictures.digits(slice(0, 80)))
    (tmp_path / "original/digit-0/notes.txt").write_text("scanned on Monday")
    (tmp_path / "original/digit-0/torn.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    (tmp_path / "updates").mkdir()
    pictures.base_model(tmp_path / "base")
    options = [
        *("--task", "ImageClassification", "--set", "num_train_epochs=1"),
        *(f"--{name}={tmp_path / name.replace('-', '_')}" for name in ("original", "updates")),
        *("--base-model", str(tmp_path / "base"), "--store", str(tmp_path / "store")),
    ]
    assert command.main(["diagnose", *options]) == 0
    told = capsys.readouterr().out
    assert "10 labels" in told
    assert "original/digit-0/torn.png (cannot be decoded" in told
    assert "original/digit-0/notes.txt (none of .png" in told
    assert "The rules' answer: Retrain (FirstVersion)" in told
    assert command.main(["train", *options]) == 0
    assert "version 1 by retrain" in capsys.readouterr().out

"""A training that diverges leaves no version, and a model of no numbers is told as what it is."""

import json
import math
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.laboratory import Lab, champion, headlines, write_csv

from maintenance_contract import (
    ChampionRef,
    Operation,
    Outcome,
    Snapshot,
    TrainingAction,
    TrainingReport,
)
from maintenance_contract.codec import canonical, digest
from maintenance_trainer.data.folders import Origin
from maintenance_trainer.errors import ConfigurationError
from maintenance_trainer.model_field import Given
from maintenance_trainer.progress import Silent
from maintenance_trainer.store.versions import sha256
from maintenance_trainer.tasks.huggingface.classification import Classifier
from maintenance_trainer.tasks.text_classification import TASK
from maintenance_trainer.tasks.texts import make_row

First = tuple[Lab, TrainingReport]


@pytest.mark.slow
@pytest.mark.parametrize("steps", [3, 60])
def test_a_training_that_diverges_writes_no_version_and_names_the_argument(
    make_lab: Callable[..., Lab], steps: int
) -> None:
    lab = make_lab(
        headlines(["finance", "sport"], 200, seed=1),
        learning_rate=1e12,
        max_grad_norm=0.0,
        max_steps=steps,
    )
    found = lab.diagnose(1)
    report, code = lab.do(
        lab.request(
            Operation.TRAIN,
            1,
            action=TrainingAction.RETRAIN,
            snapshot=Snapshot(1, found.snapshot_digest),
        )
    )
    assert (report.outcome, report.reason, code) == (Outcome.FAILED, "TrainingDiverged", 78)
    assert "Lower training.retrain.arguments.learning_rate (it is 1e+12)" in report.message
    assert "or give max_grad_norm a number above 0" in report.message
    assert not list((lab.store / "versions").iterdir())


def rewritten(folder: Path, change: Callable[[str, Any], Any]) -> ChampionRef:
    """A version whose weights were such when it was written: its manifest fits."""
    from safetensors.torch import load_file, save_file  # noqa: PLC0415  # torch

    path = folder / "model.safetensors"
    changed = [change(name, each) for name, each in load_file(path).items()]
    save_file(dict(changed), path, metadata={"format": "pt"})
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"]["model.safetensors"] = sha256(path)
    (folder / "manifest.json").write_text(canonical(manifest))
    return ChampionRef(int(folder.name), digest(canonical(manifest)))


SPOILT: dict[str, tuple[Callable[[str, Any], Any], str]] = {
    "nan": (lambda name, each: (name, each.fill_(math.nan)), "of its tensors hold NaN or infinity"),
    "too large": (
        lambda name, each: (name, each.fill_(3e38) if "classifier" in name else each),
        "with NaN or infinity, though its weights are finite",
    ),
    "compiled": (lambda name, each: (f"_orig_mod.{name}", each), "begin with '_orig_mod.'"),
}


@pytest.fixture
def kept(first: First, tmp_path: Path) -> Lab:
    lab = replace(first[0], claims=tmp_path / "claims")
    shutil.copytree(first[0].claims, lab.claims)
    write_csv(lab.updates / "new.csv", headlines(["finance", "sport"], 100, seed=9))
    return lab


@pytest.mark.slow
@pytest.mark.parametrize("case", SPOILT)
def test_a_champion_of_no_numbers_is_told(kept: Lab, case: str) -> None:
    change, told = SPOILT[case]
    reference = rewritten(kept.store / "versions/1", change)
    report, code = kept.do(kept.request(Operation.DIAGNOSE, 77, champion=reference))
    assert (report.reason, code) == ("ChampionUnreadable", 78)
    assert report.message.startswith("the champion: ")
    assert told in report.message


@pytest.mark.slow
def test_a_champion_that_answers_always_alike_is_diagnosed(kept: Lab) -> None:
    reference = rewritten(kept.store / "versions/1", lambda name, each: (name, each.zero_()))
    report, code = kept.do(kept.request(Operation.DIAGNOSE, 78, champion=reference))
    assert code == 0, report.message


@pytest.mark.slow
@pytest.mark.parametrize("spoil", ["weights", "tokenizer"])
def test_what_cannot_be_read_back_is_not_published(
    first: First, make_lab: Callable[..., Lab], monkeypatch: pytest.MonkeyPatch, spoil: str
) -> None:
    """A disk or a library that loses what it was given."""
    lab = make_lab(headlines(["finance", "sport"], 60, seed=1), num_train_epochs=1)
    found = lab.diagnose(1)
    save = TASK.save

    def worse(classifier: Classifier, folder: Path) -> None:
        save(classifier, folder)
        if spoil == "weights":
            from safetensors.torch import load_file, save_file  # noqa: PLC0415  # torch

            path = folder / "model.safetensors"
            lost = {n: each * 0 for n, each in load_file(path).items()}
            save_file(lost, path, metadata={"format": "pt"})
        else:
            for path in [*folder.glob("token*"), *folder.glob("vocab*")]:
                path.unlink()

    monkeypatch.setattr(TASK, "save", worse)
    report, code = lab.do(
        lab.request(
            Operation.TRAIN,
            1,
            action=TrainingAction.RETRAIN,
            snapshot=Snapshot(1, found.snapshot_digest),
        )
    )
    assert (report.reason, code) == ("StoreUnwritable", 78)
    assert "cannot be read back" in report.message
    assert not list((lab.store / "versions").iterdir())


@pytest.mark.slow
def test_a_first_model_whose_outputs_are_no_numbers_is_named(first: First, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(first[0].store / "versions/1", tmp_path / "1"))
    rewritten(folder, SPOILT["too large"][0])
    brought = TASK.from_initial(folder)
    row = make_row("shares", "finance", Origin.ORIGINAL, new=False)
    with pytest.raises(ConfigurationError, match=Given.INITIAL) as refused:
        TASK.outputs(brought, [row], Silent(), "")
    assert refused.value.reason == "InitialModelUnreadable"
    assert champion(first[1]).version == 1

"""Classifiers of images: which can be taken, what is made of them, what is refused."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from PIL import Image
from safetensors.torch import load_file, save_file
from support import pictures
from transformers import AutoImageProcessor, AutoModelForImageClassification

from maintenance_trainer import tasks
from maintenance_trainer.errors import ConfigurationError
from maintenance_trainer.model_field import Given
from maintenance_trainer.progress import Silent
from maintenance_trainer.tasks.image_classification import TASK
from maintenance_trainer.tasks.image_files import ImageRow

KINDS = {"resnet": 64, "convnext": 32, "vit": 32}
"""Architectures, and how wide their last hidden state is."""
Base = Callable[[str], Path]


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("bases")
    return {kind: pictures.base_model(folder / kind, kind) for kind in KINDS}


@pytest.fixture
def base(made: dict[str, Path], tmp_path: Path) -> Base:
    """A copy that a test may break."""
    return lambda kind: Path(shutil.copytree(made[kind], tmp_path / kind))


def row(image: Any, label: str = "one") -> ImageRow:
    return pictures.row(pictures.png(image), label)


ROWS = [
    row(Image.new("RGB", (40, 30), (250, 20, 20))),
    row(Image.new("L", (7, 90), 30), "other"),
    row(Image.new("RGBA", (32, 32), (0, 0, 250, 9)), "other"),
]


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_every_architecture_is_rehearsed_scored_kept_and_loaded(
    made: dict[str, Path], tmp_path: Path, kind: str
) -> None:
    assert tasks.find("ImageClassification") is TASK
    TASK.source.check_model("pvc://models/base", made[kind], Given.BASE)
    tiny = TASK.rehearse(made[kind], Given.BASE, Silent())
    assert tiny is not None
    model = TASK.from_base(made[kind], ROWS, seed=1)
    assert model.labels == ("one", "other")
    found = TASK.outputs(model, ROWS, Silent(), "scoring")
    assert found.embeddings.shape == (3, KINDS[kind])
    assert found.probabilities is not None
    assert np.allclose(found.probabilities.sum(1), 1, atol=1e-5)
    right = [a.label == b for a, b in zip(ROWS, found.predicted, strict=True)]
    assert found.loss.tolist() == [1 - hit for hit in right]
    assert TASK.outputs(model, [], Silent(), "").probabilities is not None

    prove = TASK.proof(model)
    kept = tmp_path / "kept"
    TASK.save(TASK.from_base(made[kind], ROWS, seed=1), kept)
    prove(kept)
    assert {path.name for path in kept.iterdir()} >= {"config.json", "preprocessor_config.json"}
    assert not {path.suffix for path in kept.iterdir()} & {".bin", ".pt", ".py"}
    again = TASK.outputs(TASK.load(kept, model.labels), ROWS, Silent(), "")
    assert again.probabilities is not None
    assert np.allclose(again.probabilities, found.probabilities, atol=1e-4)
    served = AutoModelForImageClassification.from_pretrained(kept)
    AutoImageProcessor.from_pretrained(kept, backend="pil")
    assert served.config.id2label == {0: "one", 1: "other"}


@pytest.mark.slow
def test_a_head_grows_by_the_classes_that_it_did_not_know(
    made: dict[str, Path], tmp_path: Path
) -> None:
    champion = TASK.from_base(made["resnet"], ROWS, seed=1)
    TASK.save(champion, tmp_path)
    champion = TASK.load(tmp_path, ("one", "other"))
    larger = TASK.extend(champion, tmp_path, [*ROWS, row(Image.new("L", (9, 9)), "third")], 2)
    assert larger.labels == ("one", "other", "third")
    before, after = champion.model.state_dict(), larger.model.state_dict()
    for name, weights in before.items():
        assert torch.equal(after[name][: len(weights)] if weights.dim() else after[name], weights)
    assert TASK.extend(champion, tmp_path, ROWS, 2).labels == champion.labels


@pytest.mark.slow
def test_a_model_of_grey_images_gets_grey_ones(tmp_path: Path) -> None:
    config = transformers.ResNetConfig(
        num_channels=1, embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], layer_type="basic"
    )
    transformers.AutoModel.from_config(config).save_pretrained(tmp_path)
    pictures.write_processor(tmp_path, image_mean=[0.5], image_std=[0.5])
    assert TASK.rehearse(tmp_path, Given.BASE, Silent()) is not None
    assert TASK.outputs(TASK.from_base(tmp_path, ROWS, 1), ROWS, Silent(), "").embeddings.any()


def refused(folder: Path, given: Given = Given.BASE) -> str:
    TASK.source.check_model("pvc://models/base", folder, given)
    with pytest.raises(ConfigurationError) as told:
        TASK.rehearse(folder, given, Silent())
    assert told.value.reason == f"{given.name.capitalize()}ModelUnreadable"
    return told.value.message


def test_a_model_of_texts_is_none_for_images_and_the_other_way_round(
    base_model: Path, made: dict[str, Path]
) -> None:
    said = refused(base_model)
    assert "model.baseModel: it is a model of type bert, which is none for ImageClassifi" in said
    assert "write TextClassification into spec.model.task" in said
    texts = tasks.find("TextClassification")
    with pytest.raises(ConfigurationError, match=r"type resnet.*ImageClassification into spec"):
        texts.rehearse(made["resnet"], Given.BASE, Silent())
    with pytest.raises(
        ConfigurationError, match=r"model\.initialModel: it is a model of type bert"
    ):
        TASK.rehearse(base_model, Given.INITIAL, Silent())


def test_a_model_without_its_image_processor_says_which_file_is_missing(base: Base) -> None:
    folder = base("resnet")
    (folder / "preprocessor_config.json").unlink()
    said = refused(folder)
    assert "there is no image processor; preprocessor_config.json is expected" in said


@pytest.mark.slow
def test_a_processor_of_another_model_is_found_out_by_the_rehearsal(base: Base) -> None:
    folder = base("vit")
    pictures.write_processor(folder, side=64)
    said = refused(folder)
    assert "no classifier of images can be trained from it" in said
    assert "images of all shapes" in said
    folder = base("resnet")
    pictures.write_processor(folder, image_mean=[0.5], image_std=[0.5])
    assert "no classifier of images can be trained from it" in refused(folder)


@pytest.mark.slow
def test_weights_that_are_missing_or_no_numbers_are_refused_but_for_the_head(base: Base) -> None:
    folder = base("vit")
    weights = load_file(folder / "model.safetensors")
    name = next(name for name in weights if "layer.1" in name)
    save_file({n: w for n, w in weights.items() if n != name}, folder / "model.safetensors")
    assert "it holds no weights for vit.layers.1." in refused(folder)
    save_file({**weights, name: weights[name] * float("nan")}, folder / "model.safetensors")
    assert "hold NaN or infinity" in refused(folder)


@pytest.mark.slow
def test_an_initial_model_needs_a_trained_head_with_named_classes(base: Base) -> None:
    folder = base("resnet")
    said = refused(folder, Given.INITIAL)
    assert "so it is no trained classifier" in said
    model = AutoModelForImageClassification.from_pretrained(folder, num_labels=2)
    model.save_pretrained(folder)
    assert TASK.rehearse(folder, Given.INITIAL, Silent()) is not None
    with pytest.raises(ConfigurationError, match="its labels are LABEL_0, LABEL_1"):
        TASK.from_initial(folder)
    config = json.loads((folder / "config.json").read_text())
    config |= {"id2label": {"0": "cat", "1": "dog"}, "label2id": {"cat": 0, "dog": 1}}
    (folder / "config.json").write_text(json.dumps(config))
    assert TASK.from_initial(folder).labels == ("cat", "dog")

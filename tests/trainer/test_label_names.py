"""Labels in the config.json of a classifier that was made elsewhere: as many as there are outputs."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import transformers
from support import pictures

from maintenance_trainer.errors import ConfigurationError
from maintenance_trainer.model_field import Given
from maintenance_trainer.progress import Silent
from maintenance_trainer.tasks import image_classification, text_classification

SMALL: dict[str, Any] = {
    "hidden_size": 8,
    "num_hidden_layers": 1,
    "num_attention_heads": 1,
    "intermediate_size": 8,
}
NAMES: dict[int, str] = {number: f"class {number}" for number in range(3)}


def texts(folder: Path) -> Any:
    (folder / "vocab.txt").write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "b"]))
    transformers.BertTokenizerFast(str(folder / "vocab.txt")).save_pretrained(folder)
    config = transformers.BertConfig(vocab_size=6, id2label=NAMES, **SMALL)
    transformers.BertForSequenceClassification(config).save_pretrained(folder)
    return text_classification.TASK


def pictures_(folder: Path) -> Any:
    pictures.write_processor(folder)
    config = transformers.ViTConfig(image_size=32, patch_size=8, id2label=NAMES, **SMALL)
    transformers.ViTForImageClassification(config).save_pretrained(folder)
    return image_classification.TASK


@pytest.fixture(params=[texts, pictures_], ids=["texts", "images"])
def task(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    make: Callable[[Path], Any] = request.param
    return make(tmp_path)


def write(folder: Path, id2label: object) -> None:
    config = json.loads((folder / "config.json").read_text())
    config["id2label"] = id2label
    config.pop("label2id", None)
    (folder / "config.json").write_text(json.dumps(config))


def refused(task: Any, folder: Path) -> str:
    with pytest.raises(ConfigurationError) as told:
        task.source.check_model("file://there", folder, Given.INITIAL)
        task.rehearse(folder, Given.INITIAL, Silent())
    assert told.value.reason == "InitialModelUnreadable"
    return told.value.message


@pytest.mark.parametrize("count", [2, 4])
def test_a_label_too_few_or_too_many_says_how_many_outputs_there_are(
    task: Any, tmp_path: Path, count: int
) -> None:
    write(tmp_path, {str(number): f"class {number}" for number in range(count)})
    said = refused(task, tmp_path)
    assert f"config.json names {count} labels, and the weights have 3 outputs (" in said
    assert "write a label for each output, in their order, into id2label of config.json." in said


def test_weights_of_another_width_are_named(task: Any, tmp_path: Path) -> None:
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, "intermediate_size": 16}))
    said = refused(task, tmp_path)
    assert "have other shapes than config.json says: they do not belong together" in said

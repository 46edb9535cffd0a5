"""Labels in the config.json of a classifier that was made elsewhere: one for each output."""

import json
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
    (folder / "vocab.txt").write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na")
    transformers.BertTokenizer(str(folder / "vocab.txt")).save_pretrained(folder)
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
    return request.param(tmp_path)


def write(folder: Path, id2label: object) -> None:
    config = json.loads((folder / "config.json").read_text())
    config["id2label"] = id2label
    config.pop("label2id", None)
    (folder / "config.json").write_text(json.dumps(config))


def look(task: Any, folder: Path) -> None:
    task.source.check_model("file://there", folder, Given.INITIAL)
    task.rehearse(folder, Given.INITIAL, Silent())


def refused(task: Any, folder: Path) -> str:
    with pytest.raises(ConfigurationError) as told:
        look(task, folder)
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


@pytest.mark.parametrize(
    "written, said",
    [
        ({"1": "a", "2": "b", "3": "c"}, "counts its labels '1', '2', '3'; write the label of"),
        ({"0": "a", "1": "b", "5": "c"}, "counts its labels '0', '1', '5'"),
        ({"a": 0, "b": 1, "c": 2}, "counts its labels 'a', 'b', 'c'"),
        ({"0": "a", "1": None, "2": "c"}, "names output 1 null, which is no label"),
        ({"0": "a", "1": "b", "2": " "}, 'names output 2 " ", which is no label'),
        ({"0": "\u200b", "1": "b", "2": "c"}, "names output 0"),
        ({"0": 1.5, "1": "b", "2": "c"}, "names output 0 1.5"),
        (["a", "b", "c"], "is a list and no object"),
    ],
)
def test_outputs_without_a_label_each_from_0_on_are_refused(
    task: Any, tmp_path: Path, written: object, said: str
) -> None:
    write(tmp_path, written)
    assert f"id2label of its config.json {said}" in refused(task, tmp_path)


def test_labels_are_spelled_as_those_of_data_are(task: Any, tmp_path: Path) -> None:
    write(tmp_path, {"2": True, "1": 7, "0": " a "})
    task.source.check_model("file://there", tmp_path, Given.INITIAL)
    assert task.from_initial(tmp_path).labels == ("a", "7", "true")


def test_a_base_model_may_name_its_outputs_as_it_likes(task: Any, tmp_path: Path) -> None:
    write(tmp_path, {"1": "a", "2": "b", "3": ""})
    task.source.check_model("file://there", tmp_path, Given.BASE)

"""A classifier's head alone: fitted once on what the frozen encoder makes of rows."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from sklearn.linear_model import LogisticRegression
from support import pictures
from support.laboratory import Lab, champion, headlines, write_csv

from maintenance_contract import Recipes, TrainingAction
from maintenance_contract.kinds import Method
from maintenance_core.errors import SpecError
from maintenance_core.spec import parse
from maintenance_trainer.cli import rules
from maintenance_trainer.data.folders import Origin
from maintenance_trainer.errors import ConfigurationError
from maintenance_trainer.model_field import Given
from maintenance_trainer.progress import Silent
from maintenance_trainer.tasks import image_classification
from maintenance_trainer.tasks.huggingface import heads
from maintenance_trainer.tasks.task import How
from maintenance_trainer.tasks.text_classification import TASK
from maintenance_trainer.tasks.texts import TextRow, make_row

SILENT = Silent()
FINE_TUNE, RETRAIN = TrainingAction.FINE_TUNE, TrainingAction.RETRAIN
HEAD = Method.HEAD_ONLY.arguments


def texts(labels: list[str], count: int, seed: int) -> list[TextRow]:
    return [
        make_row(text, label, Origin.ORIGINAL, new=False)
        for text, label in headlines(labels, count, seed)
    ]


def how(action: TrainingAction, **arguments: Any) -> How:
    return How(action, {**HEAD, **arguments}, Path("unused"))


def right(model: Any, rows: list[TextRow]) -> float:
    return 1 - float(TASK.outputs(model, rows, SILENT, "").loss.mean())


@pytest.mark.slow
def test_the_last_layer_alone_learns_and_the_whole_model_is_kept(
    base_model: Path, tmp_path: Path
) -> None:
    rows = texts(["finance", "sport", "arts"], 300, 1)
    model = TASK.from_base(base_model, rows, 0)
    before = {name: its.clone() for name, its in model.model.state_dict().items()}
    passed: list[int] = []
    model.model.bert.register_forward_hook(lambda *all_: passed.append(len(all_[2][0])))
    fitted = TASK.fit(model, [*rows, *rows[:50]], how(RETRAIN), SILENT)
    assert sum(passed) == 300 + 2, "each row once, and one twice to find the layer"
    assert fitted.steps > 0
    after = model.model.state_dict()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed == {"classifier.weight", "classifier.bias"}
    assert right(model, texts(["finance", "sport", "arts"], 200, 2)) > 0.75
    TASK.save(model, tmp_path)
    TASK.proof(model)(tmp_path)
    served = transformers.AutoModelForSequenceClassification.from_pretrained(tmp_path)
    assert served.config.id2label == dict(enumerate(["arts", "finance", "sport"]))
    assert TASK.load(tmp_path, model.labels).labels == ("arts", "finance", "sport")


def test_it_is_the_logistic_regression_of_the_library() -> None:
    chance = torch.Generator().manual_seed(0)
    x = torch.randn(200, 5, generator=chance) * torch.tensor([1.0, 5, 0.1, 1, 1]) + 3
    y = (x[:, 0] + torch.randn(200, generator=chance) > 3).long() + (x[:, 1] > 8).long()
    layer = torch.nn.Linear(5, 3)
    learnt = heads.Learnt(x, y, torch.ones(200, dtype=torch.long))
    _, strength = heads.fit(layer, learnt, (), {"C": 0.5}, anew=True)
    assert strength == 0.5
    scaled = np.column_stack([(x - x.mean(0)) / x.std(0, correction=0), np.ones(200)])
    theirs = LogisticRegression(C=0.5, fit_intercept=False, tol=1e-10, max_iter=1000)
    theirs.fit(scaled, y.numpy())
    found = torch.softmax(layer(x), 1).detach().numpy()
    assert np.abs(found - theirs.predict_proba(scaled)).max() < 1e-4


def test_rows_that_come_again_count_as_often(base_model: Path) -> None:
    often = make_row("market", "finance", Origin.ORIGINAL, new=False)
    once = make_row("market", "sport", Origin.ORIGINAL, new=False)
    model = TASK.from_base(base_model, [often, once], 0)
    TASK.fit(model, [often] * 9 + [once], how(RETRAIN, C=1e6), SILENT)
    told = TASK.outputs(model, [once], SILENT, "").probabilities
    assert told is not None
    assert told[0].tolist() == pytest.approx([0.9, 0.1], abs=0.01)


@pytest.mark.slow
def test_what_new_rows_say_nothing_of_is_kept(base_model: Path) -> None:
    labels = ["finance", "sport", "arts"]
    rows = texts(labels, 400, 1)
    model = TASK.from_base(base_model, rows, 0)
    TASK.fit(model, rows, how(RETRAIN), SILENT)
    before, head = right(model, texts(["arts"], 100, 3)), model.model.classifier.weight.clone()
    TASK.fit(model, texts(["finance", "sport"], 150, 2), how(FINE_TUNE), SILENT)
    assert right(model, texts(["arts"], 100, 3)) > before - 0.15
    TASK.fit(model, texts(["finance"], 60, 4), how(FINE_TUNE), SILENT)  # one class only
    assert not torch.equal(model.model.classifier.weight, head)
    assert right(model, texts(["sport"], 100, 5)) > 0.5
    head = model.model.classifier.weight.clone()
    TASK.fit(model, texts(["finance"], 60, 6), how(FINE_TUNE, C=1e-9), SILENT)
    assert torch.allclose(model.model.classifier.weight, head, atol=1e-5)


@pytest.mark.slow
def test_the_same_rows_make_the_same_head(base_model: Path) -> None:
    rows = texts(["finance", "sport"], 80, 1)

    def made(before: int) -> torch.Tensor:
        model = TASK.from_base(base_model, rows, 0)
        torch.manual_seed(before)
        TASK.fit(model, rows, how(RETRAIN), SILENT)
        weight: torch.Tensor = model.model.classifier.weight
        return weight

    assert torch.equal(made(1), made(2))


@pytest.mark.slow
def test_a_champion_goes_on_with_a_grown_head_and_old_rows(
    make_lab: Callable[..., Lab],
) -> None:
    lab = make_lab(headlines(["finance", "sport"], 400, seed=1))
    recipes = Recipes(50, HEAD, HEAD)
    first = lab.train(1, RETRAIN, lab.diagnose(1, recipes=recipes), recipes=recipes)
    assert first.evaluation is not None
    assert first.evaluation.old is not None
    assert first.evaluation.old.challenger_accuracy > 0.75
    write_csv(lab.updates / "more.csv", headlines(["finance", "sport", "arts"], 300, seed=2))
    served: dict[str, Any] = {"champion": champion(first), "recipes": recipes}
    found = lab.diagnose(2, **served)
    again = lab.train(2, FINE_TUNE, found, **served, exclude_contradicted=True, race=True)
    manifest = json.loads((lab.store / "versions/2/manifest.json").read_text())
    assert manifest["trainedRows"]["new"] >= 150 - 20
    assert set(manifest["labels"]) == {"finance", "sport", "arts"}
    assert again.evaluation is not None
    assert again.evaluation.new is not None
    new = again.evaluation.new
    assert new.challenger_accuracy > new.champion_accuracy + 0.1
    third = lab.train(3, FINE_TUNE, lab.diagnose(3, **served), **served)
    manifest = json.loads((lab.store / "versions/3/manifest.json").read_text())
    assert manifest["labels"] == ["finance", "sport", "arts"], "the champion's, then the new one"
    assert manifest["trainedRows"]["old"] == manifest["trainedRows"]["new"] // 2
    assert third.evaluation is not None
    grown = lab.diagnose(4, champion=champion(third), recipes=recipes)
    assert grown.diagnosis is not None
    assert grown.diagnosis.labels == 3, "a champion whose head has grown is read again"


# --- architectures ------------------------------------------------------------------------

SMALL = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
TEXT = {
    "roberta": lambda: transformers.RobertaConfig(
        **SMALL, vocab_size=60, intermediate_size=16, max_position_embeddings=40
    ),
    "distilbert": lambda: transformers.DistilBertConfig(
        dim=16, n_layers=1, n_heads=2, hidden_dim=16, vocab_size=60
    ),
    "gpt2": lambda: transformers.GPT2Config(
        n_embd=16, n_layer=1, n_head=2, vocab_size=60, pad_token_id=0
    ),
    "deberta-v2": lambda: transformers.DebertaV2Config(
        **SMALL, vocab_size=60, intermediate_size=16
    ),
}


@pytest.mark.parametrize("kind", TEXT)
def test_the_layer_is_found_behind_other_layers_of_a_head(kind: str) -> None:
    transformers.set_seed(0)
    config = TEXT[kind]()
    config.num_labels = 3
    auto: Any = transformers.AutoModelForSequenceClassification
    network = auto.from_config(config).eval()
    batch = {
        "input_ids": torch.tensor([[5, 6, 7, 8], [9, 10, 0, 0]]),
        "attention_mask": torch.tensor([[1, 1, 1, 1], [1, 1, 0, 0]]),
    }
    layer = heads.last_layer(network, batch, 3, RETRAIN)
    made = heads.embedded(network, layer, 2, iter([([1, 0], batch)]), lambda _done: None)
    with torch.inference_mode():
        assert torch.allclose(layer(made)[[1, 0]], network(**batch).logits, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["resnet", "vit", "convnext"])
def test_images_are_embedded_once_and_told_apart(kind: str, tmp_path: Path) -> None:
    rows = [pictures.row(*each) for each in pictures.digits(slice(0, 120))]
    task = image_classification.TASK
    model = task.from_base(pictures.base_model(tmp_path / "base", kind), rows, 0)
    before = {name: its.clone() for name, its in model.model.state_dict().items()}
    task.fit(model, rows, how(RETRAIN), SILENT)
    after = model.model.state_dict()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert all(name.startswith("classifier.") for name in changed)
    assert len(changed) == 2
    assert task.outputs(model, rows, SILENT, "").loss.mean() < 0.5  # random features; chance: 0.9


@pytest.mark.slow
def test_a_model_that_ends_otherwise_is_refused_before_a_gpu_is_asked_for(tmp_path: Path) -> None:
    config = transformers.SwiftFormerConfig(
        embed_dims=[8, 8, 8, 8], depths=[1, 1, 1, 1], image_size=64
    )
    network = transformers.SwiftFormerForImageClassification(config)
    network.save_pretrained(tmp_path)
    pictures.write_processor(tmp_path, 64)
    task = image_classification.TASK
    tiny = task.rehearse(tmp_path, Given.BASE, SILENT)
    assert tiny is not None
    task.try_arguments(tiny, FINE_TUNE, {}, 100)
    with pytest.raises(ConfigurationError) as error:
        task.try_arguments(tiny, FINE_TUNE, HEAD, 100)
    assert error.value.reason == "ArgumentInvalid"
    assert error.value.message == (
        "training.fineTune.method: a model of type swiftformer does not end with one linear layer, "
        "which HeadOnly fits alone: write Full, or leave it out."
    )


def test_what_is_no_number_is_not_learnt_from(base_model: Path) -> None:
    rows = texts(["finance", "sport"], 60, 1)
    model = TASK.from_base(base_model, rows, 0)
    with torch.no_grad():
        model.model.bert.pooler.dense.weight.fill_(float("nan"))
    with pytest.raises(ConfigurationError) as error:
        TASK.fit(model, rows, how(RETRAIN), SILENT)
    assert error.value.reason == "TrainingDiverged"
    assert error.value.message.startswith("Of 60 texts the encoder makes 60 NaN or infinity")


# --- how it is said -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "given, said",
    [
        ({**HEAD, "learning_rate": 1e-4}, "learning_rate says nothing where the head alone"),
        ({**HEAD, "early_stopping_patience": 2}, "early_stopping_patience says nothing where"),
        ({**HEAD, "C": 0}, "fineTune.arguments.C: a number above 0"),
        ({**HEAD, "C": float("nan")}, "fineTune.arguments.C: a number above 0"),
        ({**HEAD, "C": "1"}, "fineTune.arguments.C: a number above 0"),
        ({**HEAD, "max_iter": 0}, "max_iter: a whole number from 1"),
        ({**HEAD, "per_device_train_batch_size": 0}, "per_device_train_batch_size: a number above"),
        ({"freeze_base_model": False}, "freeze_base_model: true is expected"),
        ({"C": 1.0}, "C is of a head that is fitted alone, and all weights are trained: write"),
    ],
)
def test_arguments_of_a_head_are_checked(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        TASK.check_arguments(FINE_TUNE, given)
    assert said in error.value.message
    assert error.value.message.startswith("training.fineTune.arguments.")


def test_half_a_batch_is_taken_where_memory_ran_out(base_model: Path) -> None:
    halved = Recipes(50, HEAD, {}).in_half_batches().fine_tune_arguments
    TASK.check_arguments(FINE_TUNE, halved)
    rows = texts(["finance", "sport"], 40, 1)
    model = TASK.from_base(base_model, rows, 0)
    passed: list[int] = []
    model.model.bert.register_forward_hook(lambda *all_: passed.append(len(all_[2][0])))
    TASK.fit(model, rows, how(FINE_TUNE, **halved), SILENT)
    assert passed[-3:] == [16, 16, 8]


def test_a_rehearsal_leaves_the_tiny_model_as_it_was(base_model: Path) -> None:
    tiny = TASK.rehearse(base_model, Given.BASE, SILENT)
    assert tiny is not None
    before = tiny.model.classifier.weight.clone()
    TASK.try_arguments(tiny, RETRAIN, HEAD, 100)
    assert torch.equal(tiny.model.classifier.weight, before)


def _spec(task: str, recipe: str, **said: Any) -> dict[str, Any]:
    training = {**rules.DEFAULTS["training"]}
    training[recipe] = {**training[recipe], **said}
    model = {**rules.DEFAULTS["model"], "task": task}
    return {**rules.DEFAULTS, "model": model, "training": training}


@pytest.mark.parametrize("task", ["TextClassification", "ImageClassification"])
@pytest.mark.parametrize("recipe", ["fineTune", "retrain"])
def test_the_method_travels_among_the_arguments(task: str, recipe: str) -> None:
    training = parse(_spec(task, recipe, method="HeadOnly", arguments={"C": 1})).training
    said = {"fineTune": training.fine_tune_arguments, "retrain": training.retrain_arguments}
    assert said.pop(recipe) == {"C": 1, "freeze_base_model": True}
    assert next(iter(said.values())) == {}


@pytest.mark.parametrize(
    "task, said",
    [
        ("CausalLM", "CausalLM is not trained by HeadOnly: write Full or LoRA, or leave it out"),
        ("TimeSeriesClassification", "TimeSeriesClassification is trained whole: write Full, or"),
    ],
)
def test_a_kind_without_such_a_head_refuses_the_method(task: str, said: str) -> None:
    document = _spec(task, "retrain", method="HeadOnly")
    with pytest.raises(SpecError, match=said) as error:
        parse(document)
    assert error.value.field == "spec.training.retrain.method"


def test_the_request_says_it_by_the_method_alone() -> None:
    document = _spec("TextClassification", "fineTune", arguments={"freeze_base_model": True})
    with pytest.raises(SpecError, match=r"write spec.training.fineTune.method: HeadOnly") as error:
        parse(document)
    assert error.value.field == "spec.training.fineTune.arguments.freeze_base_model"

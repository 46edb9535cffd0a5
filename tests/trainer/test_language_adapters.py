"""Low-rank adapters: trained beside frozen weights, merged, and brought along."""

import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import peft
import pytest
import torch
from support.laboratory import champion
from support.language import CHATML, ChatLab, base_model, conversations

from maintenance_contract import Operation, Recipes, Task, TrainingAction
from maintenance_core.errors import SpecError
from maintenance_core.spec import parse
from maintenance_trainer import tasks
from maintenance_trainer.cli import rules
from maintenance_trainer.data.folders import Origin
from maintenance_trainer.errors import ConfigurationError
from maintenance_trainer.model_field import Given
from maintenance_trainer.progress import Silent
from maintenance_trainer.tasks.causal_lm import TASK
from maintenance_trainer.tasks.language import adapters, options
from maintenance_trainer.tasks.language.rows import Role, Turn, conversation
from maintenance_trainer.tasks.task import How

SILENT = Silent()
pytestmark = pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing. is deprecated")
LORA = {"peft_type": "LORA"}
ROWS = [
    conversation([Turn(Role.USER, f"The fee {n}?")], f"{n} euros.", Origin.ORIGINAL, new=False)
    for n in range(8)
]
FINE_TUNE, RETRAIN = TrainingAction.FINE_TUNE, TrainingAction.RETRAIN


def adapter(folder: Path, base: Path, **changes: Any) -> Path:
    """An adapter of a base model that has learnt something, whatever of it learns."""
    model = TASK.from_base(base, ROWS, 0).model
    config = peft.LoraConfig(
        **{"task_type": "CAUSAL_LM", "target_modules": "all-linear", **changes}
    )
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        adapted = peft.get_peft_model(model, config)
        for name, weights in adapted.named_parameters():
            if weights.requires_grad and "lora_A" not in name and "embedding_B" not in name:
                weights.add_(0.05)
        adapted.save_pretrained(folder)
    return folder


@pytest.mark.slow
def test_an_adapter_learns_and_is_merged(tmp_path: Path) -> None:
    model = TASK.from_base(base_model(tmp_path / "base"), ROWS, 0)
    before = {name: its.clone() for name, its in model.model.state_dict().items()}
    told = TASK.outputs(model, ROWS, SILENT, "").loss
    arguments = {**LORA, "num_train_epochs": 5, "use_cpu": True, "learning_rate": 0.01}
    fitted = TASK.fit(model, ROWS, How(FINE_TUNE, arguments, tmp_path), SILENT)
    assert fitted.steps == 5
    after = model.model.state_dict()
    assert after.keys() == before.keys()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed
    assert all("proj" in name for name in changed)  # neither embeddings nor norms
    assert all(weights.requires_grad for weights in model.model.parameters())
    assert TASK.outputs(model, ROWS, SILENT, "").loss.mean() < told.mean()
    (tmp_path / "kept").mkdir()
    TASK.save(model, tmp_path / "kept")
    assert not list((tmp_path / "kept").glob("adapter*"))
    TASK.proof(model)(tmp_path / "kept")


@pytest.mark.slow
def test_a_fine_tune_goes_on_from_a_version_that_adapters_have_made(tmp_path: Path) -> None:
    base = base_model(tmp_path / "claims/models/base")
    made = ChatLab(tmp_path / "claims", base, {"max_steps": 2, "use_cpu": True})
    made.put("original/first.jsonl", conversations(1, 120))
    made.updates.mkdir()
    recipes = Recipes(50, {**made.arguments, **LORA}, {**made.arguments, **LORA, "r": 4})
    first = made.train(1, RETRAIN, made.diagnose(1, recipes=recipes), recipes=recipes)
    assert first.candidate is not None
    made.put("updates/more.jsonl", conversations(2, 120))
    served = {"champion": champion(first), "recipes": recipes}
    again = made.train(2, FINE_TUNE, made.diagnose(2, **served), **served)
    assert again.candidate is not None
    assert again.candidate.version == 2


@pytest.mark.slow
def test_an_adapter_that_was_made_elsewhere_becomes_a_whole_version(tmp_path: Path) -> None:
    base = base_model(tmp_path / "claims/models/base")
    brought = adapter(tmp_path / "claims/models/by-hand", base)
    made = ChatLab(tmp_path / "claims", base, {"max_steps": 2, "use_cpu": True})
    made.put("original/first.jsonl", conversations(1, 120))
    made.updates.mkdir()
    model = replace(made.request(Operation.DIAGNOSE, 1).model, initial_model=f"file://{brought}")
    found = made.diagnose(1, model=model)
    imported = made.train(1, TrainingAction.IMPORT, found, model=model)
    assert imported.candidate is not None
    folder = made.store / "versions/1"
    assert (folder / "model.safetensors").is_file()
    assert not list(folder.glob("adapter*"))
    whole = TASK.load(folder, ())
    expected = peft.PeftModel.from_pretrained(TASK.from_base(base, ROWS, 0).model, brought)
    merged = expected.merge_and_unload().state_dict()
    assert all(torch.equal(its, merged[name]) for name, its in whole.model.state_dict().items())


@pytest.mark.slow
def test_an_adapter_of_another_model_is_refused(tmp_path: Path) -> None:
    base = base_model(tmp_path / "base")
    task = TASK.beside(lambda: base)
    wider = adapter(tmp_path / "wider", base_model(tmp_path / "wide", width=128))
    with pytest.raises(ConfigurationError, match=r"does not fit model\.baseModel") as one:
        task.from_initial(wider)
    assert one.value.reason == "InitialModelUnreadable"
    assert "name the very model that it was trained on" in one.value.message
    deeper = adapter(tmp_path / "deeper", base_model(tmp_path / "deep", num_hidden_layers=3))
    with pytest.raises(ConfigurationError, match=r"does not fit model\.baseModel"):
        task.from_initial(deeper)


def test_a_folder_with_an_adapter_is_looked_at_before_it_is_loaded(tmp_path: Path) -> None:
    source = tasks.source(Task.CAUSAL_LM)
    folder = adapter(tmp_path / "adapter", base_model(tmp_path / "base"))
    source.check_model("pvc://m/a", folder, Given.INITIAL)
    with pytest.raises(ConfigurationError, match="name the model that it is an adapter of here"):
        source.check_model("pvc://m/a", folder, Given.BASE)
    config = (folder / "adapter_config.json").read_text()
    (folder / "adapter_config.json").write_text(config.replace('"LORA"', '"IA3"'))
    with pytest.raises(ConfigurationError, match="an adapter of type 'IA3'; LORA is expected"):
        source.check_model("pvc://m/a", folder, Given.INITIAL)
    (folder / "adapter_model.safetensors").rename(folder / "adapter_model.bin")
    with pytest.raises(ConfigurationError, match=r"no adapter_model.safetensors"):
        source.check_model("pvc://m/a", folder, Given.INITIAL)
    (folder / "adapter_model.safetensors").write_bytes(b"torn")
    with pytest.raises(ConfigurationError, match=r"adapter_model\.safetensors is torn"):
        source.check_model("pvc://m/a", folder, Given.INITIAL)


@pytest.mark.parametrize(
    "given, said",
    [
        ({**LORA, "r": 0}, "fineTune.arguments.r: a whole number from 1 to 1024"),
        ({**LORA, "lora_alpha": "32"}, "lora_alpha: a whole number from 1 to 10240"),
        (
            {**LORA, "lora_dropout": 1.0},
            "lora_dropout: a number from 0 up to, but not",
        ),
        ({**LORA, "lora_alfa": 3}, "lora_alfa: did you mean 'lora_alpha'"),
        ({**LORA, "init_lora_weights": "pissa"}, "init_lora_weights is no training argument"),
        ({"r": 8}, "r is of adapters, and all weights are trained: write training.fineTune.method"),
        ({"peft_type": "IA3"}, "peft_type: LORA is expected"),
        ({**LORA, "layers_to_transform": "3"}, "layers_to_transform: the numbers of layers are"),
        ({**LORA, "layers_to_transform": [3]}, "write target_modules as a list beside it"),
        ({**LORA, "use_dora": "false"}, "use_dora: true or false (without quotes) is expected"),
        ({**LORA, "use_rslora": "False"}, "use_rslora: true or false (without quotes)"),
        ({**LORA, "use_rslora": 1}, "use_rslora: true or false (without quotes)"),
        ({**LORA, "target_modules": [7]}, "target_modules: a list of names, or one pattern"),
        ({**LORA, "rank_pattern": {"q_proj": "2"}}, "rank_pattern: an object of whole numbers"),
    ],
)
def test_arguments_of_adapters_are_checked(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        TASK.check_arguments(FINE_TUNE, given)
    assert said in error.value.message


@pytest.mark.slow
def test_layers_that_the_model_has_not_are_found_out_beforehand(tmp_path: Path) -> None:
    tiny = TASK.rehearse(base_model(tmp_path / "base"), Given.BASE, SILENT)
    assert tiny is not None
    TASK.try_arguments(tiny, FINE_TUNE, {**LORA, "target_modules": ["q_proj"]}, 50)
    with pytest.raises(ConfigurationError, match="no adapter can be put there") as error:
        TASK.try_arguments(tiny, FINE_TUNE, {**LORA, "target_modules": ["query"]}, 50)
    assert error.value.message.startswith("training.fineTune.arguments")


@pytest.mark.slow
def test_layers_by_number_are_not_looked_for_in_a_model_of_few(tmp_path: Path) -> None:
    tiny = TASK.rehearse(base_model(tmp_path / "base"), Given.BASE, SILENT)
    assert tiny is not None
    of_layer = {"target_modules": ["q_proj"], "layers_to_transform": [20]}
    TASK.check_arguments(FINE_TUNE, {**LORA, **of_layer})
    TASK.try_arguments(tiny, FINE_TUNE, {**LORA, **of_layer}, 50)
    TASK.try_arguments(tiny, FINE_TUNE, {**LORA, "target_modules": r".*\.20\..*q_proj"}, 50)


@pytest.mark.parametrize("modules", [5, "(", [7]])
def test_layers_that_cannot_be_named_so_are_refused(tmp_path: Path, modules: Any) -> None:
    model = TASK.from_base(base_model(tmp_path / "base"), ROWS, 0).model
    with (
        pytest.raises(ConfigurationError) as error,
        adapters.trained(model, {**LORA, "target_modules": modules}, "training.fineTune.arguments"),
    ):
        pass
    assert error.value.reason == "ArgumentInvalid"


@pytest.mark.slow
def test_an_adapter_on_tied_embeddings_is_refused(tmp_path: Path) -> None:
    base = base_model(tmp_path / "base")
    model = TASK.from_base(base, ROWS, 0).model
    given = {**LORA, "target_modules": ["q_proj", "lm_head"]}
    with (
        pytest.raises(ConfigurationError, match="sits on lm_head, whose weights another") as error,
        adapters.trained(model, given, "training.fineTune.arguments"),
    ):
        pass
    assert error.value.reason == "ArgumentInvalid"
    brought = adapter(tmp_path / "adapter", base, target_modules=["q_proj", "embed_tokens"])
    with pytest.raises(ConfigurationError, match=r"sits on model\.embed_tokens") as error:
        TASK.beside(lambda: base).from_initial(brought)
    assert error.value.reason == "InitialModelUnreadable"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # the library warns of embeddings
@pytest.mark.parametrize(
    "changes",
    [
        {"use_dora": True},
        {"task_type": None},
        {"use_rslora": True, "r": 3, "lora_alpha": 5},
        {"bias": "all"},
        {"rank_pattern": {"q_proj": 2}},
        {"target_modules": ["q_proj", "lm_head", "embed_tokens"]},
        {"modules_to_save": ["lm_head"]},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_what_is_merged_answers_as_the_adapter_beside_its_base(
    tmp_path: Path, changes: dict[str, Any]
) -> None:
    base = base_model(tmp_path / "base", tie_word_embeddings=False, attention_bias=True)
    brought = adapter(tmp_path / "adapter", base, **changes)
    beside = peft.PeftModel.from_pretrained(TASK.from_base(base, ROWS, 0).model, brought).eval()
    tasks.source(Task.CAUSAL_LM).check_model("pvc://m/a", brought, Given.INITIAL)
    merged = TASK.beside(lambda: base).from_initial(brought)
    TASK.save(merged, tmp_path)
    ids = torch.arange(20)[None]
    with torch.inference_mode():
        before = TASK.from_base(base, ROWS, 0).model.eval()(input_ids=ids).logits
        expected = beside(input_ids=ids).logits
        found = TASK.load(tmp_path, ()).model.eval()(input_ids=ids).logits
    assert torch.allclose(found, expected, atol=1e-4)
    assert not torch.allclose(found, before, atol=1e-2)


@pytest.mark.slow
def test_an_adapter_is_read_by_the_template_that_lies_beside_it(tmp_path: Path) -> None:
    base = base_model(tmp_path / "base")
    brought = adapter(tmp_path / "adapter", base)
    task = TASK.beside(lambda: base)
    assert task.from_initial(brought).processor.chat_template == CHATML
    other = CHATML.replace("<|im_start|>assistant", "<|im_start|>clerk")
    (brought / "chat_template.jinja").write_text(other)
    assert task.from_initial(brought).processor.chat_template == other
    # As trainers save it: the whole tokenizer.
    its = TASK.from_base(base, ROWS, 0).processor
    its.chat_template = other
    its.save_pretrained(brought)
    made = task.from_initial(brought)
    assert made.processor.chat_template == other
    (tmp_path / "kept").mkdir()
    TASK.save(made, tmp_path / "kept")
    assert TASK.load(tmp_path / "kept", ()).processor.chat_template == other
    its.add_tokens([f"<of another model {number}>" for number in range(2000)])
    its.save_pretrained(brought)
    with pytest.raises(ConfigurationError, match="they do not belong together") as error:
        task.from_initial(brought)
    assert error.value.reason == "InitialModelUnreadable"


def test_an_adapter_beside_a_whole_model_is_neither(tmp_path: Path) -> None:
    base = base_model(tmp_path / "base")
    adapter(base, base)
    for given in (Given.BASE, Given.INITIAL):
        with pytest.raises(ConfigurationError, match="which of them is meant cannot be told"):
            tasks.source(Task.CAUSAL_LM).check_model("pvc://m/a", base, given)


def test_a_variant_that_cannot_be_merged_is_refused(tmp_path: Path) -> None:
    base = base_model(tmp_path / "base")
    brought = adapter(tmp_path / "adapter", base, alora_invocation_tokens=[1])
    with pytest.raises(ConfigurationError, match="cannot be merged") as error:
        TASK.beside(lambda: base).from_initial(brought)
    assert error.value.reason == "InitialModelUnreadable"


@pytest.mark.slow
def test_the_same_rows_make_the_same_adapters(tmp_path: Path) -> None:
    base = base_model(tmp_path / "base")

    def made(before: int) -> dict[str, torch.Tensor]:
        model = TASK.from_base(base, ROWS, 0)
        torch.manual_seed(before)
        arguments = {**LORA, "max_steps": 2, "use_cpu": True, "learning_rate": 0.01}
        TASK.fit(model, ROWS, How(FINE_TUNE, arguments, tmp_path), SILENT)
        found: dict[str, torch.Tensor] = model.model.state_dict()
        return found

    one, two = made(1), made(2)
    assert all(torch.equal(one[name], two[name]) for name in one)


def test_adapters_take_larger_steps_where_nobody_says_how_large() -> None:
    assert options.of_trainer({**LORA, "r": 8, "max_length": 64}) == {"learning_rate": 2e-4}
    assert options.of_trainer({**LORA, "learning_rate": 1.0}) == {"learning_rate": 1.0}
    assert options.of_trainer({"max_length": 64}) == {}


def _spec(task: str, **fine_tune: Any) -> dict[str, Any]:
    training = {**rules.DEFAULTS["training"]}
    training["fineTune"] = {**training["fineTune"], **fine_tune}
    return {
        **rules.DEFAULTS,
        "model": {**rules.DEFAULTS["model"], "task": task},
        "training": training,
    }


def test_the_method_travels_among_the_arguments() -> None:
    spec = parse(_spec("CausalLM", method="LoRA", arguments={"r": 8}))
    assert spec.training.fine_tune_arguments == {"r": 8, "peft_type": "LORA"}
    assert spec.training.retrain_arguments == {}
    assert parse(_spec("CausalLM", method="Full")).training.fine_tune_arguments == {}


def test_a_method_is_refused_where_it_cannot_be_meant() -> None:
    with pytest.raises(
        SpecError, match="TextClassification is not trained by LoRA: write Full or"
    ) as error:
        parse(_spec("TextClassification", method="LoRA"))
    assert error.value.field == "spec.training.fineTune.method"
    with pytest.raises(SpecError, match=r"write spec.training.fineTune.method: LoRA"):
        parse(_spec("CausalLM", arguments={"peft_type": "LORA"}))

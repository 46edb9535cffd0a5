"""What the diagnosis accepts trains: other architectures, absent weights, and numbers too large."""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.laboratory import Lab, headlines

from maintenance_contract import Operation
from maintenance_trainer.data.folders import Origin
from maintenance_trainer.errors import ConfigurationError
from maintenance_trainer.model_field import Given
from maintenance_trainer.progress import Silent
from maintenance_trainer.tasks.huggingface import rehearsal
from maintenance_trainer.tasks.text_classification import TASK
from maintenance_trainer.tasks.texts import make_row

SMALL = {
    "vocab_size": 60,
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
}
WORDS = ("shares", "fell", "banks", ".", "3", "on", "monday", "nobody", "knows", "why")
BERT = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
ROBERTA = ("<s>", "<pad>", "</s>", "<unk>", "<mask>")
GENERATES = ("<unk>", "<end>")


def tokenizer(folder: Path, special: tuple[str, ...]) -> None:
    """A word list with these special tokens, in the manner of who has them; no length is named."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors  # noqa: PLC0415  # seconds
    from transformers import PreTrainedTokenizerFast  # noqa: PLC0415

    unknown = next(token for token in special if "unk" in token.lower())
    numbers = {word: number for number, word in enumerate((*special, *WORDS))}
    made = Tokenizer(models.WordLevel(numbers, unk_token=unknown))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    names: dict[str, str] = {"unk_token": unknown}
    if special == GENERATES:
        names["eos_token"] = special[1]
    else:
        pad, first, last = (
            (special[0], special[2], special[3])
            if special == BERT
            else (special[1], special[0], special[2])
        )
        made.post_processor = processors.TemplateProcessing(
            single=f"{first} $A {last}",
            special_tokens=[(each, numbers[each]) for each in (first, last)],
        )
        names |= {"pad_token": pad, "cls_token": first, "sep_token": last, "eos_token": last}
    PreTrainedTokenizerFast(tokenizer_object=made, **names).save_pretrained(folder)


def base(folder: Path, kind: str, special: tuple[str, ...] = BERT, **fields: Any) -> Path:
    """A random base model of a kind; tiny, with a tokenizer."""
    from transformers import AutoConfig, AutoModel, set_seed  # noqa: PLC0415  # seconds

    set_seed(0)
    folder.mkdir(parents=True, exist_ok=True)
    given = {name: value for name, value in {**SMALL, **fields}.items() if value is not None}
    AutoModel.from_config(AutoConfig.for_model(kind, **given)).save_pretrained(folder)
    tokenizer(folder, special)
    return folder


KINDS: dict[str, tuple[str, tuple[str, ...], dict[str, Any]]] = {
    "positions are relative": ("xlnet", BERT, {"d_inner": 32, "d_head": 8, "pad_token_id": 0}),
    "positions are counted from the padding": (
        "roberta",
        ROBERTA,
        {"max_position_embeddings": 34, "pad_token_id": 1},
    ),
    "no padding": ("gpt2", GENERATES, {"n_positions": 32, "eos_token_id": 1, "bos_token_id": 1}),
    "no padding, rotary": ("llama", GENERATES, {"eos_token_id": 1, "bos_token_id": 1}),
    "an encoder with a decoder": (
        "t5",
        ROBERTA,
        {
            "d_kv": 8,
            "d_ff": 32,
            "pad_token_id": 1,
            "eos_token_id": 2,
            "decoder_start_token_id": 1,
        },
    ),
    "texts get shorter on their way": (
        "funnel",
        BERT,
        {
            "architectures": ["FunnelBaseModel"],
            "block_sizes": [1, 1, 1],
            "d_head": 8,
            "d_inner": 32,
            "num_hidden_layers": None,
        },
    ),
    "no attention mask": ("fnet", BERT, {"max_position_embeddings": 40}),
    "a tokenizer that gives more than is taken": (
        "distilbert",
        BERT,
        {"dim": 16, "hidden_dim": 32, "max_position_embeddings": 40},
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_other_architectures_train_on_all_texts(tmp_path: Path, kind: str) -> None:
    name, special, fields = KINDS[kind]
    folder = base(tmp_path / "base", name, special, **fields)
    assert TASK.rehearse(folder, Given.BASE, Silent()) is not None
    made = TASK.with_head(folder, ["one", "other"], 1)
    texts = ["shares fell", "", f"banks {special[2 % len(special)]} fell", "shares " * 700]
    rows = [make_row(text, "one", Origin.ORIGINAL, new=False) for text in texts]
    read = TASK.outputs(made, rows, Silent(), "")
    assert all(map(math.isfinite, read.embeddings.ravel()))
    if name == "fnet":
        return  # it mixes all tokens, padding too
    alone = TASK.outputs(made, rows[:1], Silent(), "")
    assert alone.probabilities[0] == pytest.approx(read.probabilities[0], abs=1e-4), (
        "what stands beside a text in its batch does not change the answer"
    )


@pytest.mark.slow
def test_an_architecture_that_cannot_is_refused_with_its_reason(tmp_path: Path) -> None:
    """Its positions are a product that a text would have to be as long as."""
    folder = base(
        tmp_path,
        "reformer",
        axial_pos_embds_dim=(4, 12),
        attention_head_size=8,
        feed_forward_size=32,
        vocab_size=60,
    )
    with pytest.raises(ConfigurationError, match="a tiny reformer failed at texts of") as refused:
        TASK.rehearse(folder, Given.BASE, Silent())
    assert refused.value.reason == "BaseModelUnreadable"
    assert "axial_pos_shape" in refused.value.message


def weights(folder: Path, change: Callable[[dict[str, Any]], Mapping[str, Any]]) -> None:
    from safetensors.torch import load_file, save_file  # noqa: PLC0415  # torch

    path = folder / "model.safetensors"
    save_file(dict(change(load_file(path))), path, metadata={"format": "pt"})


def edit(folder: Path, **changes: Any) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | changes))


def renamed(front: str) -> Callable[[Path], None]:
    return lambda folder: weights(
        folder, lambda of: {front + name: each for name, each in of.items()}
    )


def without(part: str) -> Callable[[Path], None]:
    return lambda folder: weights(
        folder, lambda of: {name: each for name, each in of.items() if part not in name}
    )


def filled(part: str, value: float) -> Callable[[Path], None]:
    return lambda folder: weights(
        folder,
        lambda of: {name: each.fill_(value) if part in name else each for name, each in of.items()},
    )


def unconverted(folder: Path) -> None:
    for path in folder.glob("token*"):
        path.unlink()
    (folder / "spiece.model").write_bytes(b"pieces")


BAD: dict[str, tuple[Callable[[Path], None], str]] = {
    "compiled": (renamed("_orig_mod."), "names in the files begin with '_orig_mod.'"),
    "parallel": (renamed("module.bert."), "names in the files begin with 'module.'"),
    "framework": (renamed("model."), "names in the files begin with 'model.'"),
    "a layer": (without("layer.1."), "no weights for bert.encoder.layer.1."),
    "embeddings": (without("word_embeddings"), "no weights for bert.embeddings.word_embeddings"),
    "fewer layers": (
        lambda folder: edit(folder, num_hidden_layers=1),
        "more layers than config.json says",
    ),
    "shapes": (lambda folder: edit(folder, intermediate_size=64), "other shapes than config.json"),
    "nan": (filled("layer.0.attention.self.query", math.nan), "2 of its tensors hold NaN"),
    "infinity": (filled("word_embeddings", math.inf), "hold NaN or infinity (embeddings.word_"),
    "layers": (lambda folder: edit(folder, num_hidden_layers=10**6), "num_hidden_layers is 1e+06"),
    "many layers": (lambda folder: edit(folder, num_hidden_layers=9000), "num_hidden_layers 9000"),
    "width": (lambda folder: edit(folder, hidden_size=10**12), "hidden_size is 1e+12"),
    "a million wide": (
        lambda folder: edit(folder, intermediate_size=10**6),
        "intermediate_size 1e+06",
    ),
    "words": (lambda folder: edit(folder, vocab_size=10**9), "vocab_size is 1e+09"),
    "labels": (lambda folder: edit(folder, num_labels=10**9), "num_labels is 1e+09"),
    "quantized": (
        lambda folder: edit(folder, quantization_config={"quant_method": "gptq"}),
        "its weights are quantized",
    ),
    "padding": (lambda folder: edit(folder, pad_token_id=99), "adding_idx"),
    "piece": (unconverted, "its tokenizer is spiece.model alone, which has to be converted first"),
}


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return base(tmp_path_factory.mktemp("bert") / "base", "bert", max_position_embeddings=40)


@pytest.fixture
def spoiled(bert: Path, tmp_path: Path) -> Path:
    import shutil  # noqa: PLC0415

    return Path(shutil.copytree(bert, tmp_path / "base"))


@pytest.mark.parametrize("case", BAD)
def test_a_base_model_of_which_more_than_the_head_is_absent_is_refused(
    spoiled: Path, case: str
) -> None:
    spoil, told = BAD[case]
    spoil(spoiled)
    with pytest.raises(ConfigurationError) as refused:
        TASK.rehearse(spoiled, Given.BASE, Silent())
    assert refused.value.reason == "BaseModelUnreadable"
    assert told in refused.value.message


@pytest.mark.slow
@pytest.mark.parametrize(
    "change",
    [
        without("pooler"),
        lambda folder: weights(
            folder,
            lambda of: {
                name.replace("LayerNorm.weight", "LayerNorm.gamma").replace(
                    "LayerNorm.bias", "LayerNorm.beta"
                ): each
                for name, each in of.items()
            },
        ),
        lambda folder: weights(folder, lambda of: {n: each.half() for n, each in of.items()}),
        lambda folder: weights(
            folder, lambda of: {f"bert.{n}": each for n, each in of.items() if "pooler" not in n}
        ),
    ],
    ids=["no pooler", "old names", "16 bits", "of a masked language model"],
)
def test_a_head_may_be_absent_and_old_spellings_are_known(
    spoiled: Path, change: Callable[[Path], None]
) -> None:
    change(spoiled)
    assert TASK.rehearse(spoiled, Given.BASE, Silent()) is not None


@pytest.mark.slow
@pytest.mark.parametrize(
    "given, told",
    [
        ({"dataloader_drop_last": True, "per_device_train_batch_size": 64}, "dataloader_drop_last"),
        ({"optim": "adamw_bnb_8bit"}, "optim='adamw_bnb_8bit'"),
        ({"lr_scheduler_type": "cosine_with_min_lr"}, "lr_scheduler_type='cosine_with_min_lr'"),
        ({"dataloader_persistent_workers": True}, "dataloader_persistent_workers=True"),
        ({"use_liger_kernel": True}, "use_liger_kernel=True"),
        ({"lr_scheduler_kwargs": {"no_such": 1}}, "lr_scheduler_kwargs"),
        (
            {
                "weight_decay": 0.1,
                "gradient_checkpointing_kwargs": {"no": 1},
                "gradient_checkpointing": True,
            },
            "gradient_checkpointing",
        ),
    ],
)
def test_arguments_that_only_the_training_looks_at_are_tried_and_named(
    bert: Path, given: dict[str, Any], told: str
) -> None:
    from maintenance_contract import TrainingAction  # noqa: PLC0415

    tiny = rehearsal.rehearse(TASK, bert, Given.BASE, Silent())
    assert tiny is not None
    TASK.try_arguments(tiny, TrainingAction.RETRAIN, {"fp16": True, "tf32": True}, 30)
    with pytest.raises(ConfigurationError) as refused:
        TASK.try_arguments(tiny, TrainingAction.RETRAIN, given, 30)
    assert refused.value.reason == "ArgumentInvalid"
    assert refused.value.message.startswith("training.retrain.arguments: a rehearsal with ")
    assert told in refused.value.message


@pytest.mark.slow
def test_the_rehearsal_leaves_no_trace(bert: Path) -> None:
    import os  # noqa: PLC0415
    import random  # noqa: PLC0415

    import numpy as np  # noqa: PLC0415
    import torch  # noqa: PLC0415

    def state() -> list[Any]:
        numbers = np.random.get_state()[1]  # noqa: NPY002
        return [dict(os.environ), random.getstate(), list(numbers), torch.get_rng_state().tolist()]

    before = state()
    assert rehearsal.rehearse(TASK, bert, Given.BASE, Silent()) is not None
    assert state() == before


@pytest.mark.slow
def test_the_diagnosis_rehearses(make_lab: Callable[..., Lab], spoiled: Path) -> None:
    lab = make_lab(
        headlines(["finance", "sport"], 30, seed=1),
        dataloader_drop_last=True,
        per_device_train_batch_size=64,
    )
    report, code = lab.do(lab.request(Operation.DIAGNOSE, 1))
    assert (report.reason, code) == ("ArgumentInvalid", 78)
    assert "do not fill one batch" in report.message
    renamed("_orig_mod.")(spoiled)
    model = replace(lab.request(Operation.DIAGNOSE, 2).model, base_model=f"file://{spoiled}")
    report, code = lab.do(lab.request(Operation.DIAGNOSE, 2, model=model))
    assert (report.reason, code) == ("BaseModelUnreadable", 78)

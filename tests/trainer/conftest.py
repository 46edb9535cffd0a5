"""A tiny encoder, and a store with a first version."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from support.laboratory import QUICK, WORDS, Lab, Labelled, headlines, write_csv

from maintenance_contract import TrainingAction, TrainingReport


@pytest.fixture(scope="session")
def base_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random BERT of two layers with a word list of its own."""
    from transformers import BertConfig, BertModel, BertTokenizerFast, set_seed  # type: ignore[attr-defined]  # noqa: PLC0415

    folder = tmp_path_factory.mktemp("base-model")
    letters = [*"abcdefghijklmnopqrstuvwxyz"]
    words = [word for words in WORDS.values() for word in words]
    vocabulary = [
        "[PAD]",
        "[UNK]",
        "[CLS]",
        "[SEP]",
        "[MASK]",
        *letters,
        *("##" + letter for letter in letters),
        *words,
    ]
    (folder / "vocab.txt").write_text("\n".join(vocabulary), encoding="utf-8")
    set_seed(0)
    tokenizer = BertTokenizerFast(str(folder / "vocab.txt"))
    tokenizer.save_pretrained(folder)
    BertModel(
        BertConfig(
            vocab_size=len(tokenizer),
            hidden_size=32,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=64,
            max_position_embeddings=64,
        )
    ).save_pretrained(folder)
    return folder


@pytest.fixture
def make_lab(base_model: Path, tmp_path: Path) -> Callable[..., Lab]:
    def make(rows: Sequence[Labelled], **arguments: Any) -> Lab:
        lab = Lab(tmp_path / "claims", base_model, {**QUICK, **arguments})
        write_csv(lab.original / "first.csv", rows)
        lab.updates.mkdir()
        return lab

    return make


@pytest.fixture(scope="session")
def first(base_model: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Lab, TrainingReport]:
    """A store with version 1, trained on two labels; shared: tests use runs of their own."""
    lab = Lab(tmp_path_factory.mktemp("claims"), base_model, QUICK)
    write_csv(lab.original / "first.csv", headlines(["finance", "sport"], 500, seed=1))
    lab.updates.mkdir()
    return lab, lab.train(1, TrainingAction.RETRAIN, lab.diagnose(1))

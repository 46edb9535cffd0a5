"""Text classification with any Hugging Face encoder."""

import logging
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
import transformers
from numpy.typing import NDArray
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    DataCollatorWithPadding,
    Trainer,
    TrainerCallback,
)
from typing_extensions import override  # of torch; typing has it from Python 3.12 on

from maintenance_trainer.data import Row
from maintenance_trainer.errors import OutOfMemoryError
from maintenance_trainer.given import Given
from maintenance_trainer.progress import Progress

MOST_TOKENS: Final = 512
EVALUATION_BATCH: Final = 64
_LOCAL: Final[dict[str, Any]] = {"local_files_only": True, "trust_remote_code": False}
_UNNAMED: Final = re.compile(r"LABEL_\d+")

hf_logging: Any = transformers.utils.logging  # its functions have no types
hf_logging.set_verbosity_error()
hf_logging.disable_progress_bar()
logging.getLogger("transformers").setLevel(logging.ERROR)


@dataclass(frozen=True, slots=True)
class Classifier:
    """A model with its tokenizer; the i-th output stands for ``labels[i]``."""

    model: Any
    tokenizer: Any
    labels: tuple[str, ...]

    @property
    def most_tokens(self) -> int:
        """Tokens that fit; what is longer is cut."""
        positions = getattr(self.model.config, "max_position_embeddings", MOST_TOKENS)
        return int(min(self.tokenizer.model_max_length, positions, MOST_TOKENS))


@dataclass(frozen=True, slots=True)
class Outputs:
    """What a model makes of n texts.

    ``predicted`` are n labels; ``embeddings`` (n, hidden size) the mean of the last hidden state
    over the text's tokens; ``probabilities`` (n, labels) in the order of the model's labels.
    """

    predicted: tuple[str, ...]
    embeddings: NDArray[np.float32]
    probabilities: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class TokenCounts:
    """The tokenizer's view of n texts, summed: tokens without special ones, before cutting."""

    texts: int
    empty: int
    words: int
    tokens: int
    unknown: int
    cut: int


def from_base_model(folder: Path, labels: Sequence[str], seed: int) -> Classifier:
    """A base model with a fresh head for these labels.

    Raises:
        ConfigurationError: BaseModelUnreadable.
    """
    transformers.set_seed(seed)
    try:
        return _load(folder, tuple(labels), fresh=True)
    except (OSError, ValueError, KeyError, RuntimeError, ImportError) as error:
        problem = f"no sequence classifier can be made of {folder.name!r}: {_first_line(error)}"
        raise Given.BASE.unreadable(problem) from None


def from_initial_model(folder: Path) -> Classifier:
    """A classifier that was made elsewhere, with its own labels.

    Raises:
        ConfigurationError: InitialModelUnreadable, it is no trained classifier of named labels.
    """
    given = Given.INITIAL
    try:
        tokenizer = _tokenizer(folder)
        load: Any = AutoModelForSequenceClassification.from_pretrained
        model, told = load(
            folder, use_safetensors=True, dtype=torch.float32, output_loading_info=True, **_LOCAL
        )
    except Exception as error:  # noqa: BLE001  # the library raises whatever its parsers raise
        problem = f"no sequence classifier can be read from it: {_first_line(error)}"
        raise given.unreadable(problem) from None
    absent = sorted({*told["missing_keys"], *(str(key) for key in told["mismatched_keys"])})
    if absent:
        problem = (
            f"it holds no weights for {', '.join(absent)[:200]}, so it is no trained classifier; "
            "a model to start from belongs into model.baseModel."
        )
        raise given.unreadable(problem)
    if len(tokenizer) > model.config.vocab_size:
        problem = (
            f"its tokenizer has {len(tokenizer)} tokens and the model {model.config.vocab_size}: "
            "they do not belong together; copy both from where the model was saved."
        )
        raise given.unreadable(problem)
    return Classifier(model, tokenizer, _own_labels(model.config, given))


def _tokenizer(folder: Path) -> Any:
    """The folder's own. The library makes an empty one up where its files are missing."""
    tokenizer = AutoTokenizer.from_pretrained(folder, **_LOCAL)
    files = ("tokenizer.json", *type(tokenizer).vocab_files_names.values())
    if not any((folder / name).is_file() for name in files):
        msg = f"there is no tokenizer; one of {', '.join(dict.fromkeys(files))} is expected"
        raise OSError(msg)
    return tokenizer


def _own_labels(config: Any, given: Given) -> tuple[str, ...]:
    """The labels of the outputs in their order."""
    names = {int(number): str(name).strip() for number, name in config.id2label.items()}
    labels = tuple(names[number] for number in sorted(names))
    if getattr(config, "problem_type", None) == "multi_label_classification":
        problem = "it gives several labels to a text; one that gives a text one label is expected."
        raise given.unreadable(problem)
    unnamed = all(_UNNAMED.fullmatch(name) for name in labels)
    if unnamed or len(set(labels)) < max(2, len(labels)):
        problem = (
            f"its labels are {', '.join(labels)[:200]}; write the labels as they are in the data, "
            "each once and in the order of the outputs, into id2label of its config.json."
        )
        raise given.unreadable(problem)
    return labels


def _first_line(error: Exception) -> str:
    return (str(error) or repr(error)).splitlines()[0][:300]


def from_version(folder: Path, labels: Sequence[str]) -> Classifier:
    """A stored version, as it was."""
    return _load(folder, tuple(labels), fresh=False)


def check_base_model(folder: Path) -> None:
    """Refuse a folder whose configuration or tokenizer cannot be read; loads no weights.

    Raises:
        ConfigurationError: BaseModelUnreadable.
    """
    try:
        config = transformers.AutoConfig.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False
        )
        _tokenizer(folder)
        with torch.device("meta"):
            build: Any = AutoModelForSequenceClassification.from_config
            build(config, trust_remote_code=False)
    except Exception as error:  # noqa: BLE001  # the library raises whatever its parsers raise
        problem = f"no sequence classifier can be made of it: {_first_line(error)}"
        raise Given.BASE.unreadable(problem) from None


def grown(champion: Classifier, folder: Path, labels: Sequence[str], seed: int) -> Classifier:
    """The champion with outputs for labels it did not know; what it knew stays as it is.

    Args:
        champion: as loaded from ``folder``.
        folder: where it lies.
        labels: the labels of the new rows.
        seed: of the new outputs' first weights.
    """
    news = sorted(set(labels) - set(champion.labels))
    if not news:
        return champion
    transformers.set_seed(seed)
    larger = _load(folder, champion.labels + tuple(news), fresh=True)
    before = champion.model.state_dict()
    with torch.no_grad():
        for name, weights in larger.model.state_dict().items():
            known = before[name]
            if known.shape != weights.shape:
                weights[: known.shape[0]] = known
    return larger


def fit(
    classifier: Classifier,
    rows: Sequence[Row],
    arguments: Any,  # TrainingArguments, which costs seconds to import
    progress: Progress,
) -> float:
    """Train in place; returns the seconds of the optimisation itself.

    Raises:
        OutOfMemoryError: of the GPU.
    """
    index = {label: number for number, label in enumerate(classifier.labels)}
    encoded = _encode(classifier, [row.text for row in rows])
    dataset = _Rows(
        [
            {**features, "labels": index[row.label]}
            for features, row in zip(encoded, rows, strict=True)
        ]
    )
    classifier.model.train()
    trainer = Trainer(
        model=classifier.model,
        args=arguments,
        train_dataset=dataset,
        data_collator=DataCollatorWithPadding(classifier.tokenizer),
        callbacks=[_Told(progress, len(rows))],
    )
    trainer.remove_callback(transformers.PrinterCallback)
    start = time.monotonic()
    try:
        trainer.train()
    except torch.cuda.OutOfMemoryError:
        message = (
            "The GPU ran out of memory; lower per_device_train_batch_size in "
            "training.*.arguments or give the trainer a larger GPU."
        )
        raise OutOfMemoryError("OutOfMemory", message) from None
    return time.monotonic() - start


def read(classifier: Classifier, texts: Sequence[str], progress: Progress, stage: str) -> Outputs:
    """Predict and embed; always in 32 bits, so that two models are compared alike."""
    progress.stage(stage, len(texts))
    hidden, labels = classifier.model.config.hidden_size, len(classifier.labels)
    embeddings = np.zeros((len(texts), hidden), np.float32)
    probabilities = np.zeros((len(texts), labels), np.float32)
    predicted = [""] * len(texts)
    if not texts:
        return Outputs((), embeddings, probabilities)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = classifier.model.to(device).eval()
    encoded = _encode(classifier, texts)
    collate: Any = DataCollatorWithPadding(classifier.tokenizer)
    # Texts of one length share a batch: nothing is learnt here, so order costs no score.
    order = sorted(range(len(texts)), key=lambda number: len(encoded[number]["input_ids"]))
    with torch.inference_mode():
        for start in range(0, len(order), EVALUATION_BATCH):
            batch = order[start : start + EVALUATION_BATCH]
            inputs = collate([encoded[number] for number in batch]).to(device)
            output = model(**inputs, output_hidden_states=True)
            mask = inputs["attention_mask"].unsqueeze(-1)
            pooled = (output.hidden_states[-1] * mask).sum(1) / mask.sum(1).clamp(min=1)
            embeddings[batch] = pooled.float().cpu().numpy()
            probabilities[batch] = output.logits.float().softmax(-1).cpu().numpy()
            for number, best in zip(batch, output.logits.argmax(-1).tolist(), strict=True):
                predicted[number] = classifier.labels[best]
            progress.step(start + len(batch))
    return Outputs(tuple(predicted), embeddings, probabilities)


def count_tokens(classifier: Classifier, texts: Sequence[str]) -> TokenCounts:
    """How the model's tokenizer sees these texts."""
    tokenizer = classifier.tokenizer
    ids = tokenizer(list(texts), add_special_tokens=False)["input_ids"] if texts else []
    room = classifier.most_tokens - tokenizer.num_special_tokens_to_add()
    unknown = tokenizer.unk_token_id
    return TokenCounts(
        texts=len(texts),
        empty=sum(not text.strip() for text in texts),
        words=sum(len(text.split()) for text in texts),
        tokens=sum(map(len, ids)),
        unknown=0 if unknown is None else sum(row.count(unknown) for row in ids),
        cut=sum(len(row) > room for row in ids),
    )


def save(classifier: Classifier, folder: Path) -> None:
    """Model, tokenizer and label names, readable by ``AutoModelForSequenceClassification``."""
    classifier.model.to("cpu").save_pretrained(folder, safe_serialization=True)
    classifier.tokenizer.save_pretrained(folder)


def _load(folder: Path, labels: tuple[str, ...], *, fresh: bool) -> Classifier:
    options = dict(_LOCAL)
    tokenizer = _tokenizer(folder)
    if fresh:
        options |= {
            "num_labels": len(labels),
            "ignore_mismatched_sizes": True,
            "problem_type": "single_label_classification",
            "id2label": dict(enumerate(labels)),
            "label2id": {label: number for number, label in enumerate(labels)},
        }
    model = AutoModelForSequenceClassification.from_pretrained(
        folder, use_safetensors=True, dtype=torch.float32, **options
    )
    return Classifier(model, tokenizer, labels)


def _encode(classifier: Classifier, texts: Sequence[str]) -> list[dict[str, list[int]]]:
    encoded = classifier.tokenizer(list(texts), truncation=True, max_length=classifier.most_tokens)
    names = list(encoded)
    return [{name: encoded[name][number] for name in names} for number in range(len(texts))]


class _Rows(torch.utils.data.Dataset[dict[str, Any]]):
    def __init__(self, rows: list[dict[str, Any]]) -> None:
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    @override
    def __getitem__(self, number: int) -> dict[str, Any]:
        return self._rows[number]


class _Told(TrainerCallback):
    """Passes the trainer's steps on."""

    def __init__(self, progress: Progress, rows: int) -> None:
        self._progress = progress
        self._rows = rows
        self._loss = ""

    @override
    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self._progress.stage(f"training on {self._rows} rows, steps", state.max_steps)

    @override
    def on_log(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        loss = (kwargs.get("logs") or {}).get("loss")
        if loss is not None:
            self._loss = f", loss {float(loss):.4f}"

    @override
    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self._progress.step(state.global_step, f"(epoch {state.epoch:.2f}{self._loss})")

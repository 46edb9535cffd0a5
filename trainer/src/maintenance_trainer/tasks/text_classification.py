"""Text classification with any Hugging Face encoder."""

import logging
import math
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
import transformers
from numpy.typing import NDArray
from transformers import Trainer, TrainerCallback
from typing_extensions import override  # of torch; typing has it from Python 3.12 on

from maintenance_trainer.data import Row
from maintenance_trainer.errors import ConfigurationError, OutOfMemoryError
from maintenance_trainer.given import Given
from maintenance_trainer.progress import Progress, Silent
from maintenance_trainer.tasks import inputs, loading

EVALUATION_BATCH: Final = 64
_PROBE: Final = "Shares of the 3 largest banks fell on Monday; nobody knows why."
_SAME: Final = 1e-3
"""Probabilities of a model and its copy differ by less: the same weights, maybe another device."""
_UNNAMED: Final = re.compile(r"LABEL_\d+")

hf_logging: Any = transformers.utils.logging  # its functions have no types
hf_logging.set_verbosity_error()
hf_logging.disable_progress_bar()
logging.getLogger("transformers").setLevel(logging.ERROR)


@dataclass(frozen=True, slots=True)
class Classifier:
    """A model with its tokenizer; the i-th output stands for ``labels[i]``.

    ``given`` says whose it is; None: it is trained here.
    """

    model: Any
    tokenizer: Any
    labels: tuple[str, ...]
    given: Given | None = None

    @property
    def most_tokens(self) -> int:
        """Tokens that fit; what is longer is cut."""
        return inputs.room(self.model, self.tokenizer)


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
class Fitted:
    """How long an optimisation took, and how many steps it made."""

    seconds: float = 0.0
    steps: int = 0


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
        model, tokenizer = loading.together(folder, Given.BASE, labels)
    except (OSError, ValueError, KeyError, RuntimeError, ImportError) as error:
        problem = f"no sequence classifier can be made of {folder.name!r}: {first_line(error)}"
        raise Given.BASE.unreadable(problem) from None
    return Classifier(model, tokenizer, tuple(labels))


def from_initial_model(folder: Path) -> Classifier:
    """A classifier that was made elsewhere, with its own labels.

    Raises:
        ConfigurationError: InitialModelUnreadable, it is no trained classifier of named labels.
    """
    given = Given.INITIAL
    try:
        model, tokenizer = loading.together(folder, given)
    except ConfigurationError:
        raise
    except Exception as error:  # noqa: BLE001  # the library raises whatever its parsers raise
        problem = f"no sequence classifier can be read from it: {first_line(error)}"
        raise given.unreadable(problem) from None
    return Classifier(model, tokenizer, _own_labels(model.config, given), given)


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


def first_line(error: Exception) -> str:
    """What an error of the library says, short enough for a message."""
    return (str(error).strip() or repr(error)).splitlines()[0][:300]


def from_version(folder: Path, labels: Sequence[str]) -> Classifier:
    """A stored version, as it was.

    Raises:
        ConfigurationError: ChampionUnreadable.
    """
    given = Given.CHAMPION
    try:
        model, tokenizer = loading.together(folder, given)
    except ConfigurationError:
        raise
    except Exception as error:  # noqa: BLE001  # the library raises whatever its parsers raise
        problem = f"versions/{folder.name} cannot be read: {first_line(error)}"
        raise given.unreadable(problem) from None
    return Classifier(model, tokenizer, tuple(labels), given)


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
        return replace(champion, given=None)
    transformers.set_seed(seed)
    known = champion.labels + tuple(news)
    larger = Classifier(*loading.together(folder, Given.CHAMPION, known), known)
    before = champion.model.state_dict()
    with torch.no_grad():
        for name, weights in larger.model.state_dict().items():
            own = before[name]
            if own.shape != weights.shape:
                weights[: own.shape[0]] = own
    return larger


def fit(
    classifier: Classifier,
    rows: Sequence[Row],
    arguments: Any,  # TrainingArguments, which costs seconds to import
    progress: Progress,
    where: str = "training.*.arguments",
) -> Fitted:
    """Train in place.

    Args:
        classifier: what is trained.
        rows: what it is trained on.
        arguments: the library's ``TrainingArguments``.
        progress: whom to tell.
        where: the field that the arguments come from.

    Raises:
        OutOfMemoryError: of the GPU.
        ConfigurationError: TrainingDiverged, the loss or weights are no numbers any more.
    """
    classifier.model.train()
    told = _Told(progress, len(rows))
    trainer = trainer_of(classifier, rows, arguments, told)
    start = time.monotonic()
    try:
        trainer.train()
    except torch.cuda.OutOfMemoryError:
        message = (
            "The GPU ran out of memory; lower per_device_train_batch_size in "
            "training.*.arguments or give the trainer a larger GPU."
        )
        raise OutOfMemoryError("OutOfMemory", message) from None
    seconds = time.monotonic() - start
    # Mixed precision was for the training: it is scored as whoever loads it will run it.
    trainer.accelerator.unwrap_model(classifier.model, keep_fp32_wrapper=False)
    if told.diverged:
        raise _diverged(told.diverged, arguments, where)
    if names := loading.not_finite(classifier.model.state_dict()):
        what = f"{len(names)} tensors hold NaN or infinity after step {told.steps}"
        raise _diverged(what, arguments, where)
    return Fitted(seconds, told.steps)


def trainer_of(
    classifier: Classifier, rows: Sequence[Row], arguments: Any, told: TrainerCallback
) -> Trainer:
    """The library's trainer of these rows."""
    index = {label: number for number, label in enumerate(classifier.labels)}
    takes = inputs.accepted(classifier.model)
    encoded = inputs.encode(classifier.model, classifier.tokenizer, [row.text for row in rows])
    dataset = _Rows(
        [
            {**{n: f for n, f in fields.items() if n in takes}, "labels": index[row.label]}
            for fields, row in zip(encoded, rows, strict=True)
        ]
    )
    trainer = Trainer(
        model=classifier.model,
        args=arguments,
        train_dataset=dataset,
        data_collator=inputs.collator(classifier.model, classifier.tokenizer),
        callbacks=[told],
    )
    trainer.remove_callback(transformers.PrinterCallback)
    return trainer


def _diverged(what: str, arguments: Any, where: str) -> ConfigurationError:
    halves = ", or use bf16 for fp16" if arguments.fp16 else ""
    unclipped = "" if arguments.max_grad_norm else ", or give max_grad_norm a number above 0"
    message = (
        f"The training diverged: {what}. No version was written. Lower "
        f"{where}.learning_rate (it is {arguments.learning_rate:g}){unclipped}{halves}."
    )
    return ConfigurationError("TrainingDiverged", message)


def read(classifier: Classifier, texts: Sequence[str], progress: Progress, stage: str) -> Outputs:
    """Predict and embed; always in 32 bits, so that two models are compared alike.

    Raises:
        ConfigurationError: what the model gives is no number; TrainingDiverged or whose it is.
    """
    progress.stage(stage, len(texts))
    probabilities = np.zeros((len(texts), len(classifier.labels)), np.float32)
    predicted = [""] * len(texts)
    if not texts:
        width = getattr(classifier.model.config.get_text_config(), "hidden_size", 0)
        return Outputs((), np.zeros((0, width), np.float32), probabilities)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = classifier.model.to(device).eval()
    takes = inputs.accepted(model)
    encoded = inputs.encode(model, classifier.tokenizer, texts)
    collate = inputs.collator(model, classifier.tokenizer)
    # Texts of one length share a batch: nothing is learnt here, so order costs no score.
    order = sorted(range(len(texts)), key=lambda number: len(encoded[number]["input_ids"]))
    embeddings: NDArray[np.float32] | None = None
    with torch.inference_mode():
        for start in range(0, len(order), EVALUATION_BATCH):
            batch = order[start : start + EVALUATION_BATCH]
            fields = collate([encoded[number] for number in batch]).to(device)
            mask = fields["attention_mask"]
            taken = {name: field for name, field in fields.items() if name in takes}
            output = model(**taken, output_hidden_states=True)
            pooled = inputs.pooled(output, mask).float().cpu().numpy()
            if embeddings is None:
                embeddings = np.zeros((len(texts), pooled.shape[1]), np.float32)
            embeddings[batch] = pooled
            probabilities[batch] = output.logits.float().softmax(-1).cpu().numpy()
            for number, best in zip(batch, output.logits.argmax(-1).tolist(), strict=True):
                predicted[number] = classifier.labels[best]
            progress.step(start + len(batch))
    assert embeddings is not None  # noqa: S101  # there are texts
    _refuse_no_numbers(classifier, embeddings, probabilities)
    return Outputs(tuple(predicted), embeddings, probabilities)


def _refuse_no_numbers(
    classifier: Classifier, embeddings: NDArray[np.float32], probabilities: NDArray[np.float32]
) -> None:
    fine = np.asarray(np.isfinite(np.hstack([embeddings, probabilities])).all(axis=1))
    if fine.all():
        return
    what = f"of {len(fine)} texts it answers {int((~fine).sum())} with NaN or infinity"
    if classifier.given is None:
        message = (
            f"The training diverged: {what}. No version was written. "
            "Lower learning_rate in training.*.arguments."
        )
        raise ConfigurationError("TrainingDiverged", message)
    raise classifier.given.unreadable(
        f"{what}, though its weights are finite: they are too large; take an earlier checkpoint."
    )


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


def files_of(classifier: Classifier) -> frozenset[str]:
    """Names of the files that its tokenizer reads, where they lie beside the model."""
    return frozenset(map(str, type(classifier.tokenizer).vocab_files_names.values()))


def proof(classifier: Classifier) -> Callable[[Path], None]:
    """How a copy of this classifier is known: it loads, and says the same of a text.

    Raises:
        ConfigurationError: StoreUnwritable or InitialModelUnreadable, of what is returned.
    """
    silent = Silent()
    expected = read(classifier, [_PROBE], silent, "").probabilities

    def prove(folder: Path) -> None:
        classifier.model.to("meta")  # two of them may not fit into memory
        try:
            copy = from_version(folder, classifier.labels)
            found = read(copy, [_PROBE], silent, "").probabilities
        except ConfigurationError as error:
            raise _no_copy(classifier, error.message) from None
        if not np.allclose(found, expected, atol=_SAME):
            raise _no_copy(classifier, "it answers otherwise than the model itself")

    return prove


def _no_copy(classifier: Classifier, problem: str) -> ConfigurationError:
    if classifier.given is not None:
        return classifier.given.unreadable(
            f"what is copied of it cannot be read ({problem}); save it once more with "
            "save_pretrained of model and tokenizer."
        )
    message = f"model.storage: the version that was written cannot be read back ({problem})."
    return ConfigurationError("StoreUnwritable", message)


class _Rows(torch.utils.data.Dataset[dict[str, Any]]):
    def __init__(self, rows: list[dict[str, Any]]) -> None:
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    @override
    def __getitem__(self, number: int) -> dict[str, Any]:
        return self._rows[number]


class _Told(TrainerCallback):
    """Passes the trainer's steps on, and stops it where the loss is no number any more."""

    def __init__(self, progress: Progress, rows: int) -> None:
        self._progress = progress
        self._rows = rows
        self._loss = ""
        self.steps = 0
        self.diverged = ""

    @override
    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self._progress.stage(f"training on {self._rows} rows, steps", state.max_steps)

    @override
    def on_log(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        loss = (kwargs.get("logs") or {}).get("loss")
        if loss is None:
            return
        self._loss = f", loss {float(loss):.4f}"
        if not math.isfinite(float(loss)):
            self.diverged = f"the loss is {loss} at step {state.global_step} of {state.max_steps}"
            control.should_training_stop = True

    @override
    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.steps = state.global_step
        self._progress.step(state.global_step, f"(epoch {state.epoch:.2f}{self._loss})")

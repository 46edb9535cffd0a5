"""An optimisation by the library's trainer: its progress, its memory, its end."""

import json
import math
import time
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

import torch
import transformers
from transformers import Trainer, TrainerCallback
from typing_extensions import override  # of torch; typing has it from Python 3.12 on

from maintenance_trainer.errors import (
    ConfigurationError,
    DataError,
    OutOfMemoryError,
    TrainerError,
    TransientError,
)
from maintenance_trainer.progress import Progress
from maintenance_trainer.tasks.huggingface import loading
from maintenance_trainer.tasks.huggingface.early_stopping import Validation
from maintenance_trainer.tasks.task import Fitted

T = TypeVar("T")
Fields = dict[str, Any]
"""What a model takes of one row."""
_FOLLOWS: Final = "what a worker met: "
_OF_WORKERS: Final = {each.__name__: each for each in (DataError, ConfigurationError)}


class _OfWorkerError(Exception):
    """An error of a worker that loads rows.

    The library makes it anew in the process that waits, of its type and its traceback's text alone.
    """

    @classmethod
    def of(cls, error: TrainerError) -> "_OfWorkerError":
        told = [type(error).__name__, error.reason, error.message]
        return cls(_FOLLOWS + json.dumps(told))

    def error(self) -> TrainerError:
        """The error that it stands for."""
        kind, reason, message = json.loads(str(self).rpartition(_FOLLOWS)[2].splitlines()[0])
        return _OF_WORKERS.get(kind, TransientError)(reason, message)


class Examples(torch.utils.data.Dataset[Fields]):
    """Rows as a model takes them, each made when it is asked for.

    Args:
        encoded: the fields of each row.
        takes: names of the fields that the model takes.
        answers: what it is to learn of each row.
    """

    def __init__(
        self, encoded: Sequence[Fields], takes: frozenset[str], answers: Sequence[Any]
    ) -> None:
        self._encoded, self._takes, self._answers = encoded, takes, answers

    def __len__(self) -> int:
        return len(self._answers)

    @override
    def __getitem__(self, number: int) -> Fields:
        try:
            fields = self._encoded[number]
        except TrainerError as error:
            if torch.utils.data.get_worker_info() is None:
                raise
            raise _OfWorkerError.of(error) from None
        taken = {name: field for name, field in fields.items() if name in self._takes}
        return {**taken, "labels": self._answers[number]}


def trainer_of(
    model: Any,
    examples: torch.utils.data.Dataset[Any],
    collator: Any,
    arguments: Any,
    told: TrainerCallback,
    validation: Validation | None = None,
) -> Trainer:
    """The library's trainer, which says nothing itself; ``validation`` may end it early."""
    trainer = Trainer(
        model=model,
        args=arguments,
        train_dataset=examples,
        eval_dataset=validation.examples if validation else None,
        data_collator=collator,
        callbacks=[told, *([validation.callback] if validation else [])],
    )
    trainer.remove_callback(transformers.PrinterCallback)
    return trainer


def in_batches_that_fit(most: int, made: Callable[[int], T]) -> T:
    """What is made of rows in batches of ``most``, or of fewer where the GPU has no room for them.

    Raises:
        OutOfMemoryError: there is none for a single row.
    """
    size = most
    while True:
        try:
            return made(size)
        except torch.cuda.OutOfMemoryError:
            if size == 1:
                raise no_room_to_score() from None
        size = max(1, size // 4)
        torch.cuda.empty_cache()


def no_room_to_score() -> OutOfMemoryError:
    """What to do where a row that is scored is too large."""
    message = (
        "The GPU ran out of memory while rows were scored, some of them long or large: give the "
        "trainer a larger GPU, or leave the largest rows out."
    )
    return OutOfMemoryError("OutOfMemory", message)


def out_of_memory() -> OutOfMemoryError:
    """What to do where a batch of a training is too large."""
    message = (
        "The GPU ran out of memory; lower per_device_train_batch_size in "
        "training.*.arguments or give the trainer a larger GPU."
    )
    return OutOfMemoryError("OutOfMemory", message)


def fit(trainer: Trainer, told: "Told", where: str) -> Fitted:
    """Train in place.

    Args:
        trainer: of the model that is trained.
        told: its callback.
        where: the field that the arguments come from.

    Raises:
        OutOfMemoryError: of the GPU.
        ConfigurationError: TrainingDiverged, the loss or weights are no numbers any more.
    """
    model: Any = trainer.model
    model.train()
    start = time.monotonic()
    try:
        trainer.train()
    except torch.cuda.OutOfMemoryError:
        raise out_of_memory() from None
    except _OfWorkerError as error:
        raise error.error() from None
    seconds = time.monotonic() - start
    # Mixed precision was for the training: it is scored as whoever loads it will run it.
    trainer.accelerator.unwrap_model(model, keep_fp32_wrapper=False)
    if told.diverged:
        raise _diverged(told.diverged, trainer.args, where)
    if names := loading.not_finite(model.state_dict()):
        what = f"{len(names)} tensors hold NaN or infinity after step {told.steps}"
        raise _diverged(what, trainer.args, where)
    return Fitted(seconds, told.steps)


def _diverged(what: str, arguments: Any, where: str) -> ConfigurationError:
    halves = ", or use bf16 for fp16" if arguments.fp16 else ""
    unclipped = "" if arguments.max_grad_norm else ", or give max_grad_norm a number above 0"
    message = (
        f"The training diverged: {what}. No version was written. Lower "
        f"{where}.learning_rate (it is {arguments.learning_rate:g}){unclipped}{halves}."
    )
    return ConfigurationError("TrainingDiverged", message)


class Told(TrainerCallback):
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
    def on_evaluate(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        loss = float(kwargs["metrics"]["eval_loss"])
        if not math.isfinite(loss):
            self.diverged = f"the loss of rows set aside is {loss} at step {state.global_step}"
            control.should_training_stop = True

    @override
    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if state.best_metric is not None:
            self._progress.say(
                f"rows set aside were told best at step {state.best_global_step} (loss "
                f"{state.best_metric:.4f}); {state.global_step} of {state.max_steps} steps were "
                "made"
            )

    @override
    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.steps = state.global_step
        self._progress.step(state.global_step, f"(epoch {state.epoch:.2f}{self._loss})")

"""A rehearsal: a tiny model of the same kind goes through the code that trains, scores and keeps.

It costs a second on a CPU, and finds out what otherwise ends a training once a GPU is paid for: an
architecture that needs more than its inputs, positions that end too early, an argument that only
the library's trainer, optimizer or scheduler looks at.
"""

import gc
import os
import random
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np
import torch
from transformers import TrainerCallback
from typing_extensions import override  # of torch; typing has it from Python 3.12 on

from maintenance_contract import TrainingAction
from maintenance_trainer.errors import ConfigurationError
from maintenance_trainer.model_field import Given
from maintenance_trainer.progress import Progress, Silent
from maintenance_trainer.tasks.huggingface import arguments, early_stopping, loading, sizes
from maintenance_trainer.tasks.huggingface.folder import config_document

if TYPE_CHECKING:
    from maintenance_trainer.tasks.huggingface.pretrained import PretrainedModel, PretrainedTask

LABELS: Final = ("one", "other")
MOST_WEIGHTS: Final = 50_000_000
"""Of the tiny model: with gradients and an optimizer's state 800 MB."""


class Rehearsed(Protocol):
    """What arguments are tried on, of any kind that the library's trainer trains."""

    def rehearsed(self, model: Any, labels: Sequence[str], /) -> dict[str, list[Any]]:
        """Rows that a run may meet; the first are trained on."""

    def trainer_of(self, model: Any, rows: Sequence[Any], built: Any, told: Any, /) -> Any:
        """The library's trainer of these rows."""


_TIMES_STORED: Final = 4
"""A model has so many times the weights of its files at most: heads are new, the rest is there."""
_RUNGS: Final = ((True, 4), (True, 16), (False, 4), (False, 16), (True, 0), (False, 0))
"""Whether layers are cut, and to what width heads are: the smaller first, the whole last."""


def check(
    task: "PretrainedTask[Any]", folder: Path, given: Given, progress: Progress
) -> "PretrainedModel | None":
    """Refuse a model that could not be trained, scored or kept; its weights are read in pieces.

    Returns:
        A tiny model of its kind; None where none can be made that is small enough to tell.

    Raises:
        ConfigurationError: of ``given``; what is wrong with its configuration, tokenizer or
            weights, or where the rehearsal failed.
    """
    labels = LABELS if task.new_head and given is Given.BASE else None
    try:
        sizes.check_numbers(config_document(folder))
        config = loading.config(folder)
        if getattr(config, "quantization_config", None) is not None:
            message = "its weights are quantized, which cannot be trained; save it in 32 or 16 bits"
            raise ValueError(message)  # noqa: TRY301  # told as what the library finds is
        loading.refuse_other_kind(config, task.name, given)
        processor = task.processor(folder)
        tensors, weights = sizes.stored(folder)
        most = 2 * tensors + 500, _TIMES_STORED * weights + 2**20
        with sizes.no_larger_than(*most):
            whole = loading.model(task.auto, folder, given, labels, device_map="meta")
    except ConfigurationError:
        raise
    except sizes.TooLargeError as error:
        raise given.unreadable(f"{error}{_numbers(folder, error)}: correct config.json.") from None
    except Exception as error:  # noqa: BLE001  # the library raises whatever its parsers raise
        problem = f"no {task.classifier} can be made of it: {loading.first_line(error)}"
        raise given.unreadable(problem) from None
    task.refuse_strangers(whole, processor, given)
    loading.refuse_files_not_finite(folder, given)
    del whole
    return rehearse(task, folder, given, progress)


def rehearse(
    task: "PretrainedTask[Any]", folder: Path, given: Given, progress: Progress
) -> "PretrainedModel | None":
    """Let a tiny model of random weights go the whole way.

    Raises:
        ConfigurationError: of ``given``, where it fails.
    """
    config = loading.config(folder, **loading.labelled(LABELS))
    tried: dict[str, int] = {}
    with apart():
        for layers, width in _RUNGS:
            try:
                small = sizes.smaller(config, layers=layers, head_width=width)
                with torch.device("meta"), sizes.no_larger_than(10_000, MOST_WEIGHTS):
                    _built(task, small)
            except Exception as error:  # noqa: BLE001  # not every configuration can be cut
                progress.say(f"no rehearsal in this size: {loading.first_line(error)}")
                continue
            problem = _whole_way(task, folder, small, given)
            if not isinstance(problem, str):
                return problem
            # The same in two widths is no accident of cutting; nor is anything that was not cut.
            if tried.setdefault(problem, width) != width or not width:
                raise given.unreadable(problem)
    if tried:
        progress.say(f"the rehearsal of a smaller model tells nothing: {next(reversed(tried))}")
    return None


def _whole_way(
    task: "PretrainedTask[Any]", folder: Path, config: Any, given: Given
) -> "PretrainedModel | str":
    """The tiny model that went through; or what stopped it."""
    doing = "building it"
    try:
        classifier = task.made(_built(task, config), task.processor(folder), LABELS)
        task.fit_together(classifier.model, classifier.processor, given)
        for number, (tried, rows) in enumerate(task.rehearsed(classifier, LABELS).items()):
            doing = tried
            if not number:
                _one_step_of(task, classifier, rows)
                task.input_changes(classifier, rows, rows)
            task.outputs(classifier, rows, Silent(), "")
        doing = "keeping and loading it"
        with tempfile.TemporaryDirectory(prefix="rehearsal-") as name:
            task.save(classifier, Path(name))
            task.load(Path(name), LABELS)
    except ConfigurationError as error:
        return _stopped(task, config, doing, error.message)
    except Exception as error:  # noqa: BLE001  # the library raises whatever its layers raise
        return _stopped(task, config, doing, f"{type(error).__name__}: {loading.first_line(error)}")
    return classifier


def _stopped(task: "PretrainedTask[Any]", config: Any, doing: str, problem: str) -> str:
    return (
        f"no {task.taught} can be trained from it: a rehearsal with a tiny "
        f"{config.model_type} failed at {doing} ({problem}); take a model of another architecture."
    )


def _built(task: "PretrainedTask[Any]", config: Any) -> Any:
    return task.auto.from_config(config, trust_remote_code=False, dtype=torch.float32)


def _one_step_of(
    task: "PretrainedTask[Any]", classifier: "PretrainedModel", rows: list[Any]
) -> None:
    with tempfile.TemporaryDirectory(prefix="rehearsal-") as name:
        how = arguments.build(TrainingAction.RETRAIN, _ONE_STEP, Path(name))
        task.trainer_of(classifier, rows, how, _One()).train()


_ONE_STEP: Final[dict[str, Any]] = {"max_steps": 1, "use_cpu": True, "bf16": False}


def check_arguments(
    task: Rehearsed,
    tiny: Any,
    action: TrainingAction,
    given: Mapping[str, Any],
    rows: int,
) -> None:
    """Refuse arguments that the library's trainer stumbles over, by trying them.

    Args:
        task: the kind of model.
        tiny: a tiny model that was rehearsed.
        action: whose arguments they are.
        given: the user's arguments.
        rows: how many rows will be trained on.

    Raises:
        ConfigurationError: ArgumentInvalid, with the argument's name.
    """
    early_stopping.refuse_few(arguments.where(action), given, rows)
    given = early_stopping.rest(given)
    with apart():
        problem = _problem(task, tiny, action, given, rows)
        if not problem:
            return
        guilty = [
            name
            for name in given
            if not _problem(task, tiny, action, {n: v for n, v in given.items() if n != name}, rows)
        ]
    where = arguments.where(action)
    names = ", ".join(f"{name}={given[name]!r}" for name in guilty or given)[:300]
    message = f"{where}: a rehearsal with {names} failed ({problem}); correct or remove it."
    raise ConfigurationError("ArgumentInvalid", message)


def _problem(
    task: Rehearsed,
    tiny: Any,
    action: TrainingAction,
    given: Mapping[str, Any],
    rows: int,
) -> str:
    """What the library says of these arguments; empty where they train."""
    there = {name: value for name, value in given.items() if name not in _OF_A_GPU}
    few = next(iter(task.rehearsed(tiny, LABELS).values()))
    with tempfile.TemporaryDirectory(prefix="rehearsal-") as name:
        try:
            how = arguments.build(action, {**there, "use_cpu": True}, Path(name))
            whole = task.trainer_of(tiny, few, how, _One())
            whole.train_dataset = _Many(whole.train_dataset, rows)
            if not len(whole.get_train_dataloader()):
                return f"{rows} rows do not fill one batch"
            short = arguments.build(action, _one_step(there), Path(name))
            trainer = task.trainer_of(tiny, few, short, _One())
            trainer.train()
        except ConfigurationError as error:
            return error.message
        except Exception as error:  # noqa: BLE001  # whatever the optimizer's library raises
            return f"{type(error).__name__}: {loading.first_line(error)}"
    return ""


_OF_A_GPU: Final = frozenset({"fp16", "tf32", "full_determinism", "use_cpu"})
"""What a machine without GPU refuses or does not know, and what would last beyond the rehearsal."""
_OF_WORKERS: Final = frozenset(
    {
        "dataloader_num_workers",
        "dataloader_prefetch_factor",
        "dataloader_persistent_workers",
        "dataloader_multiprocessing_context",
        "dataloader_drop_last",
        "auto_find_batch_size",
    }
)
"""What costs processes, and was tried by making a loader of them."""


def _one_step(given: Mapping[str, Any]) -> dict[str, Any]:
    most = {"per_device_train_batch_size": 3, "gradient_accumulation_steps": 2}
    kept = {name: value for name, value in given.items() if name not in _OF_WORKERS}
    return {
        **kept,
        **{name: min(value, kept.get(name, value)) for name, value in most.items()},
        "use_cpu": True,
    }


class _One(TrainerCallback):
    """Ends a training after its first step."""

    @override
    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        control.should_training_stop = True


class _Many(torch.utils.data.Dataset[dict[str, Any]]):
    """A few rows as if they were many."""

    def __init__(self, rows: Any, count: int) -> None:
        self._rows = rows
        self._count = count

    def __len__(self) -> int:
        return self._count

    @override
    def __getitem__(self, number: int) -> dict[str, Any]:
        row: dict[str, Any] = self._rows[number % len(self._rows)]
        return row


@contextmanager
def apart() -> Iterator[None]:
    """Leave no trace: neither drawn random numbers nor variables nor warnings."""
    environment, chance = dict(os.environ), random.getstate()
    numbers = np.random.get_state()  # noqa: NPY002  # the library draws from it
    gc.freeze()  # the library collects garbage each time, among all that was imported
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield
        finally:
            gc.unfreeze()
            random.setstate(chance)
            np.random.set_state(numbers)  # noqa: NPY002
            os.environ.clear()
            os.environ.update(environment)


def _numbers(folder: Path, error: Exception) -> str:
    return "" if "config.json" in str(error) else f" ({sizes.largest(config_document(folder))})"

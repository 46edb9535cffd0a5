"""The user's training arguments, checked by name, type and range before anything is paid for.

The names are those of Hugging Face ``TrainingArguments`` and are asked of the installed library,
never listed here; listed is only what the trainer decides itself.
"""

import difflib
import math
import types
import typing
from collections.abc import Mapping
from dataclasses import fields
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Any, Final

from maintenance_contract import TrainingAction
from maintenance_contract.kinds import TRAIN_BATCH
from maintenance_trainer.errors import ConfigurationError
from maintenance_trainer.seed import SEED
from maintenance_trainer.tasks.huggingface import early_stopping

DEFAULTS: Final[dict[str, Any]] = {
    "num_train_epochs": 3,
    "per_device_train_batch_size": TRAIN_BATCH,
    "learning_rate": 5e-5,
    "lr_scheduler_type": "linear",
    "warmup_steps": 0.06,
    "weight_decay": 0.01,
    "max_grad_norm": 1.0,
    "seed": SEED,
}
"""Beneath the user's own. ``warmup_steps`` below 1 is a share of all steps."""

_OURS: Final[dict[str, str]] = {
    "output_dir": "versions go to model.storage",
    "report_to": "the report goes to the store and the operator",
    "run_name": "runs are named by the operator",
    "project": "runs are named by the operator",
    "trackio_space_id": "nothing is sent anywhere",
    "push_to_hub": "nothing is sent anywhere",
    "do_train": "the trainer always trains and evaluates",
    "do_eval": "the trainer always trains and evaluates",
    "do_predict": "the trainer always trains and evaluates",
    "greater_is_better": "early stopping compares the loss, and less is better",
    "resume_from_checkpoint": "a run starts from the champion or the base model",
    "remove_unused_columns": "the trainer hands over what the model reads",
    "label_names": "the trainer hands over what the model reads",
    "disable_tqdm": "progress is printed by the trainer",
    "include_for_metrics": "scores are computed by the trainer",
    "deepspeed": "one process trains one model here",
    "fsdp": "one process trains one model here",
    "fsdp_config": "one process trains one model here",
    "parallelism_config": "one process trains one model here",
    "accelerator_config": "one process trains one model here",
    "local_rank": "one process trains one model here",
    "debug": "it is for the library's developers",
}
_OURS_BY_PREFIX: Final[dict[str, str]] = {
    "hub_": "nothing is sent anywhere",
    "eval_": "held-out rows are scored once, after training",
    "per_device_eval_": "held-out rows are scored once, after training",
    "batch_eval_": "held-out rows are scored once, after training",
    "save_": "versions are written by the trainer",
    "logging_": "progress is printed by the trainer",
    "log_": "progress is printed by the trainer",
    "ddp_": "one process trains one model here",
    "push_to_hub_": "nothing is sent anywhere",
}
_RENAMED: Final[dict[str, str]] = {
    "adafactor": "optim",
    "batch_size": "per_device_train_batch_size",
    "epochs": "num_train_epochs",
    "evaluation_strategy": "eval_strategy",
    "fp16_backend": "fp16",
    "group_by_length": "train_sampling_strategy",
    "half_precision_backend": "bf16",
    "learning_rate_scheduler": "lr_scheduler_type",
    "lr": "learning_rate",
    "lr_scheduler": "lr_scheduler_type",
    "no_cuda": "use_cpu",
    "num_epochs": "num_train_epochs",
    "per_gpu_eval_batch_size": "per_device_eval_batch_size",
    "per_gpu_train_batch_size": "per_device_train_batch_size",
    "torchdynamo": "torch_compile_backend",
    "train_batch_size": "per_device_train_batch_size",
    "warmup_ratio": "warmup_steps",
}
"""What the library called an argument once, or people call it; spelling tells no more of these."""
_AT_MOST: Final[dict[str, float]] = {
    "dataloader_num_workers": 64,
    "dataloader_prefetch_factor": 1_000,
    "gradient_accumulation_steps": 100_000,
    "max_steps": 100_000_000,
    "num_train_epochs": 100_000,
    "per_device_train_batch_size": 65_536,
    "seed": 2**32 - 1,
    "data_seed": 2**32 - 1,
}
"""More has no use or no end; seeds are what numpy takes."""
_MOST: Final = 10**12
_POSITIVE: Final = frozenset(
    {
        "num_train_epochs",
        "learning_rate",
        "per_device_train_batch_size",
        "gradient_accumulation_steps",
        "adam_epsilon",
        "torch_empty_cache_steps",
    }
)
_NOT_NEGATIVE: Final = frozenset(
    {
        "weight_decay",
        "warmup_steps",
        "warmup_ratio",
        "max_grad_norm",
        "seed",
        "data_seed",
        "label_smoothing_factor",
        "dataloader_num_workers",
        "neftune_noise_alpha",
        "adam_beta1",
        "adam_beta2",
    }
)
_BELOW_ONE: Final = frozenset(
    {"adam_beta1", "adam_beta2", "label_smoothing_factor", "warmup_ratio"}
)


def check(action: TrainingAction, arguments: Mapping[str, Any]) -> None:
    """Refuse what cannot train.

    Raises:
        ConfigurationError: ArgumentUnknown with the nearest valid name, ArgumentInvalid.
    """
    field = where(action)
    known = _known()
    early_stopping.check(field, arguments)
    for name, value in early_stopping.rest(arguments).items():
        if because := _because(name):
            message = f"{field}.{name} cannot be set: {because}; remove it."
            raise ConfigurationError("ArgumentInvalid", message)
        if name not in known:
            message = f"{field}.{name} is no training argument of this trainer: {_meant(name)}"
            raise ConfigurationError("ArgumentUnknown", message)
        if problem := _problem(name, value, known[name]):
            raise ConfigurationError("ArgumentInvalid", f"{field}.{name}: {problem}.")
    build(action, arguments, Path("unused"))


def build(
    action: TrainingAction,
    arguments: Mapping[str, Any],
    scratch: Path,
) -> Any:  # importing the type costs seconds
    """``TrainingArguments`` of the user's arguments over the defaults.

    Raises:
        ConfigurationError: ArgumentInvalid, in the library's words.
    """
    import torch  # noqa: PLC0415  # seconds, and a report does not need it
    from transformers import TrainingArguments  # noqa: PLC0415

    if not torch.cuda.is_available():  # it is where nothing is trained: on the diagnosis' machine
        arguments = {name: value for name, value in arguments.items() if name != "tf32"}
    ours = {
        **DEFAULTS,
        "bf16": bf16_helps(),
        "use_cpu": not torch.cuda.is_available(),
        **early_stopping.rest(arguments),
        "output_dir": str(scratch),
        "logging_strategy": "steps",
        "logging_steps": 10,
        "logging_nan_inf_filter": False,  # a loss that is no number ends the training
        "report_to": "none",
        "disable_tqdm": True,
        "push_to_hub": False,
        **early_stopping.of_library(arguments),
    }
    ours["per_device_eval_batch_size"] = ours["per_device_train_batch_size"]
    if ours.get("fp16"):
        ours["bf16"] = arguments.get("bf16", False)
    try:
        return TrainingArguments(**ours)
    except (ValueError, TypeError, ImportError, RuntimeError, OSError) as error:
        message = f"{where(action)}: {str(error).splitlines()[0][:300] if str(error) else error!r}"
        raise ConfigurationError("ArgumentInvalid", message) from None


@cache
def bf16_helps() -> bool:
    """Whether 16-bit arithmetic is faster here at the same score.

    On a CPU only with instructions for it (1.35 times the rows a second, same accuracy; without
    them it is emulated and slower).
    """
    import torch  # noqa: PLC0415

    if torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace")
    except OSError:
        return False
    return "avx512_bf16" in flags or "amx_bf16" in flags


def where(action: TrainingAction) -> str:
    """The field that an action's arguments come from."""
    step = "fineTune" if action is TrainingAction.FINE_TUNE else "retrain"
    return f"training.{step}.arguments"


def _because(name: str) -> str:
    if name in _OURS:
        return _OURS[name]
    return next(
        (because for prefix, because in _OURS_BY_PREFIX.items() if name.startswith(prefix)), ""
    )


@cache
def _known() -> Mapping[str, Any]:
    from transformers import TrainingArguments  # noqa: PLC0415

    hints = typing.get_type_hints(TrainingArguments)
    return {field.name: hints[field.name] for field in fields(TrainingArguments) if field.init}


def _problem(name: str, value: object, hint: object) -> str:
    if not _fits(value, hint):
        text = (
            f" without quotes, not the text {value!r}"
            if isinstance(value, str)
            else f", not {str(value)[:40]!r}"
        )
        return f"{_spell(hint)} is expected{text}"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return ""
    ranges = (
        (math.isfinite(value), "a finite number"),
        (name not in _POSITIVE or value > 0, "a number above 0"),
        (name not in _NOT_NEGATIVE or value >= 0, "a number of at least 0"),
        (name not in _BELOW_ONE or value < 1, "a number below 1"),
        (value <= (most := _AT_MOST.get(name, _MOST)), f"a number of at most {most:,}"),
        (name != "max_steps" or value == -1 or value >= 1, "a number of at least 1"),
    )
    return next((f"{what} is expected, not {value}" for fine, what in ranges if not fine), "")


def _meant(name: str) -> str:
    """What somebody who wrote this name may have meant."""
    names = (name, _RENAMED.get(name, ""))
    known = [*_known(), *early_stopping.NAMES]
    near = [n for n in names if n in known] or difflib.get_close_matches(name, known, 1, 0.5)
    if not near:
        return "see Hugging Face TrainingArguments."
    if because := _because(near[0]):
        return f"{near[0]!r} it would be, which cannot be set either: {because}; remove it."
    return f"did you mean {near[0]!r}?"


def _members(hint: object) -> tuple[object, ...]:
    if isinstance(hint, types.UnionType) or typing.get_origin(hint) is typing.Union:
        return tuple(member for part in typing.get_args(hint) for member in _members(part))
    return (typing.get_origin(hint) or hint,)


def _fits(value: object, hint: object) -> bool:
    members = _members(hint)
    if isinstance(value, bool):
        return bool in members or Any in members
    if isinstance(value, int) and float in members:
        return True
    if isinstance(value, str) and any(isinstance(m, type) and issubclass(m, Enum) for m in members):
        return True
    return any(
        member is Any or (isinstance(member, type) and isinstance(value, member))
        for member in members
    )


def _spell(hint: object) -> str:
    words = {
        bool: "true or false",
        int: "a whole number",
        float: "a number",
        str: "a text",
        dict: "an object",
        list: "a list",
    }
    named = [words[m] for m in _members(hint) if isinstance(m, type) and m in words]
    return " or ".join(named) or "another kind of value"

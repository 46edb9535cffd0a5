"""Low-rank adapters (LoRA) by the library PEFT: trained beside frozen weights, then merged.

E. J. Hu et al., LoRA: Low-Rank Adaptation of Large Language Models, ICLR 2022. A version holds the
merged weights and needs no other folder, so it is served, scored and gone on from as any other.
The library is imported when the first adapter is made or read.
"""

import difflib
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from maintenance_contract import TrainingAction
from maintenance_contract.kinds import PEFT_TYPE, Method
from maintenance_trainer.errors import ConfigurationError
from maintenance_trainer.model_field import Given
from maintenance_trainer.tasks.huggingface import arguments
from maintenance_trainer.tasks.huggingface.loading import first_line
from maintenance_trainer.tasks.language.adapter_folder import LORA, WEIGHTS

DEFAULTS: Final[Mapping[str, Any]] = {
    "r": 16,
    "lora_alpha": 32,
    "lora_dropout": 0.0,
    "target_modules": "all-linear",
}
"""All linear layers: attention alone learns less at the same size (D. Biderman et al., LoRA Learns
Less and Forgets Less, TMLR 2024)."""
LEARNING_RATE: Final = 2e-4
"""Where the user names none: adapters begin at nothing, and take steps some times as large."""
MOST_RANK: Final = 1024
_LAYERS: Final = "layers_to_transform"
_ARGUMENTS: Final = (
    *DEFAULTS,
    "use_rslora",
    "use_dora",
    "exclude_modules",
    _LAYERS,
    "rank_pattern",
    "alpha_pattern",
)
"""Of the library's LoraConfig. Others read data, write to other weights, or run code."""
_TYPES: Final[Mapping[str, tuple[tuple[type, ...], str]]] = {
    "use_rslora": ((bool,), "true or false (without quotes)"),
    "use_dora": ((bool,), "true or false (without quotes)"),
    "target_modules": ((str, list), "a list of names, or one pattern"),
    "exclude_modules": ((str, list), "a list of names, or one pattern"),
    "rank_pattern": ((dict,), "an object of whole numbers by layer"),
    "alpha_pattern": ((dict,), "an object of whole numbers by layer"),
}
"""The library looks at none of them: a text in quotes would count as true."""


def wanted(given: Mapping[str, Any]) -> bool:
    """Whether adapters are to be trained."""
    return PEFT_TYPE in given


def of_trainer(given: Mapping[str, Any]) -> dict[str, Any]:
    """What is left for the library's trainer."""
    if not wanted(given):
        return dict(given)
    rest = {name: value for name, value in given.items() if name not in (PEFT_TYPE, *_ARGUMENTS)}
    return {"learning_rate": LEARNING_RATE, **rest}


def check(action: TrainingAction, given: Mapping[str, Any]) -> None:
    """Refuse arguments of adapters that no adapter can be made with.

    Raises:
        ConfigurationError: ArgumentUnknown, ArgumentInvalid.
    """
    where = arguments.where(action)
    if not wanted(given):
        _refuse_without_method(where, given)
        return
    if given[PEFT_TYPE] != LORA:
        message = f"{where}.{PEFT_TYPE}: {LORA} is expected, not {str(given[PEFT_TYPE])[:40]!r}."
        raise ConfigurationError("ArgumentInvalid", message)
    for name, most in (("r", MOST_RANK), ("lora_alpha", 10 * MOST_RANK)):
        value = given.get(name, 1)
        if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= most:
            message = (
                f"{where}.{name}: a whole number from 1 to {most} is expected, not "
                f"{str(value)[:40]!r}."
            )
            raise ConfigurationError("ArgumentInvalid", message)
    dropout = given.get("lora_dropout", 0.0)
    if isinstance(dropout, bool) or not isinstance(dropout, int | float) or not 0 <= dropout < 1:
        message = (
            f"{where}.lora_dropout: a number from 0 up to, but not including, 1 is expected, not "
            f"{str(dropout)[:40]!r}."
        )
        raise ConfigurationError("ArgumentInvalid", message)
    _refuse_types(where, given)
    _refuse_layers(where, given)
    try:
        _config(given)
    except (TypeError, ValueError) as error:
        raise ConfigurationError("ArgumentInvalid", f"{where}: {first_line(error)}") from None


def _refuse_without_method(where: str, given: Mapping[str, Any]) -> None:
    """Arguments of adapters say nothing where all weights are trained."""
    name = next((name for name in given if name in _ARGUMENTS), None)
    if name is None:
        return
    method = where.replace("arguments", "method")
    message = (
        f"{where}.{name} is of adapters, and all weights are trained: write {method}: "
        f"{Method.LORA.value}, or remove it."
    )
    raise ConfigurationError("ArgumentInvalid", message)


def _refuse_types(where: str, given: Mapping[str, Any]) -> None:
    for name, (types, expected) in _TYPES.items():
        value = given.get(name)
        fine = value is None or isinstance(value, types)
        if isinstance(value, dict):
            fine = all(
                isinstance(each, int) and not isinstance(each, bool) and each > 0
                for each in value.values()
            )
        if isinstance(value, list):
            fine = all(isinstance(each, str) for each in value)
        if not fine:
            message = f"{where}.{name}: {expected} is expected, not {str(value)[:40]!r}."
            raise ConfigurationError("ArgumentInvalid", message)


def _refuse_layers(where: str, given: Mapping[str, Any]) -> None:
    layers = given.get(_LAYERS)
    if layers is None:
        return
    every = layers if isinstance(layers, list) else [layers]
    if not all(isinstance(each, int) and not isinstance(each, bool) for each in every):
        problem = f"the numbers of layers are expected, from 0 on, not {str(layers)[:40]!r}"
    elif not isinstance(given.get("target_modules"), list):
        problem = "write target_modules as a list beside it, like [q_proj, v_proj]"
    else:
        return
    raise ConfigurationError("ArgumentInvalid", f"{where}.{_LAYERS}: {problem}.")


def of_all_layers(given: Mapping[str, Any]) -> dict[str, Any]:
    """The same for a model of another number of layers."""
    return {name: value for name, value in given.items() if name != _LAYERS}


def names_numbers(given: Mapping[str, Any]) -> bool:
    """Whether layers are named in a way that may hold their number, as ``layers.20.mlp``."""
    named = (given.get("target_modules"), given.get("exclude_modules"))
    return any(character.isdigit() for character in str(named))


def meant(name: str) -> str:
    """The argument of adapters that a wrong name is near to; empty: none is."""
    return next(iter(difflib.get_close_matches(name, _ARGUMENTS, 1, 0.75)), "")


def _config(given: Mapping[str, Any]) -> Any:
    from peft import LoraConfig  # noqa: PLC0415  # seconds, and most trainings need none

    own = {name: given[name] for name in _ARGUMENTS if name in given}
    return LoraConfig(task_type="CAUSAL_LM", **{**DEFAULTS, **own})


@contextmanager
def trained(model: Any, given: Mapping[str, Any], where: str) -> Iterator[Any]:
    """A model whose adapters alone learn; afterwards they are merged into its weights, in place.

    Raises:
        ConfigurationError: ArgumentInvalid, the model has no such layers.
    """
    if not wanted(given):
        yield model
        return
    from peft import get_peft_model  # noqa: PLC0415

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            adapted: Any = get_peft_model(model, _config(given))
    except Exception as error:  # noqa: BLE001  # of patterns and types that the library looks at now
        message = (
            f"{where}: no adapter can be put there ({first_line(error)}); name layers of the model "
            "in target_modules, or leave it out: then all linear ones get one."
        )
        raise ConfigurationError("ArgumentInvalid", message) from None
    if name := _on_shared_weights(adapted):
        message = (
            f"{where}.target_modules: {_shared(name)}; leave it out of target_modules, or write "
            "method: Full."
        )
        raise ConfigurationError("ArgumentInvalid", message)
    if adapted.get_input_embeddings().weight.requires_grad is False:
        adapted.enable_input_require_grads()  # for gradient_checkpointing
    try:
        yield adapted
    finally:
        adapted.merge_and_unload()
        model.requires_grad_(requires_grad=True)


def merge(model: Any, folder: Path, given: Given) -> None:
    """Put an adapter that was made elsewhere into the weights of its base model, in place.

    Raises:
        ConfigurationError: of ``given``; it is an adapter of another model.
    """
    from peft import PeftModel, get_peft_model_state_dict  # noqa: PLC0415
    from safetensors import safe_open  # noqa: PLC0415

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            adapted: Any = PeftModel.from_pretrained(model, folder, torch_device="cpu")
            there = set(get_peft_model_state_dict(adapted))
        with safe_open(folder / WEIGHTS, framework="pt") as file:
            stored = set(file.keys())
    except Exception as error:  # noqa: BLE001  # the library raises whatever its parsers raise
        raise given.unreadable(_another_base(first_line(error))) from None
    if stranger := min(stored ^ there, default=""):
        raise given.unreadable(_another_base(f"{stranger} is in one of them alone"))
    if name := _on_shared_weights(adapted):
        problem = (
            f"{_shared(name)}; separate input and output embeddings of the model "
            "(tie_word_embeddings: false), merge the adapter there, and name the whole model."
        )
        raise given.unreadable(problem)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            adapted.merge_and_unload()
    except Exception as error:  # noqa: BLE001  # some variants of LoRA cannot be merged
        problem = f"the adapter cannot be merged ({first_line(error) or type(error).__name__})."
        raise given.unreadable(problem) from None
    model.requires_grad_(requires_grad=True)


def _on_shared_weights(adapted: Any) -> str:
    """The name of a layer with an adapter whose weights are another layer's, too; empty: none is.

    What is merged there would change both.
    """
    from peft.tuners.lora import LoraLayer  # noqa: PLC0415

    users = Counter(
        id(weights) for layer in adapted.modules() for weights in layer.parameters(recurse=False)
    )
    for name, layer in adapted.named_modules():
        if isinstance(layer, LoraLayer):
            weights = getattr(layer.get_base_layer(), "weight", None)
            if weights is not None and users[id(weights)] > 1:
                return str(name).removeprefix("base_model.model.")
    return ""


def _shared(name: str) -> str:
    return (
        f"an adapter sits on {name}, whose weights another layer shares (tied embeddings), so that "
        "merging it would change both"
    )


def _another_base(problem: str) -> str:
    return (
        f"the adapter does not fit model.baseModel ({problem}): name the very model that it was "
        "trained on as model.baseModel, or merge it there (merge_and_unload, save_pretrained) and "
        "name the whole model."
    )

"""How large a model is by its config.json: bounded before it is built, and made small to rehearse.

A number too many zeros long must not be found out by building a million layers.
"""

import math
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import torch
from safetensors import safe_open

MOST: Final = (
    (re.compile(r"position|seq_len|context"), 2**27),
    (re.compile(r"vocab"), 20_000_000),
    (re.compile(r"num_labels|num_choices|num_classes"), 100_000),
    (re.compile(r"layer|depth|block_sizes|heads?$|experts?$|groups?$|stages?$|repeats"), 10_000),
    (re.compile(r"hidden|embd|embed|inter|inner|ffn|d_|_dim|dim$|size$|width|rank"), 1_000_000),
)
"""Patterns of names and the largest number that one such may be; the first that fits counts. No
published model is near them."""
MOST_OF_ALL: Final = 2**31
"""Of any other whole number."""
_NO_SIZE: Final = re.compile(r"_ids?$|theta|seed|token|params|flops|base|scale|_period")
_LAYERS: Final = re.compile(r"^(?!.*(per|every|cross|skip|freq|share)).*layers?$")
_WIDTH: Final = re.compile(
    r"hidden|inter|inner|embd|embedding_size|ffn|^d_|_dim$|^dim$|head_size|rank|bottleneck_size"
)
_NO_WIDTH: Final = re.compile(
    r"num|layer|position|vocab|prob|drop|act|std|range|token|type|max_|group|^d_conv|d_state"
)


_LABELS: Final = frozenset({"id2label", "label2id"})
_DEPTHS: Final = re.compile(r"^depths?$|^num_block_repeats$")
"""Layers of each stage of an encoder of images, as ConvNeXt, ResNet and Swin name them."""
_STAGES: Final = frozenset({"stage_names", "out_features", "out_indices"})
"""Names and numbers of layers that a shorter model does not have; they are made anew."""


class TooLargeError(Exception):
    """A model that its weights cannot be the weights of."""


def check_numbers(config: Mapping[str, Any]) -> None:
    """Refuse a config.json with a number that no model has.

    Raises:
        TooLargeError: with the name.
    """
    for name, value in _numbers(config):
        key = name.rpartition(".")[2]
        if _NO_SIZE.search(key):
            continue
        most: float = next((most for pattern, most in MOST if pattern.search(key)), MOST_OF_ALL)
        if abs(value) > most:
            message = f"{name} is {value:g} in config.json, and at most {most:,} is expected"
            raise TooLargeError(message)


def _numbers(value: object, name: str = "") -> Iterator[tuple[str, float]]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _numbers(item, f"{name}.{key}" if name else str(key))
    elif isinstance(value, list):
        for item in value:
            yield from _numbers(item, name)
    elif isinstance(value, bool):
        return
    elif isinstance(value, int) or (
        isinstance(value, float) and (value.is_integer() or not math.isfinite(value))
    ):
        yield name, value


@contextmanager
def no_larger_than(tensors: int, elements: int) -> Iterator[None]:
    """Stop the building of a model with more parameters than that.

    Raises:
        TooLargeError: in the body, which is left.
    """
    seen = [0, 0]

    def count(_module: torch.nn.Module, _name: str, parameter: torch.nn.Parameter | None) -> None:
        if parameter is None:
            return
        seen[0] += 1
        seen[1] += parameter.numel()
        if seen[0] > tensors or seen[1] > elements:
            message = f"it has more than {tensors:,} tensors or {elements:,} weights"
            raise TooLargeError(message)

    handle = torch.nn.modules.module.register_module_parameter_registration_hook(count)
    try:
        yield
    finally:
        handle.remove()


def stored(folder: Path) -> tuple[int, int]:
    """Tensors and single weights in a folder's files, by their headers."""
    shapes: list[list[int]] = []
    for path in sorted(folder.glob("*.safetensors")):
        file: Any = safe_open(path, framework="pt")
        shapes += [file.get_slice(name).get_shape() for name in file.keys()]  # noqa: SIM118
    return len(shapes), sum(math.prod(shape) for shape in shapes)


def largest(config: Mapping[str, Any]) -> str:
    """The numbers that make a model large, the largest first."""
    sizes = {
        name: value
        for name, value in _numbers(config)
        if any(pattern.search(name.rpartition(".")[2]) for pattern, _ in MOST)
        and not _NO_SIZE.search(name)
    }
    return ", ".join(
        f"{name} {value:g}" for name, value in sorted(sizes.items(), key=lambda of: -of[1])[:4]
    )


def smaller(config: Any, *, layers: bool, head_width: int) -> Any:
    """The same configuration with few layers and narrow ones; positions and vocabulary stay.

    Args:
        config: of the library.
        layers: whether to cut the number of layers.
        head_width: what each attention head is cut to; 0 leaves widths as they are.
    """
    found: dict[str, Any] = config.to_dict()
    if head_width:
        text = config.get_text_config()
        hidden, heads = (getattr(text, n, None) for n in ("hidden_size", "num_attention_heads"))
        stages = found.get("hidden_sizes")
        if isinstance(stages, list) and not isinstance(heads, int):
            hidden, heads = min(stages), _HEADS_OF_STAGE  # as wide as some heads would be
        if isinstance(hidden, int) and hidden > 0:
            each = heads if isinstance(heads, int) and heads > 0 else 1
            found = _narrow(found, _factor(hidden, each, head_width))
    return type(config).from_dict(_short(found) if layers else found)


_HEADS_OF_STAGE: Final = 4


def _factor(hidden: int, heads: int, head_width: int) -> int:
    """By how much all widths can be divided so that heads still share them, and in pairs."""
    each = heads if hidden % heads == 0 else 1  # else heads have a width of their own
    for factor in range(hidden // (heads * head_width), 1, -1):
        if hidden % factor == 0 and (hidden // factor) % (2 * each) == 0:
            return factor
    return 1


def _narrow(config: Mapping[str, Any], factor: int) -> dict[str, Any]:
    def divided(value: Any) -> Any:
        whole = isinstance(value, int) and not isinstance(value, bool)
        return value // factor if whole and value > factor and value % factor == 0 else value

    found: dict[str, Any] = {}
    for name, value in config.items():
        if name in _LABELS:
            found[name] = value
        elif isinstance(value, dict):
            found[name] = _narrow(value, factor)
        elif not _WIDTH.search(name) or _NO_WIDTH.search(name):
            found[name] = value
        else:
            found[name] = [divided(v) for v in value] if isinstance(value, list) else divided(value)
    return found


def _short(config: Mapping[str, Any], few: int = 2) -> dict[str, Any]:
    lengths = {
        value
        for name, value in config.items()
        if _LAYERS.search(name) and isinstance(value, int) and not isinstance(value, bool)
    }
    found: dict[str, Any] = {}
    for name, value in config.items():
        if name in _LABELS:
            found[name] = value
        elif name in _STAGES:
            continue
        elif isinstance(value, dict):
            found[name] = _short(value, few)
        elif isinstance(value, list) and len(value) in lengths:
            found[name] = value[:few]
        elif _DEPTHS.search(name) and isinstance(value, list):
            found[name] = [min(each, 1) for each in value]
        elif _LAYERS.search(name) and isinstance(value, int) and value > few:
            found[name] = few
        else:
            found[name] = value
    return found

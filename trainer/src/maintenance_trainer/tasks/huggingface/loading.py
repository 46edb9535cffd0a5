"""A model's folder becomes a model, and only if every weight that counts is in it and a number.

The library gives random weights to whatever it does not find in the files, says so in its log, and
goes on. Only a head may begin at random, and only that of a base model.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import torch
from safetensors import safe_open
from transformers import (
    MODEL_FOR_CAUSAL_LM_MAPPING,
    MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING,
    MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING,
    AutoConfig,
)

from maintenance_contract import Task
from maintenance_trainer.model_field import Given

LOCAL: Final[dict[str, Any]] = {"local_files_only": True, "trust_remote_code": False}
_CLASSES: Final[Mapping[str, Any]] = {
    Task.CAUSAL_LM: MODEL_FOR_CAUSAL_LM_MAPPING,
    Task.IMAGE_CLASSIFICATION: MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING,
    Task.TEXT_CLASSIFICATION: MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING,
}
"""The architectures of which a model of each kind can be made."""
_HEAD: Final = re.compile(r"(^|\.)\w*pooler(\.|$)")
_DIGITS: Final = re.compile(r"\d+")
_BLOCK: Final = 2**24
"""Weights that are looked at together: 64 MiB of them at most."""


def config(folder: Path, **changes: Any) -> Any:
    """Its configuration."""
    return AutoConfig.from_pretrained(folder, **LOCAL, **changes)


def refuse_other_kind(its: Any, task: str, given: Given) -> None:
    """Refuse a model that reads something else; ``its`` is its configuration.

    Raises:
        ConfigurationError: of ``given``; it says of which kind it may be.
    """
    if type(its) in _CLASSES[task]:
        return
    others = " or ".join(name for name in _CLASSES if _may_be(its, name))
    problem = (
        f"it is a model of type {its.model_type}, which is none for {task}: name a model of that "
        f"kind{f', or write {others} into spec.model.task' if others else ''}."
    )
    raise given.unreadable(problem)


def _may_be(its: Any, task: str) -> bool:
    """Whether somebody may mean this kind: encoders have a causal class that nobody uses."""
    causal = task != Task.CAUSAL_LM or any(
        "Causal" in str(saved) or "LMHead" in str(saved) for saved in its.architectures or ()
    )
    return causal and type(its) in _CLASSES[task]


def model(  # options are the library's
    auto: Any,
    folder: Path,
    given: Given,
    labels: Sequence[str] | None = None,
    *,
    head: bool = False,
    **options: Any,
) -> Any:
    """The model in a folder; with a head for these labels, or with its own.

    Args:
        auto: the library's class for models of the kind, as ``AutoModelFor…``.
        folder: in Hugging Face's format.
        given: whose it is.
        labels: of the head; None: its own.
        head: whether what is not there of a head may begin at random all the same.
        options: of ``from_pretrained``.

    Raises:
        ConfigurationError: weights are missing, of other shapes, or read by nothing; of ``given``.
        Exception: whatever the library's parsers raise.
    """
    if labels is not None:
        options |= labelled(labels)
    found, told = auto.from_pretrained(
        folder,
        use_safetensors=True,
        dtype=torch.float32,
        output_loading_info=True,
        ignore_mismatched_sizes=True,  # else the library refuses them without a word on which
        **LOCAL,
        **options,
    )
    _refuse_absent(found, told, given, head_may_differ=head or labels is not None)
    return found


def first_line(error: Exception) -> str:
    """What an error of the library says, short enough for a message."""
    return (str(error).strip() or repr(error)).splitlines()[0][:300]


def labelled(labels: Sequence[str]) -> dict[str, Any]:
    """The fields of a configuration whose i-th output stands for the i-th label."""
    return {
        "num_labels": len(labels),
        "problem_type": "single_label_classification",
        "id2label": dict(enumerate(labels)),
        "label2id": {label: number for number, label in enumerate(labels)},
    }


def not_finite(weights: Mapping[str, torch.Tensor]) -> list[str]:
    """Names of weights that are not all finite numbers."""
    return [name for name, each in weights.items() if not _finite(each)]


def refuse_not_finite(weights: Mapping[str, torch.Tensor], given: Given) -> None:
    """Refuse weights that are no numbers.

    Raises:
        ConfigurationError: with their names.
    """
    if names := not_finite(weights):
        raise given.unreadable(_no_numbers(names))


def refuse_files_not_finite(folder: Path, given: Given) -> None:
    """The same of files, a piece at a time: nothing is kept in memory.

    Raises:
        ConfigurationError: with their names.
    """
    names = []
    for path in sorted(folder.glob("*.safetensors")):
        with safe_open(path, framework="pt") as file:
            for name in file.keys():  # noqa: SIM118  # it is no mapping
                piece = file.get_slice(name)
                if not all(map(_finite, _pieces(piece))):
                    names.append(name)
    if names:
        raise given.unreadable(_no_numbers(names))


def _pieces(whole: Any) -> Iterable[torch.Tensor]:
    shape = whole.get_shape()
    if not shape:
        yield whole[...]
        return
    each = 1
    for size in shape[1:]:
        each *= size
    rows = max(1, _BLOCK // max(1, each))
    for start in range(0, shape[0], rows):
        yield whole[start : start + rows]


def _finite(weights: torch.Tensor) -> bool:
    if not weights.is_floating_point() or not weights.numel() or weights.is_meta:
        return True
    least, most = torch.aminmax(weights.float())
    return bool(torch.isfinite(least) and torch.isfinite(most))


def _no_numbers(names: Sequence[str]) -> str:
    return (
        f"{len(names)} of its tensors hold NaN or infinity ({_some(names)}): its training diverged "
        "or its files are damaged; copy it again, or take an earlier checkpoint."
    )


def _some(names: Iterable[str], most: int = 3) -> str:
    every = sorted(names)
    more = f" and {len(every) - most} more" if len(every) > most else ""
    return ", ".join(every[:most]) + more


def _refuse_absent(
    found: Any, told: Mapping[str, Any], given: Given, *, head_may_differ: bool
) -> None:
    missing = {str(key) for key in told["missing_keys"]}
    shapes = {str(key[0] if isinstance(key, tuple) else key) for key in told["mismatched_keys"]}
    if head_may_differ:
        missing, shapes = (
            {key for key in keys if not _of_head(found, key)} for keys in (missing, shapes)
        )
    unread = {str(key) for key in told["unexpected_keys"]}
    if missing:
        raise given.unreadable(_missing(missing, unread, found, given))
    if shapes:
        raise given.unreadable(_other_shapes(shapes, found, told["mismatched_keys"]))
    if beyond := _more_layers(found, unread):
        problem = (
            f"its files hold weights that its config.json leaves out ({_some(beyond)}): there are "
            "more layers than config.json says; copy both from where the model was saved."
        )
        raise given.unreadable(problem)


def _of_head(found: Any, key: str) -> bool:
    """Whether a weight belongs to what sits on the encoder.

    That is everything outside the library's base model, and its pooler: checkpoints of masked
    language models have none, and it is trained together with the head.
    """
    body = found.base_model_prefix
    if not hasattr(found, body):
        return bool(re.match(r"(classifier|score|logits_proj|sequence_summary)\b", key))
    return not key.startswith(f"{body}.") or bool(_HEAD.search(key))


def _other_shapes(names: set[str], found: Any, told: Iterable[Any]) -> str:
    """What to do about weights whose shapes are not those of the configuration."""
    labels = getattr(found.config, "num_labels", 0)
    outputs = {
        each[1][0]
        for each in told
        if isinstance(each, tuple) and _of_head(found, each[0]) and each[2][:1] == (labels,)
    }
    if len(outputs) == 1 and all(_of_head(found, name) for name in names):
        return (
            f"config.json names {labels} labels, and the weights have {outputs.pop()} outputs "
            f"({_some(names)}): write a label for each output, in their order, into id2label of "
            "config.json."
        )
    return (
        f"the weights of {_some(names)} have other shapes than config.json says: they do not "
        "belong together; copy both from where the model was saved."
    )


def _missing(missing: set[str], unread: set[str], found: Any, given: Given) -> str:
    told = f"it holds no weights for {_some(missing)}"
    if wrapper := _wrapper(missing, unread, found):
        return (
            f"{told}; their names in the files begin with {wrapper!r}, as torch.compile, "
            "DataParallel or a training framework wraps a model: save the model inside "
            "(model._orig_mod or model.module) with save_pretrained, or cut that from the names."
        )
    heads = all(_of_head(found, key) for key in missing)
    if heads and given is Given.INITIAL:
        return (
            f"{told}, so it is no trained classifier; "
            "a model to start from belongs into model.baseModel."
        )
    held = f", but for {_some(unread)}" if unread else ""
    return (
        f"{told}{held}: its config.json is of another model, or a part of its files is missing; "
        "copy all of them from where the model was saved."
    )


def _wrapper(missing: set[str], unread: set[str], found: Any) -> str:
    """What all names of the files begin with that the model's do not."""
    body = f"{found.base_model_prefix}."
    wanted = missing | {key.removeprefix(body) for key in missing}
    fronts = {
        key[: -len(name)]
        for key in unread
        for name in _endings(key)
        if name in wanted and len(name) < len(key)
    }
    return min(fronts, key=len, default="")


def _endings(key: str) -> list[str]:
    parts = key.split(".")
    return [".".join(parts[number:]) for number in range(1, len(parts))]


def _more_layers(found: Any, unread: set[str]) -> set[str]:
    """Weights that nothing reads and that are called like others but for a number."""
    body = f"{found.base_model_prefix}."
    known = {_DIGITS.sub("#", key) for key in found.state_dict()}
    return {
        key
        for key in unread
        if any(char.isdigit() for char in key)
        and ({_DIGITS.sub("#", key), _DIGITS.sub("#", body + key)} & known)
    }

"""The folder of a model in Hugging Face's format, looked at before anything is loaded from it."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from maintenance_contract import ContractError
from maintenance_contract.codec import Fields
from maintenance_trainer.data import labels
from maintenance_trainer.data.cells import kind_of
from maintenance_trainer.model_field import Given

ADAPTER: Final = "adapter_config.json"
"""What the library puts an adapter by onto the model that it lies beside, whatever loads that."""
_OTHER_WEIGHTS: Final = "transformers_weights"
"""Of a configuration: the library reads the file that it names, a pickle, too."""

_SHOWN: Final = 60


def check_model(uri: str, folder: Path, given: Given) -> None:
    """Refuse a model that cannot be read safely, before anything is paid for.

    Raises:
        ConfigurationError: BaseModelMissing, BaseModelUnreadable, or those of the initial model.
    """
    if not (folder / "config.json").is_file():
        problem = f"{uri} holds no config.json; a folder in Hugging Face's format is expected."
        raise given.missing(problem)
    _refuse_what_is_obeyed(folder, uri, given)
    weights = sorted(folder.glob("*.safetensors"))
    if not weights:
        pickles = [
            path.name
            for pattern in ("*.bin", "*.pt", "*.pth", "*.ckpt")
            for path in folder.glob(pattern)
        ]
        what = (
            f"only {', '.join(sorted(pickles))}: loading a pickle can run code; convert it "
            "to safetensors"
            if pickles
            else "no *.safetensors"
        )
        raise given.unreadable(f"{uri} holds {what}.")
    refuse_torn(uri, weights, given)


def refuse_torn(uri: str, weights: Sequence[Path], given: Given) -> None:
    """Refuse files of weights that end too early or are none; only their headers are read.

    Raises:
        ConfigurationError: of ``given``, unreadable.
    """
    from safetensors import SafetensorError, safe_open  # noqa: PLC0415  # imports numpy

    for path in weights:
        try:
            with safe_open(path, framework="numpy") as file:
                file.keys()
        except (SafetensorError, OSError) as error:
            problem = f"{uri}/{path.name} is torn: {error}; copy it again."
            raise given.unreadable(problem) from None


def config_document(folder: Path) -> dict[str, Any]:
    """Its config.json as it is written.

    Raises:
        ValueError: it is no JSON object.
    """
    found = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    if not isinstance(found, dict):
        message = "config.json holds no JSON object"
        raise ValueError(message)  # noqa: TRY004  # of the file's content, as json's own
    return found


def check_classifier(uri: str, folder: Path, given: Given) -> None:
    """The same of a classifier; one that was made elsewhere must name its outputs.

    Raises:
        ConfigurationError: as ``check_model``.
    """
    check_model(uri, folder, given)
    if given is Given.INITIAL and (problem := _labels_fault(config_document(folder))):
        problem = (
            f"id2label of its config.json {problem}; write the label of each output there as it "
            'is in the data, counted from 0 in the order of the outputs: {"0": "…", "1": "…"}.'
        )
        raise given.unreadable(problem)


def _labels_fault(config: Mapping[str, Any]) -> str:
    """Why the names of outputs are none; empty where they are, or where none are written.

    The library reads any whole numbers, and sorting them would give outputs the names of others.
    """
    named = config.get("id2label")
    if named is None:
        return ""
    if not isinstance(named, dict):
        return f"is {kind_of(named)} and no object"
    if set(named) != set(map(str, range(len(named)))):
        return f"counts its labels {', '.join(map(repr, named))[:_SHOWN]}"
    for place, name in named.items():
        label = labels.spelled(name)
        if not label or not labels.visible(label) or labels.fault(label):
            return f"names output {place} {json.dumps(name)[:_SHOWN]}, which is no label"
    return ""


def _refuse_what_is_obeyed(folder: Path, uri: str, given: Given) -> None:
    """Refuse what makes the library run code, or read other weights than those that are checked."""
    if (folder / ADAPTER).is_file():
        problem = (
            f"{uri} holds an adapter ({ADAPTER}) beside a whole model, and which of them is meant "
            "cannot be told: merge it (merge_and_unload, save_pretrained into an empty folder), or "
            f"remove {ADAPTER} and its weights."
        )
        raise given.unreadable(problem)
    try:
        config = Fields(json.loads((folder / "config.json").read_text(encoding="utf-8")))
    except (ValueError, ContractError, RecursionError, OSError) as error:
        raise given.unreadable(f"{uri}/config.json cannot be read: {error}") from None
    if config.has("auto_map"):
        problem = (
            f"{uri} brings code of its own (auto_map), which is never run; "
            "use an architecture of the transformers library."
        )
        raise given.unreadable(problem)
    if config.has(_OTHER_WEIGHTS):
        problem = (
            f"{uri}/config.json names other weights ({_OTHER_WEIGHTS}), which are not read: remove "
            "the field, or save the model once more with save_pretrained."
        )
        raise given.unreadable(problem)

"""The folder of an adapter (LoRA) that was made elsewhere, looked at before anything is loaded."""

import json
from pathlib import Path
from typing import Final

from maintenance_contract.kinds import Method
from maintenance_trainer.model_field import Given
from maintenance_trainer.tasks.huggingface.folder import ADAPTER as CONFIG
from maintenance_trainer.tasks.huggingface.folder import refuse_torn

WEIGHTS: Final = "adapter_model.safetensors"
LORA: Final = Method.LORA.value.upper()
"""As the library names the type."""


def is_adapter(folder: Path) -> bool:
    """Whether a folder holds an adapter and no whole model."""
    whole = any(path.name != WEIGHTS for path in folder.glob("*.safetensors"))
    return (folder / CONFIG).is_file() and not (whole and (folder / "config.json").is_file())


def check_folder(uri: str, folder: Path, given: Given) -> None:
    """Refuse an adapter that cannot be read safely; cheap.

    Raises:
        ConfigurationError: of ``given``, missing or unreadable.
    """
    if given is Given.BASE:
        problem = (
            f"{uri} holds an adapter ({CONFIG}); name the model that it is an adapter of here, and "
            "the adapter as model.initialModel."
        )
        raise given.unreadable(problem)
    if not (folder / WEIGHTS).is_file():
        problem = (
            f"{uri} holds {CONFIG} and no {WEIGHTS}; save it with save_pretrained of a present "
            "peft (a pickle can run code, and is never read)."
        )
        raise given.unreadable(problem)
    refuse_torn(uri, sorted(folder.glob("*.safetensors")), given)
    try:
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        kind = config.get("peft_type") if isinstance(config, dict) else None
    except (ValueError, OSError, RecursionError) as error:
        raise given.unreadable(f"{uri}/{CONFIG} cannot be read: {error}") from None
    if kind != LORA:
        problem = f"{uri} holds an adapter of type {str(kind)[:40]!r}; {LORA} is expected."
        raise given.unreadable(problem)

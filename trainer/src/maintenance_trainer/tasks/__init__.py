"""The kinds of model, by name: one module each, imported when it is asked for."""

import importlib
from typing import TYPE_CHECKING, Final

from maintenance_trainer.errors import ConfigurationError

if TYPE_CHECKING:
    from maintenance_trainer.tasks.task import AnyTask

MODULES: Final[dict[str, str]] = {
    "ImageClassification": "maintenance_trainer.tasks.image_classification",
    "TextClassification": "maintenance_trainer.tasks.text_classification",
}
"""Each has a ``TASK``."""


def find(name: str) -> "AnyTask":
    """The kind of this name, as ``spec.model.task`` has it.

    Raises:
        ConfigurationError: TaskUnknown; nothing heavy is imported for it.
    """
    if name not in MODULES:
        message = (
            f"spec.model.task: this trainer knows no {name[:60]!r}, only "
            f"{', '.join(sorted(MODULES))}: write one of these, or take a trainer image that "
            "knows it."
        )
        raise ConfigurationError("TaskUnknown", message)
    found: AnyTask = importlib.import_module(MODULES[name]).TASK
    return found

"""The kinds of model, by name: two modules each, imported when they are asked for."""

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol, runtime_checkable

from maintenance_trainer.errors import ConfigurationError

if TYPE_CHECKING:
    from maintenance_contract import Recipes
    from maintenance_trainer.data.sources import AnySource
    from maintenance_trainer.tasks.task import AnyTask


class Modules(NamedTuple):
    """Where a kind is: its ``SOURCE``, which imports nothing slow, and its ``TASK``."""

    source: str
    task: str


@runtime_checkable
class BesideBase(Protocol):
    """A kind that reads the base model where others read rows or a stored model alone."""

    def beside(self, base: Callable[[], Path], recipes: "Recipes | None" = None) -> "AnyTask":
        """The same kind, told how to get the folder of the base model, and how it is trained."""

    def is_part(self, folder: Path) -> bool:
        """Whether a folder holds what is a model together with the base model alone."""


MODULES: Final[dict[str, Modules]] = {
    "CausalLM": Modules(
        "maintenance_trainer.tasks.language.files", "maintenance_trainer.tasks.causal_lm"
    ),
    "ImageClassification": Modules(
        "maintenance_trainer.tasks.image_files", "maintenance_trainer.tasks.image_classification"
    ),
    "NextItem": Modules(
        "maintenance_trainer.tasks.interactions", "maintenance_trainer.tasks.next_item"
    ),
    "TabularClassification": Modules(
        "maintenance_trainer.tasks.labelled_tables",
        "maintenance_trainer.tasks.tabular_classification",
    ),
    "TabularRegression": Modules(
        "maintenance_trainer.tasks.valued_tables", "maintenance_trainer.tasks.tabular_regression"
    ),
    "TimeSeriesClassification": Modules(
        "maintenance_trainer.tasks.labelled_series",
        "maintenance_trainer.tasks.time_series_classification",
    ),
    "TimeSeriesForecasting": Modules(
        "maintenance_trainer.tasks.valued_series",
        "maintenance_trainer.tasks.time_series_forecasting",
    ),
    "TextClassification": Modules(
        "maintenance_trainer.tasks.texts", "maintenance_trainer.tasks.text_classification"
    ),
}


def source(name: str) -> "AnySource":
    """How the files of a kind are read, which a command says before anything slow is imported.

    Raises:
        ConfigurationError: TaskUnknown.
    """
    found: AnySource = importlib.import_module(_modules(name).source).SOURCE
    return found


def find(name: str, metric: str = "") -> "AnyTask":
    """The kind of this name, as ``spec.model.task`` has it, judging rows by a metric.

    A module whose rows are right or wrong by the metric names its tasks in ``BY_METRIC``.

    Raises:
        ConfigurationError: TaskUnknown; nothing slow is imported for it.
    """
    module = importlib.import_module(_modules(name).task)
    found: AnyTask = getattr(module, "BY_METRIC", {}).get(metric, module.TASK)
    return found


def _modules(name: str) -> Modules:
    if name not in MODULES:
        message = (
            f"spec.model.task: this trainer knows no {name[:60]!r}, only "
            f"{', '.join(sorted(MODULES))}: write one of these, or take a trainer image that "
            "knows it."
        )
        raise ConfigurationError("TaskUnknown", message)
    return MODULES[name]

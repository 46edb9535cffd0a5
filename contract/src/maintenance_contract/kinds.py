"""Kinds of model as a resource names them: their columns and how they are called, their metrics."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Final

from maintenance_contract.scores import LOSSES, ScoreMetric


class Task(StrEnum):
    """Kinds of model."""

    TEXT_CLASSIFICATION = "TextClassification"
    IMAGE_CLASSIFICATION = "ImageClassification"


@dataclass(frozen=True, slots=True)
class Role:
    """What a column is for, and its name where the resource does not say it.

    ``default`` empty: the column is read only where the resource names it.
    """

    name: str
    default: str = ""


LABEL: Final = Role("label", "label")
TIME: Final = Role("time")

ROLES: Final[Mapping[str, tuple[Role, ...]]] = {
    Task.TEXT_CLASSIFICATION: (Role("text", "text"), LABEL, TIME),
    Task.IMAGE_CLASSIFICATION: (Role("image", "image"), LABEL, TIME),
}
"""By kind, the input first."""

OF_CLASSES: Final = (
    ScoreMetric.ACCURACY,
    ScoreMetric.BALANCED_ACCURACY,
    ScoreMetric.MACRO_F1,
    ScoreMetric.AUROC,
)
OF_NUMBERS: Final = LOSSES
METRICS: Final[Mapping[str, tuple[ScoreMetric, ...]]] = {
    Task.TEXT_CLASSIFICATION: OF_CLASSES,
    Task.IMAGE_CLASSIFICATION: OF_CLASSES,
}
"""What versions of a kind may be compared by; the first is the default.

By ``OF_NUMBERS`` where the answer is a number: a kind without classes. The names of kinds with
classes end in Classification, which the rules of the schema go by.
"""


def metrics_of(task: str) -> tuple[ScoreMetric, ...]:
    """The metrics of a kind; of one that another release knows, those of classes."""
    return METRICS.get(task, OF_CLASSES)


@dataclass(frozen=True, slots=True)
class Columns:
    """Names of the columns of the data files by what they are for; ``time`` is of the updates."""

    names: Mapping[str, str]

    @classmethod
    def of(cls, roles: Iterable[Role], **named: str) -> "Columns":
        """Those of a kind; what is not named has its default."""
        wanted = ((role.name, named.get(role.name) or role.default) for role in roles)
        return cls({role: column for role, column in wanted if column})

    def __hash__(self) -> int:
        return hash(frozenset(self.names.items()))

    def __getitem__(self, role: str) -> str:
        """The name of a column that is read."""
        return self.names[role]

    @property
    def time(self) -> str:
        """The column that dates rows; empty: there is none."""
        return self.names.get(TIME.name, "")

    @property
    def used(self) -> tuple[str, ...]:
        """The columns that are read."""
        return tuple(self.names.values())

    def without_time(self) -> "Columns":
        """The same for files whose rows need no date."""
        return Columns({role: name for role, name in self.names.items() if role != TIME.name})


@lru_cache(maxsize=1024)
def columns_of(task: str, **named: str) -> Columns:
    """The columns of a kind that this release knows."""
    return Columns.of(ROLES[task], **named)

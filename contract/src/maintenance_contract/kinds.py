"""Kinds of model as a resource names them: their columns and how they are called, their metrics."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache
from typing import Any, Final

from maintenance_contract.scores import HITS, ScoreMetric


class Task(StrEnum):
    """Kinds of model."""

    TEXT_CLASSIFICATION = "TextClassification"
    IMAGE_CLASSIFICATION = "ImageClassification"
    TABULAR_CLASSIFICATION = "TabularClassification"
    TABULAR_REGRESSION = "TabularRegression"
    TIME_SERIES_CLASSIFICATION = "TimeSeriesClassification"
    TIME_SERIES_FORECASTING = "TimeSeriesForecasting"
    NEXT_ITEM = "NextItem"
    CAUSAL_LM = "CausalLM"


@dataclass(frozen=True, slots=True)
class Role:
    """What a column is for, and its name where the resource does not say it.

    ``default`` empty: the column is read only where the resource names it. A time with a default
    orders the rows, and every file has it; else it is of the updates alone. ``many``: the resource
    names a list of columns; where it names none, all are read that no other role has. ``unless``:
    roles in whose place it stands; its default holds only where the resource names none of them.
    """

    name: str
    default: str = ""
    many: bool = False
    unless: tuple[str, ...] = ()


LABEL: Final = Role("label", "label")
TIME: Final = Role("time")
INPUTS: Final = Role("inputs", many=True)
TARGETS: Final = Role("targets", many=True)
MOST_INPUTS: Final = 1000
"""Columns that a resource may name as inputs, or as targets."""
STAMP: Final = Role("time", "time")
"""When each row is of, where rows follow one another: in every file, unlike ``TIME``."""
_SERIES: Final = Role("series")
PROMPT: Final = Role("prompt")
COMPLETION: Final = Role("completion")
MESSAGES: Final = Role("messages", "messages", unless=(PROMPT.name, COMPLETION.name))
_OF_A_TABLE: Final = (INPUTS, LABEL, TIME, Role("id"), Role("group"), Role("weight"))

ROLES: Final[Mapping[str, tuple[Role, ...]]] = {
    Task.TEXT_CLASSIFICATION: (Role("text", "text"), LABEL, TIME),
    Task.IMAGE_CLASSIFICATION: (Role("image", "image"), LABEL, TIME),
    Task.TABULAR_CLASSIFICATION: _OF_A_TABLE,
    Task.TABULAR_REGRESSION: _OF_A_TABLE,
    Task.TIME_SERIES_CLASSIFICATION: (INPUTS, LABEL, STAMP, _SERIES),
    Task.TIME_SERIES_FORECASTING: (INPUTS, TARGETS, STAMP, _SERIES),
    Task.NEXT_ITEM: (Role("user", "user"), Role("item", "item"), STAMP),
    Task.CAUSAL_LM: (MESSAGES, PROMPT, COMPLETION, TIME, Role("group")),
}
"""By kind, the input first."""

PEFT_TYPE: Final = "peft_type"
"""The argument that asks for low-rank adapters, as the library of adapters (PEFT) names it."""
FREEZE_BASE_MODEL: Final = "freeze_base_model"
"""The argument that asks for a training of the head alone, as the library's models name it."""


class Method(StrEnum):
    """Which weights a training changes."""

    FULL = "Full"
    LORA = "LoRA"
    HEAD_ONLY = "HeadOnly"

    @property
    def arguments(self) -> dict[str, Any]:
        """How a request says it."""
        return dict(_SPELLED[self])


_SPELLED: Final[Mapping[Method, Mapping[str, Any]]] = {
    Method.FULL: {},
    Method.LORA: {PEFT_TYPE: Method.LORA.value.upper()},
    Method.HEAD_ONLY: {FREEZE_BASE_MODEL: True},
}
METHODS: Final[Mapping[str, tuple[Method, ...]]] = {
    Task.CAUSAL_LM: (Method.FULL, Method.LORA),
    Task.IMAGE_CLASSIFICATION: (Method.FULL, Method.HEAD_ONLY),
    Task.TEXT_CLASSIFICATION: (Method.FULL, Method.HEAD_ONLY),
}
"""How a kind can be trained; kinds that are not there are trained whole."""


def methods_of(task: str) -> tuple[Method, ...]:
    """The methods of a kind."""
    return METHODS.get(task, (Method.FULL,))


FROM_SCRATCH: Final = frozenset({Task.TABULAR_CLASSIFICATION, Task.TABULAR_REGRESSION})
"""Kinds that read no base model: a retrain begins with nothing."""
BASE_OPTIONAL: Final = frozenset(
    {Task.TIME_SERIES_CLASSIFICATION, Task.TIME_SERIES_FORECASTING, Task.NEXT_ITEM}
)
"""Kinds whose retrain begins with nothing unless the resource names a base model."""
WITHOUT_BATCHES: Final = FROM_SCRATCH
"""Kinds that are not trained in batches: no smaller batch makes them need less memory."""
TRAIN_BATCH: Final = 32
_TRAIN_BATCHES: Final[Mapping[str, int]] = {Task.NEXT_ITEM: 64}


def train_batch_of(task: str) -> int:
    """``per_device_train_batch_size`` of a kind where the user's arguments do not say it."""
    return _TRAIN_BATCHES.get(task, TRAIN_BATCH)


OVERLAPPING: Final = frozenset({Task.TIME_SERIES_CLASSIFICATION, Task.TIME_SERIES_FORECASTING})
"""Kinds whose rows overlap: a few new ones are a stretch of time or two, soon known by heart
(docs/decisions/0026-series.md)."""
REPEATED_AFTER_DRIFT: Final = OVERLAPPING | FROM_SCRATCH
"""Kinds whose retrain sees new rows again and again only where old ones are wrong by now, and whose
fine-tune replays more. Trees put new rows apart from old ones by themselves, however few they are,
learn by heart what they see five times, and those that are added to others learn from what they are
shown alone; rows cost them little (docs/decisions/0024-tables.md)."""
NEW_DOMAIN_RETRAINED: Final = frozenset({Task.TABULAR_REGRESSION})
"""Kinds whose retrain learns a new domain better, however few rows are of it: old trees say
something wild of it in numbers, and those that are added take back a part (0024)."""
REPLAY_PERCENT, MORE_REPLAY_PERCENT = 50, 400
"""Old rows in a fine-tune per hundred new ones, where the resource says nothing."""


def replay_percent_of(task: str) -> int:
    """The default of a kind."""
    return MORE_REPLAY_PERCENT if task in REPEATED_AFTER_DRIFT else REPLAY_PERCENT


OF_CLASSES: Final = (
    ScoreMetric.ACCURACY,
    ScoreMetric.BALANCED_ACCURACY,
    ScoreMetric.MACRO_F1,
    ScoreMetric.AUROC,
)
OF_NUMBERS: Final = (ScoreMetric.MAE, ScoreMetric.RMSE)
OF_RANKS: Final = tuple(HITS)
OF_ANSWERS: Final = (ScoreMetric.BITS_PER_BYTE, ScoreMetric.EXACT_MATCH)
METRICS: Final[Mapping[str, tuple[ScoreMetric, ...]]] = {
    Task.TEXT_CLASSIFICATION: OF_CLASSES,
    Task.IMAGE_CLASSIFICATION: OF_CLASSES,
    Task.TABULAR_CLASSIFICATION: OF_CLASSES,
    Task.TABULAR_REGRESSION: OF_NUMBERS,
    Task.TIME_SERIES_CLASSIFICATION: OF_CLASSES,
    Task.TIME_SERIES_FORECASTING: OF_NUMBERS,
    Task.NEXT_ITEM: OF_RANKS,
    Task.CAUSAL_LM: OF_ANSWERS,
}
"""What versions of a kind may be compared by; the first is the default.

By ``OF_NUMBERS`` where the answer is a number, ``OF_RANKS`` where it is a ranking, ``OF_ANSWERS``
where it is a text: kinds without classes. The names of kinds with classes end in Classification,
which the rules of the schema go by.
"""


def metrics_of(task: str) -> tuple[ScoreMetric, ...]:
    """The metrics of a kind; of one that another release knows, those of classes."""
    return METRICS.get(task, OF_CLASSES)


_MOST_FREQUENT: Final = "the most frequent label"
_BASELINES: Final[Mapping[str, str]] = {
    Task.TABULAR_REGRESSION: "the median",
    Task.TIME_SERIES_FORECASTING: "the last number or the season before",
    Task.NEXT_ITEM: "the most popular items",
    Task.CAUSAL_LM: "how often each piece of text is answered",
}


def baseline_of(task: str) -> str:
    """What needs no model of a kind, and what a first version is compared with."""
    return _BASELINES.get(task, _MOST_FREQUENT)


@dataclass(frozen=True, slots=True)
class Columns:
    """Names of the columns of the data files by what they are for; ``time`` is of the updates.

    ``inputs``: None where the kind has no such list; empty: all columns that no role has.
    ``unread`` are columns that have a role which these files need not have. ``targets`` are the
    inputs that are to be told beforehand, of a kind that forecasts; empty: all of them.
    """

    names: Mapping[str, str]
    inputs: tuple[str, ...] | None = None
    unread: frozenset[str] = frozenset()
    targets: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        roles: Iterable[Role],
        inputs: tuple[str, ...] = (),
        targets: tuple[str, ...] = (),
        **named: str,
    ) -> "Columns":
        """Those of a kind; what is not named has its default."""
        roles = tuple(roles)

        def column(role: Role) -> str:
            instead = any(named.get(other) for other in role.unless)
            return named.get(role.name) or ("" if instead else role.default)

        wanted = ((role.name, column(role)) for role in roles)
        listed = inputs if INPUTS in roles else None
        names = {role: name for role, name in wanted if name}
        return cls(names, listed, targets=targets)

    def document(self) -> dict[str, Any]:
        """As requests and snapshots hold it."""
        inputs = {} if self.inputs is None else {INPUTS.name: list(self.inputs)}
        targets = {TARGETS.name: list(self.targets)} if self.targets else {}
        return {**self.names, **inputs, **targets}

    def __hash__(self) -> int:
        return hash((frozenset(self.names.items()), self.inputs, self.targets))

    def __getitem__(self, role: str) -> str:
        """The name of a column that is read."""
        return self.names[role]

    @property
    def time(self) -> str:
        """The column that dates rows; empty: there is none."""
        return self.names.get(TIME.name, "")

    @property
    def used(self) -> tuple[str, ...]:
        """The columns that every file must have."""
        return tuple(self.names.values())

    def reads(self, name: str) -> bool:
        """Whether a column of this name would be read."""
        return name in self.names.values() or self.is_input(name)

    def is_input(self, name: str) -> bool:
        """Whether a column of this name would be an input, of a kind that has a list of them."""
        if self.inputs is None or name in self.unread or name in self.names.values():
            return False
        return not self.inputs or name in self.inputs or name in self.targets

    def without_time(self) -> "Columns":
        """The same for files whose rows need no date. Where they have one, it is no input."""
        names = {role: name for role, name in self.names.items() if role != TIME.name}
        unread = self.unread | {self.time} if self.time else self.unread
        return replace(self, names=names, unread=unread)


@lru_cache(maxsize=1024)
def columns_of(
    task: str, inputs: tuple[str, ...] = (), targets: tuple[str, ...] = (), **named: str
) -> Columns:
    """The columns of a kind that this release knows."""
    return Columns.of(ROLES[task], inputs, targets, **named)


def columns_unclear(columns: Columns) -> tuple[str, str]:
    """Which role of a kind that reads questions and answers is wrong, and why; empty: none is."""
    named = columns.names
    both = PROMPT.name in named, COMPLETION.name in named
    if any(both) and MESSAGES.name in named:
        return MESSAGES.name, "a row is a list of messages, or a prompt with a completion: keep one"
    if any(both) and not all(both):
        missing = COMPLETION.name if both[0] else PROMPT.name
        return missing, "prompt and completion belong together: name both columns"
    if all(both) and named[PROMPT.name] == named[COMPLETION.name]:
        return COMPLETION.name, "prompt and completion name the same column: name the answer's here"
    return "", ""

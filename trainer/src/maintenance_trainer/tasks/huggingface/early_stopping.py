"""Early stopping by the library: a training ends when rows that are set aside are told no better.

They are set aside of the training side; held-out rows judge the version and are not looked at. The
names are those of the library's ``EarlyStoppingCallback`` and ``TrainingArguments``.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, NamedTuple, TypeVar

from maintenance_trainer.data import validation
from maintenance_trainer.data.rows import Row
from maintenance_trainer.errors import ConfigurationError

PATIENCE: Final = "early_stopping_patience"
THRESHOLD: Final = "early_stopping_threshold"
BEST: Final = "load_best_model_at_end"
METRIC: Final = "metric_for_best_model"
STEPS: Final = "eval_steps"
NAMES: Final = (PATIENCE, THRESHOLD, BEST, METRIC, STEPS)
_LOSSES: Final = ("loss", "eval_loss")
_MOST: Final = 10**6

R = TypeVar("R", bound=Row)


@dataclass(frozen=True, slots=True)
class Stopping(Generic[R]):
    """When a training ends: after ``patience`` looks at these rows that are not better by more."""

    rows: list[R]
    patience: int
    threshold: float

    def on(self, examples: Any) -> "Validation":
        """These rows as the model takes them, and the library's callback that watches them."""
        from transformers import EarlyStoppingCallback  # noqa: PLC0415  # seconds

        return Validation(examples, EarlyStoppingCallback(self.patience, self.threshold))


class Validation(NamedTuple):
    """What the library's trainer evaluates, and what ends it."""

    examples: Any
    callback: Any


def wanted(given: Mapping[str, Any]) -> bool:
    """Whether a training may end early."""
    return PATIENCE in given


def rest(given: Mapping[str, Any]) -> dict[str, Any]:
    """The other arguments."""
    return {name: value for name, value in given.items() if name not in NAMES}


def check(where: str, given: Mapping[str, Any]) -> None:
    """Refuse what cannot be meant.

    Raises:
        ConfigurationError: ArgumentInvalid, with the argument's name.
    """
    if not wanted(given):
        if name := next((name for name in NAMES if name in given), ""):
            message = (
                f"{where}.{name} cannot be set alone: held-out rows must not choose the checkpoint "
                f"that they judge. Write {PATIENCE} beside it, which sets rows of the training "
                "side aside for that, or remove it."
            )
            raise ConfigurationError("ArgumentInvalid", message)
        return
    for name in (PATIENCE, STEPS):
        value = given.get(name, 1)
        if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= _MOST:
            problem = f"a whole number from 1 to {_MOST:,} is expected, not {str(value)[:40]!r}"
            raise ConfigurationError("ArgumentInvalid", f"{where}.{name}: {problem}.")
    least = given.get(THRESHOLD, 0.0)
    number = isinstance(least, int | float) and not isinstance(least, bool)
    if not number or not math.isfinite(least) or least < 0:
        problem = f"a number of at least 0 is expected, not {str(least)[:40]!r}"
        raise ConfigurationError("ArgumentInvalid", f"{where}.{THRESHOLD}: {problem}.")
    if not isinstance(given.get(BEST, True), bool):
        problem = f"true or false is expected, not {str(given[BEST])[:40]!r}"
        raise ConfigurationError("ArgumentInvalid", f"{where}.{BEST}: {problem}.")
    if given.get(METRIC, "loss") not in _LOSSES:
        problem = f"loss is what is compared, and not {str(given[METRIC])[:40]!r}: remove it"
        raise ConfigurationError("ArgumentInvalid", f"{where}.{METRIC}: {problem}.")


def of_library(given: Mapping[str, Any]) -> dict[str, Any]:
    """``TrainingArguments`` beside those of the user; nothing is evaluated where nobody asks."""
    if not wanted(given):
        return {"eval_strategy": "no", "save_strategy": "no"}
    every = "steps" if STEPS in given else "epoch"
    best = given.get(BEST, True)
    each = {"eval_steps": given[STEPS], "save_steps": given[STEPS]} if STEPS in given else {}
    return {
        **each,
        "eval_strategy": every,
        "save_strategy": every if best else "no",
        "save_only_model": True,
        "save_total_limit": 1,
        BEST: best,
        METRIC: "loss",
        "greater_is_better": False,
        "prediction_loss_only": True,
        "label_names": ["labels"],
    }


def refuse_few(where: str, given: Mapping[str, Any], rows: int) -> None:
    """Refuse to set aside what is needed to learn.

    Raises:
        ConfigurationError: ArgumentInvalid.
    """
    if wanted(given):
        validation.refuse_few(f"{where}.{PATIENCE}", rows)


def split(
    where: str, given: Mapping[str, Any], rows: Sequence[R]
) -> tuple[Sequence[R], Stopping[R] | None]:
    """Rows to learn, and when to end; all of them and None where it is not asked for.

    Raises:
        ConfigurationError: ArgumentInvalid, there are too few rows.
    """
    if not wanted(given):
        return rows, None
    parts = validation.of_argument(f"{where}.{PATIENCE}", rows)
    stopping = Stopping(parts.validation, given[PATIENCE], float(given.get(THRESHOLD, 0.0)))
    return parts.learnt, stopping

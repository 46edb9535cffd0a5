"""The user's arguments of a training: the library's trainer's, and what this kind adds to them."""

from collections.abc import Mapping
from typing import Any, Final

from maintenance_contract import TrainingAction
from maintenance_trainer.errors import ConfigurationError
from maintenance_trainer.tasks.huggingface import arguments
from maintenance_trainer.tasks.language import adapters
from maintenance_trainer.tasks.language.encoding import MOST_TOKENS

MAX_LENGTH: Final = "max_length"
"""As the library of supervised fine-tuning (TRL) names it."""
DEFAULT_MAX_LENGTH: Final = 1024
LEAST_LENGTH: Final = 8


def check(action: TrainingAction, given: Mapping[str, Any]) -> None:
    """Refuse what cannot train.

    Raises:
        ConfigurationError: ArgumentUnknown, ArgumentInvalid.
    """
    adapters.check(action, given)
    _refuse_near(action, given)
    arguments.check(action, of_trainer(given))
    most = given.get(MAX_LENGTH, DEFAULT_MAX_LENGTH)
    whole = isinstance(most, int) and not isinstance(most, bool)
    if not whole or not LEAST_LENGTH <= most <= MOST_TOKENS:
        message = (
            f"{arguments.where(action)}.{MAX_LENGTH}: a whole number from {LEAST_LENGTH} to "
            f"{MOST_TOKENS} is expected, not {str(most)[:40]!r}: so many tokens of a question with "
            "its answer are trained on."
        )
        raise ConfigurationError("ArgumentInvalid", message)


def of_trainer(given: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the library's trainer."""
    rest = {name: value for name, value in given.items() if name != MAX_LENGTH}
    return adapters.of_trainer(rest)


def _refuse_near(action: TrainingAction, given: Mapping[str, Any]) -> None:
    """A name that is nearly one of adapters is not one of the trainer's."""
    if not adapters.wanted(given):
        return
    for name in of_trainer(given):
        if (near := adapters.meant(name)) and near != name:
            message = f"{arguments.where(action)}.{name}: did you mean {near!r}?"
            raise ConfigurationError("ArgumentUnknown", message)


def max_length(given: Mapping[str, Any]) -> int:
    """Tokens of a row that are trained on."""
    return int(given.get(MAX_LENGTH, DEFAULT_MAX_LENGTH))

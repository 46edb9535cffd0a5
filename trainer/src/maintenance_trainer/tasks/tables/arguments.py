"""The user's arguments for boosting, checked by name, type and range before anything is paid for.

The names are those of XGBoost's scikit-learn interface, or of its own parameters.
"""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from maintenance_contract import TrainingAction
from maintenance_trainer.errors import ConfigurationError
from maintenance_trainer.seed import SEED


@dataclass(frozen=True, slots=True)
class Range:
    """A number from ``least`` to ``most``; whole or not; ``above``: not the least itself."""

    least: float
    most: float
    whole: bool = False
    above: bool = False

    def problem(self, value: object) -> str:
        """What is expected instead; empty where it is fine."""
        kind = int if self.whole else int | float
        fine = isinstance(value, kind) and not isinstance(value, bool)
        if fine and (value > self.least or (value == self.least and not self.above)):  # type: ignore[operator]
            fine = value <= self.most  # type: ignore[operator]
        else:
            fine = False
        if fine:
            return ""
        what = "a whole number" if self.whole else "a number"
        start = "above" if self.above else "from"
        quoted = ", without quotes" if isinstance(value, str) else ""
        return f"{what} {start} {self.least:g} to {self.most:g} is expected{quoted}"


@dataclass(frozen=True, slots=True)
class OneOf:
    """One of a few words."""

    words: tuple[str, ...]

    def problem(self, value: object) -> str:
        """What is expected instead; empty where it is fine."""
        return "" if value in self.words else f"{' or '.join(self.words)} is expected"


EARLY_STOPPING: Final = "early_stopping_rounds"
"""Boosting ends when rows of its own side, set aside, are told no better for so many rounds."""
_SHARE: Final = Range(0, 1, above=True)
_PENALTY: Final = Range(0, 1e9)
KNOWN: Final[Mapping[str, Range | OneOf]] = {
    "n_estimators": Range(1, 100_000, whole=True),
    "learning_rate": Range(0, 1, above=True),
    "max_depth": Range(1, 32, whole=True),
    "max_leaves": Range(0, 65_536, whole=True),
    "grow_policy": OneOf(("depthwise", "lossguide")),
    "min_child_weight": _PENALTY,
    "gamma": _PENALTY,
    "reg_lambda": _PENALTY,
    "reg_alpha": _PENALTY,
    "max_delta_step": _PENALTY,
    "subsample": _SHARE,
    "colsample_bytree": _SHARE,
    "colsample_bylevel": _SHARE,
    "colsample_bynode": _SHARE,
    "scale_pos_weight": Range(0, 1e9, above=True),
    "max_bin": Range(2, 65_536, whole=True),
    "max_cat_to_onehot": Range(1, 10_000, whole=True),
    "max_cat_threshold": Range(1, 10_000, whole=True),
    "random_state": Range(0, 2**31 - 1, whole=True),
    "n_jobs": Range(1, 1024, whole=True),
    "device": OneOf(("cpu", "cuda")),
    EARLY_STOPPING: Range(1, 100_000, whole=True),
}
"""Deeper trees than 32 need more memory than there is: their nodes double with each level."""

ALIASES: Final[Mapping[str, str]] = {
    "num_boost_round": "n_estimators",
    "eta": "learning_rate",
    "min_split_loss": "gamma",
    "lambda": "reg_lambda",
    "alpha": "reg_alpha",
    "seed": "random_state",
    "nthread": "n_jobs",
}
"""XGBoost's other names for the same."""

_TREES: Final[Mapping[str, Any]] = {
    "learning_rate": 0.1,
    "max_depth": 4,
    "subsample": 0.7,
    "colsample_bytree": 0.7,
}
"""Small trees that see a part of the rows each: XGBoost's own, of depth 6, learn the noise of a
thousand rows by heart (docs/decisions/0024-tables.md)."""
DEFAULTS: Final[Mapping[TrainingAction, Mapping[str, Any]]] = {
    TrainingAction.RETRAIN: {"n_estimators": 200, **_TREES},
    TrainingAction.FINE_TUNE: {"n_estimators": 80, **_TREES},
}
"""Beneath the user's own. More trees of a smaller rate than XGBoost's 100 of 0.3: tables that
change are noisy. A fine-tune has the champion's trees already, and adds two fifths as many."""

_SCORED: Final = "scores are computed by the trainer"
_OUR_ROWS: Final = "the trainer hands over rows, their weights and which columns are categories"
_OURS: Final[Mapping[str, str]] = {
    "objective": "it follows from model.task",
    "num_class": "the rows say how many classes there are",
    "base_score": "it is estimated from the rows",
    "eval_metric": _SCORED,
    "eval_set": "early_stopping_rounds sets rows aside by itself",
    "callbacks": "arguments are numbers and words",
    "booster": "versions are gradient boosted trees (gbtree), so that a fine-tune can go on",
    "process_type": "a fine-tune adds trees to the champion's",
    "updater": "it is chosen by the library",
    "refresh_leaf": "a fine-tune adds trees to the champion's",
    "tree_method": "hist is used, on the CPU and on a GPU",
    "multi_strategy": "there is one tree a class",
    "num_parallel_tree": "there is one tree a round and class",
    "sampling_method": "it exists on a GPU alone",
    "missing": _OUR_ROWS,
    "enable_categorical": _OUR_ROWS,
    "feature_types": _OUR_ROWS,
    "feature_weights": _OUR_ROWS,
    "monotone_constraints": "columns are the data's, and may come in another order",
    "interaction_constraints": "columns are the data's, and may come in another order",
    "xgb_model": "a fine-tune goes on from the champion",
    "importance_type": "it changes no model",
    "verbosity": "progress is printed by the trainer",
    "validate_parameters": "arguments are checked here",
    "disable_default_eval_metric": _SCORED,
}
_MEANT: Final[Mapping[str, str]] = {
    "num_train_epochs": "n_estimators",
    "num_epochs": "n_estimators",
    "epochs": "n_estimators",
    "iterations": "n_estimators",
    "num_iterations": "n_estimators",
    "num_trees": "n_estimators",
    "ntree": "n_estimators",
    "max_iter": "n_estimators",
    "lr": "learning_rate",
    "shrinkage": "learning_rate",
    "num_leaves": "max_leaves",
    "depth": "max_depth",
    "weight_decay": "reg_lambda",
    "l2_regularization": "reg_lambda",
    "bagging_fraction": "subsample",
    "feature_fraction": "colsample_bytree",
    "class_weight": "scale_pos_weight",
    "use_cpu": "device",
    "num_threads": "n_jobs",
    "per_device_train_batch_size": "subsample",
}
"""What other libraries call it."""


def check(action: TrainingAction, arguments: Mapping[str, Any]) -> None:
    """Refuse what cannot train.

    Raises:
        ConfigurationError: ArgumentUnknown with the nearest valid name, ArgumentInvalid.
    """
    field = where(action)
    given: dict[str, str] = {}
    for name, value in arguments.items():
        if name in _OURS:
            message = f"{field}.{name} cannot be set: {_OURS[name]}; remove it."
            raise ConfigurationError("ArgumentInvalid", message)
        meant = ALIASES.get(name, name)
        if meant not in KNOWN:
            message = f"{field}.{name} is no argument of XGBoost that is known here: {_near(name)}"
            raise ConfigurationError("ArgumentUnknown", message)
        if meant in given:
            message = f"{field}: {given[meant]} and {name} are one argument; keep one of them."
            raise ConfigurationError("ArgumentInvalid", message)
        given[meant] = name
        if problem := KNOWN[meant].problem(value):
            message = f"{field}.{name}: {problem}, not {str(value)[:40]!r}."
            raise ConfigurationError("ArgumentInvalid", message)


def where(action: TrainingAction) -> str:
    """The field that an action's arguments come from."""
    step = "fineTune" if action is TrainingAction.FINE_TUNE else "retrain"
    return f"training.{step}.arguments"


def complete(action: TrainingAction, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The user's arguments over the defaults, by one name each."""
    own = {ALIASES.get(name, name): value for name, value in arguments.items()}
    return {"random_state": SEED, **DEFAULTS[action], **own}


def _near(name: str) -> str:
    names = [*KNOWN, *ALIASES, *_OURS]
    near = _MEANT.get(name) or next(iter(difflib.get_close_matches(name, names, 1, 0.6)), None)
    if near is None:
        return f"write one of {', '.join(KNOWN)}."
    if near in _OURS:
        return f"{near!r} it would be, which cannot be set either: {_OURS[near]}; remove it."
    return f"did you mean {near!r}?"

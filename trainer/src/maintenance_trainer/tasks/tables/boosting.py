"""Boosted trees by XGBoost: trained, gone on with, asked, given outputs for new classes.

Everywhere margins are meant: what the trees of a class add up to, before it becomes a probability.
"""

import ctypes
import json
import time
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from itertools import pairwise
from typing import Any, Final

import numpy as np
import xgboost as xgb
from numpy.typing import NDArray
from typing_extensions import override  # typing has it from Python 3.12 on

from maintenance_contract import TrainingAction
from maintenance_trainer.cores import cores
from maintenance_trainer.data import validation
from maintenance_trainer.errors import ConfigurationError, OutOfMemoryError
from maintenance_trainer.progress import Progress
from maintenance_trainer.tasks.tables import arguments, blocks
from maintenance_trainer.tasks.tables.blocks import Matrix
from maintenance_trainer.tasks.tables.rows import TableRow
from maintenance_trainer.tasks.tables.schema import Schema
from maintenance_trainer.tasks.task import Fitted, How

BATCH: Final = 65_536
"""Rows whose numbers are in memory at a time."""
LOGISTIC: Final = "binary:logistic"
SOFTMAX: Final = "multi:softprob"
_OUT_OF_MEMORY: Final = ("out of memory", "bad_alloc", "memory allocation error")


def objective_of(classes: int) -> dict[str, Any]:
    """What is learnt: two classes by one tree a round, more by one tree each."""
    if classes <= 2:  # noqa: PLR2004
        return {"objective": LOGISTIC}
    return {"objective": SOFTMAX, "num_class": classes}


def train(  # noqa: PLR0913, PLR0917  # rows, answers and what they are learnt by are facts of their own
    schema: Schema,
    rows: Sequence[TableRow],
    answers: NDArray[np.float32],
    objective: Mapping[str, Any],
    how: How,
    progress: Progress,
    before: xgb.Booster | None = None,
) -> tuple[xgb.Booster, Fitted]:
    """Boost, from nothing or from the trees that are there.

    Args:
        schema: what is read of the rows.
        rows: n of them.
        answers: (n,) numbers of classes, or what is to be predicted.
        objective: the library's parameters of the kind.
        how: the action and the user's arguments.
        progress: told of each round.
        before: the champion's trees; they stay as they are.

    Raises:
        OutOfMemoryError: of the GPU.
        ConfigurationError: ArgumentInvalid, in the library's words.
    """
    given = arguments.complete(how.action, how.arguments)
    rounds, patience = given.pop("n_estimators"), given.pop(arguments.EARLY_STOPPING, None)
    parameters = {**_PARAMETERS, "device": device(), "nthread": cores(), **objective, **given}
    aside: _Part | None = None
    if patience is not None:
        argument = f"{arguments.where(how.action)}.{arguments.EARLY_STOPPING}"
        (rows, answers), aside = _parted(rows, answers, argument)
    progress.stage(f"boosting on {len(rows)} rows, rounds", rounds)
    start = time.monotonic()
    told = _Told(progress)
    try:
        data = _training_data(schema, rows, answers, parameters, exact=before is not None)
        watched: dict[str, Any] = {"callbacks": [told]}
        if aside:
            stopping = xgb.callback.EarlyStopping(rounds=patience, save_best=True)
            watched = {
                "callbacks": [told, stopping],
                "evals": [(_exactly(schema, *aside), "validation")],
            }
        booster = xgb.train(
            parameters, data, rounds, xgb_model=before, verbose_eval=False, **watched
        )
    except xgb.core.XGBoostError as error:
        raise _explained(error, how.action) from None
    if aside:
        progress.say(
            f"{len(aside[0])} rows set aside were told best with {booster.num_boosted_rounds()} "
            f"rounds of trees; {told.rounds} of {rounds} were made"
        )
    # Some readers would ask with these trees alone, whatever is boosted on top of them.
    booster.set_attr(best_iteration=None, best_score=None)
    return booster, Fitted(time.monotonic() - start, told.rounds)


_Part = tuple[Sequence[TableRow], NDArray[np.float32]]


def _parted(
    rows: Sequence[TableRow], answers: NDArray[np.float32], argument: str
) -> tuple[_Part, _Part]:
    """Rows to learn with their answers, and those that are set aside."""
    parts = validation.of_argument(argument, rows)
    answer_of = {id(row): answer for row, answer in zip(rows, answers, strict=True)}

    def part(its: Sequence[TableRow]) -> _Part:
        return its, np.array([answer_of[id(row)] for row in its], np.float32)

    return part(parts.learnt), part(parts.validation)


def margins(
    booster: xgb.Booster, schema: Schema, values: Matrix, outputs: int
) -> NDArray[np.float32]:
    """(n, outputs): what the trees say of (n, d) values.

    On the CPU, wherever the model was trained: a version must say the same in the diagnosis.
    """
    booster.set_param({"device": "cpu", "nthread": cores()})
    if not len(values):
        return np.zeros((0, outputs), np.float32)
    found = booster.predict(matrix_of(values, schema), output_margin=True)
    return np.asarray(found, np.float32).reshape(len(values), outputs)


def matrix_of(values: Matrix, schema: Schema, **more: Any) -> xgb.DMatrix:
    """Numbers as the library takes them."""
    types = schema.feature_types
    return xgb.DMatrix(values, feature_types=types, enable_categorical=True, **more)


def importance(booster: xgb.Booster, schema: Schema) -> NDArray[np.float64]:
    """(d,) the share of each column in what the splits gain; zeros where there are no splits."""
    gains = booster.get_score(importance_type="total_gain")
    found = np.zeros(len(schema.columns))
    for name, gain in gains.items():
        value = gain if isinstance(gain, float) else float(np.sum(gain))
        found[int(name.removeprefix("f"))] = value
    total = found.sum()
    return found / total if total else found


@cache
def device() -> str:
    """``cuda`` where there is a GPU and the library was built for it, without asking torch."""
    if not xgb.build_info().get("USE_CUDA"):
        return "cpu"
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return "cpu"
    count = ctypes.c_int()
    there = driver.cuInit(0) == 0 and driver.cuDeviceGetCount(ctypes.byref(count)) == 0
    return "cuda" if there and count.value else "cpu"


_PARAMETERS: Final[Mapping[str, Any]] = {"tree_method": "hist", "verbosity": 0}


def _training_data(
    schema: Schema,
    rows: Sequence[TableRow],
    answers: NDArray[np.float32],
    parameters: Mapping[str, Any],
    *,
    exact: bool,
) -> xgb.DMatrix:
    """Rows in bins, batch by batch: a byte or two a value.

    ``exact``: with their values, four times as large, which trees of other bins must be asked with.
    """
    if exact:
        return _exactly(schema, rows, answers)
    weights = np.array([row.weight for row in rows], np.float32)
    return xgb.QuantileDMatrix(
        _Batches(schema, rows, answers, weights),
        max_bin=parameters.get("max_bin", 256),
        enable_categorical=True,
        nthread=parameters["nthread"],
    )


def _exactly(schema: Schema, rows: Sequence[TableRow], answers: NDArray[np.float32]) -> xgb.DMatrix:
    """Rows with their values."""
    weights = np.array([row.weight for row in rows], np.float32)
    return matrix_of(blocks.matrix(rows, schema), schema, label=answers, weight=weights)


class _Batches(xgb.DataIter):
    """Rows as the library asks for them, some thousands at a time."""

    def __init__(
        self,
        schema: Schema,
        rows: Sequence[TableRow],
        answers: NDArray[np.float32],
        weights: NDArray[np.float32],
    ) -> None:
        super().__init__()
        self._schema, self._rows, self._answers, self._weights = schema, rows, answers, weights
        self._start = 0

    @override
    def next(self, input_data: Callable[..., None]) -> bool:
        if self._start >= len(self._rows):
            return False
        part = slice(self._start, self._start + BATCH)
        input_data(
            data=blocks.matrix(self._rows[part], self._schema),
            label=self._answers[part],
            weight=self._weights[part],
            feature_types=self._schema.feature_types,
        )
        self._start += BATCH
        return True

    @override
    def reset(self) -> None:
        self._start = 0


class _Told(xgb.callback.TrainingCallback):
    """Passes rounds on."""

    def __init__(self, progress: Progress) -> None:
        super().__init__()
        self._progress = progress
        self._first: int | None = None
        self.rounds = 0

    @override
    def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:
        if self._first is None:
            self._first = epoch
        self.rounds = epoch - self._first + 1
        self._progress.step(self.rounds)
        return False


def _explained(error: Exception, action: TrainingAction) -> ConfigurationError | OutOfMemoryError:
    text = str(error)
    if any(words in text.lower() for words in _OUT_OF_MEMORY):
        message = (
            "Boosting ran out of memory; lower max_depth or max_bin in training.*.arguments, or "
            "give the trainer more memory (training.resources) or a larger GPU."
        )
        return OutOfMemoryError("OutOfMemory", message)
    said = " ".join(text.split("\nStack trace", maxsplit=1)[0].split())[-300:]
    field = arguments.where(action)
    message = f"{field}: XGBoost refuses them ({said}); correct or remove what it names."
    return ConfigurationError("ArgumentInvalid", message)


# --- new classes --------------------------------------------------------------------------


def grown(booster: xgb.Booster, before: int, after: int, beginning: float) -> xgb.Booster:
    """The same trees with outputs for more classes, which begin at one margin each.

    The library cannot add classes, so its documented JSON is rewritten: each round gets a tree
    without a split for each new class, and two classes by one margin become two by two.

    Args:
        booster: of ``before`` classes.
        before: how many it knows.
        after: how many it is to know.
        beginning: the margin of each new class on every row.
    """
    document = json.loads(booster.save_raw("json"))
    learner = document["learner"]
    model = learner["gradient_booster"]["model"]
    binary = learner["objective"]["name"] == LOGISTIC
    rounds, ends = _rounds(model), [0]
    trees: list[Any] = []
    info: list[int] = []
    nothing = _leaf(model["trees"][0]) if model["trees"] else None
    for round_ in rounds:
        classes: dict[int, list[Any]] = {number: [] for number in range(after)}
        for kind, tree in round_:
            classes[kind + 1 if binary else kind].append(tree)
        most = max(map(len, classes.values()))
        for number, its in classes.items():
            padded = its + [nothing] * (most - len(its))
            trees += [{**tree, "id": len(trees) + at} for at, tree in enumerate(padded)]
            info += [number] * most
        ends.append(len(trees))
    model.update(trees=trees, tree_info=info, iteration_indptr=ends)
    model["gbtree_model_param"]["num_trees"] = str(len(trees))
    scores = _base_scores(learner["learner_model_param"]["base_score"], before, binary=binary)
    scores += [beginning] * (after - before)
    learner["learner_model_param"].update(
        base_score="[" + ",".join(f"{score:.9E}" for score in scores) + "]", num_class=str(after)
    )
    learner["objective"] = {
        "name": SOFTMAX,
        "softmax_multiclass_param": {"num_class": str(after)},
    }
    larger = xgb.Booster()
    larger.load_model(bytearray(json.dumps(document), "utf-8"))
    return larger


def _rounds(model: Mapping[str, Any]) -> list[list[tuple[int, Any]]]:
    """Trees of each round with the classes that they are of."""
    ends = model["iteration_indptr"]
    every = list(zip(model["tree_info"], model["trees"], strict=True))
    return [every[start:end] for start, end in pairwise(ends)]


def _base_scores(text: str, classes: int, *, binary: bool) -> list[float]:
    """Where each class begins, as a margin; one number stands for all."""
    found = json.loads(text) if text.startswith("[") else [float(text)]
    if binary:
        share = min(max(float(found[0]), 1e-7), 1 - 1e-7)
        return [0.0, float(np.log(share / (1 - share)))]
    return [float(value) for value in found] * (classes // len(found))


def _leaf(tree: Mapping[str, Any]) -> dict[str, Any]:
    """A tree of one leaf that says nothing, spelled as the library spells this one."""
    alone = {
        "base_weights": [0.0],
        "default_left": [0],
        "left_children": [-1],
        "loss_changes": [0.0],
        "parents": [2**31 - 1],
        "right_children": [-1],
        "split_conditions": [0.0],
        "split_indices": [0],
        "split_type": [0],
        "sum_hessian": [0.0],
    }
    none = ("categories", "categories_nodes", "categories_segments", "categories_sizes")
    parameters = {**tree["tree_param"], "num_nodes": "1", "num_deleted": "0"}
    return {**{name: [] for name in none}, **alone, "tree_param": parameters, "id": 0}

"""A classifier's head alone: its last layer is fitted on what the frozen encoder makes of rows.

The last layer of a classifier is linear as a rule, so that fitting it is a logistic regression:
convex, of one answer, and without passes through the encoder but the first. The result is the same
architecture, and is kept and served as any other.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import torch

from maintenance_contract import TrainingAction
from maintenance_contract.kinds import FREEZE_BASE_MODEL, TRAIN_BATCH, Method
from maintenance_trainer.errors import ConfigurationError
from maintenance_trainer.tasks.huggingface import arguments

STRENGTH: Final = "C"
"""Inverse strength of the penalty, as scikit-learn names it."""
MOST_STEPS: Final = "max_iter"
BATCH: Final = "per_device_train_batch_size"
DEFAULT_STRENGTH: Final = 0.1
"""Where rows are too few to choose it by."""
STRENGTHS: Final = (0.0001, 0.001, 0.01, 0.1, 1.0, 10.0, 100.0)
"""Of which one is chosen by rows that are set aside."""
DEFAULT_MOST_STEPS: Final = 300
_HALVED: Final = "gradient_accumulation_steps"
"""Comes with half a batch; steps there are none."""
_SAME: Final = 1e-3
"""Part of the largest logit by which a layer's own answers may differ from the model's."""

Batches = Iterator[tuple[list[int], Mapping[str, Any]]]
"""Numbers of rows, and the fields of them that the network takes."""


def wanted(given: Mapping[str, Any]) -> bool:
    """Whether the head alone is to learn."""
    return FREEZE_BASE_MODEL in given


def batch_of(given: Mapping[str, Any]) -> int:
    """Rows that pass the encoder together."""
    return int(given.get(BATCH, TRAIN_BATCH))


def check(action: TrainingAction, given: Mapping[str, Any]) -> None:
    """Refuse arguments that no head can be fitted with.

    Raises:
        ConfigurationError: ArgumentUnknown, ArgumentInvalid.
    """
    where = arguments.where(action)
    if given[FREEZE_BASE_MODEL] is not True:
        message = f"{where}.{FREEZE_BASE_MODEL}: true is expected; without it all weights learn."
        raise ConfigurationError("ArgumentInvalid", message)
    for name in given:
        if name not in {FREEZE_BASE_MODEL, STRENGTH, MOST_STEPS, BATCH, _HALVED}:
            message = (
                f"{where}.{name} says nothing where the head alone is fitted: remove it "
                f"({STRENGTH}, {MOST_STEPS} and {BATCH} there are), or write {_method(where)}: "
                f"{Method.FULL.value}."
            )
            raise ConfigurationError("ArgumentUnknown", message)
    strength = given.get(STRENGTH, DEFAULT_STRENGTH)
    number = isinstance(strength, int | float) and not isinstance(strength, bool)
    if not number or not 0 < strength <= _MOST_STRENGTH:
        message = (
            f"{where}.{STRENGTH}: a number above 0 and at most {_MOST_STRENGTH:g} is expected, not "
            f"{str(strength)[:40]!r}."
        )
        raise ConfigurationError("ArgumentInvalid", message)
    steps = given.get(MOST_STEPS, DEFAULT_MOST_STEPS)
    if not isinstance(steps, int) or isinstance(steps, bool) or not 1 <= steps <= _MOST_STEPS:
        message = (
            f"{where}.{MOST_STEPS}: a whole number from 1 to {_MOST_STEPS:,} is expected, not "
            f"{str(steps)[:40]!r}."
        )
        raise ConfigurationError("ArgumentInvalid", message)
    arguments.check(action, {name: given[name] for name in (BATCH, _HALVED) if name in given})


_MOST_STRENGTH: Final = 1e9
_MOST_STEPS: Final = 100_000


def refuse_without_method(action: TrainingAction, given: Mapping[str, Any]) -> None:
    """Arguments of a head say nothing where all weights learn.

    Raises:
        ConfigurationError: ArgumentInvalid.
    """
    where = arguments.where(action)
    for name in (STRENGTH, MOST_STEPS):
        if name in given:
            message = (
                f"{where}.{name} is of a head that is fitted alone, and all weights are trained: "
                f"write {_method(where)}: {Method.HEAD_ONLY.value}, or remove it."
            )
            raise ConfigurationError("ArgumentInvalid", message)


def _method(where: str) -> str:
    return where.replace("arguments", "method")


# --- the layer ------------------------------------------------------------------------------


def last_layer(
    network: Any, batch: Mapping[str, Any], labels: int, action: TrainingAction
) -> torch.nn.Linear:
    """The linear layer whose answers are the logits, seen by trying it.

    Raises:
        ConfigurationError: ArgumentInvalid, there is none.
    """
    with torch.inference_mode():
        logits = network(**batch).logits
        scale = max(1.0, float(logits.nan_to_num(0.0, 0.0, 0.0).abs().max()))
        for layer in reversed([*network.modules()]):
            if not isinstance(layer, torch.nn.Linear) or layer.out_features != labels:
                continue
            made = _before(network, layer, batch)
            if made is None or layer.in_features != made.shape[-1]:
                continue
            told = layer(made)
            same = told.shape == logits.shape and torch.allclose(
                told, logits, atol=_SAME * scale, equal_nan=True
            )
            if same:
                return layer
    where = arguments.where(action)
    message = (
        f"{_method(where)}: a model of type {network.config.model_type} does not end with one "
        f"linear layer, which {Method.HEAD_ONLY.value} fits alone: write {Method.FULL.value}, or "
        "leave it out."
    )
    raise ConfigurationError("ArgumentInvalid", message)


def _before(network: Any, layer: torch.nn.Linear, batch: Mapping[str, Any]) -> torch.Tensor | None:
    """What reaches the layer (rows, width); None where the rest takes nothing but its answers."""
    with _handing_on(layer):
        try:
            made: torch.Tensor = network(**batch).logits
        except torch.cuda.OutOfMemoryError:
            raise
        except (RuntimeError, ValueError, IndexError, TypeError):
            return None
    return made if made.dim() == 2 else None  # noqa: PLR2004  # rows, width


@contextmanager
def _handing_on(layer: torch.nn.Linear) -> Iterator[None]:
    """The layer answers with its input, so that the model's logits are what it is asked with."""
    handle = layer.register_forward_hook(lambda _layer, given, _told: given[0])
    try:
        yield
    finally:
        handle.remove()


def embedded(
    network: Any,
    layer: torch.nn.Linear,
    rows: int,
    batches: Batches,
    step: Callable[[int], None],
) -> torch.Tensor:
    """(rows, width) what reaches the last layer of each row; the encoder is passed once."""
    found = torch.zeros(rows, layer.in_features)
    done = 0
    with torch.inference_mode(), _handing_on(layer):
        for numbers, batch in batches:
            found[numbers] = network(**batch).logits.float().cpu()
            done += len(numbers)
            step(done)
    return found


def refuse_no_numbers(embeddings: torch.Tensor, inputs: str, action: TrainingAction) -> None:
    """Refuse what nothing can be learnt of.

    Raises:
        ConfigurationError: TrainingDiverged.
    """
    wrong = int((~torch.isfinite(embeddings).all(1)).sum())
    if wrong:
        message = (
            f"Of {len(embeddings)} {inputs} the encoder makes {wrong} NaN or infinity, though its "
            "weights are finite, so that no head can be fitted. No version was written. Begin with "
            f"another model, or write {_method(arguments.where(action))}: {Method.FULL.value}."
        )
        raise ConfigurationError("TrainingDiverged", message)


# --- the regression -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Learnt:
    """n embeddings, the places of their labels, and how often each counts."""

    embeddings: torch.Tensor
    labels: torch.Tensor
    counts: torch.Tensor

    def part(self, numbers: Sequence[int]) -> "Learnt":
        """Some of them."""
        return Learnt(self.embeddings[numbers], self.labels[numbers], self.counts[numbers])


def fit(
    layer: torch.nn.Linear,
    learnt: Learnt,
    validation: Sequence[int],
    given: Mapping[str, Any],
    *,
    anew: bool,
) -> tuple[int, float]:
    """Fit the layer in place.

    A penalty draws it to where it begins, so that it keeps what these rows say nothing of: labels
    that none of them has, above all.

    Args:
        layer: the last one.
        learnt: all rows.
        validation: numbers of rows by which the penalty is chosen where nobody gives it; none:
            there are too few.
        given: the user's arguments.
        anew: begin with nothing, else with what the layer knows.

    Returns:
        Steps of the optimizer, and the inverse strength of the penalty.
    """
    device, bias = layer.weight.device, _bias_of(layer)
    x, scale, mean = _standardised(
        learnt.embeddings.to(device).double(), with_bias=bias is not None
    )
    scaled = Learnt(x, learnt.labels.to(device), learnt.counts.to(device).double())
    weight = layer.weight.detach().double()
    start = weight * scale
    if bias is not None:
        start = torch.column_stack([start, bias.detach().double() + weight @ mean])
    if anew:
        start = torch.zeros_like(start)
    most = int(given.get(MOST_STEPS, DEFAULT_MOST_STEPS))
    strength, steps = float(given.get(STRENGTH, DEFAULT_STRENGTH)), 0
    if STRENGTH not in given and validation:
        strength, steps = _chosen(scaled, validation, start, most)
    found, made = _regression(scaled, start, torch.zeros_like(start), strength, most)
    with torch.no_grad():
        weight = found[:, : len(scale)] / scale
        layer.weight.copy_(weight)
        if bias is not None:
            bias.copy_(found[:, -1] - weight @ mean)
    return steps + made, strength


def _bias_of(layer: torch.nn.Linear) -> torch.Tensor | None:
    """Decoders have none."""
    return layer.bias


def _standardised(
    embeddings: torch.Tensor,
    with_bias: bool,  # noqa: FBT001
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Columns of one spread around 0 with a column of ones; without a bias neither moves them."""
    mean = embeddings.mean(0)
    scale = embeddings.std(0, correction=0) if with_bias else embeddings.square().mean(0).sqrt()
    scale = torch.where(scale > _LEAST_SPREAD, scale, 1.0)
    if not with_bias:
        return embeddings / scale, scale, torch.zeros_like(mean)
    x = (embeddings - mean) / scale
    return torch.column_stack([x, torch.ones_like(x[:, :1])]), scale, mean


_LEAST_SPREAD: Final = 1e-6


def _chosen(
    learnt: Learnt, validation: Sequence[int], start: torch.Tensor, most: int
) -> tuple[float, int]:
    """The strength under which rows set aside are told best, and the steps that it took."""
    aside = set(validation)
    kept = learnt.part([number for number in range(len(learnt.labels)) if number not in aside])
    test = learnt.part(list(validation))
    best, least, steps = DEFAULT_STRENGTH, math.inf, 0
    moved = torch.zeros_like(start)
    for strength in STRENGTHS:
        found, made = _regression(kept, start, moved, strength, most)
        steps += made
        moved = found - start  # the next begins here: its penalty is weaker
        loss = float(_loss(test, found))
        if loss >= least:
            break  # weaker ones fit what these rows have by chance
        best, least = strength, loss
    return best, steps


def _regression(
    learnt: Learnt, start: torch.Tensor, moved: torch.Tensor, strength: float, most: int
) -> tuple[torch.Tensor, int]:
    """Multinomial logistic regression with a squared penalty on what it moves ``start`` by."""
    delta = moved.clone().requires_grad_()
    optimizer = torch.optim.LBFGS(
        [delta], max_iter=most, history_size=10, tolerance_grad=1e-6, line_search_fn="strong_wolfe"
    )
    weight = 1.0 / (2.0 * strength * float(learnt.counts.sum()))

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = _loss(learnt, start + delta) + weight * delta.square().sum()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimizer.step(closure)  # type: ignore[no-untyped-call]
    return (start + delta).detach(), int(optimizer.state[delta]["n_iter"])


def _loss(learnt: Learnt, weights: torch.Tensor) -> torch.Tensor:
    told = learnt.embeddings @ weights.T
    each = torch.nn.functional.cross_entropy(told, learnt.labels, reduction="none")
    return (each * learnt.counts).sum() / learnt.counts.sum()

"""Training of a network of one hidden layer for two classes, written out.

It does what PyTorch's AdamW does on the same first weights in the same order, to the rounding, and
some ten times faster: a step of so few weights is nothing but calls.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

Singles = NDArray[np.float32]

BATCH: Final = 64
DECAY: Final = 1e-3
MEAN, SQUARE, LEAST = 0.9, 0.999, 1e-8
"""Of Adam: how much of the moments a step keeps; what is added to the root of the second."""


@dataclass(frozen=True, slots=True)
class _Weights:
    """All in one row of numbers, and as the layers' weights and biases."""

    all: Singles
    parts: tuple[Singles, ...]

    @classmethod
    def like(cls, parameters: list[Any], values: Singles) -> "_Weights":
        ends = np.cumsum([each.numel() for each in parameters])[:-1]
        split = zip(np.split(values, ends), parameters, strict=True)
        return cls(values, tuple(part.reshape(each.shape) for part, each in split))


def fit(
    body: Any, x: Singles, labels: NDArray[np.int64], epochs: int, rate: float, seed: int
) -> int:
    """Train in place; returns the steps.

    Args:
        body: Linear, ReLU, Linear with two outputs.
        x: standardised rows.
        labels: 0 or 1.
        epochs: passes over all rows, each in another order.
        rate: AdamW's.
        seed: of the orders.
    """
    parameters = list(body.parameters())
    values = np.concatenate([each.detach().numpy().ravel() for each in parameters])
    weights = _Weights.like(parameters, values)
    gradient = _Weights.like(parameters, np.empty_like(values))
    adam = _Adam(values, rate)
    order = torch.Generator().manual_seed(seed)
    ones = labels.astype(np.float32)
    for _ in range(epochs):
        chosen = torch.randperm(len(labels), generator=order).numpy()
        rows, truth = x[chosen], ones[chosen]
        for at in range(0, len(labels), BATCH):
            _backward(weights, gradient, rows[at : at + BATCH], truth[at : at + BATCH])
            adam.step(values, gradient.all)
    with torch.no_grad():
        for each, value in zip(parameters, weights.parts, strict=True):
            each.copy_(torch.from_numpy(value))
    return adam.steps


def _backward(weights: _Weights, gradient: _Weights, x: Singles, truth: Singles) -> None:
    """The gradient of the mean cross-entropy."""
    first, first_bias, last, last_bias = weights.parts
    of_first, of_first_bias, of_last, of_last_bias = gradient.parts
    hidden = np.maximum(x @ first.T + first_bias, 0.0)
    out = hidden @ last.T + last_bias
    away = (1.0 / (1.0 + np.exp(out[:, 0] - out[:, 1])) - truth) / np.float32(len(x))
    of_out = np.stack([-away, away], axis=1)
    np.matmul(of_out.T, hidden, out=of_last)
    of_out.sum(axis=0, out=of_last_bias)
    of_hidden = (of_out @ last) * (hidden > 0)
    np.matmul(of_hidden.T, x, out=of_first)
    of_hidden.sum(axis=0, out=of_first_bias)


class _Adam:
    """AdamW (Loshchilov and Hutter 2019)."""

    def __init__(self, like: Singles, rate: float) -> None:
        self.steps = 0
        self._rate = rate
        self._mean, self._square = np.zeros_like(like), np.zeros_like(like)

    def step(self, values: Singles, gradient: Singles) -> None:
        """Change the values in place."""
        self.steps += 1
        single = np.float32
        values *= single(1.0 - self._rate * DECAY)
        self._mean *= single(MEAN)
        self._mean += single(1.0 - MEAN) * gradient
        self._square *= single(SQUARE)
        self._square += single(1.0 - SQUARE) * gradient * gradient
        root = np.sqrt(self._square) / single((1.0 - SQUARE**self.steps) ** 0.5) + single(LEAST)
        values -= single(self._rate / (1.0 - MEAN**self.steps)) * self._mean / root

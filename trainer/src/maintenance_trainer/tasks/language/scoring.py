"""What a causal language model makes of answers that are given: their loss, and where it errs."""

import inspect
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from maintenance_trainer.tasks.language.encoding import IGNORED, Collator, Encoded

MOST_ROWS: Final = 64
"""Of a batch."""
MOST_NUMBERS: Final = 2**27
"""Logits and hidden states that a batch may make: half a gigabyte. One long row may make more."""
_TOKENS: Final = 256
"""Of an answer that are looked at together: a copy of their logits is made."""


_KEEP: Final = "logits_to_keep"
"""How the library's models are told of how many of the last places logits are wanted."""


@dataclass(frozen=True, slots=True)
class Scored:
    """What a model makes of n rows.

    ``bits`` (n,) of the answers; ``misses`` (n,): 1 where a token is not the likeliest;
    ``embeddings`` (n, d): the mean of the last hidden state over the question.
    """

    bits: NDArray[np.float64]
    misses: NDArray[np.float64]
    embeddings: NDArray[np.float32]


def score(model: Any, pad: int, rows: Sequence[Encoded], step: Callable[[int], None]) -> Scored:
    """Score answers token by token, each after the right ones before it; in 32 bits.

    Args:
        model: on its device, in evaluation mode.
        pad: a token to fill batches with.
        rows: n of them, at least one.
        step: told how many are done.
    """
    device, collate = next(model.parameters()).device, Collator(pad)
    spares = _KEEP in inspect.signature(model.forward).parameters
    bits, misses = np.zeros(len(rows)), np.zeros(len(rows))
    embeddings: NDArray[np.float32] | None = None
    done = 0
    with torch.inference_mode():
        for numbers in _batches(rows, _numbers_of_a_token(model)):
            chosen = [rows[number] for number in numbers]
            batch = collate([{**row.fields, "labels": row.labels} for row in chosen])
            taken: dict[str, Any] = {name: tensor.to(device) for name, tensor in batch.items()}
            wanted = taken.pop("labels")
            if spares:  # a long question before a short answer needs no logits of its own
                taken[_KEEP] = wanted.shape[1] - min(row.start for row in chosen) + 1
            output = model(**taken, output_hidden_states=True, use_cache=False)
            found = _scored(output.logits, wanted)
            hidden = _asked(output.hidden_states[-1], chosen)
            if embeddings is None:
                embeddings = np.zeros((len(rows), hidden.shape[1]), np.float32)
            bits[numbers], misses[numbers] = found
            embeddings[numbers] = hidden
            done += len(numbers)
            step(done)
    assert embeddings is not None  # noqa: S101  # there are rows
    return Scored(bits, misses, embeddings)


def _scored(logits: torch.Tensor, wanted: torch.Tensor) -> tuple[Any, Any]:
    """Bits, and whether a token is missed, of each row; some tokens at a time to spare memory.

    Args:
        logits: (n, k, v) of the last k places.
        wanted: (n, m) tokens that are to be told, each by the place before its own.
    """
    bits, misses = [], []
    absent = wanted.shape[1] - logits.shape[1]
    for row, labels in zip(logits, wanted, strict=True):
        nats, missed = 0.0, False
        places = torch.nonzero(labels != IGNORED)[:, 0]
        for start in range(0, len(places), _TOKENS):
            at = places[start : start + _TOKENS]
            told, right = row[at - 1 - absent].float(), labels[at]
            nats += float(torch.nn.functional.cross_entropy(told, right, reduction="sum"))
            missed = missed or bool((told.argmax(-1) != right).any())
        bits.append(nats / math.log(2))
        misses.append(float(missed))
    return bits, misses


def _numbers_of_a_token(model: Any) -> int:
    """Its logits, and its states in all layers."""
    config = model.config.get_text_config()
    layers, width = (getattr(config, name, None) for name in ("num_hidden_layers", "hidden_size"))
    states = (layers + 1) * width if isinstance(layers, int) and isinstance(width, int) else 0
    return int(config.vocab_size) + states


def _asked(hidden: torch.Tensor, rows: Sequence[Encoded]) -> NDArray[np.float32]:
    means = [states[: row.start].float().mean(0) for states, row in zip(hidden, rows, strict=True)]
    return np.asarray(torch.stack(means).cpu().numpy(), np.float32)


def _batches(rows: Sequence[Encoded], of_a_token: int) -> list[list[int]]:
    """Rows of about one length together, as many as make no more numbers than fit."""
    order = sorted(range(len(rows)), key=lambda number: len(rows[number].ids))
    room = max(1, MOST_NUMBERS // max(1, of_a_token))
    batches: list[list[int]] = []
    for number in order:
        length = len(rows[number].ids)  # the longest so far
        last = batches[-1] if batches else []
        if last and len(last) < MOST_ROWS and (len(last) + 1) * length <= room:
            last.append(number)
        else:
            batches.append([number])
    return batches

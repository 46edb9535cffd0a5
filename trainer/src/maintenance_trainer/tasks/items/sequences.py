"""Rows as a decoder reads them: tokens of what a user has chosen, in order."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from maintenance_trainer.tasks.items.names import ITEMS
from maintenance_trainer.tasks.items.rows import ItemRow
from maintenance_trainer.tasks.items.stored import BEGINNING, FIRST, PADDING, UNKNOWN, Catalogue

Tokens = NDArray[np.int64]

IGNORED: Final = -100
"""A position that is not learnt from, as the library has it."""
FORGOTTEN: Final = 0.05
"""Share of a history's items that are read as unknown in a training: so that a model knows what to
make of an item that it does not know, and does not rest on one item alone."""


def tokens_of(catalogue: Catalogue) -> Tokens:
    """By the number of an item (``ITEMS``) its token."""
    found = np.full(len(ITEMS), UNKNOWN, np.int64)
    for place, item in enumerate(catalogue.items):
        number = ITEMS.known(item)
        if number is not None:
            found[number] = FIRST + place
    return found


def history(row: ItemRow, tokens: Tokens, context: int) -> Tokens:
    """What a model is asked with: the newest of a row's history, as much as it can read."""
    return np.concatenate([[BEGINNING], tokens[row.history]])[-context:]


def windows(row: ItemRow, tokens: Tokens, context: int) -> Iterator[tuple[Tokens, Tokens]]:
    """What is learnt of a row: inputs and answers (n,), the newest first.

    A history longer than the context is cut into windows that overlap by half, so that each answer
    has half a context before it.
    """
    whole = np.concatenate([[BEGINNING], tokens[row.items]])
    answers = np.full(len(whole), IGNORED, np.int64)
    answers[row.answers + 1] = whole[row.answers + 1]
    answers[answers == UNKNOWN] = IGNORED
    end = len(whole)
    while end > 1:
        start = max(0, end - context)
        first = start + context // 2 if start else 1
        learnt = answers[start:end].copy()
        learnt[: first - start] = IGNORED
        if (learnt != IGNORED).any():
            yield whole[start:end], learnt
        end = first if start else 0


@dataclass(frozen=True, slots=True)
class Collator:
    """Makes one batch of sequences: filled up at the end; some items are forgotten."""

    forgotten: float = FORGOTTEN

    def __call__(self, several: Sequence[dict[str, Any]]) -> dict[str, torch.Tensor]:
        """Tensors (rows, longest) of the fields."""
        inputs = padded([one["input_ids"] for one in several], PADDING)
        mask = inputs != PADDING
        if self.forgotten:
            out = (torch.rand(inputs.shape) < self.forgotten) & (inputs >= FIRST)
            inputs = torch.where(out, UNKNOWN, inputs)
        labels = padded([one["labels"] for one in several], IGNORED)
        return {"input_ids": inputs, "attention_mask": mask.long(), "labels": labels}


def padded(sequences: Sequence[Tokens], fill: int) -> torch.Tensor:
    """(rows, longest)."""
    found = np.full((len(sequences), max(map(len, sequences))), fill, np.int64)
    for row, sequence in zip(found, sequences, strict=True):
        row[: len(sequence)] = sequence
    return torch.from_numpy(found)

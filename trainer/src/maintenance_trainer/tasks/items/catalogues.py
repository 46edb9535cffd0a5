"""Which items a model knows, and how it comes to know more."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from maintenance_trainer.tasks.items.names import ITEMS
from maintenance_trainer.tasks.items.rows import ItemRow
from maintenance_trainer.tasks.items.stored import FIRST, Catalogue

MOST: Final = 100_000
"""Items of a model; of more the most chosen ones, as rare ones can hardly be learnt, and each score
of a user is as long as the list."""
_NOISE: Final = 0.5
"""A new item begins near the middle of those known, so many of their deviations away from it."""


def chosen(rows: Sequence[ItemRow]) -> NDArray[np.int64]:
    """How often each item was chosen, by its number; a row that is there twice counts once."""
    once = {id(row): row for row in rows}
    numbers = [row.own for row in once.values()]
    return np.bincount(np.concatenate(numbers) if numbers else [], minlength=len(ITEMS))


def of(rows: Sequence[ItemRow]) -> Catalogue:
    """The items of rows, the most chosen first."""
    counts = chosen(rows)
    numbers = _most(counts, MOST)
    return Catalogue([ITEMS.text(n) for n in numbers], [int(counts[n]) for n in numbers])


def grown(catalogue: Catalogue, rows: Sequence[ItemRow]) -> Catalogue:
    """The same with the items of more rows: those that are known keep their tokens."""
    counts = chosen(rows)
    known = [ITEMS.known(item) for item in catalogue.items]
    before = [
        count + (0 if number is None else int(counts[number]))
        for number, count in zip(known, catalogue.counts, strict=True)
    ]
    counts[[number for number in known if number is not None]] = 0
    news = _most(counts, MOST - len(catalogue))
    return Catalogue(
        [*catalogue.items, *(ITEMS.text(n) for n in news)],
        [*before, *(int(counts[n]) for n in news)],
    )


def grow(network: Any, tokens: int) -> None:
    """Give a decoder so many tokens; those that it has stay as they are."""
    before = network.config.vocab_size
    network.resize_token_embeddings(tokens, mean_resizing=False)
    sides = {id(side.weight): side.weight for side in _sides(network)}
    with torch.no_grad():
        for weight in sides.values():
            known = weight[FIRST:before]
            noise = torch.randn(tokens - before, weight.shape[1], device=weight.device)
            weight[before:] = known.mean(dim=0) + _NOISE * noise * known.std(dim=0, correction=0)


@contextmanager
def only_new(network: Any, known: int) -> Iterator[None]:
    """Let a training change the tokens from ``known`` on, and nothing else."""
    learnt = {id(side.weight): side.weight for side in _sides(network)}
    still = [each for each in network.parameters() if id(each) not in learnt and each.requires_grad]
    hooks = [weight.register_hook(_keeping(known)) for weight in learnt.values()]
    for each in still:
        each.requires_grad = False
    try:
        yield
    finally:
        for each in still:
            each.requires_grad = True
        for hook in hooks:
            hook.remove()


def _keeping(known: int) -> Callable[[torch.Tensor], torch.Tensor]:
    def kept(gradient: torch.Tensor) -> torch.Tensor:
        found = gradient.clone()
        found[:known] = 0.0
        return found

    return kept


def _sides(network: Any) -> list[Any]:
    """What reads items and what ranks them; often they are one."""
    return [network.get_input_embeddings(), network.get_output_embeddings()]


def _most(counts: NDArray[np.int64], most: int) -> list[int]:
    """The numbers of the most chosen items; ties by name, so that files' order does not matter."""
    there = np.flatnonzero(counts).tolist()
    ordered = sorted(there, key=lambda number: (-counts[number], ITEMS.text(number)))
    return ordered[: max(0, most)]

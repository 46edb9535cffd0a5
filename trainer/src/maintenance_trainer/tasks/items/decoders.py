"""What a decoder that was made elsewhere must be so that it can rank; told before it is used."""

from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from maintenance_trainer.model_field import Given
from maintenance_trainer.tasks.items.stored import BEGINNING, FIRST, UNKNOWN

Ranks = Callable[[Sequence[NDArray[np.int64]]], tuple[NDArray[np.float32], NDArray[np.float32]]]
"""The last hidden states of histories, and the scores of all tokens."""

LEAST_CONTEXT: Final = 8
"""Tokens that a decoder must read."""
_FULL: Final = 1024
"""Tokens of a history that is tried as long as the decoder says it reads; more would take long."""
_NOISE: Final = 1e-4
"""Part of what another last token changes at its own place that rounding may change before it."""
_ALIKE: Final = 0.01
"""Of the range of scores, by which rounding may change their order."""


def check(network: Any, ranks: Ranks, given: Given) -> None:
    """Refuse what could not be trained or would be scored as something else than it is.

    Raises:
        ConfigurationError: of ``given``.
        Exception: whatever the library raises.
    """
    context = getattr(network.config, "max_position_embeddings", None)
    if not isinstance(context, int) or context < LEAST_CONTEXT:
        problem = (
            f"its config.json has max_position_embeddings {context}, and a decoder that says there "
            f"how many tokens it reads, {LEAST_CONTEXT} or more, is expected (as GPT-2, Llama and "
            "Qwen do)."
        )
        raise given.unreadable(problem)
    items = network.config.vocab_size - FIRST
    asked = np.array([BEGINNING, *(FIRST + place % items for place in range(LEAST_CONTEXT - 1))])
    states, scores = ranks([asked])
    _refuse_looking_ahead(network, asked, given)
    if states.shape[1] != network.config.hidden_size or not _orders(network, asked, scores[0]):
        problem = (
            "its scores are not its output embeddings times its last hidden state, as those of a "
            "decoder are: name a causal decoder (as GPT-2, Llama and Qwen are)."
        )
        raise given.unreadable(problem)
    if context <= _FULL:
        ranks([np.resize(asked, context)])


def _refuse_looking_ahead(network: Any, asked: NDArray[np.int64], given: Given) -> None:
    """Refuse an encoder with a decoder's name: it would be trained with the answers in sight."""
    other = asked.copy()
    other[-1] = UNKNOWN
    one, two = _logits(network, np.stack([asked, other]))
    apart = np.abs(one - two).max(axis=1)
    if apart[:-1].max() > _NOISE * apart[-1]:
        problem = (
            "it looks ahead: what it says after an item depends on the items behind it, as with an "
            "encoder; name a causal decoder (as GPT-2, Llama and Qwen are)."
        )
        raise given.unreadable(problem)


def _orders(network: Any, asked: NDArray[np.int64], scores: NDArray[np.float32]) -> bool:
    """Whether scores put items in the order in which the model's own answer puts them."""
    own, scores = _logits(network, asked[None])[0, -1, FIRST:], scores[FIRST:]
    steps = np.diff(scores[np.argsort(own, kind="stable")])
    return bool(steps.min(initial=0.0) >= -_ALIKE * np.ptp(scores))


def _logits(network: Any, asked: NDArray[np.int64]) -> NDArray[np.float32]:
    """(histories, length, tokens) as the library gives them."""
    device = next(network.parameters()).device
    with torch.inference_mode():
        logits = network.eval()(input_ids=torch.from_numpy(asked).to(device)).logits
    found: NDArray[np.float32] = logits.float().cpu().numpy()
    return found

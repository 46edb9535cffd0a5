"""How texts become a model's inputs, and which of its outputs stand for them; any architecture.

All that differs between architectures is here: where positions end, what pads, what an empty text
is, which fields a model takes, which hidden state it gives.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import torch
from transformers import AutoTokenizer, DataCollatorWithPadding

from maintenance_trainer.model_field import Given
from maintenance_trainer.tasks.huggingface.loading import LOCAL

MOST_TOKENS: Final = 512
_POSITIONS: Final = ("max_position_embeddings", "max_seq_len", "max_source_positions")
_SHORTEN: Final = ("downsampling_rate", "block_sizes")
_SHORTEST: Final = 8
_UNNAMED_PAD: Final = "[PAD]"
SENTENCE_PIECE: Final = ("*.model", "*.spm", "*.tiktoken")


def tokenizer(folder: Path) -> Any:
    """The folder's own. The library makes an empty one up where its files are missing."""
    pieces = sorted(p.name for pattern in SENTENCE_PIECE for p in folder.glob(pattern))
    alone = bool(pieces) and not (folder / "tokenizer.json").is_file()
    try:
        found = AutoTokenizer.from_pretrained(folder, **LOCAL)
    except Exception:
        if alone:
            raise OSError(_unconverted(pieces)) from None
        raise
    files = ("tokenizer.json", *type(found).vocab_files_names.values())
    if not any((folder / name).is_file() for name in files):
        if alone:
            raise OSError(_unconverted(pieces))
        msg = f"there is no tokenizer; one of {', '.join(dict.fromkeys(files))} is expected"
        raise OSError(msg)
    return found


def _unconverted(pieces: Sequence[str]) -> str:
    return (
        f"its tokenizer is {', '.join(pieces)} alone, which has to be converted first: where "
        "transformers, sentencepiece, protobuf and tiktoken are installed, call "
        "AutoTokenizer.from_pretrained(folder).save_pretrained(folder) once, and copy the "
        "tokenizer.json that it writes beside the model"
    )


def make_paddable(model: Any, tokenizer: Any) -> None:
    """See to it that both know one padding token: models of generated text come without.

    Where the tokenizer has none, the end of a text pads, or a token that is added for it. The model
    looks for the last token that is no padding, so it has to know it too.
    """
    if tokenizer.pad_token_id is None:
        if tokenizer.eos_token_id is not None:
            tokenizer.pad_token = tokenizer.eos_token
        else:
            tokenizer.add_special_tokens({"pad_token": _UNNAMED_PAD})
    pad = tokenizer.pad_token_id
    rows = _vocabulary(model)
    if rows is not None and pad == rows:  # just added; resizing draws random numbers for it
        model.resize_token_embeddings(rows + 1, mean_resizing=False)
    config = model.config.get_text_config()
    # Before a text, padding moves the places that some models count, and what a row gets would
    # depend on the rows beside it. XLNet counts none, and reads a text by its last token.
    last = getattr(config, "summary_type", None) == "last"
    tokenizer.padding_side = "left" if last else "right"
    if getattr(config, "pad_token_id", None) != pad and _counted_from(model) is None:
        config.pad_token_id = pad
        model.config.pad_token_id = pad


def unknown_tokens(model: Any, tokenizer: Any) -> str:
    """Why tokenizer and model do not belong together; empty where they do."""
    rows = _vocabulary(model)
    if rows is None:
        return ""
    most = max(tokenizer.get_vocab().values(), default=0) + 1
    if most <= rows:
        return ""
    return (
        f"its tokenizer has {most} tokens and the model {rows}: "
        "they do not belong together; copy both from where the model was saved."
    )


def refuse_strangers(model: Any, tokenizer: Any, given: Given) -> None:
    """Refuse a tokenizer of another model.

    Raises:
        ConfigurationError: of ``given``.
    """
    if problem := unknown_tokens(model, tokenizer):
        raise given.unreadable(problem)


def room(model: Any, tokenizer: Any, most: int = MOST_TOKENS) -> int:
    """Tokens that fit, special ones included and at most so many; what is longer is cut."""
    config = model.config.get_text_config()
    limits = [getattr(config, name, None) for name in _POSITIONS]
    limits += [tokenizer.model_max_length, most, _table(model)]
    return int(min(n for n in limits if isinstance(n, int | float) and n > 0))


def encode(model: Any, tokenizer: Any, texts: Sequence[str]) -> list[dict[str, list[int]]]:
    """One set of fields a text, cut to what fits; unpadded."""
    if not texts:
        return []
    encoded = tokenizer(
        list(texts),
        truncation=True,
        max_length=room(model, tokenizer),
        return_attention_mask=True,
        **_literally(model),
    )
    names = list(encoded)
    rows = [{name: list(encoded[name][number]) for name in names} for number in range(len(texts))]
    for row in rows:
        if not row["input_ids"]:
            # An empty text without special tokens around it: no model reads nothing at all.
            row |= {name: [0] for name in names}
            row["input_ids"] = [_for_nothing(tokenizer)]
            row["attention_mask"] = [1]
    return rows


def collator(model: Any, tokenizer: Any) -> Any:
    """Pads a batch; to some tokens at least where an encoder shortens texts on its way."""
    config = model.config.get_text_config()
    shortens = any(getattr(config, name, None) for name in _SHORTEN)
    return DataCollatorWithPadding(tokenizer, pad_to_multiple_of=_SHORTEST if shortens else None)


def pooled(output: Any, mask: torch.Tensor) -> torch.Tensor:
    """The mean of the last hidden state over the text's tokens: (n, hidden size).

    Args:
        output: of a model that was asked for hidden states, of n texts.
        mask: (n, tokens), 1 where a token is no padding.
    """
    states = getattr(output, "hidden_states", None) or getattr(
        output, "encoder_hidden_states", None
    )
    if not states:
        message = "it gives no hidden states"
        raise ValueError(message)
    last = states[-1]
    if last.dim() != 3:  # noqa: PLR2004  # texts, tokens, width
        message = f"its hidden states have {last.dim()} dimensions and not 3"
        raise ValueError(message)
    weights = mask.to(last.dtype)
    if last.shape[1] != weights.shape[1]:  # an encoder that shortens the text on its way
        weights = torch.nn.functional.adaptive_max_pool1d(weights.unsqueeze(1), last.shape[1])
        weights = weights.squeeze(1)
    weights = weights.unsqueeze(-1)
    mean: torch.Tensor = (last * weights).sum(1) / weights.sum(1).clamp(min=1)
    return mean


def _literally(model: Any) -> dict[str, bool]:
    """An encoder with a decoder counts the ends of texts: one that is written in a text is none."""
    return (
        {"split_special_tokens": True} if getattr(model.config, "is_encoder_decoder", False) else {}
    )


def _for_nothing(tokenizer: Any) -> int:
    candidates = (
        tokenizer.eos_token_id,
        tokenizer.bos_token_id,
        tokenizer.unk_token_id,
        tokenizer.pad_token_id,
    )
    return next((token for token in candidates if token is not None), 0)


def _vocabulary(model: Any) -> int | None:
    """Rows of the table of token embeddings; None where a model has no such table."""
    try:
        table = model.get_input_embeddings()
    except (NotImplementedError, AttributeError):
        return None
    rows = getattr(table, "num_embeddings", None)
    return rows if isinstance(rows, int) else None


def _position_tables(model: Any) -> list[tuple[int, int | None]]:
    """Rows of each table of positions, and its padding token's number; whatever kind it is of."""
    return [
        (module.weight.shape[0], getattr(module, "padding_idx", None))
        for name, module in model.named_modules()
        if name.rpartition(".")[2] in {"position_embeddings", "wpe", "embed_positions"}
        and isinstance(getattr(module, "weight", None), torch.Tensor)
        and module.weight.dim() == 2  # noqa: PLR2004  # positions, width
    ]


def _counted_from(model: Any) -> int | None:
    """The padding token's number where positions are counted from it, as RoBERTa does."""
    numbers = (number for _, number in _position_tables(model))
    return next((number for number in numbers if number is not None), None)


def _table(model: Any) -> int | None:
    """Positions in the model's tables; those counted from the padding token begin after it."""
    return min(
        (rows - (0 if number is None else number + 1) for rows, number in _position_tables(model)),
        default=None,
    )

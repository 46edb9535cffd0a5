"""How questions and answers become tokens, as a server would see them.

The question is what the chat template makes of the messages before the answer; it is turned into
tokens alone, as a server does before the model goes on. The answer is what the template adds for
it, up to the token that ends it. What is too long loses its beginning, never its answer.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import torch

from maintenance_trainer.errors import DataError
from maintenance_trainer.tasks import tokens
from maintenance_trainer.tasks.huggingface.loading import first_line
from maintenance_trainer.tasks.language.rows import AnswerRow, Role, Turn

MOST_TOKENS: Final = 4096
"""Of a row that is scored: more take minutes each on a CPU."""
IGNORED: Final = -100
"""What the library's losses pass over."""
_BLOCK: Final = 1024
"""Rows that are turned into tokens at once."""
_SHOWN: Final = 40


@dataclass(frozen=True, slots=True)
class Encoded:
    """The tokens of a row; the answer's begin at ``start``.

    ``cut``: the question has lost its beginning. ``whole``: the share of the answer that is there.
    """

    ids: list[int]
    start: int
    cut: bool = False
    whole: float = 1.0

    @property
    def fields(self) -> dict[str, list[int]]:
        """What a model takes of it, unpadded."""
        return {"input_ids": self.ids, "attention_mask": [1] * len(self.ids)}

    @property
    def labels(self) -> list[int]:
        """What is to be learnt: the answer alone."""
        return [IGNORED] * self.start + self.ids[self.start :]


def context(model: Any, tokenizer: Any) -> int:
    """Tokens of a question with its answer that fit, as far as rows are scored."""
    return tokens.room(model, tokenizer, MOST_TOKENS)


def ends(model: Any, tokenizer: Any) -> frozenset[int]:
    """The tokens at which a server stops: the tokenizer's end of text, and what the model names."""
    named = getattr(getattr(model, "generation_config", None), "eos_token_id", None)
    every = named if isinstance(named, list | tuple) else [named]
    return frozenset(each for each in (*every, tokenizer.eos_token_id) if isinstance(each, int))


def encode(
    tokenizer: Any, rows: Sequence[AnswerRow], most: int, stops: frozenset[int] = frozenset()
) -> list[Encoded]:
    """The tokens of n rows, each at most so many.

    Args:
        tokenizer: the model's.
        rows: n of them.
        most: tokens of a row.
        stops: tokens at which a server stops, beside the tokenizer's end of text.

    Raises:
        DataError: DataUnreadable, the chat template takes no such conversation; with its place.
    """
    return list(encodings(tokenizer, rows, most, stops))


def encodings(
    tokenizer: Any, rows: Sequence[AnswerRow], most: int, stops: frozenset[int] = frozenset()
) -> Iterator[Encoded]:
    """The same, some rows at a time: the tokens of all of them may be more than memory holds."""
    if tokenizer.eos_token_id is not None:
        stops |= {tokenizer.eos_token_id}
    for start in range(0, len(rows), _BLOCK):
        block = rows[start : start + _BLOCK]
        texts = [_texts(tokenizer, row) for row in block]
        asked = _ids(tokenizer, [question for question, _ in texts])
        answered = _answers(tokenizer, texts, asked)
        for row, question, answer in zip(block, asked, answered, strict=True):
            begun = _begun(tokenizer, row, question)
            yield _fitted(begun, _ended(tokenizer, answer, stops), tokenizer, most)


def without_template(tokenizer: Any) -> bool:
    """Whether a tokenizer cannot read messages."""
    return not getattr(tokenizer, "chat_template", None)


def problem_of(tokenizer: Any, rows: Sequence[AnswerRow]) -> DataError | None:
    """The first conversation that the template does not take: some depend on what is said."""
    for row in rows:
        try:
            _texts(tokenizer, row)
        except DataError as error:
            return error
    return None


def _texts(tokenizer: Any, row: AnswerRow) -> tuple[str, str]:
    """The question and the answer as they are turned into tokens."""
    if not row.asked:
        return row.prompt, row.label
    whole = _rendered(tokenizer, (*row.asked, Turn(Role.ASSISTANT, row.label)), row, ask=False)
    question = _rendered(tokenizer, row.asked, row, ask=True)
    if question and whole.startswith(question) and len(whole) > len(question):
        answer = whole[len(question) :]
        if not _holds(answer, row.label):
            raise _cut(row, answer)
        return question, answer
    message = (
        f"{row.place}: the model's chat template does not go on from the question to the answer: "
        f"what a server hands to the model ends in {question[-_SHOWN:]!r}, and an answered "
        "conversation does not begin so (does it ask for thoughts first?). Take a base model whose "
        "template does, put another chat_template.jinja beside its tokenizer, or write prompt and "
        "completion as texts."
    )
    raise DataError("DataUnreadable", message)


def _holds(answer: str, label: str) -> bool:
    """Whether a template has written all of an answer, whatever blanks it has stripped."""
    return label.strip() in answer or "".join(label.split()) in "".join(answer.split())


def _cut(row: AnswerRow, answer: str) -> DataError:
    message = (
        f"{row.place}: the model's chat template writes another answer than the row has (of "
        f"{row.label[:_SHOWN]!r} it makes {answer[:_SHOWN]!r}; does it leave out thoughts?), so "
        "that what is learnt would not be what is scored. Deliver answers as the template writes "
        "them, put another chat_template.jinja beside the tokenizer, or write prompt and "
        "completion as texts."
    )
    return DataError("DataUnreadable", message)


def _rendered(tokenizer: Any, turns: Sequence[Turn], row: AnswerRow, *, ask: bool) -> str:
    messages = [{"role": turn.role.value, "content": turn.content} for turn in turns]
    try:
        return str(
            tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=ask)
        )
    except Exception as error:  # noqa: BLE001  # templates are programs, and raise what they like
        roles = ", ".join(turn.role.value for turn in turns)
        message = (
            f"{row.place}: the model's chat template takes no conversation of {roles} "
            f"({first_line(error)}); write it otherwise, leave the row out, or take a base model "
            "whose template takes it."
        )
        raise DataError("DataUnreadable", message) from None


def _answers(
    tokenizer: Any, texts: Sequence[tuple[str, str]], asked: Sequence[list[int]]
) -> list[list[int]]:
    """The tokens of n answers behind the questions that a server would hand over.

    Both together are turned into tokens, as many tokenizers write the beginning of a text
    otherwise; where an answer's first letters would join the question's last, each alone.
    """
    together = _ids(tokenizer, [question + answer for question, answer in texts])
    alone = _ids(tokenizer, [answer for _, answer in texts])
    return [
        both[len(question) :] if both[: len(question)] == question else answer
        for both, question, answer in zip(together, asked, alone, strict=True)
    ]


def _ids(tokenizer: Any, texts: Sequence[str]) -> list[list[int]]:
    found: list[list[int]] = tokenizer(
        list(texts), add_special_tokens=False, return_attention_mask=False, verbose=False
    )["input_ids"]
    return found


def _begun(tokenizer: Any, row: AnswerRow, question: list[int]) -> list[int]:
    """With what begins a text; a template has written it where it is wanted."""
    begin, end = tokenizer.bos_token_id, tokenizer.eos_token_id
    if not row.asked and _begins(tokenizer):
        return [begin, *question]
    if not question:  # nothing is left of it: no model goes on from nothing at all
        return [begin if begin is not None else end if end is not None else 0]
    return question


def _ended(tokenizer: Any, answer: list[int], stops: frozenset[int]) -> list[int]:
    """Up to the token that ends it; where there is none, a model would never learn to stop.

    Behind it a template writes a line end, say. A token within the text of an answer ends nothing.
    """
    last = next((at for at in range(len(answer), 0, -1) if answer[at - 1] in stops), 0)
    behind = answer[last:]
    if last and not (behind and tokenizer.decode(behind, skip_special_tokens=True).strip()):
        return answer[:last]
    end = tokenizer.eos_token_id
    return [*answer, end] if end is not None else answer or [0]


def _begins(tokenizer: Any) -> bool:
    """Whether the tokenizer itself puts a token before a text."""
    begin = tokenizer.bos_token_id
    return begin is not None and tokenizer("a")["input_ids"][:1] == [begin]


def _fitted(question: list[int], answer: list[int], tokenizer: Any, most: int) -> Encoded:
    room = most - len(answer)
    if len(question) <= room:
        return Encoded([*question, *answer], len(question))
    if room < 1:
        kept = answer[: most - 1]
        return Encoded([question[-1], *kept], 1, cut=True, whole=len(kept) / len(answer))
    first = question[:1] if question[0] == tokenizer.bos_token_id and room > 1 else []
    question = [*first, *question[len(question) - room + len(first) :]]
    return Encoded([*question, *answer], len(question), cut=True)


class Collator:
    """Pads rows of several lengths to one batch, behind their ends."""

    def __init__(self, pad: int) -> None:
        self._pad = pad

    def __call__(self, rows: Sequence[dict[str, Any]]) -> dict[str, torch.Tensor]:
        """A batch of (n, longest) tensors."""
        most = max(len(row["input_ids"]) for row in rows)
        fill = {"input_ids": self._pad, "attention_mask": 0, "labels": IGNORED}
        return {
            name: torch.tensor(
                [list(row[name]) + [fill[name]] * (most - len(row[name])) for row in rows]
            )
            for name in fill
            if name in rows[0]
        }


def pad_of(tokenizer: Any) -> int:
    """A token that fills batches; nothing looks at it."""
    candidates = (tokenizer.pad_token_id, tokenizer.eos_token_id, tokenizer.bos_token_id, 0)
    return next(int(token) for token in candidates if token is not None)

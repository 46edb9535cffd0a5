"""Rows of language models: what is asked, and the answer that is to be learnt."""

import hashlib
import json
import sys
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple

from typing_extensions import override  # typing has it from Python 3.12 on

from maintenance_trainer.data.folders import Origin
from maintenance_trainer.data.rows import Row

_TURN_BYTES: Final = 160
"""What a message takes in memory beside its text."""


class Role(StrEnum):
    """Who speaks."""

    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"


class Turn(NamedTuple):
    """A message of a conversation."""

    role: Role
    content: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerRow(Row):
    """A question with its answer, which is the ``label``.

    ``asked``: the messages before the answer; empty where the row is a plain ``prompt``. ``place``:
    where it stands, for messages. ``group``: a hex digest; rows of one are held out together.
    """

    asked: tuple[Turn, ...] = ()
    prompt: str = ""
    place: str = ""
    group: str = ""

    @property
    @override
    def unit(self) -> str:
        return self.group or self.key

    @property
    @override
    def stratum(self) -> str:
        """There are no classes."""
        return ""

    @property
    @override
    def numeric(self) -> bool:
        """An answer is a text, though it may be written in digits."""
        return False

    @property
    @override
    def gist(self) -> str:
        """Another good answer to a question says something else."""
        return f"{self.key} {self.label}"

    @property
    @override
    def size(self) -> int:
        texts = (self.label, self.prompt, self.place, *(turn.content for turn in self.asked))
        return sum(map(sys.getsizeof, texts)) + _TURN_BYTES * len(self.asked)

    @property
    def text(self) -> str:
        """All that is asked, without who says it."""
        return self.prompt or "\n".join(turn.content for turn in self.asked)


def conversation(asked: Sequence[Turn], answer: str, origin: Origin, *, new: bool) -> AnswerRow:
    """A row of messages."""
    turns = tuple(asked)
    return AnswerRow(label=answer, key=key_of(turns), origin=origin, new=new, asked=turns)


def key_of(asked: Sequence[Turn] | str) -> str:
    """The hash of what is asked; case, blanks and the Unicode form make no other question."""
    turns = [("", asked)] if isinstance(asked, str) else asked
    text = json.dumps([[str(role), _normalised(content)] for role, content in turns])
    return hashlib.sha256(text.encode()).hexdigest()


def _normalised(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())

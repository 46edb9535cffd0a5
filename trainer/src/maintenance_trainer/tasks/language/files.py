"""Questions and answers in CSV, JSON lines and Parquet files, as language models are trained on.

A row is a list of ``messages`` of which the last is the answer, or a ``prompt`` with its
``completion``. What cannot be learnt from is refused with file, row and message.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from maintenance_contract.kinds import COMPLETION, MESSAGES, PROMPT, ROLES, Task
from maintenance_contract.plain import printable
from maintenance_trainer.data import dates, labels, reading
from maintenance_trainer.data.cells import Record, kind_of
from maintenance_trainer.data.folders import Named
from maintenance_trainer.data.repeated_header import RepeatedHeader
from maintenance_trainer.data.sources import Found, SourceFile
from maintenance_trainer.errors import DataError
from maintenance_trainer.model_field import Given
from maintenance_trainer.tasks.huggingface import folder as huggingface
from maintenance_trainer.tasks.language import adapter_folder
from maintenance_trainer.tasks.language.rows import AnswerRow, Role, Turn, key_of

_HALF: Final = re.compile("[\ud800-\udfff]")
_SHOWN: Final = 40
_READ: Final = frozenset({"role", "content"})
_CALLS: Final = frozenset({"tool_calls", "function_call", "tool_call_id"})
_ALIKE: Final = {
    "human": Role.USER,
    "gpt": Role.ASSISTANT,
    "bot": Role.ASSISTANT,
    "model": Role.ASSISTANT,
    "ai": Role.ASSISTANT,
    "developer": Role.SYSTEM,
}
"""What other formats call a role."""


class Conversations:
    """Files of questions and answers."""

    roles = ROLES[Task.CAUSAL_LM]
    suffixes = reading.SUFFIXES

    def check_model(self, uri: str, model: Path, given: Given) -> None:
        """A folder in Hugging Face's format; an adapter may stand where its base model does."""
        if adapter_folder.is_adapter(model):
            adapter_folder.check_folder(uri, model, given)
        else:
            huggingface.check_model(uri, model, given)

    def digest(self, path: Path, file: Named) -> str:
        """``sha256:…`` of its bytes."""
        return reading.sha256(path, file.where)

    def read(self, source: SourceFile) -> "ConversationReader":
        """The rows of a file."""
        return ConversationReader(source)


SOURCE: Final = Conversations()


class ConversationReader:
    """Reads one file."""

    may_be_empty = False

    def __init__(self, source: SourceFile) -> None:
        self._source = source
        self._records = reading.Records.of(source)

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the file's columns, complete once all is read."""
        return self._records.columns

    def __iter__(self) -> Iterator[Found[AnswerRow]]:
        """Read.

        Raises:
            DataError: with file, line and column.
        """
        its, columns = self._source, self._source.columns
        probe = columns.names.get(COMPLETION.name) or columns[MESSAGES.name]
        header = RepeatedHeader(columns, probe, its.remarks, known=its.known)
        for place, record in self._records:
            where = f"{its.file.where}, {place}"
            if header.is_one(record, where):
                continue
            asked, prompt, answer = self._said(record, where)
            time = (
                dates.of(record[columns.time], where, columns.time).time if columns.time else None
            )
            row = AnswerRow(
                label=answer,
                key=key_of(asked or prompt),
                origin=its.file.origin,
                new=its.new,
                file=its.digest,
                asked=asked,
                prompt=prompt,
                place=where,
                group=_group(record, columns.names.get("group", ""), where),
            )
            yield Found(place, row, time)

    def _said(self, record: Record, where: str) -> tuple[tuple[Turn, ...], str, str]:
        """The messages or the prompt, and the answer."""
        names = self._source.columns.names
        if MESSAGES.name not in names:
            asked, answered = names[PROMPT.name], names[COMPLETION.name]
            prompt = self._text(record[asked], f"{where}, column {asked!r}")
            answer = self._text(record[answered], f"{where}, column {answered!r}", "LabelMissing")
            if answer.strip().casefold() in labels.NOTHING:
                what = (
                    f"column {answered!r} holds {answer.strip()!r}, which databases write for none"
                )
                self._source.remarks.note(f"{what}: it is learnt as an answer", where)
            return (), prompt, answer
        column = f"{where}, column {names[MESSAGES.name]!r}"
        turns = [
            self._turn(message, f"{column}, message {number}")
            for number, message in enumerate(_listed(record[names[MESSAGES.name]], column), start=1)
        ]
        _refuse_order(turns, column)
        return tuple(turns[:-1]), "", turns[-1].content

    def _turn(self, message: object, where: str) -> Turn:
        if not isinstance(message, Mapping):
            what = f"an object with role and content is expected, not {kind_of(message)}"
            raise _unreadable(where, what, 'write {"role": "user", "content": "…"}')
        there = {str(name) for name, value in message.items() if value not in (None, "", [], {})}
        if calls := sorted(there & _CALLS):
            what = f"it has {calls[0]}, and calls of tools are not learnt"
            raise _unreadable(where, what, "leave such conversations out")
        if unread := sorted(there - _READ):
            self._source.remarks.note(
                f"messages with {printable(', '.join(unread)[:_SHOWN])}, which is not read", where
            )
        role = _role(message.get("role"), where)
        return Turn(role, self._text(message.get("content"), f"{where}, content"))

    def _text(self, value: object, where: str, missing: str = "DataUnreadable") -> str:
        """A text with something to see in it; ``missing``: the reason where there is none."""
        if isinstance(value, list | Mapping):
            what = (
                f"a text is expected, not {kind_of(value)}: parts, pictures and sounds are not read"
            )
            raise _unreadable(where, what, "write the text itself as a string")
        if value is not None and not isinstance(value, str):
            what = f"a text is expected, not {kind_of(value)} ({str(value)[:_SHOWN]!r})"
            raise _unreadable(where, what, "write it as a string")
        if not value or not labels.visible(value):
            shown = "missing" if value is None else f"empty ({value[:20]!r})"
            message = f"{where}: the text is {shown}; fill it or leave the row out."
            raise DataError(missing, message)
        whole = _HALF.sub("\ufffd", value)
        if whole != value:
            what = "half a character in a text (a lone surrogate), read as U+FFFD"
            self._source.remarks.note(what, where)
        return whole


def _listed(value: object, where: str) -> list[object]:
    if isinstance(value, str):
        what = "a list of messages is expected, not a text"
        instead = (
            "write JSON lines or Parquet, where a list is a list (json.loads of the text), or "
            "name columns of prompt and completion"
        )
        raise _unreadable(where, what, instead)
    if not isinstance(value, list):
        found = "the value is missing" if value is None else f"not {kind_of(value)}"
        what = f"a list of messages is expected, {found}"
        raise _unreadable(where, what, 'write [{"role": "user", "content": "…"}, …]')
    return value


def _role(value: object, where: str) -> Role:
    known = ", ".join(Role)
    if not isinstance(value, str):
        what = (
            f"there is no role, but {kind_of(value)}" if value is not None else "there is no role"
        )
        raise _unreadable(where, what, f"write one of {known}")
    if value not in tuple(Role):
        meant = _ALIKE.get(value.strip().casefold()) or next(
            (role for role in Role if role == value.strip().casefold()), None
        )
        instead = f"write {meant}" if meant else f"write one of {known}, or leave the row out"
        raise _unreadable(where, f"the role {value[:_SHOWN]!r} is not known", instead)
    return Role(value)


def _refuse_order(turns: list[Turn], where: str) -> None:
    """Refuse a conversation without a question or an answer, or with a system that comes late."""
    systems = [number for number, turn in enumerate(turns, start=1) if turn.role is Role.SYSTEM]
    if len(systems) > 1:
        what = f"messages {systems[0]} and {systems[1]} are both of the system"
        raise _unreadable(where, what, "write one, as the first message")
    if systems and systems[0] != 1:
        what = f"message {systems[0]} is of the system"
        raise _unreadable(where, what, "write it as the first message")
    if not turns or turns[-1].role is not Role.ASSISTANT:
        said = f"the last message is of the {turns[-1].role}" if turns else "there is no message"
        message = (
            f"{where}: {said}, so there is no answer to learn; add the right answer as a message "
            "of the assistant, or leave the row out."
        )
        raise DataError("LabelMissing", message)
    if not any(turn.role is Role.USER for turn in turns):
        what = "no message is of the user, so nothing is asked"
        raise _unreadable(where, what, "add the question, or leave the row out")


def _group(record: Record, column: str, where: str) -> str:
    if not column:
        return ""
    value = record[column]
    text = labels.spelled(value)
    if not text:
        what = f"the group is missing or no text ({str(value)[:_SHOWN]!r})"
        raise _unreadable(f"{where}, column {column!r}", what, "name the row's group")
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _unreadable(where: str, what: str, instead: str) -> DataError:
    return DataError("DataUnreadable", f"{where}: {what}; {instead}.")

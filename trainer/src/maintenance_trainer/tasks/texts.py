"""Labelled texts: rows of CSV, JSON lines and Parquet files."""

import hashlib
import re
import sys
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from typing_extensions import override  # typing has it from Python 3.12 on

from maintenance_contract.kinds import ROLES, Task
from maintenance_trainer.data import reading
from maintenance_trainer.data.cells import Record, kind_of
from maintenance_trainer.data.folders import Named, Origin
from maintenance_trainer.data.records import RecordReader
from maintenance_trainer.data.rows import Row
from maintenance_trainer.data.sources import SourceFile
from maintenance_trainer.errors import DataError
from maintenance_trainer.model_field import Given
from maintenance_trainer.tasks.huggingface import folder

_NO_LETTERS: Final = re.compile(r"[\W\d_]+")

_ODD: Final = re.compile("[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\ud800-\udfff]")
"""Half a character, or one that no person writes (blanks of all kinds are none of these)."""
_HALF: Final = re.compile("[\ud800-\udfff]")
_SHOWN: Final = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class TextRow(Row):
    """A labelled text; its key is that of the normalised text."""

    text: str

    @property
    @override
    def gist(self) -> str:
        return _NO_LETTERS.sub("", self.text.casefold()) or self.text

    @property
    @override
    def size(self) -> int:
        return sys.getsizeof(self.text)


def normalise(text: str) -> str:
    """The text as it is compared: Unicode NFKC, case folded, blanks collapsed."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def make_row(text: str, label: str, origin: Origin, *, new: bool, file: str = "") -> TextRow:
    """A row with its key."""
    key = hashlib.sha256(normalise(text).encode("utf-8", "surrogatepass")).hexdigest()
    return TextRow(text=text, label=label, key=key, origin=origin, new=new, file=file)


class Texts:
    """Files of texts."""

    roles = ROLES[Task.TEXT_CLASSIFICATION]
    suffixes = reading.SUFFIXES

    def check_model(self, uri: str, model: Path, given: Given) -> None:
        """A folder in Hugging Face's format."""
        folder.check_classifier(uri, model, given)

    def digest(self, path: Path, file: Named) -> str:
        """``sha256:…`` of its bytes."""
        return reading.sha256(path, file.where)

    def read(self, source: SourceFile) -> RecordReader[str, TextRow]:
        """The rows of a file."""
        origin, new, digest = source.file.origin, source.new, source.digest

        def content(record: Record, where: str) -> str:
            return _text(record[source.columns["text"]], where, source)

        def row(text: str, label: str) -> TextRow:
            return make_row(text, label, origin, new=new, file=digest)

        return RecordReader(source, content, row)


SOURCE: Final = Texts()


def _text(value: object, where: str, source: SourceFile) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        message = (
            f"{where}, column {source.columns['text']!r}: a text is expected, not "
            f"{kind_of(value)} ({str(value)[:_SHOWN]!r}); write it as a string."
        )
        raise DataError("DataUnreadable", message)
    return _mended(value, where, source) if _ODD.search(value) else value


def _mended(text: str, where: str, source: SourceFile) -> str:
    """Half a character is read as U+FFFD, for no tokenizer takes it."""
    whole = _HALF.sub("\ufffd", text)
    if whole != text:
        what = "half a character in the text (a lone surrogate), read as U+FFFD"
    else:
        what = "control characters in the text"
    source.remarks.note(what, where)
    return whole

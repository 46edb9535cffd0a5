"""How the files of a kind of model are read: its rows, and the folder of a model."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar, runtime_checkable

from maintenance_contract import Columns, Windows
from maintenance_contract.kinds import STAMP, Role
from maintenance_trainer.data.folders import Named
from maintenance_trainer.data.remarks import Remarks
from maintenance_trainer.data.rows import Row
from maintenance_trainer.model_field import Given

R_co = TypeVar("R_co", bound=Row, covariant=True)


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file that holds rows.

    ``path`` is without links; ``digest`` is what ``Source.digest`` made of it. ``new``: its rows
    are new to the champion. ``known``: a version was trained on it, so nothing in it is refused
    that was not refused then. What is read otherwise than it is written goes to ``remarks``.
    ``windows``: how a series becomes rows; None: of other kinds. ``champion_labels``: what
    the model in service answers with. ``known_by``: by which inputs its rows are known; empty: by
    all of them.
    """

    path: Path
    file: Named
    digest: str
    columns: Columns
    new: bool
    known: bool
    remarks: Remarks = field(default_factory=Remarks)
    windows: Windows | None = None
    champion_labels: Collection[str] = ()
    known_by: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Found(Generic[R_co]):
    """A row, where it stands in its file (``line 3``), and its time where one is read."""

    place: str
    row: R_co
    time: datetime | None = None


class Reader(Protocol[R_co]):
    """The rows of one file, in its order; read once."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the file's columns, complete once all is read; empty where it has none."""

    @property
    def may_be_empty(self) -> bool:
        """Whether a file may have no rows: remarks say what was left out of it."""

    def __iter__(self) -> Iterator[Found[R_co]]:
        """Read.

        Raises:
            DataError: with file, place and column.
        """


class Source(Protocol[R_co]):
    """How the files of a kind are read. Imports nothing slow: a command says what is missing."""

    @property
    def roles(self) -> tuple[Role, ...]:
        """The columns that it reads, by what they are for."""

    @property
    def suffixes(self) -> tuple[str, ...]:
        """Of the files that hold rows, in small letters."""

    def check_model(self, uri: str, folder: Path, given: Given) -> None:
        """Refuse a folder that holds no model of this kind that can be read safely. Cheap.

        Raises:
            ConfigurationError: of ``given``, missing or unreadable.
        """

    def digest(self, path: Path, file: Named) -> str:
        """``sha256:…`` of all that a file says: where its folder labels it, of the label, too.

        A delivery with the same content has the same digest, whenever it comes and whatever lies
        beside it.

        Raises:
            DataError: it cannot be read.
        """

    def read(self, source: SourceFile) -> Reader[R_co]:
        """The file's rows, each with ``source.file.origin``, ``source.new``, ``source.digest``."""


AnySource = Source[Any]
"""As it is used where rows are rows."""


@runtime_checkable
class Joining(Protocol):
    """A source whose rows reach over files: a series, or a history, goes on in the next one."""

    def join(self, rows: list[Any], windows: Windows | None, remarks: Remarks) -> list[Any]:
        """Rows of what all files hold together.

        Args:
            rows: what was read, in the order of the files.
            windows: how a series becomes rows.
            remarks: told of what is read otherwise than it is written.

        Raises:
            DataError: nothing can be made of them.
        """


def needs_time(source: AnySource) -> bool:
    """Whether each file must say when its rows are of: else that is read of new rows alone."""
    return STAMP in source.roles

"""Series in files: stamped rows are read file by file, and joined to windows over all of them."""

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, Final

from maintenance_contract import Role, Windows
from maintenance_trainer.data import partitions, reading
from maintenance_trainer.data.class_names import ClassNames
from maintenance_trainer.data.folders import Named
from maintenance_trainer.data.reading import Records
from maintenance_trainer.data.remarks import Remarks
from maintenance_trainer.data.rows import Row
from maintenance_trainer.data.sources import Found, SourceFile
from maintenance_trainer.model_field import Given
from maintenance_trainer.tasks.series import joining, stored
from maintenance_trainer.tasks.series.rows import Window
from maintenance_trainer.tasks.series.tables import Stamped, TableBuilder

NONE: Final = Windows(2, 0, 1)
"""Where nobody says how rows are cut: a file is only looked at."""


class SeriesFiles:
    """Files of series. A kind says whether windows have labels, or targets."""

    roles: ClassVar[tuple[Role, ...]]
    suffixes = reading.SUFFIXES

    def check_model(self, uri: str, folder: Path, given: Given) -> None:
        """A folder with a network of patches, and for one that serves what it reads.

        Raises:
            ConfigurationError: of ``given``, missing or unreadable.
        """
        if given is Given.BASE and not uri:
            return  # a retrain begins with nothing
        stored.check_model(uri, folder, given)

    def digest(self, path: Path, file: Named) -> str:
        """``sha256:…`` of its bytes."""
        return reading.sha256(path, file.where)

    def read(self, source: SourceFile) -> "SeriesReader":
        """The stamped rows of a file."""
        return SeriesReader(source)

    def join(self, rows: list[Row], windows: Windows | None, remarks: Remarks) -> list[Window]:
        """Windows of what all files hold together; see ``Joining``."""
        stamped = [row for row in rows if isinstance(row, Stamped)]
        return joining.joined(stamped, windows or NONE, remarks, labelled=self.labelled)

    @property
    def labelled(self) -> bool:
        """Whether a window has a class; else its continuation is to be told."""
        return any(role.name == "label" for role in self.roles)


class SeriesReader:
    """Reads one file."""

    may_be_empty = False

    def __init__(self, source: SourceFile) -> None:
        self._source = source
        self._records = Records.of(source)

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the file's columns, complete once all is read."""
        return self._records.columns

    def __iter__(self) -> Iterator[Found[Stamped]]:
        """Read.

        Raises:
            DataError: with file, line and column.
        """
        source = self._source
        builder = TableBuilder(source)
        table, names = builder.table, ClassNames(source)
        for place, record in self._records:
            stamp = builder.add(names.given_to(record, place), place)
            if stamp is None:
                continue
            row = Stamped(
                label=table.labels[-1],
                key="",
                origin=source.file.origin,
                new=source.new,
                file=source.digest,
                table=table,
                at=len(table) - 1,
                width=len(table.channels),
                targets=source.columns.targets,
            )
            yield Found(place, row, stamp)
        self._finish(builder)

    def _finish(self, builder: TableBuilder) -> None:
        table, columns = builder.table, self._source.columns
        table.header = self.columns
        if not len(table):
            return
        wanted = (*(columns.inputs or ()), *columns.targets)
        its = table.channels.keys() | partitions.of(self._source.file.name)  # those are told
        for name in dict.fromkeys(wanted):
            if name not in its:
                what = f"there is no column {name!r} of data.columns: it counts as empty"
                self._source.remarks.note(what, table.where)

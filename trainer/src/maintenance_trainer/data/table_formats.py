"""Folders that are tables of Delta Lake, Apache Iceberg or Apache Hudi.

Their log says which of their files count: after an update or a deletion, the files with the rows of
before lie beside the new ones, and whoever reads all of them reads rows that are no more. The log
is not read here, so such a folder is refused.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final

from maintenance_trainer import files
from maintenance_trainer.errors import DataError

_LOGS: Final = {"_delta_log": "Delta Lake", ".hoodie": "Apache Hudi"}
_METADATA: Final = "metadata"
_ICEBERG: Final = re.compile(
    r"(?:v\d+|\d+-[0-9a-f-]{36})(?:\.gz)?\.metadata\.json(?:\.gz)?", re.IGNORECASE
)
"""Its versions, as its catalogues write them."""


@dataclass(frozen=True, slots=True)
class Table:
    """A folder that is one, by its path below that of the data (empty: that itself)."""

    folder: str
    kind: str
    log: str

    def refused(self, where: str) -> DataError:
        """``where``: the data's folder, as messages name it."""
        its = f"the folder {files.shown(self.folder)} in it" if self.folder else "it"
        message = (
            f"{where}: {its} is a table of {self.kind}, whose {self.log} says which files count, "
            "and is not read: files whose rows were updated or deleted lie there, too. Export the "
            "current rows as Parquet or CSV into a folder of their own, and name that."
        )
        return DataError("DataUnreadable", message)


class TableFoundError(Exception):
    """A folder of the data is a table."""

    def __init__(self, table: Table) -> None:
        super().__init__(table.folder)
        self.table = table


def of_folder(
    folder: str, names: Collection[str], files_of: Callable[[str], Iterable[str]]
) -> Table | None:
    """The table that a folder is, if it is one.

    Args:
        folder: its path.
        names: of the folders in it.
        files_of: names of the files in one of these.
    """
    for log, kind in _LOGS.items():
        if log in names:
            return Table(folder, kind, log)
    if _METADATA in names and any(map(_ICEBERG.fullmatch, files_of(_METADATA))):
        return Table(folder, "Apache Iceberg", _METADATA)
    return None


def in_keys(keys: Iterable[str], counts: Callable[[str], bool]) -> Table | None:
    """The first table among objects, by their keys.

    Args:
        keys: with slashes.
        counts: whether a folder of this name is looked into.
    """
    folders: dict[str, set[str]] = defaultdict(set)
    within: dict[str, list[str]] = defaultdict(list)
    for key in keys:
        path, _, name = key.rpartition("/")
        within[path].append(name)
        while path and path not in folders[path.rpartition("/")[0]]:
            above = path.rpartition("/")[0]
            folders[above].add(path)
            path = above
    for folder in sorted(folders):
        if all(map(counts, filter(None, folder.split("/")))):
            names = {path.rpartition("/")[2] for path in folders[folder]}
            table = of_folder(folder, names, partial(_files_of, within, folder))
            if table is not None:
                return table
    return None


def _files_of(within: Mapping[str, list[str]], folder: str, name: str) -> list[str]:
    return within.get(f"{folder}/{name}" if folder else name, [])

"""Columns that Hive, Spark, Athena and pandas write into names of folders: ``region=north``.

Files of such a folder lack the column. Folders are not read as columns here, so what rows say by
where they lie is lost, and told.
"""

import re
from collections.abc import Collection
from typing import Final

from maintenance_trainer.data.sources import SourceFile

_SHOWN: Final = 3
_PARTITION: Final = re.compile(r"(?:^|/)([^=/]+)=([^/]*)(?=/)")


def of(path: str) -> dict[str, str]:
    """The columns that folders of a path name, and the folder of each."""
    return {name: f"{name}={value}" for name, value in _PARTITION.findall(path)}


def instead(path: str, column: str) -> str:
    """What to write where a column is missing that a folder names; empty where none does."""
    folder = of(path).get(column)
    if folder is None:
        return ""
    return f"it is only in the name of a folder ({folder}), which is not read: write it into files"


def tell(source: SourceFile, there: Collection[str]) -> None:
    """Tell of columns that would be inputs if they were in the file; ``there`` are those in it."""
    columns = source.columns
    only_here = [
        name for name in of(source.file.name) if name not in there and columns.is_input(name)
    ]
    wanted = {*(columns.inputs or ()), *columns.targets}
    for names, counts in (
        ([name for name in only_here if name not in wanted], "no input"),
        ([name for name in only_here if name in wanted], "empty"),
    ):
        if names:
            shown = ", ".join(map(repr, names[:_SHOWN]))
            what = (
                f"{shown}: only in names of folders, which are not read, so {counts} here; write "
                "it into the files if rows differ by it"
            )
            source.remarks.note(what, source.file.where)

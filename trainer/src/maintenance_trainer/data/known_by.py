"""By which columns a row is known, where its kind has a list of inputs.

A row falls on its side of the holdout by its inputs. Where a file is written again with one more
column, a hash of all of them would move its rows: most of those that then look held out would be
rows that the model in service learnt. So rows of such a file stay known by the columns that the
file had before.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Final

from maintenance_contract import Columns
from maintenance_trainer.data.folders import Origin
from maintenance_trainer.data.rows import DataFile

Inputs = frozenset[str]
"""Names of columns."""
NONE: Final = Inputs()
KnownBefore = Mapping[str, Inputs]
"""By which inputs the rows of a file were known: by its digest, and by its place."""


def place(origin: Origin, name: str) -> str:
    """Where a file lies, whatever it holds."""
    return f"{origin}/{name}"


def known_before(files: Collection[DataFile], columns: Columns) -> KnownBefore:
    """Of the files of a run, whose resource named these columns.

    By digest: the columns if they were not all inputs, else none.
    """
    by_place = {
        place(file.origin, file.name): frozenset(file.known_by)
        or inputs_among(file.columns, columns)
        for file in files
    }
    return by_place | {file.digest: frozenset(file.known_by) for file in files}


def inputs_among(names: Iterable[str], columns: Columns) -> Inputs:
    """Which columns of a file are inputs."""
    return frozenset(name for name in names if name.strip() and columns.is_input(name))


def known_by(inputs: Inputs, before: Inputs) -> Inputs:
    """By which of a file's inputs its rows are known; empty: by all of them.

    Args:
        inputs: those that it has.
        before: by which rows of the file of its name were known; empty: there was none.
    """
    return before if before < inputs else frozenset()


def without_some(
    files: Collection[DataFile], columns: Columns, before: KnownBefore
) -> frozenset[str]:
    """Digests of original files that were written again without a column of then.

    Nobody can say which of their rows a version learnt.
    """
    return frozenset(
        file.digest
        for file in files
        if file.origin is Origin.ORIGINAL
        and file.digest not in before
        and not inputs_among(file.columns, columns)
        >= before.get(place(file.origin, file.name), NONE)
    )

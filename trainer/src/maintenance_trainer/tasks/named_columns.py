"""Columns by name, as messages of kinds that read many of them say it."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import Final

from maintenance_trainer.errors import DataError
from maintenance_trainer.model_field import Given

MOST_NAMED: Final = 5


def listed(names: Sequence[str]) -> str:
    """The first names."""
    shown = ", ".join(repr(name[:40]) for name in names[:MOST_NAMED])
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return f"the column{'s' if len(names) > 1 else ''} {shown or 'none'}{more}"


def refuse_strangers(
    reads: AbstractSet[str], there: AbstractSet[str], given: Given | None, file: str
) -> None:
    """Refuse a model of other columns than the data's.

    Args:
        reads: columns of the model.
        there: columns of the data.
        given: where the model comes from.
        file: of the model, which names its columns.

    Raises:
        DataError: ColumnMissing.
        ConfigurationError: InitialModelUnreadable.
    """
    if given is Given.INITIAL and reads - there:
        problem = (
            f"it reads {listed(sorted(reads - there))}, which no file of the data has; name the "
            f"model of these columns, or correct the names in its {file}."
        )
        raise Given.INITIAL.unreadable(problem)
    if not reads & there:
        message = (
            f"data: no file has a column of the model in service, which reads "
            f"{listed(sorted(reads))}; there are {listed(sorted(there))}. Name the right files "
            "in data.original and data.updates, or another folder in model.storage for another "
            "model."
        )
        raise DataError("ColumnMissing", message)


def remarks(empty: Sequence[str], constant: Sequence[str]) -> list[str]:
    """What is odd about columns and is read all the same."""
    told = []
    if empty:
        told.append(f"{listed(empty)}: nothing is in it, so it is no input.")
    if constant:
        told.append(f"{listed(constant)}: the same in all rows, so nothing is learnt from it.")
    return told

"""Columns by name, as messages of kinds that read many of them say it."""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from collections.abc import Set as AbstractSet
from typing import Final

from maintenance_trainer.data import labels
from maintenance_trainer.data.index_columns import is_nameless
from maintenance_trainer.data.remarks import Remarks
from maintenance_trainer.errors import DataError
from maintenance_trainer.model_field import Given

MOST_NAMED: Final = 5
_NAMELESS: Final = (
    " A column that pandas has named, for it had none, is read where data.columns.inputs names it."
)
MOST_CHARACTERS: Final = 1024
"""Of a name, as a version stores it."""


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
        nameless = any(map(is_nameless, reads - there))
        problem = (
            f"it reads {listed(sorted(reads - there))}, which no file of the data has; name the "
            f"model of these columns, or correct the names in its {file}."
            f"{_NAMELESS if nameless else ''}"
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


def refuse_unstorable(names: Sequence[str], most: int) -> None:
    """Refuse columns that no version can name: found after the training, they would cost it.

    Raises:
        DataError: DataUnreadable.
    """
    if len(names) > most:
        message = (
            f"data: {len(names):,} columns in all files together, and at most {most:,} are read; "
            "name them in data.columns.inputs."
        )
        raise DataError("DataUnreadable", message)
    long = next((name for name in names if len(name) > MOST_CHARACTERS), None)
    if long is not None:
        message = (
            f"data: the name of the column {long[:40]!r}… has {len(long):,} characters, and at "
            f"most {MOST_CHARACTERS:,} are stored; is it a value? Name the inputs without it, or "
            "give it a shorter name."
        )
        raise DataError("DataUnreadable", message)


def refuse_spellings(files: Iterable[tuple[str, bool, Collection[str]]], told: Remarks) -> None:
    """Refuse one column in two spellings, each in files of its own: it would be two columns.

    Args:
        files: of each where it is, whether a version was trained on it, and its columns.
        told: of spellings that a version has learnt, and of those that may be of two columns.

    Raises:
        DataError: DataUnreadable, naming both files.
    """
    files = list(files)
    _tell_alike([(where, names) for where, _, names in files], told)
    spellings: dict[str, dict[str, tuple[str, bool]]] = {}
    apart: set[str] = set()  # a file that has both means two columns
    for where, known, names in files:
        here = Counter(map(labels.identity, names))
        apart.update(meant for meant, count in here.items() if count > 1)
        for name in names:
            found = spellings.setdefault(labels.identity(name), {})
            first, learnt = found.get(name, (where, False))
            found[name] = first, learnt or known
    for meant, found in spellings.items():
        if len(found) == 1 or meant in apart:
            continue
        (one, (here_first, _)), (other, (there, _)) = sorted(
            found.items(), key=lambda each: not each[1][1]
        )[:2]
        what = (
            f"{other!a} and {one!a} ({here_first}) are one column in two spellings (by "
            "blanks, invisible characters, the Unicode form or how a number is written)"
        )
        if all(learnt for _, learnt in found.values()):
            told.note(f"{what}, and count as two", there)
            continue
        message = f"{there}: {what}, and would count as two; spell it alike in all files."
        raise DataError("DataUnreadable", message)


def _tell_alike(files: Sequence[tuple[str, Collection[str]]], told: Remarks) -> None:
    """Tell of names that differ in capitals or in what stands between words, in files apart."""
    first: dict[str, dict[str, tuple[str, str]]] = {}
    apart: set[str] = set()
    distinct: dict[tuple[str, ...], str] = {}  # headers, each where it is first
    for where, names in files:
        distinct.setdefault(tuple(names), where)
    for header, where in distinct.items():
        meant = {labels.identity(name): name for name in header}
        likeness = {identity: labels.likeness(name) for identity, name in meant.items()}
        here = Counter(likeness.values())
        apart.update(alike for alike, count in here.items() if count > 1)
        for identity, name in meant.items():
            first.setdefault(likeness[identity], {}).setdefault(identity, (name, where))
    pairs = [
        (others[0], one)
        for alike, spellings in first.items()
        for one, *others in (list(spellings.values()),)
        if others and alike not in apart
    ]
    if not pairs:
        return
    (other, where), (one, place) = pairs[0]
    more = f" (and {len(pairs) - 1:,} more such pairs)" if len(pairs) > 1 else ""
    what = (
        f"the columns {other!a} here and {one!a} in {place} count as two, each empty where the "
        f"other one is{more}: spell them alike if one is meant"
    )
    told.note(what, where)


def remarks(empty: Sequence[str], constant: Sequence[str]) -> list[str]:
    """What is odd about columns and is read all the same."""
    told = []
    if empty:
        told.append(f"{listed(empty)}: nothing is in it, so it is no input.")
    if constant:
        told.append(f"{listed(constant)}: the same in all rows, so nothing is learnt from it.")
    return told

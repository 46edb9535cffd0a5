"""By which columns a row is known, where its kind has a list of inputs.

A row falls on its side of the holdout by its inputs. Where an old file is delivered again with one
more column, a hash of all of them would move its rows: most of those that then look held out would
be rows that the model in service learnt. So rows of such a file stay known by the columns that were
there before.
"""

from collections.abc import Collection, Iterable, Mapping

from maintenance_contract import Columns
from maintenance_trainer.data.folders import Origin
from maintenance_trainer.data.rows import DataFile

Inputs = frozenset[str]
"""Names of columns."""
KnownBefore = Mapping[Origin, Collection[Inputs]]
"""Each set by which rows of an earlier run's files are known."""


def known_before(files: Collection[DataFile], columns: Columns) -> KnownBefore:
    """Of the files of a run, whose resource named these columns."""
    found: dict[Origin, set[Inputs]] = {}
    for file in files:
        its = frozenset(file.known_by) or inputs_among(file.columns, columns)
        if its:
            found.setdefault(file.origin, set()).add(its)
    return found


def apart_before(files: Collection[DataFile]) -> Mapping[str, str]:
    """What told rows of the files of a run apart, by digest and by place; see ``Row.apart``."""
    told = [file for file in files if file.apart]
    by_place = {f"{file.origin}/{file.name}": file.apart for file in told}
    return by_place | {file.digest: file.apart for file in told}


def not_known(
    files: Collection[DataFile], columns: Columns, before: KnownBefore, trained_on: Collection[str]
) -> frozenset[str]:
    """Digests of original files whose rows are known by no columns of before.

    They may be rows that a version learnt, without one of the columns of then.

    Args:
        files: of this run, whose resource names the columns.
        columns: these.
        before: by which inputs rows were known.
        trained_on: digests of files that the version was trained on.
    """
    known = before.get(Origin.ORIGINAL, ())
    return frozenset(
        file.digest
        for file in files
        if known
        and file.origin is Origin.ORIGINAL
        and file.digest not in trained_on
        and (frozenset(file.known_by) or inputs_among(file.columns, columns)) not in known
    )


def inputs_among(names: Iterable[str], columns: Columns) -> Inputs:
    """Which columns of a file are inputs."""
    return frozenset(name for name in names if name.strip() and columns.is_input(name))


def known_by(inputs: Inputs, before: Collection[Inputs]) -> Inputs:
    """By which of a file's inputs its rows are known; empty: by all of them.

    By the most that were there before and are all among them.
    """
    within = [its for its in before if its <= inputs]
    most = max(within, key=lambda its: (len(its), sorted(its)), default=inputs)
    return most if most < inputs else frozenset()

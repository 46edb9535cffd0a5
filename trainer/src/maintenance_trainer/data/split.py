"""Rows made unique, each on its side: the same rows always give the same sides."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from maintenance_contract import (
    LeftOut,
    LeftOutFile,
    RowCounts,
    TrainingAction,
)
from maintenance_trainer.data import labels
from maintenance_trainer.data.folders import Origin as Origin  # noqa: PLC0414  # part of a row
from maintenance_trainer.data.rows import Row as Row  # noqa: PLC0414  # what a dataset is made of
from maintenance_trainer.data.shares import Shares
from maintenance_trainer.errors import DataError

_NAMED: Final = 3
"""Labels that a sentence names."""


@dataclass(frozen=True, slots=True)
class Recurrence:
    """Inputs of old rows that come again in new ones, and how many come with another label.

    ``of``: distinct new rows.
    """

    n: int
    relabelled: int
    of: int = 0


@dataclass(frozen=True, slots=True)
class Copies:
    """Rows as they were delivered, and how many say what another one of the same age says.

    The same but for case, digits, blanks and punctuation.
    """

    new: int = 0
    new_of: int = 0
    old: int = 0
    old_of: int = 0


@dataclass(frozen=True, slots=True)
class Dataset:
    """The snapshot's rows by age and side. Exact duplicates are gone, the newest stays.

    ``spellings`` are its labels in the order of the files, ``remarks`` sentences on what was read
    otherwise than it is written, or not at all; ``left_out`` are rows that could not be read.
    ``between`` counts rows that overlap with both sides, and are on none.
    """

    new_train: tuple[Row, ...]
    new_held_out: tuple[Row, ...]
    old_train: tuple[Row, ...]
    old_held_out: tuple[Row, ...]
    recurrence: Recurrence
    copies: Copies = Copies()
    spellings: tuple[labels.Spelling, ...] = ()
    remarks: tuple[str, ...] = ()
    left_out: tuple[LeftOutFile, ...] = ()
    between: int = 0

    @property
    def rows(self) -> tuple[Row, ...]:
        """All of them."""
        return self.new_train + self.new_held_out + self.old_train + self.old_held_out

    @property
    def counts(self) -> RowCounts:
        """Rows by age and side."""
        return RowCounts(
            len(self.new_train), len(self.new_held_out), len(self.old_train), len(self.old_held_out)
        )


def split(rows: Sequence[Row], held_out: Shares, fair: Shares | None) -> Dataset:
    """Make rows unique and put each on its side.

    A unit of which any row is held out is trained on nowhere: an old copy of a held-out new row
    leaves the training side without becoming a held-out old row, for the champion has seen it.
    What the champion may have been trained on, with the same label, is held out on neither side:
    nothing is shown by how it fares there. What overlaps with rows of the other side is on none.

    Args:
        rows: as they were read, files in their order.
        held_out: what is held out now.
        fair: what was held out of the champion and its ancestors; None without a champion.
    """
    trained = _trained_on(rows, fair)
    sealed = {row.unit for row in rows if row.held_out(held_out)}
    # Of copies the newest stays, and of those of one age one that is held out.
    by_age = sorted(rows, key=lambda row: (row.new, row.unit in sealed and row.held_out(held_out)))
    unique = {(row.case, row.label): row for row in by_age}
    new_train: list[Row] = []
    new_held_out: list[Row] = []
    old_train: list[Row] = []
    old_held_out: list[Row] = []
    between = 0
    for row in unique.values():
        if row.unit not in sealed:
            if sealed.isdisjoint(row.overlaps):
                (new_train if row.new else old_train).append(row)
            else:
                between += 1
        elif row.scored and row.held_out(held_out) and (row.learnt_as, row.label) not in trained:
            if sealed.issuperset(row.overlaps):
                (new_held_out if row.new else old_held_out).append(row)
            else:
                between += 1
    return Dataset(
        tuple(new_train),
        tuple(new_held_out),
        tuple(old_train),
        tuple(old_held_out),
        _recurrence(rows),
        _copies(rows),
        between=between,
    )


def refuse_too_little(dataset: Dataset, action: TrainingAction | None, *, fresh: bool) -> None:
    """Refuse rows that nothing can be learnt from; a ``fresh`` model needs two labels, or numbers.

    Raises:
        DataError: DataEmpty.
    """
    rows = dataset.new_train
    if action is not TrainingAction.FINE_TUNE:
        rows += dataset.old_train
    labels = sorted({row.stratum for row in rows})
    if not rows or (fresh and len(labels) == 1 and labels[0]):
        only = f" ({labels[0]!r})" if labels else ""
        left = LeftOut.of(dataset.left_out).told()
        held = sorted({row.stratum for row in dataset.rows} - {*labels, ""})
        add = (
            f"labelled rows of {held[0][:60]!r}, for all are held out"
            if held
            else "labelled rows of another"
        )
        message = (
            f"The snapshot leaves {len(rows)} rows of {len(labels)} labels{only} to learn from, "
            f"and at least two are needed: add {add}.{f' Left out: {left}.' if left else ''}"
        )
        raise DataError("DataEmpty", message)
    if fresh and not labels[0] and len({row.label for row in rows}) == 1:
        message = (
            f"The snapshot leaves {len(rows)} rows to learn from, and all of them are labelled "
            f"{rows[0].label[:60]!r}: add rows whose labels differ."
        )
        raise DataError("DataEmpty", message)


def told_unlearnable(dataset: Dataset, known: Collection[str] = ()) -> str:
    """A sentence on the labels whose rows are all held out; empty where there are none.

    Those that a model in service knows already are learnt.
    """
    learnt = {row.stratum for row in dataset.new_train + dataset.old_train} | {"", *known}
    held_out = dataset.new_held_out + dataset.old_held_out
    counts = Counter(row.stratum for row in held_out if row.stratum not in learnt)
    if not counts:
        return ""
    (label, n), *others = sorted(counts.items())
    if not others:
        rows = f"All {n:,} rows" if n > 1 else "The only row"
        verb = "are" if n > 1 else "is"
        return (
            f"{rows} of {label[:60]!r} {verb} held out, so no version can learn it: add labelled "
            "rows of it."
        )
    named = ", ".join(
        f"{name[:60]!r} ({count:,})" for name, count in [(label, n), *others][:_NAMED]
    )
    more = f" and {len(counts) - _NAMED:,} more labels" if len(counts) > _NAMED else ""
    return (
        f"All rows of {named}{more} are held out, so no version can learn them: add labelled rows "
        "of them."
    )


def _recurrence(rows: Sequence[Row]) -> Recurrence:
    """An input under another label says what it means now; the same case again says nothing."""
    before: dict[str, set[str]] = {}
    cases: set[tuple[str, str]] = set()
    for row in rows:
        if not row.new and row.identity:
            before.setdefault(row.identity, set()).add(row.label)
            cases.add((row.case, row.label))
    new = [row for row in rows if row.new]
    relabelled = {
        (row.identity, row.label)
        for row in new
        if row.label not in before.get(row.identity, {row.label})
    }
    again = {(row.case, row.label) for row in new} & cases
    of = {(row.case, row.label) for row in new}
    return Recurrence(len(again) + len(relabelled), len(relabelled), len(of))


def _trained_on(rows: Sequence[Row], fair: Shares | None) -> set[tuple[str, str]]:
    """What the champion may have seen: rows of which any copy was not held out of it."""
    if fair is None:
        return set()
    return {(row.learnt_as, row.label) for row in rows if not row.new and not row.held_out(fair)}


def _copies(rows: Sequence[Row]) -> Copies:
    count = {True: 0, False: 0}
    distinct: dict[bool, set[int]] = {True: set(), False: set()}
    for row in rows:
        count[row.new] += 1
        distinct[row.new].add(hash(row.gist))
    return Copies(
        count[True] - len(distinct[True]),
        count[True],
        count[False] - len(distinct[False]),
        count[False],
    )

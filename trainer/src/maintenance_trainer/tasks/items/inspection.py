"""What no model of items is to learn from, and what is odd about interactions."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np

from maintenance_contract import HITS, ScoreMetric
from maintenance_trainer.data import labels
from maintenance_trainer.data.split import Dataset
from maintenance_trainer.errors import ConfigurationError, DataError
from maintenance_trainer.model_field import Given
from maintenance_trainer.tasks.items import catalogues, quality
from maintenance_trainer.tasks.items.names import ITEMS
from maintenance_trainer.tasks.items.rows import ItemRow
from maintenance_trainer.tasks.items.stored import Catalogue

RESPELLED: Final = 0.05
"""Share of new interactions with a known item in another spelling, from which on they are refused:
fewer are slips, and cost little."""
SEVERAL: Final = 100
"""Of fewer users one may well have a large part."""
LARGE: Final = 0.1
"""Part of all interactions that no single person has."""
_NAMED: Final = 3


def check(catalogue: Catalogue | None, given: Given | None, dataset: Dataset) -> Iterator[str]:
    """Refuse rows, or say what is odd about them.

    Args:
        catalogue: of the model in service, or of what is to become it; None: there is neither.
        given: whose it is.
        dataset: the rows of the snapshot.

    Raises:
        DataError: DataEmpty, DataUnreadable, LabelsDoubled, LabelsUnpredictable.
        ConfigurationError: InitialModelUnreadable.
    """
    rows = [row for row in dataset.rows if isinstance(row, ItemRow)]
    _refuse_no_histories(rows)
    if catalogue is not None:
        _refuse_strangers(catalogue, given, rows)
    old, new = ([row for row in rows if row.new is its] for its in (False, True))
    _refuse_users_again(old, new)
    quality.check(old, new)
    return _remarks(rows)


def _refuse_no_histories(rows: Sequence[ItemRow]) -> None:
    if rows and all(len(row.items) < 2 for row in rows):  # noqa: PLR2004
        message = (
            f"data: each of {len(rows):,} users has one interaction, and what comes next is learnt "
            "from users with two or more. Does data.columns.user name the column that says who "
            "chose, and not one that is different in each row?"
        )
        raise DataError("DataEmpty", message)


def _refuse_strangers(catalogue: Catalogue, given: Given | None, rows: Sequence[ItemRow]) -> None:
    counts = catalogues.chosen(rows)
    known = {number for item in catalogue.items if (number := ITEMS.known(item)) is not None}
    there = set(np.flatnonzero(counts).tolist())
    if there & known or not there:
        _refuse_respelled(catalogue, [row for row in rows if row.new], known)
        return
    shown = f"{_listed(catalogue.items)}, and the data {_listed(map(ITEMS.text, sorted(there)))}"
    if given is Given.INITIAL:
        problem = (
            f"none of its {len(catalogue):,} items is in the data: it knows {shown}; name the "
            "model of these items, or correct the names in its items.json."
        )
        raise Given.INITIAL.unreadable(problem)
    message = (
        f"data: no file has an item of the model in service, which knows {shown}. Name the right "
        "column in data.columns.item and the right files in data.original and data.updates, or "
        "another folder in model.storage for another model."
    )
    raise DataError("DataUnreadable", message)


def _refuse_respelled(catalogue: Catalogue, new: Sequence[ItemRow], known: set[int]) -> None:
    """Refuse known items in another spelling: all of them would count as new ones."""
    counts = catalogues.chosen(new)
    strangers = [number for number in np.flatnonzero(counts).tolist() if number not in known]
    if not strangers:
        return
    spelled = {labels.identity(item).casefold(): item for item in catalogue.items}
    if len(catalogue) - len(spelled) >= RESPELLED * len(catalogue):
        return  # names that capitals alone tell apart, as codes have them
    pairs = [
        (number, spelled[seen])
        for number in strangers
        if (seen := labels.identity(ITEMS.text(number)).casefold()) in spelled
    ]
    share = sum(int(counts[number]) for number, _ in pairs) / int(counts.sum())
    if share >= RESPELLED:
        number, item = max(pairs, key=lambda pair: int(counts[pair[0]]))
        message = (
            f"data.updates, column of data.columns.item: {ITEMS.text(number)!r} is the item "
            f"{item!r} of the model in service in another spelling; {share:.0%} of the new "
            "interactions are with such items, which would all count as new. Write them as before."
        )
        raise DataError("LabelsDoubled", message)


def _refuse_users_again(old: Sequence[ItemRow], new: Sequence[ItemRow]) -> None:
    """Refuse known users in another spelling: they would be learnt from and held out at once.

    Names are not shown: they are of people.
    """
    known, names = {row.user for row in old}, {row.likeness for row in old}
    if len(known) - len(names) >= RESPELLED * len(known):
        return  # names that capitals alone tell apart, as tokens have them
    users = {row.user: row.likeness for row in new}
    again = sum(user not in known and likeness in names for user, likeness in users.items())
    if again and again >= RESPELLED * len(users):
        message = (
            f"data.updates, column of data.columns.user: {again:,} of {len(users):,} users are "
            "users of earlier files in another spelling (capitals, blanks, zeros in front, or "
            "fractions of whole numbers), so that what they chose before is not known of them. "
            "Write each user as before."
        )
        raise DataError("DataUnreadable", message)


def refuse_few(dataset: Dataset, metric: ScoreMetric) -> None:
    """Refuse a catalogue of which whatever a model ranks is a hit.

    Raises:
        ConfigurationError: MetricUndefined.
    """
    rows = [row for row in dataset.rows if isinstance(row, ItemRow)]
    items = int((catalogues.chosen(rows) > 0).sum())
    if not rows or items > HITS[metric]:
        return
    smaller = [other for other, first in HITS.items() if first < items]
    instead = (
        f"write {max(smaller, key=HITS.__getitem__)} instead"
        if smaller
        else f"a catalogue of more than {min(HITS.values())} items is needed"
    )
    message = (
        f"spec.gate.metric: {metric} looks at the first {HITS[metric]} of a ranking, and the rows "
        f"have {items} items, so that each of them is a hit: {instead}."
    )
    raise ConfigurationError("MetricUndefined", message)


def _remarks(rows: Sequence[ItemRow]) -> Iterator[str]:
    items = int((catalogues.chosen(rows) > 0).sum())
    if items > catalogues.MOST:
        yield (
            f"There are {items:,} items, and a model knows the {catalogues.MOST:,} that are chosen "
            "most: of the others it can tell nothing. Leave rare ones out, or write what they have "
            "in common (a series, a kind) as the item."
        )
    counts = Counter[str]()
    for row in rows:
        counts[row.user] += len(row.answers)
    most, of = max(counts.values(), default=0), counts.total()
    if len(counts) >= SEVERAL and most >= LARGE * of:
        yield (
            f"One of {len(counts):,} users has {most / of:.0%} of the interactions. If this user "
            "stands for all who are not known (guests, an empty field), leave these interactions "
            "out, or give each visit a user of its own: they are no history of one person."
        )


def _listed(names: "Iterator[str] | Sequence[str]") -> str:
    every = list(names)
    more = f" and {len(every) - _NAMED:,} more" if len(every) > _NAMED else ""
    return ", ".join(repr(name[:60]) for name in every[:_NAMED]) + more

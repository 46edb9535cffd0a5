"""What has changed about items and about how much users do: counted, not tested."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from maintenance_contract import evidence_names
from maintenance_trainer.diagnose import thresholds as at
from maintenance_trainer.diagnose.answers import Measure
from maintenance_trainer.tasks.items.names import ITEMS
from maintenance_trainer.tasks.items.rows import EACH, ItemRow
from maintenance_trainer.tasks.items.stored import Catalogue


def measures(catalogue: Catalogue, old: Sequence[ItemRow], new: Sequence[ItemRow]) -> list[Measure]:
    """How new rows differ from old ones.

    Args:
        catalogue: what the model knows.
        old: old rows; there is one at least.
        new: new rows; there is one at least.
    """
    known = _known(catalogue)
    before, now = (np.concatenate([row.own[-EACH:] for row in rows]) for rows in (old, new))
    strange = max(0.0, float((~known[now]).mean() - (~known[before]).mean()))
    gone = float((~np.isin(before, now)).mean())
    histories = _ratio(old, new, lambda row: len(row.items) - 1)
    users = _ratio(old, new, lambda row: len(row.answers))
    n = len(new)
    told = at.ONLY_TOLD
    return [
        Measure(evidence_names.NEW_ITEMS, strange, strange, at.NEW_ITEMS, None, n),
        Measure(evidence_names.GONE_ITEMS, gone, gone, told, None, n, counts=False),
        Measure(evidence_names.HISTORY_LENGTH, histories, histories, told, None, n, counts=False),
        Measure(evidence_names.INTERACTIONS_PER_USER, users, users, told, None, n, counts=False),
    ]


def _known(catalogue: Catalogue) -> NDArray[np.bool_]:
    """By number, whether the model has a token for the item."""
    found = np.zeros(len(ITEMS), bool)
    numbers = [ITEMS.known(item) for item in catalogue.items]
    found[[number for number in numbers if number is not None]] = True
    return found


def _ratio(
    old: Sequence[ItemRow], new: Sequence[ItemRow], length: Callable[[ItemRow], int]
) -> float:
    """Of the means, new over old."""
    before, now = (float(np.mean([length(row) for row in rows])) for rows in (old, new))
    return now / before if before else float(now > 0.0)

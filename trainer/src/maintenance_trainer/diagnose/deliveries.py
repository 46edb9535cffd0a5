"""Are the new rows new, and many? A delivery that repeats itself tells less than it seems to.

Exact copies are made one by the split; copies that differ in a number or a full stop are not, and
land on both sides of it: the tests then count one thing many times, and the gate asks for what was
learnt by heart.
"""

from typing import Final

from maintenance_trainer.data.split import Dataset
from maintenance_trainer.diagnose import thresholds as at
from maintenance_trainer.errors import DataError

MOST_COPIES: Final = 0.5
"""Of the delivered rows; short phrases repeat by nature, so old rows are asked too."""
TIMES_AS_BEFORE: Final = 2.0
NEARLY_ALL: Final = 0.95
MOST_KNOWN: Final = 0.5
"""Of the new rows: what the champion was trained on, input and label."""


def check(dataset: Dataset) -> None:
    """Refuse new rows that are mostly copies.

    Raises:
        DataError: RowsDuplicated, RowsRepeated.
    """
    _many(dataset)
    _new(dataset)


def corrections(dataset: Dataset) -> str:
    """What to tell where new rows are old ones that got other labels, and nearly nothing else.

    What the same inputs are called today is concept drift; a random sample of it has rows, too,
    whose label is what it was.
    """
    found = dataset.recurrence
    if found.of < at.LEAST_ROWS or found.relabelled < NEARLY_ALL * found.of:
        return ""
    return (
        f"data.updates: {found.relabelled} of {found.of} new rows are old rows with another label, "
        "which counts as a change of what they mean. If old labels were wrong and have been "
        "corrected, correct them in data.original and deliver a random sample here."
    )


def _many(dataset: Dataset) -> None:
    copies = dataset.copies
    if copies.new_of < at.LEAST_ROWS:
        return
    now, before = copies.new / copies.new_of, copies.old / max(1, copies.old_of)
    if now > MOST_COPIES and now > TIMES_AS_BEFORE * before:
        message = (
            f"data.updates: {copies.new} of {copies.new_of} new rows say what another of them says "
            f"({now:.0%}; of old rows {before:.0%}); case, digits and punctuation make no text "
            "another one. "
            "Whoever delivers the rows must send each once."
        )
        raise DataError("RowsDuplicated", message)


def _new(dataset: Dataset) -> None:
    again = dataset.recurrence.n - dataset.recurrence.relabelled
    total = dataset.recurrence.of
    if total >= at.LEAST_ROWS and again > MOST_KNOWN * total:
        message = (
            f"data.updates: {again} of {total} new rows are old rows again, input and label: they "
            "tell nothing of what has changed, and the champion knows them. Whoever delivers the "
            "rows must send only newly labelled ones."
        )
        raise DataError("RowsRepeated", message)

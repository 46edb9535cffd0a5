"""Champion and challenger on the same rows, by the same code."""

from collections import Counter
from collections.abc import Sequence

from maintenance_contract import HeldOut, PairedCounts
from maintenance_trainer.data import Row


def paired_counts(
    rows: Sequence[Row], champion: Sequence[str], challenger: Sequence[str]
) -> PairedCounts | None:
    """Count who is right where; None without rows.

    A label that a model does not know it cannot predict, so such rows count as wrong for it.

    Args:
        rows: n held-out rows.
        champion: its n predicted labels.
        challenger: its n predicted labels.
    """
    if not rows:
        return None
    outcomes = Counter(
        (old == row.label, new == row.label)
        for row, old, new in zip(rows, champion, challenger, strict=True)
    )
    return PairedCounts(
        len(rows), outcomes[True, True], outcomes[True, False], outcomes[False, True]
    )


def held_out(rows: Sequence[Row], predicted: Sequence[str]) -> HeldOut | None:
    """Score one model; None without rows."""
    if not rows:
        return None
    correct = sum(row.label == label for row, label in zip(rows, predicted, strict=True))
    return HeldOut(len(rows), correct)


def majority_class(train: Sequence[Row]) -> str:
    """The most frequent label of the training rows; ties go to the first by name."""
    counts = Counter(row.label for row in train)
    return min(counts, key=lambda label: (-counts[label], label))

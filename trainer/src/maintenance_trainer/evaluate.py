"""Champion and challenger on the same rows, by the same code."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Final

from maintenance_contract import HeldOut, PairedCounts
from maintenance_trainer.data import Row

RARE: Final = 0.01


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


def at_class_mix(rows: Sequence[Row], mix: Sequence[Row]) -> tuple[Row, ...]:
    """As many rows as can be had in the class shares of others, drawn by the hash of the text.

    Classes of less than one in a hundred do not bound how many there are.

    Args:
        rows: m held-out rows.
        mix: n rows whose shares are wanted.
    """
    of: defaultdict[str, list[Row]] = defaultdict(list)
    for row in rows:
        of[row.label].append(row)
    counts = Counter(row.label for row in mix if row.label in of)
    total = sum(counts.values())
    if not total:
        return tuple(rows)
    shares = {label: count / total for label, count in counts.items()}
    most = min(len(of[label]) / share for label, share in shares.items() if share >= RARE)
    chosen = {
        row.key
        for label, share in shares.items()
        for row in sorted(of[label], key=lambda row: row.key[16:])[: round(most * share)]
    }
    return tuple(row for row in rows if row.key in chosen)


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

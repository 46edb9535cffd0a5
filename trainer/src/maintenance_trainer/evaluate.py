"""Champion and challenger on the same rows, by the same code."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from maintenance_contract import HeldOut, PairedCounts
from maintenance_trainer.rows import Row

Losses = NDArray[np.float64]

RARE: Final = 0.01


def paired_counts(champion: Losses, challenger: Losses) -> PairedCounts | None:
    """Count who is right where; None without rows.

    Args:
        champion: (n,) its losses on n held-out rows, 0 where it is right and 1 where it is wrong.
        challenger: (n,) its losses on the same rows.
    """
    if not len(champion):
        return None
    old, new = champion == 0, challenger == 0
    return PairedCounts(
        len(champion), int((old & new).sum()), int((old & ~new).sum()), int((new & ~old).sum())
    )


def at_class_mix(rows: Sequence[Row], mix: Sequence[Row]) -> tuple[Row, ...]:
    """As many rows as can be had in the class shares of others, drawn by the hash of the input.

    Classes of less than one in a hundred do not bound how many there are. Without classes the rows
    stay as they are.

    Args:
        rows: m held-out rows.
        mix: n rows whose shares are wanted.
    """
    of: defaultdict[str, list[Row]] = defaultdict(list)
    for row in rows:
        of[row.stratum].append(row)
    counts = Counter(row.stratum for row in mix if row.stratum in of)
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


def held_out(losses: Losses) -> HeldOut | None:
    """Score one model by its losses on n rows, 0 or 1 each; None without rows."""
    return HeldOut(len(losses), int((losses == 0).sum())) if len(losses) else None


def majority_class(train: Sequence[Row]) -> str:
    """The most frequent label of the training rows; ties go to the first by name."""
    counts = Counter(row.label for row in train)
    return min(counts, key=lambda label: (-counts[label], label))

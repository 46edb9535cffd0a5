"""Has what the model reads or predicts changed? Counted, not tested."""

from collections import Counter
from collections.abc import Collection, Sequence

from maintenance_contract import evidence_names
from maintenance_trainer.data.rows import DataFile, Row
from maintenance_trainer.diagnose import thresholds as at
from maintenance_trainer.diagnose.answers import Measure


def new_labels(rows: Sequence[Row], known: Sequence[str]) -> tuple[str, ...]:
    """Labels that the champion cannot answer, the most frequent first."""
    there = {"", *known}
    counts = Counter(row.stratum for row in rows if row.stratum not in there)
    return tuple(sorted(counts, key=lambda label: (-counts[label], label)))


def measures(
    old: Sequence[Row],
    new: Sequence[Row],
    known: Collection[str],
    inputs: Sequence[Measure] = (),
) -> list[Measure]:
    """New labels, where there are classes; what has changed in the form of the inputs.

    Args:
        old: old rows.
        new: new rows.
        known: the champion's labels.
        inputs: what the kind of model has measured of old and new inputs.
    """
    if not any(row.stratum for row in new):
        return list(inputs)
    known = set(known)
    n = len(new)
    unknown = sum(row.label not in known for row in new) / n
    # A vanished label asks for no training by itself: a window misses rare labels.
    gone = _vanished(old, new)
    return [
        Measure(evidence_names.NEW_LABELS, unknown, unknown, at.NEW_LABELS, None, n),
        *inputs,
        Measure(evidence_names.VANISHED_LABELS, gone, gone, at.ONLY_TOLD, None, n),
    ]


def changed_columns(files: Sequence[DataFile]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Columns that only new files have, and columns that only old files have."""
    sides: dict[bool, set[str]] = {False: set(), True: set()}
    for file in files:
        sides[file.new].update(file.columns)
    if not sides[True] or not sides[False]:
        return (), ()
    return tuple(sorted(sides[True] - sides[False])), tuple(sorted(sides[False] - sides[True]))


def _vanished(old: Sequence[Row], new: Sequence[Row]) -> float:
    """Share of old rows whose label has gone, beyond what a sample of this size misses."""
    there = {row.label for row in new}
    counts = Counter(row.label for row in old)
    gone = [
        count
        for label, count in counts.items()
        if label not in there and (1 - count / len(old)) ** len(new) < at.ALPHA
    ]
    return sum(gone) / max(len(old), 1)

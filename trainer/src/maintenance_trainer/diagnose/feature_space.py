"""Has what the model reads or predicts changed? Counted, not tested."""

from collections import Counter
from collections.abc import Collection, Sequence

from maintenance_trainer.diagnose import thresholds as at
from maintenance_trainer.diagnose.answers import Measure
from maintenance_trainer.rows import DataFile, Row
from maintenance_trainer.tasks.text_classification import TokenCounts


def new_labels(rows: Sequence[Row], known: Sequence[str]) -> tuple[str, ...]:
    """Labels that the champion cannot answer, the most frequent first."""
    counts = Counter(row.label for row in rows if row.label not in set(known))
    return tuple(sorted(counts, key=lambda label: (-counts[label], label)))


def measures(
    old: Sequence[Row],
    new: Sequence[Row],
    known: Collection[str],
    before: TokenCounts,
    after: TokenCounts,
) -> list[Measure]:
    """New labels; then the tokenizer's view of old and new texts.

    Args:
        old: old rows.
        new: new rows.
        known: the champion's labels.
        before: the tokenizer on old texts.
        after: the tokenizer on new texts.
    """
    known = set(known)
    n = after.texts
    counted = (
        ("newLabels", _share(sum(row.label not in known for row in new), n), at.NEW_LABELS),
        (
            "unknownTokens",
            _share(after.unknown, after.tokens) - _share(before.unknown, before.tokens),
            at.UNKNOWN_TOKENS,
        ),
        ("subwordsPerWord", _ratio(before, after), at.SUBWORDS_PER_WORD),
        ("truncatedTexts", _share(after.cut, n) - _share(before.cut, before.texts), at.TRUNCATED),
        ("emptyTexts", _share(after.empty, n) - _share(before.empty, before.texts), at.EMPTY),
        # A vanished label asks for no training by itself: a window misses rare labels.
        ("vanishedLabels", _vanished(old, new), at.ONLY_TOLD),
    )
    return [Measure(name, effect, effect, bounds, None, n) for name, effect, bounds in counted]


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


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


def _ratio(before: TokenCounts, after: TokenCounts) -> float:
    old, new = _share(before.tokens, before.words), _share(after.tokens, after.words)
    return new / old if old and new else 1.0

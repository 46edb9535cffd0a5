"""Rows of a file that say what another one of it says, and count once.

Who exports a table twice over means that; but of few columns with few values (an age, a sex, a
temperature) many cases are alike by chance, and the model learns nothing of how many there were.
What one file repeats of another may have been delivered again, so that alone is not told.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from maintenance_trainer.data.remarks import Remarks
from maintenance_trainer.tasks.tables.rows import TableRow

PART: Final = 0.05
LEAST: Final = 5
"""So many of a few rows are told."""


def tell(files: Iterable[Sequence[TableRow]], remarks: Remarks) -> None:
    """Tell how many rows are lost, where they are many; ``files`` are the rows of each."""
    count = lost = nameless = 0
    first, seen = "", set[int]()
    for rows in files:
        its = {hash((row.case, row.label)) for row in rows if not row.name}
        here = sum(not row.name for row in rows) - len(its)
        count, lost = count + len(rows), lost + here
        nameless += here + len(its)
        seen |= its
        if here and not first:
            first = rows[0].header.where
    if lost >= max(LEAST, PART * count):
        of_all = nameless - len(seen)
        more = f" ({of_all:,} as one of any file)" if of_all > lost else ""
        what = (
            f"{lost:,} of {count:,} rows have the same inputs and label as another row of their "
            f"file{more}, and count once: give rows an id (data.columns.id) if they are cases of "
            "their own"
        )
        remarks.note(what, first)

"""What is odd about the times of a series, told with the first place and how often."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

import numpy as np

from maintenance_trainer.data.remarks import Remarks
from maintenance_trainer.tasks.series.cutting import Flags, Joined, Whole
from maintenance_trainer.tasks.series.rows import SECOND, Floats, Series
from maintenance_trainer.tasks.series.tables import Table

IRREGULAR: Final = 0.1
"""Share of steps of another length from which on a series counts as irregularly sampled."""
OTHER_INTERVAL: Final = 1.25
"""Series whose steps are so many times as long as those of others are sampled otherwise."""
_OTHER_LENGTH: Final = 0.01
_LEAST: Final = 3
_SHOWN: Final = 40


def tell(joined: Joined, tables: Mapping[int, Table], context: int, remarks: Remarks) -> None:
    """Tell of steps from a row to the next that are odd.

    Args:
        joined: a series, and which file each row came with.
        tables: the files by number.
        context: steps beyond which a gap parts windows.
        remarks: told.
    """
    series = joined.series
    if len(series.stamps) < 2:  # noqa: PLR2004
        return
    steps = np.diff(series.stamps)

    def note(which: Flags, what: str) -> None:
        places = np.flatnonzero(which)
        if len(places):
            remarks.note(what, _place(series, joined.owners, tables, int(places[0])), len(places))

    if len(series.stamps) >= _LEAST:
        _of_lengths(steps / SECOND / series.step, note)
    note(
        steps > context * series.step * SECOND,
        f"a gap of more than {context} steps: no window reaches over it",
    )


def _of_lengths(lengths: Floats, note: Callable[[Flags, str], None]) -> None:
    """Of steps, in units of the usual one."""
    away = np.abs(lengths - 1) > _OTHER_LENGTH
    if away.mean() > IRREGULAR:
        note(
            away,
            f"irregularly sampled: a step of another length than most, as more than "
            f"{IRREGULAR:.0%} of the series are; windows count rows",
        )
        return
    note(away & (lengths > 1), "rows are missing in between: windows count rows")
    note(away & (lengths < 1), "rows follow sooner than most: windows count rows")


def tell_of_order(stamps: Whole, rows: Whole, table: Table, remarks: Remarks) -> None:
    """Tell of rows of one file and series that come before the row above them."""
    early = np.flatnonzero(np.diff(stamps) < 0)
    if len(early):
        where = f"{table.where}, {table.places[int(rows[early[0] + 1])]}"
        what = "rows are not in the order of time: they are sorted"
        remarks.note(what, where, len(early))


def tell_of_intervals(found: Sequence[Joined], remarks: Remarks) -> None:
    """Tell of series that are sampled otherwise than most."""
    its = [each.series for each in found if len(each.series.stamps) >= _LEAST]
    if len(its) < 2:  # noqa: PLR2004
        return
    usual = float(np.median([each.step for each in its]))
    others = [each for each in its if max(each.step / usual, usual / each.step) >= OTHER_INTERVAL]
    if others:
        like = min(its, key=lambda each: abs(each.step - usual))
        what = (
            f"series at other intervals than most, which have a row every {like.step:g} s (like "
            f"{like.name[:_SHOWN]!r}): windows count rows, so theirs span another time"
        )
        first = others[0]
        where = f"data, series {first.name[:_SHOWN]!r} with a row every {first.step:g} s"
        remarks.note(what, where, len(others))


def _place(series: Series, owners: Whole, tables: Mapping[int, Table], at: int) -> str:
    """Of the row behind a step: its file, its time, its series."""
    moment = datetime.fromtimestamp(int(series.stamps[at + 1]) / SECOND, UTC)
    name = f", series {series.name[:_SHOWN]!r}" if series.name else ""
    when = moment.isoformat().replace("+00:00", "Z")
    return f"{tables[int(owners[at + 1])].where}, {when}{name}"

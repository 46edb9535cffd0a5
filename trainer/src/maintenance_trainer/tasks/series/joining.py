"""Rows of all files become series, and series become windows.

A delivery seldom holds as many rows as a model looks back on: what it goes on with lies in earlier
files. So stamped rows are put in the order of time first, whatever file they came with, and each
window is of the file that its last row came with.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from maintenance_contract import Windows
from maintenance_trainer.data import dates, labels
from maintenance_trainer.data.folders import Origin
from maintenance_trainer.data.remarks import Remarks
from maintenance_trainer.errors import DataError
from maintenance_trainer.tasks.named_columns import refuse_spellings
from maintenance_trainer.tasks.series import odd_times
from maintenance_trainer.tasks.series.cutting import Counts, Cut, Flags, Joined, Whole
from maintenance_trainer.tasks.series.rows import SECOND, Floats, Scales, Series, Stamps, Window
from maintenance_trainer.tasks.series.schema import no_numbers
from maintenance_trainer.tasks.series.tables import Stamped, Table

_SHOWN: Final = 80


@dataclass(slots=True)
class _Piece:
    """The rows that one file has of one series: ``rows`` are their places in its table."""

    number: int
    table: Table
    rows: Whole


def joined(
    rows: Sequence[Stamped], windows: Windows, remarks: Remarks, *, labelled: bool
) -> list[Window]:
    """The windows of all files.

    Args:
        rows: in the order of the files.
        windows: how they are cut.
        remarks: told of what is odd, and of what makes no window.
        labelled: each labelled row ends a window, else windows go on in ``horizon`` rows.

    Raises:
        DataError: DataUnreadable, a stamp that is there twice or a target without a number;
            DataEmpty, not one window; ColumnMissing, a target that no file has, or no new one.
    """
    if not rows:
        return []
    heads, news = _heads(rows)
    targets = rows[0].targets
    if not any(head.table.channels for head in heads):
        message = (
            f"{heads[0].table.where}: there is no channel to learn from; every column has a role "
            "of its own. Name the channels in data.columns.inputs."
        )
        raise DataError("ColumnMissing", message)
    refuse_spellings(
        [(head.table.where, head.table.known, head.table.channels) for head in heads], remarks
    )
    _refuse_without_targets(heads, targets)
    _tell_of_zones(heads, remarks)
    scales = Scales()
    pieces_of = _pieces(heads)
    _tell_of_names(pieces_of, remarks)
    found = [
        _joined(name, pieces, scales, windows, remarks)
        for name, pieces in sorted(pieces_of.items())
    ]
    odd_times.tell_of_intervals(found, remarks)
    for head in heads:  # series have their numbers
        head.table.channels.clear()
    if not labelled:
        targets = _targets(found, targets)
        scales.by_channel.update(_scales(found, news, targets))
    counts = Counts(series=len(found))
    made: list[Window] = []
    for each in found:
        cut = Cut(each, heads, news, windows, targets, labelled=labelled)
        its = list(cut.windows(counts))
        made += its
        counts.short += len(each.series.stamps) < (windows.context if labelled else windows.span)
        counts.longest = max(counts.longest, len(each.series.stamps))
    _tell(counts, made, windows, remarks, labelled=labelled)
    return made


def _heads(rows: Sequence[Stamped]) -> tuple[list[Stamped], list[Flags]]:
    """The first row of each file, and which of its rows are new."""
    heads: list[Stamped] = []
    numbers: dict[int, int] = {}
    news: list[list[bool]] = []
    for row in rows:
        number = numbers.setdefault(id(row.table), len(heads))
        if number == len(heads):
            heads.append(row)
            news.append([])
        news[number].append(row.new)
    return heads, [np.array(each, bool) for each in news]


def _refuse_without_targets(heads: Sequence[Stamped], targets: tuple[str, ...]) -> None:
    """Refuse updates that have another column in a target's place.

    Files whose columns are all known may fill in what others lack: the weather of hours whose load
    is there, or comes tomorrow.

    Raises:
        DataError: ColumnMissing.
    """
    its = [each for each in heads if each.origin is Origin.UPDATES and not each.table.known]
    if (
        not targets
        or not its
        or any(name in each.table.channels for each in its for name in targets)
    ):
        return
    if not any(name in each.table.channels for each in heads for name in targets):
        return  # nowhere: that is told of all files
    new = {id(each) for each in its}
    before = {name for each in heads if id(each) not in new for name in each.table.channels}
    table = next((each.table for each in its if each.table.channels.keys() - before), None)
    if table is None:
        return
    message = (
        f"{table.where}: there is no column {targets[0]!r} of data.columns.targets, only "
        f"{', '.join(map(repr, table.header[:20]))}, and no new file has a target: spell it as "
        "earlier files do, or name the right one in data.columns."
    )
    raise DataError("ColumnMissing", message)


def _pieces(heads: Sequence[Stamped]) -> dict[str, list[_Piece]]:
    """By name of the series, in the order of the files."""
    found: dict[str, list[_Piece]] = {}
    for number, head in enumerate(heads):
        table = head.table
        codes = np.frombuffer(table.names, np.dtype("l")).astype(np.int64)
        order = np.argsort(codes, kind="stable")
        ends = np.searchsorted(codes[order], np.arange(len(table.series)), side="right")
        start = 0
        for name, end in zip(table.series, ends, strict=True):
            found.setdefault(name, []).append(_Piece(number, table, order[start:end]))
            start = end
    return found


def _joined(
    name: str, pieces: Sequence[_Piece], scales: Scales, windows: Windows, remarks: Remarks
) -> Joined:
    """One series of all its pieces, in the order of time, each stamp once."""
    stamps = np.concatenate([_stamps(piece) for piece in pieces])
    owners = np.concatenate([np.full(len(piece.rows), piece.number) for piece in pieces])
    labels = [piece.table.labels[at] for piece in pieces for at in piece.rows.tolist()]
    for piece in pieces:
        odd_times.tell_of_order(_stamps(piece), piece.rows, piece.table, remarks)
    order = np.argsort(stamps, kind="stable")
    stamps, owners = stamps[order], owners[order]
    labels = [labels[at] for at in order.tolist()]
    names = sorted({channel for piece in pieces for channel in piece.table.channels})
    plain = len(pieces) == 1 and bool((order == np.arange(len(order))).all())
    columns = {
        channel: _column(pieces, channel) if plain else _column(pieces, channel)[order]
        for channel in names
    }
    tables = {piece.number: piece.table for piece in pieces}
    if len(stamps) > 1 and (np.diff(stamps) == 0).any():
        rows = np.concatenate([piece.rows for piece in pieces])[order]
        merge = _Merge(name, tables, remarks)
        stamps, owners, labels, columns = merge.of(stamps, owners, labels, columns, rows)
    step = _step(pieces, stamps)
    gaps = np.diff(stamps) > windows.context * step * SECOND
    starts = np.concatenate([[0], np.where(gaps, np.arange(1, len(stamps)), 0)])
    starts = np.maximum.accumulate(starts).astype(np.int64)
    made = Joined(Series(name, stamps, columns, starts, step, scales), owners, labels)
    odd_times.tell(made, tables, windows.context, remarks)
    return made


def _stamps(piece: _Piece) -> Stamps:
    return np.frombuffer(piece.table.stamps, np.int64)[piece.rows]


def _column(pieces: Sequence[_Piece], channel: str) -> Floats:
    """A channel of all pieces, NaN where a file does not have it."""
    parts = []
    for piece in pieces:
        held = piece.table.channels.get(channel)
        if held is None:
            parts.append(np.full(len(piece.rows), np.nan))
            continue
        values = np.frombuffer(held, np.float64)
        whole = len(piece.rows) == len(values) and bool(
            (piece.rows == np.arange(len(values))).all()
        )
        parts.append(values if whole else values[piece.rows])
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _step(pieces: Sequence[_Piece], stamps: Stamps) -> float:
    """Seconds from a row to the next, by the first file that tells: later ones do not move it."""
    for piece in pieces:
        steps = np.diff(np.unique(_stamps(piece)))
        if len(steps) > 1:
            return max(float(np.median(steps)) / SECOND, 1e-6)
    steps = np.diff(stamps)
    return max(float(np.median(steps)) / SECOND, 1e-6) if len(steps) else 1.0


def _tell_of_names(pieces: Mapping[str, Sequence[_Piece]], remarks: Remarks) -> None:
    first: dict[str, str] = {}
    for name, its in pieces.items():
        other = first.setdefault(labels.identity(name), name)
        if other != name:
            where = f"{its[0].table.where}, series {name[:40]!r} beside {other[:40]!r}"
            remarks.note("two series, or one in two spellings: then spell them alike", where)


def _tell_of_zones(heads: Sequence[Stamped], remarks: Remarks) -> None:
    with_one, without = (
        [where for head in heads for way, where in head.table.ways.items() if way in ways]
        for ways in (dates.ZONED, dates.UNZONED)
    )
    if with_one and without:
        what = (
            f"times without a zone are in UTC; {with_one[0][:_SHOWN]} has times with one: if the "
            "others are of a place, these files do not go on from each other"
        )
        remarks.note(what, without[0])


@dataclass(slots=True)
class _Merge:
    """Makes each stamp of a series one row."""

    name: str
    tables: dict[int, Table]
    remarks: Remarks

    def of(
        self,
        stamps: Stamps,
        owners: Whole,
        labels: list[str],
        columns: dict[str, Floats],
        rows: Whole,
    ) -> tuple[Stamps, Whole, list[str], dict[str, Floats]]:
        """Rows of one stamp become one: the later file counts where it says something else.

        Raises:
            DataError: DataUnreadable, one file says two things of one time.
        """
        # First within each file, so that what it says itself is all that it can contradict.
        again = (np.diff(stamps) == 0) & (np.diff(owners) == 0)
        if again.any():
            its = self._merged(again, stamps, owners, labels, columns, rows)
            stamps, owners, labels, columns, rows = its
        again = np.diff(stamps) == 0
        if again.any():
            its = self._merged(again, stamps, owners, labels, columns, rows)
            stamps, owners, labels, columns, rows = its
        return stamps, owners, labels, columns

    def _merged(
        self,
        again: Flags,
        stamps: Stamps,
        owners: Whole,
        labels: list[str],
        columns: dict[str, Floats],
        rows: Whole,
    ) -> tuple[Stamps, Whole, list[str], dict[str, Floats], Whole]:
        """Rows that are ``again`` one of the time before them go into the first of that time."""
        keep = np.concatenate([[True], ~again])
        columns = {name: values.copy() for name, values in columns.items()}
        owners, labels, rows = owners.copy(), list(labels), rows.copy()
        twice = np.flatnonzero(~keep)
        first = np.maximum.accumulate(np.where(keep, np.arange(len(keep)), 0))
        alike = self._alike(twice, owners, labels, columns, rows)
        for later in twice[~alike].tolist():
            at = int(first[later])
            if self._take(at, later, owners, labels, columns, rows):
                owners[at] = owners[later]
                rows[at] = rows[later]
        kept = np.flatnonzero(keep)
        return (
            stamps[kept],
            owners[kept],
            [labels[each] for each in kept.tolist()],
            {name: values[kept] for name, values in columns.items()},
            rows[kept],
        )

    def _alike(
        self,
        twice: Whole,
        owners: Whole,
        labels: list[str],
        columns: dict[str, Floats],
        rows: Whole,
    ) -> Flags:
        """Which rows say nothing that the one before them, of the same time, does not."""
        alike = np.array([labels[at] in ("", labels[at - 1]) for at in twice.tolist()], bool)
        for values in columns.values():
            alike &= np.isnan(values[twice]) | (values[twice] == values[twice - 1])
        same_file = owners[twice] == owners[twice - 1]
        for chosen, what in (
            (alike & same_file, "a time that is there twice, with the same numbers: read once"),
            (alike & ~same_file, "a time of an earlier file, with the same numbers: read once"),
        ):
            for at in twice[chosen].tolist():
                table = self.tables[int(owners[at])]
                self.remarks.note(what, f"{table.where}, {table.places[int(rows[at])]}")
        return alike

    def _take(
        self,
        at: int,
        later: int,
        owners: Whole,
        labels: list[str],
        columns: dict[str, Floats],
        rows: Whole,
    ) -> bool:
        """Put what the later row says into the earlier one; whether that is something else."""
        same_file = owners[at] == owners[later]
        table = self.tables[int(owners[later])]
        other = [
            name
            for name, values in columns.items()
            if np.isfinite(values[later]) and values[later] != values[at]
        ]
        told = [name for name in other if np.isfinite(columns[name][at])]
        label = bool(labels[later]) and labels[later] != labels[at]
        where = f"{table.where}, {table.places[int(rows[later])]}"
        if same_file and (told or (label and labels[at])) and not table.known:
            what = f"column {told[0]!r}" if told else "the label"
            of = f" of series {self.name[:40]!r}" if self.name else ""
            message = (
                f"{where}: the time{of} is there twice, first in "
                f"{table.places[int(rows[at])]}, and {what} differs; keep the right one, name "
                "the column that tells several series apart in data.columns.series, or write times "
                "in UTC: where clocks are set back, an hour of local time is there twice."
            )
            raise DataError("DataUnreadable", message)
        for name in other:
            columns[name][at] = columns[name][later]
        if label:
            labels[at] = labels[later]
        if not same_file and (told or label):
            self.remarks.note("a time of an earlier file with other numbers: these count", where)
        return bool(other or label)


def _targets(found: Sequence[Joined], wanted: tuple[str, ...]) -> tuple[str, ...]:
    there = sorted({channel for each in found for channel in each.series.columns})
    if absent := [name for name in wanted if name not in there]:
        message = (
            f"data.columns.targets: no file has a column {absent[0]!r}, only "
            f"{', '.join(map(repr, there[:20]))}; name channels as the files spell them."
        )
        raise DataError("ColumnMissing", message)
    filled = {
        name
        for each in found
        for name, values in each.series.columns.items()
        if np.isfinite(values).any()
    }
    if not filled.issuperset(wanted) or not filled:
        empty = next((name for name in wanted if name not in filled), "")
        raise no_numbers(empty)
    return tuple(sorted(wanted)) or tuple(name for name in there if name in filled)


def _scales(
    found: Sequence[Joined], news: Sequence[Flags], targets: Sequence[str]
) -> dict[str, float]:
    """Of each target the mean difference from a row to the next, of old rows where it moves."""
    files_are_new = np.array([bool(flags.all()) for flags in news])
    scales = {}
    for name in targets:
        steps, olds = [np.zeros(0)], [np.zeros(0, bool)]
        for each in found:
            values = each.series.columns.get(name)
            if values is None or len(values) < 2:  # noqa: PLR2004
                continue
            differences = np.abs(np.diff(values))
            there = np.isfinite(differences)
            steps.append(differences[there])
            olds.append(~files_are_new[each.owners[1:]][there])
        whole, old = np.concatenate(steps), np.concatenate(olds)
        # A channel that only new files have, or that stood still, has no other measure.
        for part in (whole[old], whole):
            if len(part) and float(part.mean()) > 0:
                scales[name] = float(part.mean())
                break
    return scales


def _tell(
    counts: Counts, made: Sequence[Window], windows: Windows, remarks: Remarks, *, labelled: bool
) -> None:
    """Raises DataError: DataEmpty."""
    needed = windows.context if labelled else windows.span
    wanted = (
        f"{windows.context} rows (data.windows.context) of which the last has a label"
        if labelled
        else f"{windows.context} + {windows.horizon} rows (data.windows: context and horizon)"
    )
    if not made:
        message = (
            f"data: there is not one window of {wanted}; the longest of {counts.series:,} series "
            f"has {counts.longest:,} rows. Lower data.windows, or deliver more rows."
        )
        raise DataError("DataEmpty", message)
    if counts.short:
        what = (
            f"{counts.short:,} of {counts.series:,} series have fewer than {needed:,} rows, and "
            "make no window"
        )
        remarks.note(what, "data")
    if counts.unobserved:
        remarks.note(f"{counts.unobserved:,} windows hold nothing to see or to tell", "data")
    if counts.straddling:
        what = f"{counts.straddling:,} windows are to be told by old rows and new ones: left out"
        remarks.note(what, "data")

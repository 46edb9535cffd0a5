"""Labelled rows: read, made unique, split. The same files always give the same rows and sides.

Files are CSV (with a header line) or JSON lines, in UTF-8, or Parquet. A file counts once it is
settled (see settled.py).
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from sys import getsizeof
from typing import Final

from maintenance_contract import (
    Columns,
    DataRef,
    Holdout,
    LeftOut,
    LeftOutFile,
    RowCounts,
    Sampling,
    Windows,
)
from maintenance_contract.codec import canonical, digest, load
from maintenance_contract.holdout import HOLDOUT
from maintenance_contract.record import Part, record
from maintenance_contract.report import ROW_COUNTS
from maintenance_contract.request import COLUMNS
from maintenance_contract.values import Codec, each, nullable, strings, text, whole
from maintenance_contract.windows import WINDOWS
from maintenance_trainer.data import bounds, dates, folders, labels, partitions
from maintenance_trainer.data.auto_holdout import (
    KEPT,
    NOTHING_BEFORE,
    Before,
    Kept,
    chosen,
    fair_to,
)
from maintenance_trainer.data.bounds import MOST_BYTES, ROW_BYTES
from maintenance_trainer.data.folders import Named
from maintenance_trainer.data.folders import Origin as Origin  # noqa: PLC0414  # part of a row
from maintenance_trainer.data.index_columns import names_of, without_index
from maintenance_trainer.data.known_by import (
    KnownBefore,
    inputs_among,
    known_by,
    place,
    without_some,
)
from maintenance_trainer.data.remarks import Remarks
from maintenance_trainer.data.rows import MARKS, DataFile
from maintenance_trainer.data.rows import Row as Row  # noqa: PLC0414  # what a dataset is made of
from maintenance_trainer.data.shares import BUCKETS, SHARES, Shares, auto
from maintenance_trainer.data.sources import AnySource, Joining, Reader, SourceFile, needs_time
from maintenance_trainer.data.split import Dataset, Recurrence, split, told_unlearnable
from maintenance_trainer.data.stable_files import Mark
from maintenance_trainer.errors import ConfigurationError, DataError, TransientError
from maintenance_trainer.locations import Places
from maintenance_trainer.progress import Progress, Silent
from maintenance_trainer.seed import SEED

SNAPSHOT_VERSION: Final = 1
MOST_FILES: Final = 1_000_000
LARGE_BYTES: Final = 2**28
_TOLD_ROWS: Final = 1000
"""Progress is told each time so many more are read."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Which files, in which state, split how. Its digest names it.

    ``champion_holdout`` is what was held out of the champion: old rows that are not among it are no
    fair test of it. ``gone`` are files of earlier runs that may come back.
    """

    files: tuple[DataFile, ...]
    columns: Columns
    holdout: Holdout
    champion_holdout: Shares | None
    counts: RowCounts
    sampling: Sampling = Sampling.RANDOM
    since: str = ""
    gone: tuple[Kept, ...] = ()
    windows: Windows | None = None

    @property
    def held_out(self) -> Shares:
        """What is held out of the files."""
        return _held_out(self.files, self.holdout, self.sampling)

    @property
    def kept(self) -> tuple[Kept, ...]:
        """What later runs remember of this one and those before it."""
        shares = self.held_out
        here = (
            Kept(
                file.origin,
                file.name,
                file.digest,
                shares.of(file.origin, file.digest),
                file.marks,
            )
            for file in self.files
        )
        return (*here, *self.gone)

    def to_json(self) -> str:
        """The canonical spelling, as it lies in ``runs/<n>/data.json``."""
        by = "normalised text" if "text" in self.columns.names else "unit"
        document = _snapshot_of().document(self)
        document["split"] |= {"by": f"sha256 of the {by}", "seed": SEED}
        return canonical({"version": SNAPSHOT_VERSION, **document})

    @property
    def digest(self) -> str:
        """``sha256:…`` of the canonical spelling."""
        return digest(self.to_json())

    @classmethod
    def from_json(cls, text: str) -> "Snapshot":
        """Read a stored snapshot.

        Raises:
            ContractError: it is no snapshot of this version.
        """
        fields = load(text, version=SNAPSHOT_VERSION, kind="snapshot")
        holdout = Holdout.read(fields.fields("split"))
        chosen = frozenset(origin for origin in Origin if auto(holdout, origin))
        return fields.decoded(_snapshot_of(chosen).decode)


@cache
def _snapshot_of(chosen: frozenset[Origin] = frozenset()) -> Codec[Snapshot]:
    """To write, and to read one whose files of these origins have each a share of its own."""
    share = whole(most=BUCKETS)
    ignored: Codec[int | None] = Codec(lambda _: None)
    file = record(
        DataFile,
        always={"held_out"} if chosen else (),
        name=text(4096),
        held_out=Part(share, after=lambda origin, *_: share if origin in chosen else ignored),
        marks=strings(most=MARKS),
        known_by=strings(),
    )
    return record(
        Snapshot,
        files=each(file, most=MOST_FILES),
        columns=COLUMNS,
        holdout=Part(HOLDOUT, within="split", flat=True),
        champion_holdout=Part(nullable(SHARES), key="championSplit"),
        counts=Part(ROW_COUNTS, key="rows"),
        sampling=Part(within="split"),
        since=Part(within="split"),
        gone=each(KEPT, most=MOST_FILES),
        windows=nullable(WINDOWS),
    )


def take_snapshot(  # noqa: PLR0913  # data, champion and past are facts of their own
    data: DataRef,
    places: Places,
    source: AnySource,
    *,
    known: frozenset[str],
    champion_holdout: Shares | None,
    before: Before = NOTHING_BEFORE,
    champion_labels: Collection[str] = (),
    tell: Callable[[str], None] = print,
    progress: Progress | None = None,
) -> tuple[Snapshot, Dataset]:
    """Read everything that is settled.

    What lies there and is not read, ``folders.left_out`` tells.

    Args:
        data: where the data lie and how they are read.
        places: where they are for this process.
        source: how files become rows.
        known: digests of the files that the champion was trained on.
        champion_holdout: what was held out of it and its ancestors; None without a champion.
        before: what was held out so far.
        champion_labels: the labels that it answers with.
        tell: told of each file that is left out, and of what was read otherwise than it is written.
        progress: its stage is told how many rows are read.

    Raises:
        DataError: with file, line and column; LabelsDoubled.
        TransientError: DataChanging.
    """
    files: list[DataFile] = []
    # Of other kinds, and where a column groups rows, inputs move none to another side.
    by_inputs = not needs_time(source) and "group" not in data.columns.names
    inputs = before.inputs if by_inputs else {}
    read = _Read(data.windows, champion_labels, progress or Silent())
    for origin in Origin:
        root, found = folders.find(data, origin, places, source.suffixes)
        for left in found.left_out:
            tell(f"{origin}/{left.name} is left out: {left.why}")
        folders.refuse_nothing(origin, found, data, source.suffixes)
        for path in found.settled:
            named = Named(origin, path.relative_to(root).as_posix())
            there = folders.place(path, root, named)
            files.append(read.file(source, there, named, data.columns, known, data.since, inputs))
    for origin in Origin:
        _refuse_all_left_out(origin, files, read.remarks.left_out)
    read.join(source)
    read.check_labels(data.columns, champion_labels)
    its_files = chosen(files, read.rows, data.holdout, data.sampling, before)
    strangers = without_some(its_files, data.columns, inputs)
    fair = champion_holdout and fair_to(champion_holdout, its_files, strangers)
    held_out = _held_out(its_files, data.holdout, data.sampling)
    dataset = read.told(split(read.rows, held_out, fair))
    for left in dataset.left_out:
        tell(f"{left.name} is left out: {left.why}")
    for remark in dataset.remarks:
        tell(remark)
    return Snapshot(
        its_files,
        data.columns,
        data.holdout,
        fair,
        dataset.counts,
        data.sampling,
        data.since,
        before.gone(its_files) if any(file.held_out is not None for file in its_files) else (),
        data.windows,
    ), dataset


def _refuse_all_left_out(
    origin: Origin, files: Sequence[DataFile], left_out: Sequence[LeftOutFile]
) -> None:
    """Refuse files of which not one row can be read: that is no silence, but a mistake."""
    its = [left for left in left_out if left.name.startswith(f"{origin}/")]
    if its and not any(file.rows for file in files if file.origin is origin):
        message = (
            f"data.{origin}: not one row can be read. Left out: {LeftOut.of(its).told()}. Whoever "
            "delivers them must mend these files, or remove them."
        )
        raise DataError("DataUnreadable", message)


def _held_out(files: Sequence[DataFile], holdout: Holdout, sampling: Sampling) -> Shares:
    chosen_ones = {file.digest: file.held_out for file in files if file.held_out is not None}
    return Shares.written(holdout, sampling, chosen_ones)


def read_again(  # noqa: PLR0913  # where the rows lie, whose they are, what is known of them
    snapshot: Snapshot,
    data: DataRef,
    places: Places,
    source: AnySource,
    run: int,
    champion_labels: Collection[str] = (),
    *,
    progress: Progress | None = None,
) -> Dataset:
    """The rows of a snapshot, no matter what has arrived since.

    Args:
        snapshot: as run ``run`` took it.
        data: where the data lie and how they are read.
        places: where they are for this process.
        source: how files become rows.
        run: its number.
        champion_labels: the labels that the champion of that run answers with.
        progress: its stage is told how many rows are read.

    Raises:
        ConfigurationError: SnapshotChanged, naming the file that is gone or was rewritten.
    """
    read = _Read(snapshot.windows, champion_labels, progress or Silent())
    for file in snapshot.files:
        root = folders.root_of(data, file.origin, places, source.suffixes)[0]
        named = Named(file.origin, file.name)
        its_digest = folders.digest_of(root / file.name, root, named, source.digest)
        if its_digest != file.digest:
            message = (
                f"{named.where} {'was rewritten' if its_digest else 'is gone'} "
                f"since run {run} took its snapshot; never change a file once it is there, "
                "add another. A new run is needed."
            )
            raise ConfigurationError("SnapshotChanged", message)
        known = frozenset() if file.new else frozenset({file.digest})
        path = folders.place(root / file.name, root, named)
        inputs = {file.digest: frozenset(file.known_by)}
        read.file(source, path, named, snapshot.columns, known, snapshot.since, inputs)
    read.join(source)
    return read.told(split(read.rows, snapshot.held_out, snapshot.champion_holdout))


def _known_by(source: SourceFile, before: KnownBefore) -> SourceFile:
    """The file, with the inputs by which its rows are known."""
    if source.digest in before:
        return replace(source, known_by=before[source.digest])
    then = before.get(place(source.file.origin, source.file.name))
    if not then:
        return source
    try:
        inputs = inputs_among(names_of(source), source.columns)
    except DataError:  # whoever reads the rows says what is wrong with the file
        return source
    return replace(source, known_by=known_by(inputs, then))


@dataclass(slots=True)
class _Room:
    """What the rows may still take of the memory, all files together."""

    free: int = MOST_BYTES

    def take(self, row: Row, where: str) -> None:
        self.free -= row.size + ROW_BYTES
        if self.free < 0:
            raise bounds.too_large(where)


@dataclass(slots=True)
class _Read:
    """What is read, all files together.

    ``champion_labels`` are those of the model in service. ``fresh`` are the labels in files of no
    version before; ``named`` those of them that a column holds, of ``named_rows`` rows: a folder is
    surely a class.
    """

    windows: Windows | None = None
    champion_labels: Collection[str] = ()
    progress: Progress = field(default_factory=Silent)
    rows: list[Row] = field(default_factory=list)
    room: _Room = field(default_factory=_Room)
    remarks: Remarks = field(default_factory=Remarks)
    fresh: set[str] = field(default_factory=set)
    named: set[str] = field(default_factory=set)
    named_rows: int = 0
    places: dict[str, str] = field(default_factory=dict)
    """Of each label, where it is first."""
    where_new: dict[str, list[str]] = field(default_factory=dict)
    """Of each row of a new file, by the file's digest, where it is."""

    @property
    def spelled(self) -> tuple[labels.Spelling, ...]:
        return tuple(labels.Spelling(label, where) for label, where in self.places.items())

    def check_labels(self, columns: Columns, known: Collection[str]) -> None:
        """Refuse labels that are no classes; ``known`` are those of the model in service.

        Raises:
            DataError: LabelsDoubled, DataUnreadable.
        """
        labels.refuse_doubled(self.spelled, self.fresh, known)
        column = columns.names.get("label")
        where = f"data.columns.label: the column {column!r}" if column else "data: the labels"
        labels.refuse_identifiers(self.named, known, self.named_rows, where)
        labels.refuse_many(self.fresh, known)

    def told(self, dataset: Dataset) -> Dataset:
        between = (
            f"{dataset.between:,} rows reach from what is held out into what is trained on: they "
            "are on neither side."
        )
        return replace(
            dataset,
            spellings=self.spelled,
            remarks=(
                *self.remarks.sentences,
                *((between,) if dataset.between else ()),
                *filter(None, (told_unlearnable(dataset, self.champion_labels),)),
                *self._repeated(dataset.recurrence),
            ),
            left_out=self.remarks.left_out,
        )

    def _repeated(self, recurrence: Recurrence) -> tuple[str, ...]:
        """A sentence on new rows that are old ones again, input and label, where there are any."""
        again = recurrence.n - recurrence.relabelled
        if not again:
            return ()
        old = {(row.case, row.label) for row in self.rows if not row.new and row.identity}
        first = next(row for row in self.rows if row.new and (row.case, row.label) in old)
        its = [row for row in self.rows if row.file == first.file]
        places = self.where_new.get(first.file, [])
        at = next(number for number, row in enumerate(its) if row is first)
        # Of series and the like rows are others than were read.
        where = places[at] if len(its) == len(places) else "data.updates"
        of = f"{again:,} of {recurrence.of:,}"
        return (f"{where}: an old row again, input and label ({of} new rows).",)

    def join(self, source: AnySource) -> None:
        """Make rows of what reaches over files; of most kinds they are rows already.

        Raises:
            DataError: nothing can be made of them.
        """
        if isinstance(source, Joining):
            self.rows = source.join(self.rows, self.windows, self.remarks)

    def file(  # noqa: PLR0913, PLR0917  # the snapshot's facts beside the file's
        self,
        source: AnySource,
        path: Path,
        file: Named,
        columns: Columns,
        known: frozenset[str],
        since: str,
        inputs: KnownBefore,
    ) -> DataFile:
        """Read a file, all of the same bytes; its rows are added.

        Rows of a new file are new unless they are dated before ``since``. ``inputs`` are those by
        which rows of such files were known before.

        Raises:
            TransientError: DataChanging, somebody wrote while it was read.
        """
        before = Mark.of(path)
        undated = columns if needs_time(source) else columns.without_time()
        if before is not None and before.size > LARGE_BYTES:
            # What is no file of rows is refused before it is read whole.
            glance = SourceFile(
                path,
                file,
                "",
                undated,
                new=False,
                known=False,
                windows=self.windows,
                champion_labels=self.champion_labels,
            )
            next(iter(source.read(glance)), None)
        its_digest = source.digest(path, file)
        trained_on = its_digest in known
        new = file.origin is Origin.UPDATES and not trained_on
        columns = columns if new else undated
        its_file, index = without_index(
            SourceFile(
                path,
                file,
                its_digest,
                columns,
                new=new,
                known=trained_on,
                remarks=self.remarks,
                windows=self.windows,
                champion_labels=self.champion_labels,
            )
        )
        its_file = _known_by(its_file, inputs)
        reader = source.read(its_file)
        rows: list[Row] = []
        try:
            rows += self._rows(reader, file, since if columns.time else "")
        except DataError:
            if Mark.of(path) == before:
                raise
        if Mark.of(path) != before:
            message = (
                f"{file.where} was written while it was read; put files in place whole (write "
                "under another name, then rename)."
            )
            raise TransientError("DataChanging", message)
        if not rows and not reader.may_be_empty:
            message = f"{file.where}: the file holds no rows; remove it or fill it."
            raise DataError("DataEmpty", message)
        self.rows += rows
        if not trained_on:
            strata = [row.stratum for row in rows if row.stratum]
            self.fresh.update(strata)
            if reader.columns:
                self.named.update(strata)
                self.named_rows += len(strata)
        if reader.columns:
            partitions.tell(its_file, reader.columns)
        there = tuple(name for name in reader.columns if name not in index)
        return DataFile(
            file.origin,
            file.name,
            its_digest,
            len(rows),
            new,
            there,
            known_by=tuple(sorted(its_file.known_by)),
        )

    def _rows(self, reader: Reader[Row], file: Named, since: str) -> Iterator[Row]:
        onset = dates.parsed(since) if since else None
        for count, found in enumerate(reader, start=len(self.rows)):
            if count and count % _TOLD_ROWS == 0:
                self.progress.step(count, "rows")
            row = found.row
            where = f"{file.where}, {found.place}" if found.place else file.where
            self.room.take(row, where)
            if row.new:
                self.room.free -= getsizeof(where)
                self.where_new.setdefault(row.file, []).append(where)
            if row.stratum:
                self.places.setdefault(row.stratum, where)
            early = onset is not None and found.time is not None and row.new and found.time < onset
            if early:
                self.remarks.note(f"dated before {since}, so it teaches, but is no new row", where)
            yield replace(row, new=False) if early else row

"""Auto: which share of a file's rows is held out is chosen when it is first seen, and then kept.

What is remembered, in this order: what the champion's training held out of the file; what an
earlier run of this store did, so that two runs under one champion agree, also after a challenger
was rejected; what was held out of an earlier file whose rows it holds, because it was appended to
or renamed. Only what no run has seen is chosen. So a row stays on its side.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from maintenance_contract import Holdout, Sampling, more_held_out
from maintenance_contract.record import record
from maintenance_contract.values import strings, text, whole
from maintenance_trainer.data.folders import Origin
from maintenance_trainer.data.known_by import KnownBefore
from maintenance_trainer.data.rows import MARKS, DataFile, Row, mark, marks_of
from maintenance_trainer.data.shares import BUCKETS, Shares, auto


@dataclass(frozen=True, slots=True)
class Kept:
    """A file of an earlier run, and how many buckets were held out of it.

    ``marks`` are some of its rows; empty where the resource said what is held out.
    """

    origin: Origin
    name: str
    digest: str
    held_out: int
    marks: tuple[str, ...] = ()

    def became(self, file: DataFile, marks: Collection[str]) -> bool:
        """Whether another file, of all whose rows these are the marks, holds the rows of this one.

        Where nothing is known of its rows, a file of the same name does.
        """
        if self.origin is not file.origin:
            return False
        if not self.marks:
            return self.name == file.name
        return 2 * sum(mark in marks for mark in self.marks) >= len(self.marks)


KEPT: Final = record(Kept, name=text(4096), held_out=whole(most=BUCKETS), marks=strings(most=MARKS))
"""As snapshots hold it."""


@dataclass(frozen=True, slots=True)
class Before:
    """What was held out so far.

    ``known`` are digests of the files that the champion was trained on, ``champion`` what its
    training held out and ``fair`` what its ancestors' did, too; ``files`` those of earlier runs.
    ``inputs``: by which columns rows were known.
    """

    known: frozenset[str] = frozenset()
    champion: Shares | None = None
    fair: Shares | None = None
    files: tuple[Kept, ...] = ()
    inputs: KnownBefore = field(default_factory=dict)

    def of(self, file: DataFile, earlier: "_Earlier") -> int | None:
        """Of this very file; None where nobody has seen it.

        That none of it was held out binds nobody but the champion that was trained so.
        """
        if file.digest in self.known:
            return self._of_known(file.origin, file.digest)
        kept = earlier.by_digest.get(file.digest)
        return (kept.held_out or None) if kept else None

    def inherited(self, file: DataFile, marks: Collection[str], earlier: "_Earlier") -> int | None:
        """Of an unseen file that holds rows of earlier ones: as they were, no more and no less.

        More would hold out what was trained on, less would train on what was held out. None where
        it holds rows of none.
        """
        may_be = earlier.related(file, marks)
        shares = [self._of_kept(kept) for kept in may_be if kept.became(file, marks)]
        return min((share for share in shares if share is not None), default=None)

    def _of_kept(self, kept: Kept) -> int | None:
        if kept.digest in self.known:
            return self._of_known(kept.origin, kept.digest)
        return kept.held_out or None

    def _of_known(self, origin: Origin, digest: str) -> int | None:
        """As the champion's training chose; of a percentage by hand, what its ancestors' left."""
        if self.champion is None or self.fair is None:
            return None
        share = self.champion.files.get(digest)
        if share is not None:
            return share
        return min(self.champion.by_origin(origin), self.fair.of(origin, digest))

    def gone(self, files: Sequence[DataFile]) -> tuple[Kept, ...]:
        """Files of earlier runs that are not there, and none of their name: they may come back."""
        digests = {file.digest for file in files}
        names = {(file.origin, file.name) for file in files}
        return tuple(
            kept
            for kept in self.files
            if kept.digest not in digests and (kept.origin, kept.name) not in names
        )


NOTHING_BEFORE: Final = Before()


@dataclass(frozen=True, slots=True)
class _Earlier:
    """Files of earlier runs, found without a look at each: there may be one an image."""

    by_digest: Mapping[str, Kept]
    by_mark: Mapping[str, Sequence[Kept]]
    by_name: Mapping[str, Sequence[Kept]]
    """Those of whose rows nothing is known."""

    @classmethod
    def of(cls, files: Sequence[Kept]) -> "_Earlier":
        by_digest: dict[str, Kept] = {}
        by_mark: dict[str, list[Kept]] = defaultdict(list)
        by_name: dict[str, list[Kept]] = defaultdict(list)
        for kept in files:
            by_digest.setdefault(kept.digest, kept)
            if not kept.marks:
                by_name[kept.name].append(kept)
            for each in kept.marks:
                by_mark[each].append(kept)
        return cls(by_digest, by_mark, by_name)

    def related(self, file: DataFile, marks: Collection[str]) -> set[Kept]:
        """Files that share a row with this one, of all whose rows these are the marks."""
        found = {kept for each in marks for kept in self.by_mark.get(each, ())}
        return found.union(self.by_name.get(file.name, ()))


def chosen(
    files: Sequence[DataFile],
    rows: Sequence[Row],
    holdout: Holdout,
    sampling: Sampling,
    before: Before,
) -> tuple[DataFile, ...]:
    """The files, each with its share where that of its origin is Auto.

    Of the original rows ``held_out_rows`` of all are held out, and of the updates ``held_out_rows``
    of those that are new to the champion: each round needs held-out rows of its own. Of rows
    sampled as Targeted none.
    """
    if not any(auto(holdout, origin) for origin in Origin):
        return tuple(files)
    keys = _keys(rows)
    shares: dict[str, int] = {}
    for origin in Origin:
        if auto(holdout, origin):
            its = [file for file in files if file.origin is origin]
            targeted = origin is Origin.UPDATES and sampling is Sampling.TARGETED
            shares = {**_of_origin(its, rows, keys, before, targeted=targeted), **shares}
    return tuple(
        replace(file, held_out=shares[file.digest], marks=marks_of(keys[file.digest]))
        if auto(holdout, file.origin)
        else file
        for file in files
    )


def fair_to(champion: Shares, files: Sequence[DataFile], strangers: Collection[str] = ()) -> Shares:
    """What was held out of the champion, for these files: all of those that it does not know.

    Of original files that it does not know nothing is taken for granted: they may be a new
    selection of those that it was trained on. ``strangers``: files, by digest, of whose rows it
    cannot be told which were held out.
    """
    champion = replace(champion, files={**champion.files, **dict.fromkeys(strangers, 0)})
    if not champion.files and all(file.held_out is None for file in files):
        return champion
    return Shares(
        champion.original,
        champion.updates,
        {
            file.digest: BUCKETS if file.new else champion.of(file.origin, file.digest)
            for file in files
        },
    )


def _of_origin(
    files: Sequence[DataFile],
    rows: Sequence[Row],
    keys: Mapping[str, Collection[str]],
    before: Before,
    *,
    targeted: bool,
) -> dict[str, int]:
    """By digest, for all files of one origin."""
    shares: dict[str, int] = {}
    earlier = _Earlier.of(before.files)
    for file in files:
        share = 0 if targeted and file.new else before.of(file, earlier)
        if share is None and before.files:
            share = before.inherited(file, set(map(mark, keys[file.digest])), earlier)
        if share is not None:
            shares[file.digest] = share
    unseen = [file for file in files if file.digest not in shares]
    if unseen:
        share = _share(files, unseen, rows, shares, before.known)
        shares |= {file.digest: share for file in unseen}
    return shares


def _share(
    files: Sequence[DataFile],
    unseen: Sequence[DataFile],
    rows: Sequence[Row],
    shares: Mapping[str, int],
    known: frozenset[str],
) -> int:
    """What is held out of unseen files, so that the rows of the origin make up their number."""
    counted = {file.digest for file in files if file.origin is Origin.ORIGINAL or file.new}
    kept, fresh = _texts(rows, counted & shares.keys()), _texts(rows, _digests(unseen))
    seen = {row.learnt_as for row in kept.values()}
    seen |= {row.learnt_as for row in rows if row.file in known}
    fresh = {key: row for key, row in fresh.items() if row.learnt_as not in seen}
    if not fresh:
        # Copies of other rows: on the side where those are.
        return max(shares.values(), default=BUCKETS // 2)
    held_out = sum(row.bucket < shares[row.file] for row in kept.values())
    number = more_held_out(held_out, len(kept), len(fresh))
    buckets = sorted(row.bucket for row in fresh.values())
    share = _holding_out(number, buckets)
    least = _holding_out(-(-number // 2), buckets)
    elsewhere = _labels_elsewhere(rows, unseen)
    share = _leaves_each_label(fresh.values(), elsewhere, share, least)
    return share if shares else min(share, _leaves_two_labels(fresh.values()))


def _holding_out(number: int, buckets: Sequence[int]) -> int:
    """The share that holds out so many of these rows; of those that do, the nearest to their part.

    For as much is held out of rows that are appended later. Never 0, which is what was held out of
    rows sampled as Targeted.
    """
    least = buckets[number - 1] + 1 if number else 0
    return max(1, least, min(buckets[number], BUCKETS * number // len(buckets)))


def _texts(rows: Sequence[Row], digests: Collection[str]) -> dict[str, Row]:
    """A row of each distinct input of these files; where any of them is new, of those."""
    its = [row for row in rows if row.file in digests]
    return {row.key: row for row in [row for row in its if row.new] or its}


def _keys(rows: Iterable[Row]) -> Mapping[str, set[str]]:
    """By file, of all its rows what they are known by in a later one."""
    keys: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        keys[row.file].add(row.trace)
    return keys


def _digests(files: Sequence[DataFile]) -> set[str]:
    return {file.digest for file in files}


def _leaves_two_labels(rows: Collection[Row]) -> int:
    """The share that leaves rows of two labels to train on, where there are two."""
    last: dict[str, int] = {}
    for row in rows:
        last[row.stratum] = max(last.get(row.stratum, 0), row.bucket)
    return sorted(last.values())[-2] if len(last) > 1 else BUCKETS


def _labels_elsewhere(rows: Iterable[Row], unseen: Sequence[DataFile]) -> set[str]:
    """Those of other files that a training on these reads: of updates also the originals."""
    its, of_updates = _digests(unseen), unseen[0].origin is Origin.UPDATES
    return {
        row.stratum
        for row in rows
        if row.file not in its and (of_updates or row.origin is Origin.ORIGINAL)
    }


def _leaves_each_label(
    rows: Collection[Row], elsewhere: Collection[str], share: int, least: int
) -> int:
    """The share, or a smaller one that leaves a row to train on of each label of several.

    Args:
        rows: of unseen files, one of each input.
        elsewhere: labels that other files have.
        share: so many buckets would be held out.
        least: fewer are not: what a label with few rows cannot have then is told.
    """
    buckets: dict[str, list[int]] = defaultdict(list)
    for row in rows:
        buckets[row.stratum].append(row.bucket)
    last = (
        max(its)
        for label, its in buckets.items()
        if label and label not in elsewhere and len(its) > 1
    )
    return min((bucket for bucket in last if least <= bucket < share), default=share)

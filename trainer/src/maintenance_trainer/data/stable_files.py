"""Which files of a folder count: those that can be read and that nobody is still writing.

A file counts once it has been quiet for ``QUIET_SECONDS``. One whose modification time is older
counts at once. A younger one (or one from the future: clocks of servers differ) is looked at a
second time after as many seconds, and counts if size, time and inode are still the same. Names that
begin with a dot or end like a file in the making never count.

An object store shows an object whole or not at all, so there only names matter.

Links are followed as long as they stay below the folder (see files.py), also those to folders; what
two names lead to counts once. Whatever may hold rows and does not count is told, and why.
"""

import contextlib
import os
import re
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from maintenance_contract import LeftOutFile
from maintenance_trainer import files
from maintenance_trainer.data import table_formats
from maintenance_trainer.files import NotAFileError, shown

QUIET_SECONDS: Final = 10.0
MOST_ENTRIES: Final = 200_000
"""Files and folders that are looked at: more are no deliveries."""
UNSETTLED_SUFFIXES: Final = (
    ".tmp",
    ".temp",
    ".part",
    ".partial",
    ".crdownload",
    ".filepart",
    ".swp",
    "~",
)
UNSETTLED_NAMES: Final = ("lost+found", "_temporary")
STILL_WRITTEN: Final = "still being written"
HIDDEN: Final = "hidden: its name begins with a dot"
_MADE: Final = "still being written, by its name"
MAY_COME: Final = (STILL_WRITTEN, HIDDEN, _MADE)
"""Reasons that time may end, or that somebody chose: such files are no mistake."""
_OF_EDITORS: Final = (".swp", "~")
_DASK: Final = re.compile(r"\d+\.part")
_OF_DASK: Final = (
    "named like a file in the making: rename it to end in .csv or .jsonl (Dask: to_csv('w-*.csv'))"
)
"""As ``to_csv`` and ``to_json`` of Dask call what they have written."""
_NOT_UTF8: Final = "its name is not UTF-8: rename it"
_COMPANION: Final = re.compile(
    r"_(success|metadata|common_metadata|started.*|committed.*)"
    r"|(readme|license|licence|notice|changelog|requirements|thumbs|desktop)(\..*)?"
    r"|.*\.(md|rst|crc|md5|sha256|sha512|sha256sum|dvc|yaml|yml|py|html|pdf|log|lock|sig|asc)",
    re.IGNORECASE,
)
"""What lies beside data and holds no rows: documents, markers, checksums."""
_HOW_TO_CONVERT: Final = (
    (
        "",
        (".gz", ".tgz", ".bz2", ".xz", ".zst", ".zip", ".lz4", ".7z", ".tar", ".rar", ".z", ".br"),
        "compressed or packed: unpack it",
    ),
    (
        ".csv",
        (".xlsx", ".xls", ".xlsm", ".xlsb", ".ods", ".numbers"),
        "a spreadsheet: save it as CSV",
    ),
    (".jsonl", (".json",), "JSON that may span lines: write one object a line, as .jsonl"),
    (".csv", (".tsv", ".tab", ".psv"), "not separated by commas: save it as CSV"),
    (
        ".png",
        (".gif", ".bmp", ".tif", ".tiff", ".webp", ".avif", ".heic", ".jp2", ".jpe", ".jfif"),
        "an image in another format: save it as PNG or JPEG, .png or .jpg",
    ),
)
"""Where files with the first ending are read, what to do about those with one of the others."""


@dataclass(frozen=True, slots=True)
class Found:
    """Paths that count, and paths that are still being written; each in order.

    ``left_out``: what does not count though it may hold rows, in the order of its names; files that
    are still being written are among it.
    """

    settled: tuple[Path, ...]
    unsettled: tuple[Path, ...]
    left_out: tuple[LeftOutFile, ...] = ()


class TooManyError(Exception):
    """The folder holds more than ``MOST_ENTRIES``."""


@dataclass(frozen=True, slots=True)
class Mark:
    """What tells one state of a file from another without reading it."""

    size: int
    modified: int
    inode: int

    @classmethod
    def of(cls, path: Path) -> "Mark | None":
        """The file as it is now; None where there is none."""
        try:
            status = path.stat()
        except OSError:
            return None
        return cls(status.st_size, status.st_mtime_ns, status.st_ino)


def find(
    root: Path,
    suffixes: Sequence[str],
    *,
    moving: bool = True,
    clock: Callable[[], float] = time.time,
    wait: Callable[[float], None] = time.sleep,
) -> Found:
    """The files below a folder with one of these suffixes (in small letters).

    ``moving`` False: nobody else writes there, so only names matter.

    Raises:
        OSError: the folder cannot be read.
        TooManyError: it holds too many files.
        TableFoundError: it, or a folder of it, is a table whose log says which files count.
    """
    listing = _Listing(root, tuple(suffixes))
    listing.walk()
    paths = sorted(listing.found)
    marks = {path: Mark.of(path) for path in paths}
    quiet_since = clock() - QUIET_SECONDS
    young = [path for path, mark in marks.items() if mark and mark.modified / 1e9 > quiet_since]
    changed: set[Path] = set()
    if young and moving:
        wait(QUIET_SECONDS)
        changed = {path for path in young if Mark.of(path) != marks[path]}
    writing = [
        LeftOutFile(shown(path.relative_to(root).as_posix()), STILL_WRITTEN) for path in changed
    ]
    return Found(
        tuple(path for path, mark in marks.items() if mark and path not in changed),
        tuple(path for path in marks if path in changed),
        tuple(sorted([*listing.left_out, *writing], key=lambda file: file.name)),
    )


def counts_by_name(name: str) -> bool:
    """Whether a file or folder of this name may count."""
    return not (
        name.startswith(".") or name.lower().endswith(UNSETTLED_SUFFIXES) or name in UNSETTLED_NAMES
    )


def why_not(name: str, suffixes: tuple[str, ...]) -> str | None:
    """Why a file of this path does not count; empty where it holds no rows; None where it counts.

    Args:
        name: the path below the folder, with slashes.
        suffixes: of the files that are read, in small letters.
    """
    *folders, last = name.split("/")
    low = last.lower()
    readable = low.endswith(suffixes)
    if not files.is_text(name):
        return _NOT_UTF8 if readable or not _COMPANION.fullmatch(last) else ""
    if any(part.startswith(".") for part in (*folders, last)):
        return HIDDEN if readable else ""
    if not all(map(counts_by_name, (*folders, last))):
        return _why_in_the_making(low, suffixes)
    if readable:
        return None
    return "" if _COMPANION.fullmatch(last) else _how_to_convert(low, suffixes)


def _why_in_the_making(name: str, suffixes: tuple[str, ...]) -> str:
    """Of a name that does not count; one that will have no ending may hold rows, too."""
    if ".csv" in suffixes and _DASK.fullmatch(name):
        return _OF_DASK
    finished = _finished(name)
    may_hold_rows = "." not in finished and name != finished and not name.endswith(_OF_EDITORS)
    if finished.endswith(suffixes) or (may_hold_rows and not _COMPANION.fullmatch(finished)):
        return _MADE
    return ""


def _finished(name: str) -> str:
    """The name that a file in the making will have."""
    name = name.rstrip("~")
    return next((name.removesuffix(s) for s in UNSETTLED_SUFFIXES if name.endswith(s)), name)


def _how_to_convert(name: str, suffixes: tuple[str, ...]) -> str:
    return next(
        (
            how
            for wanted, endings, how in _HOW_TO_CONVERT
            if name.endswith(endings) and (not wanted or wanted in suffixes)
        ),
        f"none of {', '.join(suffixes)}",
    )


@dataclass(slots=True)
class _Listing:
    """A walk over a folder: links last, so that what they lead to has its own name first."""

    root: Path
    suffixes: tuple[str, ...]
    found: list[Path] = field(default_factory=list)
    left_out: list[LeftOutFile] = field(default_factory=list)
    _within: Path = field(init=False)
    _folders: deque[Path] = field(default_factory=deque)
    _links: deque[Path] = field(default_factory=deque)
    _seen: set[Path] = field(default_factory=set)
    _count: int = 0

    def walk(self) -> None:
        self._within = files.boundary(self.root)
        self._enter(self.root)
        while self._folders or self._links:
            if self._folders:
                folder = self._folders.popleft()
                try:
                    self._enter(folder)
                except OSError as error:
                    self._leave(folder, f"cannot be opened: {error.strerror or error}")
            else:
                self._follow(self._links.popleft())

    def _enter(self, folder: Path) -> None:
        where = folder.resolve(strict=True)
        if where in self._seen:
            return
        self._seen.add(where)
        with os.scandir(folder) as entries:
            its = sorted(entries, key=lambda entry: entry.name)
        self._refuse_table(folder, _folders(its))
        for entry in its:
            self._count += 1
            if self._count > MOST_ENTRIES:
                raise TooManyError
            self._look(Path(folder, entry.name), entry)

    def _refuse_table(self, folder: Path, names: Collection[str]) -> None:
        path = folder.relative_to(self.root).as_posix()
        table = table_formats.of_folder(
            "" if path == "." else path, names, lambda name: _names(folder / name)
        )
        if table is not None:
            raise table_formats.TableFoundError(table)

    def _look(self, path: Path, entry: os.DirEntry[str]) -> None:
        if entry.is_dir(follow_symlinks=False):
            if counts_by_name(entry.name):
                self._folders.append(path)
            else:
                self._look_into(path)
        elif entry.is_symlink():
            self._links.append(path)
        else:
            with contextlib.suppress(FileNotFoundError):  # it is gone by now
                self._take(path, entry.stat(follow_symlinks=False))

    def _look_into(self, folder: Path) -> None:
        """A folder that does not count by its name: tell the files of it that would."""
        if folder.name.startswith("..") or not files.is_text(folder.name):
            return  # the versions of a ConfigMap volume; its files are linked to
        for name in _names(folder)[:MOST_ENTRIES]:
            if self._why_not(Path(folder, name)):
                self._leave(Path(folder, name), self._why_not(Path(folder, name)) or "")

    def _follow(self, link: Path) -> None:
        try:
            target = files.real(link, self._within)
            status = target.stat()
        except OSError as error:
            # A link that leads out may be a folder of rows, so its ending does not matter.
            if counts_by_name(link.name) and self._why_not(link) != "":
                self._leave(link, error.strerror or "cannot be followed")
            return
        if not target.is_dir():
            self._take(link, status, target)
        elif counts_by_name(link.name):
            self._folders.append(link)

    def _take(self, path: Path, status: os.stat_result, target: Path | None = None) -> None:
        why = self._why_not(path)
        if why is not None:
            if why:
                self._leave(path, why)
            return
        try:
            files.refuse_odd(status)
        except NotAFileError as error:
            self._leave(path, str(error.strerror))
            return
        where = target or path.parent.resolve() / path.name
        if where not in self._seen:
            self._seen.add(where)
            self.found.append(path)

    def _why_not(self, path: Path) -> str | None:
        return why_not(path.relative_to(self.root).as_posix(), self.suffixes)

    def _leave(self, path: Path, why: str) -> None:
        self.left_out.append(LeftOutFile(shown(path.relative_to(self.root).as_posix()), why))


def _folders(entries: Iterable[os.DirEntry[str]]) -> set[str]:
    """The names of those that are folders themselves, and no links."""
    return {entry.name for entry in entries if entry.is_dir(follow_symlinks=False)}


def _names(folder: Path) -> list[str]:
    """Of the files of a folder; none where it cannot be read."""
    try:
        with os.scandir(folder) as entries:
            return sorted(entry.name for entry in entries if not entry.is_dir())
    except OSError:
        return []

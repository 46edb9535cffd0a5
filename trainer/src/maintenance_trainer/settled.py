"""Which files of a folder count: those that nobody is still writing.

A file counts once it has been quiet for ``QUIET_SECONDS``. One whose modification time is older
counts at once. A younger one (or one from the future: clocks of servers differ) is looked at a
second time after as many seconds, and counts if size, time and inode are still the same. Names that
begin with a dot or end like a file in the making never count.

An object store shows an object whole or not at all, so there only names matter.
"""

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

QUIET_SECONDS: Final = 10.0
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


@dataclass(frozen=True, slots=True)
class Found:
    """Paths that count, and paths that are still being written; each in order."""

    settled: tuple[Path, ...]
    unsettled: tuple[Path, ...]


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
    """
    marks = {path: Mark.of(path) for path in _walk(root, tuple(suffixes))}
    quiet_since = clock() - QUIET_SECONDS
    young = [path for path, mark in marks.items() if mark and mark.modified / 1e9 > quiet_since]
    changed: set[Path] = set()
    if young and moving:
        wait(QUIET_SECONDS)
        changed = {path for path in young if Mark.of(path) != marks[path]}
    return Found(
        tuple(path for path, mark in marks.items() if mark and path not in changed),
        tuple(path for path in marks if path in changed),
    )


def counts_by_name(name: str) -> bool:
    """Whether a file or folder of this name may count."""
    return not (
        name.startswith(".") or name.lower().endswith(UNSETTLED_SUFFIXES) or name in UNSETTLED_NAMES
    )


def _walk(root: Path, suffixes: tuple[str, ...]) -> list[Path]:
    found: list[Path] = []
    for folder, folders, names in os.walk(root):
        folders[:] = [name for name in folders if counts_by_name(name)]
        found += [
            Path(folder, name)
            for name in names
            if counts_by_name(name) and name.lower().endswith(suffixes)
        ]
    return sorted(found)

"""Files of a folder, and none from elsewhere: whoever fills a volume chooses what lies in it.

A link is followed as long as it stays below the folder, as ConfigMap volumes (``..data``) and
git-sync make them. One that leads out could name a Secret, another team's volume or
``/proc/self/environ``, so it is not read. Only regular files are read: a named pipe or a device
would never end.

The cache of the Hugging Face Hub keeps the files of ``models--x/snapshots/<revision>`` as links
into ``models--x/blobs``: there ``models--x`` is what a link may not leave.
"""

import hashlib
import os
import stat
from pathlib import Path
from typing import BinaryIO, Final

MOST_NAME: Final = 120
"""Characters of a file's name in a message."""
_BLOCK: Final = 2**20
_SNAPSHOTS: Final = "snapshots"
_MODELS: Final = "models--"
_FOLDER: Final = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE: Final = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC
_KINDS: Final = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISLNK, "a link that changed while it was looked at"),
)


class NotAFileError(OSError):
    """What a name leads to is no regular file below the folder; ``strerror`` says what it is."""

    def __init__(self, what: str) -> None:
        super().__init__(None, what)


class TooLargeError(NotAFileError):
    """A file that is read whole is larger than any such file is."""


def boundary(folder: Path) -> Path:
    """What a link of this folder may not leave.

    Raises:
        OSError: there is no such folder.
    """
    real = folder.resolve(strict=True)
    if real.parent.name == _SNAPSHOTS and real.parent.parent.name.startswith(_MODELS):
        return real.parent.parent
    return real


def real(path: Path, within: Path) -> Path:
    """Where a path leads, every link followed.

    Args:
        path: a file or folder; links in it are followed.
        within: a folder without links in its path (see ``boundary``).

    Raises:
        NotAFileError: out of the folder, nowhere, or in a circle.
        OSError: the way there cannot be walked.
    """
    try:
        found = path.resolve(strict=True)
    except RuntimeError:  # how Python before 3.13 tells a circle
        raise NotAFileError("is a link that leads in a circle") from None
    except FileNotFoundError:
        if path.is_symlink():
            raise NotAFileError("is a link that leads nowhere") from None
        raise
    if not found.is_relative_to(within):
        raise NotAFileError("is a link that leads out of its folder")
    return found


def opened(path: Path) -> BinaryIO:
    """A regular file, opened for reading.

    Args:
        path: as ``real`` tells it: absolute, without links. One that has been put there since is
            not followed.

    Raises:
        NotAFileError: it is none.
        OSError: it cannot be opened.
    """
    folder = os.open(path.anchor, _FOLDER)
    try:
        for part in path.parts[1:-1]:
            below = os.open(part, _FOLDER, dir_fd=folder)
            os.close(folder)
            folder = below
        # Before it is opened: to open a device can already do something.
        refuse_odd(os.stat(path.name, dir_fd=folder, follow_symlinks=False))
        handle = os.open(path.name, _FILE, dir_fd=folder)
    finally:
        os.close(folder)
    file = os.fdopen(handle, "rb")
    try:
        refuse_odd(os.fstat(handle))
    except NotAFileError:
        file.close()
        raise
    return file


def refuse_odd(status: os.stat_result) -> None:
    """Refuse what is no regular file.

    Raises:
        NotAFileError: it says what it is.
    """
    if not stat.S_ISREG(status.st_mode):
        what = next((what for is_one, what in _KINDS if is_one(status.st_mode)), "a device")
        raise NotAFileError(f"is {what}, not a file")


def read(path: Path, within: Path, most: int) -> bytes:
    """A small file below a folder, whole.

    Raises:
        TooLargeError: it has more than ``most`` bytes.
        NotAFileError: it is none, or lies elsewhere.
        OSError: it cannot be read.
    """
    with opened(real(path, within)) as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise TooLargeError(f"has more than {most:,} bytes")
    return content


def is_text(name: str) -> bool:
    """Whether a file's name is UTF-8, so that it can be written down."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def shown(name: str) -> str:
    """A file's name as a message may hold it: short, printable, and valid text."""
    text = name.encode("utf-8", "backslashreplace").decode()
    text = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    if len(text) > MOST_NAME:
        half = MOST_NAME // 2 - 1
        text = f"{text[:half]}…{text[-half:]}"
    return text


def sha256(path: Path) -> str:
    """``sha256:…`` of a file's bytes, a block at a time.

    Raises:
        OSError: it cannot be read.
    """
    running = hashlib.sha256()
    with opened(path) as file:
        while block := file.read(_BLOCK):
            running.update(block)
    return "sha256:" + running.hexdigest()

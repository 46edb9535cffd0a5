"""The folders of the data: which of their files are read, and where each of them lies."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Final

from maintenance_contract import DataRef, LeftOut, LeftOutFile
from maintenance_trainer import files
from maintenance_trainer.data import stable_files, table_formats
from maintenance_trainer.errors import DataError, TransientError
from maintenance_trainer.files import NotAFileError
from maintenance_trainer.locations import Places

LATE: Final = "still being written, or late: the next run reads it"


class Origin(StrEnum):
    """Where a file lies."""

    ORIGINAL = "original"
    UPDATES = "updates"


@dataclass(frozen=True, slots=True)
class Named:
    """A file by its folder and its name there."""

    origin: Origin
    name: str

    @property
    def where(self) -> str:
        """As messages name it."""
        return f"{self.origin}/{files.shown(self.name)}"


def left_out(
    data: DataRef,
    places: Places,
    read: Collection[tuple[Origin, str]],
    suffixes: tuple[str, ...],
) -> tuple[LeftOutFile, ...]:
    """What lies among the data and was not read, the updates' first, as it is now.

    Args:
        data: where the data lie.
        places: where they are for this process.
        read: the files that were.
        suffixes: of files that hold rows, in small letters.

    Raises:
        DataError: DataMissing, DataUnreadable, DataTooLarge.
    """
    told: list[LeftOutFile] = []
    for origin in (Origin.UPDATES, Origin.ORIGINAL):
        root, found = find(data, origin, places, suffixes, moving=False)
        names = (path.relative_to(root).as_posix() for path in found.settled)
        late = [
            LeftOutFile(files.shown(name), LATE) for name in names if (origin, name) not in read
        ]
        told += [replace(left, name=f"{origin}/{left.name}") for left in (*found.left_out, *late)]
    return tuple(told)


def root_of(
    data: DataRef, origin: Origin, places: Places, suffixes: tuple[str, ...]
) -> tuple[Path, bool]:
    """The folder, and whether files can still be in the making there."""
    uri, secret = (
        (data.original, data.original_secret)
        if origin is Origin.ORIGINAL
        else (data.updates, data.updates_secret)
    )
    try:
        root, moving = places.data(uri, secret, suffixes)
    except NotAFileError as error:
        message = f"data.{origin}: {uri} {error.strerror}; name the folder itself."
        raise DataError("DataMissing", message) from None
    if not root.is_dir():
        message = (
            f"data.{origin}: the folder {uri} does not exist; mend the URI, or create the "
            f"folder{' (it may be empty)' if origin is Origin.UPDATES else ''}."
        )
        raise DataError("DataMissing", message)
    return root, moving


def find(
    data: DataRef,
    origin: Origin,
    places: Places,
    suffixes: tuple[str, ...],
    *,
    moving: bool = True,
) -> tuple[Path, stable_files.Found]:
    """The folder, and what lies in it.

    Raises:
        DataError: DataMissing, DataTooLarge, DataUnreadable.
    """
    root, can_move = root_of(data, origin, places, suffixes)
    where = f"data.{origin}: {getattr(data, origin)}"
    try:
        found = stable_files.find(root, suffixes, moving=moving and can_move)
    except stable_files.TooManyError:
        message = (
            f"{where} holds more than {stable_files.MOST_ENTRIES:,} files and folders; put the "
            "rows of many into one."
        )
        raise DataError("DataTooLarge", message) from None
    except table_formats.TableFoundError as error:
        raise error.table.refused(where) from None
    except OSError as error:
        message = (
            f"{where} cannot be read ({error.strerror or error}); the trainer's user is 65532."
        )
        raise DataError("DataUnreadable", message) from None
    return root, replace(found, left_out=(*found.left_out, *places.left_out(root)))


def refuse_nothing(
    origin: Origin, found: stable_files.Found, data: DataRef, suffixes: Sequence[str]
) -> None:
    """Refuse a folder without a file to read, where there must be one or one is meant to be."""
    hopeless = [left for left in found.left_out if left.why not in stable_files.MAY_COME]
    if found.settled or (origin is Origin.UPDATES and not hopeless):
        return
    told = LeftOut.of(found.left_out).told()
    put = "put the labelled rows of the first training there"
    if origin is Origin.UPDATES:
        put = "mend these files, or remove them where no rows are meant to come from them"
    message = (
        f"data.{origin}: {getattr(data, origin)} holds no settled {', '.join(suffixes[:-1])} "
        f"or {suffixes[-1]} file{f'. Not read: {told}' if told else ''}; {put}."
    )
    raise DataError("DataUnreadable" if hopeless else "DataEmpty", message)


def place(path: Path, root: Path, file: Named) -> Path:
    """Where a file lies, links followed."""
    try:
        return files.real(path, files.boundary(root))
    except OSError as error:
        message = f"{file.where} {error.strerror or error}; it was a file when it was listed."
        raise TransientError("DataChanging", message) from None


def digest_of(path: Path, root: Path, file: Named, digest: Callable[[Path, Named], str]) -> str:
    """Of a file that was there once; empty where it is no more."""
    try:
        real = files.real(path, files.boundary(root))
        files.refuse_odd(real.stat())
    except OSError:
        return ""
    return digest(real, file)

"""Labelled images: files in folders named after their class, and Parquet as ``datasets`` writes it.

An image that cannot be decoded is left out by name and counted: one torn file among thousands is no
reason to learn nothing. What is wrong with a whole file of rows, or with a label, is refused.
"""

import hashlib
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Final

from typing_extensions import override  # of torch; typing has it from Python 3.12 on

from maintenance_contract import Task, Windows
from maintenance_contract.kinds import ROLES
from maintenance_trainer import files
from maintenance_trainer.data import labels, reading
from maintenance_trainer.data.cells import CellReader, Record, kind_of
from maintenance_trainer.data.class_names import ClassNames
from maintenance_trainer.data.folders import Named
from maintenance_trainer.data.remarks import Remarks
from maintenance_trainer.data.rows import Row
from maintenance_trainer.data.sources import Found, Reader, SourceFile
from maintenance_trainer.errors import DataError, TransientError
from maintenance_trainer.model_field import Given
from maintenance_trainer.tasks import alike_images, images
from maintenance_trainer.tasks.huggingface import folder
from maintenance_trainer.tasks.images import Format, Looked, UnreadableImageError

_BYTES: Final = "bytes"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageRow(Row):
    """A labelled image; its key is that of ``images.look``.

    ``hidden`` is that of ``images.look``, too. ``known``: a version was trained on its file.
    ``content`` are the bytes of an image in a cell; a file of its own is read when it is needed,
    for all of them may be more than the memory.
    """

    format: Format
    hidden: str = ""
    known: bool = field(default=False, compare=False)
    content: bytes = b""
    path: Path | None = None

    @property
    @override
    def size(self) -> int:
        return sys.getsizeof(self.content)

    def read(self) -> bytes:
        """The bytes of the image, as they were when it was looked at.

        Raises:
            TransientError: DataChanging, its file is gone or was rewritten.
        """
        if self.path is None:
            return self.content
        try:
            content = _whole(self.path)
        except OSError as error:
            raise _changing(self.path, error.strerror or str(error)) from None
        if _digest(self.label, content) != self.file:
            raise _changing(self.path, "was rewritten")
        return content


class Images:
    """Files of images, and files of rows with an image in each."""

    roles = ROLES[Task.IMAGE_CLASSIFICATION]
    suffixes = (*images.SUFFIXES, *reading.PARQUET_SUFFIXES)

    def check_model(self, uri: str, model: Path, given: Given) -> None:
        """A folder in Hugging Face's format."""
        folder.check_classifier(uri, model, given)

    def digest(self, path: Path, file: Named) -> str:
        """``sha256:…`` of an image and its label, or of a file of rows.

        Raises:
            DataError: LabelMissing, DataUnreadable.
        """
        if _has_rows(file):
            return reading.sha256(path, file.where)
        return _digest(_class_of(file), _read(path, file))

    def read(self, source: SourceFile) -> Reader[ImageRow]:
        """The rows of a file."""
        return _Cells(source) if _has_rows(source.file) else _File(source)

    def join(
        self, rows: list[ImageRow], windows: Windows | None, remarks: Remarks
    ) -> list[ImageRow]:
        """The same rows, all together looked at; see ``Joining``.

        Raises:
            DataError: DataUnreadable, most of them look alike to a model only.
        """
        del windows
        alike_images.check(rows, remarks)
        return rows


SOURCE: Final = Images()


class _File:
    """One image in a file of its own."""

    columns: tuple[str, ...] = ()
    may_be_empty = True

    def __init__(self, source: SourceFile) -> None:
        self._source = source

    def __iter__(self) -> Iterator[Found[ImageRow]]:
        source = self._source
        label, content = _class_of(source.file), _read(source.path, source.file)
        looked = _looked(content, source, "")
        if looked is not None:
            yield Found("", _row(source, label, looked, path=source.path))


class _Cells:
    """A Parquet file with an image in each row."""

    may_be_empty = True

    def __init__(self, source: SourceFile) -> None:
        self._source = source
        self._records = reading.Records.of(source)

    @property
    def columns(self) -> tuple[str, ...]:
        return self._records.columns

    def __iter__(self) -> Iterator[Found[ImageRow]]:
        source = self._source
        names = ClassNames(source, always=True)
        cells = CellReader(
            source.file.where,
            source.columns,
            source.known,
            source.remarks,
            _cell(source.columns["image"]),
            classes=source.champion_labels,
        )
        for place, record in self._records:
            found = cells.read(place, names.given_to(record, place))
            looked = _looked(found.content, source, place) if found else None
            if found is not None and looked is not None:
                row = _row(source, found.label, looked, content=found.content)
                yield Found(place, row, found.time)


def _has_rows(file: Named) -> bool:
    return file.name.lower().endswith(reading.PARQUET_SUFFIXES)


def _row(
    source: SourceFile,
    label: str,
    looked: Looked,
    *,
    content: bytes = b"",
    path: Path | None = None,
) -> ImageRow:
    return ImageRow(
        label=sys.intern(label),
        key=looked.key,
        origin=source.file.origin,
        new=source.new,
        file=source.digest,
        format=looked.format,
        hidden=looked.hidden,
        known=source.known,
        content=content,
        path=path,
    )


def _looked(content: bytes, source: SourceFile, place: str) -> Looked | None:
    """None for what is no image: it is named and left out."""
    try:
        return images.look(content)
    except UnreadableImageError as error:
        name = f"{source.file.where}, {place}" if place else source.file.where
        source.remarks.leave_out(name, str(error))
    return None


# --- Files -------------------------------------------------------------------------------


def _class_of(file: Named) -> str:
    """The name of the folder that an image lies in.

    Raises:
        DataError: LabelMissing, DataUnreadable.
    """
    label = labels.spelled(PurePosixPath(file.name).parent.name) or ""
    if not labels.visible(label):
        message = (
            f"{file.where}: the image lies in no folder of a class; move it into one that is "
            f"named after its label, as {file.origin}/cat/{files.shown(file.name)}."
        )
        raise DataError("LabelMissing", message)
    if fault := labels.fault(label):
        message = f"{file.where}: the name of its folder, which is its label, {fault}; rename it."
        raise DataError("DataUnreadable", message)
    return label


def _read(path: Path, file: Named) -> bytes:
    try:
        return _whole(path)
    except OSError as error:
        raise DataError("DataUnreadable", f"{file.where}: {error.strerror or error}.") from None


def _whole(path: Path) -> bytes:
    """A byte more than an image may have, at most: enough to know that it is none."""
    with files.opened(path) as file:
        return file.read(images.MOST_BYTES + 1)


def _digest(label: str, content: bytes) -> str:
    running = hashlib.sha256(f"{label}\0".encode())
    running.update(content)
    return f"sha256:{running.hexdigest()}"


def _changing(path: Path, what: str) -> TransientError:
    message = (
        f"{files.shown('/'.join(path.parts[-2:]))}: the image {what} since it was looked at; "
        "never change a file once it is there, add another."
    )
    return TransientError("DataChanging", message)


# --- Cells -------------------------------------------------------------------------------


def _cell(column: str) -> Callable[[Record, str], bytes]:
    """Reads the bytes of an image: binary, or an object of bytes and the path that it came from."""

    def content(record: Record, where: str) -> bytes:
        value = record[column]
        found = value.get(_BYTES) if isinstance(value, Mapping) and _BYTES in value else value
        if isinstance(found, bytes):
            return found
        if value is None:
            return b""
        where = f"{where}, column {column!r}"
        if isinstance(value, Mapping) and _BYTES in value:
            message = (
                f"{where}: there is the path of a file and no image; write the images themselves "
                "into the file (datasets' to_parquet does)."
            )
        else:
            message = (
                f"{where}: an image is expected as bytes, or as datasets writes it, not "
                f"{kind_of(value)}; write the bytes of a PNG or JPEG file."
            )
        raise DataError("DataUnreadable", message)

    return content

"""How a store keeps files: in a folder, or as objects of a bucket. Both keep the same promises.

A small file is there whole or not at all; ``create`` never overwrites; a version that is there is
complete, its manifest comes last; no two writers get the same number.
"""

import contextlib
import os
import shutil
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, Protocol

from maintenance_contract.paths import MANIFEST_FILE, version_directory
from maintenance_trainer import files
from maintenance_trainer.errors import ConfigurationError, TrainerError
from maintenance_trainer.files import NotAFileError
from maintenance_trainer.store.bucket import Bucket, safe_name

UNFINISHED: Final = ".writing-"
FORGOTTEN_SECONDS: Final = 86_400
NUMBERS: Final = "numbers"
"""In a bucket: an object ``numbers/<n>`` for each number that a writer took."""


MOST_TEXT: Final = 256 * 2**20
"""Bytes of a snapshot of very many files; whatever else the store reads is far smaller."""
_MOST_DIGITS: Final = 15


def is_number(name: str) -> bool:
    """Whether a folder is called by a number that somebody counted to."""
    return name.isascii() and name.isdecimal() and len(name) <= _MOST_DIGITS


class StoreFiles(Protocol):
    """What a store needs of the place that it lies in. ``root`` is where versions are read."""

    root: Path

    def create(self, name: str, text: str) -> None:
        """Write a small file. Raises FileExistsError where it is there already."""

    def replace(self, name: str, text: str) -> None:
        """Write a small file, whatever was there."""

    def read(self, name: str) -> str | None:
        """A small file; None where there is none."""

    def numbers(self, folder: str) -> set[int]:
        """Numbers of the runs, or of the finished versions."""

    def workplace(self) -> Path:
        """An empty folder to make a version in."""

    def publish(self, folder: Path, manifest: str) -> int:
        """Make a version of a folder, under the next number that is free."""

    def fetch(self, version: int, names: list[str]) -> None:
        """See to it that a version's files are in ``root``, as far as the place has them."""


class FolderFiles:
    """A store in a folder, which no link leads out of. Raises OSError."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for folder in ("versions", "runs"):
            (root / folder).mkdir(parents=True, exist_ok=True)
            self._place_of(f"{folder}/")

    def create(self, name: str, text: str) -> None:
        """Write it beside its place, flush it, link it there."""
        (self.root / name).parent.mkdir(exist_ok=True)
        _place(self._place_of(name), text, replace=False)

    def replace(self, name: str, text: str) -> None:
        """Write it beside its place, flush it, move it there."""
        _place(self._place_of(name), text, replace=True)

    def read(self, name: str) -> str | None:
        """Its text."""
        try:
            return files.read(self.root / name, files.boundary(self.root), MOST_TEXT).decode()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except NotAFileError as error:
            raise _named(name, error) from None

    def _place_of(self, name: str) -> Path:
        """Where a file is to be written, links in the way to it followed."""
        path = self.root / name
        folder = path if name.endswith("/") else path.parent
        try:
            return files.real(folder, files.boundary(self.root)) / path.name
        except NotAFileError as error:
            raise _named(folder.relative_to(self.root).as_posix(), error) from None

    def numbers(self, folder: str) -> set[int]:
        """A version has its number once it is complete."""
        return {
            int(path.name) for path in (self.root / folder).glob("[0-9]*") if is_number(path.name)
        }

    def workplace(self) -> Path:
        """On the same file system, so that it can be renamed."""
        self._sweep()
        return Path(tempfile.mkdtemp(dir=self.root / "versions", prefix=UNFINISHED))

    def publish(self, folder: Path, manifest: str) -> int:
        """Rename the folder; a name that is taken refuses."""
        _place(folder / MANIFEST_FILE, manifest, replace=False)
        number = max(self.numbers("versions"), default=0)
        while True:
            number += 1
            target = self.root / version_directory(number)
            try:
                folder.rename(target)
            except OSError:
                if not target.exists():
                    raise
            else:
                return number

    def fetch(self, version: int, names: list[str]) -> None:
        """They are there."""

    def _sweep(self) -> None:
        """Remove what killed trainers left, once nobody can be writing it any more."""
        for folder in (self.root / "versions").glob(f"{UNFINISHED}*"):
            with contextlib.suppress(FileNotFoundError):  # another trainer sweeps, too
                if time.time() - folder.lstat().st_mtime > FORGOTTEN_SECONDS:
                    shutil.rmtree(folder, ignore_errors=True)


class BucketFiles:
    """A store in a bucket; ``root`` is a scratch folder. Raises TrainerError."""

    def __init__(self, bucket: Bucket, scratch: Path) -> None:
        self.root = scratch
        self._bucket = bucket

    def create(self, name: str, text: str) -> None:
        """A conditional write: If-None-Match."""
        self._bucket.create(name, text.encode())

    def replace(self, name: str, text: str) -> None:
        """An object is replaced whole."""
        self._bucket.put(name, text.encode())

    def read(self, name: str) -> str | None:
        """Its text."""
        content = self._bucket.read(name)
        return None if content is None else content.decode("utf-8")

    def numbers(self, folder: str) -> set[int]:
        """A version has its number once its manifest is there."""
        return {
            int(parts[1])
            for found in self._bucket.list(folder)
            if len(parts := found.name.split("/")) > 1
            and is_number(parts[1])
            and (folder != "versions" or parts[2:] == [MANIFEST_FILE])
        }

    def workplace(self) -> Path:
        """A scratch folder."""
        return Path(tempfile.mkdtemp(dir=self.root, prefix=UNFINISHED))

    def publish(self, folder: Path, manifest: str) -> int:
        """Take a number, upload the files, and the manifest last."""
        self._sweep()
        number = self._take_number()
        target = version_directory(number)
        paths = sorted(path for path in folder.rglob("*") if path.is_file())
        names = [f"{target}/{path.relative_to(folder).as_posix()}" for path in paths]
        try:
            for name, path in zip(names, paths, strict=True):
                self._bucket.put(name, path)
            self._seal(f"{target}/{MANIFEST_FILE}", manifest)
        except BaseException:
            self._withdraw(names)
            raise
        kept = self.root / target
        kept.parent.mkdir(exist_ok=True)
        folder.rename(kept)
        _place(kept / MANIFEST_FILE, manifest, replace=False)
        return number

    def fetch(self, version: int, names: list[str]) -> None:
        """Download what is not here yet."""
        there = {found.name for found in self._bucket.list(version_directory(version))}
        for name in names:
            whole = f"{version_directory(version)}/{name}"
            if safe_name(name) and whole in there and not (self.root / whole).exists():
                self._bucket.download(whole, self.root / whole)

    def _seal(self, name: str, manifest: str) -> None:
        try:
            self._bucket.create(name, manifest.encode())
        except FileExistsError:
            # A request that was sent twice, its first answer lost, finds its own work.
            if self.read(name) != manifest:
                message = f"{self._bucket.uri}/{name} is there, though its number was free."
                raise ConfigurationError("StoreUnwritable", message) from None

    def _take_number(self) -> int:
        number = max(self._taken() | self.numbers("versions"), default=0)
        while True:
            number += 1
            try:
                self._bucket.create(f"{NUMBERS}/{number}", b"")
            except FileExistsError:
                continue
            return number

    def _taken(self) -> set[int]:
        names = (found.name.partition("/")[2] for found in self._bucket.list(NUMBERS))
        return {int(name) for name in names if is_number(name)}

    def _withdraw(self, names: list[str]) -> None:
        """What is half there does not count; try not to leave it either."""
        try:
            self._bucket.delete(names)
        except TrainerError:
            return

    def _sweep(self) -> None:
        """Remove what killed trainers left, once nobody can be writing it any more."""
        long_ago = datetime.now(UTC) - timedelta(seconds=FORGOTTEN_SECONDS)
        finished = {version_directory(number) for number in self.numbers("versions")}
        self._bucket.delete(
            [
                found.name
                for found in self._bucket.list("versions")
                if found.modified < long_ago and "/".join(found.name.split("/")[:2]) not in finished
            ]
        )


def _named(name: str, error: NotAFileError) -> NotAFileError:
    return NotAFileError(f"{name} {error.strerror}")


def _place(path: Path, text: str, *, replace: bool) -> None:
    """Write a small file so that it is there whole or not at all.

    Raises:
        FileExistsError: it is there already and may not be replaced.
    """
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(0o644)
        if replace:
            Path(name).replace(path)
        else:
            path.hardlink_to(name)
    finally:
        Path(name).unlink(missing_ok=True)

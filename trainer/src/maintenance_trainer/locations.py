"""Every place as a local folder: claims are mounted, objects and models of a hub are fetched."""

import atexit
import fnmatch
import shutil
import tempfile
from collections.abc import Callable, Collection, Sequence
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

from maintenance_contract import LeftOutFile, StorageUri
from maintenance_contract.paths import SECRETS_ROOT
from maintenance_trainer import files, hub, model_folder
from maintenance_trainer.data import stable_files, table_formats
from maintenance_trainer.errors import DataError
from maintenance_trainer.files import NotAFileError
from maintenance_trainer.model_field import Given
from maintenance_trainer.store.bucket import Bucket, Object, safe_name

Fetch = Callable[[StorageUri, str, str], Path]


class Places:
    """Where things are for this process, and the scratch folder that fetched ones lie in.

    Args:
        claims_root: where volume claims are mounted.
        secrets_root: where Secrets are mounted.
        tell: told of what takes long.
    """

    def __init__(
        self,
        claims_root: str,
        secrets_root: str = SECRETS_ROOT,
        tell: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.claims_root = claims_root
        self.secrets_root = secrets_root
        self.tell = tell
        self._scratch: Path | None = None
        self._fetched: dict[tuple[str, str, str], Path] = {}
        self._left_out: dict[Path, tuple[LeftOutFile, ...]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Remove what was fetched."""
        if self._scratch is not None:
            shutil.rmtree(self._scratch, ignore_errors=True)
        self._scratch = None
        self._fetched.clear()

    def data(self, uri: str, secret: str, suffixes: tuple[str, ...]) -> tuple[Path, bool]:
        """A folder of data files, and whether they can still be in the making there.

        Args:
            uri: where they lie.
            secret: the mounted Secret that opens it.
            suffixes: of the files that hold rows, in small letters.
        """
        place = StorageUri.parse(uri)
        if place.mounted:
            return self.mounted(place), True
        return self._once(place, secret, "", partial(self._data, suffixes)), False

    def left_out(self, folder: Path) -> tuple[LeftOutFile, ...]:
        """Objects that are not in a folder of data though they lie in its place."""
        return self._left_out.get(folder, ())

    def mounted(self, place: StorageUri) -> Path:
        """The folder of a place that is among the files, without links in its path.

        Raises:
            NotAFileError: a link in it leads out of the volume.
        """
        folder = Path(place.local_path(self.claims_root))
        if place.scheme != "pvc":
            return folder.resolve()
        volume = Path(self.claims_root, place.claim).resolve()
        try:
            return files.real(folder, volume)
        except FileNotFoundError:
            pass
        # Somebody may be about to make it: not by way of a link either.
        found = folder.resolve()
        if not found.is_relative_to(volume):
            raise NotAFileError("is a link that leads out of its folder")
        return found

    def model(self, uri: str, secret: str, revision: str, given: Given = Given.BASE) -> Path:
        """The folder of a model that the resource names, in the field ``given``."""
        place = StorageUri.parse(uri)
        fetch: Fetch
        if place.mounted:
            fetch = partial(self._from_files, given)
        elif place.scheme == "hf":
            fetch = partial(self._from_hub, given)
        else:
            fetch = self._model
        return self._once(place, secret, revision, partial(self._viewed, given, fetch))

    def bucket(self, uri: StorageUri, secret: str) -> Bucket:
        """A client for an s3:// place."""
        return Bucket(uri, secret, self.secrets_root)

    def scratch(self) -> Path:
        """A new folder that ends with this process."""
        if self._scratch is None:
            self._scratch = Path(tempfile.mkdtemp(prefix="places-"))
            # Of places that nobody closes, it would stay in the folder for temporary files.
            atexit.register(shutil.rmtree, self._scratch, ignore_errors=True)
        return Path(tempfile.mkdtemp(dir=self._scratch))

    def _once(
        self,
        place: StorageUri,
        secret: str,
        revision: str,
        fetch: Fetch,
    ) -> Path:
        key = (str(place), secret, revision)
        if key not in self._fetched:
            self._fetched[key] = fetch(place, secret, revision)
        return self._fetched[key]

    def _viewed(
        self, given: Given, fetch: Fetch, place: StorageUri, secret: str, revision: str
    ) -> Path:
        """The model's own files, wherever they were fetched."""
        folder = fetch(place, secret, revision)
        return model_folder.view(folder, str(place), given, self.scratch())

    def _from_files(self, given: Given, place: StorageUri, _secret: str, _revision: str) -> Path:
        try:
            return self.mounted(place)
        except NotAFileError as error:
            raise given.missing(f"{place} {error.strerror}; name the folder itself.") from None

    def _from_hub(self, given: Given, place: StorageUri, secret: str, revision: str) -> Path:
        self.tell(f"fetching {place}")
        return hub.fetch(place, revision, secret, self.secrets_root, given)

    def _data(
        self, suffixes: tuple[str, ...], place: StorageUri, secret: str, _revision: str
    ) -> Path:
        bucket = self.bucket(place, secret)
        found = bucket.list()
        if len(found) > stable_files.MOST_ENTRIES:
            message = (
                f"{place} holds {len(found):,} objects, more than {stable_files.MOST_ENTRIES:,}; "
                "put the rows of many into one."
            )
            raise DataError("DataTooLarge", message)
        names = {each.name for each in found}
        table = table_formats.in_keys(names, stable_files.counts_by_name)
        if table is not None:
            raise table.refused(str(place))
        folders = {name[:at] for name in names for at, c in enumerate(name) if c == "/"}
        wanted: list[Object] = []
        left: list[LeftOutFile] = []
        for each in found:
            why = _why_not(each, folders, suffixes)
            if why is None and (each.size or bucket.has(each.name)):
                wanted.append(each)
            elif why:
                left.append(LeftOutFile(files.shown(each.name), why))
        folder = self._download(place, bucket, wanted)
        self._left_out[folder] = tuple(sorted(left, key=lambda file: file.name))
        return folder

    def _model(self, place: StorageUri, secret: str, _revision: str) -> Path:
        bucket = self.bucket(place, secret)
        wanted = [
            each
            for each in bucket.list()
            if "/" not in each.name
            and safe_name(each.name)
            and any(fnmatch.fnmatch(each.name, pattern) for pattern in hub.MODEL_FILES)
        ]
        return self._download(place, bucket, wanted)

    def _download(self, place: StorageUri, bucket: Bucket, wanted: Sequence[Object]) -> Path:
        folder = self.scratch().resolve()
        for number, found in enumerate(wanted, start=1):
            self.tell(_downloading(place, found, number, len(wanted)))
            bucket.download(found.name, folder / found.name)
        return folder


def _why_not(found: Object, folders: Collection[str], suffixes: tuple[str, ...]) -> str | None:
    """Why an object is not read; empty where it holds no rows; None where it is."""
    name = found.name
    if not name.lower().endswith(suffixes):
        # Nothing is in it: a folder's marker, as consoles make them.
        return stable_files.why_not(name, suffixes) if found.size else ""
    if not safe_name(name):
        return "its key holds an empty, a '.' or a '..' part, or a very long one: rename it"
    if name in folders:
        return "its key is that of a folder, too: rename it" if found.size else ""
    return stable_files.why_not(name, suffixes)


def _downloading(place: StorageUri, found: Object, number: int, count: int) -> str:
    return (
        f"downloading {place}/{files.shown(found.name)} ({found.size:,} bytes), {number} of {count}"
    )

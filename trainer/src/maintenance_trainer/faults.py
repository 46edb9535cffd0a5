"""Faults that a retry would meet again: a full volume, and whatever has already come twice.

A training is paid by the hour, so it is not tried again for what will not have changed by then.
"""

import errno
import os
import re
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from maintenance_contract import Outcome, TrainingReport, exits
from maintenance_trainer.errors import ConfigurationError, TrainerError

INTERNAL_ERROR: Final = "InternalError"
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_ONLY_WRITING: Final = _FULL | {errno.EROFS}
_NUMBER: Final = re.compile(r"\(os error (\d+)\)|\[Errno (\d+)\]|errno[ =:]+(\d+)", re.IGNORECASE)
_WORDS: Final = {
    "no space left on device": errno.ENOSPC,
    "disk quota exceeded": errno.EDQUOT,
    "file too large": errno.EFBIG,
    "read-only file system": errno.EROFS,
    "input/output error": errno.EIO,
}


def number_of(error: BaseException) -> int:
    """The system's number of what went wrong; 0 where an error has none.

    Libraries wrap it: safetensors and torch keep it only in their words, others in the error that
    theirs came from.
    """
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        if isinstance(cause, OSError) and cause.errno:
            return cause.errno
        if found := _in_words(str(cause)):
            return found
        cause = cause.__cause__ or cause.__context__
    return 0


def _in_words(text: str) -> int:
    if match := _NUMBER.search(text):
        return int(next(filter(None, match.groups())))
    low = text.lower()
    return next((number for words, number in _WORDS.items() if words in low), 0)


def of_volume(error: BaseException, uri: str) -> ConfigurationError | None:
    """What it means that something could not be written; None where it is no fault of a volume.

    Args:
        error: as it was raised.
        uri: the store that was written to.
    """
    number = number_of(error)
    if number in _FULL:
        message = (
            f"model.storage: {uri} or the pod's /tmp is full ({os.strerror(number)}); free space, "
            "or give it a larger volume. Nothing that is half-written counts."
        )
        return ConfigurationError("StoreFull", message)
    if number or isinstance(error, OSError):
        why = os.strerror(number) if number else getattr(error, "strerror", "") or "no reason given"
        message = (
            f"model.storage: {uri} cannot be written ({why}); give the trainer's user (65532) a "
            "writable volume."
        )
        return ConfigurationError("StoreUnwritable", message)
    return None


@contextmanager
def writing(uri: str) -> Iterator[None]:
    """Whatever a library makes of a store that cannot be written, it is said as such.

    Raises:
        ConfigurationError: StoreFull, StoreUnwritable.
    """
    with _explained(lambda error: of_volume(error, uri)):
        yield


@contextmanager
def beside_reading(uri: str) -> Iterator[None]:
    """The same for work that also reads: only what nothing but writing can raise.

    Raises:
        ConfigurationError: StoreFull, StoreUnwritable.
    """
    with _explained(
        lambda error: of_volume(error, uri) if number_of(error) in _ONLY_WRITING else None
    ):
        yield


@contextmanager
def _explained(explain: Callable[[Exception], ConfigurationError | None]) -> Iterator[None]:
    try:
        yield
    except TrainerError:
        raise
    except Exception as error:
        explained = explain(error)
        if explained is None:
            raise
        raise explained from error


def refuse_full(folder: Path, uri: str, weights: Iterable[Path]) -> None:
    """Refuse a store without room for a version, before a training is paid for.

    Args:
        folder: where the version will be written.
        uri: the store.
        weights: the files of a model of the size that will be written; no fewer bytes will do.

    Raises:
        ConfigurationError: StoreFull.
    """
    needed = sum(path.stat().st_size for path in weights)
    try:
        room = shutil.disk_usage(folder)
    except OSError:
        return
    # Some network file systems do not know their size.
    if room.total and room.free < needed:
        message = (
            f"model.storage: {uri} has {room.free:,} bytes free, and a version takes at least "
            f"{needed:,}; free space, or give it a larger volume."
        )
        raise ConfigurationError("StoreFull", message)


def after(report: TrainingReport, before: TrainingReport | None, code: int) -> tuple[str, int]:
    """What to add to the report of an error that nobody foresaw, and the exit code.

    It is tried once more; what has come twice would come again.

    Args:
        report: of this attempt.
        before: the last one of the same operation of the run, if there was one.
        code: of this attempt.
    """
    if report.outcome is not Outcome.FAILED or report.reason != INTERNAL_ERROR:
        return "", code
    again = (
        before is not None
        and before.reason == INTERNAL_ERROR
        and before.request_digest == report.request_digest
    )
    if again or code in exits.DO_NOT_RETRY:
        told = "It would fail alike again, so the Job does not retry"
        return f"{told}; report it with the log and the versions of both images.", (
            exits.CONFIGURATION_ERROR
        )
    return "Nobody foresaw this error; the Job tries once more at most.", code

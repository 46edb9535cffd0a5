"""What can go wrong, by who must act.

    TrainerError            reason: one CamelCase word; message: what is wrong, where, what to do
    ├── DataError           the data's owner must act; exit code 65, a retry would fail alike
    ├── ConfigurationError  the resource's owner must act; exit code 78, a retry would fail alike
    └── TransientError      nobody must act, or the platform must; exit code 1, a retry may help
        └── OutOfMemoryError  exit code 137, like the kernel's; the operator asks for half the batch

What nobody foresaw is an ``InternalError``: exit code 1, and 78 once it has come twice (faults.py).

``Interrupted`` stands apart: SIGTERM arrived, exit code 75. So does ``TimeOver``, exit code 124.
"""

from typing import ClassVar

from maintenance_contract import exits


class TrainerError(Exception):
    """An operation that cannot be done; ``reason`` is one of the documented words."""

    exit_code: ClassVar[int] = 1

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


class DataError(TrainerError):
    """The data are missing, torn or of the wrong shape."""

    exit_code = exits.DATA_ERROR


class ConfigurationError(TrainerError):
    """The request, the arguments, the base model or the store are wrong."""

    exit_code = exits.CONFIGURATION_ERROR


class TransientError(TrainerError):
    """The machine gave out; the same request may succeed elsewhere."""


class OutOfMemoryError(TransientError):
    """The GPU is too small for the batch: the same again would fail alike, half of it may not."""

    exit_code = exits.OUT_OF_MEMORY


class Interrupted(BaseException):
    """SIGTERM arrived. Not an ``Exception``: no library may swallow it on its way out."""


class TimeOver(BaseException):
    """The work took longer than it may. Like ``Interrupted``, nobody swallows it on its way out."""


def is_panic(error: BaseException) -> bool:
    """Whether a native library (Rust's) gave up. No ``Exception`` either: it passes for none."""
    return type(error).__module__ == "pyo3_runtime" and type(error).__name__ == "PanicException"

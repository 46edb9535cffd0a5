"""The one parser of ``storageUri``."""

import re
from dataclasses import dataclass
from typing import Final

from maintenance_contract.errors import ContractError

SCHEMES: Final = ("pvc", "s3", "hf", "file")
WRITE: Final = "write pvc://<claim>/<path> or s3://<bucket>/<path>"
_URI = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]*)://(?P<rest>.+)", re.DOTALL)
_CLAIM = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_MODEL = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]{0,95}/)?[A-Za-z0-9][A-Za-z0-9._-]{0,95}")


@dataclass(frozen=True, slots=True)
class StorageUri:
    """A place.

    ``pvc://<claim>/<path>``            a folder of a PersistentVolumeClaim
    ``s3://<bucket>/<path>``            the objects below a prefix
    ``hf://<organisation>/<model>``     a model of the Hugging Face Hub, only read
    ``file:///<path>``                  a folder of a laptop

    ``claim`` is the claim's or the bucket's name, else empty. ``path`` has a leading slash for
    ``file`` only.
    """

    scheme: str
    claim: str
    path: str

    @classmethod
    def parse(cls, text: str) -> "StorageUri":
        """Read a URI.

        Raises:
            ContractError: unknown scheme, no claim or bucket, or a path that could leave it.
        """
        match = _URI.fullmatch(text)
        if match is None:
            msg = f"{text!r} is no storage URI: {WRITE}"
            raise ContractError(msg)
        scheme, rest = match["scheme"], match["rest"]
        if scheme not in SCHEMES:
            msg = f"{text!r}: scheme {scheme!r} is not supported: {WRITE}"
            raise ContractError(msg)
        if scheme == "file":
            return cls(scheme, "", _file_path(text, rest))
        if scheme == "hf":
            return cls(scheme, "", _model(text, rest))
        claim, _, path = rest.partition("/")
        if scheme == "pvc" and _CLAIM.fullmatch(claim) is None:
            msg = f"{text!r}: {claim!r} is no name of a PersistentVolumeClaim"
            raise ContractError(msg)
        if scheme == "s3" and (_BUCKET.fullmatch(claim) is None or ".." in claim):
            msg = f"{text!r}: {claim!r} is no name of a bucket"
            raise ContractError(msg)
        _refuse_wandering(text, f"/{path}")
        return cls(scheme, claim, path.strip("/"))

    def __str__(self) -> str:
        if self.scheme in {"file", "hf"}:
            return f"{self.scheme}://{self.path}"
        return f"{self.scheme}://{self.claim}/{self.path}".rstrip("/")

    @property
    def mounted(self) -> bool:
        """Whether it is a folder that a process finds among its files."""
        return self.scheme in {"pvc", "file"}

    def join(self, *parts: str) -> "StorageUri":
        """The place below this one."""
        path = "/".join((self.path.rstrip("/"), *parts))
        return StorageUri(
            self.scheme, self.claim, path if self.scheme == "file" else path.removeprefix("/")
        )

    def inside(self, other: "StorageUri") -> bool:
        """Whether it is that place or lies in it."""
        return (self.scheme, self.claim) == (other.scheme, other.claim) and (
            f"{self.path}/".startswith(f"{other.path}/".removeprefix("/"))
        )

    def local_path(self, claims_root: str) -> str:
        """The path as the trainer's process sees it, given where claims are mounted.

        Raises:
            ContractError: it is not among the files of a process; it must be fetched.
        """
        if not self.mounted:
            msg = f"{self} is not mounted"
            raise ContractError(msg)
        if self.scheme == "file":
            return self.path
        return f"{claims_root}/{self.claim}/{self.path}".rstrip("/")


def _file_path(text: str, rest: str) -> str:
    _refuse_wandering(text, rest)
    if not rest.startswith("/"):
        msg = f"{text!r}: write file:///absolute/path"
        raise ContractError(msg)
    return rest.rstrip("/") or "/"


def _model(text: str, rest: str) -> str:
    if _MODEL.fullmatch(rest) is None or ".." in rest or "--" in rest:
        msg = f"{text!r}: write hf://<organisation>/<model>; the revision is a field of its own"
        raise ContractError(msg)
    return rest


def _refuse_wandering(text: str, path: str) -> None:
    if any(part in {".", ".."} for part in path.split("/")) or "\0" in path or "//" in path:
        msg = f"{text!r}: the path must not hold '.', '..' or empty segments"
        raise ContractError(msg)

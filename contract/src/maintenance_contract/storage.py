"""The one parser of ``storageUri``."""

import re
from dataclasses import dataclass

from maintenance_contract.errors import ContractError

SCHEMES = ("pvc", "file")
_URI = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]*)://(?P<rest>.+)", re.DOTALL)
_CLAIM = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class StorageUri:
    """A place: ``pvc://<claim>/<path>`` in a cluster, ``file:///<path>`` on a laptop.

    ``claim`` is empty for ``file``; ``path`` has no leading slash for ``pvc`` and one for ``file``.
    """

    scheme: str
    claim: str
    path: str

    @classmethod
    def parse(cls, text: str) -> "StorageUri":
        """Read a URI.

        Raises:
            ContractError: unknown scheme, no claim, or a path that could leave its claim.
        """
        match = _URI.fullmatch(text)
        if match is None:
            msg = f"{text!r} is no storage URI: write pvc://<claim>/<path>"
            raise ContractError(msg)
        scheme, rest = match["scheme"], match["rest"]
        if scheme not in SCHEMES:
            msg = f"{text!r}: scheme {scheme!r} is not supported: write pvc://<claim>/<path>"
            raise ContractError(msg)
        if scheme == "file":
            _refuse_wandering(text, rest)
            if not rest.startswith("/"):
                msg = f"{text!r}: write file:///absolute/path"
                raise ContractError(msg)
            return cls(scheme, "", rest.rstrip("/") or "/")
        claim, _, path = rest.partition("/")
        if _CLAIM.fullmatch(claim) is None:
            msg = f"{text!r}: {claim!r} is no name of a PersistentVolumeClaim"
            raise ContractError(msg)
        _refuse_wandering(text, path)
        return cls(scheme, claim, path.strip("/"))

    def __str__(self) -> str:
        if self.scheme == "file":
            return f"file://{self.path}"
        return f"pvc://{self.claim}/{self.path}".rstrip("/")

    def join(self, *parts: str) -> "StorageUri":
        """The place below this one."""
        return StorageUri(
            self.scheme,
            self.claim,
            "/".join((self.path, *parts)).removeprefix("/")
            if self.scheme == "pvc"
            else "/".join((self.path.rstrip("/"), *parts)),
        )

    def local_path(self, claims_root: str) -> str:
        """The path as the trainer's process sees it, given where claims are mounted."""
        if self.scheme == "file":
            return self.path
        return f"{claims_root}/{self.claim}/{self.path}".rstrip("/")


def _refuse_wandering(text: str, path: str) -> None:
    if any(part in {".", ".."} for part in path.split("/")) or "\0" in path or "//" in path[1:]:
        msg = f"{text!r}: the path must not hold '.', '..' or empty segments"
        raise ContractError(msg)

"""A prefix of an S3 bucket: objects by name, written conditionally, errors by who must act.

Keys come from a mounted Secret, named as the AWS SDKs name them, or, without one, from what the
pod's identity gives (web identity, pod identity, the instance's role). All settings are checked
before the client has them: on some it gives up the whole process, and it quotes them.
"""

import ipaddress
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from maintenance_contract import StorageUri
from maintenance_trainer import odd_keys
from maintenance_trainer.errors import ConfigurationError, TransientError, is_panic
from maintenance_trainer.redaction import redacted
from maintenance_trainer.secrets import read_secret

if TYPE_CHECKING:
    from obstore.store import S3Store

KEYS: Final = {
    "AWS_ACCESS_KEY_ID": "access_key_id",
    "AWS_SECRET_ACCESS_KEY": "secret_access_key",
    "AWS_SESSION_TOKEN": "session_token",
    "AWS_ENDPOINT_URL": "endpoint",
    "AWS_REGION": "region",
}
"""Of the Secret, and what the client calls them."""
RETRIES: Final = 6
RETRY_SECONDS: Final = 60
CONNECT_SECONDS: Final = 10
REQUEST_SECONDS: Final = 120
PIECE: Final = 32 * 2**20
"""Bytes that one request moves, so that its time can be bounded."""

_CODE = re.compile(r"<Code>([A-Za-z0-9]+)</Code>")
_STATUS = re.compile(r"status code: (\d{3})")
_DENIED: Final = frozenset(
    {
        "AccessDenied",
        "ExpiredToken",
        "InvalidAccessKeyId",
        "InvalidToken",
        "SignatureDoesNotMatch",
        "XAdminUserNotFound",  # versitygw, of an unknown access key
    }
)
_FULL: Final = frozenset(
    {"QuotaExceeded", "InsufficientStorage", "XMinioStorageFull", "XMinioAdminBucketQuotaExceeded"}
)
_INSUFFICIENT_STORAGE: Final = 507
_LONGEST_PART: Final = 255
"""Bytes of a file's name."""
_LONGEST_NAME: Final = 1024
_INSTANCE_ROLE: Final = "169.254.169.254"
_OF_ENVIRONMENT: Final = (
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_S3",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
)
"""What the client takes from the process's environment where the Secret has none."""
_HOST: Final = re.compile(r"(?!.*\.\.)[A-Za-z0-9]([A-Za-z0-9._-]{0,251}[A-Za-z0-9])?")
_PATH: Final = re.compile(r"(/[A-Za-z0-9._~!$&'()*+,;=:@%-]*)*")
_REGION: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_IN_A_HEADER: Final = re.compile(r"[!-~]*")
_CAUSES: Final = {
    "dns error": "its name cannot be resolved",
    "Connection refused": "connection refused",
    "certificate": "its certificate is not trusted",
    "TimedOut": "no answer in time",
    "kind: Timeout": "no answer in time",
}


@dataclass(frozen=True, slots=True)
class Object:
    """An object: its name below the prefix, its size in bytes, when it was written."""

    name: str
    size: int
    modified: datetime


class Bucket:
    """The objects below a prefix.

    Every method raises

    ConfigurationError: AccessDenied, BucketMissing, CredentialsMissing, StorageRefused,
        StoreFull;
    TransientError: StorageUnreachable.
    """

    def __init__(self, uri: StorageUri, secret: str, secrets_root: str) -> None:
        self.uri = str(uri)
        self._secret = secret
        self._place = uri
        self._configuration = _configuration(secret, secrets_root)
        self._store = _client(uri, self._configuration)

    def read(self, name: str) -> bytes | None:
        """A small object, whole; None where there is none."""
        with self._errors(name):
            try:
                return bytes(self._store.get(name).bytes())
            except FileNotFoundError as error:
                if _code(error) == "NoSuchKey":
                    return None
                raise

    def create(self, name: str, content: bytes) -> None:
        """Write an object that is not there yet.

        Raises:
            FileExistsError: it is there, and stays as it is.
        """
        from obstore.exceptions import AlreadyExistsError  # noqa: PLC0415

        with self._errors(name):
            try:
                self._store.put(name, content, mode="create", use_multipart=False)
            except AlreadyExistsError:
                raise FileExistsError(name) from None

    def put(self, name: str, content: bytes | Path) -> None:
        """Write an object, whatever was there. The server checks its SHA-256."""
        with self._errors(name):
            self._store.put(name, content, chunk_size=PIECE, max_concurrency=2)

    def list(self, folder: str = "") -> list[Object]:
        """All objects below a folder, also those whose names can be no paths (``safe_name``)."""
        from obstore.exceptions import InvalidPathError  # noqa: PLC0415

        with self._errors(folder):
            try:
                return [
                    Object(meta["path"], meta["size"], meta["last_modified"])
                    for page in self._store.list(folder or None)
                    for meta in page
                ]
            except InvalidPathError:
                pass
        return [*self._list_odd(folder)]

    def has(self, name: str) -> bool:
        """Whether there is such an object; a folder's own marker, ``<name>/``, is none."""
        with self._errors(name):
            try:
                self._store.head(name)
            except FileNotFoundError:
                return False
        return True

    def _list_odd(self, folder: str) -> Iterator[Object]:
        environment = {"endpoint": os.environ.get("AWS_ENDPOINT_URL", "")}
        try:
            found = odd_keys.listed(self._place, folder, {**environment, **self._configuration})
        except OSError:
            message = (
                f"{self.uri}: its keys cannot be listed; they hold empty, '.' or '..' parts: "
                "rename them, or try again later."
            )
            raise TransientError("StorageUnreachable", message) from None
        for each in found:
            yield Object(*each)

    def download(self, name: str, to: Path) -> None:
        """Write an object into a file, piece by piece, all of the same version of it.

        Raises:
            TransientError: DataChanging, it was overwritten or removed meanwhile.
        """
        from obstore.exceptions import PreconditionError  # noqa: PLC0415

        to.parent.mkdir(parents=True, exist_ok=True)
        with self._errors(name), to.open("wb") as file:
            try:
                meta = self._store.head(name)
            except FileNotFoundError:
                raise self._changing(name) from None
            size, tag = meta["size"], meta["e_tag"]
            for start in range(0, size, PIECE):
                piece = (start, min(start + PIECE, size))
                try:
                    found = self._store.get(
                        name, options={"range": piece, **({"if_match": tag} if tag else {})}
                    )
                    file.write(found.bytes())
                except PreconditionError:
                    raise self._changing(name) from None

    def delete(self, names: Sequence[str]) -> None:
        """Remove objects; no error where there is none."""
        with self._errors(names[0] if names else ""):
            for name in names:
                try:
                    self._store.delete(name)
                except FileNotFoundError as error:
                    if _code(error) not in {"NoSuchKey", ""}:
                        raise

    def _changing(self, name: str) -> TransientError:
        message = f"{self.uri}/{name} was overwritten or removed while it was read."
        return TransientError("DataChanging", message)

    @contextmanager
    def _errors(self, name: str) -> Iterator[None]:
        from obstore.exceptions import BaseError  # noqa: PLC0415

        try:
            yield
        except FileExistsError:
            raise
        except (BaseError, FileNotFoundError, PermissionError) as error:
            raise self._explained(name, error) from None
        except BaseException as error:
            if not is_panic(error):
                raise
            raise _gave_up(self.uri) from None

    def _explained(self, name: str, error: Exception) -> ConfigurationError | TransientError:
        code, status = _code(error), _status(error)
        where = f"{self.uri}/{name}".rstrip("/")
        using = f"the keys of Secret {self._secret}" if self._secret else "the pod's identity"
        if code == "NoSuchBucket":
            message = f"{self.uri}: there is no such bucket; mend the URI, or create the bucket."
            return ConfigurationError("BucketMissing", message)
        if code in _FULL or status == _INSUFFICIENT_STORAGE:
            message = (
                f"{where}: the bucket is full ({code or status}); free space or raise its quota."
            )
            return ConfigurationError("StoreFull", message)
        if _INSTANCE_ROLE in str(error):
            message = (
                f"{self.uri}: the pod has no identity there; name a Secret in secretRef, or give "
                "the pod's service account a role (workload identity)."
            )
            return ConfigurationError("CredentialsMissing", message)
        if code in _DENIED or status in {401, 403}:
            message = (
                f"{where}: {using} may not do this ({code or status}); mend the Secret or its "
                "rights on the bucket."
            )
            return ConfigurationError("AccessDenied", message)
        if status is not None and status < 500 and status not in {408, 409, 425, 429}:  # noqa: PLR2004
            message = (
                f"{where}: the server refuses ({code or status}); mend endpoint, region or URI."
            )
            return ConfigurationError("StorageRefused", message)
        what = f"{code or status}" if status else _cause(str(error))
        message = f"{where}: the server does not answer as it should ({what}); try again later."
        return TransientError("StorageUnreachable", message)


def safe_name(name: str) -> bool:
    """Whether an object's name can be a path below a folder."""
    parts = name.split("/")
    wanders = {"", ".", ".."} & set(parts)
    long = any(len(part.encode()) > _LONGEST_PART for part in parts) or len(name) > _LONGEST_NAME
    return not wanders and not long and PurePosixPath(name).as_posix() == name and "\0" not in name


def _code(error: Exception) -> str:
    match = _CODE.search(str(error))
    return match[1] if match else ""


def _status(error: Exception) -> int | None:
    match = _STATUS.search(str(error))
    return int(match[1]) if match else None


def _cause(text: str) -> str:
    """Why there was no answer at all; the library's words, without its URL, where none is known."""
    known = (cause for sign, cause in _CAUSES.items() if sign in text)
    return next(known, redacted(text.split("\n", 1)[0])[:200])


def _gave_up(uri: str) -> ConfigurationError:
    message = (
        f"{uri}: the S3 client cannot work with its settings; mend endpoint, region, keys or URI."
    )
    return ConfigurationError("StorageRefused", message)


def _configuration(secret: str, secrets_root: str) -> dict[str, str]:
    if not secret:
        _check({name: os.environ.get(name, "") for name in _OF_ENVIRONMENT}, "the environment")
        return {}
    where = f"Secret {secret}"
    values = read_secret(secret, secrets_root)
    found = {KEYS[key]: value for key, value in values.items() if key in KEYS and value}
    for key in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        if not found.get(KEYS[key]):
            message = f"{where}: there is no {key}; its keys are {', '.join(KEYS)}."
            raise ConfigurationError("CredentialsMissing", message)
    _check(values, where)
    # What the Secret leaves out comes from the environment.
    _check({name: os.environ.get(name, "") for name in _OF_ENVIRONMENT}, "the environment")
    return found


def _check(values: Mapping[str, str], where: str) -> None:
    """Refuse what the client would give up the process for; never says the value."""
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"):
        if problem := _problem_of_endpoint(values.get(name, "")):
            message = f"{where}: {name} {problem}: write https://host[:port]."
            raise ConfigurationError("CredentialsMissing", message)
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        if (region := values.get(name, "")) and _REGION.fullmatch(region) is None:
            message = f"{where}: {name} is no region: write it like eu-central-1."
            raise ConfigurationError("CredentialsMissing", message)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        if _IN_A_HEADER.fullmatch(values.get(name, "")) is None:
            message = f"{where}: {name} holds blanks or other characters that no key has."
            raise ConfigurationError("CredentialsMissing", message)


def _problem_of_endpoint(endpoint: str) -> str:
    if not endpoint:
        return ""
    try:
        parts = urlsplit(endpoint)
        port, host = parts.port, parts.hostname or ""
    except ValueError:
        return "is no URL"
    if "@" in parts.netloc:
        return "holds a user or a password, which belong into AWS_ACCESS_KEY_ID and so on"
    if parts.query or parts.fragment or "?" in endpoint or "#" in endpoint:
        return "holds a query, which no endpoint has"
    known = parts.scheme in {"http", "https"} and _is_host(host) and port != 0
    return "" if known and _PATH.fullmatch(parts.path) else "is no URL"


def _is_host(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return _HOST.fullmatch(host) is not None
    return True


def _client(uri: StorageUri, configuration: dict[str, str]) -> "S3Store":
    from obstore.exceptions import BaseError  # noqa: PLC0415
    from obstore.store import S3Store  # noqa: PLC0415  # a library that most Jobs do not need

    # An endpoint of one's own has its buckets in the path; AWS has them in the host's name.
    own = "endpoint" in configuration or any(
        os.environ.get(name) for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3")
    )
    config: Any = {
        "virtual_hosted_style_request": not own,
        "checksum_algorithm": "sha256",
        **configuration,
    }
    try:
        return S3Store(
            uri.claim,
            prefix=uri.path or None,
            config=config,
            client_options={
                "allow_http": True,  # an endpoint is http:// only where its Secret says so
                "connect_timeout": timedelta(seconds=CONNECT_SECONDS),
                "timeout": timedelta(seconds=REQUEST_SECONDS),
            },
            retry_config={
                "max_retries": RETRIES,
                "retry_timeout": timedelta(seconds=RETRY_SECONDS),
            },
        )
    except (BaseError, ValueError):
        raise _gave_up(str(uri)) from None
    except BaseException as error:
        if not is_panic(error):
            raise
        raise _gave_up(str(uri)) from None

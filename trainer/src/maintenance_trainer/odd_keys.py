"""A listing of a bucket whose keys are no paths: ``a//b``, ``a/../b``, a control character.

S3 takes any text for a key. The client that reads and writes objects refuses a whole page of a
listing for one such key, so that page is listed once more by another one, which does not mind.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from maintenance_contract import StorageUri

_SECONDS: Final = 60


def listed(
    uri: StorageUri, folder: str, configuration: Mapping[str, str]
) -> list[tuple[str, int, datetime]]:
    """Key below the place, size and time of every object below one of its folders.

    Args:
        uri: the place.
        folder: a path below it, or empty.
        configuration: access key, endpoint and so on, by the names of ``bucket.KEYS``; without
            keys, the pod's identity counts.

    Raises:
        OSError: the server refuses, or does not answer.
    """
    from pyarrow import fs  # noqa: PLC0415  # a second, which hardly a bucket needs

    endpoint = configuration.get("endpoint", "")
    scheme, _, address = endpoint.rpartition("://")
    options: dict[str, Any] = {
        "access_key": configuration.get("access_key_id"),
        "secret_key": configuration.get("secret_access_key"),
        "session_token": configuration.get("session_token"),
        "region": configuration.get("region"),
        "endpoint_override": address.rstrip("/"),
        "scheme": scheme or "https",
    }
    client = fs.S3FileSystem(
        connect_timeout=_SECONDS,
        request_timeout=_SECONDS,
        **{name: value for name, value in options.items() if value},
    )
    root = f"{uri.claim}/{uri.path}".rstrip("/")
    below = f"{root}/{folder}".rstrip("/")
    found = client.get_file_info(fs.FileSelector(below, recursive=True, allow_not_found=True))
    return [
        (info.path.removeprefix(f"{root}/"), info.size, info.mtime or datetime.now(UTC))
        for info in found
        if info.type == fs.FileType.File
    ]

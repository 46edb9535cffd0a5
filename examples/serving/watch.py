"""One ConfigMap, watched through the API with the pod's own service account. Standard library."""

import json
import logging
import os
import ssl
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from http.client import HTTPResponse
from pathlib import Path
from typing import Final

ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")
WATCH_SECONDS: Final = 240
RETRY_SECONDS: Final = 2.0
log = logging.getLogger(__name__)


def config_map(name: str) -> Iterator[dict[str, str]]:
    """The ConfigMap's data now (empty while there is none) and after every change. Never ends.

    The API server ends a watch now and then, and restarts; both only begin it anew.
    """
    seen: dict[str, str] | None = None
    while True:
        try:
            for data in _changes(name):
                if data != seen:
                    seen = data
                    yield data
        except (OSError, ValueError) as error:
            log.warning("the watch of ConfigMap %s ended (%s); beginning anew", name, error)
            time.sleep(RETRY_SECONDS)


def _changes(name: str) -> Iterator[dict[str, str]]:
    # A watch without a version begins with what is there, as an ADDED event.
    query = urllib.parse.urlencode(
        {
            "watch": "true",
            "fieldSelector": f"metadata.name={name}",
            "timeoutSeconds": WATCH_SECONDS,
        }
    )
    namespace = (ACCOUNT / "namespace").read_text(encoding="ascii")
    with _open(f"/api/v1/namespaces/{namespace}/configmaps?{query}") as events:
        for line in events:
            event = json.loads(line)
            if event["type"] == "ERROR":
                raise ValueError(event["object"].get("message", "error event"))
            yield {} if event["type"] == "DELETED" else event["object"].get("data", {})


def _open(path: str) -> HTTPResponse:
    host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ["KUBERNETES_SERVICE_PORT"]
    # The kubelet renews the token's file, so it is read for each request.
    token = (ACCOUNT / "token").read_text(encoding="ascii")
    request = urllib.request.Request(  # https, and our own API server
        f"https://{host}:{port}{path}", headers={"Authorization": f"Bearer {token}"}
    )
    trust = ssl.create_default_context(cafile=str(ACCOUNT / "ca.crt"))
    reply: HTTPResponse = urllib.request.urlopen(  # noqa: S310
        request, timeout=WATCH_SECONDS + 30, context=trust
    )
    return reply

"""Serves the champion that the ConfigMap names, and says how good it is.

    POST /predict   {"rows": [{"text": ...}, ...]}  -> {"id", "version", "labels": [...]}
    POST /feedback  {"id": ..., "labels": [...]}    true labels of an answer, when they are known
    GET  /metrics   model_predictions_total{model,version,true_class,correct}, model_accuracy
    GET  /readyz    200 once a version is served

Environment: MODEL (the label of the metrics and the ModelMaintenance's name), WINDOW_ROWS (how
many labelled answers the accuracy is of), PORT.
"""

import json
import logging
import os
import threading
from collections.abc import Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar, Final, TypeVar

from model import VersionError, load
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from service import Service
from watch import config_map

MOST_ROWS: Final = 1000
MOST_BYTES: Final = 4 * 2**20
T = TypeVar("T")
log = logging.getLogger("serve")


def follow(service: Service) -> None:
    """Serve whatever the ConfigMap names, for ever."""
    for champion in config_map(f"{service.name}-champion"):
        if not champion:
            log.info("no champion yet: waiting for ConfigMap %s-champion", service.name)
            continue
        try:
            service.serve(load(champion))
            log.info("serving version %s from %s", champion["version"], champion["storageUri"])
        except (VersionError, KeyError, ValueError) as error:
            # The version in service stays: an old answer is better than none.
            log.warning("version not loaded: %s", error)


class Handler(BaseHTTPRequestHandler):
    """The four paths."""

    service: ClassVar[Service]
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """``/metrics`` and ``/readyz``."""
        if self.path == "/metrics":
            self._send(200, generate_latest(), CONTENT_TYPE_LATEST)
        elif self.path == "/readyz":
            ready = self.service.ready
            self._send(200 if ready else 503, b"serving\n" if ready else b"no version yet\n")
        else:
            self._send(404, b"there are /predict, /feedback, /metrics and /readyz\n")

    def do_POST(self) -> None:
        """``/predict`` and ``/feedback``."""
        try:
            body = self._body()
            if self.path == "/predict":
                self._predict(_list(body, "rows", dict))
            elif self.path == "/feedback":
                counted = self.service.feedback(int(body["id"]), _list(body, "labels", str))
                self._send(204 if counted else 404, b"")
            else:
                self._send(404, b"there are /predict and /feedback\n")
        except (ValueError, KeyError, TypeError) as error:
            self._send(400, f"{type(error).__name__}: {error}\n".encode())

    def log_message(self, *_: object) -> None:
        """Requests are counted, not written down."""

    def _predict(self, rows: Sequence[Mapping[str, Any]]) -> None:
        answer = self.service.predict(rows)
        if answer is None:
            self._send(503, b"no version yet\n")
        else:
            self._send(200, json.dumps(answer).encode(), "application/json")

    def _body(self) -> Mapping[str, Any]:
        length = int(self.headers.get("Content-Length", 0))
        if length > MOST_BYTES:
            raise ValueError(f"the body has {length} bytes, at most {MOST_BYTES} are read")
        body = json.loads(self.rfile.read(length))
        if not isinstance(body, dict):
            raise TypeError("a JSON object is expected")
        return body

    def _send(self, code: int, body: bytes, kind: str = "text/plain") -> None:
        self.send_response(code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _list(body: Mapping[str, Any], name: str, kind: type[T]) -> list[T]:
    found = body[name]
    if not isinstance(found, list) or not all(isinstance(one, kind) for one in found):
        what = "strings" if kind is str else "objects, one for each row"
        raise TypeError(f"{name}: a list of {what} is expected")
    if not 0 < len(found) <= MOST_ROWS:
        raise ValueError(f"{name}: 1 to {MOST_ROWS} are expected, not {len(found)}")
    return found


def main() -> None:
    """Serve until told to stop."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s: %(message)s")
    Handler.service = Service(os.environ["MODEL"], int(os.environ.get("WINDOW_ROWS", "300")))
    threading.Thread(target=follow, args=[Handler.service], daemon=True).start()
    port = int(os.environ.get("PORT", "8080"))
    ThreadingHTTPServer(("", port), Handler).serve_forever()  # the pod's own address


if __name__ == "__main__":
    main()

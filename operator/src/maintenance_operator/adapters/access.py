"""How a Prometheus server is entered: headers and TLS from files that may be rotated.

Files are read anew when they change; what cannot be read is the operator's configuration's fault
and is said so, never what is in them.
"""

import base64
import ssl
from pathlib import Path
from typing import Final

from maintenance_core.errors import MetricsError
from maintenance_core.model import Server
from maintenance_core.reasons import MetricsReason

MOST_BYTES: Final = 64 * 1024
"""A mounted secret is small; a wrong path may name anything."""


class ServerCredentials:
    """The headers and the TLS context of one server."""

    def __init__(self, name: str, server: Server) -> None:
        self._name = name
        self._server = server
        self._read_at: tuple[int, ...] = ()
        self._context: ssl.SSLContext | None = None

    def headers(self) -> dict[str, str]:
        """What each request carries.

        Raises:
            MetricsError: a file of the operator's configuration cannot be read.
        """
        headers = dict(self._server.headers)
        if self._server.bearer_token_file:
            headers["Authorization"] = f"Bearer {self._secret(self._server.bearer_token_file)}"
        elif self._server.username:
            password = (
                self._secret(self._server.password_file) if self._server.password_file else ""
            )
            pair = f"{self._server.username}:{password}".encode()
            headers["Authorization"] = f"Basic {base64.b64encode(pair).decode()}"
        return headers

    def tls(self) -> ssl.SSLContext | bool:
        """For aiohttp: the context, or True for the system's own.

        Raises:
            MetricsError: a file of the configuration cannot be read, or is no certificate.
        """
        files = [
            Path(file)
            for file in (self._server.ca_file, self._server.cert_file, self._server.key_file)
            if file
        ]
        if not files:
            return True
        try:
            changed = tuple(path.stat().st_mtime_ns for path in files)
            if self._context is None or changed != self._read_at:
                self._context, self._read_at = self._load(), changed
        except (OSError, ssl.SSLError) as error:
            raise self._unreadable("tls", error) from None
        return self._context

    def _load(self) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=self._server.ca_file or None)
        if self._server.cert_file:
            context.load_cert_chain(self._server.cert_file, self._server.key_file)
        return context

    def _secret(self, file: str) -> str:
        try:
            with Path(file).open("rb") as opened:
                text = opened.read(MOST_BYTES).decode().strip()
        except (OSError, UnicodeDecodeError) as error:
            raise self._unreadable(file, error) from None
        if not text or "\n" in text or "\r" in text:
            raise self._unreadable(file, ValueError("one line of text is expected"))
        return text

    def _unreadable(self, what: str, error: Exception) -> MetricsError:
        why = getattr(error, "strerror", None) or str(error)
        return MetricsError(
            MetricsReason.CREDENTIALS_REFUSED,
            f"{self._name}: {what} of the operator's configuration cannot be used: {why}",
        )

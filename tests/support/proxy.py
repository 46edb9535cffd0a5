"""A wire between the operator and the API server on which a test can cut."""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import aiohttp
from aiohttp import web

from support.api import Api

KUBECONFIG = """\
apiVersion: v1
kind: Config
current-context: proxy
contexts: [{{name: proxy, context: {{cluster: proxy, user: proxy}}}}]
clusters: [{{name: proxy, cluster: {{server: "http://127.0.0.1:{port}"}}}}]
users: [{{name: proxy, user: {{}}}}]
"""
_VERSION = re.compile(rb'("resourceVersion": ?")(\d+)')
HOP_BY_HOP = {"connection", "content-length", "host", "transfer-encoding", "content-encoding"}


class Proxy:
    """Passes everything on, and counts what changes something (Events apart).

    ``cut_after``: when so many changes have been carried out, ``cut`` is called and the reply to
    the last of them is never sent: the operator does not know what became of it.
    ``spoil`` may answer a request instead of the API server, by status and body; ``refuse`` the
    same where what is sent decides. By ``ahead`` the resourceVersions that the operator sees are
    higher than they are: where it falls, they go back, as after etcd was restored.
    """

    def __init__(self, api: Api) -> None:
        self._api = api
        self._session: aiohttp.ClientSession | None = None
        self.changes: list[str] = []
        self.cut_after: int | None = None
        self.cut: Callable[[], None] = lambda: None
        self.spoil: Callable[[web.Request], tuple[int, bytes] | None] = lambda _: None
        self.refuse: Callable[[web.Request, bytes], tuple[int, bytes] | None] = lambda *_: None
        self.ahead = 0
        self.port = 0
        self._open: list[web.Request] = []

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator["Proxy"]:
        """Serve as long as the block lasts."""
        app = web.Application(client_max_size=16 << 20)
        app.router.add_route("*", "/{path:.*}", self._pass_on)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.port = runner.addresses[0][1]
        try:
            async with aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(ssl=self._api.tls, limit=0), auto_decompress=False
            ) as self._session:
                yield self
        finally:
            await runner.cleanup()

    def kubeconfig(self, directory: Path) -> Path:
        """A kubeconfig whose server is this proxy."""
        file = directory / f"kubeconfig-{self.port}"
        file.write_text(KUBECONFIG.format(port=self.port), encoding="utf-8")
        return file

    def disconnect(self) -> None:
        """Break off what is under way."""
        for request in self._open:
            if request.transport is not None:
                request.transport.abort()

    async def _pass_on(self, request: web.Request) -> web.StreamResponse:
        self._open.append(request)
        try:
            return await self._answered(request)
        finally:
            self._open = [other for other in self._open if other is not request]

    async def _answered(self, request: web.Request) -> web.StreamResponse:
        assert self._session is not None
        sent = await request.read()
        spoilt = self.spoil(request) or self.refuse(request, sent)
        if spoilt is not None:
            return web.Response(status=spoilt[0], body=spoilt[1], content_type="application/json")
        headers = {k: v for k, v in request.headers.items() if k.lower() not in HOP_BY_HOP}
        async with self._session.request(
            request.method,
            self._api.server + _shifted_query(request.path_qs, -self.ahead),
            headers=headers,
            data=_shifted(sent, -self.ahead) or None,
            timeout=aiohttp.ClientTimeout(total=None),
        ) as reply:
            if _changes(request) and reply.status < 300:
                self.changes.append(f"{request.method} {request.path}")
                if len(self.changes) == self.cut_after:
                    self.cut()
                    assert request.transport is not None
                    request.transport.abort()
                    return web.Response()
            return await _answer(request, reply, self.ahead)


async def _answer(
    request: web.Request, reply: aiohttp.ClientResponse, ahead: int
) -> web.StreamResponse:
    kept = {k: v for k, v in reply.headers.items() if k.lower() not in HOP_BY_HOP}
    response = web.StreamResponse(status=reply.status, headers=kept)
    if "Content-Encoding" in reply.headers:
        response.headers["Content-Encoding"] = reply.headers["Content-Encoding"]
    with contextlib.suppress(ConnectionError, aiohttp.ClientError, asyncio.CancelledError):
        await response.prepare(request)
        rest = b""
        async for chunk in reply.content.iter_any():
            if not ahead:
                await response.write(chunk)
                continue
            whole, end, rest = (rest + chunk).rpartition(b"\n")
            await response.write(_shifted(whole + end, ahead))
        await response.write(_shifted(rest, ahead))
        await response.write_eof()
    return response


def _shifted(text: bytes, by: int) -> bytes:
    """The same with other resourceVersions."""
    if not by:
        return text
    return _VERSION.sub(lambda found: found[1] + b"%d" % (int(found[2]) + by), text)


def _shifted_query(path: str, by: int) -> str:
    return re.sub(r"(resourceVersion=)(\d+)", lambda m: f"{m[1]}{int(m[2]) + by}", path)


def _changes(request: web.Request) -> bool:
    return request.method in {"POST", "PUT", "PATCH", "DELETE"} and "/events" not in request.path

"""A thin client for tests, apart from the one under test: paths in, JSON out."""

import asyncio
import base64
import json
import ssl
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import aiohttp
import yaml

from maintenance_operator.adapters import documents
from support.pace import Allowance

T = TypeVar("T")
PATIENCE = 4
"""Limits are seconds of a quiet machine, and so many times what it needs there."""
GROUP = "/apis/modelmaintenance.dev/v1alpha1"


class ApiError(Exception):
    """An answer that is no success."""

    def __init__(self, status: int, body: Any) -> None:
        super().__init__(f"{status}: {body}")
        self.status = status
        self.body = body


def path(kind: str, namespace: str, name: str = "", sub: str = "") -> str:
    """The path of ``jobs``, ``pods``, ``configmaps``, ``events`` or ``modelmaintenances``."""
    prefix = {
        "jobs": "/apis/batch/v1",
        "modelmaintenances": GROUP,
        "events": "/apis/events.k8s.io/v1",
    }.get(kind, "/api/v1")
    return "/".join(part for part in (prefix, "namespaces", namespace, kind, name, sub) if part)


class Api:
    """The API server, by a kubeconfig."""

    def __init__(self, kubeconfig: Path) -> None:
        config = yaml.safe_load(kubeconfig.read_text(encoding="utf-8"))
        self.server: str = config["clusters"][0]["cluster"]["server"]
        self.tls = _tls(config)
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=self.tls, limit=0))
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._session is not None
        await self._session.close()

    async def get(self, where: str, **query: str) -> dict[str, Any]:
        return await self._request("GET", where, params=query)

    async def create(self, where: str, body: Mapping[str, Any]) -> dict[str, Any]:
        return await self._request("POST", where, json=body)

    async def post_text(self, where: str, text: str) -> dict[str, Any]:
        """The same from JSON as it is written."""
        headers = {"Content-Type": "application/json"}
        return await self._request("POST", where, data=text, headers=headers)

    async def put(self, where: str, body: Mapping[str, Any]) -> dict[str, Any]:
        return await self._request("PUT", where, json=body)

    async def patch(self, where: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """A JSON merge patch."""
        return await self._request(
            "PATCH",
            where,
            data=json.dumps(body),
            headers={"Content-Type": "application/merge-patch+json"},
        )

    async def delete(self, where: str) -> dict[str, Any]:
        return await self._request("DELETE", where, params={"propagationPolicy": "Background"})

    async def watch(self, where: str, **query: str) -> AsyncIterator[tuple[str, dict[str, Any]]]:
        """Type and object of each event, beginning with what is there."""
        assert self._session is not None
        params = {**query, "watch": "true"}
        async with self._session.get(
            self.server + where, params=params, timeout=aiohttp.ClientTimeout(total=None)
        ) as reply:
            buffer = b""
            async for chunk in reply.content.iter_any():
                *lines, buffer = (buffer + chunk).split(b"\n")
                for line in lines:
                    event = json.loads(line)
                    yield event["type"], event["object"]

    async def _request(self, method: str, where: str, **options: Any) -> dict[str, Any]:
        assert self._session is not None
        async with self._session.request(method, self.server + where, **options) as reply:
            text = await reply.read()
        # Some resources of ours are nested deeper than Python's own parser goes.
        body = await documents.read(text) if text.strip() else None
        if reply.status >= 300:
            raise ApiError(reply.status, body)
        answer: dict[str, Any] = body or {}
        return answer


async def until(
    look: Callable[[], Awaitable[T | None]],
    seconds: float = 30.0,
    what: str = "",
    every: float = 0.05,
) -> T:
    """The first true answer of ``look``.

    Raises:
        AssertionError: none within ``seconds``; shows the last answer.
    """
    allowance = Allowance(PATIENCE * seconds)
    while True:
        answer = await look()
        if answer:
            return answer
        assert not allowance.used_up(), f"not within {seconds} s: {what}"
        await asyncio.sleep(every)


def _tls(config: Mapping[str, Any]) -> ssl.SSLContext:
    cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
    context = ssl.create_default_context(
        cadata=base64.b64decode(cluster["certificate-authority-data"]).decode()
    )
    with tempfile.NamedTemporaryFile() as both:
        both.write(
            base64.b64decode(user["client-certificate-data"])
            + b"\n"
            + base64.b64decode(user["client-key-data"])
        )
        both.flush()
        context.load_cert_chain(both.name)
    return context

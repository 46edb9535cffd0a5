"""The Kubernetes API: objects as the JSON that they are, errors as ours.

The models of the client library refuse fields that they do not know, and a write back would lose
them; so its transport is used, and its login, and nothing else of it.
"""

import asyncio
import contextlib
import logging
import re
import secrets
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from http import HTTPStatus
from types import MappingProxyType, TracebackType
from typing import Any, Final, Self
from urllib.parse import quote, urlencode

import aiohttp
from kubernetes.aio.client import ApiClient, Configuration
from kubernetes.aio.client.rest import RESTResponse

from maintenance_contract.plain import plain
from maintenance_core.errors import ClusterError, Conflict, Gone
from maintenance_core.model import JobPhase, JobView
from maintenance_core.names import (
    GROUP,
    KIND,
    LABEL_MANAGED_BY,
    LABEL_UID,
    MANAGER,
    PLURAL,
    VERSION,
)
from maintenance_operator.adapters import documents
from maintenance_operator.adapters.credentials import authorization, way
from maintenance_operator.adapters.job_views import is_new, job_view
from maintenance_operator.adapters.pods import (
    awaited,
    told_apart,
    told_by,
    unmounted,
)

logger = logging.getLogger(__name__)

Body = dict[str, Any]

REQUEST_SECONDS: Final = 30.0
EVENT_SECONDS: Final = 5.0
EVENT_POSTERS: Final = 2
MOST_EVENTS: Final = 20_000
"""So many may wait: two for each of ten thousand resources."""
PAGE: Final = 100
"""As objects a page of resources with a long history takes some 5 MB for a moment."""
CHUNK_BYTES: Final = 65_536
INITIAL_EVENTS_END: Final = "k8s.io/initial-events-end"
NO_QUERY: Final[Mapping[str, str]] = MappingProxyType({})
STREAMING: Final[Mapping[str, str]] = MappingProxyType(
    {
        "watch": "true",
        "sendInitialEvents": "true",
        "resourceVersionMatch": "NotOlderThan",
        "allowWatchBookmarks": "true",
    }
)
NOTE_BYTES: Final = 1024
"""What an Event's note may hold, by its validation."""
CONTROLLER: Final = f"{GROUP}/operator"
NO_SUCH_PATH: Final = b"404 page not found"
"""What the API server says where it serves no such kind."""
NAMESPACE_TERMINATING: Final = "NamespaceTerminating"
DENIED: Final = re.compile(
    r"""admission webhook "[^"]*" denied the request|"""
    r"""ValidatingAdmissionPolicy '[^']*' with binding '[^']*' denied request"""
)


class _Refused(ClusterError):
    """An answer that is no success.

    Who denies a request at admission may choose any status; it is refused all the same.
    """

    def __init__(self, status: int, reason: str, message: str, words: str = "") -> None:
        refused = _is_denied(words) or status in {
            HTTPStatus.BAD_REQUEST,
            HTTPStatus.FORBIDDEN,
            HTTPStatus.UNPROCESSABLE_ENTITY,
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            HTTPStatus.METHOD_NOT_ALLOWED,
            HTTPStatus.NOT_FOUND,
        }
        super().__init__(message, refused=refused, code=status, words=f"{reason}: {words}")
        self.status = status
        self.reason = reason


def _is_denied(words: str) -> bool:
    """Whether an admission webhook or policy says no, in the words of the API server."""
    return DENIED.search(words) is not None


class _NoStreamError(Exception):
    """The server cannot stream a list, now or (``never``) at all."""

    def __init__(self, status: int) -> None:
        super().__init__(
            f"HTTP {status}" if status != HTTPStatus.OK else "the stream ended before its end"
        )
        self.never = status == HTTPStatus.UNPROCESSABLE_ENTITY


# --- paths ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Kind:
    """Where objects of a kind live."""

    prefix: str
    plural: str

    def path(self, namespace: str | None, name: str | None = None, sub: str | None = None) -> str:
        parts = [self.prefix]
        if namespace is not None:
            parts += ["namespaces", quote(namespace, safe="")]
        parts += [self.plural, *(quote(part, safe="") for part in (name, sub) if part)]
        return "/".join(parts)


_RESOURCES: Final = _Kind(f"/apis/{GROUP}/{VERSION}", PLURAL)
_JOBS: Final = _Kind("/apis/batch/v1", "jobs")
_PODS: Final = _Kind("/api/v1", "pods")
_CONFIG_MAPS: Final = _Kind("/api/v1", "configmaps")
_EVENTS: Final = _Kind("/apis/events.k8s.io/v1", "events")


class Cluster:
    """The API server, as the operator needs it.

    All methods raise ``ClusterError`` when the server cannot be reached or refuses; ``Gone`` and
    ``Conflict`` where they say so.
    """

    def __init__(self, configuration: Configuration, *, user_agent: str) -> None:
        self._client = ApiClient(configuration)
        self._client.user_agent = user_agent
        self._streams = True
        self._events: asyncio.Queue[Body] = asyncio.Queue(MOST_EVENTS)
        self._posting: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        self._posting = [
            asyncio.create_task(self._post_events(), name=f"events {number}")
            for number in range(EVENT_POSTERS)
        ]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._events.join(), EVENT_SECONDS)
        for task in self._posting:
            task.cancel()
        await asyncio.gather(*self._posting, return_exceptions=True)
        await self._client.close()  # type: ignore[no-untyped-call]

    # --- resources ----------------------------------------------------------------------

    async def get(self, namespace: str, name: str) -> Body:
        """A resource as it is now. Raises ``Gone``."""
        return await self._request("GET", _RESOURCES.path(namespace, name))

    async def served(self, namespace: str | None = None) -> None:
        """Ask for resources, to know whether there is such a kind; an error where there is not."""
        await self._request("GET", _RESOURCES.path(namespace), {"limit": "1"})

    async def resources(self, namespace: str | None = None) -> AsyncIterator[Body]:
        """All resources of a namespace, or of the cluster, one after the other."""
        async for body in self._all(_RESOURCES.path(namespace)):
            yield body

    async def config_maps(self, namespace: str | None = None) -> AsyncIterator[Body]:
        """All ConfigMaps of ours in a namespace, or in the cluster, one after the other."""
        ours = {"labelSelector": f"{LABEL_MANAGED_BY}={MANAGER}"}
        async for body in self._all(_CONFIG_MAPS.path(namespace), ours):
            yield body

    async def _all(self, path: str, query: Mapping[str, str] = NO_QUERY) -> AsyncIterator[Body]:
        """Streamed where the server can do that, or else page by page; some may come twice.

        What a server streams it has in memory. Pages of what nobody wrote for some minutes it reads
        from etcd and decodes anew.
        """
        if self._streams:
            try:
                async for body in self._streamed(path, query):
                    yield body
            except _NoStreamError as error:
                self._streams = not error.never
                logger.info("Listing page by page: %s", error)
            else:
                return
        async for body in self._paged(path, query):
            yield body

    async def _streamed(self, path: str, query: Mapping[str, str]) -> AsyncIterator[Body]:
        """As a watch begins: kubernetes.io/docs/reference/using-api/api-concepts/#streaming-lists.

        Raises ``_NoStreamError`` where it does not come to its end.
        """
        timeout = aiohttp.ClientTimeout(sock_read=REQUEST_SECONDS)
        async with self._reached("GET", path):
            reply = await self._call("GET", path, {**query, **STREAMING}, timeout=timeout)
            async with _broken_off(reply.response) as stream:
                if stream.status != HTTPStatus.OK:
                    raise _NoStreamError(stream.status)
                async for line in _lines(stream.content):
                    kind, body = await _event_of(line)
                    if kind == "ADDED":
                        yield body
                    elif kind == "BOOKMARK" and INITIAL_EVENTS_END in (
                        body["metadata"].get("annotations") or {}
                    ):
                        return
        raise _NoStreamError(HTTPStatus.OK)

    async def _paged(self, path: str, query: Mapping[str, str]) -> AsyncIterator[Body]:
        token: str | None = ""
        while token is not None:
            more = {"continue": token} if token else {}
            page = await self._request("GET", path, {**query, "limit": str(PAGE), **more})
            for body in page["items"]:
                yield body
            token = page["metadata"].get("continue") or None

    async def replace_status(self, body: Mapping[str, Any]) -> Body:
        """Write ``status`` against the body's resourceVersion. Raises ``Conflict``, ``Gone``."""
        path = _RESOURCES.path(*_names(body), "status")
        return await self._request("PUT", path, body=body)

    # --- Jobs ---------------------------------------------------------------------------

    async def jobs(self, namespace: str, uid: str) -> list[JobView]:
        """All Jobs of a resource, as they are now, by the label that is nobody's but ours.

        Policies and people set ``app.kubernetes.io/managed-by`` to what they like.
        """
        selector = {"labelSelector": f"{LABEL_UID}={uid}"}
        jobs = (await self._request("GET", _JOBS.path(namespace), selector))["items"]
        if not jobs:
            return []
        pods = (await self._request("GET", _PODS.path(namespace), selector))["items"]
        return [await self._view(job, pods) for job in jobs]

    async def job(self, namespace: str, name: str) -> JobView:
        """A Job as it is now. Raises ``Gone``."""
        job = await self._request("GET", _JOBS.path(namespace, name))
        selector = {"labelSelector": f"batch.kubernetes.io/job-name={name}"}
        pods = (await self._request("GET", _PODS.path(namespace), selector))["items"]
        return await self._view(job, pods)

    async def _view(self, job: Body, pods: list[Mapping[str, Any]]) -> JobView:
        """The Job; where it has waited a little and its pods do not say for what, Events may."""
        view = job_view(job, pods)
        own, _ = told_apart(job, pods)
        pod = awaited(own)
        hangs = view.phase is JobPhase.PENDING and not view.suspended
        if not hangs or (pod is not None and view.detail) or is_new(view):
            return view
        about = job if pod is None else pod
        selector = {
            "fieldSelector": f"regarding.uid={about['metadata']['uid']},type=Warning",
            "limit": str(PAGE),
        }
        path = _EVENTS.path(job["metadata"]["namespace"])
        try:
            events = (await self._request("GET", path, selector))["items"]
        except ClusterError as error:
            logger.warning("Events of a waiting Job cannot be read: %s", error)
            return view
        cause = told_by(events, pod, view.waits_since if own else None)
        if not cause:
            return view
        return replace(view, detail=cause.sentence, cause=cause.word, unmounted=unmounted(cause))

    async def create_job(self, manifest: Mapping[str, Any]) -> JobView:
        """Create a Job. Raises ``Conflict`` where the name is taken, ``Gone`` without namespace."""
        return job_view(await self._create(_JOBS, manifest), [])

    async def delete_job(
        self, namespace: str, name: str, uid: str, *, pods_first: bool = False
    ) -> None:
        """Delete a Job and its pods; no error where that Job is gone already.

        Pods go once their Job has gone, which may be late where a finalizer holds it: with
        ``pods_first`` it waits for them instead.
        """
        options = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": "Foreground" if pods_first else "Background",
            "preconditions": {"uid": uid},
        }
        try:
            await self._request("DELETE", _JOBS.path(namespace, name), body=options)
        except (Gone, Conflict):
            logger.debug("The Job is gone already", extra={"namespace": namespace, "job": name})

    # --- ConfigMaps ---------------------------------------------------------------------

    async def config_map(self, namespace: str, name: str) -> Body | None:
        """A ConfigMap as it is now, None where there is none."""
        try:
            return await self._request("GET", _CONFIG_MAPS.path(namespace, name))
        except Gone:
            return None

    async def create_config_map(self, manifest: Mapping[str, Any]) -> Body:
        """Create a ConfigMap. Raises ``Conflict`` where the name is taken."""
        return await self._create(_CONFIG_MAPS, manifest)

    async def replace_config_map(self, manifest: Mapping[str, Any]) -> Body:
        """Write against the resourceVersion. Raises ``Conflict``, also where it is gone."""
        try:
            return await self._request("PUT", _CONFIG_MAPS.path(*_names(manifest)), body=manifest)
        except Gone as error:  # the ConfigMap, not the resource that it is about
            raise Conflict(str(error)) from None

    # --- Events -------------------------------------------------------------------------

    def event(self, body: Mapping[str, Any], type_: str, reason: str, message: str) -> None:
        """Tell people, soon; ``type_`` is Normal or Warning. Never raises: it is a courtesy."""
        try:
            self._events.put_nowait(_event(body, type_, reason, message))
        except asyncio.QueueFull:
            logger.warning("Too many Events wait: %s is not posted", reason, extra=_about(body))

    async def _post_events(self) -> None:
        """One after the other: no Job waits while the API server takes Events."""
        while True:
            event = await self._events.get()
            try:
                path = _EVENTS.path(event["metadata"]["namespace"])
                await self._request("POST", path, seconds=EVENT_SECONDS, body=event)
            except (ClusterError, Gone, Conflict) as error:
                logger.warning(
                    "The Event %s could not be posted: %s",
                    event["reason"],
                    error,
                    extra=_about({"metadata": event["regarding"]}),
                )
            finally:
                self._events.task_done()

    # --- transport ----------------------------------------------------------------------

    async def _create(self, kind: _Kind, manifest: Mapping[str, Any]) -> Body:
        namespace = manifest["metadata"]["namespace"]
        return await self._request("POST", kind.path(namespace), body=manifest)

    async def _request(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        *,
        body: Mapping[str, Any] | None = None,
        seconds: float = REQUEST_SECONDS,
    ) -> Body:
        status, data = await self._send(method, path, query, body=body, seconds=seconds)
        asked = f"{method} {path}{way(self._client.configuration)}"
        return await _success(method, asked, status, data)

    async def _send(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        *,
        body: Mapping[str, Any] | None = None,
        seconds: float = REQUEST_SECONDS,
    ) -> tuple[int, bytes]:
        """Status and body of the answer, whatever it is."""
        timeout = aiohttp.ClientTimeout(total=seconds)
        async with self._reached(method, path):
            reply = await self._call(method, path, query, body=body, timeout=timeout)
            data: bytes = await reply.read()  # type: ignore[no-untyped-call]
        return reply.status, data

    async def _call(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None,
        *,
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 - of the transport
        body: Mapping[str, Any] | None = None,
    ) -> RESTResponse:
        configuration = self._client.configuration
        url = configuration.host + path + (f"?{urlencode(query)}" if query else "")
        headers = {
            "Accept": "application/json",
            # Packing a page costs the API server more time than sending it within a cluster.
            "Accept-Encoding": "identity",
            "Content-Type": "application/json",
            "User-Agent": self._client.user_agent,
            **await authorization(configuration),
        }
        return await self._client.call_api(
            method, url, headers, body=body, _request_timeout=timeout
        )

    @contextlib.asynccontextmanager
    async def _reached(self, method: str, path: str) -> AsyncIterator[None]:
        try:
            yield
        except (aiohttp.ClientError, OSError) as error:  # TimeoutError is an OSError
            text = str(error) or type(error).__name__
            asked = f"{method} {path}{way(self._client.configuration)}"
            raise ClusterError(f"{asked}: {text}; is the API server there?") from None


@contextlib.asynccontextmanager
async def _broken_off(stream: aiohttp.ClientResponse) -> AsyncIterator[aiohttp.ClientResponse]:
    """A stream whose rest is not needed: close the connection without awaiting its end."""
    try:
        yield stream
    finally:
        if stream.connection is not None and stream.connection.transport is not None:
            stream.connection.transport.abort()
        stream.close()


async def _lines(content: aiohttp.StreamReader) -> AsyncIterator[bytes]:
    """Those that are whole; an object may be larger than any buffer."""
    rest = b""
    async for chunk in content.iter_chunked(CHUNK_BYTES):
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            yield line


async def _event_of(line: bytes) -> tuple[str, Body]:
    """Type and object of a line of a watch."""
    try:
        event = await documents.read(line)
        return str(event["type"]), event["object"]
    except (ValueError, TypeError, KeyError):
        raise _NoStreamError(HTTPStatus.OK) from None


async def _success(method: str, asked: str, status: int, data: bytes) -> Body:
    try:
        document = await documents.read(data)
    except ValueError:
        document = {}
    if not isinstance(document, dict):
        document = {}
    if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES and document:
        return document
    reason, message = str(document.get("reason", "")), str(document.get("message", ""))
    if not document and data.strip() != NO_SUCH_PATH:
        message = "no answer of Kubernetes: is this the API server, or a proxy before it?"
    text = f"{asked}: {status} {reason}: {message}"
    details = document.get("details") or {}
    if _is_denied(message):
        raise _Refused(status, reason, text, message)
    if status == HTTPStatus.NOT_FOUND and details:
        raise Gone(text)
    if any(cause.get("reason") == NAMESPACE_TERMINATING for cause in details.get("causes") or ()):
        raise Gone(text)  # the resource goes with its namespace
    if status == HTTPStatus.CONFLICT and (method != "POST" or reason == "AlreadyExists"):
        raise Conflict(text)  # a POST also meets 409 when a quota is counted twice: try again
    raise _Refused(status, reason, text, message)


def _names(body: Mapping[str, Any]) -> tuple[str, str]:
    return body["metadata"]["namespace"], body["metadata"]["name"]


def _about(body: Mapping[str, Any]) -> dict[str, str]:
    namespace, name = _names(body)
    return {"namespace": namespace, "resource": name}


def _event_name(name: str) -> str:
    """A name of its own; each part of it between points begins and ends as names may."""
    return f"{name[:200].rstrip('-.')}.{secrets.token_hex(8)}"


def _event(body: Mapping[str, Any], type_: str, reason: str, message: str) -> Body:
    namespace, name = _names(body)
    return {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"namespace": namespace, "name": _event_name(name)},
        "eventTime": datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z"),
        "reportingController": CONTROLLER,
        "reportingInstance": CONTROLLER,
        "action": reason,
        "reason": reason,
        "type": type_,
        "note": plain(message, NOTE_BYTES).encode()[:NOTE_BYTES].decode(errors="ignore"),
        "regarding": {
            "apiVersion": f"{GROUP}/{VERSION}",
            "kind": KIND,
            "namespace": namespace,
            "name": name,
            "uid": body["metadata"]["uid"],
            "resourceVersion": body["metadata"].get("resourceVersion", ""),
        },
    }

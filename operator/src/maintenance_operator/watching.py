"""kopf, embedded: in our loop, with our credentials, watching and nothing else."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Collection
from typing import Any, Final

import aiohttp
import kopf
from kubernetes.aio.client import Configuration
from typing_extensions import override
from yarl import URL

from maintenance_core.names import GROUP, VERSION
from maintenance_operator.adapters import documents
from maintenance_operator.adapters.credentials import authorization, login, tls
from maintenance_operator.handlers import CHILDREN, WATCHED
from maintenance_operator.health import WATCH_SECONDS, Watch, Watches
from maintenance_operator.kopf_internals import NoMemories, OutOfReachError, insist

logger = logging.getLogger(__name__)

LOGINS: Final = 5
LOGIN_SECONDS: Final = 60.0
"""More logins than that in a minute: the API server does not want us, and asking on is no cure."""
HTTP_OK: Final = 200
HTTP_FORBIDDEN: Final = 403
OUT_OF_REACH_SECONDS: Final = 50.0
"""Between two tries to watch a namespace that was forbidden; kopf adds some."""
PATIENCE: Final = (1, 1, 2, 3, 5, 8, *[10] * 60)
"""Seconds between tries: ten minutes, for an upgrade of the API server, and soon back after it."""

LATEST_SECONDS: Final = 10.0
METADATA: Final = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"


def expected_watches(namespaces: Collection[str]) -> list[Watch]:
    """The watches of a set of namespaces; none means all."""
    return [(namespace, plural) for namespace in (namespaces or (None,)) for plural in WATCHED]


async def watch(
    registry: kopf.OperatorRegistry,
    namespaces: Collection[str],
    watches: Watches,
    stop: asyncio.Event,
    ready: asyncio.Event,
    went_back: Callable[[], None],
) -> None:
    """Watch until ``stop`` is set. An error means that a watch died for good.

    ``went_back`` is called where resourceVersions did: what was heard until then may be undone.
    """
    _register_login(registry, watches, went_back)
    insisting = asyncio.create_task(insist(), name="insist")
    try:
        await kopf.operator(
            registry=registry,
            settings=_settings(),
            memories=NoMemories(),
            standalone=True,
            clusterwide=not namespaces,
            namespaces=namespaces,
            stop_flag=stop,
            ready_flag=ready,
        )
    finally:
        insisting.cancel()


class _NoDifferences(kopf.DiffBaseStorage):
    """Finds none: no handler asks for them, and kopf copies a body several times to look."""

    @override
    def build(self, *, body: kopf.Body, extra_fields: object = None) -> kopf.BodyEssence:
        return kopf.BodyEssence()

    @override
    def fetch(self, *, body: kopf.Body) -> kopf.BodyEssence | None:
        return None

    @override
    def store(self, *, body: kopf.Body, patch: kopf.Patch, essence: kopf.BodyEssence) -> None:
        return None


def _settings() -> kopf.OperatorSettings:
    settings = kopf.OperatorSettings()
    settings.posting.enabled = False
    settings.persistence.diffbase_storage = _NoDifferences()
    settings.scanning.disabled = True
    settings.watching.chunk_size = 50
    settings.watching.server_timeout = WATCH_SECONDS
    # A worker holds its object for that long after the last event: short, or memory grows.
    settings.queueing.idle_timeout = 0.05
    settings.networking.error_backoffs = PATIENCE
    settings.networking.connect_timeout = 10
    settings.networking.request_timeout = 60
    for kind, labels in CHILDREN.items():
        settings.watching.label_selectors[kind] = labels
    return settings


def _register_login(
    registry: kopf.OperatorRegistry, watches: Watches, went_back: Callable[[], None]
) -> None:
    recent: list[float] = []

    @kopf.on.login(registry=registry)
    async def log_in(**_: object) -> kopf.AiohttpSession:
        now = asyncio.get_running_loop().time()
        recent[:] = [time for time in recent if now - time < LOGIN_SECONDS] + [now]
        if len(recent) > LOGINS:
            raise kopf.LoginError(
                f"the API server refused {LOGINS} logins within a minute; "
                "check the service account and its RoleBindings"
            )
        configuration = await login()
        return kopf.AiohttpSession(
            server=configuration.host,
            aiohttp_session=_session(configuration, watches, went_back),
        )


def _session(
    configuration: Configuration, watches: Watches, went_back: Callable[[], None]
) -> aiohttp.ClientSession:
    """A session that renews its token with each request and notes signs of life."""

    async def middleware(
        request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        request.headers.update(await authorization(configuration))
        if await _would_be_deaf(request):
            logger.warning(
                "resourceVersions went back, as after etcd was restored: watching %s anew",
                request.url.path,
            )
            request.url = request.url.without_query_params("resourceVersion")
            went_back()
        response = await handler(request)
        if response.status == HTTP_FORBIDDEN and (forbidden := watch_of(request.url)) is not None:
            await _unless_out_of_reach(forbidden, watches, response)
        response.content = _Lines(response.content)  # type: ignore[assignment]
        watched = watch_of(request.url)
        if response.status == HTTP_OK and watched is not None:
            watches.sign(watched)
        return response

    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, ssl=tls(configuration)),
        middlewares=[middleware],
        response_class=_Response,
        proxy=configuration.proxy,
    )


async def _unless_out_of_reach(
    watch: Watch, watches: Watches, response: aiohttp.ClientResponse
) -> None:
    """Let kopf try again now and then what is forbidden in one namespace: it would end all watches.

    Raises ``OutOfReachError`` where other namespaces are watched.
    """
    watches.refused(watch)
    if not watches.out_of_reach(watch):
        return
    if watches.is_news(watch):
        logger.warning(
            "%s in namespace %s may not be watched (HTTP 403): was it deleted, and the operator's "
            "Role with it? The other namespaces are followed, and this one is tried again about "
            "once a minute; where it is gone for good, take it out of watchNamespaces",
            watch[1],
            watch[0],
        )
    response.release()
    await asyncio.sleep(OUT_OF_REACH_SECONDS)
    raise OutOfReachError(f"{watch[1]} in namespace {watch[0]} may not be watched")


async def _would_be_deaf(request: aiohttp.ClientRequest) -> bool:
    """Whether a watch is to go on from a version that is not there yet.

    The API server takes it, and says nothing until there is such a version again.
    """
    query = request.url.query
    since = query.get("resourceVersion", "")
    if "watch" not in query or not since.isdecimal():
        return False
    selector = {key: value for key, value in query.items() if key == "labelSelector"}
    headers = {"Authorization": request.headers.get("Authorization", ""), "Accept": METADATA}
    try:
        async with request.session.get(
            request.url.with_query({**selector, "limit": "1"}),
            headers={key: value for key, value in headers.items() if value},
            timeout=aiohttp.ClientTimeout(total=LATEST_SECONDS),
            middlewares=(),
        ) as reply:
            latest = (await reply.json())["metadata"]["resourceVersion"]
    except (aiohttp.ClientError, TimeoutError, ValueError, TypeError, KeyError):
        return False  # the watch itself will show what is the matter
    return str(latest).isdecimal() and int(latest) < int(since)


class _Response(aiohttp.ClientResponse):
    """A document that is too deep for kopf's parser would end its watches."""

    @override
    async def json(self, **_: object) -> Any:
        return await documents.read(await self.read())


class _Lines:
    """The same for the lines of a watch, as kopf asks for them."""

    def __init__(self, content: aiohttp.StreamReader) -> None:
        self._content = content

    def __getattr__(self, name: str) -> Any:
        return getattr(self._content, name)

    async def iter_chunked(self, size: int) -> AsyncIterator[bytes]:
        """Whole lines."""
        async for line in documents.lines(self._content.iter_chunked(size)):
            yield line + b"\n"


def watch_of(url: URL) -> Watch | None:
    """Which watch a request belongs to: its namespace and plural."""
    parts = url.path.strip("/").split("/")
    if parts[:3] in (["apis", GROUP, VERSION], ["apis", "batch", "v1"]):
        rest = parts[3:]
    elif parts[:2] == ["api", "v1"]:
        rest = parts[2:]
    else:
        return None
    match rest:
        case [plural] if plural in WATCHED:
            return None, plural
        case ["namespaces", namespace, plural] if plural in WATCHED:
            return namespace, plural
        case _:
            return None

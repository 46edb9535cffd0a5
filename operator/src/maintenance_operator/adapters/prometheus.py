"""Prometheus over HTTP: one request for all who ask the same.

API: https://prometheus.io/docs/prometheus/latest/querying/api/#range-queries
"""

import asyncio
import hashlib
import logging
import math
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import partial
from types import MappingProxyType, TracebackType
from typing import Any, Final, Protocol, Self

import aiohttp
import orjson

from maintenance_operator.adapters.access import Access
from maintenance_operator.adapters.selectors import objection
from maintenance_operator.core.model import Series, Server
from maintenance_operator.core.reasons import MetricsReason
from maintenance_operator.errors import MetricsError

logger = logging.getLogger(__name__)

TIMEOUT_SECONDS: Final = 10.0
CONNECT_SECONDS: Final = 5.0
MOST_BYTES: Final = 16 * 1024 * 1024
MOST_CHARACTERS: Final = 300
QUERY_CHARACTERS: Final = 100
CONCURRENCY_PER_SERVER: Final = 8
"""Prometheus evaluates twenty queries at a time by default; most of them are other people's."""
FAILURE_SECONDS: Final = 1.0
"""How long a failure is shared: those who ask at the same time need not fail one by one."""
RETRY_SECONDS: Final = 0.2
"""One reply in ten that fails is then one reading in a hundred that is missed."""
LEAST_KEEP_SECONDS: Final = 5.0
"""A single time has no step; the shortest interval between readings is as long."""
MOST_KEPT_TIMES: Final = 100
"""A longer answer is a past that somebody catches up with: shared on its way, and not kept."""
ENTRIES: Final = 20_000
STRIKES: Final = 3
"""One query may be slow; so many in a row that get no answer mean that the server is away."""

SKEWED: Final = timedelta(minutes=1)
"""Clocks that differ by so much are told of: the shortest usual interval between readings."""

NO_MATCH: Final[Mapping[str, str]] = MappingProxyType({})

OWN_NAMESPACE: Final = "{{ namespace }}"
"""In a server's enforced matchers: the namespace of the resource that asks."""

HTTP_OK: Final = 200
HTTP_BAD_REQUEST: Final = 400
HTTP_NOT_LET_IN: Final = (401, 403)
HTTP_MOMENTARY: Final = (500, 502, 503, 504)
"""A server, or a proxy before it, that may answer when it is asked once more."""
HTTP_REDIRECTS: Final = range(300, 400)


class Telemetry(Protocol):
    """What is counted."""

    def prometheus_request(self, server: str, outcome: str, seconds: float) -> None:
        """A request ended."""


@dataclass(frozen=True, slots=True)
class _Question:
    """What makes two requests the same. Times are seconds since the epoch."""

    server: str
    query: str
    start: float
    end: float
    step: float

    @property
    def key(self) -> str:
        """Short, for logs: the query itself may be long."""
        return hashlib.sha256(self.query.encode()).hexdigest()[:12]

    @property
    def times(self) -> float:
        """How many it asks for."""
        return (self.end - self.start) / self.step + 1

    @property
    def at_any_time(self) -> tuple[str, str, float, float]:
        """Equal for the same question at the next reading."""
        return self.server, self.query, self.end - self.start, self.step


class _Answer:
    """The series of a reply, found by their labels: ten thousand resources may share one."""

    def __init__(self, series: tuple[Series, ...]) -> None:
        self._series = series
        self._by_label: dict[str, dict[str | None, list[Series]]] = {}

    def fitting(self, match: Mapping[str, str]) -> tuple[Series, ...]:
        """Those that carry all labels of ``match``; all where none does."""
        if not match or len(self._series) <= 1:
            return self._series
        several = (self._with(label).get(value, []) for label, value in match.items())
        fewest = min(several, key=len)
        found = tuple(series for series in fewest if match.items() <= series.labels.items())
        return found or self._series

    def _with(self, label: str) -> dict[str | None, list[Series]]:
        if label not in self._by_label:
            values = self._by_label[label] = {}
            for series in self._series:
                values.setdefault(series.labels.get(label), []).append(series)
        return self._by_label[label]


@dataclass(slots=True)
class _Entry:
    question: _Question
    answer: asyncio.Task[_Answer]
    expires: float = math.inf


Connect = Callable[[aiohttp.ClientTimeout], aiohttp.ClientSession]


def _plain(timeout: aiohttp.ClientTimeout) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(timeout=timeout)


class Prometheus:
    """The servers that the operator's configuration names.

    Args:
        servers: by name.
        telemetry: where requests are counted.
        timeout: seconds until a request is given up.
        connect: makes the session, where the way to the servers is not a plain one.
    """

    def __init__(
        self,
        servers: Mapping[str, Server],
        telemetry: Telemetry,
        *,
        timeout: float = TIMEOUT_SECONDS,
        connect: Connect = _plain,
    ) -> None:
        self._servers = servers
        self._telemetry = telemetry
        self._connect = connect
        self._timeout = aiohttp.ClientTimeout(total=timeout, sock_connect=CONNECT_SECONDS)
        self._entries: OrderedDict[tuple[str, str, float, float], _Entry] = OrderedDict()
        self._asking: set[asyncio.Task[_Answer]] = set()
        self._slots = {name: asyncio.Semaphore(CONCURRENCY_PER_SERVER) for name in servers}
        self._away: dict[str, tuple[float, MetricsError]] = {}
        self._strikes = dict.fromkeys(servers, 0)
        self._access = {name: Access(name, server) for name, server in servers.items()}
        self._warned: dict[tuple[str, str], frozenset[str]] = {}
        self._skew: dict[str, timedelta] = {}
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = self._connect(self._timeout)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for answer in self._asking:
            answer.cancel()
        await asyncio.gather(*self._asking, return_exceptions=True)
        self._entries.clear()
        if self._session is not None:
            await self._session.close()

    async def admit(self, namespace: str, server: str, *queries: str) -> None:
        """Check that resources of a namespace may put these queries to a server.

        Raises:
            MetricsError: UnknownServer, ServerForbidden or QueryForbidden.
        """
        asked = self._server(server)
        if asked.namespaces is not None and namespace not in asked.namespaces:
            raise MetricsError(
                MetricsReason.SERVER_FORBIDDEN,
                f"server {server!r} is not for namespace {namespace}: the operator's configuration "
                f"(prometheusServers.{server}.namespaces) says who may ask it",
            )
        enforced = {
            label: value.replace(OWN_NAMESPACE, namespace)
            for label, value in asked.enforced_matchers.items()
        }
        if not enforced:
            return
        for query in queries:
            problem = await objection(query, enforced)
            if problem:
                raise MetricsError(
                    MetricsReason.QUERY_FORBIDDEN, f"{_cut(query)!r}, on server {server}: {problem}"
                )

    def _server(self, name: str) -> Server:
        if name not in self._servers:
            known = ", ".join(sorted(self._servers)) or "none: its prometheusServers is empty"
            raise MetricsError(
                MetricsReason.UNKNOWN_SERVER,
                f"spec.metrics.server: {name!r} is not in the operator's configuration; "
                f"known: {known}",
            )
        return self._servers[name]

    async def range(
        self,
        server: str,
        query: str,
        times: Sequence[datetime],
        match: Mapping[str, str] = NO_MATCH,
    ) -> tuple[Series, ...]:
        """The series of a query at evenly spaced times, oldest first.

        Those that carry all labels of ``match``; where none does, all there are.

        Raises:
            MetricsError: with a member of ``MetricsReason`` as reason.
        """
        self._server(server)
        question = _Question(
            server,
            query,
            times[0].timestamp(),
            times[-1].timestamp(),
            (times[1] - times[0]).total_seconds() if len(times) > 1 else 1.0,
        )
        # Shielded: one caller's cancellation is not the others'.
        entry = self._entry(question)
        answer = entry.result() if entry.done() else await asyncio.shield(entry)
        return answer.fitting(match)

    def _entry(self, question: _Question) -> asyncio.Task[_Answer]:
        """The answer, on its way or there. That to the same question earlier is dropped first."""
        now = asyncio.get_running_loop().time()
        entry = self._entries.get(question.at_any_time)
        expired = entry is not None and entry.answer.done() and now >= entry.expires
        if entry is None or expired or entry.question != question:
            answer = asyncio.create_task(self._ask(question), name=f"query {question.key}")
            self._asking.add(answer)
            entry = self._entries[question.at_any_time] = _Entry(question, answer)
            answer.add_done_callback(partial(self._answered, entry))
            self._entries.move_to_end(question.at_any_time)
            self._evict(now)
        return entry.answer

    def _answered(self, entry: _Entry, task: asyncio.Task[_Answer]) -> None:
        self._asking.discard(task)
        # Reading the exception also tells asyncio that somebody has seen it.
        if task.cancelled() or task.exception() is not None:
            keep = FAILURE_SECONDS
        elif entry.question.times > MOST_KEPT_TIMES:
            keep = 0.0
        else:
            keep = max(entry.question.step, LEAST_KEEP_SECONDS)
        entry.expires = asyncio.get_running_loop().time() + keep

    def _evict(self, now: float) -> None:
        """Drop what has expired from the old end, and the oldest where there are too many."""
        while self._entries:
            question, entry = next(iter(self._entries.items()))
            if not entry.answer.done():
                if len(self._entries) <= ENTRIES:
                    return
            elif now < entry.expires and len(self._entries) <= ENTRIES:
                return
            del self._entries[question]

    async def _ask(self, question: _Question) -> _Answer:
        async with self._slots[question.server]:
            self._refuse_while_away(question.server)
            loop = asyncio.get_running_loop()
            started = loop.time()
            outcome = "Cancelled"
            try:
                reply = await self._post(question)
                if reply[0] in HTTP_MOMENTARY:
                    await asyncio.sleep(RETRY_SECONDS)
                    reply = await self._post(question)
                answer = _Answer(_series(self._document(*reply, question), question))
                outcome = "Success"
            except MetricsError as error:
                outcome = str(error.reason)
                raise
            finally:
                self._telemetry.prometheus_request(question.server, outcome, loop.time() - started)
            return answer

    def _refuse_while_away(self, server: str) -> None:
        """Do not let a queue of questions wait, one timeout each, for a server that is away."""
        until, error = self._away.get(server, (0.0, None))
        if error is not None and asyncio.get_running_loop().time() < until:
            raise MetricsError(error.reason, str(error))

    async def _post(self, question: _Question) -> tuple[int, bytearray]:
        """Status and body of the reply."""
        assert self._session is not None, "use as an async context manager"  # noqa: S101
        server, loop = question.server, asyncio.get_running_loop()
        form = {
            "query": question.query,
            "start": _seconds(question.start),
            "end": _seconds(question.end),
            "step": _seconds(question.step),
        }
        asked, access = self._servers[server], self._access[server]
        url = f"{asked.url}/api/v1/query_range"
        headers, tls = access.headers(), access.tls()
        async with (
            self._reached(server),
            self._session.post(
                url,
                data=form,
                allow_redirects=False,
                server_hostname=asked.server_name or None,
                headers=headers,
                ssl=tls,
            ) as reply,
        ):
            if reply.status in HTTP_REDIRECTS:
                target = _cut(reply.headers.get("Location", "?"))
                raise MetricsError(
                    MetricsReason.QUERY_FAILED,
                    f"{server}: redirects to {target}; "
                    "write the final address into the operator's configuration",
                )
            self._note_clock(server, reply.headers.get("Date", ""))
            body = await _read(reply, server)
        logger.debug(
            "Prometheus replied",
            extra={
                "server": server,
                "query_key": question.key,
                "status": reply.status,
                "grid_end": question.end,
                "bytes": len(body),
                "monotonic": loop.time(),
                "last_byte": datetime.now(UTC).isoformat(timespec="microseconds"),
            },
        )
        return reply.status, body

    def skew(self, server: str) -> timedelta:
        """How far a server's clock was ahead of ours (behind: negative) at its last reply."""
        return self._skew.get(server, timedelta())

    def _note_clock(self, server: str, date: str) -> None:
        """Readings are asked for by our clock, and answered by theirs."""
        try:
            skew = parsedate_to_datetime(date) - datetime.now(UTC)
        except (ValueError, TypeError):  # no date, or one without a zone
            return
        apart, before = abs(skew) >= SKEWED, abs(self.skew(server)) >= SKEWED
        if apart and not before:
            logger.warning(
                "The clock of Prometheus server %s is %+.0f s from the operator's: readings are of "
                "another time, or there are none; set both clocks by NTP",
                server,
                skew.total_seconds(),
                extra={"server": server},
            )
        elif before and not apart:
            logger.info("The clock of Prometheus server %s is right again", server)
        self._skew[server] = skew

    def _document(self, status: int, body: bytearray, question: _Question) -> dict[str, Any]:
        """The ``data`` of a reply; its warnings are told when they change, not at each reading."""
        data, warnings = _data(status, body, question)
        asked = (question.server, question.key)
        if warnings != self._warned.get(asked, frozenset()):
            for warning in sorted(warnings):
                logger.warning(
                    "Prometheus warns: %s",
                    warning,
                    extra={"server": question.server, "query_key": question.key},
                )
            self._warned[asked] = warnings
        return data

    @asynccontextmanager
    async def _reached(self, server: str) -> AsyncIterator[None]:
        try:
            yield
        except aiohttp.ConnectionTimeoutError:
            error = self._missed(server, f"no connection within {CONNECT_SECONDS:g} s", STRIKES)
        except TimeoutError:
            error = self._missed(server, f"no answer within {self._timeout.total:g} s", 1)
        except (aiohttp.ClientError, OSError, ValueError) as cause:
            error = self._missed(server, _cut(str(cause) or type(cause).__name__), STRIKES)
        else:
            self._strikes[server] = 0
            return
        raise error from None

    def _missed(self, server: str, text: str, strikes: int) -> MetricsError:
        error = MetricsError(
            MetricsReason.UNREACHABLE, f"The Prometheus server {server!r} does not answer: {text}"
        )
        self._strikes[server] += strikes
        if self._strikes[server] >= STRIKES:
            until = asyncio.get_running_loop().time() + FAILURE_SECONDS
            self._away[server] = (until, error)
        return error


async def _read(reply: aiohttp.ClientResponse, server: str) -> bytearray:
    body = bytearray()
    async for chunk in reply.content.iter_chunked(65536):
        body += chunk
        if len(body) > MOST_BYTES:
            raise MetricsError(
                MetricsReason.QUERY_FAILED,
                f"{server}: the reply is larger than "
                f"{MOST_BYTES >> 20} MiB; let the query aggregate",
            )
    return body


def _data(
    status: int, body: bytearray, question: _Question
) -> tuple[dict[str, Any], frozenset[str]]:
    """The ``data`` of a reply and its warnings, or the error that it is."""
    if status in HTTP_NOT_LET_IN:
        raise MetricsError(
            MetricsReason.UNREACHABLE,
            f"HTTP {status}: the server does not let the operator in; its administrator must mend "
            "the credentials in the operator's configuration",
        )
    try:
        document = orjson.loads(body)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise MetricsError(
            MetricsReason.QUERY_FAILED,
            f"HTTP {status} without JSON: is this address Prometheus' own, or a proxy's?",
        )
    if status != HTTP_OK or document.get("status") != "success":
        # A proxy in between, like the API server's, says "message".
        said = str(document.get("error") or document.get("message") or f"HTTP {status}")
        if status == HTTP_BAD_REQUEST and document.get("errorType") == "bad_data":
            query = _cut(question.query, QUERY_CHARACTERS)
            said = f"Prometheus refuses the query {query!r}: {said}"
            raise MetricsError(MetricsReason.INVALID_QUERY, _cut(said))
        raise MetricsError(MetricsReason.QUERY_FAILED, _cut(said))
    warnings = frozenset(_cut(str(warning)) for warning in document.get("warnings") or ())
    data = document.get("data")
    if not isinstance(data, dict) or data.get("resultType") != "matrix":
        raise MetricsError(
            MetricsReason.QUERY_FAILED,
            "the reply holds no matrix: is this address Prometheus' own?",
        )
    return data, warnings


def _series(data: dict[str, Any], question: _Question) -> tuple[Series, ...]:
    """The series of a reply, which is used up: a large one is not held twice."""
    times: dict[float, datetime] = {}
    texts: dict[str, str] = {}

    def at(time: Any) -> datetime:
        seconds = float(time)
        if seconds not in times:
            times[seconds] = datetime.fromtimestamp(seconds, UTC)
        return times[seconds]

    def once(text: object) -> str:
        """Equal texts are kept once: most labels are the same from series to series."""
        return texts.setdefault(str(text), str(text))

    def read(series: dict[str, Any]) -> Series:
        return Series(
            {once(name): once(value) for name, value in series.get("metric", {}).items()},
            tuple((at(time), float(value)) for time, value in series.get("values", ())),
        )

    try:
        result = data.pop("result")
        result.reverse()
        return tuple(read(result.pop()) for _ in range(len(result)))
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise MetricsError(
            MetricsReason.QUERY_FAILED,
            f"{question.server}: the reply is malformed ({type(error).__name__})",
        ) from None


def _seconds(value: float) -> str:
    return f"{value:.3f}".rstrip("0").rstrip(".")


def _cut(text: str, most: int = MOST_CHARACTERS) -> str:
    """One line of what somebody else wrote, at most 300 characters."""
    line = " ".join(text.split())
    return line if len(line) <= most else line[: most - 1] + "…"

"""Prometheus over HTTP: one request for all who ask the same.

API: https://prometheus.io/docs/prometheus/latest/querying/api/#range-queries
"""

import asyncio
import hashlib
import logging
import math
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import partial
from types import MappingProxyType, TracebackType
from typing import Final, Protocol, Self

import aiohttp

from maintenance_contract.plain import address, plain
from maintenance_core.errors import MetricsError
from maintenance_core.model import Series, Server
from maintenance_core.reasons import MetricsReason
from maintenance_operator.adapters.access import ServerCredentials
from maintenance_operator.adapters.proxies import proxy_for, variable_for
from maintenance_operator.adapters.replies import ENCODINGS, answer_of, body_of, merged
from maintenance_operator.adapters.selectors import objection

logger = logging.getLogger(__name__)

TIMEOUT_SECONDS: Final = 10.0
CONNECT_SECONDS: Final = 5.0
CONCURRENCY_PER_SERVER: Final = 8
"""Prometheus evaluates twenty queries at a time by default; most of them are other people's."""
FAILURE_SECONDS: Final = 1.0
"""How long a failure is shared: those who ask at the same time need not fail one by one."""
RETRY_SECONDS: Final = 0.2
"""One reply in ten that fails is then one reading in a hundred that is missed."""
QUESTION_TIMEOUTS: Final = 6
"""A whole question, with its retry, its parts and its wait for others, is given up after so many
timeouts of a request, whatever holds it: it has a slot of its server meanwhile."""
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

HTTP_MOMENTARY: Final = (500, 502, 503, 504)
"""A server, or a proxy before it, that may answer when it is asked once more."""
HTTP_REDIRECTS: Final = range(300, 400)

WITHHOLDS: Final = "X-Server-Hostname"
"""A header of VictoriaMetrics' replies alone. In steps of less than a minute it answers for the
last half minute with the value before, or with none: what is scraped then may not be stored yet."""
WITHHELD_STEP: Final = 60.0
MINUTE: Final = 60.0


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

    def parts(self) -> tuple["_Question", ...]:
        """The same times in steps of at least a minute: every second one, and the others."""
        several = max(1, math.ceil(WITHHELD_STEP / self.step))
        wide, starts = self.step * several, min(several, round(self.times))
        firsts = (self.start + number * self.step for number in range(starts))
        return tuple(
            replace(self, start=first, end=self.end - (self.end - first) % wide, step=wide)
            for first in firsts
        )

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


class _MomentaryError(Exception):
    """The server, or a proxy before it, may answer when it is asked once more."""


Connect = Callable[[aiohttp.ClientTimeout], aiohttp.ClientSession]


def _direct(timeout: aiohttp.ClientTimeout) -> aiohttp.ClientSession:
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
        connect: Connect = _direct,
    ) -> None:
        self._servers = servers
        self._telemetry = telemetry
        self._connect = connect
        self._question_seconds = QUESTION_TIMEOUTS * timeout
        self._timeout = aiohttp.ClientTimeout(total=timeout, sock_connect=CONNECT_SECONDS)
        self._entries: OrderedDict[tuple[str, str, float, float], _Entry] = OrderedDict()
        self._asking: set[asyncio.Task[_Answer]] = set()
        self._slots = {name: asyncio.Semaphore(CONCURRENCY_PER_SERVER) for name in servers}
        self._away: dict[str, tuple[float, MetricsError]] = {}
        self._strikes = dict.fromkeys(servers, 0)
        self._access = {name: ServerCredentials(name, server) for name, server in servers.items()}
        self._warned: dict[tuple[str, str], frozenset[str]] = {}
        self._skew: dict[str, timedelta] = {}
        self._withholding: set[str] = set()
        self._large = asyncio.Semaphore()
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
                    MetricsReason.QUERY_FORBIDDEN,
                    f"{plain(query)!r}, on server {server}: {problem}",
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
            _step(times),
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
                answer = _Answer(await self._in_time(question))
                outcome = "Success"
            except MetricsError as error:
                outcome = str(error.reason)
                raise
            finally:
                self._telemetry.prometheus_request(question.server, outcome, loop.time() - started)
            return answer

    async def _in_time(self, question: _Question) -> tuple[Series, ...]:
        try:
            async with asyncio.timeout(self._question_seconds):
                return await self._answer(question)
        except TimeoutError:
            text = f"no whole answer within {self._question_seconds:g} s"
            error = self._missed(question.server, text, 1)
        raise error from None

    async def _answer(self, question: _Question) -> tuple[Series, ...]:
        """In one request, or in several where the server withholds what is asked in one."""
        if question.server not in self._withholding or question.step >= WITHHELD_STEP:
            series = await self._reply(question)
            if question.server not in self._withholding or question.step >= WITHHELD_STEP:
                return series
        return merged([await self._reply(part) for part in question.parts()])

    async def _reply(self, question: _Question) -> tuple[Series, ...]:
        """A request; once more where the server is away for a moment."""
        try:
            return await self._asked(question, HTTP_MOMENTARY)
        except _MomentaryError:
            await asyncio.sleep(RETRY_SECONDS)
        return await self._asked(question, ())

    async def _asked(self, question: _Question, momentary: Collection[int]) -> tuple[Series, ...]:
        """One request. What it holds while it reads, it gives back before there is another."""
        async with AsyncExitStack() as held:
            status, body = await self._post(question, held)
            if status in momentary:
                raise _MomentaryError
            answer = await answer_of(status, body, question.server, question.query)
        self._note(question, answer.notes)
        return answer.series

    def _refuse_while_away(self, server: str) -> None:
        """Do not let a queue of questions wait, one timeout each, for a server that is away."""
        until, error = self._away.get(server, (0.0, None))
        if error is not None and asyncio.get_running_loop().time() < until:
            raise MetricsError(error.reason, str(error))

    async def _post(self, question: _Question, held: AsyncExitStack) -> tuple[int, bytearray]:
        """Status and body of the reply."""
        assert self._session is not None, "use as an async context manager"  # noqa: S101
        server, loop = question.server, asyncio.get_running_loop()
        form = {
            "query": question.query,
            "start": _seconds(question.start),
            "end": _seconds(question.end),
            "step": _seconds(question.step),
            **({"nocache": "1"} if server in self._withholding else {}),
        }
        asked, access = self._servers[server], self._access[server]
        url = f"{asked.url}/api/v1/query_range"
        headers, tls = access.headers() | {"Accept-Encoding": ENCODINGS}, access.tls()
        async with (
            self._reached(server),
            self._session.post(
                url,
                data=form,
                allow_redirects=False,
                auto_decompress=False,
                proxy=proxy_for(url),
                server_hostname=asked.server_name or None,
                headers=headers,
                ssl=tls,
            ) as reply,
        ):
            if reply.status in HTTP_REDIRECTS:
                target = address(reply.headers.get("Location", "")) or "an address of its own"
                raise MetricsError(
                    MetricsReason.NOT_PROMETHEUS,
                    f"{server}: redirects to {target}; "
                    "write the final address into the operator's configuration",
                )
            self._note_clock(server, reply.headers.get("Date", ""))
            if WITHHOLDS in reply.headers:
                self._withholding.add(server)
            body = await body_of(reply, server, self._large, held)
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

    def skew(self, server: str) -> timedelta | None:
        """How far a server's clock was ahead of ours (behind: negative) at its last reply."""
        return self._skew.get(server)

    def _note_clock(self, server: str, date: str) -> None:
        """Readings are asked for by our clock, and answered by theirs."""
        try:
            skew = parsedate_to_datetime(date) - datetime.now(UTC)
        except (ValueError, TypeError):  # no date, or one without a zone
            return
        apart, before = abs(skew) >= SKEWED, abs(self._skew.get(server, timedelta())) >= SKEWED
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

    def _note(self, question: _Question, notes: frozenset[str]) -> None:
        """What a server says of a query is told when it changes, not at each reading."""
        asked = (question.server, question.key)
        if notes != self._warned.get(asked, frozenset()):
            for note in sorted(notes):
                logger.warning(
                    "Prometheus warns: %s",
                    note,
                    extra={"server": question.server, "query_key": question.key},
                )
            self._warned[asked] = notes

    @asynccontextmanager
    async def _reached(self, server: str) -> AsyncIterator[None]:
        try:
            yield
        except aiohttp.ConnectionTimeoutError:
            error = self._missed(server, f"no connection within {CONNECT_SECONDS:g} s", STRIKES)
        except TimeoutError:
            error = self._missed(server, f"no answer within {self._timeout.total:g} s", 1)
        except (aiohttp.ClientError, OSError, ValueError) as cause:
            error = self._missed(server, plain(_told(cause)) or type(cause).__name__, STRIKES)
        else:
            self._strikes[server] = 0
            return
        raise error from None

    def _way(self, server: str) -> str:
        """The proxy, where there is one: a server that is there may be behind the wrong one."""
        url = self._servers[server].url
        proxy = proxy_for(url)
        return f" through the proxy {address(proxy)} ({variable_for(url)})" if proxy else ""

    def _missed(self, server: str, text: str, strikes: int) -> MetricsError:
        error = MetricsError(
            MetricsReason.UNREACHABLE,
            f"The Prometheus server {server!r} does not answer{self._way(server)}: {text}",
        )
        self._strikes[server] += strikes
        if self._strikes[server] >= STRIKES:
            until = asyncio.get_running_loop().time() + FAILURE_SECONDS
            self._away[server] = (until, error)
        return error


def _told(cause: Exception) -> str:
    """What went wrong; the library's words also show its TLS object, which helps nobody."""
    if isinstance(cause, aiohttp.ClientConnectorError) and cause.strerror:
        return f"no connection to {cause.host}:{cause.port} ({cause.strerror})"
    return str(cause)


def _step(times: Sequence[datetime]) -> float:
    """For a single time a minute, where the time is at one: servers may align one to the other."""
    if len(times) > 1:
        return (times[1] - times[0]).total_seconds()
    return 1.0 if times[0].timestamp() % MINUTE else MINUTE


def _seconds(value: float) -> str:
    return f"{value:.3f}".rstrip("0").rstrip(".")

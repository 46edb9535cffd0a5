"""Replies of Prometheus: bounded while they are read, then series, or the error that they are.

Who may write a query decides how much comes back. What is too much is refused before it is held:
by its bytes, its series and its values, and one large reply is read at a time.
"""

import asyncio
import zlib
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import aiohttp
import orjson

from maintenance_contract.plain import plain
from maintenance_core.errors import MetricsError
from maintenance_core.model import Series
from maintenance_core.reasons import MetricsReason

MOST_BYTES: Final = 16 * 1024 * 1024
MOST_SERIES: Final = 20_000
"""Twice as many as there are resources in the largest fleet that was measured."""
MOST_VALUES: Final = 300_000
LARGE_BYTES: Final = 1024 * 1024
"""From here on a reply waits until no other is as large: together they have one's memory."""
THREAD_BYTES: Final = 64 * 1024
"""A longer one is made into series beside the event loop."""
ERROR_BYTES: Final = 16 * 1024
"""Of a reply that is no answer: what is wrong is said at its beginning."""
CHUNK_BYTES: Final = 65_536
QUERY_CHARACTERS: Final = 100
MOST_WARNINGS: Final = 3

ANNOTATIONS: Final = ("PromQL warning:", "PromQL info:")
"""How Prometheus, Mimir and Thanos begin what they say of the query itself. It takes nothing from
the answer's completeness; any other warning is of a store or shard that did not answer."""

ENCODINGS: Final = "gzip, deflate"
HTTP_OK: Final = 200
HTTP_BAD_REQUEST: Final = 400
HTTP_NOT_LET_IN: Final = (401, 403)


@dataclass(frozen=True, slots=True)
class Answer:
    """The series of a reply, and what the server says of the query."""

    series: tuple[Series, ...]
    notes: frozenset[str]


async def body_of(
    reply: aiohttp.ClientResponse, server: str, large: asyncio.Semaphore, held: AsyncExitStack
) -> bytearray:
    """The body; a large one waits for ``large``, which ``held`` gives back.

    Of an error only the beginning: it never waits, and so keeps nobody waiting.

    Raises:
        MetricsError: it is too large, or packed in a way that nobody asked for.
    """
    if reply.status != HTTP_OK:
        return await _beginning(reply, server)
    body, series, values = bytearray(), 0, 0
    waited = False
    async for chunk in _unpacked(reply, server):
        before = len(body)
        body += chunk
        # An end that is seen twice is shorter than what is counted.
        series += body.count(b'"metric"', max(0, before - 7))
        values += chunk.count(b"[")
        if len(body) > MOST_BYTES or series > MOST_SERIES or values - series > MOST_VALUES:
            raise _too_much(server, series, values - series, len(body))
        if len(body) > LARGE_BYTES and not waited:
            await held.enter_async_context(large)
            waited = True
    return body


async def _beginning(reply: aiohttp.ClientResponse, server: str) -> bytearray:
    body = bytearray()
    async with aclosing(_unpacked(reply, server)) as chunks:
        async for chunk in chunks:
            body += chunk
            if len(body) >= ERROR_BYTES:
                break
    return body[:ERROR_BYTES]


def _too_much(server: str, series: int, values: int, size: int) -> MetricsError:
    return MetricsError(
        MetricsReason.REPLY_TOO_LARGE,
        f"{server}: the reply is too large: {series} series with {max(values, 0)} values in the "
        f"first {size / 1024 / 1024:.1f} MiB; read are at most {MOST_SERIES} series, {MOST_VALUES} "
        f"values and {MOST_BYTES >> 20} MiB. Let the query aggregate, like avg by (model) (…), or "
        "select fewer series by their labels",
    )


async def _unpacked(reply: aiohttp.ClientResponse, server: str) -> AsyncGenerator[bytes]:
    """The chunks of a body, none larger than others whatever it is packed with."""
    encoding = reply.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding in {"identity", ""}:
        async for chunk in reply.content.iter_chunked(CHUNK_BYTES):
            yield chunk
        return
    if encoding not in {"gzip", "x-gzip", "deflate"}:
        raise MetricsError(
            MetricsReason.NOT_PROMETHEUS,
            f"{server}: the reply is packed as {plain(encoding, 40)!r}; asked for was {ENCODINGS}",
        )
    unpacking = zlib.decompressobj(zlib.MAX_WBITS | 32)
    async for packed in reply.content.iter_chunked(CHUNK_BYTES):
        rest = packed
        while rest:
            try:
                chunk = unpacking.decompress(rest, CHUNK_BYTES)
            except zlib.error:
                raise MetricsError(
                    MetricsReason.NOT_PROMETHEUS, f"{server}: the reply is no {encoding}"
                ) from None
            rest = unpacking.unconsumed_tail
            yield chunk


async def answer_of(status: int, body: bytearray, server: str, query: str) -> Answer:
    """What a reply says.

    Raises:
        MetricsError: it is an error, no answer, or a partial one.
    """
    if len(body) <= THREAD_BYTES:
        return _answer(status, body, server, query)
    return await asyncio.to_thread(_answer, status, body, server, query)


def _answer(status: int, body: bytearray, server: str, query: str) -> Answer:
    document = _document(status, body, query)
    notes, missing = _warnings(document)
    if missing:
        more = len(missing) - MOST_WARNINGS
        said = "; ".join(missing[:MOST_WARNINGS]) + (f" and {more} more" if more > 0 else "")
        raise MetricsError(
            MetricsReason.PARTIAL,
            f"{server}: the answer is partial and counts as none: {said}",
        )
    data = document.get("data")
    if not isinstance(data, dict) or data.get("resultType") != "matrix":
        raise MetricsError(
            MetricsReason.NOT_PROMETHEUS,
            "the reply holds no matrix: is this address Prometheus' own?",
        )
    return Answer(_series(data, server), notes)


def _document(status: int, body: bytearray, query: str) -> dict[str, Any]:
    """A reply that says success."""
    if status in HTTP_NOT_LET_IN:
        raise MetricsError(
            MetricsReason.CREDENTIALS_REFUSED,
            f"HTTP {status}: the server does not let the operator in; its administrator must mend "
            "the credentials in the operator's configuration",
        )
    try:
        document = orjson.loads(body)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise MetricsError(
            MetricsReason.NOT_PROMETHEUS,
            f"HTTP {status} without JSON: is this address Prometheus' own, or a proxy's?",
        )
    if status != HTTP_OK or document.get("status") != "success":
        # A proxy in between, like the API server's, says "message".
        words = (document.get("error"), document.get("message"), f"HTTP {status}")
        said = next(word for word in words if isinstance(word, str) and word)
        if status == HTTP_BAD_REQUEST and document.get("errorType") == "bad_data":
            asked = plain(query, QUERY_CHARACTERS)
            said = f"Prometheus refuses the query {asked!r}: {said}"
            raise MetricsError(MetricsReason.INVALID_QUERY, plain(said))
        raise MetricsError(MetricsReason.QUERY_FAILED, plain(said))
    return document


def _warnings(document: dict[str, Any]) -> tuple[frozenset[str], list[str]]:
    """What is said of the query, and what is said of parts that are missing."""
    said = document.get("warnings") or []
    several = said if isinstance(said, list) else [said]
    listed = [each if isinstance(each, str) else "a warning that is no text" for each in several]
    notes = frozenset(plain(each) for each in listed if each.startswith(ANNOTATIONS))
    missing = sorted({plain(each) for each in listed if not each.startswith(ANNOTATIONS)})
    if document.get("isPartial") is True:
        missing.append("a storage node did not answer (isPartial)")
    return notes, missing


def _series(data: dict[str, Any], server: str) -> tuple[Series, ...]:
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
    except (
        KeyError,
        TypeError,
        ValueError,
        AttributeError,
        OverflowError,
        OSError,
        RecursionError,
    ) as error:
        raise MetricsError(
            MetricsReason.NOT_PROMETHEUS,
            f"{server}: the reply is malformed ({type(error).__name__})",
        ) from None


def merged(parts: list[tuple[Series, ...]]) -> tuple[Series, ...]:
    """The same series of several answers, each about some of the times."""
    if len(parts) == 1:
        return parts[0]
    found: dict[frozenset[tuple[str, str]], list[Series]] = {}
    for part in parts:
        for series in part:
            found.setdefault(frozenset(series.labels.items()), []).append(series)
    return tuple(
        Series(
            several[0].labels,
            tuple(sorted(point for series in several for point in series.points)),
        )
        for several in found.values()
    )

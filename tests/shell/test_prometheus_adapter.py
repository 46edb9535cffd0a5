"""The Prometheus adapter against servers that misbehave at the wire, and against a real one."""

import asyncio
import contextlib
import gzip
import json
import logging
import time
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any

import orjson
import pytest
from aiohttp import web
from support.prometheus import Exporter, PrometheusServer, free_port, seen

from maintenance_core.errors import MetricsError
from maintenance_core.model import Series, Server
from maintenance_core.reasons import MetricsReason
from maintenance_operator.adapters import prometheus as adapter
from maintenance_operator.adapters import replies
from maintenance_operator.adapters.prometheus import Prometheus

NOW = datetime(2026, 11, 23, 18, tzinfo=UTC)
GRID = tuple(NOW + timedelta(minutes=minute) for minute in range(3))
SERIES = {
    "metric": {"model": "news"},
    "values": [[GRID[0].timestamp(), "0.9"], [GRID[2].timestamp(), "NaN"]],
}

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Counted:
    def __init__(self) -> None:
        self.outcomes: list[str] = []

    def prometheus_request(self, _server: str, outcome: str, _seconds: float) -> None:
        self.outcomes.append(outcome)


@contextlib.asynccontextmanager
async def answering(
    handler: Handler, server: Mapping[str, Any] = MappingProxyType({}), **options: Any
) -> AsyncIterator[tuple[Prometheus, Counted]]:
    """The adapter, in front of a server with this one handler."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    counted = Counted()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        async with Prometheus({"default": Server(url, **server)}, counted, **options) as prometheus:
            yield prometheus, counted
    finally:
        await runner.cleanup()


def matrix(*series: dict[str, Any]) -> dict[str, Any]:
    return {"status": "success", "data": {"resultType": "matrix", "result": list(series)}}


def replying(document: Any, status: int = 200) -> Handler:
    async def handler(_: web.Request) -> web.Response:
        return web.json_response(document, status=status)

    return handler


async def failure(handler: Handler, **options: Any) -> MetricsError:
    async with answering(handler, **options) as (prometheus, counted):
        with pytest.raises(MetricsError) as caught:
            await prometheus.range("default", "up", GRID)
        assert counted.outcomes == [caught.value.reason]
    return caught.value


async def test_a_query_is_posted_with_its_grid() -> None:
    asked: list[dict[str, str]] = []

    async def handler(request: web.Request) -> web.Response:
        assert (request.method, request.path) == ("POST", "/api/v1/query_range")
        asked.append({key: str(value) for key, value in (await request.post()).items()})
        return web.json_response(matrix(SERIES))

    async with answering(handler) as (prometheus, counted):
        (series,) = await prometheus.range("default", "avg(model_accuracy)", GRID)
    start = int(NOW.timestamp())
    assert asked == [
        {"query": "avg(model_accuracy)", "start": str(start), "end": str(start + 120), "step": "60"}
    ]
    assert series.labels == {"model": "news"}
    assert series.points[0] == (GRID[0], 0.9)
    assert series.points[1][0] == GRID[2]
    assert series.points[1][1] != series.points[1][1], "NaN is kept: absent is not zero"
    assert counted.outcomes == ["Success"]


async def test_one_time_is_a_grid_too() -> None:
    async with answering(replying(matrix())) as (prometheus, _):
        assert await prometheus.range("default", "up", GRID[:1]) == ()


@pytest.mark.slow
async def test_equal_questions_are_one_request() -> None:
    requests = 0

    async def handler(_: web.Request) -> web.Response:
        nonlocal requests
        requests += 1
        await asyncio.sleep(0.1)
        return web.json_response(matrix(SERIES))

    async with answering(handler) as (prometheus, _):
        answers = await asyncio.gather(
            *(prometheus.range("default", "up", GRID) for _ in range(50))
        )
        assert requests == 1, "asked at the same time"
        assert all(answer == answers[0] for answer in answers)
        await prometheus.range("default", "up", GRID)
        assert requests == 1, "asked again within the interval"
        await prometheus.range("default", "up", tuple(time + timedelta(minutes=1) for time in GRID))
        await prometheus.range("default", "down", GRID)
        assert requests == 3, "another time, another query"


@pytest.mark.slow
async def test_a_caller_that_gives_up_leaves_the_others_their_answer() -> None:
    async def handler(_: web.Request) -> web.Response:
        await asyncio.sleep(0.2)
        return web.json_response(matrix(SERIES))

    async with answering(handler) as (prometheus, _):
        first = asyncio.create_task(prometheus.range("default", "up", GRID))
        second = asyncio.create_task(prometheus.range("default", "up", GRID))
        await asyncio.sleep(0.05)
        first.cancel()
        assert len(await second) == 1


@pytest.mark.slow
async def test_a_failure_is_shared_but_soon_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adapter, "FAILURE_SECONDS", 0.2)
    busy = {"status": "error", "error": "busy"}
    replies = iter([(busy, 503), (busy, 503), (matrix(SERIES), 200)])  # asked once more by itself

    async def handler(_: web.Request) -> web.Response:
        document, status = next(replies)
        return web.json_response(document, status=status)

    async with answering(handler) as (prometheus, counted):
        results = await asyncio.gather(
            *(prometheus.range("default", "up", GRID) for _ in range(5)), return_exceptions=True
        )
        assert [type(result) for result in results] == [MetricsError] * 5
        await asyncio.sleep(0.3)
        assert len(await prometheus.range("default", "up", GRID)) == 1
    assert counted.outcomes == ["QueryFailed", "Success"]


async def test_old_answers_are_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adapter, "ENTRIES", 10)
    async with answering(replying(matrix())) as (prometheus, _):
        for number in range(30):
            await prometheus.range("default", f"up{number}", GRID)
        assert len(prometheus._entries) <= 11


async def test_an_answer_makes_room_before_the_next_reading_s_comes() -> None:
    kept: list[int] = []

    async def handler(_: web.Request) -> web.Response:
        kept.append(sum(entry.answer.done() for entry in prometheus._entries.values()))
        return web.json_response(matrix(SERIES))

    async with answering(handler) as (prometheus, _):
        for minutes in range(3):
            times = tuple(time + timedelta(minutes=minutes) for time in GRID)
            await prometheus.range("default", "up", times)
            await prometheus.range("default", "up", times[-1:])
        assert kept == [0, 1, 1, 1, 1, 1], "the last answer to the other question, no older ones"
        assert len(prometheus._entries) == 2


@pytest.mark.slow
async def test_whoever_waits_for_an_answer_gets_it_when_a_later_one_is_asked_for() -> None:
    async def handler(request: web.Request) -> web.Response:
        form = await request.post()
        await asyncio.sleep(0.2 if form["end"] == f"{GRID[-1].timestamp():.0f}" else 0)
        return web.json_response(matrix({**SERIES, "metric": {"end": form["end"]}}))

    async with answering(handler) as (prometheus, _):
        later = tuple(time + timedelta(minutes=1) for time in GRID)
        first = asyncio.create_task(prometheus.range("default", "up", GRID))
        await asyncio.sleep(0.05)
        for times, ((answer,),) in (
            (later, [await prometheus.range("default", "up", later)]),
            (GRID, [await first]),
        ):
            assert float(answer.labels["end"]) == times[-1].timestamp()


async def test_one_reply_serves_all_who_pick_a_series_by_its_labels() -> None:
    several = [
        {"metric": {"model": f"m{i}", "zone": "ab"[i % 2]}, "values": [[60, str(i)]]}
        for i in range(100)
    ]

    def models(found: Sequence[Series]) -> list[str]:
        return [series.labels["model"] for series in found]

    async with answering(replying(matrix(*several))) as (prometheus, counted):
        for match, expected in (
            ({"model": "m7"}, ["m7"]),
            ({"zone": "b", "model": "m7"}, ["m7"]),
            ({"model": "m7", "zone": "b"}, ["m7"]),
            ({"zone": "a"}, [f"m{i}" for i in range(0, 100, 2)]),
        ):
            found = await prometheus.range("default", "up", GRID, match)
            assert models(found) == expected
        # who finds nothing is to be told what there is
        for match in ({"zone": "a", "model": "m7"}, {"model": "none"}, {"job": "x"}, {}):
            assert len(await prometheus.range("default", "up", GRID, match)) == 100
        assert counted.outcomes == ["Success"]


async def test_a_long_past_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a restart each resource with counters asks for days at once: memory holds no such."""
    monkeypatch.setattr(adapter, "MOST_KEPT_TIMES", 1)
    async with answering(replying(matrix(SERIES))) as (prometheus, counted):
        together = await asyncio.gather(*(prometheus.range("default", "up", GRID) for _ in "ab"))
        assert together[0] == together[1]
        assert len(counted.outcomes) == 1
        await prometheus.range("default", "up", GRID)
        assert len(counted.outcomes) == 2


async def test_an_unknown_server_is_told_the_known_ones() -> None:
    async with Prometheus(
        {"blue": Server("http://x"), "green": Server("http://y")}, Counted()
    ) as prometheus:
        with pytest.raises(MetricsError, match=r"'red'.*known: blue, green") as caught:
            await prometheus.range("red", "up", GRID)
    assert caught.value.reason == MetricsReason.UNKNOWN_SERVER


async def test_a_malformed_query_carries_prometheus_own_words() -> None:
    error = await failure(
        replying(
            {
                "status": "error",
                "errorType": "bad_data",
                "error": 'invalid parameter "query": 1:5: parse error: unclosed\nleft parenthesis'
                + "x" * 999,
            },
            400,
        )
    )
    assert error.reason == MetricsReason.INVALID_QUERY
    assert str(error).startswith("Prometheus refuses the query 'up': invalid parameter")
    assert "1:5: parse error: unclosed left parenthesis" in str(error)
    assert len(str(error)) == 300


@pytest.mark.parametrize(
    "status, document",
    [
        (422, {"status": "error", "errorType": "execution", "error": "too many samples"}),
        (503, {"status": "error", "errorType": "timeout", "error": "too many samples"}),
        (500, {"status": "error", "errorType": "internal", "error": "too many samples"}),
        (400, {"status": "error", "errorType": "other", "error": "too many samples"}),
    ],
)
async def test_a_failed_query_says_why(status: int, document: dict[str, str]) -> None:
    error = await failure(replying(document, status))
    assert error.reason == MetricsReason.QUERY_FAILED
    assert str(error) == "too many samples"


@pytest.mark.parametrize(
    "document",
    [
        [],
        "text",
        7,
        None,
        {"status": "success"},
        {"status": "success", "data": {"resultType": "vector", "result": []}},
        {"status": "success", "data": {"resultType": "matrix"}},
        {"status": "success", "data": {"resultType": "matrix", "result": [7]}},
        {
            "status": "success",
            "data": {
                "resultType": "matrix",
                "result": [{"metric": {}, "values": [["soon", "0.9"]]}],
            },
        },
        {
            "status": "success",
            "data": {"resultType": "matrix", "result": [{"metric": {}, "values": [[1e30, "0.9"]]}]},
        },
    ],
)
async def test_a_strange_document_is_not_prometheus(document: Any) -> None:
    assert (await failure(replying(document))).reason == MetricsReason.NOT_PROMETHEUS


@pytest.mark.slow
async def test_html_of_a_proxy_is_not_quoted() -> None:
    async def handler(_: web.Request) -> web.Response:
        return web.Response(
            status=502, text="<html><h1>Bad gateway</h1></html>", content_type="text/html"
        )

    error = await failure(handler)
    assert error.reason == MetricsReason.NOT_PROMETHEUS
    assert "502" in str(error)
    assert "<" not in str(error)


@pytest.mark.parametrize("status", [401, 403])
async def test_who_is_not_let_in_has_to_mend_credentials(status: int) -> None:
    error = await failure(replying({"error": "no"}, status))
    assert error.reason == MetricsReason.CREDENTIALS_REFUSED


async def test_a_redirect_is_refused() -> None:
    async def handler(_: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": "http://elsewhere/login"})

    error = await failure(handler)
    assert error.reason == MetricsReason.NOT_PROMETHEUS
    assert "http://elsewhere;" in str(error)


CANARY = "canary-of-a-secret"


@pytest.mark.parametrize(
    "location",
    [
        f"https://user:{CANARY}@login.example/{CANARY}?token={CANARY}#{CANARY}",
        f"/login?token={CANARY}",
        f"//login.example/?{CANARY}",
        f"{CANARY}",
    ],
)
async def test_where_a_redirect_leads_tells_no_secret(location: str) -> None:
    async def handler(_: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": location})

    error = await failure(handler)
    assert "redirects to" in str(error)
    assert CANARY not in str(error)


@pytest.mark.parametrize("status", [400, 422, 503])
async def test_an_error_of_a_server_is_plain(status: int) -> None:
    said = f"\x1b[2J\u202edab http://u:{CANARY}@store/{CANARY}?{CANARY} Bearer {CANARY}\u2028\x00"
    error = await failure(
        replying({"status": "error", "errorType": "bad_data", "error": said}, status)
    )
    assert CANARY not in str(error)
    assert str(error).isprintable()
    assert "http://store" in str(error)


async def test_a_reply_without_end_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replies, "MOST_BYTES", 1 << 20)
    sent = 0

    async def handler(request: web.Request) -> web.StreamResponse:
        nonlocal sent
        response = web.StreamResponse()
        await response.prepare(request)
        with contextlib.suppress(ConnectionError):
            while sent < 64 << 20:
                await response.write(b"x" * 65536)
                sent += 65536
        return response

    error = await failure(handler)
    assert error.reason == MetricsReason.REPLY_TOO_LARGE
    assert "too large" in str(error)
    assert "at most 20000 series, 300000 values and 1 MiB" in str(error)
    assert sent < 64 << 20


@pytest.mark.slow
async def test_a_slow_server_is_given_up() -> None:
    async def handler(_: web.Request) -> web.Response:
        await asyncio.sleep(5)
        return web.Response()

    error = await failure(handler, timeout=0.2)
    assert error.reason == MetricsReason.UNREACHABLE
    assert str(error) == ("The Prometheus server 'default' does not answer: no answer within 0.2 s")


@pytest.mark.slow
async def test_a_slow_query_does_not_condemn_its_server() -> None:
    async def handler(request: web.Request) -> web.Response:
        if (await request.post())["query"] == "slow":
            await asyncio.sleep(5)
        return web.json_response(matrix(SERIES))

    async with answering(handler, timeout=0.3) as (prometheus, _):
        with pytest.raises(MetricsError):
            await prometheus.range("default", "slow", GRID)
        assert len(await prometheus.range("default", "quick", GRID)) == 1


async def test_a_cut_connection_is_unreachable() -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "1000"})
        await response.prepare(request)
        await response.write(b"{")
        assert request.transport is not None
        request.transport.close()
        return response

    assert (await failure(handler)).reason == MetricsReason.UNREACHABLE


async def test_nobody_there_is_unreachable_and_costs_one_attempt() -> None:
    counted = Counted()
    port = free_port()
    servers = {"default": Server(f"http://127.0.0.1:{port}")}
    async with Prometheus(servers, counted) as prometheus:
        results = await asyncio.gather(
            *(prometheus.range("default", f"up{number}", GRID) for number in range(20)),
            return_exceptions=True,
        )
    assert {str(result.reason) for result in results if isinstance(result, MetricsError)} == {
        "Unreachable"
    }
    told = str(results[0])
    assert f"does not answer: no connection to 127.0.0.1:{port} (Connect call failed" in told
    assert "ssl:" not in told
    assert len(counted.outcomes) <= adapter.CONCURRENCY_PER_SERVER, "the others were told"


async def test_warnings_are_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        async with answering(
            replying({**matrix(SERIES), "warnings": ["PromQL warning: a\nquantile"]})
        ) as (
            prometheus,
            _,
        ):
            for minute in range(3):  # at each reading the same
                later = tuple(time + timedelta(minutes=minute) for time in GRID)
                assert len(await prometheus.range("default", "up", later)) == 1
    assert caplog.messages == ["Prometheus warns: PromQL warning: a quantile"]


# --- partial answers ----------------------------------------------------------------------

THANOS = "receive series from Addr: store-1:10901: rpc error: code = Unavailable"


@pytest.mark.parametrize("series", [(), (SERIES,)], ids=["empty", "some"])
@pytest.mark.parametrize(
    "told, said",
    [
        ({"warnings": [THANOS]}, THANOS),
        ({"warnings": ["PromQL info: a hint", "No StoreAPIs matched for this query"]}, "StoreAPIs"),
        ({"warnings": "one\nwarning"}, "one warning"),
        ({"warnings": [{"odd": 1}]}, "a warning that is no text"),
        ({"warnings": [f"shard {number}" for number in range(9)]}, "shard 2 and 6 more"),
        ({"isPartial": True}, "isPartial"),
    ],
)
async def test_a_partial_answer_is_none(
    series: tuple[dict[str, Any], ...], told: dict[str, Any], said: str
) -> None:
    error = await failure(replying({**matrix(*series), **told}))
    assert error.reason == MetricsReason.PARTIAL
    assert said in str(error)


@pytest.mark.parametrize(
    "told",
    [
        {"warnings": []},
        {"warnings": None},
        {"warnings": ["PromQL warning: encountered a mix", "PromQL info: no counter"]},
        {"infos": ["PromQL info: metric might not be a counter"]},
        {"isPartial": False},
    ],
)
async def test_what_is_said_of_the_query_takes_nothing_from_its_answer(
    told: dict[str, Any],
) -> None:
    async with answering(replying({**matrix(SERIES), **told})) as (prometheus, _):
        assert len(await prometheus.range("default", "up", GRID)) == 1


# --- what is too much ---------------------------------------------------------------------


def many(series: int, values: int = 1, label: int = 0) -> bytes:
    one = {"metric": {"id": "", "x": "y" * label}, "values": [[60, "1"]] * values}
    listed = b",".join(
        json.dumps(one | {"metric": one["metric"] | {"id": str(number)}}).encode()
        for number in range(series)
    )
    return b'{"status":"success","data":{"resultType":"matrix","result":[' + listed + b"]}}"


def sending(body: bytes, **headers: str) -> Handler:
    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers=headers)
        await response.prepare(request)
        with contextlib.suppress(ConnectionError):
            for start in range(0, len(body), 10_000):
                await response.write(body[start : start + 10_000])
            await response.write_eof()
        return response

    return handler


@pytest.mark.parametrize(
    "body, said",
    [
        (many(400), "too large: 10"),
        (many(1, 20_000), "too large: 1 series with 10"),
        (many(50, label=60_000), "MiB"),
    ],
    ids=["series", "values", "bytes"],
)
@pytest.mark.parametrize("encoding", ["identity", "gzip"])
async def test_too_much_is_refused_while_it_is_read(
    monkeypatch: pytest.MonkeyPatch, body: bytes, said: str, encoding: str
) -> None:
    monkeypatch.setattr(replies, "MOST_SERIES", 100)
    monkeypatch.setattr(replies, "MOST_VALUES", 10_000)
    monkeypatch.setattr(replies, "MOST_BYTES", 1 << 20)
    monkeypatch.setattr(replies, "CHUNK_BYTES", 512)
    monkeypatch.setattr(orjson, "loads", None)
    sent = gzip.compress(body) if encoding == "gzip" else body
    error = await failure(sending(sent, **{"Content-Encoding": encoding}))
    assert error.reason == MetricsReason.REPLY_TOO_LARGE
    assert said in str(error)
    assert "Let the query aggregate" in str(error)


@pytest.mark.parametrize(
    "pack, encoding",
    [(gzip.compress, "gzip"), (zlib.compress, "deflate"), (bytes, "identity")],
)
async def test_a_packed_reply_is_read(pack: Callable[[bytes], bytes], encoding: str) -> None:
    body = many(3_000)  # longer than what is read on the loop
    handler = sending(pack(body), **{"Content-Encoding": encoding})
    async with answering(handler) as (prometheus, _):
        assert len(await prometheus.range("default", "up", GRID)) == 3_000


@pytest.mark.slow
async def test_a_bomb_is_never_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hundred kilobytes that become a hundred megabytes."""
    longest = 0
    unpacked = replies._unpacked

    async def noting(*arguments: Any) -> AsyncIterator[bytes]:
        nonlocal longest
        async for chunk in unpacked(*arguments):
            longest = max(longest, len(chunk))
            yield chunk

    monkeypatch.setattr(replies, "_unpacked", noting)
    bomb = gzip.compress(b" " * (100 << 20))
    error = await failure(sending(bomb, **{"Content-Encoding": "gzip"}))
    assert "too large" in str(error)
    assert longest <= replies.CHUNK_BYTES


@pytest.mark.parametrize(
    "encoding, said", [("br", "'br'"), ("gzip, gzip", "packed as"), ("gzip", "is no gzip")]
)
async def test_what_cannot_be_unpacked_is_said(encoding: str, said: str) -> None:
    error = await failure(sending(b"no such thing", **{"Content-Encoding": encoding}))
    assert error.reason == MetricsReason.NOT_PROMETHEUS
    assert said in str(error)


@pytest.mark.slow
async def test_one_large_reply_is_held_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replies, "LARGE_BYTES", 1000)
    held = most = 0
    answer = replies._answer

    def counting(*arguments: Any) -> replies.Answer:
        nonlocal held, most
        held += 1
        most = max(most, held)
        time.sleep(0.02)
        held -= 1
        return answer(*arguments)

    monkeypatch.setattr(replies, "_answer", counting)
    monkeypatch.setattr(replies, "THREAD_BYTES", 0)
    async with answering(sending(many(100))) as (prometheus, _):
        answers = await asyncio.gather(
            *(prometheus.range("default", f"up{number}", GRID) for number in range(6))
        )
    assert [len(answer) for answer in answers] == [100] * 6
    assert most == 1


@pytest.mark.parametrize("status", [500, 502, 503, 504])
@pytest.mark.parametrize("then", [200, 503])
async def test_two_large_replies_in_a_row_hold_up_nobody(
    monkeypatch: pytest.MonkeyPatch, status: int, then: int
) -> None:
    monkeypatch.setattr(replies, "LARGE_BYTES", 1000)
    monkeypatch.setattr(adapter, "RETRY_SECONDS", 0.01)
    statuses, body = iter([status, then, 200]), many(100)

    async def handler(_: web.Request) -> web.Response:
        return web.Response(status=next(statuses), body=body, content_type="application/json")

    async with answering(handler) as (prometheus, _), asyncio.timeout(5):
        if then == 200:
            assert len(await prometheus.range("default", "up", GRID)) == 100
        else:
            with pytest.raises(MetricsError):
                await prometheus.range("default", "up", GRID)
        assert len(await prometheus.range("default", "down", GRID)) == 100
        assert not prometheus._large.locked()


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
async def test_of_an_error_only_the_beginning_is_read(encoding: str) -> None:
    sent = 0

    async def handler(request: web.Request) -> web.StreamResponse:
        nonlocal sent
        headers = {"Content-Encoding": encoding}
        response = web.StreamResponse(status=422, headers=headers)
        await response.prepare(request)
        chunk = b"x" * 65536 if encoding == "identity" else gzip.compress(b"x" * (1 << 20))
        with contextlib.suppress(ConnectionError):
            while sent < 64 << 20:
                await response.write(chunk)
                sent += len(chunk)
                await asyncio.sleep(0)
                if encoding == "gzip" and sent > 64 << 10:
                    break
        return response

    error = await failure(handler)
    assert error.reason == MetricsReason.NOT_PROMETHEUS
    assert "HTTP 422" in str(error)
    assert sent < 64 << 20


async def test_whatever_holds_a_question_it_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adapter, "QUESTION_TIMEOUTS", 1)
    monkeypatch.setattr(replies, "LARGE_BYTES", 1000)
    async with answering(sending(many(100)), timeout=0.3) as (prometheus, counted):
        async with prometheus._large:  # and never given back
            with pytest.raises(MetricsError, match=r"no (whole )?answer within 0.3 s") as caught:
                await prometheus.range("default", "up", GRID)
        assert caught.value.reason == MetricsReason.UNREACHABLE
        assert counted.outcomes == ["Unreachable"]
        assert not prometheus._large.locked()
        assert len(await prometheus.range("default", "down", GRID)) == 100


async def test_headers_without_end_are_given_up() -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.write(b"HTTP/1.1 200 OK\r\n")
        for number in range(100_000):
            request.transport.write(f"X-{number}: {'y' * 1000}\r\n".encode())
            await asyncio.sleep(0)
            if request.transport.is_closing():
                break
        return web.Response()

    error = await failure(handler, timeout=5)
    assert error.reason == MetricsReason.UNREACHABLE


# --- servers that withhold the last half minute -------------------------------------------


class Withholding:
    """As VictoriaMetrics: in steps of less than a minute the last times are not there."""

    def __init__(self) -> None:
        self.asked: list[tuple[float, float, float]] = []

    async def answer(self, request: web.Request) -> web.Response:
        form = await request.post()
        start, end, step = (float(str(form[key])) for key in ("start", "end", "step"))
        self.asked.append((start, end, step))
        times = [start + number * step for number in range(int((end - start) / step) + 1)]
        values = [[at, str(at)] for at in times if step >= 60 or at < end - 30]
        series = [{"metric": {"model": name}, "values": values} for name in "ab"] if values else []
        return web.json_response(matrix(*series), headers={"X-Server-Hostname": "vm"})


@pytest.mark.parametrize("count, step", [(1, 5), (1, 300), (5, 5), (20, 5), (3, 30), (5, 60)])
async def test_a_server_that_withholds_the_latest_answers_in_longer_steps(
    count: int, step: int
) -> None:
    server = Withholding()
    times = tuple(NOW + timedelta(seconds=5 + step * number) for number in range(count))
    async with answering(server.answer) as (prometheus, _):
        for _ in "ab":
            found = await prometheus.range("default", "up", times)
            assert [series.labels for series in found] == [{"model": "a"}, {"model": "b"}]
            for series in found:
                assert series.points == tuple((time, time.timestamp()) for time in times)
        first = len(server.asked)
        later = tuple(time + timedelta(hours=1) for time in times)
        assert len(await prometheus.range("default", "up", later)) == 2
        assert len(server.asked) - first == min(count, max(1, 60 // step)), "known from then on"


async def test_a_single_time_is_asked_in_a_step_that_it_is_a_multiple_of() -> None:
    """Some servers align what is asked to its step."""
    server = Withholding()
    async with answering(server.answer) as (prometheus, _):
        await prometheus.range("default", "up", (NOW,))
    assert [step for _, _, step in server.asked] == [60]


async def test_the_last_byte_of_a_reply_has_a_time(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, logger="maintenance_operator"):
        async with answering(replying(matrix(SERIES))) as (prometheus, _):
            await prometheus.range("default", "up", GRID)
    (record,) = [item for item in caplog.records if item.message == "Prometheus replied"]
    fields = json.loads(json.dumps(record.__dict__, default=str))
    assert datetime.fromisoformat(fields["last_byte"]).tzinfo is not None
    assert fields["query_key"]
    assert fields["grid_end"] == GRID[-1].timestamp()


@pytest.mark.parametrize(
    "date, minutes",
    [
        ("Mon, 23 Nov 2026 18:10:00 GMT", 10),
        ("yesterday", None),
        ("Mon, 23 Nov 2026 18:10:00", None),
    ],
)
async def test_the_server_s_clock_is_read_where_it_says_it(
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    date: str,
    minutes: int | None,
) -> None:
    class Clock(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:  # noqa: ARG003
            return NOW

    monkeypatch.setattr(adapter, "datetime", Clock)

    async def handler(_: web.Request) -> web.Response:
        return web.json_response(matrix(), headers={"Date": date})

    async with answering(handler) as (prometheus, _):
        assert prometheus.skew("default") is None
        for query in ("a", "b"):
            await prometheus.range("default", query, GRID)
        ahead = None if minutes is None else timedelta(minutes=minutes)
        assert prometheus.skew("default") == ahead
    told = [record.message for record in caplog.records if "NTP" in record.message]
    assert len(told) == (1 if minutes else 0)


# --- a real one -------------------------------------------------------------------------


@pytest.mark.api
async def test_a_real_prometheus(exporter: Exporter, prometheus_server: PrometheusServer) -> None:
    exporter['broken{model="nan"}'] = float("nan")
    await seen(prometheus_server, "broken")
    now = datetime.now(UTC)
    times = (now - timedelta(seconds=5), now)
    counted = Counted()
    async with Prometheus({"default": Server(prometheus_server.url)}, counted) as prometheus:
        both = await prometheus.range("default", "model_accuracy", times)
        assert {
            series.labels["model"]: series.points[-1][1]
            for series in both
            if series.labels["model"] in {"low", "high"}
        } == {"low": 0.5, "high": 0.95}
        assert await prometheus.range("default", "nothing_here", times) == ()
        (nan,) = await prometheus.range("default", "broken", times)
        assert nan.points[-1][1] != nan.points[-1][1]
        with pytest.raises(MetricsError, match="parse error") as wrong:
            await prometheus.range("default", "avg(", times)
        assert wrong.value.reason == MetricsReason.INVALID_QUERY
        with pytest.raises(MetricsError) as failed:
            await prometheus.range(
                "default", "model_accuracy * on() group_left model_accuracy", times
            )
        assert failed.value.reason == MetricsReason.QUERY_FAILED
    exporter['broken{model="nan"}'] = None

"""The queue's promises, on a clock of its own."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

from maintenance_core.errors import ClusterError, Conflict, Gone
from maintenance_operator.resource_cache import Key, ResourceCache
from maintenance_operator.work_queue import (
    BACKOFF_MOST_SECONDS,
    PASS_TIMEOUT_SECONDS,
    RELIST_RETRY_SECONDS,
    RELIST_SECONDS,
    WorkQueue,
)

pytestmark = pytest.mark.looptime

NEWS, SPAM = ("finance", "news"), ("mail", "spam")


def body(key: Key, version: str = "1", uid: str = "u") -> dict[str, Any]:
    return {
        "metadata": {"namespace": key[0], "name": key[1], "resourceVersion": version, "uid": uid}
    }


class Counted:
    """Telemetry that a test can read."""

    def __init__(self) -> None:
        self.passes = 0
        self.errors: list[str] = []
        self.depths: list[int] = []

    def reconciled(self, _seconds: float) -> None:
        self.passes += 1

    def reconcile_failed(self, error: str) -> None:
        self.errors.append(error)

    def queue_depth(self, depth: int) -> None:
        self.depths.append(depth)


class Passes:
    """A reconcile that notes when it was called, and does what it is told."""

    def __init__(self, act: Callable[[Key], Awaitable[timedelta | None]] | None = None) -> None:
        self.times: list[tuple[float, Key]] = []
        self.forgotten: list[Key] = []
        self._act = act

    async def __call__(self, key: Key) -> timedelta | None:
        self.times.append((round(asyncio.get_running_loop().time(), 3), key))
        return await self._act(key) if self._act is not None else None

    def forget(self, key: Key) -> None:
        self.forgotten.append(key)

    def of(self, key: Key) -> list[float]:
        return [time for time, seen in self.times if seen == key]


class Running:
    """A work queue at work for the length of a block."""

    def __init__(self, passes: Passes, **options: Any) -> None:
        self.counted, self.resources = Counted(), ResourceCache()
        self.work_queue = WorkQueue(
            passes, self.resources, self.counted, jitter=lambda: 1.0, **options
        )

    async def __aenter__(self) -> WorkQueue:
        self._task = asyncio.create_task(self.work_queue.run())
        await asyncio.sleep(0)
        return self.work_queue

    async def __aexit__(self, *_: object) -> None:
        await self.work_queue.stop()
        await self._task


async def test_wakes_before_a_pass_are_one_pass() -> None:
    passes = Passes()
    async with Running(passes) as work_queue:
        for version in range(5):
            work_queue.seen(body(NEWS, str(version)))
            work_queue.wake(NEWS)
        await asyncio.sleep(1)
    assert passes.of(NEWS) == [0]


async def test_wakes_during_a_pass_are_exactly_one_more() -> None:
    async def slow(_: Key) -> None:
        await asyncio.sleep(10)

    passes = Passes(slow)
    async with Running(passes) as work_queue:
        work_queue.seen(body(NEWS))
        await asyncio.sleep(1)
        for _ in range(5):
            work_queue.wake(NEWS)
        await asyncio.sleep(100)
    assert passes.of(NEWS) == [0, 10]


@pytest.mark.slow
async def test_whoever_tells_much_can_wait_until_less_is_left() -> None:
    async def slow(_: Key) -> None:
        await asyncio.sleep(10)

    passes = Passes(slow)
    async with Running(passes, concurrency=2) as work_queue:
        for number in range(6):
            work_queue.seen(body((NEWS[0], f"model-{number}")))
        started = asyncio.get_running_loop().time()
        waited = []
        for left in (6, 3, 0):
            await work_queue.drained(to=left)
            waited.append(round(asyncio.get_running_loop().time() - started))
    assert waited == [0, 20, 30]


@pytest.mark.parametrize("seconds", [0.0, -1800.0, 1e-6])
async def test_no_date_makes_passes_run_in_a_circle(seconds: float) -> None:
    async def overdue(_: Key) -> timedelta:
        return timedelta(seconds=seconds)

    passes = Passes(overdue)
    async with Running(passes) as work_queue:
        work_queue.seen(body(NEWS))
        await asyncio.sleep(2)
    assert len(passes.of(NEWS)) <= 21


async def test_a_resource_is_looked_at_again_when_it_is_due() -> None:
    async def every_minute(_: Key) -> timedelta:
        return timedelta(minutes=1)

    passes = Passes(every_minute)
    async with Running(passes) as work_queue:
        work_queue.seen(body(NEWS))
        await asyncio.sleep(150)
        work_queue.wake(NEWS)
        await asyncio.sleep(100)
    assert passes.of(NEWS) == [0, 60, 120, 150, 210]


async def test_an_event_only_resource_sleeps() -> None:
    passes = Passes()
    async with Running(passes) as work_queue:
        work_queue.seen(body(NEWS))
        await asyncio.sleep(100_000)
    assert passes.of(NEWS) == [0]


async def test_no_more_passes_at_a_time_than_allowed_and_none_is_lost() -> None:
    busy: list[int] = [0, 0]

    async def counted(_: Key) -> None:
        busy[0] += 1
        busy[1] = max(busy)
        await asyncio.sleep(1)
        busy[0] -= 1

    passes = Passes(counted)
    async with Running(passes, concurrency=3) as work_queue:
        for number in range(10):
            work_queue.seen(body(("ns", f"r{number}")))
        await asyncio.sleep(4.5)
    assert busy[1] == 3
    assert [time for time, _ in passes.times] == [0, 0, 0, 1, 1, 1, 2, 2, 2, 3]


async def test_an_error_backs_off_and_never_stops_the_others(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def act(key: Key) -> timedelta:
        if key == NEWS:
            raise RuntimeError("a bug")
        return timedelta(seconds=10)

    passes = Passes(act)
    running = Running(passes)
    with caplog.at_level(logging.WARNING):
        async with running as work_queue:
            work_queue.seen(body(NEWS))
            work_queue.seen(body(SPAM))
            await asyncio.sleep(61)
    assert passes.of(NEWS) == [0, 1, 3, 7, 15, 31]
    assert passes.of(SPAM) == [0, 10, 20, 30, 40, 50, 60]
    assert running.counted.errors == ["RuntimeError"] * 6
    tracebacks = [record for record in caplog.records if record.exc_info]
    assert len(tracebacks) == 1, "one traceback for one bug, however often it bites"
    assert len(caplog.records) == 6


async def test_another_error_is_news_again(caplog: pytest.LogCaptureFixture) -> None:
    errors = iter([RuntimeError("one"), RuntimeError("one"), RuntimeError("two")])

    async def act(_: Key) -> None:
        raise next(errors)

    async with Running(Passes(act)) as work_queue:
        work_queue.seen(body(NEWS))
        await asyncio.sleep(4)
    assert [bool(record.exc_info) for record in caplog.records] == [True, False, True]


async def test_an_expected_error_needs_no_traceback(caplog: pytest.LogCaptureFixture) -> None:
    async def act(_: Key) -> None:
        raise ClusterError("the API server is away")

    async with Running(Passes(act)) as work_queue:
        work_queue.seen(body(NEWS))
        await asyncio.sleep(0.5)
    assert [record.exc_info for record in caplog.records] == [None]
    assert "the API server is away" in caplog.text


async def test_backoff_is_bounded_and_ends_with_success() -> None:
    fail = True

    async def act(_: Key) -> None:
        if fail:
            raise ClusterError("away")

    passes = Passes(act)
    async with Running(passes) as work_queue:
        work_queue.seen(body(NEWS))
        await asyncio.sleep(1000)
        gaps = [
            later - earlier
            for earlier, later in zip(passes.of(NEWS), passes.of(NEWS)[1:], strict=False)
        ]
        assert max(gaps) == BACKOFF_MOST_SECONDS
        fail = False
        await asyncio.sleep(BACKOFF_MOST_SECONDS + 1)
        count = len(passes.times)
        fail = True
        work_queue.wake(NEWS)
        await asyncio.sleep(2)
        assert len(passes.times) == count + 2, "the backoff begins anew"


async def test_a_wake_shortens_the_backoff_but_makes_no_hot_loop() -> None:
    async def act(_: Key) -> None:
        work_queue.wake(NEWS)  # as the echo of its own write would
        raise ClusterError("away")

    passes = Passes(act)
    async with Running(passes) as work_queue:
        work_queue.seen(body(NEWS))
        await asyncio.sleep(10.5)
    assert passes.of(NEWS) == list(range(11))


async def test_a_lost_write_looks_again_at_once(caplog: pytest.LogCaptureFixture) -> None:
    lost = iter([True, True, False])

    async def act(_: Key) -> None:
        if next(lost):
            raise Conflict("somebody else wrote first")

    passes = Passes(act)
    async with Running(passes) as work_queue:
        work_queue.seen(body(NEWS))
        await asyncio.sleep(1)
    assert passes.of(NEWS) == [0, 0.05, 0.15]
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


async def test_a_pass_that_hangs_is_ended() -> None:
    async def act(_: Key) -> None:
        await asyncio.Event().wait()

    running = Running(Passes(act))
    async with running as work_queue:
        work_queue.seen(body(NEWS))
        await asyncio.sleep(PASS_TIMEOUT_SECONDS + 0.5)
        assert running.counted.errors == ["TimeoutError"]


async def test_what_is_forgotten_is_not_looked_at_again() -> None:
    async def act(_: Key) -> timedelta:
        await asyncio.sleep(5)
        return timedelta(seconds=10)

    passes = Passes(act)
    async with Running(passes) as work_queue:
        work_queue.seen(body(NEWS))
        work_queue.seen(body(SPAM))
        await asyncio.sleep(1)
        work_queue.forget(NEWS)
        await asyncio.sleep(60)
    assert passes.of(NEWS) == [0]
    assert len(passes.of(SPAM)) > 3
    assert passes.forgotten == [NEWS, NEWS], "at once, and what the pass in flight remembered"


async def test_stopping_waits_for_passes_in_flight_and_starts_none() -> None:
    ended: list[Key] = []

    async def act(key: Key) -> None:
        await asyncio.sleep(3)
        ended.append(key)

    passes = Passes(act)
    running = Running(passes, concurrency=1)
    async with running as work_queue:
        work_queue.seen(body(NEWS))
        work_queue.seen(body(SPAM))
        await asyncio.sleep(1)
    assert ended == [NEWS]
    assert passes.of(SPAM) == []


async def test_stopping_does_not_wait_for_ever() -> None:
    async def act(_: Key) -> None:
        await asyncio.Event().wait()

    loop = asyncio.get_running_loop()
    async with Running(Passes(act)) as work_queue:
        work_queue.seen(body(NEWS))
        await asyncio.sleep(1)
        started = loop.time()
    assert loop.time() - started == pytest.approx(10)


async def test_a_relist_finds_what_the_watches_missed() -> None:
    listed = [body(NEWS, "5"), body(SPAM, "6")]

    async def relist() -> AsyncIterator[dict[str, Any]]:
        for item in listed:
            yield item

    passes = Passes()
    running = Running(passes, relist=relist)
    async with running as work_queue:
        work_queue.seen(body(("old", "gone"), "1"))
        await asyncio.sleep(RELIST_SECONDS + 1)
        assert passes.of(NEWS) == [RELIST_SECONDS]
        assert running.resources.get(("old", "gone")) is None
        assert passes.forgotten == [("old", "gone")]


async def test_a_relist_that_may_not_list_a_namespace_forgets_nothing_of_it() -> None:
    async def relist() -> AsyncIterator[dict[str, Any]]:
        yield body(NEWS, "5")

    passes = Passes()
    running = Running(passes, relist=relist, is_unlisted=lambda namespace: namespace == "away")
    async with running as work_queue:
        for key in (("away", "there"), ("old", "gone")):
            work_queue.seen(body(key, "1"))
        await asyncio.sleep(RELIST_SECONDS + 1)
        assert running.resources.get(("away", "there")) is not None
        assert passes.forgotten == [("old", "gone")]


async def test_a_relist_never_beats_a_newer_event() -> None:
    async def relist() -> AsyncIterator[dict[str, Any]]:
        yield body(NEWS, "5")
        await asyncio.sleep(10)  # a long list; meanwhile the watches go on
        work_queue.seen(body(NEWS, "9"))
        work_queue.seen(body(SPAM, "8"))
        yield body(NEWS, "5")

    running = Running(Passes(), relist=relist)
    async with running as work_queue:
        work_queue.seen(body(SPAM, "2"))
        await asyncio.sleep(RELIST_SECONDS + 20)
        news, spam = running.resources.get(NEWS), running.resources.get(SPAM)
        assert news is not None
        assert news["metadata"]["resourceVersion"] == "9"
        assert spam is not None, "it has changed since the list began: it lives"


async def test_a_relist_is_the_truth_where_versions_went_back() -> None:
    """As after etcd was restored from a backup: 1200 is lost, and 1001 is there."""

    async def relist() -> AsyncIterator[dict[str, Any]]:
        yield body(NEWS, "1001")

    async def config_maps() -> AsyncIterator[tuple[Key, dict[str, Any]]]:
        yield NEWS, body(("finance", "news-champion"), "1000")

    passes = Passes()
    running = Running(passes, relist=relist, relist_config_maps=config_maps)
    async with running as work_queue:
        running.resources.config_map_seen(NEWS, body(("finance", "news-champion"), "1199"))
        running.resources.config_map_seen(SPAM, body(("finance", "spam-champion"), "900"))
        work_queue.seen(body(NEWS, "1200"))
        await asyncio.sleep(RELIST_SECONDS + 1)
        assert passes.of(NEWS) == [0, RELIST_SECONDS]
        assert running.resources.version(NEWS) == "1001"
        config_map = running.resources.config_map(NEWS)
        assert config_map is not None
        assert config_map["metadata"]["resourceVersion"] == "1000"
        assert running.resources.config_map(SPAM) is None, "gone without an event"
        await asyncio.sleep(RELIST_SECONDS)
        assert passes.of(NEWS) == [0, RELIST_SECONDS], "and no news again"


async def test_a_watch_that_begins_with_an_older_state_is_looked_into() -> None:
    passes = Passes()
    running = Running(passes)
    async with running as work_queue:
        work_queue.seen(body(NEWS, "1200"))
        await asyncio.sleep(1)
        work_queue.seen(body(NEWS, "1001"))
        await asyncio.sleep(1)
        assert passes.of(NEWS) == [0], "a watch only goes on; that is an echo"
        work_queue.listed(body(NEWS, "1001"))
        await asyncio.sleep(1)
        assert passes.of(NEWS) == [0, 2]
        assert running.resources.get(NEWS) is None, "the look is a live one"
        work_queue.listed(body(NEWS, "1200"))
        await asyncio.sleep(1)
        assert passes.of(NEWS) == [0, 2]


async def test_a_resource_created_anew_is_not_forgotten_with_the_one_before() -> None:
    old, new = body(NEWS, "5"), body(NEWS, "9")
    new["metadata"]["uid"] = "another"
    passes = Passes()
    running = Running(passes)
    async with running as work_queue:
        work_queue.seen(old)
        work_queue.seen(new)
        assert passes.forgotten == [NEWS], "what was remembered of the one before"
        work_queue.gone(old)
        assert NEWS in running.resources
        assert passes.forgotten == [NEWS]
        work_queue.gone(new)
        assert NEWS not in running.resources
        assert passes.forgotten == [NEWS, NEWS]


async def test_all_that_is_remembered_by_a_key_goes_with_a_deleted_resource() -> None:
    passes = Passes()
    async with Running(passes) as work_queue:
        work_queue.seen(body(NEWS))
        await asyncio.sleep(1)
        work_queue.gone(body(NEWS))
        assert passes.forgotten == [NEWS]
        await asyncio.sleep(1)
    assert passes.of(NEWS) == [0]


async def test_a_pass_that_finds_nothing_forgets_it_and_is_no_failure() -> None:
    async def gone(_: Key) -> None:
        raise Gone("not there")

    passes = Passes(gone)
    running = Running(passes)
    async with running as work_queue:
        work_queue.seen(body(NEWS))
        await asyncio.sleep(100)
        assert passes.of(NEWS) == [0]
        assert passes.forgotten == [NEWS]
        assert NEWS not in running.resources
        assert running.counted.errors == []


async def test_a_pass_that_met_the_end_of_one_does_not_lose_the_next_of_its_name() -> None:
    new = body(NEWS, "9", uid="another")

    async def gone_once(_: Key) -> None:
        await asyncio.sleep(5)
        if len(passes.times) == 1:
            raise Gone("not there")

    passes = Passes(gone_once)
    running = Running(passes)
    async with running as work_queue:
        work_queue.seen(body(NEWS, "5"))
        await asyncio.sleep(1)
        work_queue.seen(new)  # while the answer that there is none is under way
        await asyncio.sleep(20)
        assert running.resources.uid(NEWS) == "another"
        assert passes.of(NEWS) == [0, 5]


async def test_what_the_last_write_of_a_deleted_resource_brings_back_is_forgotten_too() -> None:
    async def late(_: Key) -> timedelta:
        await asyncio.sleep(5)
        running.resources.seen(body(NEWS, "7"))  # the answer came after the watch told the end
        return timedelta(seconds=10)

    passes = Passes(late)
    running = Running(passes)
    async with running as work_queue:
        work_queue.seen(body(NEWS, "5"))
        await asyncio.sleep(1)
        work_queue.gone(body(NEWS, "8"))
        await asyncio.sleep(60)
        assert NEWS not in running.resources
    assert passes.of(NEWS) == [0]


async def test_a_failed_relist_is_tried_again() -> None:
    calls: list[float] = []

    async def relist() -> AsyncIterator[dict[str, Any]]:
        calls.append(asyncio.get_running_loop().time())
        if len(calls) == 1:
            raise ClusterError("away")
        yield body(NEWS)

    passes = Passes()
    async with Running(passes, relist=relist):
        await asyncio.sleep(RELIST_SECONDS + RELIST_RETRY_SECONDS + 1)
    assert calls == [RELIST_SECONDS, RELIST_SECONDS + RELIST_RETRY_SECONDS]
    assert passes.of(NEWS) == [RELIST_SECONDS + RELIST_RETRY_SECONDS]


@pytest.mark.slow
async def test_ten_thousand_resources_need_no_task_each() -> None:
    async def act(_: Key) -> timedelta:
        return timedelta(seconds=30)

    passes = Passes(act)
    async with Running(passes) as work_queue:
        for number in range(10_000):
            work_queue.seen(body(("ns", f"r{number}")))
        await asyncio.sleep(65)
        assert len(passes.times) == 30_000
        assert len(asyncio.all_tasks()) < 10

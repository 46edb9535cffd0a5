"""What kopf's watches need beyond kopf."""

import asyncio
import contextlib

import pytest

from maintenance_operator import kopf_internals
from maintenance_operator.kopf_internals import KOPF_WATCHER, PATIENCE_SECONDS

pytestmark = pytest.mark.looptime


async def deaf(times: int) -> str:
    """Loses that many cancellations, as a request does that is just ending."""
    for _ in range(times):
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(1000)
    await asyncio.sleep(1000)
    return "never"


@pytest.mark.parametrize("lost", [1, 2])
async def test_a_watch_that_lost_its_cancellation_is_cancelled_again(lost: int) -> None:
    watcher = asyncio.create_task(deaf(lost), name=f"{KOPF_WATCHER}jobs.v1.batch")
    other = asyncio.create_task(deaf(1), name="not a watch")
    insisting = asyncio.create_task(kopf_internals.insist())
    await asyncio.sleep(10)
    assert not watcher.done(), "nobody asked it to stop"
    watcher.cancel()
    other.cancel()
    await asyncio.sleep(lost + PATIENCE_SECONDS + 2)
    assert watcher.cancelled()
    assert not other.done()
    insisting.cancel()
    other.cancel()


async def test_nothing_is_kept_of_each_object_that_was_seen() -> None:
    memories = kopf_internals.NoMemories()
    for number in range(3):
        await memories.recall({"metadata": {"uid": f"u-{number}"}})
    assert list(memories.iter_all_memories()) == []

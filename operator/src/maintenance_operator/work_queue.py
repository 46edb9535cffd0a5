"""Who is due when: a keyed queue for all resources.

A key is passed to ``reconcile`` by one worker at a time; what wakes it meanwhile causes exactly
one more pass. Nothing here knows what a pass does.
"""

import asyncio
import contextlib
import heapq
import logging
import random
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, Protocol

from maintenance_core.errors import Conflict, Gone, OperatorError
from maintenance_operator.resource_cache import Key, ResourceCache, key_of

logger = logging.getLogger(__name__)

RELIST_SECONDS: Final = 600.0
RELIST_RETRY_SECONDS: Final = 30.0
CLOCK_SECONDS: Final = 0.001
"""A key that is due within this time counts as due, which saves turns of the loop."""
PASS_TIMEOUT_SECONDS: Final = 300.0
"""The most that a pass may take; each request has a timeout of its own."""
CONCURRENCY: Final = 32
DRAINED_SECONDS: Final = 0.005

BACKOFF_SECONDS: Final = 1.0
BACKOFF_MOST_SECONDS: Final = 60.0
LEAST_WAIT_SECONDS: Final = 0.1
"""The least time between two passes that only a date asks for."""
CONFLICT_BACKOFF_SECONDS: Final = 0.05
"""Somebody else wrote first: the next look sees what they wrote."""


class Telemetry(Protocol):
    """What the work queue counts."""

    def reconciled(self, seconds: float) -> None:
        """A pass ended, well or not."""

    def reconcile_failed(self, error: str) -> None:
        """A pass raised an error of this type."""

    def queue_depth(self, depth: int) -> None:
        """So many keys wait for a worker."""


class Reconcile(Protocol):
    """A pass, and what passes remember of resources from one to the next."""

    async def __call__(self, key: Key) -> timedelta | None:
        """One pass; returns when to look again, None for only on a wake. Gone: there is nothing."""

    def forget(self, key: Key) -> None:
        """The resource is gone, and so is all that is remembered by its key."""


Relist = Callable[[], AsyncIterator[Mapping[str, Any]]]
RelistConfigMaps = Callable[[], AsyncIterator[tuple[Key, Mapping[str, Any]]]]
"""Each with the resource whose champion it names."""


@dataclass(slots=True)
class _Failure:
    count: int
    text: str
    not_before: float
    """Loop time until which even a wake has to wait, lest writes and their echoes make a loop."""


class WorkQueue:
    """A keyed queue with due times.

    Args:
        reconcile: one pass for one resource, and what is remembered of it.
        resources: the bodies last seen; a key that is not in it is not looked at again.
        telemetry: where passes are counted.
        relist: lists all resources, against missed events; None for never.
        relist_config_maps: the same for the ConfigMaps of champions.
        is_unlisted: whether the last list could not show a namespace, whose resources may live on.
        concurrency: passes at the same time.
        jitter: a number from 0 to 1, so that retries do not march in step.
    """

    def __init__(  # noqa: PLR0913 - one for each neighbour
        self,
        reconcile: Reconcile,
        resources: ResourceCache,
        telemetry: Telemetry,
        *,
        relist: Relist | None = None,
        relist_config_maps: RelistConfigMaps | None = None,
        is_unlisted: Callable[[str], bool] = lambda _: False,
        concurrency: int = CONCURRENCY,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._reconcile = reconcile
        self._resources = resources
        self._telemetry = telemetry
        self._relist = relist
        self._relist_config_maps = relist_config_maps
        self._is_unlisted = is_unlisted
        self._concurrency = concurrency
        self._jitter = jitter
        self._ready: dict[Key, None] = {}
        self._running: dict[Key, asyncio.Task[None]] = {}
        self._again: set[Key] = set()
        self._due: dict[Key, float] = {}
        self._heap: list[tuple[float, Key]] = []
        self._failures: dict[Key, _Failure] = {}
        self._gone_meanwhile: dict[Key, str] = {}
        """By key the uid of a resource that went while its pass ran."""
        self._changed = asyncio.Event()
        self._relist_wanted = asyncio.Event()
        self._stopping = False

    # --- doors --------------------------------------------------------------------------

    def seen(self, body: Mapping[str, Any]) -> None:
        """A resource was created or has changed; the echo of our own write is no news."""
        self._forget_another(body)
        if self._resources.seen(body):
            self.wake(key_of(body))

    def listed(self, body: Mapping[str, Any]) -> None:
        """What a watch begins with. It may show an older state than is known: then look closer."""
        self._forget_another(body)
        if self._resources.seen(body) or self._resources.doubted(body):
            self.wake(key_of(body))

    def gone(self, body: Mapping[str, Any]) -> None:
        """A resource was deleted. One that was created anew under its name is not meant."""
        key = key_of(body)
        if not self._resources.is_another(key, str(body["metadata"].get("uid", ""))):
            self.forget(key)

    def relist_now(self) -> None:
        """What was heard so far may be undone: look at what there is."""
        self._relist_wanted.set()

    def forget(self, key: Key) -> None:
        """A resource is gone: nothing that is kept by its key stays, here or anywhere."""
        self._forget(key, self._resources.uid(key))

    def _forget(self, key: Key, uid: str) -> None:
        """Forget the resource of that uid; the body of a newer one by its name stays."""
        if key in self._running:  # the pass remembers more until it ends
            self._gone_meanwhile[key] = uid
        if not self._resources.is_another(key, uid):
            self._resources.forget(key)
        self._ready.pop(key, None)
        self._again.discard(key)
        self._due.pop(key, None)
        self._failures.pop(key, None)
        self._reconcile.forget(key)

    def _forget_another(self, body: Mapping[str, Any]) -> None:
        """Forget the resource that had the name before, whose end nobody has told."""
        key = key_of(body)
        if self._resources.is_another(key, str(body["metadata"].get("uid", ""))):
            self.forget(key)

    def wake(self, key: Key) -> None:
        """Look at a resource as soon as a worker is free."""
        if key in self._running:
            self._again.add(key)
            return
        failure = self._failures.get(key)
        now = asyncio.get_running_loop().time()
        if failure is not None and now < failure.not_before:
            self._look_at(key, failure.not_before)
        else:
            self._enqueue(key)

    # --- life ---------------------------------------------------------------------------

    async def run(self) -> None:
        """Start passes that are due, until ``stop``."""
        relisting = asyncio.create_task(self._relist_forever(), name="relist")
        try:
            while not self._stopping:
                self._changed.clear()
                self._enqueue_due()
                self._start_passes()
                await self._sleep_until_due()
        finally:
            relisting.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await relisting

    async def drained(self, *, to: int = 0) -> None:
        """Wait until at most so many wait for a pass or have one."""
        while len(self._ready) + len(self._running) > to:  # noqa: ASYNC110 - only at the start
            await asyncio.sleep(DRAINED_SECONDS)

    async def stop(self, grace: float = 10.0) -> None:
        """Start nothing more; give passes in flight ``grace`` seconds, then cancel them."""
        self._stopping = True
        self._changed.set()
        running = set(self._running.values())
        if not running:
            return
        _, late = await asyncio.wait(running, timeout=grace)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)

    # --- queue --------------------------------------------------------------------------

    def _enqueue(self, key: Key) -> None:
        self._due.pop(key, None)
        self._ready[key] = None
        self._telemetry.queue_depth(len(self._ready))
        self._changed.set()

    def _look_at(self, key: Key, when: float) -> None:
        """Set the next look, unless an earlier one is set already."""
        if key in self._ready or self._due.get(key, when + 1) <= when:
            return
        self._due[key] = when
        heapq.heappush(self._heap, (when, key))
        if self._heap[0][1] == key:
            self._changed.set()

    def _enqueue_due(self) -> None:
        now = asyncio.get_running_loop().time() + CLOCK_SECONDS
        while self._heap and self._heap[0][0] <= now:
            when, key = heapq.heappop(self._heap)
            if self._due.get(key) == when:
                self._enqueue(key)
        self._forget_stale_dates()

    def _forget_stale_dates(self) -> None:
        if len(self._heap) > 2 * len(self._due) + 1000:
            self._heap = [(when, key) for key, when in self._due.items()]
            heapq.heapify(self._heap)

    def _start_passes(self) -> None:
        while self._ready and len(self._running) < self._concurrency:
            key = next(iter(self._ready))
            del self._ready[key]
            self._running[key] = asyncio.create_task(self._pass(key), name=f"pass {'/'.join(key)}")
        self._telemetry.queue_depth(len(self._ready))

    async def _sleep_until_due(self) -> None:
        if self._ready and len(self._running) < self._concurrency:
            return
        timeout = None
        if self._heap:
            timeout = max(0.0, self._heap[0][0] - asyncio.get_running_loop().time())
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._changed.wait(), timeout)

    # --- passes -------------------------------------------------------------------------

    async def _pass(self, key: Key) -> None:
        loop = asyncio.get_running_loop()
        started, uid = loop.time(), self._resources.uid(key)
        wait: float | None = None
        try:
            async with asyncio.timeout(PASS_TIMEOUT_SECONDS):
                delay = await self._reconcile(key)
        except Gone:
            self._gone_meanwhile.setdefault(key, uid)
        except Exception as error:  # noqa: BLE001 - the barrier: no resource may stop the others
            wait = self._failed(key, error)
        else:
            self._failures.pop(key, None)
            wait = None if delay is None else _not_at_once(key, delay.total_seconds())
        finally:
            del self._running[key]
            self._telemetry.reconciled(loop.time() - started)
            self._changed.set()
        self._settle(key, wait)

    def _settle(self, key: Key, wait: float | None) -> None:
        again = key in self._again
        self._again.discard(key)
        if (uid := self._gone_meanwhile.pop(key, None)) is not None:
            self._forget(key, uid)
            again = again or key in self._resources  # one of its name, which nobody has looked at
        if key not in self._resources:
            self._failures.pop(key, None)
            if again:
                self.wake(key)
            return
        if wait is not None:
            self._look_at(key, asyncio.get_running_loop().time() + wait)
        if again:
            self.wake(key)

    def _failed(self, key: Key, error: Exception) -> float:
        """Count and log a failure; returns the seconds to wait."""
        self._telemetry.reconcile_failed(type(error).__name__)
        before = self._failures.get(key)
        count = before.count + 1 if before else 1
        text = f"{type(error).__name__}: {error}"
        lost = isinstance(error, Conflict)
        base = CONFLICT_BACKOFF_SECONDS if lost else BACKOFF_SECONDS
        most = min(BACKOFF_MOST_SECONDS, base * 2.0 ** min(count - 1, 20))
        wait = most * (0.5 + self._jitter() / 2)
        not_before = asyncio.get_running_loop().time() + min(wait, BACKOFF_SECONDS)
        self._failures[key] = _Failure(count, text, not_before)
        _log_failure(key, error, text, lost=lost, news=before is None or before.text != text)
        return wait

    # --- relist -------------------------------------------------------------------------

    async def _relist_forever(self) -> None:
        if self._relist is None:
            return
        wait = RELIST_SECONDS
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._relist_wanted.wait(), wait)
            self._relist_wanted.clear()
            try:
                await self._relist_once(self._relist)
                wait = RELIST_SECONDS
            except Exception as error:  # the watches go on; try again
                logger.warning(
                    "The relist failed, next try in %.0f s: %s",
                    RELIST_RETRY_SECONDS,
                    error,
                    exc_info=_unexpected(error),
                )
                wait = RELIST_RETRY_SECONDS

    async def _relist_once(self, relist: Relist) -> None:
        if self._relist_config_maps is not None:
            await self._relist_config_maps_once(self._relist_config_maps)
        before = self._resources.versions()
        listed: set[Key] = set()
        async for body in relist():
            key = key_of(body)
            listed.add(key)
            self._forget_another(body)
            if self._resources.read(body, before.get(key, "")):
                self.wake(key)
        after = self._resources.versions()
        for key, version in before.items():
            # A body that has moved since belongs to an object newer than the list.
            if self._is_unlisted(key[0]):
                continue
            if key not in listed and after.get(key) == version:
                logger.info("Gone without an event", extra=_subject(key))
                self.forget(key)

    async def _relist_config_maps_once(self, relist: RelistConfigMaps) -> None:
        before = self._resources.config_map_versions()
        listed: set[Key] = set()
        async for key, body in relist():
            listed.add(key)
            if self._resources.config_map_listed(key, body, before.get(key, "")):
                self.wake(key)
        after = self._resources.config_map_versions()
        for key, version in before.items():
            if self._is_unlisted(key[0]):
                continue
            if key not in listed and after.get(key) == version:
                self._resources.config_map_gone(key)
                self.wake(key)


def _not_at_once(key: Key, seconds: float) -> float:
    """A wait that is long enough not to repeat a pass at once; a shorter one is a bug."""
    if seconds > 0:
        return max(seconds, LEAST_WAIT_SECONDS)
    logger.warning("The next look was due %.1f s ago", -seconds, extra=_subject(key))
    return BACKOFF_SECONDS


def _log_failure(key: Key, error: Exception, text: str, *, lost: bool, news: bool) -> None:
    extra = _subject(key)
    if lost:
        logger.debug("Looking again: %s", text, extra=extra)
    elif news:
        logger.error(
            "The pass failed: %s", text, extra=extra, exc_info=error if _unexpected(error) else None
        )
    else:
        logger.warning("The pass failed again: %s", text, extra=extra)


def _subject(key: Key) -> dict[str, str]:
    return {"namespace": key[0], "resource": key[1]}


def _unexpected(error: Exception) -> bool:
    return not isinstance(error, OperatorError)

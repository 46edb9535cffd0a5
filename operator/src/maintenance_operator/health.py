"""Whether the operator still hears of changes, and what it measures, over HTTP.

``/healthz`` answers 200 as long as every watch it needs has given a sign of life within
``SILENCE_SECONDS``. A sign is a successful answer of the API server to a list or a watch request.
The server ends each watch after ``WATCH_SECONDS``, and kopf gives up a silent one and asks again,
so a watch that lives gives a sign at least that often; one whose task hangs, whose stream is dead
or whose API server is away does not. Without watches the operator is blind, and the cure is
to start it again: it keeps nothing but what the cluster holds.

``/readyz`` answers 200 once every watch has given its first sign. A namespace that may not be
watched counts for neither, as long as another one may. ``/metrics`` is Prometheus'; ``?name[]=...``
picks some, as Prometheus' own clients do it.
"""

from collections.abc import Callable, Collection, Sequence
from typing import Final

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST

WATCH_SECONDS: Final = 240
"""Fifteen requests an hour and watch: the API server hardly notices."""
OUTAGE_SECONDS: Final = 300
"""So long the API server may be away: to be started again meanwhile would help nobody."""
SILENCE_SECONDS: Final = WATCH_SECONDS + 120 + OUTAGE_SECONDS
"""A watch's time, kopf's patience with a silent one (70 s), its retries, and an outage."""

REFUSED_SECONDS: Final = 30
"""An API server that is upgraded may forbid what it allows before and after."""

Watch = tuple[str | None, str]
"""Namespace (None: all) and plural of what is watched."""


class Watches:
    """Signs of life of the watches.

    Args:
        expected: the watches without which the operator is blind.
        clock: monotonic seconds.
    """

    def __init__(self, expected: Collection[Watch], clock: Callable[[], float]) -> None:
        self._clock = clock
        self._signs: dict[Watch, float | None] = dict.fromkeys(expected)
        self._refused: dict[Watch, float] = {}
        self._told: set[Watch] = set()
        self._started = clock()

    def sign(self, watch: Watch) -> None:
        """A watch has just shown that it lives; others are not counted."""
        self._refused.pop(watch, None)
        self._told.discard(watch)
        if watch in self._signs:
            self._signs[watch] = self._clock()

    def refused(self, watch: Watch) -> None:
        """The API server has just forbidden a watch."""
        self._refused.setdefault(watch, self._clock())

    def out_of_reach(self, watch: Watch) -> bool:
        """Whether a namespace's watch is forbidden for good, while those of others live.

        It was deleted, with the Role in it: nothing to be started again for, nothing to wait for.
        """
        now = self._clock()
        if now - self._refused.get(watch, now) < REFUSED_SECONDS:
            return False
        return any(
            sign is not None and now - sign <= SILENCE_SECONDS
            for other, sign in self._signs.items()
            if other[0] != watch[0] and other[1] == watch[1]
        )

    def is_news(self, watch: Watch) -> bool:
        """Whether that a watch is out of reach has not been told since it lived."""
        new = watch not in self._told
        self._told.add(watch)
        return new

    def silent(self) -> list[str]:
        """The watches that have been silent for too long, in words."""
        now = self._clock()
        return [
            f"{_words(watch)}: no sign of life for {now - (sign or self._started):.0f} s"
            for watch, sign in self._signs.items()
            if now - (sign or self._started) > SILENCE_SECONDS and not self.out_of_reach(watch)
        ]

    def awaited(self) -> list[str]:
        """The watches that have not begun yet, in words."""
        return [
            f"{_words(watch)}: not heard of yet"
            for watch, sign in self._signs.items()
            if sign is None and not self.out_of_reach(watch)
        ]


def application(watches: Watches, exposition: Callable[[Sequence[str]], bytes]) -> web.Application:
    """The three pages."""

    async def healthz(_: web.Request) -> web.Response:
        return _answer(watches.silent())

    async def readyz(_: web.Request) -> web.Response:
        return _answer(watches.awaited())

    async def metrics(request: web.Request) -> web.Response:
        page = exposition(request.query.getall("name[]", []))
        return web.Response(body=page, headers={"Content-Type": CONTENT_TYPE_LATEST})

    app = web.Application()
    app.add_routes(
        [web.get("/healthz", healthz), web.get("/readyz", readyz), web.get("/metrics", metrics)]
    )
    return app


def _answer(problems: list[str]) -> web.Response:
    if problems:
        return web.Response(status=503, text="\n".join(problems) + "\n")
    return web.Response(text="ok\n")


def _words(watch: Watch) -> str:
    namespace, plural = watch
    return f"{plural} in {namespace}" if namespace else f"{plural} in all namespaces"

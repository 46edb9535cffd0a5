"""Progress for whoever watches: log lines in a pod, bars in a terminal.

In a pod a line appears at least every ``SILENCE`` seconds, also while one step takes longer than
that: a thread repeats where the work stands.
"""

import importlib
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol, TextIO

SILENCE = 6.0
"""Seconds without a line after which the state is repeated (ten is what we promise)."""


class Progress(Protocol):
    """Told about stages and steps."""

    def stage(self, name: str, total: int | None = None) -> None:
        """A new stage begins; ``total`` steps of it are known or not."""

    def step(self, done: int, note: str = "") -> None:
        """``done`` steps of the stage are behind us."""

    def say(self, line: str) -> None:
        """A remark worth reading."""


class Silent:
    """Tells nobody."""

    def stage(self, name: str, total: int | None = None) -> None:
        """Nothing."""

    def step(self, done: int, note: str = "") -> None:
        """Nothing."""

    def say(self, line: str) -> None:
        """Nothing."""


class LogProgress:
    """Lines, each with the seconds since the start.

    Args:
        file: where to; standard output if it is not given.
    """

    def __init__(self, file: TextIO | None = None) -> None:
        self._file = file
        self._start = time.monotonic()
        self._last = self._start
        self._state = "starting"
        self._total: int | None = None
        self._lock = threading.Lock()

    def stage(self, name: str, total: int | None = None) -> None:
        """Print the stage's name."""
        self._state, self._total = name, total
        self.say(name if total is None else f"{name}: {total}")
        self._name = name

    def step(self, done: int, note: str = "") -> None:
        """Remember the step; print it if the last line is old enough."""
        of = "" if self._total is None else f"/{self._total}"
        self._state = f"{self._name}: {done}{of}{' ' if note else ''}{note}"
        if time.monotonic() - self._last >= SILENCE / 2:
            self.say(self._state)

    def say(self, line: str) -> None:
        """Print a line now."""
        with self._lock:
            self._last = time.monotonic()
            seconds = self._last - self._start
            print(f"[{seconds:7.1f} s] {line}", file=self._file or sys.stdout, flush=True)

    def heartbeat(self) -> AbstractContextManager[None]:
        """Repeat the state while the body runs, whenever it falls silent."""
        return _every_second(self._beat)

    def _beat(self) -> None:
        if time.monotonic() - self._last >= SILENCE:
            self.say(f"still {self._state}")


class BarProgress:
    """One bar per stage, for a terminal."""

    def __init__(self) -> None:
        self._bar: Any = None

    def stage(self, name: str, total: int | None = None) -> None:
        """Close the last bar, open the next."""
        self.close()
        self._bar = _tqdm()(
            total=total,
            desc=name,
            file=sys.stderr,
            leave=True,
            bar_format=None if total else "{desc} {elapsed}",
        )

    def step(self, done: int, note: str = "") -> None:
        """Move the bar."""
        bar = self._bar
        if bar is not None:
            bar.update(done - bar.n)
            if note:
                bar.set_postfix_str(note)

    def heartbeat(self) -> AbstractContextManager[None]:
        """Let the clock of a bar that has no steps go on."""
        return _every_second(self._beat)

    def _beat(self) -> None:
        bar = self._bar
        if bar is not None:
            bar.refresh()

    def say(self, line: str) -> None:
        """Print above the bar."""
        _tqdm().write(line, file=sys.stderr)

    def close(self) -> None:
        """Close the open bar, if any."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None


@contextmanager
def _every_second(beat: Callable[[], None]) -> Iterator[None]:
    """Calls ``beat`` in a thread as long as the body runs."""
    done = threading.Event()

    def go_on() -> None:
        while not done.wait(1.0):
            beat()

    thread = threading.Thread(target=go_on, name="heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _tqdm() -> Any:  # it ships no types
    return importlib.import_module("tqdm").tqdm  # only a terminal needs it

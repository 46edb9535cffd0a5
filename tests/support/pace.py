"""Seconds of a quiet machine: on a busy or a slow one they pass more slowly.

A limit in a test says after how long a program must be stuck. How long that is depends on what
else the machine does, so limits are counted in seconds of the machine they were written on: a
fixed piece of work is timed again and again while a test waits, and of each second that goes by
only the share counts in which that machine would have done as much.
"""

import time
from collections import deque
from typing import Final

WORK: Final = 100_000
WORK_SECONDS: Final = 0.0075
"""How long the piece of work takes on two quiet cores of the machine the limits were written on."""
MEASURE_EVERY: Final = 2.0
_MEASURES: Final = 5


class Pace:
    """How many times slower than the reference the machine is; a measure holds for two seconds."""

    def __init__(self) -> None:
        self._measures: deque[float] = deque(maxlen=_MEASURES)
        self._next = 0.0

    def __call__(self) -> float:
        """At least 1; the mean of the last measures, for one alone says little."""
        if time.monotonic() >= self._next:
            self._measures.append(_work() / WORK_SECONDS)
            self._next = time.monotonic() + MEASURE_EVERY
        return max(1.0, sum(self._measures) / len(self._measures))


pace: Final = Pace()


class Allowance:
    """So many seconds of a quiet machine, from now on.

    Args:
        seconds: of a quiet machine.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._spent = 0.0
        self._seen = time.monotonic()

    def left(self) -> float:
        """Seconds of a quiet machine that are left; negative when it is used up."""
        now = time.monotonic()
        self._spent += (now - self._seen) / pace()
        self._seen = now
        return self.seconds - self._spent

    def used_up(self) -> bool:
        """Whether the time is over; to be asked now and then, so that it follows the machine."""
        return self.left() <= 0.0


def timeout_flag(seconds: float) -> str:
    """``kubectl``'s; it cannot ask on the way, so it gets three times what the pace says now."""
    return f"--timeout={3.0 * seconds * pace():.0f}s"


def _work() -> float:
    started, total = time.perf_counter(), 0
    for number in range(WORK):
        total += number * number % 7
    return time.perf_counter() - started

"""Programs, stages and waiting."""

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeVar

ROOT: Final = Path(__file__).resolve().parents[3]
CACHE: Final = Path(
    os.environ.get("MM_CACHE") or Path.home() / ".cache" / "model-maintenance"
).absolute()
T = TypeVar("T")


class Failure(RuntimeError):
    """Something that was to work did not; the message says what, and what was seen instead."""


def run(*command: str | Path, stdin: str | bytes | None = None, seconds: float = 120) -> str:
    """The standard output of a program.

    Raises:
        Failure: it fails or takes too long; the message has its last words.
    """
    shown = " ".join(map(str, command))
    data = stdin.encode() if isinstance(stdin, str) else stdin
    try:
        done = subprocess.run(
            list(map(str, command)), input=data, capture_output=True, timeout=seconds, check=False
        )
    except subprocess.TimeoutExpired:
        raise Failure(f"{shown}: not done after {seconds:.0f} s") from None
    if done.returncode:
        words = (done.stderr or done.stdout).decode(errors="replace").strip()
        raise Failure(f"{shown}: exit code {done.returncode}: {words[-2000:]}")
    return done.stdout.decode()


def run_loudly(*command: str | Path) -> str:
    """The standard output of a program whose progress (standard error) goes to the screen.

    Raises:
        Failure: it fails.
    """
    done = subprocess.run(list(map(str, command)), stdout=subprocess.PIPE, check=False)
    if done.returncode:
        raise Failure(f"{' '.join(map(str, command))}: exit code {done.returncode}")
    return done.stdout.decode()


def until(
    what: str,
    look: Callable[[], T | None],
    *,
    seconds: float,
    every: float = 1.0,
    progress: Callable[[], object] | None = None,
) -> T:
    """What ``look`` sees as soon as it sees something.

    Args:
        what: is waited for, in words.
        look: None while it is not there.
        seconds: to wait at most; with ``progress``, since that last changed: a slow machine gets
            all the time it needs as long as it gets on.
        every: seconds between two looks.
        progress: any value that tells how far it is.

    Raises:
        Failure: the time is over.
    """
    end, far = time.monotonic() + seconds, None
    while True:
        found = look()
        if found is not None:
            return found
        now_far = progress() if progress else None
        if now_far != far:
            end, far = time.monotonic() + seconds, now_far
        if time.monotonic() > end:
            without = f", {seconds:.0f} s after the last progress: {far}" if progress else ""
            raise Failure(f"{what}: not seen within {seconds:.0f} s{without}")
        time.sleep(every)


@dataclass(slots=True)
class Stages:
    """Titles on the screen, and how long each took."""

    seconds: dict[str, float] = field(default_factory=dict)
    _start: float = field(default_factory=time.monotonic)

    @contextmanager
    def stage(self, title: str) -> Iterator[None]:
        """A stage; its time is kept even when it fails."""
        start = time.monotonic()
        print(f"\n=== {title}  [{self.clock()}]", flush=True)
        try:
            yield
        finally:
            self.seconds[title] = time.monotonic() - start

    def clock(self) -> str:
        """Minutes and seconds since the beginning."""
        minutes, seconds = divmod(int(time.monotonic() - self._start), 60)
        return f"{minutes}:{seconds:02d}"

    @property
    def total(self) -> float:
        """Seconds since the beginning."""
        return time.monotonic() - self._start

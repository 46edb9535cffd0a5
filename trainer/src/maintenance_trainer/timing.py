"""Seconds by stage."""

import time
from collections.abc import Iterator
from contextlib import contextmanager


class Timings:
    """Adds up what each stage took."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def add(self, stage: str, seconds: float) -> None:
        """Count seconds measured elsewhere."""
        self.seconds[stage] = self.seconds.get(stage, 0.0) + seconds

    @contextmanager
    def of(self, stage: str) -> Iterator[None]:
        """Count the body's seconds."""
        start = time.monotonic()
        try:
            yield
        finally:
            self.add(stage, time.monotonic() - start)

"""Equal values are kept once: most of ten thousand resources share their bounds and messages."""

from collections.abc import Hashable
from typing import Any, Final, TypeVar

Value = TypeVar("Value", bound=Hashable)


class Interner:
    """Gives equal values back as one object."""

    MOST: Final = 10_000
    """Then it begins anew: what was given out stays, and what comes is shared again."""

    def __init__(self) -> None:
        self._known: dict[Hashable, Any] = {}

    def __call__(self, value: Value) -> Value:
        """The value, or the equal one that was given before."""
        if len(self._known) >= self.MOST:
            self._known.clear()
        found: Value = self._known.setdefault(value, value)
        return found

"""What a JSON value must be, and what is said of one that is something else."""

import math
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final, TypeVar

LARGEST: Final = 2**53
"""Whole numbers up to it are the same in every language that reads JSON."""
TEXT: Final = 1024
ITEMS: Final = 10_000
E = TypeVar("E", bound=StrEnum)


class Mismatch(Exception):
    """A value is not what it must be. Whoever lets it pass says where: ``under`` a key or index."""

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self._problem = problem
        self._way: list[str | int] = []

    def under(self, *way: str | int) -> "Mismatch":
        """The same, seen from above."""
        self._way[:0] = way
        return self

    def told(self, path: str = "") -> str:
        """Dotted path and problem, below a path that the reader knows."""
        for step in self._way:
            path += f"[{step}]" if isinstance(step, int) else f".{step}" if path else step
        return f"{path or 'document'}: {self._problem}"


def expected(what: str, value: object) -> Mismatch:
    """What is told where a value is none of these."""
    return Mismatch(f"{what} is expected, not {_shown(value)}")


def _shown(value: object) -> str:
    """A value in a message; never all of one that may be large or deep."""
    if isinstance(value, Mapping | list):
        return f"{'a list' if isinstance(value, list) else 'an object'} of {len(value)}"
    return repr(str(value)[:80])


def an_object(value: Any) -> Mapping[str, Any]:
    """An object whose fields are known."""
    if not isinstance(value, dict | Mapping):  # dict first: an abstract type is slow to ask
        raise Mismatch(f"an object is expected, not {type(value).__name__}")
    return value


def free_form(value: Any) -> dict[str, Any]:
    """An object of whatever fields; absent is empty."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise expected("an object", value)
    return value


def text(value: Any, most: int = TEXT) -> str:
    """A string of at most ``most`` characters."""
    if not isinstance(value, str) or len(value) > most:
        raise expected(f"a string of at most {most} characters", value)
    return value


def boolean(value: Any) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise expected("true or false", value)
    return value


def whole(value: Any, least: int = 0, most: int = LARGEST) -> int:
    """A whole number within bounds."""
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise expected(f"a whole number from {least} to {most}", value)
    return value


def whole_or(word: str, value: Any, least: int, most: int) -> int | None:
    """A whole number within bounds; None where the word stands for it."""
    if value == word:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise expected(f"{word} or a whole number from {least} to {most}", value)
    return value


def number(value: Any) -> float:
    """A finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not _finite(value):
        raise expected("a finite number", value)
    return float(value)


def share(value: Any) -> float:
    """A number from 0 to 1."""
    found = number(value)
    if not 0.0 <= found <= 1.0:
        raise expected("a number from 0 to 1", value)
    return found


def _finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def member(value: Any, kind: type[E]) -> E:
    """A member of an enumeration."""
    try:
        return kind(value)
    except ValueError:
        raise expected("one of " + ", ".join(each.value for each in kind), value) from None


def items(value: Any, most: int = ITEMS) -> list[Any]:
    """A list; absent is empty."""
    if value is None:
        return []
    if not isinstance(value, list) or len(value) > most:
        raise expected(f"a list of at most {most}", value)
    return value


def strings(value: Any, most: int = ITEMS) -> tuple[str, ...]:
    """A list of strings; absent is empty."""
    found = items(value, most)
    if not all(isinstance(each, str) for each in found):
        raise expected("a list of strings", found)
    return tuple(found)

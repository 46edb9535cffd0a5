"""Codecs of values: how each kind of value is spelled in JSON, checked, and read again."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from operator import attrgetter
from typing import Any, Generic, TypeVar

from maintenance_contract import checks
from maintenance_contract.checks import Mismatch

T = TypeVar("T")
E = TypeVar("E", bound=StrEnum)


def as_it_is(value: Any) -> Any:
    """What needs no spelling."""
    return value


@dataclass(frozen=True, slots=True)
class Codec(Generic[T]):
    """A way into JSON and back.

    ``decode`` is given None for what is absent or null, and raises ``Mismatch``.
    """

    decode: Callable[[Any], T]
    encode: Callable[[T], Any] = as_it_is

    def document(self, value: T) -> dict[str, Any]:
        """The JSON object of a value that is one."""
        spelled: dict[str, Any] = self.encode(value)
        return spelled


def text(most: int = checks.TEXT) -> Codec[str]:
    """A string of at most so many characters."""
    return Codec(partial(checks.text, most=most))


def whole(least: int = 0, most: int = checks.LARGEST) -> Codec[int]:
    """A whole number within bounds."""
    return Codec(partial(checks.whole, least=least, most=most))


def significant(digits: int) -> Codec[float]:
    """A finite number, written with so many significant digits."""
    form = f".{digits}g"
    return Codec(checks.number, lambda value: float(format(value, form)))


def rounded(digits: int) -> Codec[float]:
    """A finite number, written with so many digits behind the point."""
    return Codec(checks.number, lambda value: round(value, digits))


def member(kind: type[E]) -> Codec[E]:
    """A member of an enumeration."""
    members = {each.value: each for each in kind}

    def decode(value: Any) -> E:
        try:
            return members[value]
        except (KeyError, TypeError):
            return checks.member(value, kind)

    return Codec(decode, attrgetter("value"))


def nullable(codec: Codec[T]) -> Codec[T | None]:
    """Null where there is none."""
    return Codec(
        lambda value: None if value is None else codec.decode(value),
        lambda value: None if value is None else codec.encode(value),
    )


def or_else(default: T, codec: Codec[T]) -> Codec[T]:
    """Always written; absent is the default."""
    return Codec(lambda value: default if value is None else codec.decode(value), codec.encode)


def if_there(key: str, codec: Codec[T]) -> Codec[T | None]:
    """Of an object that may lie flat within another: none where this field of it is absent."""
    return Codec(
        lambda value: None if value.get(key) is None else codec.decode(value),
        lambda value: {} if value is None else codec.encode(value),
    )


def each(codec: Codec[T], most: int = checks.ITEMS) -> Codec[Sequence[T]]:
    """A list of at most so many; absent is empty."""
    decode_one, encode_one = codec.decode, codec.encode

    def decode(value: Any) -> tuple[T, ...]:
        items, found = checks.items(value, most), []
        try:
            for item in items:
                found.append(decode_one(item))  # noqa: PERF401 - its length is the index
        except Mismatch as mismatch:
            raise mismatch.under(len(found)) from None
        return tuple(found)

    return Codec(decode, lambda values: [encode_one(value) for value in values])


def strings(most: int = checks.ITEMS) -> Codec[tuple[str, ...]]:
    """A list of at most so many strings; absent is empty."""
    return Codec(partial(checks.strings, most=most), list)


def by_name(
    codec: Codec[T], check: Callable[[Any], Mapping[str, Any]] = checks.free_form
) -> Codec[Mapping[str, T]]:
    """An object of whatever fields, all of one type; absent is empty."""

    def decode(value: Any) -> dict[str, T]:
        found: dict[str, T] = {}
        for name, one in ({} if value is None else check(value)).items():
            try:
                found[name] = codec.decode(one)
            except Mismatch as mismatch:
                raise mismatch.under(name) from None
        return found

    return Codec(
        decode, lambda values: {name: codec.encode(value) for name, value in values.items()}
    )

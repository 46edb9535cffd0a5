"""Reading untrusted JSON into typed values, with errors that name the field."""

import hashlib
import json
import marshal
import math
import re
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any, Final, TypeVar

from maintenance_contract.errors import ContractError

_HALF_CHARACTER: Final = re.compile("[\ud800-\udfff]")
T = TypeVar("T")
E = TypeVar("E", bound=StrEnum)


class Fields:
    """A JSON object that is read field by field; unknown fields are ignored.

    Every getter raises ``ContractError`` naming the dotted path of what is wrong.
    """

    def __init__(self, value: object, path: str = "") -> None:
        if not isinstance(value, dict | Mapping):  # dict first: an abstract type is slow to ask
            msg = f"{path or 'document'}: an object is expected, not {type(value).__name__}"
            raise ContractError(msg)
        self._value = value
        self._path = path

    def name(self, key: str) -> str:
        """The dotted path of a field."""
        return f"{self._path}.{key}" if self._path else key

    def _fail(self, key: str, expected: str) -> ContractError:
        return ContractError(
            f"{self.name(key)}: {expected} is expected, not {_shown(self._value.get(key))}"
        )

    def content(self) -> tuple[str, bytes] | None:
        """Equal where all that is read is equal; None for what is not from JSON."""
        try:
            # Version 2: the same bytes for equal values.
            return self._path, marshal.dumps(self._value, 2)  # type: ignore[arg-type]
        except ValueError:
            return None

    def has(self, key: str) -> bool:
        """Whether the field is there and not null."""
        return self._value.get(key) is not None

    @property
    def keys(self) -> tuple[str, ...]:
        """The names of the fields that are there."""
        return tuple(str(key) for key in self._value if self.has(key))

    def string(self, key: str, *, most: int = 1024) -> str:
        """A string of at most ``most`` characters."""
        value = self._value.get(key)
        if not isinstance(value, str) or len(value) > most:
            raise self._fail(key, f"a string of at most {most} characters")
        return value

    def raw_value(self, key: str) -> Any:
        """The value as it is, of whatever type; None where it is absent."""
        return self._value.get(key)

    def boolean(self, key: str) -> bool:
        """True or false."""
        value = self._value.get(key)
        if not isinstance(value, bool):
            raise self._fail(key, "true or false")
        return value

    def integer(self, key: str, *, least: int = 0, most: int = 2**53) -> int:
        """A whole number within bounds."""
        value = self._value.get(key)
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise self._fail(key, f"a whole number from {least} to {most}")
        return value

    def integer_or(self, word: str, key: str, *, least: int, most: int) -> int | None:
        """A whole number within bounds; None where the word stands for it."""
        value = self._value.get(key)
        if value == word:
            return None
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise self._fail(key, f"{word} or a whole number from {least} to {most}")
        return value

    def number(self, key: str) -> float:
        """A finite number."""
        value = self._value.get(key)
        if isinstance(value, bool) or not isinstance(value, int | float) or not _finite(value):
            raise self._fail(key, "a finite number")
        return float(value)

    def share(self, key: str) -> float:
        """A number from 0 to 1."""
        value = self.number(key)
        if not 0.0 <= value <= 1.0:
            raise self._fail(key, "a number from 0 to 1")
        return value

    def one_of(self, key: str, kind: type[E]) -> E:
        """A member of an enumeration."""
        value = self._value.get(key)
        try:
            return kind(value)  # type: ignore[arg-type]  # a value of another type raises, too
        except ValueError:
            raise self._fail(key, "one of " + ", ".join(member.value for member in kind)) from None

    def optional(self, key: str, read: Callable[[str], T]) -> T | None:
        """What ``read`` makes of the field, or None where it is absent or null."""
        return read(key) if self.has(key) else None

    def fields(self, key: str) -> "Fields":
        """A nested object."""
        return Fields(self._value.get(key), self.name(key))

    def fields_or_none(self, key: str) -> "Fields | None":
        """A nested object, or None where it is absent or null."""
        return self.optional(key, self.fields)

    def items(self, key: str, *, most: int = 10_000) -> list["Fields"]:
        """A list of objects; absent is empty."""
        return [
            Fields(item, f"{self.name(key)}[{index}]")
            for index, item in enumerate(self._list(key, most))
        ]

    def strings(self, key: str, *, most: int = 10_000) -> tuple[str, ...]:
        """A list of strings; absent is empty."""
        values = self._list(key, most)
        if not all(isinstance(value, str) for value in values):
            raise self._fail(key, "a list of strings")
        return tuple(values)

    def raw(self, key: str) -> dict[str, Any]:
        """A free-form object; absent is empty."""
        value = self._value.get(key)
        if value is None:
            return {}
        if not isinstance(value, dict):
            raise self._fail(key, "an object")
        return value

    def _list(self, key: str, most: int) -> list[Any]:
        value = self._value.get(key)
        if value is None:
            return []
        if not isinstance(value, list) or len(value) > most:
            raise self._fail(key, f"a list of at most {most}")
        return value


def _shown(value: object) -> str:
    """A value in a message; never all of one that may be large or deep."""
    if isinstance(value, Mapping | list):
        return f"{'a list' if isinstance(value, list) else 'an object'} of {len(value)}"
    return repr(str(value)[:80])


def _finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def load(text: str, *, version: int, kind: str) -> Fields:
    """Parse a JSON document and check its ``version``.

    Raises:
        ContractError: no JSON, no object, or a version that this code does not read.
    """
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        msg = f"{kind}: not JSON: {str(error)[:120]}"
        raise ContractError(msg) from None
    fields = Fields(document)
    found = fields.integer("version")
    if found != version:
        msg = f"{kind}: version {found} is not understood, only {version}; update the older image"
        raise ContractError(msg)
    return fields


def canonical(document: Mapping[str, Any]) -> str:
    """The one spelling of a document: sorted keys, no blanks, no NaN.

    It can always be written as UTF-8: half a character (a lone surrogate) becomes U+FFFD.
    """
    text = json.dumps(
        document, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )
    return text if text.isascii() else _HALF_CHARACTER.sub("\ufffd", text)


def bounded(value: object, *, depth: int, values: int) -> bool:
    """Whether a JSON value has at most so many values, nested at most so deep.

    It is not walked any further than that, and not by recursion.
    """
    level, found = [value], 0
    for _ in range(depth + 1):
        found += len(level)
        if found > values:
            return False
        below = [each for each in level if isinstance(each, dict | list)]
        if not below:
            return True
        if found + sum(map(len, below)) > values:
            return False
        level = [
            part for each in below for part in (each.values() if isinstance(each, dict) else each)
        ]
        if not level:
            return True
    return False


def digest(text: str) -> str:
    """``sha256:<hex>`` of a text."""
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()

"""Reading untrusted JSON into typed values, with errors that name the field."""

import hashlib
import json
import marshal
import re
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any, Final, TypeVar

from maintenance_contract import checks
from maintenance_contract.checks import Mismatch
from maintenance_contract.errors import ContractError

_HALF_CHARACTER: Final = re.compile("[\ud800-\udfff]")
T = TypeVar("T")
E = TypeVar("E", bound=StrEnum)


class Fields:
    """A JSON object that is read field by field; unknown fields are ignored.

    Every getter raises ``ContractError`` naming the dotted path of what is wrong.
    """

    def __init__(self, value: object, path: str = "") -> None:
        try:
            self._value = checks.an_object(value)
        except Mismatch as mismatch:
            raise ContractError(mismatch.told(path)) from None
        self._path = path

    def name(self, key: str) -> str:
        """The dotted path of a field."""
        return f"{self._path}.{key}" if self._path else key

    def decoded(self, decode: Callable[[Any], T]) -> T:
        """What a codec makes of the object."""
        try:
            return decode(self._value)
        except Mismatch as mismatch:
            raise ContractError(mismatch.told(self._path)) from None

    def _checked(self, key: str, check: Callable[..., T], *bounds: Any) -> T:
        try:
            return check(self._value.get(key), *bounds)
        except Mismatch as mismatch:
            raise ContractError(mismatch.told(self.name(key))) from None

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

    def string(self, key: str, *, most: int = checks.TEXT) -> str:
        """A string of at most ``most`` characters."""
        return self._checked(key, checks.text, most)

    def raw_value(self, key: str) -> Any:
        """The value as it is, of whatever type; None where it is absent."""
        return self._value.get(key)

    def boolean(self, key: str) -> bool:
        """True or false."""
        return self._checked(key, checks.boolean)

    def integer(self, key: str, *, least: int = 0, most: int = checks.LARGEST) -> int:
        """A whole number within bounds."""
        return self._checked(key, checks.whole, least, most)

    def number(self, key: str) -> float:
        """A finite number."""
        return self._checked(key, checks.number)

    def share(self, key: str) -> float:
        """A number from 0 to 1."""
        return self._checked(key, checks.share)

    def one_of(self, key: str, kind: type[E]) -> E:
        """A member of an enumeration."""
        member: E = self._checked(key, checks.member, kind)
        return member

    def optional(self, key: str, read: Callable[[str], T]) -> T | None:
        """What ``read`` makes of the field, or None where it is absent or null."""
        return read(key) if self.has(key) else None

    def fields(self, key: str) -> "Fields":
        """A nested object."""
        return Fields(self._value.get(key), self.name(key))

    def fields_or_none(self, key: str) -> "Fields | None":
        """A nested object, or None where it is absent or null."""
        return self.optional(key, self.fields)

    def items(self, key: str, *, most: int = checks.ITEMS) -> list["Fields"]:
        """A list of objects; absent is empty."""
        return [
            Fields(item, f"{self.name(key)}[{index}]")
            for index, item in enumerate(self._checked(key, checks.items, most))
        ]

    def strings(self, key: str, *, most: int = checks.ITEMS) -> tuple[str, ...]:
        """A list of strings; absent is empty."""
        return self._checked(key, checks.strings, most)

    def raw(self, key: str) -> dict[str, Any]:
        """A free-form object; absent is empty."""
        return self._checked(key, checks.free_form)


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

"""How a dataclass is spelled in JSON and read again: declared by its type hints, and what differs.

A field is called in JSON as in Python, but in camelCase; its type says how it is checked. It is
left out where it has its default, and has its default where it is absent or null: so documents that
were written before there was a field stay what they were, digests included. What is otherwise is
said beside the dataclass, in ``record``. Unknown fields are ignored.
"""

import re
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import MISSING, Field, dataclass, fields, replace
from enum import StrEnum
from functools import cache
from types import MappingProxyType, NoneType
from typing import Any, Final, Generic, TypeVar, get_args, get_origin, get_type_hints

from maintenance_contract import checks
from maintenance_contract.checks import Mismatch
from maintenance_contract.codec import canonical, load
from maintenance_contract.values import (
    Codec,
    as_it_is,
    each,
    member,
    nullable,
    strings,
    text,
    whole,
)

T = TypeVar("T")

JSON: Final[Mapping[Any, Codec[Any]]] = MappingProxyType(
    {
        str: text(),
        int: whole(),
        bool: Codec(checks.boolean),
        float: Codec(checks.number),
        dict: Codec(checks.free_form),
        Mapping: Codec(checks.free_form, dict),
    }
)
"""By type, where a field says nothing else."""


class _Every:
    def __contains__(self, name: object) -> bool:
        return True


EVERY: Final = _Every()
"""All fields of a dataclass."""
_MUST: Final = object()
"""Stands for nothing: the field must be there."""


@dataclass(frozen=True, slots=True)
class Part:
    """What is special about a field of a dataclass.

    ``key``: as JSON calls it; empty: as Python does. ``within``: it lies in a nested object of that
    name. ``flat``: its own fields lie there, beside the others. ``after``: the codec to read it
    with, by what was read before it. ``absent``: what it is where it is left out.
    """

    codec: Codec[Any] | None = None
    key: str = ""
    within: str = ""
    flat: bool = False
    after: Callable[..., Codec[Any]] | None = None
    absent: Any = _MUST


def given(value: object) -> Part:
    """A field that the document does not hold, because its reader knows it."""
    return Part(Codec(lambda _: value, lambda _: {}), flat=True)


def record(
    cls: type[T],
    types: Mapping[Any, Codec[Any]] = JSON,
    /,
    *,
    always: Container[str] = (),
    also: Mapping[str, Any] = MappingProxyType({}),
    **parts: Codec[Any] | Part,
) -> Codec[T]:
    """The codec of a dataclass.

    Args:
        cls: the dataclass.
        types: codecs by type.
        always: fields that are written and read even where they have their default.
        also: what is written besides, and not read.
        parts: what is special about fields, by their names: how they are checked, or more.

    Raises:
        TypeError: a type has no codec, or there is no such field.
    """
    hints = get_type_hints(cls)
    ways = [
        _way(field, hints[field.name], types, field.name in always, parts.pop(field.name, None))
        for field in fields(cls)  # type: ignore[arg-type]
        if field.init
    ]
    if parts:
        raise TypeError(f"{cls.__name__} has no field {', '.join(parts)}")
    must = {way.within for way in ways if way.absent is _MUST}
    ways = [replace(way, loose=way.within not in must) for way in ways]
    return Codec(
        _when_needed(lambda: _decoder(cls, ways)), _when_needed(lambda: _encoder(ways, also))
    )


@dataclass(frozen=True, slots=True)
class _Way(Generic[T]):
    """From a field to its place in an object, all things considered.

    ``loose``: the nested object that it lies in may be absent.
    """

    name: str
    key: str
    codec: Codec[T]
    absent: T | object
    within: str
    flat: bool
    after: Callable[..., Codec[T]] | None
    loose: bool = False

    @property
    def elsewhere(self) -> bool:
        """Whether it is no field of the object itself."""
        return bool(self.within or self.flat)

    def read(self, value: Mapping[str, Any], before: Sequence[Any]) -> T:
        """The field of an object; ``before`` are those that were read already."""
        place = self._place(value)
        found = place if self.flat else place.get(self.key)
        if found is None and self.absent is not _MUST:
            return self.absent  # type: ignore[return-value]  # the field's default
        codec = self.codec if self.after is None else self.after(*before)
        steps = [step for step in (self.within, not self.flat and self.key) if step]
        return _under(steps, codec.decode, found)

    def _place(self, value: Mapping[str, Any]) -> Mapping[str, Any]:
        """The object that the field lies in."""
        if not self.within:
            return value
        nested = value.get(self.within)
        if nested is None and self.loose:
            return {}
        return _under([self.within], checks.an_object, nested)

    def write(self, value: T, document: dict[str, Any]) -> None:
        """Put the field into an object."""
        place = document.setdefault(self.within, {}) if self.within else document
        encoded = self.codec.encode(value)
        place.update(encoded if self.flat else {self.key: encoded})


def _under(steps: Sequence[str], decode: Callable[[Any], T], value: Any) -> T:
    try:
        return decode(value)
    except Mismatch as mismatch:
        raise mismatch.under(*steps) from None


def _way(
    field: Field[Any],
    hint: Any,
    types: Mapping[Any, Codec[Any]],
    always: bool,  # noqa: FBT001 - of this module alone
    special: Codec[Any] | Part | None,
) -> _Way[Any]:
    part = special if isinstance(special, Part) else Part(special)
    absent = part.absent
    if absent is _MUST and not always:
        absent = _default(field)
    codec = part.codec or _of_type(hint, types, optional=absent is None)
    key = part.key or re.sub("_([a-z])", lambda found: found[1].upper(), field.name)
    return _Way(field.name, key, codec, absent, part.within, part.flat, part.after)


def _default(field: Field[Any]) -> Any:
    if field.default is not MISSING:
        return field.default
    return _MUST if field.default_factory is MISSING else field.default_factory()


def _of_type(hint: Any, types: Mapping[Any, Codec[Any]], *, optional: bool = False) -> Codec[Any]:
    """The codec of a type; ``optional``: what is absent never comes to it."""
    origin, inner = get_origin(hint) or hint, get_args(hint)
    if NoneType in inner:
        one = _of_type(next(each for each in inner if each is not NoneType), types)
        return one if optional else nullable(one)
    if origin in types:
        return types[origin]
    if origin is tuple:
        return strings() if inner[0] is str else each(_of_type(inner[0], types))
    if isinstance(origin, type) and issubclass(origin, StrEnum):
        return member(origin)
    raise TypeError(f"{hint} has no codec: say it beside the field")


def _when_needed(make: Callable[[], Callable[[Any], Any]]) -> Callable[[Any], Any]:
    """A function that is made when it is first called: no program reads and writes them all."""
    made = cache(make)

    def function(value: Any) -> Any:
        return made()(value)

    return function


def _decoder(cls: type[T], ways: Sequence[_Way[Any]]) -> Callable[[Any], T]:
    """``key`` is the field that is being read; one that lies elsewhere names its way itself."""
    names: dict[str, Any] = {"cls": cls, "an_object": checks.an_object, "Mismatch": Mismatch}
    lines = ["get, key = an_object(value).get, None", "try:"]
    read = [f"_{way.name}" for way in ways]
    for number, way in enumerate(ways):
        its = way.name
        names |= {f"way_{its}": way, f"decode_{its}": way.codec.decode, f"absent_{its}": way.absent}
        if way.elsewhere or way.after:
            before = "".join(f"{name}, " for name in read[:number])
            lines.append(f" key = None; _{its} = way_{its}.read(value, ({before}))")
        elif way.absent is _MUST:
            lines.append(f" key = {way.key!r}; _{its} = decode_{its}(get(key))")
        else:
            lines.append(f" key = {way.key!r}; _{its} = get(key)")
            lines.append(f" _{its} = absent_{its} if _{its} is None else decode_{its}(_{its})")
    lines.append("except Mismatch as mismatch:")
    lines.append(" raise (mismatch.under(key) if key else mismatch) from None")
    lines.append(f"return cls({', '.join(read)})")
    return _function(lines, names)


def _encoder(ways: Sequence[_Way[Any]], also: Mapping[str, Any]) -> Callable[[Any], dict[str, Any]]:
    """Fields that are always there stand in a literal, as far as the order of all allows."""
    names: dict[str, Any] = {}
    first: list[str] = []
    then: list[str] = []
    for way in ways:
        its = way.name
        names |= {f"way_{its}": way, f"encode_{its}": way.codec.encode, f"absent_{its}": way.absent}
        value = f"value.{its}" if way.absent is _MUST else "_"
        spelled = value if way.codec.encode is as_it_is else f"encode_{its}({value})"
        if not (way.elsewhere or then) and way.absent is _MUST:
            first.append(f"{way.key!r}: {spelled}")
            continue
        put = f"document[{way.key!r}] = {spelled}"
        if way.elsewhere:
            put = f"way_{its}.write({value}, document)"
        if way.absent is not _MUST:
            differs = "is not None" if way.absent is None else f"!= absent_{its}"
            put = f"if (_ := value.{its}) {differs}: {put}"
        then.append(put)
    then += [f"document[{key!r}] = {value!r}" for key, value in also.items()]
    return _function([f"document = {{{', '.join(first)}}}", *then, "return document"], names)


def _function(lines: Sequence[str], names: dict[str, Any]) -> Callable[[Any], Any]:
    """A function of ``value``, written out for one dataclass as its own ``__init__`` is.

    A loop over the fields takes half as long again (benchmarks/README.md, "Documents"). The source
    is made of the names of fields and of nothing that is read.
    """
    source = "\n ".join(["def made(value):", *lines])
    exec(source, names)  # noqa: S102 - of our own declarations
    made: Callable[[Any], Any] = names["made"]
    return made


@dataclass(frozen=True, slots=True)
class Document(Generic[T]):
    """A kind of document in its one spelling, with the version that says how it is read."""

    kind: str
    version: int
    codec: Codec[T]

    def write(self, value: T) -> str:
        """The canonical spelling."""
        document = self.codec.document(value)
        document["version"] = self.version
        return canonical(document)

    def read(self, text: str) -> T:
        """Read untrusted text.

        Raises:
            ContractError: with the dotted path of the field that is wrong.
        """
        return load(text, version=self.version, kind=self.kind).decoded(self.codec.decode)

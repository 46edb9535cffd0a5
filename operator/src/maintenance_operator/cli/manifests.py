"""Manifests as kubectl reads them: YAML 1.1 by the rules of Go's yaml package, made JSON.

PyYAML has rules of its own: ``1e-3`` is text there, ``1:30`` a number and ``2026-01-01`` a date.
A check that read a file otherwise than kubectl would judge another resource than the one applied.
The rules are those of ``go.yaml.in/yaml/v2`` (resolve.go), which ``sigs.k8s.io/yaml`` uses.
"""

import base64
import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import yaml
from yaml.constructor import ConstructorError

_YAML: Final = "tag:yaml.org,2002:"
_MERGE: Final = f"{_YAML}merge"
_WORDS: Final[Mapping[str, bool | float | None]] = {
    **dict.fromkeys(("y", "Y", "yes", "Yes", "YES"), True),
    **dict.fromkeys(("true", "True", "TRUE", "on", "On", "ON"), True),
    **dict.fromkeys(("n", "N", "no", "No", "NO"), False),
    **dict.fromkeys(("false", "False", "FALSE", "off", "Off", "OFF"), False),
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), math.nan),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), math.inf),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), -math.inf),
}
_WHOLE: Final = re.compile(
    r"(?P<sign>[-+]?)(?:0[xX](?P<x>[0-9a-fA-F]+)|0[bB](?P<b>[01]+)|0[oO]?(?P<o>[0-7]+)"
    r"|(?P<d>0|[1-9][0-9]*))"
)
_BASES: Final = {"x": 16, "b": 2, "o": 8, "d": 10}
_FLOAT: Final = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_LONE: Final = re.compile(r"(?<![0-9])_|_(?![0-9])")
"""An underscore that stands between no digits; Go minds where a number begins with a point."""
_LEAST, _MOST = -(2**63), 2**64 - 1
_IN_FULL: Final = 1e21
"""From here on Go writes a float with an exponent, and below as the whole number that it is."""


def documents(text: str) -> list[Any]:
    """The documents of a file, empty ones left out, as the JSON that kubectl makes of them.

    Raises:
        yaml.YAMLError: it is no YAML, or holds what no JSON can.
    """
    as_json = _json(text)
    if as_json is not None:
        return as_json
    try:
        found = [each for each in yaml.load_all(text, _Loader) if each is not None]
        for each in found:
            json.dumps(each, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        said = "an anchor holds itself" if isinstance(error, RecursionError) else str(error)
        raise yaml.YAMLError(f"it cannot be JSON: {said}") from None
    return found


def _json(text: str) -> list[Any] | None:
    """The documents of a file that is JSON, where tabs may indent; None where it is not."""
    rest = text.strip()
    if not rest.startswith("{"):
        return None
    decoder, found = json.JSONDecoder(parse_constant=_no_number), []
    try:
        while rest:
            document, end = decoder.raw_decode(rest)
            found.append(document)
            rest = rest[end:].lstrip()
    except (ValueError, RecursionError):
        return None
    return found


def _no_number(word: str) -> float:
    raise ValueError(f"{word} is no number of JSON")


def scalar(written: str) -> bool | int | float | str | None:
    """What a word without quotes is; dates and numbers to base 60 are text."""
    if written in _WORDS:
        return _WORDS[written]
    if not written[0].isascii() or written[0] not in "+-.0123456789":
        return written
    if written[0] == "." and _LONE.search(written):
        return written
    plain = written.replace("_", "")
    whole = _whole(plain)
    if whole is not None:
        return whole
    if _FLOAT.fullmatch(plain) and math.isfinite(float(plain)):
        return float(plain)
    return written


def _whole(plain: str) -> int | None:
    found = _WHOLE.fullmatch(plain)
    if found is None:
        return None
    kind = next(kind for kind in _BASES if found[kind] is not None)
    value = int(f"{found['sign']}{found[kind]}", _BASES[kind])
    # A sign is for 64 bits with one, as a number without a sign may have one more.
    most = _MOST if not found["sign"] else 2**63 - 1
    return value if _LEAST <= value <= most else None


def _as_json(value: bool | float | str | None) -> bool | int | float | str | None:  # noqa: FBT001
    """A number as Go writes it: a float without a fraction is a whole one."""
    if isinstance(value, float) and abs(value) < _IN_FULL and value == int(value):
        return int(value)
    return value


class _Loader(yaml.SafeLoader):
    """Reads plain data only, whatever tags say."""

    def resolve(self, kind: type[yaml.Node], value: Any, implicit: Any) -> str:
        if kind is not yaml.ScalarNode or not implicit[0]:
            tag: str = super().resolve(kind, value, (False, True))  # type: ignore[no-untyped-call]
            return tag
        if value == "<<":
            return _MERGE
        found = scalar(value)
        kinds = {bool: "bool", int: "int", float: "float", type(None): "null"}
        return f"{_YAML}{kinds.get(type(found), 'str')}"

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        """Merged keys stand where the merge does: in Go what comes later counts."""
        pairs: list[tuple[yaml.Node, yaml.Node]] = []
        for key, value in node.value:
            pairs += self._merged(value) if key.tag == _MERGE else [(key, value)]
        node.value = pairs

    def _merged(self, node: yaml.Node) -> list[tuple[yaml.Node, yaml.Node]]:
        """Of several, the first counts."""
        if isinstance(node, yaml.SequenceNode):
            return [pair for each in reversed(node.value) for pair in self._merged(each)]
        if not isinstance(node, yaml.MappingNode):
            raise ConstructorError(None, None, "<< takes an object or several", node.start_mark)
        self.flatten_mapping(node)
        return list(node.value)

    def construct_mapping(
        self,
        node: yaml.Node,
        deep: bool = False,  # noqa: FBT001, FBT002 - PyYAML's own
    ) -> dict[Any, Any]:
        if not isinstance(node, yaml.MappingNode):
            raise ConstructorError(None, None, "an object is expected", node.start_mark)
        self.flatten_mapping(node)
        return {self._name(key): self.construct_object(its, deep=deep) for key, its in node.value}

    def _name(self, node: yaml.Node) -> str:
        """A key as JSON has it: text."""
        found = self.construct_object(node, deep=True)
        if isinstance(found, bool):
            return str(found).lower()
        if isinstance(found, str | int | float):
            return str(found)
        raise ConstructorError(None, None, "this cannot be the name of a field", node.start_mark)

    def typed(self, node: yaml.Node) -> bool | int | float | str | None:
        """A scalar of the type that its tag says, or that it shows."""
        written = self.construct_scalar(node)  # type: ignore[arg-type]  # raises where it is none
        found, kind = scalar(str(written)), node.tag.removeprefix(_YAML)
        if kind == "float" and isinstance(found, int) and not isinstance(found, bool):
            found = float(found)
        if type(found).__name__.replace("NoneType", "null") != kind:
            raise ConstructorError(None, None, f"{written!r} is no {kind}", node.start_mark)
        if isinstance(found, float) and not math.isfinite(found):
            raise ConstructorError(None, None, f"{written} is no number of JSON", node.start_mark)
        return _as_json(found)

    def binary(self, node: yaml.Node) -> str:
        """Text in base 64."""
        written = self.construct_scalar(node)  # type: ignore[arg-type]
        try:
            return base64.b64decode(str(written)).decode()
        except ValueError:
            raise ConstructorError(None, None, "no text in base 64", node.start_mark) from None

    def untyped(self, node: yaml.Node) -> Iterator[Any]:
        """Other tags say nothing."""
        match node:
            case yaml.MappingNode():
                kept: dict[Any, Any] = {}
                yield kept
                kept.update(self.construct_mapping(node))
            case yaml.SequenceNode():
                listed: list[Any] = []
                yield listed
                listed.extend(self.construct_sequence(node))
            case _:
                yield self.construct_scalar(node)  # type: ignore[arg-type]


_CONSTRUCTORS: Final[Mapping[str | None, Callable[[_Loader, Any], Any]]] = {
    **{f"{_YAML}{kind}": _Loader.typed for kind in ("bool", "int", "float", "null")},
    **{f"{_YAML}{kind}": _Loader.untyped for kind in ("timestamp", "set", "omap", "pairs")},
    f"{_YAML}binary": _Loader.binary,
    _MERGE: _Loader.untyped,
    None: _Loader.untyped,
}
for _tag, _constructor in _CONSTRUCTORS.items():
    _Loader.add_constructor(_tag, _constructor)

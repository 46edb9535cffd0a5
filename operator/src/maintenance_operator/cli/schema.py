"""The schema's part that needs no cluster: defaults filled in, unknown fields named. Pure."""

import difflib
import re
from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any, Final

from maintenance_core.names import KIND, VERSION

Schema = Mapping[str, Any]


def of_crd(document: object) -> Schema | None:
    """Our version's schema in a CustomResourceDefinition, None where it is none of ours."""
    if not isinstance(document, Mapping) or document.get("kind") != "CustomResourceDefinition":
        return None
    spec = document.get("spec") or {}
    if (spec.get("names") or {}).get("kind") != KIND:
        return None
    schemas = (
        (version.get("schema") or {}).get("openAPIV3Schema")
        for version in spec.get("versions") or ()
        if version.get("name") == VERSION
    )
    return next(schemas, None)


def of_openapi(document: Mapping[str, Any]) -> Schema | None:
    """The same in what the API server publishes."""
    schemas = (document.get("components") or {}).get("schemas") or {}
    for schema in schemas.values():
        kinds = schema.get("x-kubernetes-group-version-kind") or ()
        if any(kind.get("kind") == KIND for kind in kinds):
            found: Schema = schema
            return found
    return None


def with_defaults(value: Any, schema: Schema) -> Any:
    """The value as the API server would store it: absent fields get their defaults, then theirs."""
    match value:
        case Mapping():
            properties = schema.get("properties") or {}
            filled = {
                name: deepcopy(child["default"])
                for name, child in properties.items()
                if "default" in child and value.get(name) is None
            }
            others = schema.get("additionalProperties")
            others = others if isinstance(others, Mapping) else {}
            whole = {**value, **filled}
            return {
                name: with_defaults(child, properties.get(name, others))
                for name, child in whole.items()
            }
        case list():
            return [with_defaults(item, schema.get("items") or {}) for item in value]
        case _:
            return value


def unknown_fields(value: Any, schema: Schema, path: str) -> Iterator[tuple[str, str]]:
    """Dotted paths that the schema does not know, each with the nearest name that it knows."""
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from unknown_fields(item, schema.get("items") or {}, f"{path}[{index}]")
    if not isinstance(value, Mapping) or schema.get("x-kubernetes-preserve-unknown-fields"):
        return
    properties = schema.get("properties")
    if properties is None:
        return
    for name, child in value.items():
        where = f"{path}.{name}"
        if name in properties:
            yield from unknown_fields(child, properties[name], where)
        else:
            yield where, nearest(str(name), list(properties))


def violations(value: Any, schema: Schema, path: str) -> Iterator[tuple[str, str]]:
    """Dotted paths whose value the schema's bounds refuse, each with what it must be.

    Rules across fields (CEL) are the API server's own.
    """
    told = next((told for fits, told in _bounds(value, schema) if not fits), "")
    if told:
        yield path, f"must be {told}"
        return
    match value:
        case Mapping():
            properties = schema.get("properties") or {}
            others = schema.get("additionalProperties")
            for name in schema.get("required") or ():
                if value.get(name) is None:
                    yield f"{path}.{name}", "is required"
            for name, child in value.items():
                known = properties.get(name, others)
                if isinstance(known, Mapping) and child is not None:
                    yield from violations(child, known, f"{path}.{name}")
        case list():
            for index, item in enumerate(value):
                yield from violations(item, schema.get("items") or {}, f"{path}[{index}]")
        case _:
            pass


_KINDS: Final[Mapping[str, tuple[type, ...]]] = {
    "object": (Mapping,),
    "array": (list,),
    "string": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
}


def _bounds(value: Any, schema: Schema) -> Iterator[tuple[bool, str]]:
    """Whether each bound holds, in words; bounds of other kinds of values say nothing."""
    kind, choices = str(schema.get("type", "")), schema.get("enum")
    if kind in _KINDS:
        flag = isinstance(value, bool) and kind != "boolean"
        yield isinstance(value, _KINDS[kind]) and not flag, f"of type {kind}"
    if schema.get("x-kubernetes-int-or-string"):
        whole = isinstance(value, int | str) and not isinstance(value, bool)
        yield whole, "a whole number or a word"
    if choices:
        yield value in choices, f"one of {', '.join(map(str, choices))}"
    if isinstance(value, int | float) and not isinstance(value, bool):
        low, high = schema.get("minimum"), schema.get("maximum")
        yield low is None or value >= low, f"at least {low}"
        open_end = bool(schema.get("exclusiveMaximum"))
        within = high is None or value < high or (value == high and not open_end)
        yield within, f"{'below' if open_end else 'at most'} {high}"
    if isinstance(value, str):
        low, high = schema.get("minLength", 0), schema.get("maxLength")
        yield len(value) >= low, f"of at least {low} characters"
        yield high is None or len(value) <= high, f"of at most {high} characters"
        pattern = schema.get("pattern")
        yield pattern is None or re.search(pattern, value) is not None, f"like {pattern}"
    if isinstance(value, list):
        yield len(value) <= schema.get("maxItems", len(value)), "shorter"
    if isinstance(value, Mapping):
        yield len(value) <= schema.get("maxProperties", len(value)), "smaller"


def nearest(name: str, known: list[str]) -> str:
    """What was meant, probably; or all there is."""
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    return f"do you mean {close[0]}?" if close else f"known are {', '.join(sorted(known))}"


def suggestion(path: str, schema: Schema) -> str:
    """What to write instead of an unknown field, by its dotted path."""
    *parents, name = path.split(".")
    for parent in parents:
        bare = parent.partition("[")[0]
        schema = (schema.get("properties") or {}).get(bare, {})
        if "[" in parent:
            schema = schema.get("items") or {}
    known = list(schema.get("properties") or {})
    return nearest(name, known) if known else "remove it"

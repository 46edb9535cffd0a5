"""The schema's part that needs no cluster: defaults filled in, unknown fields named. Pure."""

import difflib
from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any

from maintenance_operator.core.names import KIND, VERSION

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

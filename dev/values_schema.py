#!/usr/bin/env python3
"""Write into the schema of the chart's values what a person reads who misspells one.

"additional properties are not allowed" names neither what is known there nor where a name belongs
that stands in the wrong place. Each closed object gets a second rule that fails on the same values,
and whose words Helm prints. With --check: changes nothing, and says whether it is up to date.
"""

import json
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

SCHEMA = Path(__file__).resolve().parent.parent / "charts/model-maintenance/values.schema.json"
HELMS_OWN = {"global", "enabled"}
"""At the top, for a chart that depends on this one."""
MOST_PLACES = 3

Node = dict[str, Any]


def closed(node: Node, path: str = "") -> Iterator[tuple[str, Node]]:
    """Every object with fixed names, by its dotted path."""
    if node.get("additionalProperties") is False:
        yield path, node
    for name, child in node.get("properties", {}).items():
        yield from closed(child, f"{path}.{name}".lstrip("."))
    if isinstance(node.get("additionalProperties"), dict):
        yield from closed(node["additionalProperties"], f"{path}.<name>")
    if "items" in node:
        yield from closed(node["items"], f"{path}[]")


def elsewhere(schema: Node) -> dict[str, str]:
    """Names that are known in few other places than the top, with these."""
    places: dict[str, list[str]] = defaultdict(list)
    for path, node in closed(schema):
        for name in node["properties"]:
            places[name].append(f"{path}.{name}")
    return {
        name: " or ".join(sorted(found))
        for name, found in places.items()
        if name not in schema["properties"] and len(found) <= MOST_PLACES
    }


def written(schema: Node) -> Node:
    """The schema with its words."""
    misplaced = elsewhere(schema)
    for path, node in closed(schema):
        names = set(node["properties"])
        rules: Node = {f"^({'|'.join(sorted(names))})$": True}
        known = sorted(names if path else names - HELMS_OWN)
        if not path:
            rules |= {
                f"^{name}$": {"const": f"unknown here: write it as {where}"}
                for name, where in sorted(misplaced.items())
            }
        node["allOf"] = [
            {
                "patternProperties": rules,
                "additionalProperties": {"const": f"unknown; known are {', '.join(known)}"},
            }
        ]
    return schema


def main() -> int:
    """Write it, or say whether it is written."""
    before = SCHEMA.read_text(encoding="utf-8")
    after = json.dumps(written(json.loads(before)), indent=2, ensure_ascii=False) + "\n"
    if "--check" not in sys.argv[1:]:
        SCHEMA.write_text(after, encoding="utf-8")
    elif before != after:
        print("values.schema.json lacks what it says of names: run make docs", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""Write docs/api.md from the CRD; with --check, say whether it is up to date.

Everything on the page is in manifests/crd: a new field appears with its type, default, bounds,
rules and description. A section is an object, a row of its table a field; both can be linked to by
the field's path, as in api.md#spec.metrics.performance.
"""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
sys.path.append(str(ROOT / "dev"))

from whole_status import as_yaml  # noqa: E402 - the path above comes first

CRD = ROOT / "manifests/crd/modelmaintenances.yaml"
PAGE = ROOT / "docs/api.md"
DEEPEST_HEADING = 5
_SIZES = {"Length": "characters", "Items": "items", "Properties": "entries"}

Node = dict[str, Any]

INTRODUCTION = """# API reference

Generated from [the CRD](../manifests/crd/modelmaintenances.yaml) by `make docs`. `{api}`, kind
`{kind}`, short name `{short}`; its resources belong to a namespace.

{about}

To write a resource, begin with [the samples](../manifests/samples/README.md). In a cluster
`kubectl explain {short}.spec.metrics.performance` says the same as this page, for the version that
is installed there. The API server refuses what breaks a bound or a rule, and names the field and
what to write instead; kubectl refuses fields that do not exist.

How to read the tables: a field without a default is **required** or may be left out. The default
"its own" means that of the fields below. `[]` stands for each item of a list. Rules are in CEL, as
the API server evaluates them; `self` is the field, or the object, that the rule is about.
"""

STATUS = """
## A whole status

Version 1 was trained and promoted. Twelve days later accuracy fell, a diagnosis found a new domain,
and the training of run 2 has begun. The operator's own rules have written it; digests and numbers
of rows are invented.

```yaml
{status}```
"""

COLUMNS = """
## What `kubectl get {short}` shows

| column | shows | read from |
|---|---|---|
"""


def page(crd: Node | None = None) -> str:
    """The whole page as Markdown."""
    document = crd or yaml.safe_load(CRD.read_text(encoding="utf-8"))
    spec = document["spec"]
    [version] = [each for each in spec["versions"] if each["storage"]]
    schema = version["schema"]["openAPIV3Schema"]
    short = spec["names"]["shortNames"][0]
    sections = [*_sections(schema)]
    parts = [
        INTRODUCTION.format(
            api=f"{spec['group']}/{version['name']}",
            kind=spec["names"]["kind"],
            short=short,
            about=_text(schema["description"]),
        ),
        *_rules([("", schema)]),
        "\n## Contents\n\n",
        *(f"{'  ' * (_depth(path) - 1)}- [`{path}`](#{anchor(path)})\n" for path, _ in sections),
        "- [A whole status](#a-whole-status)\n",
        f"- [What `kubectl get {short}` shows](#what-kubectl-get-{short}-shows)\n",
    ]
    for path, node in sections:
        parts += _section(path, node)
    parts += [STATUS.format(status=as_yaml()), COLUMNS.format(short=short)]
    parts += [_column(column) for column in version["additionalPrinterColumns"]]
    return "".join(parts)


def _sections(node: Node, path: str = "") -> Iterator[tuple[str, Node]]:
    """Every object with fields of its own, by its path."""
    for name, child in node.get("properties", {}).items():
        yield from _described(f"{path}.{name}".lstrip("."), child)


def _described(path: str, node: Node) -> Iterator[tuple[str, Node]]:
    if "properties" in node:
        yield path, node
        yield from _sections(node, path)
    elif "items" in node:
        yield from _described(f"{path}[]", node["items"])
    elif "properties" in (values := _values(node)):
        yield from _described(f"{path}{{}}", values)


def anchor(path: str) -> str:
    """Where the page tells of a field, without the signs that say it is a list or a map."""
    return path.replace("[]", "").replace("{}", "")


def _depth(path: str) -> int:
    return path.count(".") + 1


def _section(path: str, node: Node) -> Iterator[str]:
    heading = "#" * min(_depth(path) + 1, DEEPEST_HEADING)
    yield f'\n<a id="{anchor(path)}"></a>\n\n{heading} `{path}`\n\n'
    yield f"{_text(node.get('description', ''))}\n\n"
    yield "| field | type | default | may be | meaning |\n|---|---|---|---|---|\n"
    required = set(node.get("required", ()))
    fields = node["properties"].items()
    for name, child in fields:
        where = anchor(f"{path}.{name}")
        has_section = any(_described(where, child))
        title = f"[`{name}`](#{where})" if has_section else f'<a id="{where}"></a>`{name}`'
        cells = (
            title,
            _type(child),
            _default(child, required=name in required),
            ", ".join(_bounds(child)),
            _text(child.get("description", "")),
        )
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |\n"
    yield from _rules([("", node), *(part for name, child in fields for part in _own(name, child))])


def _own(name: str, node: Node) -> Iterator[tuple[str, Node]]:
    """A field whose rules have no section of their own: a scalar, a list, a map."""
    if "properties" not in node:
        yield name, node
        if "properties" not in node.get("items", {}):
            yield f"{name}[]", node.get("items", {})
        if "properties" not in _values(node):
            yield f"{name}{{}}", _values(node)


def _rules(nodes: list[tuple[str, Node]]) -> Iterator[str]:
    found = [(name, rule) for name, node in nodes for rule in node.get(f"{_K8S}validations", ())]
    if not found:
        return
    yield "\nRules:\n\n"
    for name, rule in found:
        about = name or rule.get("fieldPath", "").lstrip(".")
        yield f"- {f'`{about}`: ' if about else ''}{_text(rule['message'])}.\n"
        yield f"  <br>CEL: `{_line(rule['rule'])}`\n"


_K8S = "x-kubernetes-"


def _type(node: Node) -> str:
    if "type" not in node and "pattern" in node:
        return "quantity"
    if node.get("format") == "date-time":
        return "time"
    either = "integer or string" if node.get(f"{_K8S}int-or-string") else "any"
    kind = str(node.get("type", either))
    if kind == "array":
        return f"list of {_plural(_type(node['items']))}"
    if kind == "object" and node.get(f"{_K8S}preserve-unknown-fields"):
        return "free-form object"
    if kind == "object" and _values(node):
        return f"map of {_plural(_type(_values(node)))}"
    return kind


def _plural(kind: str) -> str:
    return f"{kind[:-1]}ies" if kind.endswith("y") else f"{kind}s"


def _values(node: Node) -> Node:
    values = node.get("additionalProperties")
    return values if isinstance(values, dict) else {}


def _default(node: Node, *, required: bool) -> str:
    if required:
        return "**required**"
    if "default" not in node:
        return ""
    if node["default"] == {} and "properties" in node:
        return "its own"
    return f"`{json.dumps(node['default'], ensure_ascii=False)}`"


def _bounds(node: Node) -> Iterator[str]:
    """What the schema allows beside the type."""
    if "enum" in node:
        yield ", ".join(f"`{value}`" for value in node["enum"])
    yield from _sizes(node)
    if "pattern" in node:
        yield f"`{node['pattern']}`"
    if keys := node.get(f"{_K8S}list-map-keys"):
        yield f"one per {' and '.join(f'`{key}`' for key in keys)}"
    values = _values(node)
    each = ", ".join(_bounds(values)) if values and "properties" not in values else ""
    if each:
        yield f"each value {each}"


def _sizes(node: Node) -> Iterator[str]:
    for suffix, unit in _SIZES.items():
        least, most = node.get(f"min{suffix}", 0), node.get(f"max{suffix}")
        if most is not None:
            yield f"{least} to {most:,} {unit}" if least else f"at most {most:,} {unit}"
        elif least:
            yield f"at least {least:,} {unit}"
    if "minimum" in node:
        yield f"{'&gt;' if node.get('exclusiveMinimum') else '≥'} {node['minimum']:,}"
    if "maximum" in node:
        yield f"{'&lt;' if node.get('exclusiveMaximum') else '≤'} {node['maximum']:,}"


def _column(column: Node) -> str:
    wide = " (`-o wide`)" if column.get("priority") else ""
    about = _text(column.get("description", ""))
    return f"| {column['name'].upper()}{wide} | {about} | `{column['jsonPath']}` |\n"


def _line(text: str) -> str:
    return " ".join(text.split())


def _text(text: str) -> str:
    """A description as Markdown shows it: nothing of it is markup, pages are links."""
    plain = re.sub(r"([\\*`])", r"\\\1", _line(text)).replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"docs/([\w-]+\.md)", r"[docs/\1](\1)", plain)


def main() -> int:
    """Write the page, or compare."""
    if "--check" in sys.argv[1:]:
        same = PAGE.exists() and PAGE.read_text(encoding="utf-8") == page()
        if not same:
            print(f"{PAGE.name} is not what the CRD says: run make docs", file=sys.stderr)
        return 0 if same else 1
    PAGE.write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

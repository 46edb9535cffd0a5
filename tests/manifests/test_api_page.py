"""docs/api.md says all that the CRD says."""

import re
import runpy
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import jsonschema
import pytest
import yaml
from support.programs import ROOT

Node = dict[str, Any]

GENERATOR = runpy.run_path(str(ROOT / "dev/api_reference.py"))
PAGE = (ROOT / "docs/api.md").read_text(encoding="utf-8")
CRD = yaml.safe_load((ROOT / "manifests/crd/modelmaintenances.yaml").read_text())
RULES = "x-kubernetes-validations"


def _fields(node: Node, path: str = "") -> Iterator[tuple[str, Node]]:
    for name, child in node.get("properties", {}).items():
        where = f"{path}.{name}".lstrip(".")
        yield where, child
        yield from _fields(child, where)
        yield from _fields(child.get("items", {}), where)


def _schema(crd: Node) -> Node:
    schema: Node = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return schema


def _plain(text: str) -> str:
    """A page or a description as a reader sees it."""
    text = re.sub(r"</?(?:a|br)\b[^>]*>", "", text).replace("&lt;", "<").replace("&gt;", ">")
    return " ".join(re.sub(r"\\(.)", r"\1", re.sub(r"\[([^\]]+)\]\([^)]+\)", r"\1", text)).split())


def _row(crd: Node, path: str) -> str:
    """The row of a field, as the page shows it to a reader."""
    page = GENERATOR["page"](crd)
    section, name = path.rpartition(".")[::2]
    [part] = re.findall(
        rf'^<a id="{re.escape(section)}">.*?(?=^<a id=|\Z)', page, re.MULTILINE | re.DOTALL
    )
    [row] = [line for line in part.splitlines() if re.match(rf"\| [^|]*`{name}`", line)]
    return row


@pytest.mark.slow
def test_the_page_is_current() -> None:
    assert GENERATOR["page"]() == PAGE, "run make docs"


@pytest.mark.parametrize("part", ["spec", "status"])
def test_every_field_can_be_linked_to_once(part: str) -> None:
    fields = [path for path, _ in _fields(_schema(CRD)["properties"][part], part)]
    ids = re.findall(r'<a id="([^"]+)"></a>', PAGE)

    assert len(fields) > 30
    assert [path for path in (part, *fields) if ids.count(path) != 1] == []


def test_every_description_and_rule_can_be_read() -> None:
    seen = _plain(PAGE)
    nodes = [(".", _schema(CRD)), *_fields(_schema(CRD))]
    rules = [rule for _, node in nodes for rule in node.get(RULES, ())]
    messages = {" ".join(rule["message"].split()) for rule in rules}

    assert len(messages) > 20
    assert [path for path, node in nodes if " ".join(node["description"].split()) not in seen] == []
    assert {message for message in messages if message not in seen} == set()
    assert PAGE.count("CEL: `") >= len(rules)


@pytest.mark.parametrize(
    "change, shown",
    [
        ({"default": "abc"}, '`"abc"`'),
        ({"enum": ["A", "B"]}, "`A`, `B`"),
        ({"maxLength": 77}, "at most 77 characters"),
        ({"minLength": 3, "maxLength": 7000}, "3 to 7,000 characters"),
        ({"type": "number", "minimum": 0, "exclusiveMinimum": True, "maximum": 2}, "&gt; 0, ≤ 2"),
        ({"type": "number", "minimum": 1, "maximum": 9, "exclusiveMaximum": True}, "≥ 1, &lt; 9"),
        ({"pattern": "^a|b$"}, r"`^a\|b$`"),
        ({"format": "date-time"}, "| time |"),
        ({"type": "array", "items": {"type": "string"}, "maxItems": 4}, "| list of strings |"),
        ({"type": "array", "items": {"type": "string"}, "maxItems": 4}, "at most 4 items"),
        (
            {"type": "object", "additionalProperties": {"type": "string", "maxLength": 5}},
            "each value at most 5 characters",
        ),
        ({"description": "From <a> to b|c, like 0 3 * *."}, r"&lt;a&gt; to b\|c, like 0 3 \* \*."),
    ],
)
def test_a_new_field_appears_with_all_it_has(change: Node, shown: str) -> None:
    crd = deepcopy(CRD)
    gate = _schema(crd)["properties"]["spec"]["properties"]["gate"]
    gate["properties"]["fresh"] = {"type": "string", "description": "New."} | change

    row = _row(crd, "spec.gate.fresh")

    assert shown in row
    assert len(re.findall(r"(?<!\\)\|", row)) == 6


@pytest.mark.slow
def test_the_whole_status_is_one_that_the_schema_takes() -> None:
    shown = PAGE.partition("## A whole status")[2].partition("```yaml")[2].partition("```")[0]
    status = yaml.safe_load(shown)["status"]
    schema = _schema(CRD)["properties"]["status"]

    jsonschema.validate(status, schema)
    assert _unknown(status, schema) == []
    assert {"conditions", "performance", "decision", "run", "champion", "history"} <= set(status)


def _unknown(value: Any, schema: Node, path: str = "status") -> list[str]:
    """What the API server would prune."""
    if isinstance(value, list):
        return [name for item in value for name in _unknown(item, schema["items"], path)]
    if not isinstance(value, dict) or schema.get("x-kubernetes-preserve-unknown-fields"):
        return []
    known = schema.get("properties", {})
    unknown = [f"{path}.{name}" for name in value if name not in known]
    inside = ((name, child) for name, child in value.items() if name in known)
    return unknown + [
        each for name, child in inside for each in _unknown(child, known[name], f"{path}.{name}")
    ]


def test_what_must_be_said_is_marked() -> None:
    assert "**required**" in _row(CRD, "spec.metrics.performance.query")
    assert "**required**" not in _row(CRD, "spec.metrics.performance.maxDrop")

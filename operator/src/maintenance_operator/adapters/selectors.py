"""Does a query read only what it may? Every selector must carry the matchers that are enforced.

The query is checked, not rewritten: what is sent is what was written, and a reader of the resource
sees all of it. What this parser and Prometheus' own could read differently is refused.
"""

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

import promql_parser

DOUBTFUL: Final = {
    "`": "write strings in double quotes",
    "\\": "write strings without escapes",
    "#": "leave comments out",
}
UNSELECTED: Final = frozenset({"info"})
"""Functions that read series which no selector in the query names."""


@functools.lru_cache(maxsize=4096)
def _selectors(query: str) -> tuple[promql_parser.VectorSelector, ...]:
    found: list[promql_parser.VectorSelector] = []

    def visit(node: Any) -> bool:
        if isinstance(node, promql_parser.VectorSelector):
            found.append(node)
        if isinstance(node, promql_parser.Call) and node.func.name in UNSELECTED:
            msg = f"the function {node.func.name} reads series that no selector names"
            raise ValueError(msg)
        return True

    promql_parser.walk(promql_parser.parse(query), visit)
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Selection:
    """Series that a query reads, without modifiers: ``up{job="a"}``.

    ``window``: over how long, None for the last value alone; ``function``: what is made of it.
    """

    series: str
    window: timedelta | None = None
    function: str = ""


def selections(query: str) -> tuple[tuple[Selection, ...], frozenset[timedelta]]:
    """What a query selects, and all windows that it looks over, those of subqueries included.

    Empty where this parser does not read what Prometheus may.
    """
    found: list[Selection] = []
    windows: set[timedelta | None] = set()
    functions: list[str] = []

    def visit(node: Any) -> bool:
        match node:
            case promql_parser.Call():
                functions.append(node.func.name)
            case promql_parser.MatrixSelector():
                windows.add(node.range)
                selector = node.vector_selector
                found.append(Selection(_bare(selector), node.range, functions[-1]))
                functions.append("")  # the selector within comes next
            case promql_parser.SubqueryExpr():
                windows.add(node.range)
            case promql_parser.VectorSelector() if functions and not functions[-1]:
                functions.pop()
            case promql_parser.VectorSelector():
                found.append(Selection(_bare(node)))
            case _:
                pass
        return True

    try:
        promql_parser.walk(promql_parser.parse(query), visit)
    except (ValueError, IndexError):
        return (), frozenset()
    return tuple(dict.fromkeys(found)), frozenset(filter(None, windows))


def _bare(selector: promql_parser.VectorSelector) -> str:
    matchers = str(selector.matchers)
    return f"{selector.name or ''}{'' if matchers == '{}' and selector.name else matchers}"


def objection(query: str, enforced: Mapping[str, str]) -> str:
    """Why a query may not be asked; empty if it may.

    Args:
        query: PromQL.
        enforced: label → value: ``label="value"`` must stand in each selector.
    """
    if not all(character.isprintable() or character in "\n\t" for character in query):
        return "it holds a character that cannot be seen"
    for doubtful, instead in DOUBTFUL.items():
        if doubtful in query:
            return f"{doubtful!r} cannot be checked: {instead}"
    try:
        selectors = _selectors(query)
    except ValueError as error:
        return f"it cannot be checked: {' '.join(str(error).split())[:200]}"
    for selector in selectors:
        if selector.matchers.or_matchers:
            return f"{selector}: 'or' between matchers cannot be checked"
        for label, value in enforced.items():
            if not any(
                matcher.name == label
                and matcher.op == promql_parser.MatchOp.Equal
                and matcher.value == value
                for matcher in selector.matchers.matchers
            ):
                wanted = f'{label}="{value}"'
                return f"{selector.name or selector} lacks {wanted}: write it into each selector"
    return ""

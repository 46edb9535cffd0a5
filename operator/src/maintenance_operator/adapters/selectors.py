"""Does a query read only what it may? Every selector must carry the matchers that are enforced.

The query is checked, not rewritten: what is sent is what was written, and a reader of the resource
sees all of it. What this parser and Prometheus' own could read differently is refused.

Whoever may write a resource writes the query, and the parser takes quadratic time for some. So
length, tokens and nesting are bounded before it sees anything, it never sees a regular expression
(it would compile it), it runs beside the event loop, and what it found is kept.
"""

import asyncio
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

import promql_parser

from maintenance_contract.plain import plain

MOST_CHARACTERS: Final = 4096
"""As the schema has it; a spec may be older than the schema."""
MOST_TOKENS: Final = 800
"""Some thirty rates of series with two labels each."""
MOST_OPERATORS: Final = 100
"""The parser copies an expression at each of them."""
MOST_DEPTH: Final = 40
"""Of brackets within one another."""
KEPT: Final = 4096

DOUBTFUL: Final = {
    "`": "write strings in double quotes",
    "\\": "write strings without escapes",
    "#": "leave comments out",
}
UNSELECTED: Final = frozenset({"info"})
"""Functions that read series which no selector in the query names."""

_TOKEN: Final = re.compile(r"""\s+|"[^"]*"|'[^']*'|[\w:.]+|[=!]~|[=!<>]=|.""", re.DOTALL)
_OPERATORS: Final = frozenset("+-*/%^<>") | {
    *("==", "!=", "<=", ">=", "and", "or", "unless", "atan2")
}
_PATTERN_FOLLOWS: Final = frozenset({"=~", "!~"})
_DEEPER: Final = {**dict.fromkeys("([{", 1), **dict.fromkeys(")]}", -1)}


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

    Empty where this parser does not read what Prometheus may, or would take long.
    """
    if _is_long(query):
        return (), frozenset()
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


def _is_long(query: str) -> bool:
    tokens = list(_tokens(query))
    return (
        len(tokens) > MOST_TOKENS or sum(t.lower() in _OPERATORS for t in tokens) > MOST_OPERATORS
    )


def _bare(selector: promql_parser.VectorSelector) -> str:
    matchers = str(selector.matchers)
    return f"{selector.name or ''}{'' if matchers == '{}' and selector.name else matchers}"


@dataclass(frozen=True, slots=True)
class _Selector:
    """What is asked of a selector: how it is called, and the matchers with ``=``."""

    name: str
    equal: frozenset[tuple[str, str]]
    alternatives: bool


_Read = tuple[_Selector, ...] | str
"""The selectors of a query, or why they are not known."""
_kept: dict[str, _Read] = {}


async def objection(query: str, enforced: Mapping[str, str]) -> str:
    """Why a query may not be asked; empty if it may.

    Args:
        query: PromQL.
        enforced: label → value: ``label="value"`` must stand in each selector.
    """
    if query not in _kept:
        found: _Read = _doubts(query)
        if not found:
            found = await asyncio.to_thread(_selectors, query)
        if len(_kept) >= KEPT:
            _kept.clear()
        _kept[query] = found
    read = _kept[query]
    return read if isinstance(read, str) else _lack(read, enforced)


def _lack(selectors: tuple[_Selector, ...], enforced: Mapping[str, str]) -> str:
    for selector in selectors:
        if selector.alternatives:
            return f"{selector.name}: 'or' between matchers cannot be checked"
        for label, value in enforced.items():
            if (label, value) not in selector.equal:
                wanted = f'{label}="{value}"'
                return f"{selector.name} lacks {wanted}: write it into each selector"
    return ""


def _doubts(query: str) -> str:
    """What can be said without the parser, in one pass over the text."""
    if len(query) > MOST_CHARACTERS:
        return f"it has {len(query)} characters and cannot be checked: at most {MOST_CHARACTERS}"
    if not all(character.isprintable() or character in "\n\t" for character in query):
        return "it holds a character that cannot be seen"
    for doubtful, instead in DOUBTFUL.items():
        if doubtful in query:
            return f"{doubtful!r} cannot be checked: {instead}"
    depth = deepest = tokens = operators = 0
    for token in _tokens(query):
        tokens += not token.isspace()
        operators += token.lower() in _OPERATORS
        depth += _DEEPER.get(token, 0)
        deepest = max(deepest, depth)
    for what, found, most in (
        ("operators", operators, MOST_OPERATORS),
        ("words and signs", tokens, MOST_TOKENS),
        ("brackets within one another", deepest, MOST_DEPTH),
    ):
        if found > most:
            return (
                f"{found} {what} cannot be checked, at most {most}: let a recording rule of "
                "Prometheus do a part"
            )
    return ""


def _tokens(query: str) -> Iterator[str]:
    return (found.group() for found in _TOKEN.finditer(query))


def _without_patterns(query: str) -> str:
    """The query with regular expressions of one letter: none is a matcher that is enforced."""
    kept: list[str] = []
    before = ""
    for token in _tokens(query):
        pattern = before in _PATTERN_FOLLOWS and token[0] in "\"'"
        kept.append('"x"' if pattern else token)
        before = before if token.isspace() else token
    return "".join(kept)


def _selectors(query: str) -> _Read:
    """What the parser finds. A panic of it is no ``Exception``."""
    try:
        return tuple(_found_in(promql_parser.parse(_without_patterns(query))))
    except BaseException as error:
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        return f"it cannot be checked: {plain(str(error), 200)}"


def _found_in(tree: Any) -> Iterator[_Selector]:
    """The selectors below a node, each node looked at once: the parser's own walk copies them."""
    nodes = [tree]
    while nodes:
        match nodes.pop():
            case None | promql_parser.NumberLiteral() | promql_parser.StringLiteral():
                pass
            case promql_parser.VectorSelector() as selector:
                yield _selector(selector)
            case promql_parser.MatrixSelector() as matrix:
                nodes.append(matrix.vector_selector)
            case promql_parser.BinaryExpr() as both:
                nodes += both.lhs, both.rhs
            case promql_parser.AggregateExpr() as aggregate:
                nodes += aggregate.expr, aggregate.param
            case promql_parser.Call() as call:
                if call.func.name in UNSELECTED:
                    msg = f"the function {call.func.name} reads series that no selector names"
                    raise ValueError(msg)
                nodes += call.args
            case (
                promql_parser.ParenExpr()
                | promql_parser.UnaryExpr()
                | promql_parser.SubqueryExpr() as around
            ):
                nodes.append(around.expr)
            case other:
                msg = f"{type(other).__name__} is not known here"
                raise ValueError(msg)


def _selector(found: promql_parser.VectorSelector) -> _Selector:
    matchers = found.matchers.matchers
    equal = [
        (matcher.name, matcher.value)
        for matcher in matchers
        if matcher.op == promql_parser.MatchOp.Equal
    ]
    name = found.name or "{" + ", ".join(f'{label}="{value}"' for label, value in equal) + ", …}"
    return _Selector(name[:100], frozenset(equal), bool(found.matchers.or_matchers))

"""May a query be asked? What it reads, and that finding it out holds nobody up."""

import asyncio
import re
import sys
import threading
from collections.abc import Iterator
from typing import Any

import promql_parser
import pytest

from maintenance_operator.adapters import selectors
from maintenance_operator.adapters.selectors import objection

OWN = {"namespace": "finance"}


@pytest.mark.parametrize(
    "query",
    [
        'up{namespace="finance"}',
        'sum by (model) (rate(a{namespace="finance", x!="y"}[5m] offset 3m)) > bool 3',
        'a{namespace="finance"} / on (x) group_left avg_over_time(b{namespace="finance"}[1h:5m])',
        'max_over_time(rate(a{namespace="finance"}[1m] @ end())[5m:])',
        '{__name__=~"model_.*", namespace="finance", namespace=~".+"}',
        "vector(1)",
        'a{x="=~", namespace="finance"}',
        "a{x=~'\"', y!~\"'\", namespace='finance'}",
        "time() - 3",
        'label_replace(a{namespace="finance"}, "namespace", "other", "model", "(.*)")',
    ],
)
async def test_what_reads_only_its_own_is_let_through(query: str) -> None:
    assert await objection(query, OWN) == ""


@pytest.mark.parametrize(
    "query, why",
    [
        ("up", "up lacks"),
        ('up{namespace="sports"}', "lacks"),
        ('up{namespace=~"finance"}', "lacks"),
        ('up{namespace!="finance"}', "lacks"),
        ('up{namespace="finance"} or up', "lacks"),
        ('sum(a{namespace="finance"}) - sum(b)', "b lacks"),
        ("max_over_time(sum(rate(b[1m]))[5m:])", "b lacks"),
        ("absent(b)", "b lacks"),
        ('quantile(scalar(b), a{namespace="finance"})', "b lacks"),
        ('a{namespace="finance"} unless on () b', "b lacks"),
        ('{__name__="b"}', "lacks"),
        ('info(a{namespace="finance"})', "info"),
        ('a{namespace="finance"} # b', "'#'"),
        ('a{x="\\\\", namespace="finance"}', "without escapes"),
        ("a{namespace=`finance`}", "double quotes"),
        ('a{namespace="finance"}\x00', "cannot be seen"),
        ('a{namespace="finance" or namespace="sports"}', ""),
        ('a{namespace="finance"', "cannot be checked"),
        ("", "cannot be checked"),
        ('a{x=~"(", namespace="sports"}', "a lacks"),
        ('a{x="=~", y="namespace=\'finance\'"}', "a lacks"),
        ('{__name__=~".+"}', "{, …} lacks"),
    ],
)  # fmt: skip
async def test_what_might_read_others_series_is_refused(query: str, why: str) -> None:
    found = await objection(query, OWN)
    assert found
    assert why in found


# --- what it costs ------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def nothing_kept() -> Iterator[None]:
    selectors._kept.clear()
    yield
    selectors._kept.clear()


class Parser:
    """The real one, which notes what it was given, and in which thread."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.given: list[str] = []
        self.threads: set[int] = set()
        self._parse = promql_parser.parse
        monkeypatch.setattr(promql_parser, "parse", self)

    def __call__(self, query: str) -> Any:
        self.given.append(query)
        self.threads.add(threading.get_ident())
        return self._parse(query)


ONE = 'a{namespace="finance"}'


@pytest.mark.parametrize(
    "query, what",
    [
        ("1" + "+1" * 450, "450 operators"),
        ("1" + "^1" * 2047, "2047 operators"),
        ("-" * 4095 + "1", "4095"),
        ("1" + " AND 1" * 600, "operators"),
        ("(" * 2000 + "1" + ")" * 2000, "words and signs"),
        ("(" * 50 + "1" + ")" * 50, "50 brackets"),
        ("sum(" * 60 + ONE + ")" * 60, "61 brackets"),
        ("a{" + 'b="c",' * 600 + "}", "words and signs"),
        ('"' * 4096, "words and signs"),
        (ONE + " " * 4096, "characters"),
    ],
    ids=range(10),
)
async def test_what_would_take_long_is_refused_before_it_is_parsed(
    query: str, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    parser = Parser(monkeypatch)
    found = await objection(query, OWN)
    assert what in found
    assert "at most" in found
    assert len(found) < 200
    assert parser.given == []


def large(terms: int) -> str:
    """A query as large as somebody might really write it."""
    return " + ".join([f"sum by (model) (rate({ONE}[5m]))"] * terms)


async def test_a_large_query_of_a_sensible_kind_is_let_through() -> None:
    assert await objection(large(40), OWN) == ""


async def test_each_part_of_a_query_is_looked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Twice the query, twice the steps: the parser's own walk took eight times as many."""
    monkeypatch.delattr(promql_parser, "walk")

    def steps(query: str) -> int:
        tree, taken = promql_parser.parse(query), 0

        def count(*_: object) -> None:
            nonlocal taken
            taken += 1

        sys.setprofile(count)
        try:
            found = list(selectors._found_in(tree))
        finally:
            sys.setprofile(None)
        assert len(found) == query.count(ONE)
        return taken

    assert steps(large(20)) < steps(large(40)) < 2.1 * steps(large(20))


async def test_a_query_is_parsed_beside_the_loop_and_once(monkeypatch: pytest.MonkeyPatch) -> None:
    parser = Parser(monkeypatch)
    for namespace in ("finance", "sports", "finance"):
        await objection(ONE, {"namespace": namespace})
    assert parser.given == [ONE]
    assert threading.get_ident() not in parser.threads


async def test_no_regular_expression_is_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fifteen characters of one take the parser's library a fifth of a second."""
    parser = Parser(monkeypatch)
    bombs = ", ".join(f'x{number}=~"[^a]{{1000}}{{1000}}"' for number in range(100))
    assert await objection(f'a{{namespace="finance", {bombs}}}', OWN) == ""
    (given,) = parser.given
    assert re.findall(r'[=!]~\s*"[^"]{2,}"', given) == []


async def test_a_panic_of_the_parser_is_a_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    class PanicException(BaseException):
        pass

    def panics(_: str) -> None:
        raise PanicException("attempt to subtract with overflow")

    monkeypatch.setattr(promql_parser, "parse", panics)
    assert "attempt to subtract" in await objection(ONE, OWN)


async def test_others_go_on_while_a_query_is_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def slow(query: str) -> Any:
        begun.set()
        assert go_on.wait(30)
        return parse(query)

    parse = promql_parser.parse
    monkeypatch.setattr(promql_parser, "parse", slow)
    asked = asyncio.create_task(objection(ONE, OWN))
    while not begun.is_set():  # noqa: ASYNC110 - of another thread
        await asyncio.sleep(0.001)
    go_on.set()
    assert await asked == ""

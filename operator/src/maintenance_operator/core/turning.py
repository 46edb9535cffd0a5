"""Which tests a decision under ``Evidence`` turns on: moved one by one, then two by two.

The policy names a cause from the tests of all questions together, so one answer alone cannot be
changed. What can is a test: shown, or not.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Final

from maintenance_contract import Evidence, Finding
from maintenance_operator.core.evidence import (
    CLAIMS,
    INPUTS,
    LARGEST_UNSEEN,
    OUTPUTS,
    OUTSIDE_ERROR,
    WITHIN,
    Tests,
    Thresholds,
    bound,
)
from maintenance_operator.core.proposal import Proposal

KINDS: Final = (WITHIN, OUTSIDE_ERROR, OUTPUTS)
"""Tests that tell a shown shift's kind."""
AT_ONCE: Final = 2
"""More tests than these at once are no neighbour of the decision."""
CHANCE: Final[Mapping[str, float]] = {INPUTS: 0.5, WITHIN: 0.5}
"""What a test measures where there is nothing; else 0."""


@dataclass(frozen=True, slots=True)
class Moved:
    """A test as it would have been: ``shown``, with an effect that matters, or not."""

    evidence: Evidence
    shown: bool


def turning(
    findings: tuple[Finding, ...],
    at: Thresholds,
    ask: Callable[[tuple[Finding, ...]], Proposal],
) -> Iterator[tuple[tuple[Moved, ...], Proposal]]:
    """The smallest sets of tests that, moved, lead ``ask`` to another action."""
    asked = ask(findings)
    found: list[frozenset[str]] = []
    for size in range(1, AT_ONCE + 1):
        for moves in combinations(_moves(findings, at), size):
            names = frozenset(move.evidence.name for move in moves)
            if any(smaller <= names for smaller in found):
                continue
            proposed = ask(moved(findings, moves, at))
            if proposed.action is not asked.action:
                found.append(names)
                yield moves, proposed


def _moves(findings: tuple[Finding, ...], at: Thresholds) -> list[Moved]:
    """Each test of the diagnosis, the other way round."""
    tests = Tests.of(findings, at)
    return [
        Moved(evidence, shown=not _shown(tests, name))
        for name in (*CLAIMS, *KINDS)
        if (evidence := tests.by_name.get(name)) is not None and evidence.p_value is not None
    ]


def _shown(tests: Tests, name: str) -> bool:
    if name in KINDS:
        return tests.told(name)
    return tests.shown(name, bound(name, tests.at))


def moved(
    findings: Iterable[Finding], moves: Iterable[Moved], at: Thresholds
) -> tuple[Finding, ...]:
    """The findings with these tests as they would have been."""
    by_name = {move.evidence.name: move for move in moves}
    return tuple(
        replace(
            finding,
            evidence=tuple(
                _as_moved(each, by_name[each.name], at) if each.name in by_name else each
                for each in finding.evidence
            ),
        )
        for finding in findings
    )


def _as_moved(evidence: Evidence, move: Moved, at: Thresholds) -> Evidence:
    if move.shown:
        value = max(evidence.value, bound(evidence.name, at))
        # Beyond its tolerance, too: what is shown is not excluded.
        upper = max(value, 2 * LARGEST_UNSEEN.get(evidence.name, 0.0))
        return replace(evidence, value=value, p_value=0.0, lower=value, upper=upper)
    nothing = CHANCE.get(evidence.name, 0.0)
    return replace(evidence, value=nothing, p_value=1.0, lower=nothing, upper=nothing)

"""Which tests a decision under ``Evidence`` turns on: moved one by one, then two by two.

The policy names a cause from the tests of all questions together, so one answer alone cannot be
changed. What can is a test: shown, or not.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Final

from maintenance_contract import Evidence, Finding
from maintenance_contract.evidence_names import (
    ERROR_RISE_OUTSIDE,
    EXPECTED_ERROR_RISE,
    INPUT_SHIFT_AUC,
    SHIFT_WITHIN_CLASSES_AUC,
)
from maintenance_core.decide.evidence import CLAIMS, LARGEST_UNSEEN, Tests, bound, larger
from maintenance_core.decide.proposal import Proposal
from maintenance_core.model import Thresholds

KINDS: Final = (SHIFT_WITHIN_CLASSES_AUC, ERROR_RISE_OUTSIDE, EXPECTED_ERROR_RISE)
"""Tests that tell a shown shift's kind."""
AT_ONCE: Final = 2
"""More tests than these at once are no neighbour of the decision."""
CHANCE: Final[Mapping[str, float]] = {INPUT_SHIFT_AUC: 0.5, SHIFT_WITHIN_CLASSES_AUC: 0.5}
"""What a test measures where there is nothing; else 0."""


@dataclass(frozen=True, slots=True)
class HypotheticalTest:
    """A test as it would have been: ``shown``, with an effect that matters, or not.

    Where a larger effect asks for something else, that is a move of its own: ``at_least`` so large,
    or shown and ``below`` it.
    """

    evidence: Evidence
    shown: bool
    at_least: float | None = None
    below: float | None = None


def pivotal_tests(
    findings: tuple[Finding, ...],
    at: Thresholds,
    ask: Callable[[tuple[Finding, ...]], Proposal],
) -> Iterator[tuple[tuple[HypotheticalTest, ...], Proposal]]:
    """The smallest sets of tests that, moved, lead ``ask`` to another action."""
    asked = ask(findings)
    found: list[frozenset[str]] = []
    for size in range(1, AT_ONCE + 1):
        ways: dict[
            tuple[tuple[tuple[str, bool], ...], Proposal], list[tuple[HypotheticalTest, ...]]
        ] = {}
        for moves in combinations(_moves(findings, at), size):
            names = frozenset(move.evidence.name for move in moves)
            if len(names) < size or any(smaller < names for smaller in found):
                continue
            proposed = ask(moved(findings, moves, at))
            if proposed.action is not asked.action:
                sides = tuple((move.evidence.name, move.shown) for move in moves)
                ways.setdefault((sides, _plain(proposed)), []).append(moves)
        for (sides, proposed), alike in ways.items():
            found.append(frozenset(name for name, _ in sides))
            yield _merged(alike), proposed


def _plain(proposed: Proposal) -> Proposal:
    """Without its words, which tell the size of what was found."""
    return replace(proposed, message="")


def _merged(alike: list[tuple[HypotheticalTest, ...]]) -> tuple[HypotheticalTest, ...]:
    """Where shown at any size leads to the same, sizes need no mention."""
    if len(alike) == 1:
        return alike[0]
    return tuple(
        moves[0] if len(set(moves)) == 1 else replace(moves[0], at_least=None, below=None)
        for moves in zip(*alike, strict=True)
    )


def _moves(findings: tuple[Finding, ...], at: Thresholds) -> list[HypotheticalTest]:
    """Each test of the diagnosis in the ways that it has not come out."""
    tests = Tests.of(findings, at)
    return [
        move
        for name in (*CLAIMS, *KINDS)
        if (evidence := tests.by_name.get(name)) is not None and evidence.p_value is not None
        for move in _otherwise(evidence, at, shown=_shown(tests, name))
    ]


def _otherwise(evidence: Evidence, at: Thresholds, *, shown: bool) -> Iterator[HypotheticalTest]:
    large = larger(evidence.name, at)
    if shown:
        yield HypotheticalTest(evidence, shown=False)
    if large is None:
        if not shown:
            yield HypotheticalTest(evidence, shown=True)
        return
    if not shown or evidence.value >= large:
        yield HypotheticalTest(evidence, shown=True, below=large)
    if not shown or evidence.value < large:
        yield HypotheticalTest(evidence, shown=True, at_least=large)


def _shown(tests: Tests, name: str) -> bool:
    if name in KINDS:
        return tests.rejects_alone(name)
    return tests.shown(name, bound(name, tests.at))


def moved(
    findings: Iterable[Finding], moves: Iterable[HypotheticalTest], at: Thresholds
) -> tuple[Finding, ...]:
    """The findings with these tests as they would have been."""
    by_name = {move.evidence.name: move for move in moves}
    return tuple(
        replace(
            finding,
            evidence=tuple(
                _as_hypothetical(each, by_name[each.name], at) if each.name in by_name else each
                for each in finding.evidence
            ),
        )
        for finding in findings
    )


def _as_hypothetical(evidence: Evidence, move: HypotheticalTest, at: Thresholds) -> Evidence:
    if move.shown:
        value = max(evidence.value, bound(evidence.name, at), move.at_least or -math.inf)
        if move.below is not None:
            value = min(value, math.nextafter(move.below, -math.inf))
        # Beyond its tolerance, too: what is shown is not excluded.
        upper = max(value, 2 * LARGEST_UNSEEN.get(evidence.name, 0.0))
        return replace(evidence, value=value, p_value=0.0, lower=value, upper=upper)
    nothing = CHANCE.get(evidence.name, 0.0)
    return replace(evidence, value=nothing, p_value=1.0, lower=nothing, upper=nothing)

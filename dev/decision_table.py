#!/usr/bin/env python3
"""Write docs/decision-table.md from the operator's rules; with --check, say if it is up to date."""

import inspect
import sys
import textwrap
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from maintenance_contract import Answer, Finding
from maintenance_contract.evidence_names import NEW_LABELS, OUTSIDE_SUPPORT
from maintenance_core import statistics
from maintenance_core.decide import gate, power
from maintenance_core.decide.brakes import BRAKES
from maintenance_core.decide.decision import propose
from maintenance_core.decide.evidence import DEFAULTS as AT
from maintenance_core.decide.findings import CAUSES
from maintenance_core.decide.rules import EVIDENCE, WORKFLOW
from maintenance_core.model import DEFAULT_MIN_EXPECTED_GAIN as PRICE
from maintenance_core.model import DEFAULT_OLD_WEIGHT as OLD
from maintenance_core.spec import parse

ROOT = Path(__file__).resolve().parent.parent
sys.path.append(str(ROOT / "tests"))

from support.plain import plain_spec  # noqa: E402 - where it is is known now
from support.situations import diagnosed  # noqa: E402

PAGE = ROOT / "docs/decision-table.md"
ANSWERS = (Answer.NO, Answer.MINOR, Answer.MAJOR, Answer.UNDETERMINED)
SPEC = plain_spec()

INTRODUCTION = """# How a decision is made

Generated from `core/src/maintenance_core/` by `make docs`: what stands here is what
the operator does.

A decision follows a diagnosis. The rules are asked from top to bottom, and the first that applies
proposes an action. An action that trains then passes the brakes; the first that objects turns it
into Wait. `status.decision` holds the action, its reason and numbers (`message`), the questions of
the workflow with their answers (`path`), and why nothing else was done (`rejected`).

The workflow draws the questions *Data Distribution Shift?* and *Concept Drift?* side by side. Here
they are asked in turn, and the graver answer decides.
"""

TESTED = f"""
## Rules of the policy Evidence

The same questions, answered by the tests of the diagnosis as one family (Holm, error budget
{AT.alpha}). The cause that they name, the gravest first: an error risen beyond what inputs
and class mix explain by {AT.error_rise} or more (concept drift: slight below {AT.slight_drift};
the concept is replaced where more than {AT.concept_replaced:.0%} of the accuracy is lost);
{AT.new_domain:.0%} of the new rows or more outside what was trained on (new domain; from
{AT.other_stream:.0%} on another stream); a class mix moved by {AT.class_mix} or more while each
class looks as before (label shift); moved inputs that the champion's answers follow
(covariate shift) or do not (benign). *None* is claimed where every upper bound lies within its
tolerance; what is neither shown nor excluded is Undetermined.
"""

ANSWERED = f"""
## What the answers lead to under Workflow

The action that the rules propose for each set of answers, where there are enough new rows and the
champion does worse on them than on old ones. Undetermined stands for "the rows do not settle it",
and for an answer that the report does not give. A Minor answer that rests on `{OUTSIDE_SUPPORT}`
(the share of new rows outside what the champion was trained on) or on `{NEW_LABELS}` (the share of
new rows with a label that it does not know) has the reason DomainExpansion.
"""

BRAKED = """
## Brakes

They never choose another training; they only make one wait.
"""

NUMBERS = f"""
## How many held-out rows a fair fight needs

A GPU is asked for only where its result could be judged: with a chance of at least
{power.POWER:.0%} (the power) the gate must find what is there to be found. The fight is over *new*
rows, where the challenger has to bring the champion's accuracy back to what it was on old ones
(or better it by `spec.gate.minImprovement`, if that is more), and over *old* rows, where an equally
good challenger must be shown to lose less than `spec.gate.oldData.maxLoss`, or a tenth of what new
rows gain. How alike the two are
is not known beforehand; the rows that both get right are assumed to lie {power.AGREEMENT:.0%} of
the way from chance to containment (Cole's coefficient; .74 to .87 in eight contests of
transformers).
"""

EXACT = f"""
Better is McNemar's exact test on the rows that only one of the two gets right. Not worse is Tango's
score interval for paired proportions; up to {statistics.EXACT_ROWS} rows an exact test has to
agree.
"""


def page() -> str:
    """The whole page as Markdown."""
    return "".join(
        [
            INTRODUCTION,
            "\n## Rules of the policy Workflow\n\n",
            *_table(("", "rule", "says"), _steps(WORKFLOW)),
            TESTED,
            "\n",
            *_table(("", "rule", "says"), _steps(EVIDENCE)),
            ANSWERED,
            *_answers(),
            BRAKED,
            "\n",
            *_table(("", "brake", "says"), _steps(BRAKES)),
            NUMBERS,
            *_wins(),
            *_losses(),
            "\n## The gate\n\n",
            f"{_gate()}\n",
            EXACT,
            "\nThe checks, in order; the first that has something to say decides:\n\n",
            *_table(("", "check", "says"), _steps(gate.CHECKS)),
        ]
    )


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |\n"
    yield f"|{'---|' * len(head)}\n"
    for row in rows:
        yield f"| {' | '.join(row)} |\n"


def _steps(steps: Iterable[Callable[..., object]]) -> Iterator[tuple[str, str, str]]:
    for number, step in enumerate(steps, start=1):
        yield str(number), step.__name__.replace("_", " "), _text(step).partition("\n")[0]


def _text(function: Callable[..., object]) -> str:
    return inspect.getdoc(function) or ""


def _gate() -> str:
    """What ``judge`` says of itself, field names as users write them."""
    words = {
        "``worth.proof_required``": "a proof is required (`spec.gate.oldData.proof`)",
        "``gate.old_weight``": "`spec.gate.oldData.weight`",
        "``gate.confidence``": "`spec.gate.confidence`",
        "``gate.min_improvement``": "`spec.gate.minImprovement`",
        "``-gate.max_old_loss``": "`-spec.gate.oldData.maxLoss`",
        "``concept_drift`` has": "concept drift (answered Major) has",
    }
    text = _text(gate.judge)
    for code, field in words.items():
        if code not in text:
            raise SystemExit(f"judge() no longer speaks of {code}: correct {Path(__file__).name}")
        text = text.replace(code, field)
    return "\n\n".join(textwrap.fill(paragraph, 100) for paragraph in text.split("\n\n"))


def _answers() -> Iterator[str]:
    for space in ANSWERS:
        yield f"\n**FeatureSpaceChange: {space.value}**\n\n"
        head = ("shift ↓ drift →", *(drift.value for drift in ANSWERS))
        yield from _table(
            head,
            (
                (shift.value, *(_proposed(shift, drift, space) for drift in ANSWERS))
                for shift in ANSWERS
            ),
        )


def _proposed(*answers: Answer) -> str:
    findings = tuple(map(Finding, CAUSES, answers))
    proposal = propose(diagnosed(parse(SPEC), findings, held_out=300, right=210))
    return f"{proposal.action.value} ({proposal.reason.value})"


def _wins() -> Iterator[str]:
    gaps = (0.02, 0.05, 0.10, 0.20, 0.40)
    yield "\nThe chance that a model which wins the whole gap back is promoted, by new held-out\n"
    yield "rows and by how far the champion has fallen there from 0.85 (old rows as many,\n"
    yield f"weight {OLD:g}, confidence 0.95); in bold where it is worth "
    yield f"`minExpectedGain` {PRICE:g}:\n\n"
    yield from _table(
        ("new held-out rows", *(f"-{gap:.2f}" for gap in gaps)),
        ((str(n), *(_chance(n, gap) for gap in gaps)) for n in (15, 30, 75, 150, 300, 1000)),
    )


def _chance(n: int, gap: float) -> str:
    new = (1.0 - OLD, n, 0.85 - gap, 0.85)
    chance = power.weighed_chance(new, (OLD, n, 0.85), 0.95)
    said = f"{chance:.2f}"
    return f"**{said}**" if chance * (1.0 - OLD) * gap >= PRICE else said


def _losses() -> Iterator[str]:
    margins = (0.01, 0.02, 0.03, 0.05, 0.10)
    yield "\nOld held-out rows to show that nothing is lost, by the champion's accuracy there and\n"
    yield "by `maxLoss`:\n\n"
    yield from _table(
        ("champion", *(f"{margin:.2f}" for margin in margins)),
        (
            (
                f"{accuracy:.2f}",
                *(str(power.rows_to_show_no_loss(accuracy, margin, 0.95)) for margin in margins),
            )
            for accuracy in (0.7, 0.8, 0.9, 0.95, 0.99)
        ),
    )


def main() -> int:
    """Write the page, or compare."""
    if "--check" in sys.argv[1:]:
        same = PAGE.exists() and PAGE.read_text(encoding="utf-8") == page()
        if not same:
            print(f"{PAGE.name} is not what the code says: run make docs", file=sys.stderr)
        return 0 if same else 1
    PAGE.write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

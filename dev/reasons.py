#!/usr/bin/env python3
"""Write docs/reasons.md from the code's reasons; with --check, say whether it is up to date.

What a reason means is the code's, what to do about it is written by hand in docs/runbook.md: the
page here lists the words where they may appear, and links there.
"""

import ast
import re
import sys
from pathlib import Path

from maintenance_core import reasons

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs/reasons.md"
RUNBOOK = ROOT / "docs/runbook.md"
TRAINER = ROOT / "trainer/src/maintenance_trainer"
PLUGIN_REASONS = ("NotLookedAt",)
"""What ``kubectl mm`` says by itself; it is in no status."""
_ENTRY = re.compile(r"^### (\w+)\n\n\*\*Who:\*\* (.+)$", re.MULTILINE)
_CARRIERS = {"DataError", "ConfigurationError", "TransientError"}

SECTIONS = (
    (
        reasons.ReadyReason,
        "Conditions Ready and Stalled",
        "Ready is False, and Stalled True, only where a person must act on the resource.",
    ),
    (
        reasons.MetricsReason,
        "Condition MetricsAvailable",
        "False or Unknown: the operator holds; it starts nothing and keeps what it knew.",
    ),
    (reasons.DegradedReason, "Condition Degraded", "Whether performance has left its range."),
    (reasons.TrainingReason, "Condition Training", "Where a live run stands."),
    (reasons.DecisionReason, "Decisions", "`status.decision.reason`."),
    (
        reasons.VerdictReason,
        "Verdicts of the gate",
        "`status.history[].reason` of a run that trained.",
    ),
    (
        reasons.RunReason,
        "Ends of runs without a verdict",
        "`status.history[].reason`, beside the trainer's own reasons below.",
    ),
    (
        reasons.EventReason,
        "Events",
        "Beside these, an Event carries the reason of Ready when that turns False.",
    ),
)
INTRODUCTION = """# Every reason, and what it means

Generated from `core/src/maintenance_core/reasons.py` by `make docs`; conditions,
Events, decisions and logs use these words and no others. [The runbook](runbook.md) says what to do
about each.
"""


def runbook() -> dict[str, str]:
    """Who must act, by the words that the runbook has an entry for."""
    return dict(_ENTRY.findall(RUNBOOK.read_text()))


def of_trainer() -> set[str]:
    """The words that the trainer gives up with: first arguments of its errors and reports."""
    words = set()
    for file in TRAINER.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call):
                words |= _words(node)
    return words


def _words(call: ast.Call) -> set[str]:
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    places = {"failed": 1, **dict.fromkeys(_CARRIERS, 0)}
    if name not in places or len(call.args) <= places[name]:
        return set()
    argument = call.args[places[name]]
    return {str(argument.value)} if isinstance(argument, ast.Constant) else set()


def page() -> str:
    """The whole page as Markdown."""
    who = runbook()
    parts = [INTRODUCTION]
    for kind, title, about in SECTIONS:
        parts.append(
            f"\n## {title}\n\n{about}\n\n| reason | meaning | who must act |\n|---|---|---|\n"
        )
        parts += [
            f"| {_link(member)} | {member.sentence} | {who.get(member, '')} |\n" for member in kind
        ]
    parts.append(
        "\n## The trainer's reasons\n\nIn the message of a decision that is Blocked, or as "
        "`status.history[].reason`.\n\n| reason | who must act |\n|---|---|\n"
    )
    parts += [f"| {_link(word)} | {who.get(word, '')} |\n" for word in sorted(of_trainer())]
    return "".join(parts)


def _link(word: str) -> str:
    return f"[`{word}`](runbook.md#{word.lower()})"


def main() -> int:
    """Write the page, or compare."""
    if "--check" in sys.argv[1:]:
        same = PAGE.exists() and PAGE.read_text() == page()
        if not same:
            print(f"{PAGE.name} is not what the code says: run make docs", file=sys.stderr)
        return 0 if same else 1
    PAGE.write_text(page())
    return 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""Write docs/reasons.md from the operator's reasons; with --check, say whether it is up to date."""

import sys
from pathlib import Path

from maintenance_operator.core import reasons

PAGE = Path(__file__).parent.parent / "docs" / "reasons.md"
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

Generated from `operator/src/maintenance_operator/core/reasons.py` by `make docs`; conditions,
Events, decisions and logs use these words and no others.
"""


def page() -> str:
    """The whole page as Markdown."""
    parts = [INTRODUCTION]
    for kind, title, about in SECTIONS:
        parts.append(f"\n## {title}\n\n{about}\n\n| reason | meaning |\n|---|---|\n")
        parts += [f"| `{member}` | {member.sentence} |\n" for member in kind]
    return "".join(parts)


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

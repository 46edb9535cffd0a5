#!/usr/bin/env python3
"""Draw docs/pictures/decision-*.svg and write the examples of docs/how-it-decides.md.

Each is a decision that the operator's own rules take on a diagnosis given here, shown by the code
of ``kubectl mm why``; with --check, say if they are up to date.
"""

import math
import sys
import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from maintenance_contract import (
    Answer,
    Diagnosis,
    Evidence,
    Finding,
    HeldOut,
    Operation,
    Outcome,
    RowCounts,
    TrainingAction,
    TrainingReport,
)
from maintenance_core import status as status_json
from maintenance_core.decide.decision import decide
from maintenance_core.decide.findings import CAUSES
from maintenance_core.model import (
    Action,
    Champion,
    Degraded,
    HistoryEntry,
    Reading,
    RunOutcome,
    Score,
    Situation,
    Status,
    ThresholdRange,
    Trigger,
)
from maintenance_core.spec import parse
from maintenance_operator.cli.layout import Page
from maintenance_operator.cli.resource import read
from maintenance_operator.cli.why import Case, Readings, case_of, explained, picture

sys.path.append(str(Path(__file__).resolve().parent.parent / "tests"))

from support.plain import plain_spec

DOCS = Path(__file__).parent.parent / "docs"
BEGIN = "<!-- examples: written by dev/pictures.py, which `make docs` runs -->\n"
END = "<!-- end of the examples -->\n"
NOW = datetime(2026, 11, 23, 18, 0, 0, tzinfo=UTC)
BREACH = NOW - timedelta(minutes=12)
FALLS = -5
"""From this reading on, counted from the breach, the invented metric falls."""
INTERVAL = timedelta(minutes=5)
SPEC = plain_spec(decision={"policy": "Evidence"})
CHAMPION = Champion(
    6, "pvc://models/news/versions/6", "sha256:6", NOW - timedelta(days=12), TrainingAction.RETRAIN
)
NOTHING_NEW = Evidence("newLabels", 0.0, 0.01, n=1000)
# Of a thousand new rows that are like the old ones: value, p, interval; no test has a threshold
# here, as the policy holds each against its own.
QUIET = {
    "outsideSupport": Evidence("outsideSupport", 0.004, None, 0.38, 1000, -0.02, 0.028),
    "errorRiseOutside": Evidence("errorRiseOutside", 0.04, None, 0.36, 31, -0.09, 0.21),
    "classMix": Evidence("classMix", 0.031, None, 0.41, 1000, 0.0, 0.045),
    "inputShiftAuc": Evidence("inputShiftAuc", 0.507, None, 0.31, 1000, 0.48, 0.534),
    "shiftWithinClassesAuc": Evidence(
        "shiftWithinClassesAuc", 0.503, None, 0.43, 1000, 0.476, 0.53
    ),
    "expectedErrorRise": Evidence("expectedErrorRise", 0.001, None, 0.44, 1000, -0.011, 0.013),
    "unexplainedErrorRise": Evidence("unexplainedErrorRise", 0.006, None, 0.55, 969, -0.012, 0.024),
    "errorRiseAtEqualClass": Evidence(
        "errorRiseAtEqualClass", 0.008, None, 0.52, 969, -0.014, 0.03
    ),
}
OF_SHIFT = (*QUIET,)[:6]


@dataclass(frozen=True, slots=True)
class Example:
    """A diagnosis and what it is meant to show. ``heading``: of its section on the page."""

    file: str
    heading: str
    told: str
    findings: tuple[Finding, ...] = ()
    right: int = 258
    held_out: int = 300
    failed: str = ""
    ended: RunOutcome | None = None


def _found(*loud: Evidence, quiet: dict[str, Evidence] = QUIET) -> tuple[Finding, ...]:
    """A diagnosis that is quiet but for these."""
    tests = quiet | {each.name: each for each in loud}
    return (
        Finding(CAUSES[0], Answer.UNDETERMINED, tuple(tests[name] for name in OF_SHIFT)),
        Finding(
            CAUSES[1],
            Answer.UNDETERMINED,
            tuple(each for name, each in tests.items() if name not in OF_SHIFT),
        ),
        Finding(CAUSES[2], Answer.NO, (NOTHING_NEW,)),
    )


GREEN_BONDS = (
    Evidence("outsideSupport", 0.18, None, 0.00001, 1000, 0.15, 0.21),
    Evidence("errorRiseOutside", 0.37, None, 0.00001, 184, 0.29, 0.45),
    Evidence("inputShiftAuc", 0.59, None, 0.00001, 1000, 0.56, 0.62),
)
RELABELLED = (
    Evidence("unexplainedErrorRise", 0.21, None, 0.00002, 969, 0.16, 0.26),
    Evidence("errorRiseAtEqualClass", 0.2, None, 0.00002, 969, 0.15, 0.25),
)
ELECTION = (
    Evidence("classMix", 0.24, None, 0.00001, 1000, 0.2, 0.28),
    Evidence("inputShiftAuc", 0.61, None, 0.00001, 1000, 0.58, 0.64),
    Evidence("expectedErrorRise", 0.05, None, 0.0002, 1000, 0.03, 0.07),
)
UNCLEAR = (
    Evidence("unexplainedErrorRise", 0.07, None, 0.09, 240, -0.01, 0.15),
    Evidence("classMix", 0.06, None, 0.22, 240, 0.0, 0.16),
)


def _of_fewer(evidence: Evidence) -> Evidence:
    """The same of a quarter of the rows: intervals are twice as wide."""
    lower, upper = evidence.lower or 0.0, evidence.upper or 0.0
    return replace(
        evidence,
        n=(evidence.n or 0) * 240 // 1000,
        lower=round(2 * lower - evidence.value, 3),
        upper=round(2 * upper - evidence.value, 3),
    )


QUARTER = {name: _of_fewer(each) for name, each in QUIET.items()}

EXAMPLES = (
    Example(
        "fine-tune",
        "Fine-tune: the world has grown",
        "News begin to speak of green bonds. 18 of 100 new rows are unlike anything the model was "
        "trained on; on the rest it is as good as ever. What it knows is still right, it only has "
        "to learn more: it is fine-tuned, with old rows mixed in so that it forgets nothing.",
        _found(*GREEN_BONDS),
        ended=RunOutcome.PROMOTED,
    ),
    Example(
        "retrain",
        "Retrain: the same words mean something else",
        "The desk has moved a subject from one class to another. The inputs look as they always "
        "did, but on them the model errs 21 points more often, which neither inputs nor class mix "
        "explain: what it learned is now wrong. It starts again from the base model, without the "
        "old rows that the new labels contradict.",
        _found(*RELABELLED),
        ended=RunOutcome.PROMOTED,
    ),
    Example(
        "label-shift",
        "Fine-tune, lightly: the classes come in other shares",
        "An election: a quarter of the rows would have to change class to get the old mix back. "
        "Told apart within their classes, new rows look like old ones, so the same words mean the "
        "same, and only the model's expectation has to move along.",
        _found(*ELECTION),
        ended=RunOutcome.PROMOTED,
    ),
    Example(
        "none",
        "None: nothing that training would mend",
        "The metric fell, and the labelled rows exclude every cause that would matter: new rows "
        "are like old ones and mean the same. A training would fit noise. Look at the pipeline in "
        "front of the model, and at whether the labels are of the traffic that the metric "
        "measures.",
        _found(),
    ),
    Example(
        "wait",
        "Wait: not worth a run yet",
        "Green bonds again, but on 40 held-out rows the champion is hardly worse than it was. So "
        "little is to be won, and so few rows could hardly show it. No GPU is asked for; the "
        "message says the chance, the stake, the price, and about how many rows to label.",
        _found(*GREEN_BONDS),
        right=36,
        held_out=40,
    ),
    Example(
        "blocked",
        "Blocked: the data cannot be trusted",
        "The labelled files cannot be read as rows. Nothing is trained on them, and the message "
        "says what to mend; it is looked at again later by itself.",
        failed="updates/2026-11.csv, line 1: there is no column 'label', only text, tag; correct "
        "spec.data.columns.",
    ),
    Example(
        "undetermined",
        "Undetermined: the rows do not settle it",
        "240 rows are too few to say whether a rise of 7 points is chance. There is a drop all the "
        "same, so the cheapest training is tried, and the gate decides whether it helped.",
        _found(*UNCLEAR, quiet=QUARTER),
    ),
)


def situation(example: Example) -> Situation:
    """What the operator would know."""
    diagnosis = Diagnosis(
        RowCounts(700, example.held_out, 45000, 5000),
        example.findings,
        new=HeldOut(example.held_out, example.right),
        old=HeldOut(5000, 4650),
    )
    failed = bool(example.failed)
    return Situation(
        number=7,
        trigger=Trigger.PERFORMANCE_DROP,
        spec=parse(SPEC),
        report=TrainingReport(
            Operation.DIAGNOSE,
            7,
            "",
            Outcome.FAILED if failed else Outcome.SUCCEEDED,
            reason="ColumnMissing" if failed else "",
            message=example.failed,
            diagnosis=None if failed else diagnosis,
        ),
        now=NOW,
        degraded=Degraded(Reading(BREACH, 0.87, 1250.0), 3, 5, ThresholdRange(min=0.9)),
        champion=CHAMPION,
    )


def case(example: Example) -> Case:
    """The decision as it stands in a resource's status."""
    decision = decide(situation(example))
    history: tuple[HistoryEntry, ...] = ()
    if example.ended is not None:
        history = (_ended(decision.action, example.ended),)
    body = {
        "metadata": {"namespace": "finance", "name": "news-sentiment", "generation": 1},
        "spec": SPEC,
        "status": status_json.write(Status(1, decision=decision, history=history)),
    }
    found = case_of(read(body), None)
    if found is None:
        raise SystemExit("the status does not hold the decision that it was given")
    return replace(found, ended=history[0] if history else None)


def _ended(action: Action, outcome: RunOutcome) -> HistoryEntry:
    return HistoryEntry(
        7,
        Trigger.PERFORMANCE_DROP,
        action,
        "ChallengerWins",
        outcome,
        "Better: 93.7% right, the champion 86%, on 300 new held-out rows.",
        BREACH + timedelta(minutes=1),
        NOW + timedelta(minutes=34),
        generation=1,
        champion_version=6,
        version=7,
        trained=True,
        train_seconds=1500.0,
        new=Score(300, 0.86, 0.937),
    )


def readings(example: Example) -> Readings:
    """An accuracy that falls before the breach and, after a promotion, comes back."""
    points = []
    for index in range(-36, 28):
        time = BREACH + index * INTERVAL
        mended = example.ended is not None and time > NOW + timedelta(minutes=35)
        falls = 0 if mended else max(0, index - FALLS)
        level = max(0.938 - 0.017 * falls, 0.872)
        points.append((time, level + 0.006 * math.sin(index * 1.9) * math.cos(index * 0.7)))
    last = NOW + timedelta(hours=2)
    return Readings(
        tuple(point for point in points if point[0] <= last),
        "An invented metric, for this page; in your cluster it is that of Prometheus.",
    )


def pictures() -> dict[Path, str]:
    """Every picture by its file."""
    later = NOW + timedelta(hours=2)
    return {
        DOCS / "pictures" / f"decision-{example.file}.svg": picture(
            case(example), readings(example), later
        )
        for example in EXAMPLES
    }


def pages() -> dict[Path, str]:
    """The pages with their examples as they are now."""
    return {
        DOCS / "how-it-decides.md": _filled(DOCS / "how-it-decides.md", _examples()),
        DOCS / "kubectl-mm.md": _filled(
            DOCS / "kubectl-mm.md", ("\n", _command(EXAMPLES[0]), "\n")
        ),
    }


def _filled(page: Path, examples: Iterable[str]) -> str:
    before, _, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    return "".join((before, BEGIN, *examples, END, after))


def _command(example: Example) -> str:
    shown = explained(case(example), Page(100))
    return f"```text\n$ kubectl mm why news-sentiment -n finance\n{shown}\n```\n"


def _examples() -> Iterator[str]:
    for example in EXAMPLES:
        action = case(example).decision.action.value
        told = textwrap.fill(example.told, 119, break_on_hyphens=False)
        yield f"\n### {example.heading}\n\n{told}\n\n"
        yield f"![The way to {action} lit in the workflow, and the metric around the decision]"
        yield f"(pictures/decision-{example.file}.svg)\n\n"
        yield _command(example)
    yield "\n"


def main() -> int:
    """Write everything, or compare."""
    wanted = pictures() | pages()
    old = [
        file
        for file, text in wanted.items()
        if not file.exists() or file.read_text(encoding="utf-8") != text
    ]
    if "--check" in sys.argv[1:]:
        for file in old:
            print(f"{file.name} is not what the code says: run make docs", file=sys.stderr)
        return 1 if old else 0
    for file in old:
        file.write_text(wanted[file], encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

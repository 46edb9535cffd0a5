"""Is a drop seen, soon, and nothing else? Counters against others' detectors on the same streams.

A stream is 4,000 labelled predictions of the deployed model of the weak scenarios, forty an hour in
windows of five minutes, after 2,000 of the same law that tell what it achieves (the others are fed
those, too). ``drop`` streams get worse at label 1,000: labels turn over by chance until the error
is so many points up. The others do no lasting harm. Where the product's alarm stands, its diagnosis
is asked with the rows labelled since, and again after 1, 2, 4, ... hours: an action is false if
anything would be trained. Then a model of the old and the new rows is, and judged by the gate on
those that were held out.
"""

import argparse
import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import cause
import cells
import deciding
import numpy as np
import results
import weak
from action import HELD_OUT, paired, passes
from intervals import wilson
from numpy.typing import NDArray
from river import drift

from maintenance_core.model import Action, Counts, Policy, ReferenceCounts
from maintenance_core.watch import e_detector
from maintenance_core.watch.e_detector import DetectorState, Window

REFERENCE, LABELS, CHANGE = 2000, 4000, 1000
PER_HOUR: Final = 40
STEP: Final = timedelta(minutes=5)
START: Final = datetime(2026, 1, 5, tzinfo=UTC)
TOLERANCE: Final = 0.02
SEASON_HOURS: Final = 6
BURST: Final = 40
QUIET_SHARE: Final = 0.1
DROPS: Final = {"drop-5": 0.05, "drop-10": 0.10, "drop-20": 0.20}
HARMLESS: Final = ("none", "benign", "traffic-dip", "season", "burst")
FAMILIES: Final = (*HARMLESS, *DROPS)
OURS: Final = "counters"
HERE: Final = Path(__file__).resolve().parent
CORE: Final = HERE.parents[1] / "core/src/maintenance_core"

Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Stream:
    """Rows in order; whether each was wrong; the window that each was labelled in.

    The first ``REFERENCE`` of them are what the model achieves when it is new.
    """

    champion: Any
    trained: weak.Rows
    rows: weak.Rows
    wrong: Bools
    windows: NDArray[np.int64]


def stream(family: str, seed: int) -> Stream:
    """Draw one."""
    chance = np.random.default_rng(seed)
    trained = weak.usual(weak.TRAINED, chance)
    champion = weak.fitted(*trained)
    windows = _windows(family, chance)
    x, y = weak.usual(len(windows), chance)
    y = _turned(family, champion, x, y, chance)
    if family == "benign":
        there = np.arange(len(x)) >= REFERENCE + CHANGE
        x[there, 6] += 0.7
        x[there, 7] *= 1.3
    if family == "season":
        hours = windows * STEP.total_seconds() / 3600 % 24
        there = hours >= 24 - SEASON_HOURS
        x[there], y[there] = weak.SCENARIOS["covariate"].draw(int(there.sum()), chance)
        y[there] = _worse(champion, (x[there], y[there]), 0.08, chance)
    wrong = np.asarray(champion.predict(x) != y)
    return Stream(champion, trained, (x, y), wrong, windows)


def _windows(family: str, chance: np.random.Generator) -> NDArray[np.int64]:
    """The window that each label falls in; traffic is quiet for half a day where it dips."""
    rate, found, window = PER_HOUR * STEP / timedelta(hours=1), [], 0
    quiet = range(0)
    if family == "traffic-dip":
        first = int(chance.integers(700, 1200))
        quiet = range(first, first + 144)
    while len(found) < REFERENCE + LABELS:
        window += 1
        count = chance.poisson(rate * (QUIET_SHARE if window in quiet else 1.0))
        found += [window] * int(count)
    return np.array(found[: REFERENCE + LABELS])


def _turned(
    family: str, champion: Any, x: weak.Floats, y: weak.Labels, chance: np.random.Generator
) -> weak.Labels:
    y = y.copy()
    if family == "burst":
        for first in chance.integers(REFERENCE, REFERENCE + LABELS - BURST, 2):
            y[first : first + BURST] = chance.integers(0, 2, BURST)
    if family in DROPS:
        later = slice(REFERENCE + CHANGE, None)
        y[later] = _worse(champion, (x[later], y[later]), DROPS[family], chance)
    return y


def _worse(
    champion: Any, rows: weak.Rows, points: float, chance: np.random.Generator
) -> weak.Labels:
    """Labels that turn over by chance until the error is up by so much."""
    x, y = rows
    error = float(np.mean(champion.predict(x) != y))
    turned = chance.random(len(y)) < points / (1 - 2 * error)
    return np.where(turned, 1 - y, y)


# --- detectors --------------------------------------------------------------------------


def ours(drawn: Stream) -> tuple[int | None, int | None, bool]:
    """Labels until the first alarm, and until the first one that something is trained for.

    And whether the gate lets that serve.
    """
    before = drawn.windows[REFERENCE - 1]
    reference = ReferenceCounts(_time(before), _classes(drawn, slice(0, REFERENCE)))
    state = e_detector.remember(DetectorState(), _counted(drawn, slice(0, REFERENCE)))
    first, look, wait = None, 0, STEP
    for window in _counted(drawn, slice(REFERENCE, None)):
        state = e_detector.advance(state, [window], reference, TOLERANCE)
        found = e_detector.alarm(state, reference, TOLERANCE)
        if found is None or e_detector.season(state, found) is not None:
            continue
        number = int((window.end - START) / STEP)
        seen = int(np.searchsorted(drawn.windows, number, side="right")) - REFERENCE
        first = first or seen
        if number < look:
            continue
        if _trains(drawn, REFERENCE + seen):
            return first, seen, _passes(drawn, REFERENCE + seen)
        wait = min(timedelta(hours=24), max(timedelta(hours=1), 2 * wait))
        look = number + int(wait / STEP)
    return first, None, False


def _time(window: int) -> datetime:
    return START + window * STEP


def _counted(drawn: Stream, part: slice) -> Iterator[Window]:
    windows, y, wrong = drawn.windows[part], drawn.rows[1][part], drawn.wrong[part]
    for number in np.unique(windows):
        here = windows == number
        yield Window(
            _time(int(number)),
            {
                str(name): Counts(
                    float((y[here] == name).sum()), float(wrong[here & (y == name)].sum())
                )
                for name in np.unique(y[here])
            },
        )


def _classes(drawn: Stream, part: slice) -> dict[str, Counts]:
    y, wrong = drawn.rows[1][part], drawn.wrong[part]
    return {
        str(name): Counts(float((y == name).sum()), float(wrong[y == name].sum()))
        for name in np.unique(y)
    }


def _labelled(until: int) -> tuple[slice, int]:
    """What was labelled up to here, at most 2,000 rows; the first so many are held out."""
    part = slice(max(REFERENCE, until - 2000), until)
    return part, max(1, round(HELD_OUT * (part.stop - part.start)))


def _passes(drawn: Stream, until: int) -> bool:
    """Whether the gate promotes a model of all rows that may be trained on."""
    part, held = _labelled(until)
    new, old = slice(part.start, part.start + held), slice(0, REFERENCE)
    rest = slice(part.start + held, part.stop)
    x, y = (np.concatenate(both) for both in zip(
        drawn.trained, (each[rest] for each in drawn.rows), strict=True
    ))  # fmt: skip
    right = np.asarray(weak.fitted(x, y).predict(drawn.rows[0]) == drawn.rows[1])
    return passes(*(paired(~drawn.wrong[side], right[side]) for side in (new, old)), drift=False)


def _trains(drawn: Stream, until: int) -> bool:
    """Whether the product trains on what was labelled up to here."""
    part, count = _labelled(until)
    old = slice(0, REFERENCE)
    x, y = drawn.rows
    seen, before, new = (
        cause.sampled(drawn.champion, rows)
        for rows in (drawn.trained, (x[old], y[old]), (x[part], y[part]))
    )
    right = ~drawn.wrong
    held = right[part][:count]
    decision = deciding.decided(Policy.EVIDENCE, seen, before, new, held, right[old])
    return decision.action in {Action.FINE_TUNE, Action.RETRAIN}


def _five_points(wrong: Bools) -> int | None:
    """A window of 200, looked at every 50 labels."""
    usual = wrong[:REFERENCE].mean()
    for until in range(REFERENCE + 200, len(wrong) + 1, 50):
        if wrong[until - 200 : until].mean() > usual + 0.05:
            return until - REFERENCE
    return None


def _of_river(make: Callable[[], Any]) -> Callable[[Bools], int | None]:
    def found(wrong: Bools) -> int | None:
        detector = make()
        for number, error in enumerate(wrong.astype(int).tolist(), start=1):
            detector.update(error)
            if detector.drift_detected and number > REFERENCE and _is_up(wrong, number):
                return number - REFERENCE
        return None

    return found


def _is_up(wrong: Bools, number: int) -> bool:
    """A change for the better is no alarm."""
    return float(wrong[max(0, number - 200) : number].mean()) > float(wrong[:REFERENCE].mean())


PEERS: Final[dict[str, Callable[[Bools], int | None]]] = {
    "ADWIN": _of_river(drift.ADWIN),
    "PageHinkley": _of_river(drift.PageHinkley),
    "DDM": _of_river(drift.binary.DDM),
    "HDDM_A": _of_river(drift.binary.HDDMA),
    "drop > 5 points": _five_points,
}


def one(family: str, seed: int) -> dict[str, Any]:
    """A stream: labels until each detector's first alarm, and until the product trains."""
    drawn = stream(family, seed)
    first, trained, promoted = ours(drawn)
    alarms = {OURS: first} | {name: found(drawn.wrong) for name, found in PEERS.items()}
    return {
        "family": family,
        "seed": seed,
        "alarms": alarms,
        "trained": trained,
        "promoted": promoted,
    }


# --- figures ----------------------------------------------------------------------------


def delays(cases: Sequence[dict[str, Any]], detector: str) -> list[float]:
    """Labels from the change to the alarm; none counts as infinite, as does one before it."""
    found = [case["alarms"][detector] for case in cases]
    return [at - CHANGE if at is not None and at > CHANGE else float("inf") for at in found]


def median(values: Sequence[float]) -> dict[str, Any]:
    """With its interval by order statistics: distribution-free, exact."""
    ordered = sorted(values)
    n = len(ordered)
    half = 1.96 * n**0.5 / 2
    low, high = max(0, int(n / 2 - half)), min(n - 1, int(n / 2 + half))
    return {
        name: None if ordered[at] == float("inf") else ordered[at]
        for name, at in (("value", (n - 1) // 2), ("low", low), ("high", high))
    } | {"seeds": n}


def figures(cases: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """What goes on record."""
    of = defaultdict(list)
    for case in cases:
        of[case["family"]].append(case)
    found: dict[str, Any] = {}
    if harmless := [case for family in HARMLESS for case in of[family]]:
        acted = sum(case["trained"] is not None for case in harmless)
        alarmed = {
            name: sum(case["alarms"][name] is not None for case in harmless)
            for name in (OURS, *PEERS)
        }
        found["false_action_rate"] = _share(acted, len(harmless)) | {
            "by_family": {
                family: _share(
                    sum(case["trained"] is not None for case in of[family]), len(of[family])
                )
                for family in HARMLESS
                if of[family]
            }
        }
        found["false_promotion_rate"] = _share(
            sum(case["promoted"] for case in harmless), len(harmless)
        )
        found["false_alarm_rate"] = {
            name: _share(count, len(harmless)) for name, count in alarmed.items()
        }
    for family, points in DROPS.items():
        if of[family]:
            found[f"delay_median_{points * 100:.0f}pt"] = median(delays(of[family], OURS)) | {
                "peers": {name: median(delays(of[family], name)) for name in PEERS}
            }
    return found


def _share(count: int, of: int) -> dict[str, Any]:
    low, high = wilson(count, of)
    return {"value": round(count / of, 4), "low": low, "high": high, "seeds": of}


def table(cases: Sequence[dict[str, Any]]) -> str:
    """False alarms by family, then delays, as Markdown."""
    of = defaultdict(list)
    for case in cases:
        of[case["family"]].append(case)
    harmless = [family for family in HARMLESS if of[family]]
    drops = [family for family in DROPS if of[family]]
    names = [f"{family}: delay (found)" for family in drops]
    lines = [
        f"| detector | {' | '.join([*harmless, *names])} |",
        f"|---|{'---|' * (len(harmless) + len(drops))}",
    ]
    for detector in (OURS, *PEERS):
        row = [
            f"{sum(c['alarms'][detector] is not None for c in of[family]) / len(of[family]):.3f}"
            for family in harmless
        ]
        for family in drops:
            waited = delays(of[family], detector)
            share = sum(each < float("inf") for each in waited) / len(waited)
            middle = median(waited)
            row.append(f"{_told(middle)} ({share:.2f})")
        lines.append(f"| {detector} | {' | '.join(row)} |")
    if harmless:
        happened: dict[str, Callable[[dict[str, Any]], bool]] = {
            "something is trained": lambda case: case["trained"] is not None,
            "and promoted": lambda case: case["promoted"],
        }
        for what, is_so in happened.items():
            row = [f"{sum(map(is_so, of[family])) / len(of[family]):.3f}" for family in harmless]
            lines.append(f"| {OURS}: {what} | {' | '.join([*row, *([''] * len(drops))])} |")
    return "\n".join(lines)


def _told(middle: dict[str, Any]) -> str:
    value, low, high = (
        "never" if middle[at] is None else f"{middle[at]:.0f}" for at in ("value", "low", "high")
    )
    return f"{value}, {low} to {high}"


def add_to(subparsers: Any) -> None:
    """The subcommand's arguments."""
    parser = subparsers.add_parser(
        "alarm",
        help="is a drop seen, and nothing else?",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--scenario", action="append", choices=FAMILIES, metavar="S")
    parser.add_argument("--first-seed", type=int, default=0, metavar="K")
    parser.add_argument("--seeds", type=int, default=20, metavar="M")
    parser.add_argument("--work", type=Path, default=cells.default_work(), metavar="DIR")
    parser.add_argument("--json", action="store_true", help="print the cases as JSON")
    parser.add_argument("--record", action="store_true", help="write benchmarks/results")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Run the streams that were asked for; finished ones are kept."""
    seeds = range(args.first_seed, args.first_seed + args.seeds)
    keys = [(family, seed) for family in args.scenario or FAMILIES for seed in seeds]
    code = [
        HERE / "alarm.py",
        HERE / "weak.py",
        HERE / "deciding.py",
        CORE / "watch/e_detector.py",
        CORE / "model/counts.py",
    ]
    kept = cells.Kept(args.work / "alarm.jsonl", cells.digest(code))
    cases = cells.computed(one, keys, kept, jobs=args.jobs)
    print(json.dumps(cases, indent=1) if args.json else table(cases))
    if args.record:
        results.record("alarm", cases, figures(cases))

"""Reads and writes documents by this tree and by another revision, turn and turn about.

    python benchmarks/operator/documents.py --against REVISION [--record]

Ten thousand statuses as they lie in a cluster (ten runs behind them, a decision; every tenth with
a live run), the requests and the reports of as many Jobs. Both revisions get the same bytes and
must give the same bytes back. Seconds are processor time; memory is what stays after reading.
Statuses have no ``monitor``: most of reading one is the statistics behind it.
"""

import argparse
import gc
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[2]
PARTS: Final = ("contract/src", "core/src")
DOCUMENTS: Final = 10_000
REPEATS: Final = 5
TRACED: Final = 500
OLD, NEW = "before", "after"


def main() -> int:
    """Run the command; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--against", help="the revision to compare with")
    parser.add_argument("--documents", type=int, default=DOCUMENTS)
    parser.add_argument("--repeats", type=int, default=REPEATS)
    parser.add_argument("--record", action="store_true", help="keep the results")
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(_measured(options.measure)))
        return 0
    if not options.against:
        parser.error("--against REVISION is needed")
    with tempfile.TemporaryDirectory() as place:
        results = _compared(Path(place), options)
    _show(results)
    if options.record:
        _keep(results)
    return 0


# --- both, in turn


def _compared(place: Path, options: argparse.Namespace) -> dict[str, Any]:
    archive = subprocess.run(
        ["git", "-C", ROOT, "archive", options.against, *PARTS], check=True, capture_output=True
    )
    other = place / "other"
    other.mkdir()
    subprocess.run(["tar", "-x", "-C", other], input=archive.stdout, check=True)
    documents = place / "documents.json"
    documents.write_text(json.dumps(_documents(options.documents)), encoding="utf-8")
    trees = {OLD: other, NEW: ROOT}
    runs: dict[str, list[dict[str, Any]]] = {OLD: [], NEW: []}
    for number in range(options.repeats):
        for name in sorted(trees, reverse=number % 2 == 0):
            runs[name].append(_child(trees[name], documents))
            print(f"{number + 1}/{options.repeats} {name}", file=sys.stderr)
    if len({run["written"] for its in runs.values() for run in its}) != 1:
        raise SystemExit("the revisions write different bytes")
    figures = {
        name: {key: [run[key] for run in its] for key in its[0] if key != "written"}
        for name, its in runs.items()
    }
    about = {
        "date": datetime.now(UTC).isoformat(timespec="minutes"),
        "against": options.against,
        "documents": options.documents,
        "repeats": options.repeats,
        "python": sys.version.split()[0],
        "processors": os.cpu_count(),
        "load": os.getloadavg(),
    }
    return {"about": about, **figures}


def _child(tree: Path, documents: Path) -> dict[str, Any]:
    path = os.pathsep.join(str(tree / part) for part in PARTS)
    command = [sys.executable, __file__, "--measure", str(documents)]
    done = subprocess.run(
        command,
        check=True,
        capture_output=True,
        env={**os.environ, "PYTHONPATH": path, "PYTHONHASHSEED": "0"},
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _show(results: dict[str, Any]) -> None:
    print(f"{'':30}{'before':>26}{'after':>26}{'ratio':>8}")
    for key in results[OLD]:
        cells = []
        for name in (OLD, NEW):
            its = sorted(results[name][key])
            cells.append(f"{its[len(its) // 2]:.4g} ({its[0]:.4g} to {its[-1]:.4g})")
        ratios = sorted(
            new / old for old, new in zip(results[OLD][key], results[NEW][key], strict=True)
        )
        print(f"{key:30}{cells[0]:>26}{cells[1]:>26}{ratios[len(ratios) // 2]:>8.2f}")


def _keep(results: dict[str, Any]) -> None:
    folder = ROOT / "benchmarks/results"
    stamp = datetime.fromisoformat(results["about"]["date"]).strftime("%Y-%m-%dT%H%M")
    text = json.dumps(results, indent=2) + "\n"
    (folder / "documents").mkdir(exist_ok=True)
    for path in (folder / "documents.json", folder / f"documents/{stamp}.json"):
        path.write_text(text, encoding="utf-8")
        print(f"written: {path.relative_to(ROOT)}")


# --- one of them, in a process of its own


def _measured(documents: Path) -> dict[str, Any]:
    started = time.process_time()
    from maintenance_contract import TrainingReport, TrainingRequest  # noqa: PLC0415 - is timed
    from maintenance_core import status  # noqa: PLC0415

    figures: dict[str, Any] = {"import_seconds": time.process_time() - started}
    found = json.loads(documents.read_text(encoding="utf-8"))
    digest = hashlib.sha256()
    kinds: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
        "status": (status.read, status.write),
        "request": (TrainingRequest.from_json, TrainingRequest.to_json),
        "report": (TrainingReport.from_json, TrainingReport.to_json),
    }
    for kind, (read, write) in kinds.items():
        texts = found[kind]
        gc.collect()
        before = _resident()
        values, figures[f"{kind}_read_seconds"] = _timed(read, texts)
        gc.collect()
        figures[f"{kind}_resident_mib"] = (_resident() - before) / 2**20
        written, figures[f"{kind}_write_seconds"] = _timed(write, values)
        digest.update(json.dumps(written, sort_keys=True).encode())
        del values, written
        gc.collect()
        tracemalloc.start()
        kept = [read(text) for text in texts[:TRACED]]
        gc.collect()
        figures[f"{kind}_retained_bytes"] = tracemalloc.get_traced_memory()[0] / len(kept)
        tracemalloc.stop()
    return {**figures, "written": digest.hexdigest()}


def _timed(function: Callable[[Any], Any], values: Sequence[Any]) -> tuple[list[Any], float]:
    started = time.process_time()
    made = [function(value) for value in values]
    return made, time.process_time() - started


def _resident() -> int:
    pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


# --- what is read


def _documents(size: int) -> dict[str, list[Any]]:
    sys.path[:0] = [str(ROOT / part) for part in (*PARTS, "tests")]
    from support.documents import Everything, Values  # noqa: PLC0415

    from maintenance_contract import ModelRef  # noqa: PLC0415
    from maintenance_core.status import write  # noqa: PLC0415

    def status(number: int) -> dict[str, Any]:
        of = Everything.of(number)
        drawn = of.status()
        entry, decision = drawn.history[0], drawn.decision
        decision = decision and replace(decision, path=decision.path * 2)
        return write(
            replace(
                drawn,
                conditions=drawn.conditions * 3,
                decision=decision,
                run=drawn.run if number % 10 == 0 else None,
                history=tuple(replace(entry, number=run) for run in range(10, 0, -1)),
                monitor=None,
            )
        )

    def request(number: int) -> str:
        drawn = Values.of(number).request()
        task = "TextClassification"
        model = ModelRef(task, drawn.model.base_model, drawn.model.storage)
        data = replace(drawn.data, columns=Values.of(number).columns(task))
        return replace(drawn, model=model, data=data).to_json()

    return {
        "status": [status(number) for number in range(size)],
        "request": [request(number) for number in range(size)],
        "report": [Everything.of(number).report().to_json() for number in range(size)],
    }


if __name__ == "__main__":
    sys.exit(main())

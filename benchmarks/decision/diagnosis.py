"""How long does a whole diagnosis take? The trainer's own command, on a model as large as MiniLM.

2,000 newly labelled rows, 2,000 old ones that are held out and 2,000 that the champion was trained
on (package synopses; a quarter of the new ones are games). The champion is all-MiniLM-L6-v2 with a
head that one pass has trained: how good it is does not matter here. Each diagnosis is a process of
its own, reading of files and loading of libraries included.
"""

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

import numpy as np
import results
import text

from maintenance_trainer.data.rows import Row

ROWS: Final = 2000
STORE: Final = "store"
HOLDOUT: Final = ("--holdout-original", "50", "--holdout-updates", "30")


def _write(path: Path, rows: tuple[Row, ...]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = (json.dumps({"text": row.text, "label": row.label}) for row in rows)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    settled = time.time() - 3600
    os.utime(path, (settled, settled))


def _command(verb: str, folder: Path, store: str, *more: str) -> None:
    parts = ("original", "updates")
    command = [sys.executable, "-m", "maintenance_trainer", verb]
    for name in parts:
        command += [f"--{name}", str(folder / name)]
    command += ["--base-model", str(folder / "base"), "--store", str(folder / store), *more]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stdout[-2000:] + done.stderr[-2000:])


def prepared(folder: Path, seed: int) -> None:
    """Data, base model, and a store with a first version."""
    deal = text.Dealer(seed)
    mix = text.stretches.MIX
    text.base_model.copy_to(folder / "base")
    _write(folder / "original/rows.jsonl", deal.rows(2 * ROWS, mix, new=False))
    (folder / "updates").mkdir()
    quick = ("--set", "num_train_epochs=1", *HOLDOUT)
    for verb in ("diagnose", "train"):
        _command(verb, folder, STORE, *quick)
    _write(folder / "updates/new.jsonl", deal.rows(ROWS, mix, new=True, games=0.25))


def seconds(folder: Path, number: int) -> float:
    """One diagnosis, on a store of its own that is as the first one was."""
    store = f"store-{number}"
    shutil.copytree(folder / STORE, folder / store)
    start = time.perf_counter()
    _command("diagnose", folder, store, *HOLDOUT)
    return time.perf_counter() - start


def add_to(subparsers: Any) -> None:
    """The subcommand's arguments."""
    parser = subparsers.add_parser(
        "diagnosis",
        help="how long does a whole diagnosis take?",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--first-seed", type=int, default=0, metavar="K")
    parser.add_argument("--repeats", type=int, default=5, metavar="N")
    parser.add_argument("--record", action="store_true", help="write benchmarks/results")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Prepare once, diagnose several times."""
    os.environ.pop("OMP_NUM_THREADS", None)  # the Job has all the cores that it asks for
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        print("training a champion", file=sys.stderr, flush=True)
        prepared(folder, args.first_seed)
        before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        found = []
        for number in range(args.repeats):
            found.append(seconds(folder, number))
            print(f"{number + 1}/{args.repeats}  {found[-1]:.1f} s", file=sys.stderr, flush=True)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    figure = {
        "value": round(float(np.median(found)), 1),
        "low": round(min(found), 1),
        "high": round(max(found), 1),
        "repeats": len(found),
        "new_rows": ROWS,
        "old_rows": ROWS,
        "peak_mb": round(max(peak, before) / 1024),
    }
    print(json.dumps(figure))
    if args.record:
        results.record("diagnosis", [{"seconds": found}], {"diagnosis_seconds": figure})

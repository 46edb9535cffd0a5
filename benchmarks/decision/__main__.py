"""Is it decided right? Measured on changes whose cause and best answer are known."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy: the processes share the cores

import argparse
import importlib
import sys

PARTS = (
    "cause",
    "calibration",
    "gate",
    "losses",
    "alarm",
    "action",
    "text",
    "sizes",
    "replay",
    "diagnosis",
)
"""Modules of this folder. Only the one that is asked for is read: some take seconds."""


def main() -> int:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(prog="benchmarks/decision", description=__doc__)
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="processes")
    subparsers = parser.add_subparsers(required=True, metavar="PART")
    wanted = [part for part in PARTS if part in sys.argv] or PARTS
    for part in wanted:
        importlib.import_module(part).add_to(subparsers)
    args = parser.parse_args()
    args.run(args)
    return 0


if __name__ == "__main__":
    sys.exit(main())

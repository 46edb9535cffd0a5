"""Copy the CRD from its source, manifests/crd/, into the chart.

Helm packages only what lies inside a chart, so the chart holds a copy. A test fails when the two
differ; this program makes them equal again.
"""

import argparse
import shutil
import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
SOURCE: Final = ROOT / "manifests/crd/modelmaintenances.yaml"
COPY: Final = ROOT / "charts/model-maintenance/files/modelmaintenances.yaml"


def main() -> int:
    """Copy, or with ``--check`` only compare."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--check", action="store_true", help="change nothing; exit code 1 when the copy differs"
    )
    arguments = parser.parse_args()
    if COPY.is_file() and COPY.read_bytes() == SOURCE.read_bytes():
        return 0
    if arguments.check:
        print(
            f"{COPY.relative_to(ROOT)} differs from {SOURCE.relative_to(ROOT)}: "
            "run python dev/sync_crd.py",
            file=sys.stderr,
        )
        return 1
    COPY.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(SOURCE, COPY)
    print(f"copied to {COPY.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

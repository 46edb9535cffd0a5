#!/usr/bin/env python3
"""Write the test cases of Argo CD's health script; with --check, say whether they are up to date.

Argo CD asks for resources with their whole status; the operator's own core tells them here.
"""

import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent
sys.path.append(str(ROOT / "tests"))

from gitops.stories import STORIES, resource  # noqa: E402 - where the stories are is known now

FOLDER = (
    ROOT / "manifests/argocd/resource_customizations/modelmaintenance.dev/ModelMaintenance/testdata"
)
CASES = (
    "nobody-looked",
    "new-spec",
    "watching",
    "degraded-training",
    "prometheus-away",
    "suspended",
    "invalid-query",
)


def main() -> int:
    """Write the files, or compare."""
    files = {
        FOLDER / f"{name}.yaml": yaml.safe_dump(
            resource(STORIES[name].tell()), sort_keys=False, width=120
        )
        for name in CASES
    }
    if "--check" in sys.argv[1:]:
        old = [
            file.name
            for file, text in files.items()
            if not file.exists() or file.read_text() != text
        ]
        extra = {file.name for file in FOLDER.iterdir()} - {file.name for file in files}
        if old or extra:
            print(
                f"not what the core says: {sorted({*old, *extra})}: run make docs", file=sys.stderr
            )
        return 1 if old or extra else 0
    FOLDER.mkdir(parents=True, exist_ok=True)
    for file, text in files.items():
        file.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())

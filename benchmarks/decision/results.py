"""What was measured, on record: each run under its date, the newest figures in one file."""

import json
import os
import platform
from collections import defaultdict
from collections.abc import Callable, Hashable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

RESULTS: Final = Path(__file__).resolve().parent.parent / "results"


def record(part: str, cells: list[dict[str, Any]], figures: dict[str, Any]) -> None:
    """Keep a run, and its figures as the newest."""
    now = datetime.now(UTC)
    folder = RESULTS / "decision"
    folder.mkdir(exist_ok=True)
    surroundings = {
        "time": now.isoformat(timespec="seconds"),
        "machine": f"{os.cpu_count()} cores, {platform.machine()}, no GPU used",
    }
    dated = folder / f"{now:%Y-%m-%dT%H%M}-{part}.json"
    dated.write_text(_spelled(surroundings | {"figures": figures, "cells": cells}))
    newest = RESULTS / "decision.json"
    kept = json.loads(newest.read_text()) if newest.exists() else {}
    for name, value in figures.items():
        kept[name] = {"measured": dated.name, **value}
    newest.write_text(_spelled(kept))


def newest(name: str) -> dict[str, Any]:
    """The newest figures of a part, by name; empty where there are none."""
    path = RESULTS / "decision.json"
    found: dict[str, Any] = json.loads(path.read_text()).get(name, {}) if path.exists() else {}
    return found


def newest_cells(
    part: str, group: Callable[[Mapping[str, Any]], Hashable]
) -> dict[Hashable, list[dict[str, Any]]]:
    """Cells on record, of each group those of the newest run that has any."""
    found: dict[Hashable, list[dict[str, Any]]] = {}
    for path in sorted((RESULTS / "decision").glob(f"*-{part}.json")):
        groups: dict[Hashable, list[dict[str, Any]]] = defaultdict(list)
        for cell in json.loads(path.read_text())["cells"]:
            groups[group(cell)].append(cell)
        found |= groups
    return found


def _spelled(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=1) + "\n"

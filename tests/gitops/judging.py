"""The judge: kstatus' own library, and Argo CD's health script in a real Lua (dev/gitops)."""

import functools
import json
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from support.control_plane import ROOT

SCRIPT = (
    ROOT / "manifests/argocd/resource_customizations/modelmaintenance.dev/ModelMaintenance"
    "/health.lua"
)
Resource = dict[str, Any]
Judge = Callable[..., list[dict[str, Any]]]


@functools.cache
def program() -> str:
    """Its path; it is compiled where it is not."""
    built = subprocess.run(
        [str(ROOT / "dev/gitops/build")], capture_output=True, text=True, check=False
    )
    assert built.returncode == 0, f"dev/gitops/build: {built.stderr[-2000:]}"
    return built.stdout.strip()


def verdicts(
    resources: Sequence[Resource], script: Path = SCRIPT, patience: str = "100s"
) -> list[dict[str, Any]]:
    """One on each resource, in their order; ``script`` may be another than ours.

    Argo CD's patience with a script is a second; a busy machine may stand still for as long.
    """
    done = subprocess.run(
        [program(), "--argocd-health", str(script), "--patience", patience],
        input="\n---\n".join(map(json.dumps, resources)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(found) == len(resources)
    return found

"""Running mm-cluster and its kubectl on one cluster."""

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Cluster:
    """A cluster's directory and the programs to work on it."""

    directory: Path
    programs: Path
    prefix: tuple[str, ...]  # the command that sets the user and environment

    def mm_cluster(self, command: str, *flags: str) -> subprocess.CompletedProcess[str]:
        """Run a command of mm-cluster on this directory."""
        return subprocess.run(
            [
                *self.prefix,
                str(self.programs / "mm-cluster"),
                command,
                "--dir",
                str(self.directory),
                *flags,
            ],
            capture_output=True,
            text=True,
            check=False,
        )

    def up(self, *flags: str) -> str:
        """Start it; what it says on the way."""
        done = self.mm_cluster("up", *flags)
        assert done.returncode == 0, done.stderr
        assert done.stdout == f"{self.directory}/kubeconfig\n"
        return done.stderr

    def down(self) -> None:
        done = self.mm_cluster("down")
        assert done.returncode == 0, done.stderr

    def kubectl(self, *arguments: str, manifest: str | None = None) -> str:
        """What kubectl prints."""
        done = subprocess.run(
            [str(self.programs / "kubectl"), *arguments],
            input=manifest,
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "KUBECONFIG": str(self.directory / "kubeconfig")},
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def get(self, *arguments: str) -> dict[str, Any]:
        """An object, or a list, of the API."""
        found: dict[str, Any] = json.loads(self.kubectl("get", *arguments, "--output=json"))
        return found

    @property
    def components(self) -> dict[str, int]:
        state = json.loads((self.directory / "state.json").read_text(encoding="utf-8"))
        found: dict[str, int] = state["components"]
        return found

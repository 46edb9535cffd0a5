"""kubectl and helm as a person calls them, and a control plane of a suite's own."""

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Programs:
    """``kubectl`` and ``helm`` against one API server."""

    folder: Path
    kubeconfig: Path

    def kubectl(
        self, *arguments: str, stdin: str | None = None, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run kubectl with these arguments; a failure shows what it said."""
        return self._run("kubectl", *arguments, stdin=stdin, check=check)

    def helm(
        self, *arguments: str, stdin: str | None = None, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run helm with these arguments; a failure shows what it said."""
        return self._run("helm", *arguments, stdin=stdin, check=check)

    def _run(
        self, program: str, *arguments: str, stdin: str | None, check: bool
    ) -> subprocess.CompletedProcess[str]:
        ended = subprocess.run(
            [str(self.folder / program), *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            env={
                **os.environ,
                "KUBECONFIG": str(self.kubeconfig),
                "HOME": str(self.kubeconfig.parent),
            },  # caches end with the server
        )
        if check:
            assert ended.returncode == 0, f"{program} {' '.join(arguments)}: {ended.stderr}"
        return ended


def folder() -> Path:
    """Where kubectl and helm are; they are built where they are not."""
    built = subprocess.run(
        [str(ROOT / "dev/cluster/build")], capture_output=True, text=True, check=False
    )
    assert built.returncode == 0, f"dev/cluster/build: {built.stderr[-2000:]}"
    return Path(built.stdout.split()[-1])


@contextmanager
def empty_control_plane() -> Iterator[Programs]:
    """An API server without the CRD; it ends with the block, or with this process."""
    found = folder()
    with tempfile.TemporaryDirectory(prefix="model-maintenance-tests-") as directory:
        place = ["--dir", directory]
        started = subprocess.run(
            [
                str(found / "mm-cluster"),
                "up",
                "--control-plane-only",
                *place,
                "--owner-pid",
                str(os.getpid()),
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        assert started.returncode == 0, f"mm-cluster up: {started.stderr}"
        try:
            yield Programs(found, Path(started.stdout.strip()))
        finally:
            subprocess.run(
                [str(found / "mm-cluster"), "down", *place],
                capture_output=True,
                text=True,
                check=True,
            )

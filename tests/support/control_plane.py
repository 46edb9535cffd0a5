"""A real API server with etcd and controllers, and no node: pods' parts are played by the test."""

import atexit
import contextlib
import functools
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support.pace import Allowance

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class ControlPlane:
    """A control plane that runs."""

    directory: Path
    programs: Path

    @property
    def kubeconfig(self) -> Path:
        """Of an administrator."""
        return self.directory / "kubeconfig"

    def kubectl(self, *arguments: str) -> str:
        """What kubectl prints."""
        return _run(
            [str(self.programs / "kubectl"), *arguments],
            {**os.environ, "KUBECONFIG": str(self.kubeconfig)},
        )

    def audit(self, namespace: str) -> Iterator[dict[str, Any]]:
        """The audit log's complete requests in a namespace, oldest first."""
        with (self.directory / "audit.jsonl").open(encoding="utf-8") as lines:
            for line in lines:
                if f'"{namespace}"' not in line or not line.endswith("\n"):
                    continue
                event = json.loads(line)
                reference = event.get("objectRef") or {}
                if reference.get("namespace") == namespace and event["stage"] == "ResponseComplete":
                    yield event

    def writes(self, namespace: str, agent: str = "model-maintenance-operator") -> list[str]:
        """The operator's writes that succeeded: ``create jobs name``, ``update x/status name``."""
        found = []
        for event in self.audit(namespace):
            reference = event["objectRef"]
            if (
                event["verb"] in {"create", "update", "patch", "delete"}
                and event.get("userAgent", "").startswith(agent)
                and event["responseStatus"]["code"] < 300
                and reference["resource"] != "events"
            ):
                kind = "/".join(
                    part for part in (reference["resource"], reference.get("subresource")) if part
                )
                found.append(f"{event['verb']} {kind} {reference.get('name', '')}")
        return found

    @property
    def api_server(self) -> int:
        """Its process id."""
        state = json.loads((self.directory / "state.json").read_text(encoding="utf-8"))
        return int(state["components"]["kube-apiserver"])

    @contextlib.contextmanager
    def without_api_server(self) -> Iterator[None]:
        """The API server is killed, and started again as it was when the block ends."""
        process = Path("/proc", str(self.api_server))
        command = (process / "cmdline").read_text(encoding="utf-8").rstrip("\0").split("\0")
        environment = (process / "environ").read_text(encoding="utf-8").rstrip("\0").split("\0")
        program = (process / "exe").readlink()
        os.kill(int(process.name), signal.SIGKILL)
        while process.exists():
            time.sleep(0.05)
        yield
        log = str(self.directory / "logs/kube-apiserver.log")
        os.posix_spawn(
            program,
            command,
            dict(pair.split("=", 1) for pair in environment),
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 1, log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644),
                (os.POSIX_SPAWN_DUP2, 1, 2),
            ],
            setsid=True,
        )
        _until_served(self)


@functools.cache
def control_plane() -> ControlPlane:
    """The one control plane of this process, which it outlives not: started at the first call."""
    plane = _start()
    atexit.register(_down, plane)
    return plane


@contextlib.contextmanager
def own_control_plane() -> Iterator[ControlPlane]:
    """One more, for a test that breaks it."""
    plane = _start()
    try:
        yield plane
    finally:
        _down(plane)  # what it killed is reaped with this process


def _start() -> ControlPlane:
    programs = Path(_run([str(ROOT / "dev/cluster/build")]).strip())
    directory = Path(tempfile.mkdtemp(prefix="model-maintenance-tests-"))
    plane = ControlPlane(directory, programs)
    _run(
        [
            str(programs / "mm-cluster"),
            "up",
            "--control-plane-only",
            "--controllers",
            "--audit-level",
            "Metadata",
            "--owner-pid",
            str(os.getpid()),
            "--dir",
            str(directory),
        ]
    )
    plane.kubectl("apply", "--server-side", "-f", str(ROOT / "manifests/crd"))
    _until_served(plane)
    return plane


def _until_served(plane: ControlPlane) -> None:
    """``kubectl wait`` fails on a CRD so fresh that it has no conditions: ask for the resources."""
    allowance = Allowance(30)
    while True:
        try:
            plane.kubectl("get", "modelmaintenances", "--all-namespaces")
        except RuntimeError:
            if allowance.used_up():
                raise
            time.sleep(0.1)
        else:
            return


def _down(plane: ControlPlane) -> None:
    _run([str(plane.programs / "mm-cluster"), "down", "--dir", str(plane.directory)])
    shutil.rmtree(plane.directory, ignore_errors=True)


def _run(command: list[str], environment: dict[str, str] | None = None) -> str:
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: exit code {done.returncode}\n{done.stderr}")
    return done.stdout

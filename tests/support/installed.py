"""The operator's real process with the rights of an installed service account, and no others."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from support.pace import Allowance
from support.programs import ROOT, Programs


@dataclass(frozen=True, slots=True)
class Installed:
    """An operator that runs and is ready."""

    url: str
    log: Path


def brought_along(folder: Path) -> str:
    """The least resource, with a model that is in service: it waits for no Prometheus."""
    body = yaml.safe_load((ROOT / "manifests/samples/minimal.yaml").read_text())
    body["spec"]["model"]["initialModel"] = {"storageUri": "pvc://models/by-hand"}
    file = folder / "sample.yaml"
    file.write_text(yaml.safe_dump(body))
    return str(file)


@contextmanager
def operator_as(
    cluster: Programs, account: tuple[str, str], arguments: Sequence[str], folder: Path
) -> Iterator[Installed]:
    """Run it as an account (namespace, name) as long as the block lasts; it must end well."""
    log = folder / "log"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    with log.open("w") as written:
        process = subprocess.Popen(
            [sys.executable, "-m", "maintenance_operator", *arguments, "--port", port],
            stdout=written,
            stderr=written,
            env={**os.environ, "KUBECONFIG": str(_kubeconfig(cluster, account, folder))},
        )
    try:
        url = f"http://127.0.0.1:{port}"
        until(lambda: _answers(f"{url}/readyz"), "ready", log)
        yield Installed(url, log)
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0, log.read_text()[-3000:]
    finally:
        process.kill()
        process.wait()


def _kubeconfig(cluster: Programs, account: tuple[str, str], folder: Path) -> Path:
    """A kubeconfig with nothing but the service account's token."""
    namespace, name = account
    token = cluster.kubectl("-n", namespace, "create", "token", name).stdout.strip()
    config = yaml.safe_load(cluster.kubeconfig.read_text())
    [user] = config["users"]
    user["user"] = {"token": token}
    path = folder / "kubeconfig"
    path.write_text(yaml.safe_dump(config))
    return path


def until(found: Callable[[], Any], what: str, log: Path | None = None) -> None:
    """Wait for a condition; a failure shows the end of the log."""
    allowance = Allowance(60)
    while not found():
        told = log.read_text()[-3000:] if log else ""
        assert not allowance.used_up(), f"{what}: not within a minute\n{told}"
        time.sleep(0.1)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as reply:  # noqa: S310 - our own loopback
            return reply.status == 200
    except (urllib.error.URLError, OSError):
        return False


def requests_of(cluster: Programs, account: tuple[str, str]) -> list[dict[str, Any]]:
    """What a service account asked of the API server, from the audit log."""
    user = "system:serviceaccount:" + ":".join(account)
    lines = (cluster.kubeconfig.parent / "audit.jsonl").read_text().splitlines()
    events = [json.loads(line) for line in lines if user in line and line.endswith("}")]
    return [
        event
        for event in events
        if event["user"]["username"] == user
        and "objectRef" in event
        and event["objectRef"].get("resource")
        and event["stage"] == "ResponseComplete"
    ]


def refused(events: Sequence[dict[str, Any]]) -> list[tuple[str, str]]:
    """Verb and place of the requests that were not allowed."""
    return [
        (event["verb"], event["requestURI"])
        for event in events
        if event["responseStatus"]["code"] in {401, 403}
    ]


def rights_of(cluster: Programs, account: tuple[str, str], namespace: str) -> dict[str, set[str]]:
    """Verbs by resource that a service account has there, but for reviews of itself."""
    listed = cluster.kubectl(
        *("auth", "can-i", "--list", "--namespace", namespace),
        *("--as", "system:serviceaccount:" + ":".join(account)),
        *("--as-group=system:serviceaccounts", "--as-group=system:authenticated"),
    ).stdout
    rights = {
        line.split()[0]: set(line[line.rindex("[") + 1 : -1].split())
        for line in listed.splitlines()[1:]
        if not line.startswith(" ")
    }
    return {name: verbs for name, verbs in rights.items() if not name.startswith("selfsubject")}

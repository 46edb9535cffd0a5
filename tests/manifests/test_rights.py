"""The operator's real process with the rights that the chart gives it, and no others."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.programs import ROOT, Programs

pytestmark = pytest.mark.api

NAMESPACE = "model-maintenance"
ACCOUNT = f"system:serviceaccount:{NAMESPACE}:model-maintenance"
SAMPLE = str(ROOT / "manifests/samples/minimal.yaml")


@pytest.fixture(scope="module")
def cluster(bare: Programs) -> Programs:
    """Everything of manifests/ is installed there; no controllers, so Jobs stay as they are."""
    rendered = bare.kubectl("kustomize", str(ROOT / "manifests")).stdout
    for _ in range(100):  # the CRD and the namespace first: not served at once
        if not bare.kubectl("apply", "-f", "-", stdin=rendered, check=False).returncode:
            return bare
        time.sleep(0.1)
    pytest.fail("manifests/ could not be applied, not even in the hundredth try")


def _as_operator(cluster: Programs, folder: Path) -> Path:
    """A kubeconfig with nothing but the service account's token."""
    token = cluster.kubectl("-n", NAMESPACE, "create", "token", "model-maintenance").stdout.strip()
    config = yaml.safe_load(cluster.kubeconfig.read_text())
    [user] = config["users"]
    user["user"] = {"token": token}
    path = folder / "kubeconfig"
    path.write_text(yaml.safe_dump(config))
    return path


def _until(found: Callable[[], Any], what: str, log: Path) -> None:
    deadline = time.monotonic() + 60
    while not found():
        assert time.monotonic() < deadline, (
            f"{what}: not within a minute\n{log.read_text()[-3000:]}"
        )
        time.sleep(0.1)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as reply:  # noqa: S310 - our own loopback
            return reply.status == 200
    except (urllib.error.URLError, OSError):
        return False


@pytest.fixture
def operator(cluster: Programs, tmp_path: Path) -> Iterator[Path]:
    """The operator, watching all namespaces; yields its log."""
    log, configuration = tmp_path / "log", tmp_path / "config.yaml"
    installed = yaml.safe_load((ROOT / "manifests/operator/config.yaml").read_text())
    servers = {"default": {"url": "http://127.0.0.1:9"}}  # nobody listens there
    configuration.write_text(yaml.safe_dump(installed | {"prometheusServers": servers}))
    [arguments] = [
        container["args"]
        for container in yaml.safe_load((ROOT / "manifests/operator/deployment.yaml").read_text())[
            "spec"
        ]["template"]["spec"]["containers"]
    ]
    arguments = [part.replace("/etc/model-maintenance", str(tmp_path)) for part in arguments]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    with log.open("w") as written:
        process = subprocess.Popen(
            [sys.executable, "-m", "maintenance_operator", *arguments, "--port", port],
            stdout=written,
            stderr=written,
            env={**os.environ, "KUBECONFIG": str(_as_operator(cluster, tmp_path))},
        )
    try:
        _until(lambda: _answers(f"http://127.0.0.1:{port}/readyz"), "ready", log)
        yield log
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0, log.read_text()[-3000:]
    finally:
        process.kill()
        process.wait()


def _requests(cluster: Programs) -> list[dict[str, Any]]:
    """What the operator asked of the API server, from the audit log."""
    lines = (cluster.kubeconfig.parent / "audit.jsonl").read_text().splitlines()
    events = [json.loads(line) for line in lines if ACCOUNT in line and line.endswith("}")]
    return [
        event
        for event in events
        if event["user"]["username"] == ACCOUNT
        and "objectRef" in event
        and event["objectRef"].get("resource")
        and event["stage"] == "ResponseComplete"
    ]


def test_the_operator_works_with_the_rights_it_is_given(cluster: Programs, operator: Path) -> None:
    """It begins a run and, suspended, stops it: nothing is forbidden to it on the way."""

    def jobs() -> str:
        return cluster.kubectl("get", "jobs", "-o", "name").stdout

    def told() -> set[str]:
        reasons = cluster.kubectl("get", "events", "-o", "jsonpath={.items[*].reason}").stdout
        return set(reasons.split())

    cluster.kubectl("apply", "-f", SAMPLE)
    _until(jobs, "a Job for the first run", operator)
    cluster.kubectl("patch", "-f", SAMPLE, "--type=merge", "-p", '{"spec": {"suspend": true}}')
    _until(lambda: not jobs(), "the Job stopped", operator)
    _until(lambda: {"DiagnosisStarted", "RunStopped"} <= told(), "the Events", operator)

    asked = _requests(cluster)
    refused = [
        (event["verb"], event["requestURI"])
        for event in asked
        if event["responseStatus"]["code"] in {401, 403}
    ]
    used = {(event["verb"], event["objectRef"]["resource"]) for event in asked}
    assert refused == []
    assert {
        ("list", "modelmaintenances"),
        ("create", "jobs"),
        ("delete", "jobs"),
        ("list", "pods"),
        ("update", "modelmaintenances"),
        ("create", "events"),
    } <= used

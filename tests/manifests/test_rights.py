"""The operator's real process with the rights that the chart gives it, and no others."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from support.installed import brought_along, operator_as, refused, requests_of, until
from support.programs import ROOT, Programs

pytestmark = pytest.mark.api

NAMESPACE = "model-maintenance"
ACCOUNT = (NAMESPACE, "model-maintenance")


@pytest.fixture(scope="module")
def cluster(bare: Programs) -> Programs:
    """Everything of manifests/ is installed there; no controllers, so Jobs stay as they are."""
    rendered = bare.kubectl("kustomize", str(ROOT / "manifests")).stdout
    for _ in range(100):  # the CRD and the namespace first: not served at once
        if not bare.kubectl("apply", "-f", "-", stdin=rendered, check=False).returncode:
            return bare
        time.sleep(0.1)
    pytest.fail("manifests/ could not be applied, not even in the hundredth try")


@pytest.fixture
def operator(cluster: Programs, tmp_path: Path) -> Iterator[Path]:
    """The operator, watching all namespaces; yields its log."""
    configuration = tmp_path / "config.yaml"
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
    with operator_as(cluster, ACCOUNT, arguments, tmp_path) as running:
        yield running.log


def test_the_operator_works_with_the_rights_it_is_given(
    cluster: Programs, operator: Path, tmp_path: Path
) -> None:
    """It begins a run and, suspended, stops it: nothing is forbidden to it on the way."""

    def jobs() -> str:
        return cluster.kubectl("get", "jobs", "-o", "name").stdout

    def told() -> set[str]:
        reasons = cluster.kubectl("get", "events", "-o", "jsonpath={.items[*].reason}").stdout
        return set(reasons.split())

    sample = brought_along(tmp_path)
    cluster.kubectl("apply", "-f", sample)
    until(jobs, "a Job for the first run", operator)
    cluster.kubectl("patch", "-f", sample, "--type=merge", "-p", '{"spec": {"suspend": true}}')
    until(lambda: not jobs(), "the Job stopped", operator)
    until(lambda: {"DiagnosisStarted", "RunStopped"} <= told(), "the Events", operator)

    asked = requests_of(cluster, ACCOUNT)
    used = {(event["verb"], event["objectRef"]["resource"]) for event in asked}
    assert refused(asked) == []
    assert {
        ("list", "modelmaintenances"),
        ("create", "jobs"),
        ("delete", "jobs"),
        ("list", "pods"),
        ("update", "modelmaintenances"),
        ("create", "events"),
    } <= used

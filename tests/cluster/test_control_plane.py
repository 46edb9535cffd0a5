"""The control plane alone: no root, seconds, any number at once."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from cluster.command import ROOT, Cluster
from cluster.traces import processes
from support.pace import Allowance

ALONE = "--control-plane-only"


def eventually(check: Callable[[], bool], seconds: float = 15) -> bool:
    allowance = Allowance(seconds)
    while not allowance.used_up():
        if check():
            return True
        time.sleep(0.1)
    return check()


def test_it_is_up_in_seconds_without_root_again_up_is_nothing_and_down_leaves_no_process(
    stranger: Cluster,
) -> None:
    allowance = Allowance(30)  # 5 s on a quiet machine
    stranger.up(ALONE)
    assert not allowance.used_up()
    components = stranger.components
    assert set(components) == {"etcd", "kube-apiserver"}
    owners = {os.stat(f"/proc/{pid}").st_uid for pid in components.values()}  # noqa: PTH116
    assert owners == {65534}

    assert "already up" in stranger.up(ALONE)
    assert stranger.components == components
    assert stranger.kubectl("get", "--raw", "/readyz") == "ok"

    stranger.down()
    assert processes(stranger.directory) == []
    assert not (stranger.directory / "kubeconfig").exists()


def test_two_at_once_are_apart_and_the_audit_log_holds_as_much_as_asked_for(
    stranger: Cluster,
) -> None:
    other = replace(stranger, directory=stranger.directory.with_name("other"))
    try:
        with ThreadPoolExecutor() as pool:
            list(
                pool.map(lambda c: c.up(ALONE, "--audit-level=RequestResponse"), [stranger, other])
            )
        stranger.kubectl("create", "configmap", "only-here", "--from-literal=key=value")
        assert other.get("configmaps")["items"] == []

        path = stranger.mm_cluster("audit-log").stdout.strip()
        with open(path, encoding="utf-8") as lines:  # noqa: PTH123
            events = [json.loads(line) for line in lines]
        [created] = [
            event
            for event in events
            if event["verb"] == "create" and event["objectRef"].get("name") == "only-here"
        ]
        assert created["requestObject"]["data"] == {"key": "value"}
        assert not [event for event in events if event["requestURI"].startswith("/readyz")]
    finally:
        other.down()


def test_with_controllers_a_job_gets_its_pod_and_a_killed_component_makes_up_start_anew(
    stranger: Cluster,
) -> None:
    stranger.up(ALONE, "--controllers")
    stranger.kubectl("create", "job", "work", "--image=none")
    assert eventually(lambda: len(stranger.get("pods")["items"]) == 1)

    os.kill(stranger.components["kube-apiserver"], signal.SIGKILL)
    status = stranger.mm_cluster("status")
    assert status.returncode == 3
    assert "DEAD" in status.stdout

    stranger.up(ALONE)
    assert stranger.get("jobs")["items"] == []


def test_it_ends_with_its_owner(stranger: Cluster) -> None:
    with subprocess.Popen(["sleep", "600"]) as owner:
        stranger.up(ALONE, f"--owner-pid={owner.pid}")
        assert processes(stranger.directory)
        owner.kill()
    assert eventually(lambda: processes(stranger.directory) == [])


@pytest.mark.parametrize(
    "flags,message",
    [
        (["--audit-level=Everything"], "write one of None, Metadata, Request, RequestResponse"),
        (["--gpus=-1"], "--gpus: -1 is negative; write 0 or more"),
        (["--controllers"], "--controllers belongs to --control-plane-only"),
        (["--owner-pid=1"], "--owner-pid belongs to --control-plane-only"),
        (["--gpu=1"], '"mm-cluster up --help" lists the flags'),
        (["now"], 'unexpected argument "now"; flags start with --'),
        ([], "root: run it as root, or use --control-plane-only"),
    ],
)
def test_what_cannot_be_is_refused_with_what_to_write_instead(
    stranger: Cluster, flags: list[str], message: str
) -> None:
    done = stranger.mm_cluster("up", *flags)
    assert done.returncode == 1
    assert message in done.stderr


def test_status_says_how_to_start_one(stranger: Cluster) -> None:
    done = stranger.mm_cluster("status")
    assert done.returncode == 3
    assert 'start one with "mm-cluster up"' in done.stderr


def test_the_pure_parts_pass_their_own_tests() -> None:
    done = subprocess.run(
        ["bash", "-c", "source ../go-flags && go test ./internal/..."],
        cwd=ROOT / "dev/cluster",
        capture_output=True,
        text=True,
        check=False,
    )
    sys.stdout.write(done.stdout)
    assert done.returncode == 0, done.stderr

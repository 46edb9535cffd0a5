"""``kubectl mm`` against a real API server: status, history, and how it starts."""

import asyncio
import os
import re
import subprocess
import sys
from copy import deepcopy
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.api import Api, path, until
from support.bodies import CHAMPION, DECISION, DOWN, FOLLOWED, READ, RUN, condition, entry
from support.control_plane import ControlPlane
from support.objects import resource
from support.plugin import Plugin
from support.prometheus import PrometheusServer, seen
from support.story import LOW

TRAINING = condition("Training", "True", "Running")


@pytest.fixture
def mm(plane: ControlPlane, namespace: str) -> Plugin:
    return Plugin(plane.kubeconfig, namespace)


async def with_status(api: Api, namespace: str, name: str, **status: Any) -> dict[str, Any]:
    """A resource on which an operator has worked."""
    made = await api.create(path("modelmaintenances", namespace), resource(name, query=LOW))
    made["status"] = {
        "observedGeneration": made["metadata"]["generation"],
        "conditions": [FOLLOWED, READ, DOWN, TRAINING],
        "champion": CHAMPION,
        **deepcopy(status),
    }
    return await api.put(path("modelmaintenances", namespace, name, "status"), made)


def job(name: str) -> dict[str, Any]:
    return {
        "metadata": {"name": name},
        "spec": {
            "template": {
                "spec": {
                    "restartPolicy": "Never",
                    "containers": [{"name": "trainer", "image": "trainer"}],
                }
            },
        },
    }


async def test_one_is_explained_with_the_deadline_of_its_job(
    api: Api, namespace: str, mm: Plugin
) -> None:
    history = [entry()]
    await with_status(api, namespace, "news", run=RUN, decision=DECISION, history=history)
    await api.create(path("jobs", namespace), job(RUN["jobName"]))

    async def begun() -> Any:
        found = await api.get(path("jobs", namespace, RUN["jobName"]))
        pods = (await api.get(path("pods", namespace)))["items"]
        return found["status"].get("startTime") and pods

    [pod] = await until(begun, 30, "the Job has begun")
    waits = await mm("status", "news")
    assert " at the latest" not in waits.out, "its time runs when its pod does"
    name = pod["metadata"]["name"]
    begun_at = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    trainer = {"name": "trainer", "image": "x", "imageID": "", "ready": True, "restartCount": 0}
    running = {**trainer, "state": {"running": {"startedAt": begun_at}}}
    phase = {"phase": "Running", "containerStatuses": [running]}
    await api.patch(path("pods", namespace, name, "status"), {"status": phase})
    done = await mm("status", "news")
    assert done.code == 0, done.err
    assert done.out.startswith(f"{namespace}/news is training a new version.\n")
    told = " ".join(done.out.split())
    assert "Run 7, Train (FineTune)" in told
    assert re.search(r"in (3h5\dm|4h) at the latest", told), told
    assert "You nothing to do." in told


async def test_several_in_a_table_and_for_machines(api: Api, namespace: str, mm: Plugin) -> None:
    await with_status(api, namespace, "busy", run=RUN, decision=DECISION)
    await api.create(path("modelmaintenances", namespace), resource("fresh", query=LOW))
    done = await mm("status")
    assert done.code == 0, done.err
    assert [line.split()[:2] for line in done.out.splitlines()[:3]] == [
        ["NAME", "STATE"],
        ["busy", "Training"],
        ["fresh", "Unseen"],
    ]
    everywhere = await mm("status", "-A", "-o", "yaml")
    items = yaml.safe_load(everywhere.out)["items"]
    here = {item["name"]: item["state"] for item in items if item["namespace"] == namespace}
    assert here == {"busy": "Training", "fresh": "Unseen"}


async def test_a_reading_made_now(
    api: Api, namespace: str, mm: Plugin, prometheus_server: PrometheusServer
) -> None:
    await seen(prometheus_server, f"{LOW} offset 5s")
    await with_status(api, namespace, "news")
    done = await mm("status", "news", "--prometheus", prometheus_server.url)
    assert done.code == 0, done.err
    assert "Performance   0.5, floor 0.9, read " in done.out
    assert "1 of 1 readings are bad" in " ".join(done.out.split())


async def test_history(api: Api, namespace: str, mm: Plugin) -> None:
    await with_status(api, namespace, "news", history=[entry(6), entry(5, version=5)])
    table = await mm("history", "news")
    assert [line.split()[0] for line in table.out.splitlines()] == ["RUN", "6", "5"]
    one = await mm("history", "news", "--run", "5", "-o", "json")
    assert yaml.safe_load(one.out)["version"] == 5
    missing = await mm("history", "news", "--run", "4")
    assert missing.code == 2
    assert "there are: 6, 5" in missing.err


@pytest.mark.parametrize(
    "arguments, part",
    [
        (("status", "nobody"), "there is no ModelMaintenance nobody"),
        (("history", "nobody"), "kubectl mm status -A"),
        (("logs", "nobody"), "there is no ModelMaintenance nobody"),
        (("status", "news", "-A"), "-A and NAME exclude each other"),
        (("status", "--live"), "write a NAME"),
        (("status", "--context", "elsewhere"), "kubectl config get-contexts"),
    ],
)
async def test_what_cannot_be_done_says_what_to_write(
    mm: Plugin, arguments: tuple[str, ...], part: str
) -> None:
    done = await mm(*arguments)
    assert done.code == 2, done.out
    assert done.err.startswith("error: ")
    assert part in done.err


async def test_an_empty_namespace_is_no_error(mm: Plugin, namespace: str) -> None:
    done = await mm("status")
    assert (done.code, done.out) == (0, "")
    assert done.err == f"No ModelMaintenance in namespace {namespace}.\n"


async def test_a_cluster_without_the_kind_is_told(
    api: Api, plane: ControlPlane, tmp_path: Path
) -> None:
    config = yaml.safe_load(plane.kubeconfig.read_text())
    config["clusters"][0]["cluster"]["server"] += "/no-such-prefix"
    elsewhere = tmp_path / "kubeconfig"
    elsewhere.write_text(yaml.safe_dump(config))
    done = await Plugin(elsewhere, "default")("status")
    assert done.code == 2
    assert "does this cluster have the CRD of ModelMaintenance?" in done.err


async def test_the_contexts_namespace_is_the_default(
    api: Api, namespace: str, plane: ControlPlane, tmp_path: Path
) -> None:
    config = yaml.safe_load(plane.kubeconfig.read_text())
    context = config["contexts"][0]
    other = {"name": "theirs", "context": {**context["context"], "namespace": namespace}}
    config["contexts"].append(other)
    file = tmp_path / "kubeconfig"
    file.write_text(yaml.safe_dump(config))
    before = file.read_bytes()
    await with_status(api, namespace, "news")
    command = [sys.executable, "-m", "maintenance_operator.cli", "status", "--context", "theirs"]
    done = await asyncio.to_thread(
        subprocess.run,
        command,
        env={**os.environ, "KUBECONFIG": str(file)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[1].split()[0] == "news"
    assert file.read_bytes() == before


async def test_a_reader_that_goes_away_is_no_error(
    api: Api, namespace: str, plane: ControlPlane
) -> None:
    await with_status(api, namespace, "news", history=[entry()])
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", "maintenance_operator.cli", "history", "news", "-n", namespace]
    done = await asyncio.to_thread(
        subprocess.run,
        command,
        env={**os.environ, "KUBECONFIG": str(plane.kubeconfig)},
        stdout=write,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(write)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("verb", [(), ("status",), ("history",), ("logs",), ("check",)])
async def test_help_teaches(verb: tuple[str, ...], tmp_path: Path) -> None:
    done = await Plugin(tmp_path, "finance")(*verb, "--help")
    assert done.code == 0
    assert "kubectl mm check -f resource.yaml" in done.out

"""Killed after any change, twice at once: the same end, and never a second Job.

The operator is killed just after the API server has carried out its k-th change and before it
hears of it, for every k of an undisturbed story; then it is started again.
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from support.api import Api, path
from support.control_plane import ControlPlane
from support.kubelet import Kubelet
from support.objects import resource
from support.operator import OperatorProcess, operator
from support.prometheus import PrometheusServer, seen
from support.proxy import Proxy
from support.story import HIGH, LOW, in_service, until_version
from support.trainer import Trainer

pytestmark = [pytest.mark.api, pytest.mark.slow, pytest.mark.timeout(900)]

AT_ONCE = 4
"""Stories at a time: each starts Python twice."""


@dataclass
class Story:
    """One resource's way to its next version, in a namespace of its own."""

    namespace: str
    trainer: Trainer
    version: int


async def first_run(api: Api, namespace: str) -> Story:
    await api.create(path("modelmaintenances", namespace), resource(query=HIGH))
    return Story(namespace, Trainer(), 1)


async def performance_drop(api: Api, namespace: str) -> Story:
    return Story(namespace, await in_service(api, namespace, query=LOW), 2)


async def model_brought_along(api: Api, namespace: str) -> Story:
    story = resource(query=HIGH)
    story["spec"]["model"]["initialModel"] = {"storageUri": "pvc://models/before"}
    await api.create(path("modelmaintenances", namespace), story)
    return Story(namespace, Trainer(), 1)


BEGINNINGS = {
    "first run": first_run,
    "model brought along": model_brought_along,
    "performance drop": performance_drop,
}


@contextlib.asynccontextmanager
async def own_namespace(api: Api, name: str) -> AsyncIterator[str]:
    await api.create("/api/v1/namespaces", {"metadata": {"name": name}})
    yield name
    await api.delete(f"/api/v1/namespaces/{name}")


async def ends_well(api: Api, plane: ControlPlane, story: Story) -> dict[str, Any]:
    """Wait for the story's end and check what must hold then."""
    status = await until_version(api, story.namespace, story.version)
    await asyncio.sleep(1)  # time to do something foolish afterwards
    writes = plane.writes(story.namespace)
    jobs = Counter(write for write in writes if write.startswith("create jobs"))
    assert len(jobs) == 2, f"a diagnosis and a training: {jobs}"
    assert set(jobs.values()) == {1}, f"never a second Job: {jobs}"
    assert len(story.trainer.trained) == story.version, "trained once"
    assert [entry["outcome"] for entry in status["history"]] == ["Promoted"]
    return essence(status)


def essence(status: dict[str, Any]) -> dict[str, Any]:
    """The end of a story without what differs between two tellings: times and readings."""
    transitions_to_log = {"startTime", "endTime", "message"}
    return {
        "champion": {k: v for k, v in status["champion"].items() if k != "promotedTime"},
        "decision": {
            k: status["decision"][k] for k in ("number", "trigger", "action", "reason", "rejected")
        },
        "history": [
            {k: v for k, v in entry.items() if k not in transitions_to_log}
            for entry in status["history"]
        ],
        "conditions": {
            c["type"]: (c["status"], c["reason"])
            for c in status["conditions"]
            if c["type"] in {"Ready", "Training", "Stalled"}
        },
        "generation": status["observedGeneration"],
    }


async def told(
    api: Api,
    plane: ControlPlane,
    beginning: str,
    servers: dict[str, str],
    directory: Path,
    kill_after: int | None,
) -> tuple[dict[str, Any], list[str]]:
    """Tell a story, with one kill or none; returns its end and the changes made."""
    name = f"crash-{beginning.replace(' ', '-')}-{kill_after or 'never'}"
    async with own_namespace(api, name) as namespace, Proxy(api).running() as proxy:
        story = await BEGINNINGS[beginning](api, namespace)
        kubeconfig = proxy.kubeconfig(directory)
        async with (
            Kubelet(api, namespace, story.trainer).running(),
            operator(kubeconfig, namespace, servers, wait=False) as process,
        ):
            killed = asyncio.Event()
            proxy.cut_after = kill_after
            proxy.cut = lambda: (process.kill(), killed.set())[1]
            if kill_after is not None:
                await asyncio.wait_for(killed.wait(), 300)
                assert await process.ended() == -9
                await process.start()
            end = await ends_well(api, plane, story)
            assert process.complaints() == []
            return end, list(proxy.changes)


@pytest.mark.parametrize("beginning", list(BEGINNINGS))
async def test_killed_after_each_change_the_end_is_the_same(
    api: Api,
    plane: ControlPlane,
    prometheus_server: PrometheusServer,
    tmp_path: Path,
    beginning: str,
) -> None:
    await seen(prometheus_server, f"{LOW} offset 5s", 60)
    servers = {"default": prometheus_server.url}
    undisturbed, changes = await told(api, plane, beginning, servers, tmp_path, None)
    assert 6 <= len(changes) <= 12, changes
    slots = asyncio.Semaphore(AT_ONCE)
    ends: dict[int, Any] = {}

    async def tell(number: int) -> None:
        async with slots:
            try:
                ends[number], _ = await told(api, plane, beginning, servers, tmp_path, number)
            except Exception as error:  # noqa: BLE001 - all kills are told, then judged
                ends[number] = error

    await asyncio.gather(*(tell(number) for number in range(1, len(changes) + 1)))
    wrong = [
        f"killed after {number}, {changes[number - 1]}: {ends[number]!r}"
        for number in sorted(ends)
        if ends[number] != undisturbed
    ]
    assert not wrong, "\n".join(["instead of", repr(undisturbed), *wrong])


@pytest.mark.parametrize("beginning", list(BEGINNINGS))
async def test_two_operators_at_once_end_as_one(
    api: Api,
    plane: ControlPlane,
    namespace: str,
    prometheus_server: PrometheusServer,
    beginning: str,
) -> None:
    await seen(prometheus_server, f"{LOW} offset 5s", 60)
    servers = {"default": prometheus_server.url}
    async with (
        operator(plane.kubeconfig, namespace, servers) as one,
        operator(plane.kubeconfig, namespace, servers) as other,
    ):
        story = await BEGINNINGS[beginning](api, namespace)
        async with Kubelet(api, namespace, story.trainer).running():
            await ends_well(api, plane, story)
        assert_quiet(one, other)


def assert_quiet(*processes: OperatorProcess) -> None:
    """Losing a write to the other is ordinary: nobody is told."""
    for process in processes:
        assert process.complaints() == []
        warnings = [line["message"] for line in process.log() if line["level"] == "warning"]
        assert not [text for text in warnings if "The pass failed" in text]

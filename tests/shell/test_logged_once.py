"""Each change of state is one line in the log, and carries what it is about."""

from collections import Counter

import pytest
from support.api import Api, until
from support.control_plane import ControlPlane
from support.kubelet import Kubelet
from support.operator import OperatorProcess, operator
from support.prometheus import PrometheusServer, seen
from support.story import LOW, in_service, until_condition, until_version

pytestmark = [pytest.mark.api, pytest.mark.slow, pytest.mark.timeout(900)]

ONCE = (
    "ChampionAdopted: Version 1",
    "DiagnosisStarted: Run 1",
    "created Job",
    "Decided: Run 1",
    "TrainingStarted: Run 1",
    "Promoted: Run 1",
    "Degraded is Unknown (NewVersion)",
    "ChampionProjected: ConfigMap news-champion names version 2",
    "Ready is True (Watching)",
    "Training is False (Diagnosing)",
    "Training is True (",
    "Training is False (Idle)",
)


async def test_a_story_is_logged_line_by_line(
    api: Api, plane: ControlPlane, namespace: str, prometheus_server: PrometheusServer
) -> None:
    await seen(prometheus_server, f"{LOW} offset 5s")
    servers = {"default": prometheus_server.url}
    async with operator(plane.kubeconfig, namespace, servers) as process:
        trainer = await in_service(api, namespace, query=LOW)
        async with Kubelet(api, namespace, trainer).running():
            await until_version(api, namespace, 2)
            await until_condition(api, namespace, "news", "Degraded", "BelowThreshold")
            await until_condition(api, namespace, "news", "MetricsAvailable", "Reading")
            await looks_twice(process)
        lines = [line for line in process.log() if line.get("name") == "news"]
    written = [line["message"] for line in lines if line["level"] in {"info", "warning"}]
    down = [message for message in written if message.startswith("Degraded: Performance")]
    assert len(down) == 2, "the metric stays where it is, so both versions are"
    written = [message for message in written if message not in down]
    told = Counter(part for message in written for part in ONCE if message.startswith(part))
    told["created Job"] //= 2  # diagnosis and training
    # Queued may be seen, or not: then the first look finds the pod running.
    told["Training is True ("] = min(told["Training is True ("], 1)
    assert told == dict.fromkeys(ONCE, 1), "\n".join(written)
    assert len(written) == len(set(written)), "\n".join(written)
    assert all(line["namespace"] == namespace for line in lines)


async def looks_twice(process: OperatorProcess) -> None:
    """Two more readings: what was to be logged before them is in the log."""

    def readings() -> int:
        return sum(line["message"] == "Prometheus replied" for line in process.log())

    enough = readings() + 2

    async def looked() -> bool:
        return readings() >= enough

    await until(looked, 30, "two more readings")

"""What is measured in: an API server, a Prometheus, resources, and pods that play a training."""

import asyncio
import contextlib
import json
import random
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, TypeVar

import yaml
from support.api import Api, path
from support.control_plane import ROOT, ControlPlane, control_plane
from support.kubelet import Kubelet
from support.objects import resource
from support.prometheus import Exporter, PrometheusServer, prometheus
from support.trainer import Ending, Trainer

from maintenance_contract import TrainingRequest
from maintenance_contract.codec import digest

NAMESPACE: Final = "measured"
OPERATOR_NAMESPACE: Final = "model-maintenance"
USER: Final = f"system:serviceaccount:{OPERATOR_NAMESPACE}:model-maintenance"
INTERVAL: Final = 5
"""Seconds between readings of a steady resource: the shortest that the schema allows."""
FALLING_INTERVALS: Final = (5, 6, 7, 8, 9)
"""Different, so that breaches come one by one rather than all at the same reading."""
SHARED_BY: Final = 10
"""So many steady resources ask the same query and pick their series by a label."""
Item = TypeVar("Item")

AT_ONCE: Final = 16
BAND: Final = (0.92, 0.98)
FALLEN: Final = (0.4, 0.6)
POD_SECONDS: Final = (0.2, 2.0)


@dataclass(frozen=True)
class Resource:
    """One ModelMaintenance."""

    name: str
    query: str
    series: str
    match: dict[str, str]
    interval: int
    falls: bool

    @property
    def body(self) -> dict[str, Any]:
        """As it is created."""
        metrics = {
            "interval": f"{self.interval}s",
            "performance": {
                "query": self.query,
                "match": self.match,
                "thresholdRange": {"min": 0.9},
                "breach": {"count": 1, "of": 1},
            },
        }
        # All rounds together ask more trainings of a resource than the default allows in a week.
        limits = {"cooldown": "1s", "runs": {"max": 10, "per": "168h"}}
        return resource(self.name, metrics=metrics, limits=limits)

    @property
    def champion(self) -> dict[str, Any]:
        """The ConfigMap by which the operator takes over the model that is in service."""
        champion = {
            "version": 1,
            "storageUri": f"pvc://models/{self.name}/versions/1",
            "digest": digest(f"{self.name} 1"),
            "action": "Retrain",
            "promotedTime": (datetime.now(UTC) - timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        return {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
                "name": f"{self.name}-champion",
                "labels": {"app.kubernetes.io/managed-by": "model-maintenance"},
            },
            "data": {
                "storageUri": champion["storageUri"],
                "version": "1",
                "digest": champion["digest"],
                "champion.json": json.dumps(champion),
            },
        }


def population(steady: int, falling: int) -> list[Resource]:
    """Resources whose metric stays in its band, and resources whose metric can fall."""
    resources = []
    for number in range(steady):
        name, group = f"steady-{number:04}", number // SHARED_BY
        resources.append(
            Resource(
                name,
                f'model_accuracy{{group="{group}"}}',
                f'model_accuracy{{group="{group}",model="{name}"}}',
                {"model": name},
                INTERVAL,
                falls=False,
            )
        )
    for number in range(falling):
        name = f"falling-{number:03}"
        series = f'model_accuracy{{model="{name}"}}'
        interval = FALLING_INTERVALS[number % len(FALLING_INTERVALS)]
        resources.append(Resource(name, series, series, {}, interval, falls=True))
    return resources


@dataclass
class World:
    """What runs, and what was seen of it."""

    plane: ControlPlane
    api: Api
    prometheus: PrometheusServer
    exporter: Exporter
    resources: list[Resource]
    kubeconfig: Path
    """Of the operator: its own service account with the rights that it ships with."""
    fallen: set[str] = field(default_factory=set)
    breaches: dict[tuple[str, int], float] = field(default_factory=dict)
    """(resource, run) → time of the reading that completed the breach."""
    training: set[str] = field(default_factory=set)
    """Resources with a live run."""
    adopted: set[str] = field(default_factory=set)
    """Resources whose status names a champion."""

    @property
    def queries(self) -> dict[str, int]:
        """Each distinct query → seconds between its readings."""
        return {each.query: each.interval for each in self.resources}

    @property
    def falling(self) -> list[Resource]:
        """Those that can fall."""
        return [each for each in self.resources if each.falls]

    def audit_log(self) -> Iterator[dict[str, Any]]:
        """The records so far."""
        with (self.plane.directory / "audit.jsonl").open(encoding="utf-8") as lines:
            yield from (json.loads(line) for line in lines if line.endswith("\n"))

    async def wobble(self) -> None:
        """Move every metric each second: within its band, or far below it where it has fallen."""
        chance = random.Random(0)  # noqa: S311 - noise, not a secret
        while True:
            for each in self.resources:
                span = FALLEN if each.name in self.fallen else BAND
                self.exporter[each.series] = round(chance.uniform(*span), 4)
            await asyncio.sleep(1)

    async def follow(self) -> None:
        """Note what status says, as everybody sees it who watches."""
        async for kind, body in self.api.watch(path("modelmaintenances", NAMESPACE)):
            name, status = body["metadata"]["name"], body.get("status") or {}
            run = status.get("run") if kind != "DELETED" else None
            if status.get("champion"):
                self.adopted.add(name)
            if run is None:
                self.training.discard(name)
                continue
            self.training.add(name)
            if (breach := run.get("trouble")) is not None:
                time = datetime.fromisoformat(breach["observedTime"]).timestamp()
                self.breaches.setdefault((name, run["number"]), time)


class Pods:
    """Plays all pods: each works a moment, then reports what a trainer would."""

    def __init__(self) -> None:
        self._trainers: dict[str, Trainer] = {}
        self._chance = random.Random(1)  # noqa: S311 - durations, not a secret

    async def __call__(self, request: TrainingRequest) -> Ending:
        """How a container ends."""
        trainer = self._trainers.setdefault(request.resource.name, Trainer(trained=[0]))
        await asyncio.sleep(self._chance.uniform(*POD_SECONDS))
        return trainer(request)


@contextlib.asynccontextmanager
async def world(resources: list[Resource], directory: Path) -> AsyncIterator[World]:
    """Everything but the operator, for as long as the block lasts."""
    plane = await asyncio.to_thread(control_plane)
    async with contextlib.AsyncExitStack() as stack:
        api = await stack.enter_async_context(Api(plane.kubeconfig))
        kubeconfig = await asyncio.to_thread(install, plane, directory)
        exporter = Exporter()
        stack.callback(exporter.close)
        server = await asyncio.to_thread(stack.enter_context, prometheus(exporter))
        made = World(plane, api, server, exporter, resources, kubeconfig)
        await api.create(
            "/api/v1/namespaces",
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}},
        )
        await _create(made)
        await stack.enter_async_context(Kubelet(api, NAMESPACE, Pods()).running())
        for work in (made.wobble(), made.follow()):
            stack.push_async_callback(_ended, asyncio.create_task(work))
        yield made


async def _ended(task: asyncio.Task[None]) -> None:
    """Stop it; if it has died before, say of what."""
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


def install(plane: ControlPlane, directory: Path) -> Path:
    """The operator's rights; returns a kubeconfig with its token."""
    plane.kubectl("create", "namespace", OPERATOR_NAMESPACE)
    plane.kubectl("apply", "-n", OPERATOR_NAMESPACE, "-f", str(ROOT / "manifests/rbac"))
    file = directory / "operator.kubeconfig"
    return kubeconfig_of(plane, OPERATOR_NAMESPACE, "model-maintenance", file)


def kubeconfig_of(plane: ControlPlane, namespace: str, account: str, file: Path) -> Path:
    """Write one with a token of the ServiceAccount's; returns the file."""
    token = plane.kubectl("create", "token", account, "-n", namespace, "--duration", "2h").strip()
    config = yaml.safe_load(plane.kubeconfig.read_text(encoding="utf-8"))
    config["users"][0]["user"] = {"token": token}
    file.write_text(yaml.safe_dump(config), encoding="utf-8")
    file.chmod(0o600)
    return file


async def _create(made: World) -> None:
    async def one(each: Resource) -> None:
        await made.api.create(path("configmaps", NAMESPACE), each.champion)
        await made.api.create(path("modelmaintenances", NAMESPACE), each.body)

    await few_at_once(AT_ONCE, one, made.resources)


async def few_at_once(
    most: int, call: Callable[[Item], Awaitable[None]], items: Iterable[Item]
) -> None:
    """Call for every item, for so many at the same time."""
    slots = asyncio.Semaphore(most)

    async def one(item: Item) -> None:
        async with slots:
            await call(item)

    await asyncio.gather(*map(one, items))


def keep_logs(made: World, operator_log: Path, to: Path) -> None:
    """Copy the raw logs, for whoever wants to look behind a figure."""
    to.mkdir(parents=True, exist_ok=True)
    for log in (made.plane.directory / "audit.jsonl", operator_log):
        shutil.copy(log, to / log.name)

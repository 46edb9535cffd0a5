"""Many resources in service for long: each with its champion, ten runs behind it, and a series."""

import asyncio
import contextlib
import hashlib
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final

from support.api import Api, path
from support.control_plane import ControlPlane
from support.objects import resource
from support.prometheus import Exporter, PrometheusServer, prometheus
from world import NAMESPACE, few_at_once

from maintenance_contract import TrainingAction
from maintenance_core import status as status_json
from maintenance_core.lifecycle import projection
from maintenance_core.lifecycle.jobs import Identity, TrainerImage
from maintenance_core.lifecycle.next_effect import next_effect
from maintenance_core.lifecycle.observation import Observation
from maintenance_core.model import (
    Action,
    Champion,
    Healthy,
    HistoryEntry,
    Reading,
    RunOutcome,
    Status,
    Trigger,
    WriteStatus,
)
from maintenance_core.spec import parse

QUERY: Final = "model_accuracy"
"""One text for all: each picks its series by a label."""
HISTORY: Final = 10
AT_ONCE: Final = 24
BAND: Final = (0.92, 0.98)
FALLEN: Final = 0.5
WOBBLE_SECONDS: Final = 2.0
PROMOTED: Final = datetime.now(UTC).replace(microsecond=0) - timedelta(days=3)


def name_of(number: int) -> str:
    """Of a resource and of its series' label ``model``."""
    return f"model-{number:05}"


def body_of(number: int, interval: int) -> dict[str, Any]:
    """A ModelMaintenance as it is created."""
    name = name_of(number)
    metrics = {
        "interval": f"{interval}s",
        "performance": {
            "query": QUERY,
            "match": {"model": name},
            "thresholdRange": {"min": 0.9},
            "breach": {"count": 1, "of": 1},
        },
    }
    return resource(name, metrics=metrics)


def settled_status(created: dict[str, Any], now: datetime) -> dict[str, Any]:
    """What the operator itself would have written after ten runs: it finds nothing to change."""
    metadata = created["metadata"]
    identity = Identity(metadata["namespace"], metadata["name"], metadata["uid"])
    champion = _champion(identity)
    status = Status(champion=champion, history=tuple(_history(identity)))
    seen = Observation(
        identity=identity,
        generation=metadata["generation"],
        suspended=False,
        spec=parse(created["spec"]),
        raw_spec=created["spec"],
        status=status,
        assessment=Healthy(Reading(now, 0.95), 0, 1),
        now=now,
        trainer=TrainerImage("none"),
        config_map=projection.manifest(identity, champion, None),
    )
    effect = next_effect(seen)
    if not isinstance(effect, WriteStatus):
        raise TypeError(f"a status is to be written, not {effect}")
    return status_json.write(effect.status)


def _champion(identity: Identity) -> Champion:
    return Champion(
        HISTORY,
        f"pvc://models/{identity.name}/versions/{HISTORY}",
        _digest(f"{identity.name} {HISTORY}"),
        PROMOTED,
        TrainingAction.RETRAIN,
    )


def _history(identity: Identity) -> list[HistoryEntry]:
    entries = []
    for number in range(HISTORY, 0, -1):
        end = PROMOTED - timedelta(days=7 * (HISTORY - number))
        entries.append(
            HistoryEntry(
                number=number,
                trigger=Trigger.PERFORMANCE_DROP,
                action=Action.RETRAIN,
                reason="ChallengerWins",
                outcome=RunOutcome.PROMOTED,
                message=(
                    f"Version {number} is in service: 251 of 300 new held-out rows right, 198 "
                    "before (p 0.0004), and 1,904 of 2,000 old ones, 1,907 before."
                ),
                start_time=end - timedelta(minutes=23),
                end_time=end,
                generation=1,
                data_digest=_digest(f"{identity.name} data {number}"),
                champion_version=number - 1 or None,
                champion_digest=_digest(f"{identity.name} {number - 1}") if number > 1 else "",
                trained=True,
            )
        )
    return entries


def _digest(text: str) -> str:
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


@dataclass
class Fleet:
    """What runs, but for the operator."""

    plane: ControlPlane
    api: Api
    prometheus: PrometheusServer
    exporter: Exporter
    size: int
    interval: int
    fallen: set[str] = field(default_factory=set)

    @property
    def names(self) -> list[str]:
        """Of all resources."""
        return [name_of(number) for number in range(self.size)]

    def move(self, chance: random.Random, names: Sequence[str]) -> None:
        """Each series within its band, or far below it where it has fallen."""
        for name in names:
            value = FALLEN if name in self.fallen else round(chance.uniform(*BAND), 4)
            self.exporter[f'{QUERY}{{model="{name}"}}'] = value

    def fall(self, names: Sequence[str]) -> None:
        """Their series fall, now."""
        self.fallen.update(names)
        self.move(random.Random(0), names)  # noqa: S311 - noise, not a secret

    async def wobble(self) -> None:
        """Move every series every other second."""
        chance = random.Random(0)  # noqa: S311 - noise, not a secret
        while True:
            self.move(chance, self.names)
            await asyncio.sleep(WOBBLE_SECONDS)


Create = Callable[[Fleet, int], Awaitable[None]]
"""Creates what belongs to one model."""


@contextlib.asynccontextmanager
async def fleet(
    plane: ControlPlane, size: int, interval: int, create: Create
) -> AsyncIterator[Fleet]:
    """So many resources on a control plane, and a Prometheus of their own."""
    async with contextlib.AsyncExitStack() as stack:
        api = await stack.enter_async_context(Api(plane.kubeconfig))
        exporter = Exporter()
        stack.callback(exporter.close)
        server = await asyncio.to_thread(stack.enter_context, prometheus(exporter))
        made = Fleet(plane, api, server, exporter, size, interval)
        wobbling = asyncio.create_task(made.wobble())
        stack.callback(wobbling.cancel)
        await few_at_once(AT_ONCE, partial(create, made), range(size))
        yield made


async def create_settled(made: Fleet, number: int) -> None:
    """A resource with all that has become of it: its champion's ConfigMap, and a full status."""
    where = path("modelmaintenances", NAMESPACE)
    created = await made.api.create(where, body_of(number, made.interval))
    await create_champion(made, number)
    status = settled_status(created, datetime.now(UTC))
    await made.api.put(f"{where}/{name_of(number)}/status", {**created, "status": status})


async def create_champion(made: Fleet, number: int) -> None:
    """The ConfigMap by which the operator knows the model that is in service."""
    identity = Identity(NAMESPACE, name_of(number), "")
    config_map = projection.manifest(identity, _champion(identity), None)
    await made.api.create(path("configmaps", NAMESPACE), config_map)

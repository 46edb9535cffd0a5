"""A status that cannot be read: no condition can say so, so an Event and the metrics do."""

from datetime import UTC, datetime, timedelta
from typing import Any
from unittest import mock

from support.world import a_spec

from maintenance_core.lifecycle.jobs import TrainerImage
from maintenance_operator.adapters.calendar import Clock
from maintenance_operator.reconcile import TOLD_AGAIN, Reconciler
from maintenance_operator.resource_cache import ResourceCache
from maintenance_operator.telemetry import Telemetry

START = datetime(2026, 11, 23, 18, tzinfo=UTC)
KEY = ("finance", "news")


class Operator:
    """One that follows a resource, at a time that the test sets."""

    def __init__(self) -> None:
        self.now, self.version = START, 0
        self.resources, self.telemetry, self.cluster = ResourceCache(), Telemetry(), mock.Mock()
        self.cluster.config_map = mock.AsyncMock(return_value=None)
        self.reconcile = Reconciler(
            cluster=self.cluster,
            metrics=mock.Mock(),
            resources=self.resources,
            telemetry=self.telemetry,
            trainer=TrainerImage("trainer:1"),
            clock=mock.Mock(now=lambda: self.now, due=Clock().due),
            fleet_breaches=mock.Mock(),
        )

    def has(self, status: dict[str, Any], uid: str = "1a2b3c4d") -> None:
        self.version += 1
        metadata = {"namespace": KEY[0], "name": KEY[1], "uid": uid, "generation": 1}
        metadata["resourceVersion"] = str(self.version)
        self.resources.seen({"metadata": metadata, "spec": a_spec(), "status": status})

    async def look(self, after: timedelta = timedelta()) -> timedelta | None:
        self.now += after
        return await self.reconcile(KEY)

    @property
    def told(self) -> list[str]:
        return [call.args[2] for call in self.cluster.event.call_args_list]

    def condition(self, kind: str) -> float | None:
        labels = {"namespace": KEY[0], "name": KEY[1], "type": kind}
        return self.telemetry.registry.get_sample_value("model_maintenance_condition", labels)


async def test_the_metrics_say_so_though_status_said_ready() -> None:
    operator = Operator()
    operator.telemetry.conditions(*KEY, {"Ready": "True", "Degraded": "False"})
    operator.has({"champion": "mine"})
    await operator.look()
    assert (operator.condition("Ready"), operator.condition("Stalled")) == (0.0, 1.0)
    assert operator.condition("Degraded") is None


async def test_it_is_told_again_when_the_event_is_forgotten_and_not_before() -> None:
    operator = Operator()
    operator.has({"champion": "mine"})
    assert await operator.look() == TOLD_AGAIN
    assert await operator.look(TOLD_AGAIN / 4) == TOLD_AGAIN * 0.75
    assert operator.told == ["InvalidStatus"]
    assert await operator.look(TOLD_AGAIN * 0.75) == TOLD_AGAIN
    assert operator.told == ["InvalidStatus"] * 2
    asked = {call[0] for call in operator.cluster.method_calls}
    assert asked == {"event"}, "nothing else is asked of the API server"


async def test_another_fault_or_another_resource_of_the_name_is_told_at_once() -> None:
    operator = Operator()
    operator.has({"champion": "mine"})
    await operator.look()
    operator.has({"history": "mine"})
    await operator.look()
    operator.has({"history": "mine"}, uid="5e6f7a8b")
    await operator.look()
    assert operator.told == ["InvalidStatus"] * 3


async def test_a_clock_that_is_put_back_silences_nobody() -> None:
    operator = Operator()
    operator.has({"champion": "mine"})
    await operator.look()
    await operator.look(-timedelta(days=1))
    assert operator.told == ["InvalidStatus"] * 2

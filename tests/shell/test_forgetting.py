"""What is kept by a resource's name goes with it, wherever it is kept."""

from datetime import UTC, datetime, timedelta
from typing import Any
from unittest import mock

from maintenance_core.errors import ClusterError
from maintenance_core.lifecycle.jobs import TrainerImage
from maintenance_core.model import Request
from maintenance_core.watch.common_cause import PATIENCE, CommonCause
from maintenance_operator.adapters.calendar import Clock
from maintenance_operator.fleet_breaches import FleetBreaches, Look
from maintenance_operator.reconcile import Reconciler
from maintenance_operator.resource_cache import Key, ResourceCache
from maintenance_operator.work_queue import WorkQueue

START = datetime(2026, 1, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


class Operator:
    """The work queue and the passes as they are wired, before neighbours that do nothing."""

    def __init__(self) -> None:
        self.telemetry, self.resources = mock.Mock(), ResourceCache()
        self.fleet_breaches = FleetBreaches(25, self.telemetry)
        self.reconcile = Reconciler(
            cluster=mock.Mock(),
            metrics=mock.Mock(),
            resources=self.resources,
            telemetry=self.telemetry,
            trainer=TrainerImage("trainer:1"),
            clock=Clock(),
            fleet_breaches=self.fleet_breaches,
        )
        self.work_queue = WorkQueue(self.reconcile, self.resources, self.telemetry)

    def look(self, key: Key, time: datetime, *, down: bool, now: datetime) -> CommonCause:
        look = Look("default", MINUTE, time, time if down else None)
        return self.fleet_breaches.record(key, look, now, len(self.resources))


def named(number: int) -> Key:
    return "ns", f"model-{number}"


def body(key: Key, uid: str = "u") -> dict[str, Any]:
    return {"metadata": {"namespace": key[0], "name": key[1], "uid": uid, "resourceVersion": "1"}}


async def test_the_dead_do_not_outvote_the_living() -> None:
    """Forty of 240 are left, and something that all of them share breaks."""
    operator, living = Operator(), [named(number) for number in range(40)]
    for number in range(240):
        operator.work_queue.seen(body(named(number)))
    for number in range(240):
        operator.look(named(number), START, down=False, now=START)
    for number in range(40, 240):
        operator.work_queue.gone(body(named(number)))
    operator.telemetry.followed.assert_called_with(40, 0)
    later = START + MINUTE
    for key in living:
        operator.look(key, later, down=True, now=later)
    patient = later + PATIENCE
    found = {operator.look(key, later, down=True, now=patient) for key in living}
    assert found == {CommonCause.HOLD}
    operator.telemetry.held.assert_called_with("default", 40)
    for key in living:
        operator.work_queue.gone(body(key))
    operator.telemetry.held.assert_called_with("default", 0)
    operator.telemetry.followed.assert_called_with(0, 0)


async def test_all_is_forgotten_at_once() -> None:
    operator, key = Operator(), named(0)
    reconcile = operator.reconcile
    operator.work_queue.seen(body(key))
    operator.look(key, START, down=True, now=START)
    error = ClusterError("no", refused=True)
    reconcile._refusals.add(key, "u", (Request.CREATE_JOB, "job"), error, START)
    reconcile._steady[key] = ("u", "1", "1"), mock.Mock()
    reconcile._observer._assessor._counter_cache._kept[key] = mock.Mock()
    operator.work_queue.gone(body(key))
    kept = (
        reconcile._refusals._known,
        reconcile._steady,
        reconcile._observer._assessor._counter_cache._kept,
        operator.fleet_breaches._looks,
        operator.fleet_breaches._breached,
    )
    assert kept == ({},) * 5
    operator.telemetry.forget.assert_called_once_with(*key)

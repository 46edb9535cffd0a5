"""Two operators that see different things do not write in turn without end."""

import asyncio
import copy
import logging
from typing import Any

import pytest
from support.api import Api, path
from support.control_plane import ControlPlane
from support.operator import operator
from support.prometheus import PrometheusServer, seen
from support.story import HIGH, in_service, until_condition

from maintenance_operator.contested import AT_ONCE, LONGEST_WAIT_SECONDS, QUIET_SECONDS, Contests

KEY = ("finance", "news")


def status(reason: str, message: str = "", **more: Any) -> dict[str, Any]:
    condition = {
        "type": "MetricsAvailable",
        "status": "True" if reason == "Reading" else "False",
        "reason": reason,
        "message": message,
        "lastTransitionTime": "2026-11-23T12:00:00Z",
    }
    return {"conditions": [condition], **more}


class Server:
    """The resource as everybody has it, and who has written it when."""

    def __init__(self) -> None:
        self.body: dict[str, Any] = {"metadata": {"uid": "u"}, "status": {}}
        self.writes: list[float] = []

    def write(self, contests: Contests, wanted: dict[str, Any], now: float) -> bool:
        """An operator finds what it did not write; whether it writes, and does."""
        if self.body["status"] == wanted or contests.wait(self.body, KEY, wanted, now):
            return False
        stored = {**self.body, "status": copy.deepcopy(wanted)}
        contests.wrote(self.body, KEY, wanted, stored, now)
        self.body = stored
        self.writes.append(now)
        return True


SAYINGS = (
    (lambda now: status("Reading", f"0.95 at {now}"), lambda _: status("Unreachable")),
    (lambda _: status("Refused", "quota a"), lambda _: status("Refused", "quota b")),
)


@pytest.mark.parametrize("one, two", SAYINGS, ids=["metric", "quota"])
def test_two_that_differ_write_ever_more_seldom(
    one: Any, two: Any, caplog: pytest.LogCaptureFixture
) -> None:
    server, replicas = Server(), ((Contests(), one), (Contests(), two))
    with caplog.at_level(logging.WARNING):
        for step in range(36_000):
            now = 1e6 + step / 10
            for contests, says in replicas:
                server.write(contests, says(step // 600), now)
    first = [time for time in server.writes if time < 1e6 + 15]
    assert len(first) <= 12
    assert len(server.writes) <= 20 + 2 * 3600 / LONGEST_WAIT_SECONDS
    assert [line.message[:31] for line in caplog.records] == ["Another operator writes status,"] * 2


def test_one_alone_writes_at_once_however_often_it_changes_its_mind() -> None:
    server, contests = Server(), Contests()
    for step in range(100):
        says = status("Reading" if step % 2 else "Unreachable")
        assert server.write(contests, says, 1e6 + step)


def test_what_a_person_changes_is_written_again_at_once() -> None:
    server, contests = Server(), Contests()
    good = status("Reading")
    server.write(contests, good, 1e6)
    for round_ in range(3):
        now = 1e6 + round_ * (QUIET_SECONDS + 1) + 1
        for _ in range(AT_ONCE):
            server.body = {**server.body, "status": status("ByHand")}
            assert server.write(contests, good, now)


def test_what_is_new_waits_for_nothing() -> None:
    server, contests = Server(), Contests()
    for step in range(20):
        server.body = {**server.body, "status": status("Unreachable", str(step))}
        server.write(contests, status("Reading"), 1e6 + step / 10)
    server.body = {**server.body, "status": status("Unreachable")}
    assert not server.write(contests, status("Reading"), 1e6 + 2)
    assert server.write(contests, status("Reading", run={"number": 1}), 1e6 + 2)


def test_another_resource_by_the_name_has_no_past() -> None:
    server, contests = Server(), Contests()
    for step in range(20):
        server.body = {**server.body, "status": status("Unreachable", str(step))}
        server.write(contests, status("Reading"), 1e6 + step / 10)
    server.body = {"metadata": {"uid": "another"}, "status": status("Unreachable")}
    assert server.write(contests, status("Reading"), 1e6 + 2)


@pytest.mark.api
@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("other", ["unreachable", "unknown"])
async def test_a_replica_that_cannot_reach_prometheus_makes_no_loop_of_writes(
    api: Api,
    plane: ControlPlane,
    namespace: str,
    prometheus_server: PrometheusServer,
    other: str,
) -> None:
    await seen(prometheus_server, HIGH)
    servers = {"default": prometheus_server.url}
    blind = {"default": "http://127.0.0.1:9"} if other == "unreachable" else {"other": "http://x"}
    async with operator(plane.kubeconfig, namespace, servers):
        await in_service(api, namespace, query=HIGH)
        await until_condition(api, namespace, "news", "MetricsAvailable", "Reading")
        async with operator(plane.kubeconfig, namespace, blind) as second:
            before = len(plane.writes(namespace))
            await asyncio.sleep(15)
            assert len(plane.writes(namespace)) - before < 30, "with the Events of each"
            told = [line["message"] for line in second.log() if line.get("level") == "warning"]
            assert sum("Another operator writes" in message for message in told) == 1
    events = (await api.get(path("events", namespace)))["items"]
    assert len(events) < 30

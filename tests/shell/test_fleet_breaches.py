"""How the resources of a server are counted, look by look."""

import logging
from datetime import UTC, datetime, timedelta

import pytest

from maintenance_core.watch.common_cause import PATIENCE, CommonCause
from maintenance_operator.fleet_breaches import FleetBreaches, Look

START = datetime(2026, 1, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


class Told:
    """The last numbers of held resources."""

    def __init__(self) -> None:
        self.resources: dict[str, int] = {}

    def held(self, server: str, resources: int) -> None:
        self.resources[server] = resources

    def followed(self, resources: int, awaited: int) -> None:
        """Not looked at here."""


class Fleet:
    """Resources that are looked at one by one."""

    def __init__(self, size: int) -> None:
        self.told = Told()
        self.fleet_breaches = FleetBreaches(25, self.told)
        self.size = size

    def look(
        self,
        number: int,
        *,
        down: bool = False,
        time: datetime = START,
        onset: datetime | None = None,
        server: str = "default",
        now: datetime | None = None,
    ) -> CommonCause:
        since = (onset or time - MINUTE) if down else None
        look = Look(server, MINUTE, time, since)
        return self.fleet_breaches.record(("ns", str(number)), look, now or time, self.size)

    def all_fine(self, time: datetime = START) -> None:
        for number in range(self.size):
            assert self.look(number, time=time) is CommonCause.ALLOW


def test_a_few_of_many_begin_at_once() -> None:
    fleet = Fleet(1000)
    fleet.all_fine()
    later = START + MINUTE
    assert {fleet.look(number, down=True, time=later) for number in range(10)} == {
        CommonCause.ALLOW
    }
    assert fleet.told.resources == {}


def test_a_tenth_waits_until_the_others_are_read_and_then_begins() -> None:
    fleet = Fleet(1000)
    fleet.all_fine()
    later = START + MINUTE
    found = [fleet.look(number, down=True, time=later) for number in range(100)]
    assert found == [CommonCause.ALLOW] * 10 + [CommonCause.WAIT] * 90
    for number in range(100, 851):
        fleet.look(number, time=later)
    assert fleet.look(50, down=True, time=later) is CommonCause.ALLOW


def test_a_wait_that_began_by_a_clock_that_was_ahead_is_no_longer_than_another() -> None:
    fleet = Fleet(1000)
    fleet.all_fine()
    later = START + MINUTE
    for number in range(100):
        fleet.look(number, down=True, time=later, now=later + timedelta(days=365))
    assert fleet.look(50, down=True, time=later) is CommonCause.WAIT
    assert fleet.look(50, down=True, time=later, now=later + PATIENCE) is CommonCause.ALLOW


def test_everybody_is_held_but_the_first_ten_until_the_fault_is_mended(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    fleet = Fleet(100)
    fleet.all_fine()
    later = START + MINUTE
    found = [fleet.look(number, down=True, time=later) for number in range(100)]
    assert found[:10] == [CommonCause.ALLOW] * 10
    assert found[30:] == [CommonCause.HOLD] * 70
    again = {fleet.look(number, down=True, time=later) for number in range(100)}
    assert again == {CommonCause.HOLD}
    assert fleet.told.resources == {"default": 100}
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    fleet.all_fine(later + MINUTE)
    assert fleet.told.resources == {"default": 0}
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]


def test_servers_are_counted_apart() -> None:
    fleet = Fleet(100)
    for number in range(60):
        fleet.look(number)
    for number in range(60, 100):
        fleet.look(number, down=True, server="other")
    assert fleet.look(99, down=True, server="other") is CommonCause.HOLD
    assert fleet.look(0, down=True) is CommonCause.ALLOW


def test_breaches_that_began_long_ago_are_no_crowd_with_one_that_begins() -> None:
    fleet = Fleet(100)
    fleet.all_fine()
    for number in range(40):
        began = START - timedelta(days=1) - number * timedelta(hours=1)
        fleet.look(number, down=True, onset=began)
    assert fleet.look(50, down=True, time=START + MINUTE) is CommonCause.ALLOW
    assert fleet.look(0, down=True, onset=START - timedelta(days=1)) is CommonCause.ALLOW


def test_after_a_restart_those_that_were_not_looked_at_may_be_down_too() -> None:
    fleet = Fleet(100)
    found = [fleet.look(number, down=True) for number in range(20)]
    assert found == [CommonCause.ALLOW] * 10 + [CommonCause.WAIT] * 10
    assert fleet.look(15, down=True, now=START + PATIENCE) is CommonCause.HOLD


def test_a_resource_that_is_gone_or_moves_to_another_server_counts_no_more() -> None:
    fleet = Fleet(20)
    for number in range(20):
        fleet.look(number, down=number < 12)
    assert fleet.look(0, down=True) is CommonCause.HOLD
    fleet.look(1, down=True, server="other")
    fleet.fleet_breaches.forget(("ns", "2"), 19)
    fleet.fleet_breaches.forget(("ns", "never seen"), 19)
    assert fleet.look(0, down=True) is CommonCause.ALLOW
    fleet.fleet_breaches.record(("ns", "3"), None, START, 20)
    assert fleet.look(0, down=True) is CommonCause.ALLOW
    for number in (10, 11):
        fleet.look(number, down=True)
    assert fleet.told.resources == {"default": 0}

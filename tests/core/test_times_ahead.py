"""A clock that was ahead, once, silences nothing until it is really so late."""

import dataclasses
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from support.plain import merged
from support.world import DOWN, HEALTHY, WORSE, World, a_spec

from maintenance_contract import Outcome
from maintenance_core import status as status_json
from maintenance_core.lifecycle.requeue import requeue_after
from maintenance_core.lifecycle.times_ahead import any_ahead, none_ahead
from maintenance_core.model import JobPhase, Trigger

HOUR, DAY, YEAR = timedelta(hours=1), timedelta(days=1), timedelta(days=365)


COUNTED_FROM = {
    "startTime",
    "endTime",
    "trainStartTime",
    "promotedTime",
    "checkpointTime",
    "lastTransitionTime",
    "time",
}


def times(document: Any) -> Iterator[datetime]:
    """All times of a status that something is counted from; that of a baseline is only shown."""
    for name, value in document.items():
        if name in COUNTED_FROM and "value" not in document:
            yield datetime.fromisoformat(value)
        for inner in value if isinstance(value, list) else [value]:
            if isinstance(inner, dict):
                yield from times(inner)


def is_right_again(world: World) -> None:
    world.now -= YEAR
    world.settle()
    assert max(times(world.status)) <= world.now + DAY
    writes = world.writes
    world.settle()
    assert world.writes == writes, "corrected once"


def test_a_fruitless_look_by_a_wrong_clock_waits_no_longer_than_any() -> None:
    world = World().with_champion()
    world.now += YEAR
    world.assessment = DOWN
    world.settle()
    failed = {"outcome": Outcome.FAILED, "reason": "DataUnusable", "diagnosis": None}
    world.finish(world.diagnosis(**failed))
    is_right_again(world)
    assert world.live == []
    world.now += DAY
    world.settle()
    assert world.live


@pytest.mark.parametrize("rejected", [True, False])
def test_the_pause_after_a_training_is_kept_once(rejected: bool) -> None:  # noqa: FBT001 - a case
    world = World(spec=a_spec(limits={"cooldown": "6h", "runs": {"max": 9, "per": "168h"}}))
    world.degraded()
    world.now += YEAR
    world.finish(world.diagnosis())
    world.finish(world.training(**({"new": WORSE} if rejected else {})))
    if rejected:
        world.finish(world.training(new=WORSE))
    is_right_again(world)
    assert world.live == []
    world.now += 5 * HOUR
    world.settle()
    assert world.live == []
    world.now += 20 * HOUR
    world.settle()
    assert world.live


def test_readings_count_for_a_version_that_a_wrong_clock_promoted() -> None:
    world = World()
    world.now += YEAR
    world.settle()
    world.finish(world.diagnosis())
    world.finish(world.training())
    is_right_again(world)
    assert world.config_map is not None
    assert status_json.timestamp(world.now) in world.config_map["data"]["champion.json"]
    world.now += DAY
    world.read(0.8)
    assert world.condition("Degraded") == ("True", "BelowThreshold")
    assert world.live


def test_trainings_by_a_wrong_clock_leave_the_window_of_the_limit() -> None:
    limits = {"cooldown": "1s", "runs": {"max": 1, "per": "24h"}}
    world = World(spec=a_spec(limits=limits))
    world.now += YEAR
    world.degraded()
    is_right_again(world)
    world.jobs.clear()
    world.settle()
    world.now += 2 * DAY
    world.settle()
    world.finish(world.diagnosis())
    assert world.parsed.run is not None
    assert world.parsed.run.action is not None


def test_a_schedule_is_due_again() -> None:
    world = World()
    world.now += YEAR
    world.with_champion()
    world.assessment = HEALTHY
    is_right_again(world)
    world.now += DAY
    world.scheduled = (world.now - HOUR, world.now + HOUR)
    world.settle()
    assert world.parsed.run is not None
    assert world.parsed.run.trigger is Trigger.SCHEDULE


@pytest.mark.parametrize("ahead", [timedelta(), timedelta(seconds=59), -YEAR])
def test_clocks_of_two_operators_may_differ_a_little(ahead: timedelta) -> None:
    world = World().degraded()
    world.now -= ahead
    assert none_ahead(world.seen()) == world.seen().status


def each_time_ahead(value: Any, ahead: datetime) -> Iterator[tuple[str, Any]]:
    """A value once for each time in it, which is ahead there, and where."""
    if isinstance(value, datetime):
        yield "", ahead
    elif isinstance(value, tuple):
        for at, inner in enumerate(value):
            for where, changed in each_time_ahead(inner, ahead):
                yield f"[{at}]{where}", (*value[:at], changed, *value[at + 1 :])
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        for field in dataclasses.fields(value):
            inner = getattr(value, field.name)
            for where, changed in each_time_ahead(inner, ahead):
                yield f".{field.name}{where}", dataclasses.replace(value, **{field.name: changed})


def test_each_time_that_is_corrected_is_looked_at() -> None:
    """The quick question, asked at each look, and the correction agree on every time there is."""
    waiting = World().degraded()
    waiting.finish(waiting.diagnosis(outcome=Outcome.FAILED, reason="DataUnusable", diagnosis=None))
    training = World().degraded()
    training.finish(training.diagnosis())
    corrected = set()
    for world in (waiting, training):
        seen = world.seen()
        assert not any_ahead(seen)
        for where, status in each_time_ahead(seen.status, world.now + YEAR):
            ahead = dataclasses.replace(seen, status=status)
            assert any_ahead(ahead) == (none_ahead(ahead) != status), where
            corrected |= {where} if any_ahead(ahead) else set()
    for part in (".conditions", ".decision.time", ".run.", ".recheck", ".champion", ".history"):
        assert any(where.startswith(part) for where in corrected), (part, corrected)


def test_a_long_wait_that_the_spec_asks_for_is_none_by_a_wrong_clock() -> None:
    world = World(spec=merged(a_spec(), {"decision": {"recheckAfter": "72h"}})).degraded()
    world.finish(world.diagnosis(outcome=Outcome.FAILED, reason="DataUnusable", diagnosis=None))
    recheck = world.parsed.recheck
    assert recheck is not None
    assert recheck.time == world.now + 3 * DAY
    world.edit(metrics={"interval": "never"})  # nobody knows how long a wait may be
    world.settle()
    assert world.parsed.recheck == recheck


def test_a_clock_that_is_behind_makes_no_time_of_status_wrong() -> None:
    """A node before its clock is set, a machine that was restored: all times are ahead of it."""
    world = World().with_champion()
    world.settle()
    before = world.status
    world.now -= 5 * YEAR
    world.clock_agrees = False
    world.settle()
    assert [*times(world.status)] == [*times(before)]


@pytest.mark.parametrize("year", ["9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z"])
@pytest.mark.parametrize("agrees", [False, True])
def test_a_time_at_the_end_of_all_times_stops_no_look(year: str, *, agrees: bool) -> None:
    world = World().degraded()
    world.finish(world.diagnosis())
    for _ in range(2):
        (name,) = world.live
        started = dataclasses.replace(world.jobs[name], started=world.now)
        world.jobs[name] = started
        world.status = everywhere(world.status, year)
        world.clock_agrees = agrees
        world.settle()
        assert requeue_after(world.seen()) is not None
        if not world.live:
            return
        world.finish(phase=JobPhase.FAILED, failure="BackoffLimitExceeded", detail="It crashed")
        world.status = everywhere(world.status, year)
        world.settle()
        assert requeue_after(world.seen()) is not None
        world.now += 3 * DAY
        world.settle()
        if not world.live:
            return


def everywhere(document: Any, year: str) -> Any:
    """The status with that time wherever something is counted from one."""
    if isinstance(document, list):
        return [everywhere(one, year) for one in document]
    if not isinstance(document, dict):
        return document
    return {
        key: year if key in COUNTED_FROM else value if key == "spec" else everywhere(value, year)
        for key, value in document.items()
    }

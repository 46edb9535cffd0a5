"""When a resource is looked at again."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.world import DOWN, START, World, a_spec

from maintenance_core.errors import SpecError
from maintenance_core.lifecycle.observation import Observation
from maintenance_core.lifecycle.requeue import (
    CROWD_LOOK,
    LEAST_WAIT,
    LIVE_RUN_LOOK,
    requeue_after,
    until_reading,
)
from maintenance_core.watch.common_cause import CommonCause


def down(*, run: bool) -> Observation:
    """A champion's metric has fallen; with a run about it, or none yet."""
    world = World(spec=a_spec()).with_champion()
    world.assessment = DOWN
    if run:
        world.settle()
    seen = world.seen()
    assert (seen.status.run is not None) == run
    return seen


def test_a_breach_looks_often_while_the_others_are_read() -> None:
    wait = requeue_after(replace(down(run=False), common_cause=CommonCause.WAIT))
    assert wait is not None
    assert CROWD_LOOK <= wait <= 2 * CROWD_LOOK


def test_what_has_begun_does_not_wait_for_the_others() -> None:
    seen = down(run=True)
    assert requeue_after(replace(seen, common_cause=CommonCause.WAIT)) == requeue_after(
        replace(seen, common_cause=CommonCause.ALLOW)
    )
    assert requeue_after(seen) == LIVE_RUN_LOOK


def test_a_spec_that_cannot_be_followed_waits_for_a_change() -> None:
    unread = SpecError("spec.model", "cannot be read")
    assert requeue_after(replace(down(run=True), spec=unread)) == LIVE_RUN_LOOK
    assert requeue_after(replace(down(run=False), spec=unread)) is None


@pytest.mark.slow
@given(
    uid=st.uuids().map(str),
    interval=st.integers(5, 86_400).map(lambda seconds: timedelta(seconds=seconds)),
    later=st.timedeltas(timedelta(), timedelta(days=2)),
)
def test_a_reading_is_looked_at_soon_after_its_time(
    uid: str, interval: timedelta, later: timedelta
) -> None:
    now = START + later
    since = timedelta(seconds=(now + until_reading(uid, interval, now)).timestamp()) % interval
    assert timedelta() < since <= timedelta(seconds=1.03)


def test_a_schedule_is_not_slept_through() -> None:
    world = World(spec=a_spec(triggers={"schedule": {"cron": "0 12 * * *"}})).with_champion()
    world.scheduled = world.now - timedelta(days=1), world.now + timedelta(seconds=5)
    wait = requeue_after(world.seen())
    assert wait is not None
    assert timedelta(seconds=5) < wait < timedelta(seconds=10)


@pytest.mark.slow
@given(late=st.timedeltas(timedelta(), timedelta(days=400)), run=st.booleans())
def test_a_time_that_has_passed_is_no_reason_to_look_at_once(late: timedelta, *, run: bool) -> None:
    seen = down(run=run)
    wait = requeue_after(replace(seen, scheduled=(seen.now - late, seen.now - late)))
    assert wait is not None
    assert wait >= LEAST_WAIT

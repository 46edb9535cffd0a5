"""Many resources that leave their range together, by plain numbers and in the story."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.world import DOWN, HEALTHY, World

from maintenance_core.lifecycle.next_effect import next_effect
from maintenance_core.lifecycle.triggers import wanted
from maintenance_core.model import Step, Trigger
from maintenance_core.watch.common_cause import (
    AT_ONCE,
    PATIENCE,
    CommonCause,
    Peers,
    at_once,
    common_cause,
)

NONE = timedelta()


@pytest.mark.parametrize(
    "read, due, unknown, together, waited, found",
    [
        (10, 0, 0, 10, NONE, CommonCause.ALLOW),  # few are no crowd
        (12, 0, 0, 11, NONE, CommonCause.HOLD),
        (1000, 0, 0, 250, NONE, CommonCause.ALLOW),
        (1000, 0, 0, 251, NONE, CommonCause.HOLD),
        (0, 0, 10_000, 10, NONE, CommonCause.ALLOW),
        (11, 9_989, 0, 11, NONE, CommonCause.WAIT),  # the others may have fallen too
        (9_000, 500, 500, 1_000, NONE, CommonCause.ALLOW),  # even if all the others have
        (9_000, 500, 500, 2_000, NONE, CommonCause.WAIT),
        (9_000, 500, 500, 2_501, NONE, CommonCause.HOLD),  # even if none of the others has
        (9_000, 500, 500, 2_000, PATIENCE, CommonCause.ALLOW),
        (100, 9_900, 0, 1_000, PATIENCE, CommonCause.ALLOW),  # who is read late was well before
        (4_000, 0, 6_000, 2_000, PATIENCE, CommonCause.HOLD),  # nobody knows how these are
    ],
)
def test_a_share_of_a_server(
    read: int, due: int, unknown: int, together: int, waited: timedelta, found: CommonCause
) -> None:
    assert common_cause(Peers(read, due, unknown, together), 25, waited) is found


def test_a_hundred_per_cent_holds_nobody() -> None:
    assert common_cause(Peers(1000, 0, 0, 1000), 100, NONE) is CommonCause.ALLOW


COUNTS = st.integers(0, 2000)


@pytest.mark.slow
@given(healthy=COUNTS, due=COUNTS, unknown=COUNTS, together=COUNTS, falls=COUNTS)
def test_whatever_the_unread_turn_out_to_be_an_answer_stands(
    healthy: int, due: int, unknown: int, together: int, falls: int
) -> None:
    """LET and HOLD are final; only WAIT depends on what is not known yet."""
    unread = due + unknown
    early = common_cause(Peers(healthy + together, due, unknown, together), 25, NONE)
    fallen = min(falls, unread)
    late = common_cause(Peers(healthy + together + unread, 0, 0, together + fallen), 25, NONE)
    assert late is not CommonCause.WAIT
    if early is CommonCause.HOLD or (early is CommonCause.ALLOW and together > 10):
        assert late is early


def test_how_far_apart_is_together() -> None:
    assert at_once(timedelta(minutes=1)) == AT_ONCE
    assert at_once(timedelta(hours=1)) == timedelta(hours=2)


def test_a_resource_of_a_crowd_begins_no_run_and_says_why() -> None:
    world = World().with_champion()
    world.assessment = DOWN
    held = replace(world.seen(), common_cause=CommonCause.HOLD)
    assert wanted(held) is None
    effect = next_effect(held)
    assert effect is not None
    world.do(effect)
    assert world.condition("Training") == ("False", "Held")
    assert world.condition("Degraded")[0] == "True"
    assert world.parsed.run is None
    assert next_effect(replace(world.seen(), common_cause=CommonCause.HOLD)) is None
    world.settle()  # fewer are down now
    assert world.parsed.run is not None
    assert world.parsed.run.trigger is Trigger.PERFORMANCE_DROP


def test_nothing_is_written_while_the_others_are_read() -> None:
    world = World().with_champion()
    world.assessment = DOWN
    assert next_effect(replace(world.seen(), common_cause=CommonCause.WAIT)) is None
    world.assessment = HEALTHY
    assert next_effect(world.seen()) is None


def test_a_schedule_looks_at_the_rows_whatever_the_metric_says() -> None:
    world = World().with_champion()
    world.spec["triggers"] = {"schedule": {"cron": "0 3 * * 1"}}
    world.generation += 1
    world.assessment = DOWN
    world.scheduled = world.now, world.now + timedelta(days=7)
    held = replace(world.seen(), common_cause=CommonCause.HOLD)
    assert wanted(held) is Trigger.SCHEDULE
    effect = next_effect(held)
    assert effect is not None
    world.do(effect)
    run = world.parsed.run
    assert run is not None
    assert (run.trigger, run.step, run.breach) == (Trigger.SCHEDULE, Step.DIAGNOSE, None)


def test_a_live_run_goes_on() -> None:
    world = World().degraded()
    run = world.parsed.run
    assert run is not None
    world.finish(world.diagnosis())
    held = replace(world.seen(), common_cause=CommonCause.HOLD)
    assert held.status.run is not None
    assert held.status.run.step is Step.TRAIN

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
from maintenance_core.watch.common_cause import AT_ONCE, PATIENCE, Crowd, Guard, at_once, guard

NONE = timedelta()


@pytest.mark.parametrize(
    "read, due, unknown, together, waited, found",
    [
        (10, 0, 0, 10, NONE, Guard.LET),  # few are no crowd
        (12, 0, 0, 11, NONE, Guard.HOLD),
        (1000, 0, 0, 250, NONE, Guard.LET),
        (1000, 0, 0, 251, NONE, Guard.HOLD),
        (0, 0, 10_000, 10, NONE, Guard.LET),
        (11, 9_989, 0, 11, NONE, Guard.WAIT),  # the others may have fallen too
        (9_000, 500, 500, 1_000, NONE, Guard.LET),  # even if all the others have
        (9_000, 500, 500, 2_000, NONE, Guard.WAIT),
        (9_000, 500, 500, 2_501, NONE, Guard.HOLD),  # even if none of the others has
        (9_000, 500, 500, 2_000, PATIENCE, Guard.LET),
        (100, 9_900, 0, 1_000, PATIENCE, Guard.LET),  # who is read late was well before
        (4_000, 0, 6_000, 2_000, PATIENCE, Guard.HOLD),  # nobody knows how these are
    ],
)
def test_a_share_of_a_server(
    read: int, due: int, unknown: int, together: int, waited: timedelta, found: Guard
) -> None:
    assert guard(Crowd(read, due, unknown, together), 25, waited) is found


def test_a_hundred_per_cent_holds_nobody() -> None:
    assert guard(Crowd(1000, 0, 0, 1000), 100, NONE) is Guard.LET


COUNTS = st.integers(0, 2000)


@given(healthy=COUNTS, due=COUNTS, unknown=COUNTS, together=COUNTS, falls=COUNTS)
def test_whatever_the_unread_turn_out_to_be_an_answer_stands(
    healthy: int, due: int, unknown: int, together: int, falls: int
) -> None:
    """LET and HOLD are final; only WAIT depends on what is not known yet."""
    unread = due + unknown
    early = guard(Crowd(healthy + together, due, unknown, together), 25, NONE)
    fallen = min(falls, unread)
    late = guard(Crowd(healthy + together + unread, 0, 0, together + fallen), 25, NONE)
    assert late is not Guard.WAIT
    if early is Guard.HOLD or (early is Guard.LET and together > 10):
        assert late is early


def test_how_far_apart_is_together() -> None:
    assert at_once(timedelta(minutes=1)) == AT_ONCE
    assert at_once(timedelta(hours=1)) == timedelta(hours=2)


def test_a_resource_of_a_crowd_begins_no_run_and_says_why() -> None:
    world = World().with_champion()
    world.assessment = DOWN
    held = replace(world.seen(), guard=Guard.HOLD)
    assert wanted(held) is None
    effect = next_effect(held)
    assert effect is not None
    world.do(effect)
    assert world.condition("Training") == ("False", "Held")
    assert world.condition("Degraded")[0] == "True"
    assert world.parsed.run is None
    assert next_effect(replace(world.seen(), guard=Guard.HOLD)) is None
    world.settle()  # fewer are down now
    assert world.parsed.run is not None
    assert world.parsed.run.trigger is Trigger.PERFORMANCE_DROP


def test_nothing_is_written_while_the_others_are_read() -> None:
    world = World().with_champion()
    world.assessment = DOWN
    assert next_effect(replace(world.seen(), guard=Guard.WAIT)) is None
    world.assessment = HEALTHY
    assert next_effect(world.seen()) is None


def test_a_schedule_looks_at_the_rows_whatever_the_metric_says() -> None:
    world = World().with_champion()
    world.spec["triggers"] = {"schedule": {"cron": "0 3 * * 1"}}
    world.generation += 1
    world.assessment = DOWN
    world.scheduled = world.now, world.now + timedelta(days=7)
    held = replace(world.seen(), guard=Guard.HOLD)
    assert wanted(held) is Trigger.SCHEDULE
    effect = next_effect(held)
    assert effect is not None
    world.do(effect)
    run = world.parsed.run
    assert run is not None
    assert (run.trigger, run.step, run.trouble) == (Trigger.SCHEDULE, Step.DIAGNOSE, None)


def test_a_live_run_goes_on() -> None:
    world = World().degraded()
    run = world.parsed.run
    assert run is not None
    world.finish(world.diagnosis())
    held = replace(world.seen(), guard=Guard.HOLD)
    assert held.status.run is not None
    assert held.status.run.step is Step.TRAIN

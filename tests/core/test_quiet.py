"""A look at a quiet resource finds what the whole story finds: nothing to do."""

import math
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.world import AWAY, DOWN, HEALTHY, START, World, a_spec

from maintenance_core.lifecycle.next_effect import next_effect
from maintenance_core.lifecycle.steady_state import quiet, stays_quiet
from maintenance_core.model import Assessment, Baseline, Healthy, Reading
from maintenance_core.watch.common_cause import Guard


def calm(**changes: Any) -> World:
    """A resource in service, about which nothing is to be done."""
    world = World(spec=a_spec(**changes)).with_champion()
    assert next_effect(world.seen()) is None
    return world


@given(
    value=st.floats(0.9, 1.0),
    level=st.none() | st.floats(0.9, 1.0),
    later=st.timedeltas(timedelta(), timedelta(days=400)),
    max_drop=st.none() | st.just(0.03),
)
def test_what_stays_quiet_has_no_next_step(
    value: float, level: float | None, later: timedelta, max_drop: float | None
) -> None:
    spec = a_spec()
    if max_drop is not None:
        spec["metrics"]["performance"]["maxDrop"] = max_drop
    world = World(spec=spec).with_champion()
    kept = quiet(world.seen())
    assert kept is not None
    world.now += later
    mean = None if level is None else Baseline(level, world.now, None)
    world.assessment = Healthy(Reading(world.now, value), 0, 3, mean)
    if stays_quiet(kept, world.assessment, Guard.LET):
        assert next_effect(world.seen()) is None
    else:
        assert max_drop is not None
        assert next_effect(world.seen()) is not None


@pytest.mark.parametrize(
    "found, guard",
    [(AWAY, Guard.LET), (DOWN, Guard.LET), (DOWN, Guard.WAIT), (DOWN, Guard.HOLD)],
)
def test_other_readings_are_looked_at_closely_when_there_is_something_to_do(
    found: Assessment, guard: Guard
) -> None:
    world = calm()
    kept = quiet(world.seen())
    assert kept is not None
    world.assessment = found
    next_step = next_effect(replace(world.seen(), guard=guard))
    assert stays_quiet(kept, found, guard) == (next_step is None) == (guard is Guard.WAIT)


@pytest.mark.parametrize(
    "triggers",
    [{"schedule": {"cron": "0 3 * * 1"}}, {"newData": {"query": "labels_arrived", "min": 100}}],
)
def test_what_has_another_reason_to_act_is_never_quiet(triggers: dict[str, Any]) -> None:
    world = World(spec=a_spec(triggers=triggers)).with_champion()
    assert quiet(world.seen()) is None


def test_a_run_or_no_champion_or_bad_readings_are_not_quiet() -> None:
    assert quiet(World().seen()) is None
    world = World().degraded()
    assert quiet(world.seen()) is None
    world.assessment = HEALTHY
    assert quiet(world.seen()) is None
    broken = World(spec=a_spec(metrics={})).seen()
    assert quiet(replace(broken, now=START)) is None
    assert not math.isnan(HEALTHY.reading.value)

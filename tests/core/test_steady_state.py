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
from maintenance_core.lifecycle.steady_state import stays_steady, steady_state
from maintenance_core.model import Assessment, Baseline, Healthy, Reading
from maintenance_core.watch.common_cause import CommonCause


def calm(**changes: Any) -> World:
    """A resource in service, about which nothing is to be done."""
    world = World(spec=a_spec(**changes)).with_champion()
    assert next_effect(world.seen()) is None
    return world


@pytest.mark.slow
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
    kept = steady_state(world.seen())
    assert kept is not None
    world.now += later
    mean = None if level is None else Baseline(level, world.now, None)
    world.assessment = Healthy(Reading(world.now, value), 0, 3, mean)
    if stays_steady(kept, world.assessment, CommonCause.ALLOW):
        assert next_effect(world.seen()) is None
    else:
        assert max_drop is not None
        assert next_effect(world.seen()) is not None


@pytest.mark.parametrize(
    "found, common_cause",
    [
        (AWAY, CommonCause.ALLOW),
        (DOWN, CommonCause.ALLOW),
        (DOWN, CommonCause.WAIT),
        (DOWN, CommonCause.HOLD),
    ],
)
def test_other_readings_are_looked_at_closely_when_there_is_something_to_do(
    found: Assessment, common_cause: CommonCause
) -> None:
    world = calm()
    kept = steady_state(world.seen())
    assert kept is not None
    world.assessment = found
    next_step = next_effect(replace(world.seen(), common_cause=common_cause))
    assert (
        stays_steady(kept, found, common_cause)
        == (next_step is None)
        == (common_cause is CommonCause.WAIT)
    )


@pytest.mark.parametrize(
    "triggers",
    [{"schedule": {"cron": "0 3 * * 1"}}, {"newData": {"query": "labels_arrived", "min": 100}}],
)
def test_what_has_another_reason_to_act_is_never_quiet(triggers: dict[str, Any]) -> None:
    world = World(spec=a_spec(triggers=triggers)).with_champion()
    assert steady_state(world.seen()) is None


def test_a_run_or_no_champion_or_bad_readings_are_not_quiet() -> None:
    assert steady_state(World().seen()) is None
    world = World().degraded()
    assert steady_state(world.seen()) is None
    world.assessment = HEALTHY
    assert steady_state(world.seen()) is None
    broken = World(spec=a_spec(metrics={})).seen()
    assert steady_state(replace(broken, now=START)) is None
    assert not math.isnan(HEALTHY.reading.value)

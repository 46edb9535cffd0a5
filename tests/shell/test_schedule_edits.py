"""A schedule that somebody writes is not late for times from before it."""

from dataclasses import replace
from datetime import timedelta
from typing import Any
from unittest import mock

import pytest
from support.world import START, World, a_spec

from maintenance_core.errors import SpecError
from maintenance_core.lifecycle.jobs import Identity, TrainerImage
from maintenance_core.lifecycle.triggers import wanted
from maintenance_core.model import Spec, Trigger
from maintenance_core.spec import parse
from maintenance_operator.adapters.calendar import Clock
from maintenance_operator.observer import Observer
from maintenance_operator.reconcile import Reconciler

HOUR = timedelta(hours=1)


def an_observer() -> Observer:
    return Reconciler(
        cluster=mock.Mock(),
        metrics=mock.Mock(),
        resources=mock.MagicMock(),
        telemetry=mock.Mock(),
        trainer=TrainerImage("trainer:1"),
        clock=Clock(),
        fleet_breaches=mock.Mock(),
    )._observer


def scheduled(cron: str | None) -> Spec:
    triggers: dict[str, Any] = {} if cron is None else {"schedule": {"cron": cron}}
    return parse(a_spec(triggers=triggers))


@pytest.mark.parametrize("before", [None, "0 5 * * *"])
def test_a_schedule_counts_from_when_it_was_written(before: str | None) -> None:
    observer, who = an_observer(), World.identity
    assert observer._scheduled_since(who, scheduled(before), START) is None
    for later in range(1, 4):
        since = observer._scheduled_since(who, scheduled("0 3 * * *"), START + later * HOUR)
        assert since == START + HOUR
    assert observer._scheduled_since(who, SpecError("spec", "no"), START) == START + HOUR
    another = Identity(who.namespace, who.name, "made-again")
    assert observer._scheduled_since(another, scheduled("0 4 * * *"), START) is None


def test_a_schedule_that_was_there_before_the_operator_is_kept() -> None:
    observer = an_observer()
    for later in range(3):
        assert observer._scheduled_since(World.identity, scheduled("0 3 * * *"), START) is None, (
            later
        )


def test_a_time_from_before_the_schedule_is_not_due() -> None:
    world = World(spec=a_spec(triggers={"schedule": {"cron": "0 3 * * *"}})).with_champion()
    world.now = world.now.replace(hour=10) + timedelta(days=3)
    due = world.now.replace(hour=3)
    world.scheduled = due, due + timedelta(days=1)
    seen = world.seen()
    assert wanted(seen) is Trigger.SCHEDULE
    assert wanted(replace(seen, scheduled_since=world.now)) is None
    assert wanted(replace(seen, scheduled_since=due - HOUR)) is Trigger.SCHEDULE

"""A query of ``spec.triggers.newData`` that cannot be answered is told, and holds nothing up."""

import logging
from dataclasses import replace
from datetime import timedelta
from unittest import mock

import pytest
from support.world import DOWN, START, World, a_spec

from maintenance_core.errors import MetricsError
from maintenance_core.lifecycle.conditions import METRICS_AVAILABLE
from maintenance_core.lifecycle.jobs import TrainerImage
from maintenance_core.lifecycle.next_effect import next_effect
from maintenance_core.model import Series
from maintenance_core.spec import parse
from maintenance_core.watch.reading_times import reading_times
from maintenance_operator.adapters.calendar import Clock
from maintenance_operator.observer import Observer
from maintenance_operator.reconcile import Reconciler

SPEC = a_spec(triggers={"newData": {"query": "sum(labels", "min": 100}})
NOW = reading_times(parse(SPEC).metrics, START)[-1]
REFUSED = MetricsError("InvalidQuery", "unclosed left parenthesis")


def an_observer(answer: tuple[Series, ...] | MetricsError) -> Observer:
    failed = isinstance(answer, MetricsError)
    asked = mock.AsyncMock(side_effect=answer if failed else None, return_value=answer)
    return Reconciler(
        cluster=mock.Mock(),
        metrics=mock.Mock(range=asked, admit=mock.AsyncMock()),
        resources=mock.Mock(),
        telemetry=mock.Mock(),
        trainer=TrainerImage("trainer:1"),
        clock=Clock(),
        fleet_breaches=mock.Mock(),
    )._observer


@pytest.mark.parametrize(
    "answer, value, reason",
    [
        (REFUSED, None, "InvalidQuery"),
        (MetricsError("QueryForbidden", "no matcher"), None, "QueryForbidden"),
        (MetricsError("Unreachable", "away"), None, None),
        ((), None, None),
        ((Series({}, ((NOW, 7.0),)),), 7.0, None),
        ((Series({}, ((NOW, float("nan")),)),), None, None),
        (
            (Series({"a": "1"}, ((NOW, 7.0),)), Series({"a": "2"}, ((NOW, 8.0),))),
            None,
            "Ambiguous",
        ),
    ],
    ids=["refused", "forbidden", "away", "nothing", "one", "no number", "two"],
)
async def test_what_is_wrong_with_the_query_is_seen_and_logged_once(
    answer: tuple[Series, ...] | MetricsError,
    value: float | None,
    reason: str | None,
    caplog: pytest.LogCaptureFixture,
) -> None:
    observer, spec = an_observer(answer), parse(SPEC)
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            found, unread = await observer._new_data(World.identity, spec, START)
            assert found == value
            assert (unread and unread[0]) == reason
    assert len(caplog.records) == (reason is not None)


def test_it_is_told_in_one_write_and_holds_nothing_up() -> None:
    world = World(spec=SPEC).with_champion()
    unread = ("InvalidQuery", "unclosed left parenthesis")
    writes = world.writes

    def settle() -> None:
        while (effect := next_effect(replace(world.seen(), new_data_unread=unread))) is not None:
            world.do(effect)

    settle()
    assert world.writes == writes + 1
    told = world.parsed.condition(METRICS_AVAILABLE)
    assert told is not None
    assert (told.status, told.reason) == ("True", "Reading")
    assert told.message.startswith("spec.triggers.newData is not followed (InvalidQuery): unclosed")
    assert world.condition("Ready") == ("True", "Watching")
    world.now += timedelta(minutes=5)
    settle()
    assert world.writes == writes + 1
    world.settle()
    told = world.parsed.condition(METRICS_AVAILABLE)
    assert told is not None
    assert told.message.startswith("Reading")
    world.assessment = DOWN
    settle()
    assert world.live

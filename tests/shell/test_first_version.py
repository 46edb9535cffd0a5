"""Counters of a model without a version are asked for, too: is anybody there to ask?"""

from datetime import UTC, datetime
from unittest import mock

import pytest
from support.world import a_spec

from maintenance_core.errors import MetricsError
from maintenance_core.lifecycle.jobs import Identity, TrainerImage
from maintenance_core.model import Assessment, Series, Status, Unknown
from maintenance_core.spec import parse
from maintenance_operator.adapters.calendar import Clock
from maintenance_operator.reconcile import Reconciler

NOW = datetime(2026, 11, 23, 18, tzinfo=UTC)
COUNTED = {
    "server": "default",
    "interval": "5m",
    "outcomes": {"counter": "seen", "classLabel": "true_class", "correctLabel": "correct"},
}


def answering(answer: tuple[Series, ...] | MetricsError) -> mock.Mock:
    """A Prometheus that says this to every query."""
    failed = isinstance(answer, MetricsError)
    asked = mock.AsyncMock(side_effect=answer if failed else None, return_value=answer)
    return mock.Mock(range=asked, admit=mock.AsyncMock(), skew=mock.Mock(return_value=None))


async def assessed(answer: tuple[Series, ...] | MetricsError) -> Assessment:
    reconcile = Reconciler(
        cluster=mock.Mock(),
        metrics=answering(answer),
        resources=mock.Mock(),
        telemetry=mock.Mock(),
        trainer=TrainerImage("trainer:1"),
        clock=Clock(),
        fleet_breaches=mock.Mock(),
    )
    spec = parse(a_spec(metrics=COUNTED))
    identity = Identity("finance", "news", "1a2b3c4d")
    return (await reconcile._observer._assess(identity, spec, Status(), NOW)).assessment


@pytest.mark.parametrize(
    "answer, reason",
    [
        (MetricsError("Unreachable", "away"), "Unreachable"),
        ((Series({"true_class": "a"}, ((NOW, 3.0),)),), "OutcomesUnreadable"),
        ((), "AwaitingReadings"),
        (
            (Series({"true_class": "a", "correct": "true"}, ((NOW, 3.0),)),),
            "AwaitingReadings",
        ),
    ],
)
async def test_whether_counters_can_be_read_is_known_before_there_is_a_version(
    answer: tuple[Series, ...] | MetricsError, reason: str
) -> None:
    found = await assessed(answer)
    assert isinstance(found, Unknown)
    assert found.reason == reason

"""Nothing is trained beside a model that may be in service while nobody can look."""

from typing import Any

import pytest
from support.world import HEALTHY, World, a_spec

from maintenance_core.model import Unknown
from maintenance_core.reasons import MetricsReason

FIRST = ["news-1a2b3c-1-diagnose"]
INITIAL = {"initialModel": {"storageUri": "pvc://models/by-hand"}}


def first(reason: str, **model: Any) -> World:
    spec = a_spec()
    spec["model"] |= model
    world = World(spec=spec, assessment=Unknown(reason, "said so"))
    world.settle()
    return world


@pytest.mark.parametrize(
    "reason",
    [
        MetricsReason.UNREACHABLE,
        MetricsReason.CREDENTIALS_REFUSED,
        MetricsReason.NOT_PROMETHEUS,
        MetricsReason.QUERY_FAILED,
        MetricsReason.REPLY_TOO_LARGE,
        MetricsReason.AMBIGUOUS,
        MetricsReason.OUTCOMES_UNREADABLE,
    ],
)
def test_a_first_version_waits_until_prometheus_can_be_asked(reason: str) -> None:
    world = first(reason)
    assert world.created == []
    assert world.condition("Training") == ("False", "AwaitingMetrics")
    assert world.condition("Ready") == ("True", "Watching")
    writes = world.writes
    world.settle()
    assert world.writes == writes
    world.assessment = HEALTHY
    world.settle()
    assert world.created == FIRST
    assert world.condition("Training") == ("False", "Diagnosing")


@pytest.mark.parametrize(
    "reason",
    [
        MetricsReason.NO_DATA,
        MetricsReason.STALE,
        MetricsReason.NOT_A_NUMBER,
        MetricsReason.INSUFFICIENT_SAMPLES,
        MetricsReason.AWAITING_READINGS,
    ],
)
def test_a_model_that_nobody_serves_yet_has_no_readings_and_is_not_waited_for(reason: str) -> None:
    assert first(reason).created == FIRST


def test_a_model_that_is_brought_along_is_copied_all_the_same() -> None:
    assert first(MetricsReason.UNREACHABLE, **INITIAL).created == FIRST


def test_what_stands_in_the_way_already_is_told_once() -> None:
    """By Ready; and a suspended resource waits for its author, not for Prometheus."""
    assert first(MetricsReason.INVALID_QUERY).condition("Training") == ("False", "Idle")
    world = World(spec=a_spec(suspend=True), assessment=Unknown("Unreachable", "away"))
    world.settle()
    assert world.condition("Training") == ("False", "Idle")

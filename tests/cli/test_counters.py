"""Counters as people see them: what a check says of them, what a status shows."""

from datetime import timedelta
from typing import Any

import pytest
from support.bodies import CHAMPION, DOWN, FOLLOWED, IDLE, NOW, PERFORMANCE, READ, SPEC, body

from maintenance_core.errors import MetricsError
from maintenance_core.model import (
    Alarm,
    Counts,
    Degraded,
    Kind,
    Monitor,
    OutcomeCounters,
    Reading,
    ReferenceCounts,
    Status,
)
from maintenance_core.spec import parse
from maintenance_core.status import write
from maintenance_core.watch import counters as core
from maintenance_core.watch.e_detector import Window
from maintenance_operator.cli.findings import of_labels
from maintenance_operator.cli.layout import Page
from maintenance_operator.cli.outlook import State, state
from maintenance_operator.cli.resource import read
from maintenance_operator.cli.status import View, document, explained

COUNTED = {
    **SPEC,
    "metrics": {
        "server": "default",
        "interval": "5m",
        "outcomes": {"counter": "p_total", "classLabel": "c", "correctLabel": "ok"},
    },
}
REFERENCE = ReferenceCounts(NOW, {"sport": Counts(2000, 200)})


def counters() -> OutcomeCounters:
    metrics = parse(COUNTED).metrics
    assert isinstance(metrics, OutcomeCounters)
    return metrics


def watched(**changes: Any) -> dict[str, Any]:
    monitor = Monitor(CHAMPION["version"], core.digest(counters()), NOW, REFERENCE)
    written = write(Status(monitor=monitor))["monitor"]
    return body(
        FOLLOWED,
        READ,
        IDLE,
        spec=COUNTED,
        champion=CHAMPION,
        monitor=written,
        performance=PERFORMANCE,
        **changes,
    )


def test_the_floor_is_what_the_tolerance_leaves_of_the_baseline() -> None:
    resource = read(watched())
    floor = core.floor(counters(), REFERENCE).bound

    assert 0.86 < floor < 0.88
    assert document(View(resource, NOW))["bound"] == {"min": floor, "max": None}
    assert f"floor {floor:.4g}" in explained(View(resource, NOW), Page())


def test_before_anything_is_learnt_no_bound_is_made_up() -> None:
    resource = read(body(FOLLOWED, READ, IDLE, spec=COUNTED, champion=CHAMPION))

    assert document(View(resource, NOW))["bound"] is None
    assert "floor" not in explained(View(resource, NOW), Page())


def test_a_reading_made_now_tells_what_the_test_shows() -> None:
    alarm = Alarm(Kind.ERROR, 31000, 20000, 0.13, NOW - timedelta(hours=2), Counts(412, 120))
    floor = core.floor(counters(), REFERENCE)
    live = Degraded(Reading(NOW, 0.71, 412), 1, 1, floor, alarm=alarm)
    resource = read(body(FOLLOWED, READ, DOWN, IDLE, spec=COUNTED, champion=CHAMPION))

    told = " ".join(explained(View(resource, NOW, live=live), Page()).split())

    assert "the error rate rose: 0.2913 of 412 labelled predictions" in told
    assert state(resource) is State.DEGRADED


def test_a_check_counts_what_prometheus_has() -> None:
    window = Window(NOW, {"a": Counts(30, 3), "b": Counts(10, 1)})
    counted, learnt = of_labels(counters(), [window])

    assert counted.ok
    assert "40 labelled predictions of 2 classes in the last 5m, 4 of them wrong" in counted.told
    assert "the first 2000 after a promotion" in learnt.told


@pytest.mark.parametrize(
    "answer, field, words",
    [
        ([], "spec.metrics.outcomes.counter", "no series of p_total counts anything"),
        (
            MetricsError("OutcomesUnreadable", "says neither true nor false"),
            "spec.metrics.outcomes",
            "says neither",
        ),
        (MetricsError("Unreachable", "away"), "spec.metrics.server", "away"),
    ],
)
def test_what_cannot_be_counted_is_named_by_its_field(answer: Any, field: str, words: str) -> None:
    (found,) = of_labels(counters(), answer)

    assert not found.ok
    assert found.field == field
    assert words in found.told

"""What changes without an Event is known to the log, once."""

from datetime import UTC, datetime

import pytest

from maintenance_core.lifecycle.conditions import transitions, transitions_to_log
from maintenance_core.model import Condition, Status

NOW = datetime(2026, 11, 23, 18, tzinfo=UTC)


def status(**conditions: str) -> Status:
    """Conditions as ``Ready="True/Watching"``."""
    return Status(
        conditions=tuple(
            Condition(kind, *value.split("/"), "Said so.", 1, NOW)  # type: ignore[call-arg]
            for kind, value in conditions.items()
        )
    )


@pytest.mark.parametrize(
    "before, after, events, lines",
    [
        (status(), status(Ready="True/Watching", Training="False/Idle"), [], ["Ready"]),
        (
            status(Ready="True/Watching"),
            status(Ready="False/InvalidSpec", Stalled="True/InvalidSpec"),
            ["InvalidSpec"],
            [],
        ),
        (
            status(Ready="False/InvalidSpec", Stalled="True/InvalidSpec"),
            status(Ready="True/Watching"),
            [],
            ["Ready"],
        ),
        (status(Training="True/Queued"), status(Training="True/Running"), [], ["Training"]),
        (
            status(MetricsAvailable="Unknown/AwaitingReadings"),
            status(MetricsAvailable="True/Reading"),
            [],
            ["MetricsAvailable"],
        ),
        (
            status(MetricsAvailable="True/Reading", Degraded="False/WithinRange"),
            status(MetricsAvailable="False/NoData", Degraded="False/WithinRange"),
            ["MetricsUnavailable"],
            [],
        ),
        (status(Degraded="True/BelowThreshold"), status(Degraded="True/BelowThreshold"), [], []),
        (
            status(Degraded="False/WithinRange"),
            status(Degraded="True/BelowThreshold"),
            ["Degraded"],
            [],
        ),
    ],
)
def test_a_change_has_an_event_or_a_line(
    before: Status, after: Status, events: list[str], lines: list[str]
) -> None:
    assert [note.reason for note in transitions(before, after)] == events
    assert [condition.type for condition in transitions_to_log(before, after)] == lines

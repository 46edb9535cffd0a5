"""The breaker opens after so many runs without fruit in a row, and a person closes it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from maintenance_core.lifecycle.breaker import failures, tripped
from maintenance_core.model import Action, HistoryEntry, RunOutcome, Status, Trigger

START = datetime(2026, 11, 23, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def run(
    number: int,
    outcome: RunOutcome = RunOutcome.FAILED,
    *,
    action: Action = Action.RETRAIN,
    trigger: Trigger = Trigger.PERFORMANCE_DROP,
    reason: str = "JobFailed",
) -> HistoryEntry:
    end = START + number * HOUR
    return HistoryEntry(
        number, trigger, action, reason, outcome, "It broke.", end - HOUR, end, generation=1
    )


def status(*oldest_first: HistoryEntry) -> Status:
    return Status(history=tuple(reversed(oldest_first)))


def counted(found: Status, generation: int = 1, since: datetime | None = None) -> list[int]:
    return [entry.number for entry in failures(found, generation=generation, since=since)]


def test_failed_and_rejected_runs_count_since_the_last_promotion() -> None:
    found = status(
        run(1),
        run(2, RunOutcome.PROMOTED),
        run(3),
        run(4, RunOutcome.STOPPED, reason="Suspended"),
        run(5, RunOutcome.REJECTED, reason="NoImprovement"),
    )
    assert counted(found) == [5, 3]


def test_a_rejected_fine_tune_and_its_retrain_are_one_attempt() -> None:
    tuned = run(1, RunOutcome.REJECTED, action=Action.FINE_TUNE, reason="NoImprovement")
    retrained = run(2, RunOutcome.REJECTED, trigger=Trigger.ESCALATION, reason="NoImprovement")
    assert counted(status(tuned, retrained)) == [2]
    assert counted(status(tuned)) == [1]


@pytest.mark.parametrize("reason", ["JobDeleted", "ChampionChanged"])
def test_what_somebody_else_did_meanwhile_does_not_count(reason: str) -> None:
    assert counted(status(run(1), run(2, reason=reason), run(3))) == [3, 1]


def test_a_new_generation_of_the_spec_begins_anew() -> None:
    found = status(run(1), run(2), run(3))
    assert counted(found, generation=2) == []
    assert counted(status(run(1), run(2), replace(run(3), generation=2)), generation=2) == [3]


def test_a_generation_of_the_same_spec_for_trainings_does_not() -> None:
    told = [replace(run(number), spec_digest="sha256:a") for number in (1, 2, 3)]
    found = status(*told[:2], replace(told[2], generation=2))
    for digest, numbers in (("sha256:a", [3, 2, 1]), ("sha256:b", []), ("", [])):
        counted = failures(found, generation=3, spec_digest=digest, since=None)
        assert [entry.number for entry in counted] == numbers
    untold = failures(status(run(1), run(2)), generation=3, spec_digest="", since=None)
    assert untold == (), "of releases before, the generation alone is known"


def test_what_ended_before_the_reset_is_forgiven() -> None:
    assert counted(status(run(1), run(2), run(3)), since=START + 2 * HOUR) == [3]


def test_it_opens_with_the_last_failure_allowed_and_says_what_to_do() -> None:
    two, three = status(run(1), run(2)), status(run(1), run(2), run(3))
    assert tripped(two, generation=1, since=None, most=3) is None
    message = tripped(three, generation=1, since=None, most=3)
    assert message is not None
    assert "3 runs in a row failed" in message
    assert "run 3, JobFailed: It broke." in message
    assert "modelmaintenance.dev/breaker-reset=" in message

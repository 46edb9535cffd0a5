"""What a story with counters writes, and when."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from support.world import DOWN, START, World, a_spec

from maintenance_contract import Outcome, Task
from maintenance_core import status as status_json
from maintenance_core.lifecycle.next_effect import next_effect
from maintenance_core.model import (
    Alarm,
    Baseline,
    Counts,
    Degraded,
    Healthy,
    Kind,
    Monitor,
    Reading,
    ReferenceCounts,
    Unknown,
)
from maintenance_core.model import OutcomeCounters as Counters
from maintenance_core.spec import parse
from maintenance_core.watch import counters as core

COUNTED = a_spec(
    metrics={"server": "default", "interval": "5m", "outcomes": {
        "counter": "predictions_total", "classLabel": "true_class", "correctLabel": "correct",
    }}
)  # fmt: skip
REFERENCE = ReferenceCounts(START, {"sport": Counts(2000, 200)})
ALARM = Alarm(Kind.ERROR, 31000, 20000, 0.13, START + timedelta(hours=1), Counts(412, 120))


def counters() -> Counters:
    metrics = parse(COUNTED).metrics
    assert isinstance(metrics, Counters)
    return metrics


def monitor(version: int) -> Monitor:
    return Monitor(version, core.digest(counters()), START, REFERENCE)


def healthy(world: World, season: timedelta | None = None) -> Healthy:
    champion = world.parsed.champion
    assert champion is not None
    level = Baseline(0.9, START, 2000)
    reading = Reading(world.now, 0.9, 100)
    return Healthy(reading, 0, 1, level, monitor(champion.version), season)


def served() -> World:
    world = World(spec=COUNTED)
    world.assessment = core.unserved()
    world.with_champion()
    world.assessment = healthy(world)
    world.settle()
    return world


FLOOR = core.floor(counters(), REFERENCE)


def down(world: World) -> World:
    world.assessment = Degraded(Reading(world.now, 0.71, 412), 1, 1, FLOOR, alarm=ALARM)
    world.settle()
    return world


@pytest.mark.slow
def test_what_a_version_achieves_is_written_once_and_watching_writes_nothing() -> None:
    world = served()
    status = world.parsed
    assert status.monitor is not None
    assert status.monitor.reference == REFERENCE
    assert status.champion is not None
    assert status.champion.baseline == Baseline(0.9, START, 2000)
    assert world.condition("Degraded") == ("False", "WithinRange")
    writes = world.writes

    for minutes in range(5, 3 * 24 * 60, 60):
        world.now = START + timedelta(days=1, minutes=minutes)
        world.assessment = replace(healthy(world), reading=Reading(world.now, 0.88, 150))
        world.settle()

    assert world.writes == writes


@pytest.mark.parametrize("verdict", ["Degraded", "Stale"])
def test_what_a_version_achieved_is_written_whatever_the_first_verdict_is(verdict: str) -> None:
    """After a restart it would be looked for again, and a drop taken for it."""
    world = World(spec=COUNTED)
    world.assessment = core.unserved()
    world.with_champion()
    assert world.parsed.champion is not None
    known = monitor(world.parsed.champion.version)
    down = Degraded(Reading(world.now, 0.71, 412), 1, 1, FLOOR, alarm=ALARM, monitor=known)
    world.assessment = down if verdict == "Degraded" else Unknown("Stale", "silent", known)
    world.settle()

    status = world.parsed
    assert status.champion is not None
    assert (status.monitor, status.champion.baseline) == (known, Baseline(0.9, START, 2000))
    assert (status.run is not None) == (verdict == "Degraded")
    writes = world.writes
    world.now += timedelta(hours=1)
    world.settle()
    assert world.writes == writes


def test_that_labels_are_forgotten_is_written_once() -> None:
    world = World(spec=COUNTED)
    world.assessment = core.unserved()
    world.with_champion()
    world.assessment = Unknown("AwaitingReadings", "60 of 2000 are counted.")
    world.settle()
    writes = world.writes

    for number in range(3):
        world.assessment = Unknown(
            "AwaitingReadings", f"{900 + number} of 2000 are counted. {core.NOTHING_OLDER}."
        )
        world.settle()

    assert world.writes == writes + 1
    told = world.parsed.condition("MetricsAvailable")
    assert told is not None
    assert told.message == f"900 of 2000 are counted. {core.NOTHING_OLDER}."


def test_what_was_gathered_of_one_version_is_not_told_of_the_next() -> None:
    world = World(spec=COUNTED)
    world.assessment = core.unserved()
    world.with_champion()
    of = "labelled predictions of version"
    for said in (
        f"60 of 2000 {of} 1 are counted that tell: {core.NOTHING_OLDER}.",
        f"10 of 2000 {of} 2 are counted that tell.",
    ):
        world.assessment = Unknown("AwaitingReadings", said)
        world.settle()
        told = world.parsed.condition("MetricsAvailable")
        assert told is not None
        assert told.message == said


@pytest.mark.slow
def test_a_rise_begins_a_run_that_remembers_what_the_test_showed() -> None:
    world = down(served())

    assert world.condition("Degraded") == ("True", "ErrorRose")
    run = world.parsed.run
    assert run is not None
    assert run.breach is not None
    assert run.breach.alarm == ALARM
    world.finish(world.diagnosis())
    decision = world.parsed.decision
    assert decision is not None
    assert (
        "The error rate rose: 0.2913 of 412 labelled predictions since 2026-11-23 13:00 UTC were "
        "wrong, where at most 0.13 may be (evidence 31000, threshold 20000)" in decision.message
    )
    accuracy, evidence = decision.path[0].evidence
    assert (accuracy.name, accuracy.value, accuracy.n) == ("accuracy", "0.71", 412)
    assert (evidence.name, evidence.value, evidence.threshold) == (
        "errorEvidence",
        "31000",
        "20000",
    )


@pytest.mark.slow
def test_a_promotion_forgets_what_the_version_before_achieved() -> None:
    world = down(served())
    world.finish(world.diagnosis())
    world.finish(world.training())

    status = world.parsed
    assert status.champion is not None
    assert (status.champion.baseline, status.monitor) == (None, None)
    world.assessment = healthy(world)
    world.settle()
    assert world.parsed.monitor == monitor(status.champion.version)


def test_a_season_is_said_and_begins_nothing() -> None:
    world = served()
    world.assessment = healthy(world, season=timedelta(days=7))
    world.settle()

    assert world.condition("Degraded") == ("False", "SeasonSeenBefore")
    assert world.parsed.run is None
    condition = world.parsed.condition("Degraded")
    assert condition is not None
    assert "no more than a week before" in condition.message


@pytest.mark.slow
def test_where_the_test_is_rebuilt_from_rides_on_other_writes() -> None:
    world = served()
    writes = world.writes
    world.now = START + timedelta(days=40)
    world.assessment = healthy(world)
    assert next_effect(world.seen()) is None, "a checkpoint alone is no reason to write"

    down(world)

    assert world.writes > writes
    held = world.parsed.monitor
    assert held is not None
    assert held.checkpoint_time == core.beginning(START, world.now) > START
    assert held.reference == REFERENCE


def test_a_reference_of_a_release_before_is_kept_under_its_new_digest() -> None:
    """It would not be known any more once the interval is another one."""
    world = served()
    held = world.parsed.monitor
    assert held is not None
    before = replace(held, counter=core.former_digest(counters()))
    world.status = status_json.write(replace(world.parsed, monitor=before))
    world.assessment = replace(healthy(world), monitor=before)

    world.settle()

    assert world.parsed.monitor == held
    assert next_effect(world.seen()) is None


def test_another_counter_begins_another_reference() -> None:
    world = served()
    world.spec = a_spec(
        metrics=COUNTED["metrics"] | {"outcomes": COUNTED["metrics"]["outcomes"] | {"counter": "b"}}
    )
    world.generation += 1
    other = parse(world.spec).metrics
    assert isinstance(other, Counters)
    found = replace(monitor(world.parsed.champion.version), counter=core.digest(other))  # type: ignore[union-attr]
    world.assessment = replace(healthy(world), monitor=found)
    world.settle()

    assert world.parsed.monitor == found


def test_rows_from_before_the_onset_are_not_asked_for_as_new() -> None:
    world = World(spec=a_spec(data=a_spec()["data"] | {"columns": {
        "text": "text", "label": "label", "time": "published"}}))  # fmt: skip
    world.with_champion()
    onset = world.now - timedelta(minutes=5)
    world.assessment = replace(DOWN, onset=onset)
    world.settle()

    (job,) = world.live
    asked = world.requests[job].data
    assert (asked.columns.time, asked.since) == ("published", "2026-11-24T11:55:00Z")


@pytest.mark.parametrize("task", [Task.TIME_SERIES_CLASSIFICATION, Task.NEXT_ITEM])
def test_where_time_orders_rows_all_of_a_new_file_is_new(task: Task) -> None:
    spec = a_spec()
    its_data = {name: part for name, part in spec["data"].items() if name != "columns"}
    world = World(spec=a_spec(model=spec["model"] | {"task": task.value}, data=its_data))
    world.with_champion()
    world.assessment = replace(DOWN, onset=world.now - timedelta(minutes=5))
    world.settle()

    (job,) = world.live
    asked = world.requests[job].data
    assert (asked.columns.time, asked.since) == ("time", "")


def test_a_drop_that_is_known_for_long_began_then() -> None:
    world = World(spec=a_spec(data=a_spec()["data"] | {"columns": {
        "text": "text", "label": "label", "time": "published"}}))  # fmt: skip
    world.degraded()
    began = world.now
    world.finish(world.diagnosis(diagnosis=None, outcome=Outcome.FAILED, reason="DataEmpty"))
    world.now += timedelta(days=3)
    world.assessment = replace(DOWN, onset=world.now - timedelta(minutes=5))
    world.settle()

    (job,) = world.live
    since = datetime.fromisoformat(world.requests[job].data.since)
    assert since == began - timedelta(minutes=5), "five readings of a minute before it was told"


def test_a_gauge_instead_of_counters_learns_its_own_baseline() -> None:
    world = served()
    gauge = a_spec()["metrics"]
    world.spec = a_spec(metrics=gauge | {"performance": gauge["performance"] | {"maxDrop": 0.02}})
    world.generation += 1
    level = Baseline(0.95, world.now, 500)
    world.assessment = Healthy(Reading(world.now, 0.95, 500), 0, 5, level)
    world.settle()

    champion = world.parsed.champion
    assert champion is not None
    assert champion.baseline is not None
    assert replace(champion.baseline, metric="") == level
    assert world.parsed.monitor is None

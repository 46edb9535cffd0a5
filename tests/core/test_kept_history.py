"""Which runs status keeps: as many as the spec says, and those that a limit still counts."""

from dataclasses import replace
from datetime import timedelta

import pytest
from support.plain import merged
from support.world import DOWN, HEALTHY, SAME, START, WORSE, World, a_spec

from maintenance_core.lifecycle.kept_history import kept_history
from maintenance_core.model import Action, HistoryEntry, RunOutcome, Spec, Trigger
from maintenance_core.status import HISTORY

HOUR = timedelta(hours=1)


def remembering(most: int, **limits: object) -> World:
    world = World(spec=merged(a_spec(), {"history": {"runs": most}, "limits": limits}))
    return world.degraded()


def clean_up(world: World) -> None:
    """Somebody deletes the diagnosis' Job: a run that ends without a training."""
    world.jobs.clear()
    world.settle()
    assert world.parsed.history[0].reason == "JobDeleted"


def test_runs_that_did_not_train_hide_no_training_from_the_limit() -> None:
    world = remembering(1, cooldown="1h", runs={"max": 3, "per": "168h"})
    for look in range(12):
        if world.live and look % 2:
            clean_up(world)
        elif world.live:
            world.finish(world.diagnosis(snapshot_digest=f"sha256:{look}"))
            if world.live:
                world.finish(world.training())
        world.now += 2 * HOUR
        world.assessment = DOWN
        world.settle()
    trained = [entry for entry in world.parsed.history if entry.trained]
    assert len(trained) == 3
    world.finish(world.diagnosis(snapshot_digest="sha256:more"))
    assert world.parsed.decision is not None
    assert world.parsed.decision.reason == "RunLimitReached"


def test_what_was_rejected_on_these_data_is_not_forgotten() -> None:
    world = remembering(1, cooldown="1s", runs={"max": 10, "per": "1h"})
    world.finish(world.diagnosis())
    for _ in "fine-tune", "retrain":
        world.finish(world.training(new=WORSE, old=SAME))
    for _ in range(2):
        world.now += 72 * HOUR
        world.settle()
        clean_up(world)
    assert [str(entry.outcome) for entry in world.parsed.history] == [
        "Failed",
        "Rejected",
        "Rejected",
    ]
    world.now += 72 * HOUR
    world.settle()
    world.finish(world.diagnosis())
    assert world.parsed.decision is not None
    assert world.parsed.decision.reason == "NoNewEvidence"


def test_the_breaker_opens_however_few_runs_are_kept() -> None:
    world = remembering(1, cooldown="1s", consecutiveFailures=2)
    for deleted in (False, True, False):
        if deleted:
            clean_up(world)
        else:
            world.finish("no report")
        world.now += 48 * HOUR
        world.settle()
    assert world.condition("Ready") == ("False", "RepeatedFailures")
    assert [str(each.outcome) for each in world.parsed.history] == ["Failed", "Failed", "Promoted"]


def entry(number: int, *, trained: bool, ago: timedelta) -> HistoryEntry:
    return HistoryEntry(
        number,
        Trigger.SCHEDULE,
        Action.RETRAIN,
        "JobDeleted",
        RunOutcome.FAILED,
        "",
        START - ago,
        START - ago,
        trained=trained,
    )


@pytest.mark.parametrize("runs, kept", [(1, 11), (10, 20), (50, 50)])
def test_older_trainings_have_room_among_as_many_as_the_schema_holds(runs: int, kept: int) -> None:
    world = remembering(runs, runs={"max": 10, "per": "168h"})
    seen = world.seen()
    others = [entry(number, trained=False, ago=HOUR) for number in range(90, 40, -1)]
    young = [entry(number, trained=True, ago=100 * HOUR) for number in range(40, 30, -1)]
    old = [entry(number, trained=True, ago=169 * HOUR) for number in range(30, 20, -1)]
    status = replace(seen.status, history=(*others, *young, *old))
    assert isinstance(seen.spec, Spec)
    found = kept_history(seen, status)
    assert len(found) == kept <= HISTORY
    assert found[-10:] == tuple(young)
    assert found[:-10] == tuple(others[: kept - 10])


def test_time_alone_writes_nothing() -> None:
    """What no limit counts any more goes with the next write."""
    world = remembering(1, cooldown="1h", runs={"max": 3, "per": "168h"})
    for look in range(2):
        world.assessment = DOWN
        world.settle()
        world.finish(world.diagnosis(snapshot_digest=f"sha256:{look}"))
        world.finish(world.training())
        world.now += 2 * HOUR
    world.assessment = HEALTHY
    world.settle()
    writes = world.writes
    assert len(world.parsed.history) == 3
    for _ in range(10):
        world.now += 24 * HOUR
        world.settle()
    assert world.writes == writes


def test_a_run_that_ends_a_row_of_failures_keeps_older_ones_out_of_it() -> None:
    world = remembering(1, consecutiveFailures=3, runs={"max": 9, "per": "168h"})
    seen = world.seen()
    here = [replace(entry(number, trained=True, ago=HOUR), generation=1) for number in (9, 7, 6)]
    apart = replace(entry(8, trained=False, ago=HOUR), generation=9, spec_digest="another")
    status = replace(seen.status, history=(here[0], apart, *here[1:]))
    assert kept_history(seen, status) == status.history

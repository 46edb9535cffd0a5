"""Conditions over the whole life of a resource, for those who only look at Ready."""

from dataclasses import replace

import pytest
from core.test_next_effect import World

from maintenance_contract import Outcome
from maintenance_core.model import Step, Unknown


def in_another_s_store() -> World:
    world = World()
    world.settle()
    find_the_store_in_use(world)
    return world


def find_the_store_in_use(world: World) -> None:
    refused = world.diagnosis(
        diagnosis=None,
        outcome=Outcome.FAILED,
        reason="StoreInUse",
        message="owner.json names finance/other",
    )
    world.finish(replace(refused, snapshot_digest=""))


def look_again(world: World) -> None:
    recheck = world.parsed.recheck
    assert recheck is not None
    world.now = recheck.time
    world.settle()


def test_a_store_in_use_stalls_also_while_it_is_looked_at_again() -> None:
    world = in_another_s_store()
    since = world.parsed.condition("Ready")
    for _ in range(3):
        look_again(world)
        assert world.parsed.run is not None
        assert world.parsed.run.step is Step.DIAGNOSE
        assert world.condition("Stalled") == ("True", "StoreInUse")
        assert world.parsed.condition("Ready") == since, "no transition: nothing is news"
        find_the_store_in_use(world)
    assert world.notes.count("StoreInUse") == 1


def test_a_store_that_was_set_free_is_found_by_the_next_look() -> None:
    world = in_another_s_store()
    look_again(world)
    world.finish(world.diagnosis())
    assert world.condition("Ready") == ("True", "Watching")
    assert world.parsed.condition("Stalled") is None


def test_a_changed_spec_lifts_the_stall() -> None:
    world = in_another_s_store()
    world.edit(history={"runs": 20})
    world.settle()
    assert world.condition("Ready") == ("False", "StoreInUse"), "that bears on no store"
    world.edit(model={"storage": {"storageUri": "pvc://models/elsewhere"}})
    world.settle()
    assert world.condition("Ready") == ("True", "Watching")
    assert world.live


@pytest.mark.parametrize("state", ["watching", "diagnosing", "training"])
def test_a_run_is_no_reason_to_wait_for_the_resource(state: str) -> None:
    """Reconciling would hold every ``helm --wait`` for the hours of a training."""
    world = World().with_champion() if state == "watching" else World().degraded()
    if state == "training":
        world.finish(world.diagnosis())
    assert world.condition("Ready") == ("True", "Watching")
    kinds = {condition.type for condition in world.parsed.conditions}
    assert kinds == {"Ready", "MetricsAvailable", "Degraded", "Training"}


def test_another_cause_that_another_person_must_mend_is_written_and_an_event() -> None:
    world = World()
    world.settle()
    for reason in ("Unreachable", "CredentialsRefused", "NotPrometheus"):
        world.assessment = Unknown(reason, f"it is {reason}, says the server at 12:00")
        world.settle()
        condition = world.parsed.condition("MetricsAvailable")
        assert condition is not None
        assert reason in condition.message
        writes = world.writes
        world.assessment = Unknown(reason, f"it is {reason}, says the server at 12:01")
        world.settle()
        assert world.writes == writes, "other numbers are no news"
    assert world.notes.count("MetricsUnavailable") == 3


@pytest.mark.parametrize("reason", ["UnknownServer", "ServerForbidden", "QueryForbidden"])
def test_what_the_configuration_says_of_a_spec_is_told_as_it_is_now(reason: str) -> None:
    world = World(assessment=Unknown(reason, "known: default"))
    world.settle()
    world.assessment = Unknown(reason, "known: default, other")
    world.settle()
    for kind in ("Ready", "Stalled", "MetricsAvailable"):
        condition = world.parsed.condition(kind)
        assert condition is not None
        assert condition.message == "known: default, other"
    writes = world.writes
    world.settle()
    assert world.writes == writes

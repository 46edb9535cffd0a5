"""A decision carries how its training is done; what an older operator decided means the same."""

from typing import Any

import pytest
from support.world import World

from maintenance_contract import Answer
from maintenance_core.decide.training_plan import plan_for
from maintenance_core.model import Spec, TrainingPlan


def decided(drift: Answer = Answer.NO, answer: Answer = Answer.MINOR) -> World:
    world = World(drift=drift, answer=answer).degraded()
    world.finish(world.diagnosis())
    return world


def plan_in_status(world: World) -> dict[str, Any] | None:
    found: dict[str, Any] | None = world.status["decision"].get("trainingPlan")
    return found


@pytest.mark.slow
def test_a_training_says_how_and_nothing_else_does() -> None:
    world = decided(drift=Answer.MAJOR)
    assert plan_in_status(world) == {
        "race": False,
        "excludeContradicted": True,
        "oldRowsAtNewMix": False,
        "causeOpen": False,
    }
    untouched = decided(drift=Answer.NO, answer=Answer.NO)
    assert untouched.status["decision"]["action"] == "None"
    assert plan_in_status(untouched) is None


@pytest.mark.slow
@pytest.mark.parametrize("drift", [Answer.NO, Answer.MAJOR])
def test_what_an_older_operator_decided_goes_on_as_it_began(drift: Answer) -> None:
    world = decided(drift=drift)
    (name,) = world.live
    del world.status["decision"]["trainingPlan"]
    seen = world.seen()
    decision = seen.status.decision
    assert decision is not None
    assert decision.plan is None
    assert isinstance(seen.spec, Spec)
    assert plan_for(decision, seen.spec).exclude_contradicted == (drift is Answer.MAJOR)
    world.settle()  # the request, and so its digest, is the one that the Job carries
    assert world.live == [name]
    world.finish(world.training())
    assert world.status["history"][0]["outcome"] == "Promoted"


@pytest.mark.slow
def test_the_plan_in_status_is_followed_whatever_its_reason_would_mean() -> None:
    world = decided()
    decision = world.seen().status.decision
    assert decision is not None
    assert decision.plan == TrainingPlan()
    (name,) = world.live
    del world.jobs[name]
    world.created.clear()
    world.status["run"].pop("jobUID")
    world.status["decision"]["trainingPlan"]["race"] = True
    world.settle()
    assert world.requests[name].race

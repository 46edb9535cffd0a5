"""Which version should be in service: what status promoted, or else what the ConfigMap names."""

from dataclasses import replace
from typing import Any

import pytest
from support.world import START, World

from maintenance_contract import TrainingAction
from maintenance_core.lifecycle import projection
from maintenance_core.lifecycle.next_effect import STEPS, next_effect, otherwise
from maintenance_core.lifecycle.promotion import in_service
from maintenance_core.model import Champion, WriteConfigMap, WriteStatus

SIXTH = Champion(6, "pvc://models/news/versions/6", "sha256:66", START, TrainingAction.RETRAIN)
SEVENTH = replace(SIXTH, version=7, storage_uri="pvc://models/news/versions/7", digest="sha256:77")


@pytest.mark.parametrize(
    "promoted, projected, expected",
    [
        (SEVENTH, SIXTH, SEVENTH),
        (SEVENTH, None, SEVENTH),
        (None, SIXTH, SIXTH),
        (None, None, None),
    ],
    ids=["status is the truth", "a lost ConfigMap", "a lost status", "no version yet"],
)
def test_the_version_that_should_be_in_service(
    promoted: Champion | None, projected: Champion | None, expected: Champion | None
) -> None:
    seen = World().seen()
    config_map = projected and projection.manifest(seen.identity, projected, None)
    seen = replace(seen, status=replace(seen.status, champion=promoted), config_map=config_map)
    assert in_service(seen) == expected
    effect = next_effect(seen)
    if promoted is not None:
        assert isinstance(effect, WriteConfigMap)
        assert effect.manifest["data"]["version"] == "7"
    else:
        assert isinstance(effect, WriteStatus)
        assert effect.status.champion == expected


def test_a_config_map_of_somebody_else_names_nothing() -> None:
    seen = World().seen()
    theirs = projection.manifest(seen.identity, SIXTH, None)
    theirs["metadata"]["labels"] = {}
    assert in_service(replace(seen, config_map=theirs)) is None


def made_again(place: str, storage: str, **model: Any) -> World:
    """A resource by the name of one before, whose version lies at that place."""
    world = World()
    before = replace(SIXTH, storage_uri=place)
    world.config_map = projection.manifest(world.seen().identity, before, None)
    world.edit(model={"storage": {"storageUri": storage}, **model})
    return world


def test_a_slip_in_the_spec_makes_no_other_version_serve() -> None:
    """While a spec cannot be followed, nobody knows whose a version of before is."""
    place = "pvc://models/news/versions/6"
    world = made_again(place, "pvc://other/news", initialModel={"storageUri": place})
    world.settle()
    world.finish(world.diagnosis())
    report = world.training()
    world.edit(metrics={"interval": "soon"})
    world.finish(report)
    assert world.parsed.history[0].reason != "ChampionChanged"
    assert world.parsed.champion is not None


@pytest.mark.parametrize(
    "place, storage",
    [
        ("pvc://models/news/versions/6", "pvc://models/news/"),
        ("pvc://store/versions/6", "pvc://store"),
        ("s3://models/news/versions/6/", "s3://models/news"),
    ],
)
def test_a_version_in_the_store_is_taken_over_however_that_is_spelled(
    place: str, storage: str
) -> None:
    world = made_again(place, storage)
    world.settle()
    assert world.parsed.champion is not None
    assert world.parsed.champion.version == 6


@pytest.mark.parametrize(
    "place, storage",
    [
        ("pvc://models/news/versions/6", "pvc://models/newsletter"),
        ("pvc://models/newsletter/versions/6", "pvc://models/news"),
        ("pvc://models/news/versions/6", "s3://models/news"),
        ("pvc://models/versions/6", "pvc://models/news"),
        ("no place", "pvc://models/news"),
    ],
)
def test_what_serves_from_another_store_is_neither_taken_over_nor_replaced(
    place: str, storage: str
) -> None:
    world = made_again(place, storage)
    world.settle()
    assert world.parsed.champion is None
    assert world.created == []
    assert world.config_map is not None
    assert world.config_map["data"]["storageUri"] == place
    ready = world.parsed.condition("Ready")
    assert ready is not None
    assert (ready.status, ready.reason) == ("False", "ChampionElsewhere")
    assert place in ready.message
    assert storage in ready.message
    world.config_map = None
    world.settle()
    assert world.condition("Ready") == ("True", "Watching")
    assert world.live


def test_an_initial_model_takes_the_place_of_what_serves_from_another_store() -> None:
    place = "pvc://models/news/versions/6"
    world = made_again(place, "pvc://other/news", initialModel={"storageUri": place})
    world.settle()
    assert world.condition("Ready") == ("True", "Watching")
    (job,) = world.live
    assert world.requests[job].model.storage == "pvc://other/news"
    world.finish(world.diagnosis())
    assert world.parsed.decision is not None
    assert world.parsed.decision.reason == "InitialModel"
    world.finish(world.training())
    assert world.config_map is not None
    assert world.config_map["data"]["storageUri"].startswith("pvc://other/news/versions/")


def test_the_last_step_applies_whatever_is_seen() -> None:
    applies, _ = STEPS[-1]
    assert applies is otherwise

"""Which version should be in service: what status promoted, or else what the ConfigMap names."""

from dataclasses import replace

import pytest
from support.world import START, World

from maintenance_contract import TrainingAction
from maintenance_core.lifecycle import projection
from maintenance_core.lifecycle.next_effect import STEPS, next_effect, otherwise
from maintenance_core.lifecycle.promotion import in_service
from maintenance_core.model import Champion, WriteConfigMap, WriteStatus

SIXTH = Champion(6, "pvc://models/6", "sha256:66", START, TrainingAction.RETRAIN)
SEVENTH = replace(SIXTH, version=7, storage_uri="pvc://models/7", digest="sha256:77")


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


def test_the_last_step_applies_whatever_is_seen() -> None:
    applies, _ = STEPS[-1]
    assert applies is otherwise

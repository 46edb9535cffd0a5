"""Items on a real node: decided by the product from Prometheus to promotion, without a base model.

No reading is good enough for these resources, so each asks its new rows at once.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from maintenance_examples.clusters import Cluster
from maintenance_examples.watching import Watched
from support import maintained
from support.items import ITEMS, LATER, Record, users, write_csv

pytestmark = pytest.mark.timeout(1500)

LAUNCH = [f"i{number}" if number < 30 else f"n{number}" for number in range(ITEMS)]
REPLACED = [f"i{number}" if number < 5 else f"n{number}" for number in range(ITEMS)]
CASES = {
    # One item in four is new, where others were.
    "launch": (LAUNCH, "FineTune", "DomainExpansion"),
    # Hardly one item is left.
    "replaced": (REPLACED, "Retrain", "FeatureSpaceChanged"),
}


def _shuffled(records: list[Record]) -> list[Record]:
    items = np.random.default_rng(0).permutation([record["item"] for record in records])
    return [{**record, "item": str(item)} for record, item in zip(records, items, strict=True)]


def _fill(folder: Path) -> None:
    for name in ("original", "nothing", "shuffled", *CASES):
        (folder / "shop" / name).mkdir(parents=True)
    write_csv(folder / "shop/original/first.csv", users(1, 1000))
    for name, (ring, _, _) in CASES.items():
        records = users(2, 500, first=5000, names=ring, start=LATER)
        write_csv(folder / f"shop/{name}/more.csv", records)
    broken = _shuffled(users(3, 500, first=5000, start=LATER))
    write_csv(folder / "shop/shuffled/more.csv", broken)


@pytest.fixture(scope="module")
def shop(cluster: Cluster) -> Iterator[Watched]:
    """A namespace with interactions on its claims; version 1 is trained and in service."""
    with maintained.begun(
        cluster, _fill, _resource("shop", "nothing"), base_model=False
    ) as watched:
        yield watched


def _resource(name: str, updates: str, initial: str = "") -> dict[str, Any]:
    resource = maintained.resource("next-item", name, "pvc://data/shop", initial=initial)
    resource["spec"]["data"] = {
        "original": {"storageUri": "pvc://data/shop/original"},
        "updates": {"storageUri": f"pvc://data/shop/{updates}"},
    }
    resource["spec"]["gate"] = {}
    return resource


@pytest.fixture(scope="module")
def asked(shop: Watched) -> dict[str, Watched]:
    """All cases: each takes version 1 over, and then looks at rows of its own."""
    wanted = (_resource(name, name, "pvc://models/shop/versions/1") for name in CASES)
    return {each["metadata"]["name"]: maintained.taken_over(shop, each) for each in wanted}


def test_version_1_is_trained_from_nothing(shop: Watched) -> None:
    status = shop.status()
    assert status["champion"]["version"] == 1
    first = status["history"][0]
    assert (first["action"], first["outcome"]) == ("Retrain", "Promoted")
    assert float(first["scores"]["old"]["challenger"]) > 0.85


def test_what_has_changed_about_the_catalogue_decides(asked: dict[str, Watched]) -> None:
    told = {}
    for name, (_, action, reason) in CASES.items():
        decision = maintained.decision(asked[name], action)
        assert (decision["action"], decision["reason"]) == (action, reason), decision["message"]
        told[name] = maintained.why(asked[name])
    assert "items that the model does not know" in told["launch"]
    assert "among its first 10" in told["launch"]


@pytest.mark.parametrize("name", CASES)
def test_the_new_version_wins_and_is_promoted(asked: dict[str, Watched], name: str) -> None:
    assert maintained.won(asked[name], CASES[name][1])


def test_shuffled_items_block_and_say_what_to_do(shop: Watched) -> None:
    resource = _resource("broken", "shuffled", "pvc://models/shop/versions/1")
    watched = maintained.taken_over(shop, resource)
    decision = maintained.decision(watched, "Blocked")
    assert (decision["action"], decision["reason"]) == ("Blocked", "DataUnusable")
    assert "does not follow from what they chose before" in decision["message"]
    assert watched.status()["champion"]["version"] == 1

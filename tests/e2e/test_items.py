"""Items on a real node: decided by the product from Prometheus to promotion, without a base model.

No reading is good enough for these resources, so each asks its new rows at once.
"""

import dataclasses
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from maintenance_examples.clusters import MONITORING, Cluster
from maintenance_examples.deployment import Example
from maintenance_examples.shell import run, until
from maintenance_examples.watching import Watched
from support.items import ITEMS, LATER, Record, users, write_csv

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = ROOT / "manifests/samples/next-item.yaml"
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
def shop(cluster: Cluster) -> Watched:
    """A namespace with interactions on its claims; version 1 is trained and in service."""
    example = Example(cluster, "shop")
    with tempfile.TemporaryDirectory() as folder:
        _fill(Path(folder))
        example.load(Path(folder))
    example.apply("prometheus.yaml")
    example.rollout("prometheus", namespace=MONITORING)
    watched = Watched(example)
    example.kubectl("apply", "-f", "-", stdin=yaml.safe_dump(_resource("shop", "nothing")))
    until(
        "version 1",
        lambda: watched.status().get("champion"),
        seconds=600,
        progress=watched.how_far,
    )
    return watched


def _resource(name: str, updates: str, initial: str = "") -> dict[str, Any]:
    resource: dict[str, Any] = yaml.safe_load(SAMPLE.read_text(encoding="utf-8"))
    resource["metadata"] = {"name": name}
    spec = resource["spec"]
    spec["suspend"] = False
    spec["model"]["storage"] = {"storageUri": f"pvc://models/{name}"}
    if initial:
        spec["model"]["initialModel"] = {"storageUri": initial}
    spec["data"] = {
        "original": {"storageUri": "pvc://data/shop/original"},
        "updates": {"storageUri": f"pvc://data/shop/{updates}"},
    }
    spec["metrics"] = {
        "server": "default",
        "interval": "5s",
        "performance": {
            "query": "vector(0.5)",
            "thresholdRange": {"min": 0.9},
            "breach": {"count": 3, "of": 5},
        },
    }
    spec["gate"] = {}
    spec["decision"] = {"recheckAfter": "24h"}
    spec["training"] = {
        "resources": {
            "limits": {"nvidia.com/gpu": 1, "memory": "4Gi"},
            "requests": {"cpu": "500m", "memory": "1Gi"},
        },
        "timeout": "10m",
    }
    spec["limits"] = {"cooldown": "10s"}
    return resource


def _why(watched: Watched) -> str:
    """What ``kubectl mm why`` says, on one line."""
    where = (
        f"--kubeconfig={watched.example.cluster.kubeconfig}",
        "--namespace",
        watched.example.name,
    )
    told = run(sys.executable, "-m", "maintenance_operator.cli", "why", watched.name, *where)
    return " ".join(told.split())


@pytest.fixture(scope="module")
def asked(shop: Watched) -> dict[str, Watched]:
    """All cases, applied together: each takes version 1 over and looks at rows of its own."""
    found = {}
    for name in CASES:
        resource = _resource(name, name, "pvc://models/shop/versions/1")
        shop.example.kubectl("apply", "-f", "-", stdin=yaml.safe_dump(resource))
        found[name] = dataclasses.replace(shop, name=name, decisions={})
    return found


def _decision(watched: Watched, action: str) -> dict[str, Any]:
    """The first decision to train, as soon as it is there; else what was decided instead."""

    def decided() -> dict[str, Any] | None:
        watched.status()
        every = [d for d in watched.decisions.values() if d["trigger"] == "PerformanceDrop"]
        return next((d for d in every if d["action"] == action), next(iter(every), None))

    what = f"the decision on {watched.name}"
    return until(what, decided, seconds=600, progress=watched.how_far)


def test_version_1_is_trained_from_nothing(shop: Watched) -> None:
    status = shop.status()
    assert status["champion"]["version"] == 1
    first = status["history"][0]
    assert (first["action"], first["outcome"]) == ("Retrain", "Promoted")
    assert float(first["scores"]["old"]["challenger"]) > 0.85


def test_what_has_changed_about_the_catalogue_decides(asked: dict[str, Watched]) -> None:
    told = {}
    for name, (_, action, reason) in CASES.items():
        decision = _decision(asked[name], action)
        assert (decision["action"], decision["reason"]) == (action, reason), decision["message"]
        told[name] = _why(asked[name])
    assert "items that the model does not know" in told["launch"]
    assert "among its first 10" in told["launch"]


@pytest.mark.parametrize("name", CASES)
def test_the_new_version_wins_and_is_promoted(asked: dict[str, Watched], name: str) -> None:
    watched, (_, action, _) = asked[name], CASES[name]

    def ended() -> dict[str, Any] | None:
        history = watched.status().get("history", [])
        return next((entry for entry in history if entry["action"] != "Import"), None)

    entry = until(f"the end of {name}", ended, seconds=900, progress=watched.how_far)
    assert (entry["trigger"], entry["action"]) == ("PerformanceDrop", action), entry
    assert (entry["outcome"], entry["version"]) == ("Promoted", 2), entry
    scores = entry["scores"]["new"]
    assert float(scores["challenger"]) > float(scores["champion"])


def test_shuffled_items_block_and_say_what_to_do(shop: Watched) -> None:
    resource = _resource("broken", "shuffled", "pvc://models/shop/versions/1")
    shop.example.kubectl("apply", "-f", "-", stdin=yaml.safe_dump(resource))
    watched = dataclasses.replace(shop, name="broken", decisions={})
    decision = _decision(watched, "Blocked")
    assert (decision["action"], decision["reason"]) == ("Blocked", "DataUnusable")
    assert "does not follow from what they chose before" in decision["message"]
    assert watched.status()["champion"]["version"] == 1

"""Time series on a real node: decided by the product from Prometheus to promotion, from nothing.

No reading is good enough for these resources, so each asks its new rows at once.
"""

import dataclasses
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
import yaml
from maintenance_examples.clusters import MONITORING, Cluster
from maintenance_examples.deployment import Example
from maintenance_examples.shell import run, until
from maintenance_examples.watching import Watched
from support.series import load, prices, records, write, zigzags

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = ROOT / "manifests/samples/time-series-forecasting.yaml"
pytestmark = pytest.mark.timeout(1500)

BEFORE, AFTER = 2000, 900
CASES = {
    # What was above its mean is called below it: each label means the other.
    "turned": (prices(BEFORE, AFTER, sign=-1), "Retrain", "ConceptDrift"),
    # A quarter of the hours runs as none did before, and has a class of its own.
    "zigzag": (zigzags(BEFORE, AFTER), "FineTune", "DomainExpansion"),
}
WINDOWS = {"context": 16, "stride": 2}


def _fill(folder: Path) -> None:
    for name in ("original", "nothing", "load"):
        (folder / "market" / name).mkdir(parents=True)
    write(folder / "market/original/first.csv", prices(0, BEFORE))
    write(folder / "market/load/first.csv", records(0, {"load": load(0, 4000)}))
    for name, (rows, _, _) in CASES.items():
        write(folder / f"market/{name}/more.csv", rows)


@pytest.fixture(scope="module")
def market(cluster: Cluster) -> Watched:
    """A namespace with series on its claims; version 1 is trained and in service."""
    example = Example(cluster, "market")
    with tempfile.TemporaryDirectory() as folder:
        _fill(Path(folder))
        example.load(Path(folder))
    example.apply("prometheus.yaml")
    example.rollout("prometheus", namespace=MONITORING)
    watched = Watched(example)
    for resource in (_resource("market", "nothing"), _forecast()):
        example.kubectl("apply", "-f", "-", stdin=yaml.safe_dump(resource))
    _version_1(watched)
    return watched


def _version_1(watched: Watched) -> None:
    until(
        f"version 1 of {watched.name}",
        lambda: watched.status().get("champion"),
        seconds=900,
        progress=watched.how_far,
    )


def _resource(name: str, updates: str, initial: str = "") -> dict[str, Any]:
    resource: dict[str, Any] = yaml.safe_load(SAMPLE.read_text(encoding="utf-8"))
    resource["metadata"] = {"name": name}
    spec = resource["spec"]
    spec["suspend"] = False
    spec["model"] = {
        "task": "TimeSeriesClassification",
        "storage": {"storageUri": f"pvc://models/{name}"},
    }
    if initial:
        spec["model"]["initialModel"] = {"storageUri": initial}
    spec["data"] = {
        "original": {"storageUri": "pvc://data/market/original"},
        "updates": {"storageUri": f"pvc://data/market/{updates}"},
        "windows": WINDOWS,
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


def _forecast() -> dict[str, Any]:
    """Of a load; its first version alone is asked for."""
    resource = _resource("load", "nothing")
    spec = resource["spec"]
    spec["model"]["task"] = "TimeSeriesForecasting"
    spec["data"]["original"] = {"storageUri": "pvc://data/market/load"}
    spec["data"]["windows"] = {"context": 24, "horizon": 4}
    spec["metrics"]["performance"]["thresholdRange"] = {"max": 0.6}
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
def asked(market: Watched) -> dict[str, Watched]:
    """All cases, applied together: each takes version 1 over and looks at rows of its own."""
    found = {}
    for name in CASES:
        resource = _resource(name, name, "pvc://models/market/versions/1")
        market.example.kubectl("apply", "-f", "-", stdin=yaml.safe_dump(resource))
        found[name] = dataclasses.replace(market, name=name, decisions={})
    return found


def _decision(watched: Watched, action: str) -> dict[str, Any]:
    """The first decision to train, as soon as it is there; else what was decided instead."""

    def decided() -> dict[str, Any] | None:
        watched.status()
        every = [d for d in watched.decisions.values() if d["trigger"] == "PerformanceDrop"]
        return next((d for d in every if d["action"] == action), next(iter(every), None))

    what = f"the decision on {watched.name}"
    return until(what, decided, seconds=600, progress=watched.how_far)


def test_version_1_is_trained_from_nothing(market: Watched) -> None:
    status = market.status()
    assert status["champion"]["version"] == 1
    first = status["history"][0]
    assert (first["action"], first["outcome"]) == ("Retrain", "Promoted")
    assert float(first["scores"]["old"]["challenger"]) > 0.85


def test_a_forecast_is_trained_from_nothing_and_better_than_the_last_number(
    market: Watched,
) -> None:
    watched = dataclasses.replace(market, name="load", decisions={})
    _version_1(watched)
    first = watched.status()["history"][0]
    assert (first["action"], first["outcome"]) == ("Retrain", "Promoted")
    assert first["scores"]["metric"] == "MAE"
    assert float(first["scores"]["old"]["challenger"]) < float(first["scores"]["old"]["champion"])


def test_what_has_changed_about_the_windows_decides(asked: dict[str, Watched]) -> None:
    told = {}
    for name, (_, action, reason) in CASES.items():
        decision = _decision(asked[name], action)
        assert (decision["action"], decision["reason"]) == (action, reason), decision["message"]
        told[name] = _why(asked[name])
    assert "neither inputs nor class mix explain" in told["turned"]


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

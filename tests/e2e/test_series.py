"""Time series on a real node: decided by the product from Prometheus to promotion, from nothing.

No reading is good enough for these resources, so each asks its new rows at once.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from maintenance_examples.clusters import Cluster
from maintenance_examples.watching import Watched
from support import maintained
from support.series import load, prices, records, write, zigzags

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
def market(cluster: Cluster) -> Iterator[Watched]:
    """A namespace with series on its claims; version 1 is trained and in service."""
    with maintained.begun(
        cluster, _fill, _resource("market", "nothing"), base_model=False
    ) as watched:
        yield watched


def _resource(name: str, updates: str, initial: str = "") -> dict[str, Any]:
    resource = maintained.resource(
        "time-series-forecasting", name, "pvc://data/market", initial=initial
    )
    spec = resource["spec"]
    spec["model"]["task"] = "TimeSeriesClassification"
    spec["data"] = {
        "original": {"storageUri": "pvc://data/market/original"},
        "updates": {"storageUri": f"pvc://data/market/{updates}"},
        "windows": WINDOWS,
    }
    spec["gate"] = {}
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


@pytest.fixture(scope="module")
def asked(market: Watched) -> dict[str, Watched]:
    """All cases, applied together: each takes version 1 over and looks at rows of its own."""
    wanted = (_resource(name, name, "pvc://models/market/versions/1") for name in CASES)
    return {each["metadata"]["name"]: maintained.applied(market, each) for each in wanted}


def test_version_1_is_trained_from_nothing(market: Watched) -> None:
    status = market.status()
    assert status["champion"]["version"] == 1
    first = status["history"][0]
    assert (first["action"], first["outcome"]) == ("Retrain", "Promoted")
    assert float(first["scores"]["old"]["challenger"]) > 0.85


def test_a_forecast_is_trained_from_nothing_and_better_than_the_last_number(
    market: Watched,
) -> None:
    first = maintained.in_service(maintained.applied(market, _forecast()))
    assert (first["action"], first["outcome"]) == ("Retrain", "Promoted")
    assert first["scores"]["old"]["metric"] == "MAE"
    assert float(first["scores"]["old"]["challenger"]) < float(first["scores"]["old"]["champion"])


def test_what_has_changed_about_the_windows_decides(asked: dict[str, Watched]) -> None:
    told = {}
    for name, (_, action, reason) in CASES.items():
        decision = maintained.decision(asked[name], action)
        assert (decision["action"], decision["reason"]) == (action, reason), decision["message"]
        told[name] = maintained.why(asked[name])
    assert "neither inputs nor class mix explain" in told["turned"]


@pytest.mark.parametrize("name", CASES)
def test_the_new_version_wins_and_is_promoted(asked: dict[str, Watched], name: str) -> None:
    assert maintained.won(asked[name], CASES[name][1])

"""Large fleets of the benchmark: what goes on record, and that its resources are what it says."""

import importlib
from pathlib import Path
from typing import Any

import pytest

BENCHMARK = Path(__file__).resolve().parents[2] / "benchmarks/operator"


@pytest.fixture
def part(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A module of the benchmark by its name."""
    monkeypatch.syspath_prepend(str(BENCHMARK))
    return importlib.import_module


def scale_of(module: Any, resources: int) -> Any:
    return module.Scale(
        resources=resources,
        interval=30,
        cold_start=7.5,
        cold_start_writes=0,
        rss_mib=100.0,
        idle_seconds=60.0,
        idle_writes=0,
        idle_cpu_cores=0.1,
        api_requests=0,
        requests_per_interval=1.0,
        breach=(0.3, 0.1, 0.2),
        breaches=resources // 10,
        breaches_seconds=20.0,
        raw_creates_per_second=100.0,
        raw_breaches_per_second=70.0,
        rss_after_mib=120.0,
        load=1.0,
    )


def test_the_largest_fleet_gives_the_headline(part: Any) -> None:
    scale = part("scale")
    found = scale.figures_of([scale_of(scale, 10_000), scale_of(scale, 1_000)])
    assert found["10000"]["creates_per_second"] == 50.0
    assert found["10000"]["raw_breaches_per_second"] == 70.0
    assert found["10000"]["breach_seconds"] == {"value": 0.2, "max": 0.3, "n": 3}
    assert scale.headline(found) == {
        "cold_start_10k_seconds": 7.5,
        "rss_10k_mb": 100.0,
        "breach_1_of_10k_seconds": 0.2,
        "breach_1000_of_10k_seconds": 20.0,
        "raw_creates_per_second": 100.0,
        "prometheus_requests_per_interval": 1.0,
    }


def test_the_broken_are_broken_in_ways_of_their_own_and_well_again(part: Any) -> None:
    broken, fleet = part("broken"), part("fleet")
    ways = [broken.broken_metrics(number) for number in range(10)]
    assert len({str(each) for each in ways}) == 5
    for number, way in enumerate(ways):
        metrics = fleet.body_of(number, 10)["spec"]["metrics"]
        assert metrics == {
            key: value for key, value in broken.well_metrics(number).items() if value is not None
        }
        assert way.keys() <= metrics.keys() | {"server"}


def test_what_the_broken_cost_is_a_ratio_pair_by_pair(part: Any) -> None:
    broken = part("broken")
    turns = {
        "well": [broken.Turn(2.0, 0.01, 0.2), broken.Turn(4.0, 0.02, 0.2)],
        "broken": [broken.Turn(2.2, 0.01, 0.2), broken.Turn(4.0, 0.03, 0.1)],
    }
    found = broken.figures_of(1000, 10, turns)
    assert found["start"] == {
        "broken": 3.1,
        "well": 3.0,
        "ratio": 1.05,
        "ratio_min": 1.0,
        "ratio_max": 1.1,
    }
    assert found["breach"]["ratio_min"] == 0.5


def test_both_operators_have_the_same_figures(part: Any) -> None:
    keda = part("beside_keda")
    figures = keda.Figures(3.0, 90.0, 0.04, 12.0, 0.0, (2.5, 1.5, 3.5))
    found = keda.figures_of("ours", figures)["ours"]
    assert found["breach_seconds"] == {"value": 2.5, "min": 1.5, "max": 3.5, "n": 3}
    assert found["prometheus_queries_per_minute"] == 12.0


def test_keda_asks_for_the_same_series(part: Any) -> None:
    keda, fleet = part("beside_keda"), part("fleet")
    trigger = keda.scaled_job(3, "http://127.0.0.1:9090")["spec"]["triggers"][0]["metadata"]
    assert f'{fleet.QUERY}{{model="{fleet.name_of(3)}"}}' in trigger["query"]

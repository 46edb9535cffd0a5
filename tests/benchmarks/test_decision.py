"""The decision benchmark draws what it says it draws, and a cell can be run again."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
BENCHMARK = ROOT / "benchmarks/decision"


def part(name: str) -> ModuleType:
    """A module of the benchmark, which is a folder of scripts and no package."""
    spec = importlib.util.spec_from_file_location(f"decision_{name}", BENCHMARK / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


weak, intervals, series, results = map(part, ("weak", "intervals", "series", "results"))


def errors(scenario: str, n: int = 20_000, seed: int = 7) -> tuple[float, float]:
    """The deployed model's error on rows of the old law and on a large new window."""
    case = weak.case(scenario, n, seed)
    return tuple(  # type: ignore[return-value]  # two of them
        float(np.mean(case.champion.predict(x) != y)) for x, y in (case.reference, case.new)
    )


@pytest.mark.parametrize(
    "scenario, least, most",
    [
        ("none", -0.02, 0.02),
        ("benign", -0.02, 0.02),
        ("covariate", 0.005, 0.045),
        ("label", 0.0, 0.045),
        ("concept-local", 0.09, 0.16),
        ("concept-coefficient", 0.06, 0.13),
        ("concept-6", 0.02, 0.06),
        ("concept-and-shift", 0.04, 0.09),
        ("new-domain", 0.05, 0.12),
    ],
)
def test_a_scenario_hurts_as_much_as_its_definition_says(
    scenario: str, least: float, most: float
) -> None:
    old, new = errors(scenario)
    assert 0.13 < old < 0.19
    assert least <= new - old <= most


@pytest.mark.slow
def test_shares_of_the_definitions() -> None:
    chance = np.random.default_rng(1)
    x, y = weak.SCENARIOS["label"].draw(20_000, chance)
    assert y.mean() == pytest.approx(0.2, abs=0.01)
    _, mild = weak.SCENARIOS["label-mild"].draw(20_000, chance)
    assert mild.mean() == pytest.approx(0.35, abs=0.01)
    x, _ = weak.SCENARIOS["new-domain"].draw(20_000, chance)
    assert np.mean(x[:, :2].min(axis=1) > 2) == pytest.approx(0.25, abs=0.015)
    x, _ = weak.usual(20_000, chance)
    assert np.mean(x[:, 3] > 1.5) == pytest.approx(0.067, abs=0.01)


def test_a_seed_draws_the_same_again_and_another_seed_does_not() -> None:
    one, again, other = (weak.case("covariate", 200, seed) for seed in (1, 1, 2))
    assert np.array_equal(one.new[0], again.new[0])
    assert not np.array_equal(one.new[0], other.new[0])


def test_intervals_cover_their_value_and_are_not_certain_of_ones() -> None:
    low, high = intervals.wilson(60, 60)
    assert low < 1.0 == high
    value, low, high = intervals.mean_of_shares([(60, 60), (30, 60)])
    assert value == 0.75
    assert low < 0.75 < high
    assert intervals.mean_of_shares([(60, 60)])[1] < 1.0


def run_twice(*arguments: str) -> list[list[dict[str, Any]]]:
    command = [sys.executable, BENCHMARK, "--jobs", "1", *arguments]
    source = ":".join(
        str(ROOT / part / "src") for part in ("contract", "core", "operator", "trainer")
    )
    outputs = [
        subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=True,
            env=os.environ | {"PYTHONPATH": source},
        ).stdout
        for _ in range(2)
    ]
    return [
        [{k: v for k, v in cell.items() if k != "seconds"} for cell in json.loads(output)]
        for output in outputs
    ]


@pytest.mark.slow
def test_a_cell_can_be_run_again_by_its_seeds() -> None:
    first, again = run_twice(
        *("cause", "--json", "--scenario", "concept-local", "--scenario", "labels-shuffled"),
        *("--n", "300", "--first-seed", "100000", "--seeds", "1"),
    )
    assert first == again
    assert [cell["verdicts"] for cell in first] == [{"concept": 1}, {"blocked": 1}]


@pytest.mark.slow
def test_a_stream_can_be_run_again_and_a_finished_one_is_kept(tmp_path: Path) -> None:
    first, again = run_twice(
        *("alarm", "--json", "--scenario", "drop-20", "--scenario", "none"),
        *("--first-seed", "100000", "--seeds", "1", "--work", str(tmp_path)),
    )
    assert first == again
    drop, none = first
    assert drop["alarms"]["counters"] is not None
    assert 1000 < drop["alarms"]["counters"] < 1400
    assert (none["alarms"]["counters"], none["trained"]) == (None, None)
    assert len((tmp_path / "alarm.jsonl").read_text().splitlines()) == 2


@pytest.mark.parametrize("classes", [True, False])
def test_series_are_seeded_and_updates_go_on_where_they_ended(*, classes: bool) -> None:
    def drawn(change: str) -> tuple[dict[str, Any], dict[str, Any]]:
        law, chance = series.World(classes).law(3), np.random.default_rng(4)
        return law.draw("none", 200, chance), law.updates(change, 100, chance)

    world = series.World(classes)
    for change in world.changes:
        old, new = drawn(change)
        assert (old, new) == drawn(change)
        assert max(old["time"]) < min(new["time"])
        windows = world.windows
        assert len(new["time"]) == 100 * windows.stride
        assert len(old["time"]) == 200 * windows.stride + 5 * (windows.span - 1)
        assert ("gauge" in new) == (change == "new-channel")
    its = drawn("season")[1]
    name = "x1" if classes else "load"  # the channel that matters most by the law of this seed
    machines, channel = np.array(its["machine"]), np.array(its[name])
    after_half_a_turn = [
        np.corrcoef(its[series.TURN // 2 :], its[: -series.TURN // 2])[0, 1]
        for its in (channel[machines == machine] for machine in series.MACHINES)
    ]
    assert after_half_a_turn[-1] < -0.8 < min(after_half_a_turn[:-1]), "one runs as none did"
    calm, usual = (np.array(drawn(change)[1][name]) for change in ("calm", "none"))
    assert calm.std() / usual.std() == pytest.approx(series.CALM, abs=0.1)


def test_labels_of_series_follow_their_law_until_it_changes() -> None:
    def shares(change: str) -> float:
        law, chance = series.World(classes=True).law(3), np.random.default_rng(4)
        its = law.draw(change, 4000, chance)
        values = np.array([its[f"x{number}"] for number in range(series.CHANNELS)]).T
        z = (values - law._drawn["centre"]) / law._drawn["scale"]
        score = z @ law._drawn["weights"][0]
        score[1:] += z[:-1] @ law._drawn["weights"][1]
        return float(np.mean((score > 0) == (np.array(its["label"]) == "up")))

    assert shares("none") > 0.85
    assert shares("calm") == pytest.approx(shares("none"), abs=0.02)
    assert shares("season") < shares("none") - 0.05
    assert shares("regime") < 0.75
    assert shares("labels-shuffled") == pytest.approx(0.5, abs=0.03)


@pytest.mark.slow
def test_every_arm_is_trained_on_series(tmp_path: Path) -> None:
    source = ":".join(
        str(ROOT / part / "src") for part in ("contract", "core", "operator", "trainer")
    )
    command = [sys.executable, str(BENCHMARK), "--jobs", "1", "kinds"]
    command += [
        "--kind",
        "TimeSeriesForecasting",
        "--scenario",
        "season",
        "--size",
        "800+300",
        "--seeds",
        "1",
        "--json",
    ]
    output = subprocess.run(
        [*command, "--work", str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"PYTHONPATH": source},
    ).stdout
    (case,) = json.loads(output.splitlines()[0])
    assert {"keep", "FineTune", "Retrain"} <= case["scores"].keys()
    kept, tuned = case["scores"]["keep"], case["scores"]["FineTune"]
    assert kept["new"] < kept["old"] - 0.1, "a season hurts"
    assert tuned["new"] > kept["new"] + 0.1, "and is learnt"
    assert case["first"] in {"FineTune", "Retrain"}


def test_a_run_of_one_size_leaves_what_is_on_record_of_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(results, "RESULTS", tmp_path)
    (tmp_path / "decision").mkdir()
    runs = {
        "2026-11-29T1000": [("A", 1000, 1), ("A", 5000, 2)],
        "2026-11-30T1000": [("A", 1000, 3), ("B", 1000, 4)],
    }
    for time, cells in runs.items():
        written = [{"kind": kind, "size": size, "is": number} for kind, size, number in cells]
        path = tmp_path / f"decision/{time}-kinds.json"
        path.write_text(json.dumps({"cells": written}))
    found = results.newest_cells("kinds", lambda cell: (cell["kind"], cell["size"]))
    assert {group: [cell["is"] for cell in cells] for group, cells in found.items()} == {
        ("A", 1000): [3],
        ("A", 5000): [2],
        ("B", 1000): [4],
    }

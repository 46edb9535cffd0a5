"""The operator's benchmark measures: small, but on the same real parts as the whole one."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from support.control_plane import ROOT

pytestmark = [pytest.mark.api, pytest.mark.slow, pytest.mark.timeout(420)]


def test_the_operators_benchmark_measures_and_its_promises_hold(tmp_path: Path) -> None:
    output = tmp_path / "operator.json"
    done = subprocess.run(
        [sys.executable, "benchmarks/operator", "--quick", "--output", str(output)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    results = json.loads(output.read_text(encoding="utf-8"))
    for name in ("breach_to_diagnose_seconds", "diagnosed_to_train_seconds"):
        assert results[name]["n"] >= 3, results[name]
        assert 0 < results[name]["min"] <= results[name]["p50"] <= results[name]["p99"] < 10
    assert results["idle_writes_per_resource_hour"]["max"] == 0
    assert results["idle_prometheus_requests_per_reading"]["value"] == 1
    assert results["operator_cold_start_seconds"]["value"] > 0
    assert results["about"]["versions"]["kubernetes"].startswith("v1.")
    assert "breach_to_diagnose_seconds" in done.stdout

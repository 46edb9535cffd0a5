"""The benchmark's own arithmetic: from logs to figures."""

import importlib.util
import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
BENCHMARK = ROOT / "benchmarks/operator"
START = datetime(2026, 1, 1, tzinfo=UTC)


def part(name: str) -> ModuleType:
    """A module of the benchmark, which is a folder of scripts and no package."""
    spec = importlib.util.spec_from_file_location(f"benchmark_{name}", BENCHMARK / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


figures, readings, records = part("figures"), part("readings"), part("records")


def event(verb: str, resource: str, name: str, *, at: float, took: float = 0.01) -> dict[str, Any]:
    """A record of the audit log; ``resource`` is ``jobs`` or ``jobs/status``."""
    kind, _, sub = resource.partition("/")
    received = START + timedelta(seconds=at)
    return {
        "stage": "ResponseComplete",
        "verb": verb,
        "user": {"username": "operator"},
        "objectRef": {"resource": kind, "subresource": sub, "name": name},
        "responseStatus": {"code": 201 if verb == "create" else 200},
        "requestReceivedTimestamp": received.isoformat(),
        "stageTimestamp": (received + timedelta(seconds=took)).isoformat(),
    }


def reply(query: str, *, grid: float, at: float) -> dict[str, Any]:
    """A line of the operator's log."""
    return {
        "message": "Prometheus replied",
        "query_key": records.query_key(query),
        "grid_end": grid,
        "last_byte": (START + timedelta(seconds=at)).isoformat(),
    }


def test_a_breach_counts_from_the_first_reply_about_its_reading_until_the_job_is_stored() -> None:
    replies = [
        reply("accuracy", grid=5, at=0.5),
        reply("other", grid=10, at=0.7),
        reply("accuracy", grid=10, at=1.0),
        reply("accuracy", grid=10, at=1.9),
    ]
    requests = [event("create", "jobs", "news-abc123-4-diagnose", at=1.25)]
    (delay,) = records.breach_to_diagnose(
        list(map(records.request_of, requests)),
        list(map(records.reply_of, replies)),
        {("news", 4): 10.0},
        {"news": "accuracy"},
    )
    assert delay.run == ("news", 4)
    assert delay.to_received == pytest.approx(0.25)
    assert delay.to_created == pytest.approx(0.26)


def test_a_diagnosis_counts_from_the_last_status_write_of_its_job() -> None:
    requests = [
        event("create", "jobs", "news-abc123-4-diagnose", at=0),
        event("update", "jobs/status", "news-abc123-4-diagnose", at=1),
        event("update", "jobs/status", "news-abc123-4-diagnose", at=2, took=0.5),
        event("update", "jobs/status", "olds-abc123-4-diagnose", at=3),
        event("create", "jobs", "news-abc123-4-train", at=2.75),
        event("update", "jobs/status", "news-abc123-4-train", at=4),
    ]
    (delay,) = records.diagnosed_to_train(list(map(records.request_of, requests)))
    assert delay.to_received == pytest.approx(0.25)


def test_a_refused_create_is_no_job() -> None:
    refused = event("create", "jobs", "news-abc123-4-diagnose", at=0)
    refused["responseStatus"]["code"] = 409
    assert records.created_jobs([records.request_of(refused)], "diagnose") == {}


def test_a_watch_counts_once_when_it_begins() -> None:
    begun = {**event("watch", "jobs", "", at=0), "stage": "ResponseStarted"}
    ended = event("watch", "jobs", "", at=0)
    assert records.request_of(begun) is not None
    assert records.request_of(ended) is None


def test_events_are_writes_and_reads_are_none() -> None:
    requests = [
        records.request_of(event(verb, "events", "", at=0)) for verb in ("create", "patch", "list")
    ]
    assert [each.verb for each in records.writes(requests)] == ["create", "patch"]


@pytest.mark.parametrize("share, expected", [(0, 1.0), (0.5, 2.5), (0.99, 3.97), (1, 4.0)])
def test_a_quantile_lies_between_its_neighbours(share: float, expected: float) -> None:
    assert figures.quantile([3.0, 1.0, 4.0, 2.0], share) == pytest.approx(expected)


def test_a_summary_pools_the_rounds_and_shows_each() -> None:
    summary = figures.summary([[0.1, 0.2], [0.4]], end="here")
    assert (summary["n"], summary["p50"], summary["max"]) == (3, 0.2, 0.4)
    assert [each["p50"] for each in summary["rounds"]] == [0.15, 0.4]
    assert summary["end"] == "here"


def test_a_quiet_moment_is_far_from_every_reading() -> None:
    moment = readings.quiet_moment(1000.0, {5, 7})
    assert moment >= 1000.0
    for interval in (5, 7):
        assert 1.5 <= moment % interval <= interval - 0.2


def test_readings_are_counted_for_each_query() -> None:
    assert readings.readings_due(12.0, 26.0, [5, 5, 7]) == 3 + 3 + 2


def test_what_was_recorded_outlives_a_new_measurement() -> None:
    before = figures.record({"writes_per_run": {"value": 9}}, {"demo_warm_seconds": 312.0}, "d", {})
    after = figures.merged({"writes_per_run": {"value": 8}}, before)
    assert after["writes_per_run"]["value"] == 8
    assert after["demo_warm_seconds"]["value"] == 312.0


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(BENCHMARK), *arguments], capture_output=True, text=True, check=False
    )


@pytest.mark.slow
def test_a_number_on_record_says_when_and_where(tmp_path: Path) -> None:
    output = tmp_path / "operator.json"
    done = run("--output", str(output), "--record", "demo_warm_seconds=312")
    assert done.returncode == 0, done.stderr
    figure = json.loads(output.read_text())["demo_warm_seconds"]
    assert figure["value"] == 312
    assert datetime.fromisoformat(figure["date"]).tzinfo is not None
    assert figure["machine"]["cores"] > 0


@pytest.mark.slow
@pytest.mark.parametrize(
    "pair, told",
    [
        ("demo_warm=312", "write one of operator_image_mb"),
        ("demo_warm_seconds=soon", "like demo_warm_seconds=312"),
        ("demo_warm_seconds=nan", "is above 0"),
        ("demo_warm_seconds=0", "is above 0"),
    ],
)
def test_what_is_no_measurement_is_not_recorded(tmp_path: Path, pair: str, told: str) -> None:
    output = tmp_path / "operator.json"
    done = run("--output", str(output), "--record", pair)
    assert done.returncode == 2
    assert told in " ".join(done.stderr.split())
    assert not output.exists()

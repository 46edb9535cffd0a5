"""Metrics and logs."""

import json
import logging
from typing import Any

import pytest

from maintenance_operator.resource_cache import ResourceCache
from maintenance_operator.telemetry import JsonFormatter, Telemetry, TextFormatter


def test_what_is_counted() -> None:
    telemetry = Telemetry()
    telemetry.decided("FineTune", "DomainExpansion")
    telemetry.run_ended("FineTune", "Promoted", 90.0)
    telemetry.metrics_error("default", "NoData")
    telemetry.performance("finance", "news", 0.87, 0.9)
    telemetry.conditions("finance", "news", {"Degraded": "True", "Stalled": "False"})
    telemetry.reconciled(0.01)
    telemetry.reconcile_failed("ClusterError")
    telemetry.queue_depth(3)
    telemetry.prometheus_request("default", "Success", 0.02)
    text = telemetry.exposition().decode()
    for line in (
        'model_maintenance_decisions_total{action="FineTune",reason="DomainExpansion"} 1.0',
        'model_maintenance_runs_total{action="FineTune",outcome="Promoted"} 1.0',
        'model_maintenance_run_duration_seconds_sum{action="FineTune"} 90.0',
        'model_maintenance_metrics_errors_total{reason="NoData",server="default"} 1.0',
        'model_maintenance_performance{name="news",namespace="finance"} 0.87',
        'model_maintenance_performance_threshold{name="news",namespace="finance"} 0.9',
        'model_maintenance_condition{name="news",namespace="finance",type="Degraded"} 1.0',
        'model_maintenance_condition{name="news",namespace="finance",type="Stalled"} 0.0',
        "model_maintenance_reconcile_duration_seconds_count 1.0",
        'model_maintenance_reconcile_errors_total{error="ClusterError"} 1.0',
        "model_maintenance_queue_depth 3.0",
        'model_maintenance_prometheus_requests_total{outcome="Success",server="default"} 1.0',
        'model_maintenance_prometheus_request_duration_seconds_count{server="default"} 1.0',
        "model_maintenance_build_info{version=",
        "process_resident_memory_bytes",
    ):
        assert line in text


def test_a_resource_that_is_gone_leaves_no_series() -> None:
    telemetry = Telemetry()
    telemetry.performance("finance", "news", 0.87, 0.9)
    telemetry.performance("finance", "spam", 0.97, 0.9)
    telemetry.conditions("finance", "news", {"Degraded": "False"})
    telemetry.forget("finance", "news")
    telemetry.forget("finance", "never-seen")
    text = telemetry.exposition().decode()
    assert "news" not in text
    assert "spam" in text


@pytest.mark.parametrize("name", ["performance", "performance_threshold", "condition"])
def test_series_of_resources_can_be_asked_for_by_name(name: str) -> None:
    telemetry = Telemetry()
    telemetry.performance("finance", "news", 0.87, 0.9)
    telemetry.conditions("finance", "news", {"Degraded": "True"})
    assert (
        f"model_maintenance_{name}{{"
        in telemetry.exposition([f"model_maintenance_{name}"]).decode()
    )


def test_an_unknown_condition_is_no_series() -> None:
    """Absent is not zero."""
    telemetry = Telemetry()
    telemetry.conditions("finance", "news", {"MetricsAvailable": "False"})
    telemetry.conditions("finance", "news", {"MetricsAvailable": "Unknown"})
    assert "MetricsAvailable" not in telemetry.exposition().decode()


def test_every_end_of_a_run_is_counted_from_zero() -> None:
    """Prometheus' increase() does not see a counter begin at 1: the first failure must count."""
    text = Telemetry().exposition().decode()
    assert 'model_maintenance_runs_total{action="Retrain",outcome="Failed"} 0.0' in text


def record(message: str, **extra: Any) -> logging.LogRecord:
    made = logging.LogRecord("maintenance_operator", logging.INFO, "", 1, message, None, None)
    made.__dict__.update(extra)
    return made


def test_a_log_line_is_one_object() -> None:
    line = JsonFormatter().format(
        record("two\nlines", namespace="finance", resource="news", run=7, port=8080)
    )
    assert "\n" not in line
    document = json.loads(line)
    assert document.pop("time").endswith("Z")
    assert document == {
        "level": "info",
        "logger": "maintenance_operator",
        "message": "two lines",
        "namespace": "finance",
        "name": "news",
        "run": 7,
        "port": 8080,
    }


def test_kopfs_lines_name_their_object_too() -> None:
    line = JsonFormatter().format(
        record("seen", k8s_ref={"namespace": "finance", "name": "news"}, settings=object())
    )
    document = json.loads(line)
    assert (document["namespace"], document["name"]) == ("finance", "news")
    assert "settings" not in document


def test_a_traceback_stays_on_its_line() -> None:
    try:
        {}["a bug"]
    except KeyError as error:
        made = record("failed", exc_info=(type(error), error, error.__traceback__))
    assert "KeyError: 'a bug'" in json.loads(JsonFormatter().format(made))["traceback"]
    assert "KeyError: 'a bug'" in TextFormatter().format(made)


def test_text_is_for_eyes() -> None:
    line = TextFormatter().format(record("Promoted", namespace="finance", resource="news", run=7))
    assert line.endswith("INFO [finance/news run 7] Promoted")


# --- what the watches have told ----------------------------------------------------------


def body(version: str, uid: str = "u", **metadata: Any) -> dict[str, Any]:
    return {
        "metadata": {
            "namespace": "n",
            "name": "x",
            "uid": uid,
            "resourceVersion": version,
            **metadata,
        },
        "spec": {},
    }


@pytest.mark.parametrize(
    "first, second, kept",
    [
        (body("5"), body("6"), "6"),
        (body("10"), body("9"), "10"),
        (body("10"), body("9", uid="another object"), "9"),
        (body("a"), body("b"), "b"),
    ],
)
def test_an_older_body_does_not_replace_a_newer(
    first: dict[str, Any], second: dict[str, Any], kept: str
) -> None:
    resources = ResourceCache()
    resources.seen(first)
    resources.seen(second)
    found = resources.get(("n", "x"))
    assert found is not None
    assert found["metadata"]["resourceVersion"] == kept


def test_what_nobody_reads_is_not_kept() -> None:
    resources = ResourceCache()
    resources.seen(
        body(
            "1",
            managedFields=[{}],
            annotations={"kubectl.kubernetes.io/last-applied-configuration": "{}", "team": "news"},
        )
    )
    found = resources.get(("n", "x"))
    assert found is not None
    assert "managedFields" not in found["metadata"]
    assert found["metadata"]["annotations"] == {"team": "news"}


def test_a_champion_outlives_its_resource() -> None:
    resources = ResourceCache()
    resources.seen(body("1"))
    resources.config_map_seen(("n", "x"), body("2"))
    resources.forget(("n", "x"))
    assert resources.get(("n", "x")) is None
    assert resources.config_map(("n", "x")) is not None
    resources.config_map_gone(("n", "x"))
    assert resources.config_map(("n", "x")) is None
    assert len(resources) == 0
    assert list(resources) == []


def test_news_is_the_same_at_the_first_look_and_later() -> None:
    resources = ResourceCache()
    seen = {
        "metadata": {"namespace": "ns", "name": "news", "uid": "u", "resourceVersion": "1",
                     "managedFields": [{"manager": "kubectl"}]},
        "spec": {"suspend": False},
    }  # fmt: skip
    assert resources.seen(seen)
    first, later = resources.get(("ns", "news")), resources.get(("ns", "news"))
    assert first == later
    assert first is not None
    assert "managedFields" not in first["metadata"]
    newer = {**seen, "metadata": {**seen["metadata"], "resourceVersion": "2"}}
    assert resources.seen(newer)
    resources.forget(("ns", "news"))
    assert resources.get(("ns", "news")) is None

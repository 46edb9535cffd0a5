"""Alerts and dashboard ask for what the operator exports, and real programs read them."""

import json
import re
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.pace import Allowance
from support.programs import ROOT, Programs, folder
from support.prometheus import Exporter, PrometheusServer, prometheus

from maintenance_core.lifecycle.conditions import (
    DEGRADED,
    METRICS_AVAILABLE,
    READY,
    STALLED,
    TRAINING,
)
from maintenance_core.model import RunOutcome
from maintenance_core.reasons import EventReason, MetricsReason
from maintenance_operator.telemetry import Telemetry

pytestmark = pytest.mark.api  # Debian's prometheus, and helm

CHART = ROOT / "charts/model-maintenance"
ALERTS = CHART / "files/alerts.yaml"
CASES = ROOT / "tests/manifests/alerts.test.yaml"
DASHBOARD = json.loads((CHART / "files/dashboard.json").read_text())
PAGE = (ROOT / "docs/monitoring.md").read_text()
RULES: list[dict[str, Any]] = [
    rule for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]
]
ALERT_NAMES = [rule["alert"] for rule in RULES]


def _exported() -> Telemetry:
    """A telemetry that has been told of everything: a model in each state has every series."""
    telemetry = Telemetry()
    telemetry.decided("FineTune", "DomainExpansion")
    telemetry.run_ended("FineTune", "Promoted", 90.0)
    telemetry.metrics_error("default", MetricsReason.NO_DATA)
    telemetry.performance("finance", "news", 0.87, 0.9)
    conditions = (READY, STALLED, METRICS_AVAILABLE, DEGRADED, TRAINING)
    telemetry.conditions("finance", "news", dict.fromkeys(conditions, "True"))
    telemetry.conditions("finance", "spam", dict.fromkeys(conditions, "False"))
    telemetry.reconciled(0.01)
    telemetry.held("default", 3)
    telemetry.followed(40, 2)
    telemetry.reconcile_failed("ClusterError")
    telemetry.queue_depth(3)
    telemetry.prometheus_request("default", "Success", 0.02)
    return telemetry


# --- alerts -------------------------------------------------------------------------------------


def _promtool(*arguments: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["promtool", *arguments], cwd=cwd, capture_output=True, text=True, check=False
    )


def test_promtool_accepts_the_rules_and_their_cases() -> None:
    for arguments in (["check", "rules", str(ALERTS)], ["test", "rules", str(CASES)]):
        ended = _promtool(*arguments)
        assert ended.returncode == 0, ended.stdout + ended.stderr
        assert "SUCCESS" in ended.stdout


@pytest.mark.parametrize("alert", ALERT_NAMES)
def test_the_cases_notice_an_alert_that_never_fires(alert: str, tmp_path: Path) -> None:
    """Every alert has a case in which it fires."""
    document, cases = yaml.safe_load(ALERTS.read_text()), yaml.safe_load(CASES.read_text())
    for group in document["groups"]:
        for rule in group["rules"]:
            if rule["alert"] == alert:
                rule["expr"] = f"({rule['expr']}) and vector(1) > 2"
    (tmp_path / "alerts.yaml").write_text(yaml.safe_dump(document))
    cases["rule_files"] = ["alerts.yaml"]
    cases["tests"] = [
        case
        for case in cases["tests"]
        if any(row["alertname"] == alert and row["exp_alerts"] for row in case["alert_rule_test"])
    ]
    (tmp_path / "cases.yaml").write_text(yaml.safe_dump(cases))

    ended = _promtool("test", "rules", str(tmp_path / "cases.yaml"))

    assert cases["tests"]
    assert f"alertname: {alert}" in ended.stdout + ended.stderr
    assert "FAILED" in ended.stdout + ended.stderr


def test_every_alert_has_a_case_in_which_it_is_silent() -> None:
    [calm] = [
        case
        for case in yaml.safe_load(CASES.read_text())["tests"]
        if case["name"].startswith("all is well")
    ]
    silent = {row["alertname"] for row in calm["alert_rule_test"] if not row["exp_alerts"]}

    assert silent == set(ALERT_NAMES)


def test_alerts_name_metrics_and_words_that_exist() -> None:
    samples = {
        sample.name
        for family in _exported().registry.collect()
        for sample in family.samples
        if not sample.name.endswith("_created")
    }
    text = "\n".join(rule["expr"] for rule in RULES)

    asked = set(re.findall(r"model_maintenance_[a-z_]+", text))
    types = set(re.findall(r'type="(\w+)"', text))
    outcomes = {
        word for found in re.findall(r'outcome=~?"([^"]+)"', text) for word in found.split("|")
    }

    assert asked
    assert asked <= samples
    assert types == {STALLED, METRICS_AVAILABLE, DEGRADED}
    assert outcomes <= {*RunOutcome, *MetricsReason}
    assert EventReason.RUN_FAILED in ALERTS.read_text()


def test_the_page_explains_every_alert() -> None:
    assert re.findall(r"^\| `(ModelMaintenance\w+)`", PAGE, re.MULTILINE) == ALERT_NAMES


def test_the_chart_takes_alerts_away_and_labels_the_others(tmp_path: Path) -> None:
    ended = Programs(folder(), tmp_path / "none").helm(
        *("template", "mm", str(CHART), "-s", "templates/prometheusrule.yaml"),
        "--set=metrics.prometheusRule.enabled=true",
        "--set=metrics.prometheusRule.disabled={ModelMaintenanceRunFailed}",
        "--set=metrics.prometheusRule.alertLabels.team=ml",
        "--set=metrics.prometheusRule.labels.release=monitoring",
    )
    rendered = yaml.safe_load(ended.stdout)
    kept = [rule for group in rendered["spec"]["groups"] for rule in group["rules"]]

    assert rendered["metadata"]["labels"]["release"] == "monitoring"
    assert kept == [
        rule | {"labels": rule["labels"] | {"team": "ml"}}
        for rule in RULES
        if rule["alert"] != "ModelMaintenanceRunFailed"
    ]


# --- dashboard ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def scraped() -> Iterator[PrometheusServer]:
    """A Prometheus that has scraped, twice and more, what the operator exports."""
    page = Exporter()
    for line in _exported().exposition().decode().splitlines():
        if not line.startswith("#"):
            series, value = line.rsplit(" ", 1)
            page[series] = float(value)
    with prometheus(page) as server:
        allowance = Allowance(60)
        while not server.query("count_over_time(model_maintenance_build_info[1m]) >= 3"):
            assert not allowance.used_up(), "not scraped three times within a minute"
            time.sleep(0.2)
        yield server
    page.close()


def _panels() -> list[dict[str, Any]]:
    return [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]


QUERIES = [
    pytest.param(target["expr"], id=f"{panel['title']}-{target['refId']}")
    for panel in _panels()
    for target in panel["targets"]
]


def _filled_in(query: str) -> str:
    """As Grafana fills in its variables where all is chosen."""
    for name, value in (("$__rate_interval", "1m"), ("$namespace", ".*"), ("$name", ".*")):
        query = query.replace(name, value)
    assert "$" not in query, query
    return query


@pytest.mark.parametrize("query", QUERIES)
def test_every_query_finds_what_the_operator_exports(scraped: PrometheusServer, query: str) -> None:
    """So it parses, and its metrics, labels and the labels' values exist."""
    asked = _filled_in(query).removesuffix(" or vector(0)")

    assert scraped.query(asked)


def test_variables_find_values(scraped: PrometheusServer) -> None:
    queries = [
        variable["query"]["query"]
        for variable in DASHBOARD["templating"]["list"]
        if variable["type"] == "query"
    ]
    for query in queries:
        [(selector, label)] = re.findall(r"^label_values\((.+), (\w+)\)$", query)
        parameters = urllib.parse.urlencode({"match[]": _filled_in(selector)})
        url = f"{scraped.url}/api/v1/label/{label}/values?{parameters}"
        with urllib.request.urlopen(url, timeout=5) as reply:  # noqa: S310 - our own loopback
            found = json.load(reply)["data"]
        assert found == {"namespace": ["finance"], "name": ["news", "spam"]}[label]
    assert len(queries) == 2


def test_every_panel_asks_the_chosen_data_source() -> None:
    """None of a certain Grafana's own: the file can be imported anywhere."""
    [source] = [
        variable for variable in DASHBOARD["templating"]["list"] if variable["type"] == "datasource"
    ]
    assert source["name"] == "datasource"
    chosen = {"type": "prometheus", "uid": "${datasource}"}
    asked = [panel["datasource"] for panel in _panels()]
    asked += [target["datasource"] for panel in _panels() for target in panel["targets"]]
    assert all(one == chosen for one in asked)
    assert "id" not in DASHBOARD
    assert all(panel["description"] for panel in _panels())


def test_panels_do_not_lie_on_one_another() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        assert place["x"] + place["w"] <= 24
        taken |= cells
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])


def test_the_config_map_holds_the_dashboard(tmp_path: Path) -> None:
    ended = Programs(folder(), tmp_path / "none").helm(
        *("template", "mm", str(CHART), "-s", "templates/dashboard.yaml", "-n", "ml"),
        "--set=metrics.dashboard.enabled=true",
        "--set=metrics.dashboard.namespace=grafana",
        "--set=metrics.dashboard.annotations.grafana_folder=ML",
    )
    rendered = yaml.safe_load(ended.stdout)

    assert json.loads(rendered["data"]["model-maintenance.json"]) == DASHBOARD
    assert rendered["metadata"]["namespace"] == "grafana"
    assert rendered["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert rendered["metadata"]["annotations"] == {"grafana_folder": "ML"}

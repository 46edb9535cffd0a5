"""docs/metrics.md and what is really exposed, in both directions."""

import inspect
import re
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from support.prometheus import PrometheusServer

from maintenance_operator.telemetry import PREFIX, Telemetry

PAGE = (Path(__file__).parents[2] / "docs/metrics.md").read_text()
ROW = re.compile(r"^\| `([a-z_]+)` \| (\w+) \|(.*?)\| (.+) \|$", re.MULTILINE)
QUERIES = re.findall(r"```promql\n(.+?)\n```", PAGE, re.DOTALL)
Described = dict[str, tuple[str, set[str]]]


HAPPENINGS: dict[str, tuple[object, ...]] = {
    "decided": ("FineTune", "DomainExpansion"),
    "run_ended": ("FineTune", "Promoted", 90.0),
    "metrics_error": ("default", "NoData"),
    "performance": ("finance", "news", 0.87, 0.9),
    "conditions": ("finance", "news", {"Ready": "True"}),
    "held": ("default", 3),
    "followed": (40, 2),
    "reconciled": (0.01,),
    "reconcile_failed": ("ClusterError",),
    "queue_depth": (3,),
    "prometheus_request": ("default", "Success", 0.02),
}


def exposed() -> Described:
    """Type and labels of every metric, once everything has happened."""
    telemetry = Telemetry()
    for name, arguments in HAPPENINGS.items():
        getattr(telemetry, name)(*arguments)
    found: Described = {}
    for family in text_string_to_metric_families(telemetry.exposition().decode()):
        name = family.name + ("_total" if family.type == "counter" else "")
        if name.endswith("_created"):  # the time at which a counter began, of each of them
            continue
        labels = {label for sample in family.samples for label in sample.labels} - {"le"}
        found[name] = (family.type, labels)
    return found


def described() -> Described:
    return {
        name: (kind, set(re.findall(r"`(\w+)`", labels)))
        for name, kind, labels, _ in ROW.findall(PAGE)
    }


def test_every_metric_is_described_with_its_type_and_labels() -> None:
    assert described() == exposed()


def test_everything_that_is_counted_has_happened() -> None:
    """Or a new metric would have no labels to compare."""
    methods = {
        name
        for name, value in vars(Telemetry).items()
        if inspect.isfunction(value) and not name.startswith("_")
    }
    assert methods - {"exposition", "forget"} == set(HAPPENINGS)


def test_every_metric_of_ours_has_an_example() -> None:
    ours = [name for name in described() if name.startswith(PREFIX)]
    assert [name for name in ours if not any(name in query for query in QUERIES)] == []


def test_examples_name_metrics_that_exist() -> None:
    names = {name for query in QUERIES for name in re.findall(r"model_maintenance_[a-z_]+", query)}
    families = {re.sub(r"_(bucket|sum|count)$", "", name) for name in names}
    assert families <= set(exposed())


@pytest.mark.parametrize("query", QUERIES, ids=range(len(QUERIES)))
def test_an_example_is_promql(prometheus_server: PrometheusServer, query: str) -> None:
    prometheus_server.query(query)  # an HTTP error if it is none

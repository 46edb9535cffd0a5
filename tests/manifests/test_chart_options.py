"""What the chart makes only when asked, and whether the API server takes every object as it is."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.installed import until
from support.programs import ROOT, Programs

from maintenance_operator import settings

pytestmark = [pytest.mark.api, pytest.mark.timeout(300)]

CHART = str(ROOT / "charts/model-maintenance")
NAMESPACE = "options"
MONITORING = ("podmonitors", "prometheusrules", "servicemonitors")

PEER = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}
BLOCK = {"ipBlock": {"cidr": "10.0.0.1/32"}}
EVERYTHING: dict[str, Any] = {
    "replicas": 2,
    "networkPolicy": {
        "enabled": True,
        "metrics": {"from": [PEER]},
        "prometheus": {"to": [PEER], "ports": [9091]},
        "apiServer": {"to": [BLOCK], "ports": [6443]},
        "dns": {"to": [PEER]},
        "egress": [{"to": [BLOCK], "ports": [{"port": 3128, "protocol": "TCP"}]}],
    },
    "prometheus": {
        "servers": {
            "default": {"url": "http://prometheus.monitoring.svc:9090"},
            "same": {"url": "http://other.monitoring.svc:9090/prefix"},
            "eu": {"url": "https://thanos.example"},
            "old": {"url": "http://[::1]"},
        }
    },
    "metrics": {
        "serviceMonitor": {
            "enabled": True,
            "labels": {"release": "monitoring"},
            "interval": "30s",
            "scrapeTimeout": "10s",
        },
        "prometheusRule": {"enabled": True},
        "dashboard": {"enabled": True},
    },
    "serviceAccount": {"annotations": {"iam.example/role": "reader"}},
    "imagePullSecrets": [{"name": "registry"}],
    "nodeSelector": {"disk": "ssd"},
    "tolerations": [{"operator": "Exists"}],
    "env": [{"name": "HTTPS_PROXY", "value": "http://proxy.example"}],
    "podAnnotations": {"note": "yes"},
    "resources": {"limits": {"cpu": "1"}},
}
PODS: dict[str, Any] = {
    "metrics": {"podMonitor": {"enabled": True, "interval": "1m"}},
    "podDisruptionBudget": {"maxUnavailable": "50%"},
    "replicas": 2,
    "networkPolicy": {"enabled": True},
}
NAMED: dict[str, Any] = {"watchNamespaces": [NAMESPACE], "serviceAccount": {"create": False}}
ALL_OFF: dict[str, Any] = {
    "replicas": 0,
    "prometheus": {"servers": {"default": None}},
    "crds": {"enabled": False},
    "rbac": {"aggregateToDefaultRoles": False},
}


@pytest.fixture(scope="module")
def cluster(bare: Programs) -> Programs:
    """With the kinds of the Prometheus Operator, of its own files, and ours."""
    found = subprocess.run(
        [str(ROOT / "dev/monitoring/crds")], capture_output=True, text=True, check=False
    )
    assert found.returncode == 0, found.stderr
    folder = Path(found.stdout.strip())
    files = [f"--filename={folder}/monitoring.coreos.com_{plural}.yaml" for plural in MONITORING]
    bare.kubectl("apply", "--server-side", *files)
    bare.kubectl("apply", "--server-side", "--force-conflicts", "-f", str(ROOT / "manifests/crd"))
    bare.kubectl("create", "namespace", NAMESPACE)
    restricted = "pod-security.kubernetes.io/enforce=restricted"
    bare.kubectl("label", "namespace", NAMESPACE, restricted)
    bare.kubectl("create", "serviceaccount", "default", "--namespace", NAMESPACE)
    for plural in (*(f"{kind}.monitoring.coreos.com" for kind in MONITORING), "modelmaintenances"):
        until(lambda: not bare.kubectl("get", plural, check=False).returncode, plural)  # noqa: B023
    return bare


def _rendered(cluster: Programs, values: dict[str, Any]) -> list[dict[str, Any]]:
    ended = cluster.helm(
        *("template", "mm", CHART, "--namespace", NAMESPACE, "-f", "-"), stdin=json.dumps(values)
    )
    return [body for body in yaml.safe_load_all(ended.stdout) if body is not None]


def _one(cluster: Programs, values: dict[str, Any], kind: str) -> dict[str, Any]:
    [found] = [body for body in _rendered(cluster, values) if body["kind"] == kind]
    return found


def _refusal(cluster: Programs, bodies: list[dict[str, Any]]) -> str:
    """What the API server has against objects, unknown fields included; empty: nothing."""
    ended = cluster.kubectl(
        *("apply", "--server-side", "--force-conflicts", "--dry-run=server", "--validate=strict"),
        *("-f", "-"),
        stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": bodies}),
        check=False,
    )
    return ended.stderr if ended.returncode else ""


@pytest.mark.parametrize(
    "values",
    [
        pytest.param({}, id="defaults"),
        pytest.param(EVERYTHING, id="everything"),
        pytest.param(PODS, id="pods"),
        pytest.param(NAMED, id="named namespaces"),
        pytest.param(ALL_OFF, id="all off"),
    ],
)
def test_the_api_server_takes_every_object(cluster: Programs, values: dict[str, Any]) -> None:
    """A strict dry run, also of the pod of helm test, in a namespace that is restricted."""
    assert not _refusal(cluster, _rendered(cluster, values))


def test_the_dry_run_would_notice(cluster: Programs) -> None:
    rule = _one(cluster, EVERYTHING, "PrometheusRule")
    rule["spec"]["groups"][0]["rules"][0]["expression"] = "1"
    pod = _one(cluster, {}, "Pod")
    del pod["spec"]["containers"][0]["securityContext"]

    assert "expression" in _refusal(cluster, [_one(cluster, {}, "Service"), rule])
    assert 'violates PodSecurity "restricted' in _refusal(cluster, [pod])


def test_nothing_optional_is_there_unless_asked_for(cluster: Programs) -> None:
    kinds = {body["kind"] for body in _rendered(cluster, {})}

    assert kinds == {
        "ServiceAccount",
        "ClusterRole",
        "ClusterRoleBinding",
        "ConfigMap",
        "CustomResourceDefinition",
        "Deployment",
        "Service",
        "Pod",
    }
    assert {body["kind"] for body in _rendered(cluster, ALL_OFF)} == kinds - {
        "CustomResourceDefinition",
        "Pod",  # nobody would answer it
    }


def test_a_value_that_is_taken_away_is_empty(cluster: Programs) -> None:
    """Helm takes a default away where null is written; the operator must read what is left."""
    values = {
        "watchNamespaces": None,
        "podLabels": None,
        "podAnnotations": None,
        "env": None,
        "trainer": {"allow": None, "scratchSize": None},
        "metrics": {
            "prometheusRule": {"enabled": True, "labels": None, "alertLabels": None},
            "serviceMonitor": {"enabled": True, "labels": None, "interval": None},
        },
    }
    configuration = _one(cluster, values, "ConfigMap")["data"]["config.yaml"]

    assert settings.read(yaml.safe_load(configuration), {}).watch_namespaces == ()
    assert not _refusal(cluster, _rendered(cluster, values))


def test_one_replica_has_no_disruption_budget(cluster: Programs) -> None:
    """It would stop every drain of its node."""

    def budgets(replicas: int, *, enabled: bool) -> list[dict[str, Any]]:
        values = {"replicas": replicas, "podDisruptionBudget": {"enabled": enabled}}
        return [
            body for body in _rendered(cluster, values) if body["kind"] == "PodDisruptionBudget"
        ]

    assert budgets(1, enabled=True) == budgets(2, enabled=False) == []
    [budget] = budgets(2, enabled=True)
    deployment = _one(cluster, {"replicas": 2}, "Deployment")
    assert budget["spec"]["selector"] == deployment["spec"]["selector"]
    assert budget["spec"]["maxUnavailable"] == 1


def _ports(rule: dict[str, Any]) -> list[tuple[int | str, str]]:
    return [(port["port"], port["protocol"]) for port in rule["ports"]]


def test_the_network_policy_allows_what_the_operator_needs(cluster: Programs) -> None:
    values = {"networkPolicy": {"enabled": True}}
    spec = _one(cluster, values, "NetworkPolicy")["spec"]
    deployment = _one(cluster, values, "Deployment")

    assert spec["podSelector"] == deployment["spec"]["selector"]
    assert spec["policyTypes"] == ["Ingress", "Egress"]
    assert spec["ingress"] == [{"ports": [{"port": "http", "protocol": "TCP"}]}]
    assert [_ports(rule) for rule in spec["egress"]] == [
        [(443, "TCP"), (6443, "TCP")],
        [(53, "UDP"), (53, "TCP")],
        [(9090, "TCP")],  # of prometheus.servers.default.url
    ]
    assert all("to" not in rule for rule in spec["egress"])


def test_the_network_policy_is_narrowed_by_values(cluster: Programs) -> None:
    spec = _one(cluster, EVERYTHING, "NetworkPolicy")["spec"]
    test_pod = _one(cluster, EVERYTHING, "Pod")
    [ingress] = spec["ingress"]
    [probe, metrics] = ingress["from"]
    [api_server, dns, prometheus, further] = spec["egress"]

    assert metrics == PEER
    assert probe["podSelector"]["matchLabels"].items() <= test_pod["metadata"]["labels"].items()
    assert (_ports(api_server), api_server["to"]) == ([(6443, "TCP")], [BLOCK])
    assert (_ports(dns), dns["to"]) == ([(53, "UDP"), (53, "TCP")], [PEER])
    assert sorted(_ports(prometheus)) == [(80, "TCP"), (443, "TCP"), (9090, "TCP"), (9091, "TCP")]
    assert prometheus["to"] == [PEER]
    assert further == EVERYTHING["networkPolicy"]["egress"][0]


@pytest.mark.parametrize(
    "values, kind, field",
    [(EVERYTHING, "ServiceMonitor", "endpoints"), (PODS, "PodMonitor", "podMetricsEndpoints")],
)
def test_a_monitor_finds_the_port_and_keeps_the_labels(
    cluster: Programs, values: dict[str, Any], kind: str, field: str
) -> None:
    monitor = _one(cluster, values, kind)
    target = _one(cluster, values, "Service" if kind == "ServiceMonitor" else "Deployment")
    if kind == "PodMonitor":
        target = target["spec"]["template"]
        [container] = target["spec"]["containers"]
        ports = container["ports"]
    else:
        ports = target["spec"]["ports"]
    [endpoint] = monitor["spec"][field]

    wanted = monitor["spec"]["selector"]["matchLabels"]
    assert wanted.items() <= target["metadata"]["labels"].items()
    assert endpoint["port"] in {port["name"] for port in ports}
    assert endpoint["honorLabels"] is True  # namespace and name are the resource's
    monitored = next(m for m in values["metrics"].values() if "interval" in m)
    assert endpoint["interval"] == monitored["interval"]
    assert monitor["metadata"]["labels"].items() >= monitored.get("labels", {}).items()


def test_the_service_does_not_select_the_test_pod(cluster: Programs) -> None:
    selector = _one(cluster, {}, "Service")["spec"]["selector"]
    labels = _one(cluster, {}, "Pod")["metadata"]["labels"]

    assert not selector.items() <= labels.items()


def test_every_value_is_in_the_schema_with_words() -> None:
    """One that the schema lacks would be refused; one that values.yaml lacks is found by nobody."""
    schema = json.loads((Path(CHART) / "values.schema.json").read_text())
    values = yaml.safe_load((Path(CHART) / "values.yaml").read_text())

    def compare(known: dict[str, Any], value: dict[str, Any], place: str) -> None:
        ours = (
            set(known["properties"]) - {"global", "enabled"}
            if not place
            else set(known["properties"])
        )
        assert ours == set(value), place
        for name, part in known["properties"].items():
            if part.get("additionalProperties") is False:
                compare(part, value[name], f"{place}.{name}")
            elif name != "repository":
                assert part.get("description"), f"{place}.{name}"

    compare(schema, values, "")

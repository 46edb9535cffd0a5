"""What the operator's configuration would refuse after the installation, Helm refuses before it."""

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from support.programs import ROOT, Programs, folder

from maintenance_operator import __main__ as process
from maintenance_operator import settings
from maintenance_operator.settings import ConfigurationError

pytestmark = [pytest.mark.api, pytest.mark.timeout(300)]

CHART = ROOT / "charts/model-maintenance"
URL = {"url": "http://prometheus:9090"}


@pytest.fixture(scope="module")
def helm(tmp_path_factory: pytest.TempPathFactory) -> Programs:
    """Without any cluster."""
    return Programs(folder(), tmp_path_factory.mktemp("helm") / "no-kubeconfig")


def _rendered(
    helm: Programs, values: dict[str, Any], *, notes: bool = False
) -> subprocess.CompletedProcess[str]:
    verb = ("install", "mm", str(CHART), "--dry-run=client") if notes else ("template", "mm", CHART)
    return helm.helm(*map(str, verb), "-n", "ml", "-f", "-", stdin=json.dumps(values), check=False)


def _read(rendered: str) -> settings.Settings:
    [text] = [
        body["data"]["config.yaml"]
        for body in yaml.safe_load_all(rendered)
        if body is not None and body["kind"] == "ConfigMap"
    ]
    return settings.read(yaml.safe_load(text), {})


SERVERS: list[tuple[Any, str]] = [
    ({}, "url"),
    ({"url": ""}, "url"),
    ({"url": "  "}, "url"),
    ({"url": "prometheus:9090"}, "url"),
    ({"url": "ftp://prometheus"}, "url"),
    ({"url": "http://"}, "url"),
    ({"url": "http://:9090"}, "url"),
    ({"url": "http://a:0"}, "url"),
    ({"url": "http://a:99999"}, "url"),
    ({"url": "http://a:port"}, "url"),
    ({"url": "http://a?query=up"}, "url"),
    ({"url": "http://a#up"}, "url"),
    ({"url": "http://[::1"}, "url"),
    ({"url": 9090}, "url"),
    (URL | {"headers": {"Authorization": "Bearer x"}}, "headers.Authorization"),
    (URL | {"headers": {"AUTHORIZATION": "Bearer x"}}, "headers.AUTHORIZATION"),
    (URL | {"headers": {"X Scope": "ml"}}, "headers.X Scope"),
    (URL | {"headers": {"X-Scope-OrgID": " "}}, "headers.X-Scope-OrgID"),
    (URL | {"headers": {"X-Scope-OrgID": "a\nb"}}, "headers.X-Scope-OrgID"),
    (URL | {"headers": {"X-Scope-OrgID": 7}}, "headers/X-Scope-OrgID"),
    (URL | {"bearerTokenFile": "token"}, "bearerTokenFile"),
    (URL | {"bearerTokenFile": ""}, "bearerTokenFile"),
    (URL | {"bearerTokenFile": "/t", "basicAuth": {"username": "ml"}}, "bearerTokenFile or basic"),
    (URL | {"basicAuth": {"username": " "}}, "basicAuth.username"),
    (URL | {"basicAuth": {"passwordFile": "/p"}}, "username"),
    (URL | {"basicAuth": {"username": "ml", "password": "x"}}, "known are passwordFile, username"),
    (URL | {"tls": {"certFile": "/c"}}, "certFile and keyFile"),
    (URL | {"tls": {"keyFile": "/k"}}, "certFile and keyFile"),
    (URL | {"tls": {"serverName": " "}}, "tls.serverName"),
    (URL | {"tls": {"caFile": "ca.crt"}}, "caFile"),
    (URL | {"namespaces": "finance"}, "namespaces"),
    (URL | {"namespaces": ["team-*"]}, "namespaces"),
    (URL | {"enforcedMatchers": {"name space": "x"}}, "enforcedMatchers.name space"),
    (URL | {"enforcedMatchers": {"namespace": " "}}, "enforcedMatchers.namespace"),
    (URL | {"token": "x"}, "/prometheus/servers/eu/token"),
]


@pytest.mark.parametrize("server, place", SERVERS, ids=str)
def test_a_server_that_the_operator_refuses_is_refused(
    helm: Programs, server: Any, place: str
) -> None:
    with pytest.raises(ConfigurationError):
        settings.read_servers({"eu": server})

    ended = _rendered(helm, {"prometheus": {"servers": {"eu": server}}})

    assert ended.returncode == 1
    assert place in ended.stderr
    assert "eu" in ended.stderr


@pytest.mark.parametrize(
    "values, place",
    [
        ({"prometheus": {"servers": {"EU": URL}}}, 'prometheus.servers: "EU" is no name'),
        ({"watchNamespaces": ["team-*"]}, 'watchNamespaces: "team-*" is no name'),
        ({"guard": {"maxBreachingPercent": 0}}, "/guard/maxBreachingPercent"),
        ({"guard": {"maxBreachingPercent": 101}}, "/guard/maxBreachingPercent"),
        ({"logging": {"level": "loud"}}, "/logging/level"),
        ({"trainer": {"image": {"repository": " "}}}, "trainer.image.repository"),
        ({"trainer": {"image": {"repository": "a/b:1"}}}, "tag and digest are values of their own"),
        ({"trainer": {"scratchSize": "lots"}}, 'trainer.scratchSize is "lots"; write a quantity'),
        ({"trainer": {"allow": {"env": ["PATH"]}}}, "trainer.allow.env: PATH is the trainer's own"),
        ({"trainer": {"allow": {"env": ["LD_*"]}}}, "trainer.allow.env: LD_* is the trainer's own"),
        ({"image": {"tag": "1 2"}}, "image.tag"),
        ({"env": [{"name": "MM_LOG_LEVEL", "value": "loud"}]}, "set logging.level instead"),
        ({"env": [{"name": "MM_HTTP_PORT", "value": "x"}]}, "set service.port instead"),
        ({"extraArgs": ["--namespace=Team"]}, 'extraArgs: "--namespace=Team" is none of'),
        ({"extraArgs": ["--log-level=loud"]}, "extraArgs"),
        ({"fullnameOverride": "Operator"}, "fullnameOverride"),
        ({"serviceAccount": {"name": "a_b"}}, "serviceAccount.name"),
        ({"prometheus": {"secrets": ["a b"]}}, "prometheus.secrets"),
        ({"commonLabels": {"team": "m l"}}, "commonLabels"),
        ({"podDisruptionBudget": {"maxUnavailable": "some"}}, "podDisruptionBudget.maxUnavailable"),
        # misspelt, or in the wrong place
        ({"podMonitor": {"enabled": True}}, "unknown here: write it as metrics.podMonitor"),
        ({"servers": {}}, "unknown here: write it as prometheus.servers"),
        ({"metrics": {"podMonitors": {}}}, "known are dashboard, podMonitor, prometheusRule"),
        ({"watchNamespace": ["a"]}, "at '/watchNamespace'"),
    ],
    ids=str,
)
def test_a_wrong_value_is_told_its_place(helm: Programs, values: Any, place: str) -> None:
    ended = _rendered(helm, values)

    assert ended.returncode == 1
    assert place in ended.stderr


def test_every_variable_and_argument_of_the_operator_is_known_to_the_chart() -> None:
    check = (CHART / "templates/_check.tpl").read_text()
    told = (ROOT / "operator/src/maintenance_operator/settings.py").read_text()
    variables = {word for word in told.replace('"', " ").split() if word.startswith("MM_")}
    flags = {
        flag
        for action in process._parser()._subparsers._group_actions[0].choices["run"]._actions  # type: ignore[union-attr]
        for flag in action.option_strings
    }

    assert {name for name in variables if name.isupper() and f'"{name}"' not in check} == set()
    assert flags - {"-h", "--help"} == {
        *("--config", "--namespace", "--port"),  # the chart's own
        *("--log-level", "--log-format"),
    }


def test_a_password_in_an_address_is_not_printed(helm: Programs) -> None:
    url = {"url": "http://ml:secret@prometheus:9090"}
    values = {"prometheus": {"servers": {"default": url}}}
    ended = _rendered(helm, values, notes=True)
    broken = _rendered(helm, {"prometheus": {"servers": {"a": {"url": f"{url['url']}?x"}}}})

    assert "secret" not in ended.stdout.split("NOTES:")[1]
    assert broken.returncode == 1
    assert "secret" not in broken.stderr


@pytest.mark.parametrize(
    "values, says, says_not",
    [
        ({}, "kubectl apply -n <namespace> -f manifests/samples/initial-model.yaml", "minimal"),
        ({"watchNamespaces": ["finance", "b"]}, "kubectl apply -n finance -f", "<namespace> -f"),
        ({"watchNamespaces": ["finance", "b"]}, "kubectl get mm -n b --watch", "all-namespaces"),
        (
            {
                "watchNamespaces": ["a", "b"],
                "prometheus": {"servers": {"default": URL | {"namespaces": ["b"]}}},
            },
            "kubectl apply -n b -f",
            "-n a -f",
        ),
        (
            {"prometheus": {"servers": {"default": URL | {"namespaces": ["b"]}}}},
            "kubectl apply -n b -f",
            "<namespace> -f",
        ),
        (
            {
                "watchNamespaces": ["a"],
                "prometheus": {"servers": {"default": URL | {"namespaces": ["b"]}}},
            },
            "No namespace is both watched and allowed",
            "kubectl apply",
        ),
        (
            {"prometheus": {"servers": {"default": None, "eu": URL}}},
            "none is called default",
            "kubectl apply",
        ),
    ],
    ids=str,
)
def test_the_notes_lead_to_a_namespace_that_is_watched(
    helm: Programs, values: Any, says: str, says_not: str
) -> None:
    notes = _rendered(helm, values, notes=True).stdout.split("NOTES:")[1]

    assert says in notes
    assert says_not not in notes


def _bodies(rendered: str) -> Iterator[dict[str, Any]]:
    return (body for body in yaml.safe_load_all(rendered) if body is not None)


def test_common_labels_are_on_every_object_and_replace_none(helm: Programs) -> None:
    metrics = {"prometheusRule": {"enabled": True}, "dashboard": {"enabled": True}}
    values = {"replicas": 2, "networkPolicy": {"enabled": True}, "metrics": metrics}
    labels = {"team": "ml", "app.kubernetes.io/name": "mine"}
    before = list(_bodies(_rendered(helm, values).stdout))
    after = list(_bodies(_rendered(helm, values | {"commonLabels": labels}).stdout))

    for was, now in zip(before, after, strict=True):
        assert now["metadata"]["labels"] == {
            "app.kubernetes.io/name": "mine",
            **(was["metadata"].get("labels") or {}),
            "team": "ml",
        }, now["kind"]
    [service] = [body for body in after if body["kind"] == "Service"]
    assert "team" not in service["spec"]["selector"]


def test_the_schema_says_what_is_known() -> None:
    script = ROOT / "dev/values_schema.py"
    done = subprocess.run(
        [sys.executable, str(script), "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_without_a_cluster_namespaces_are_not_looked_for(helm: Programs) -> None:
    ended = _rendered(helm, {"watchNamespaces": ["nosuch"]})

    assert ended.returncode == 0, ended.stderr
    assert _read(ended.stdout).watch_namespaces == ("nosuch",)

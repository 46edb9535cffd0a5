"""The chart and the plain manifests: the same objects, with the least rights."""

import json
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from support.installed import rights_of
from support.pace import timeout_flag
from support.programs import ROOT, Programs

from maintenance_core.allowed import Allowed
from maintenance_core.model import Server
from maintenance_operator import settings

pytestmark = pytest.mark.api

CHART = ROOT / "charts/model-maintenance"
NAMESPACE = "model-maintenance"
DIGEST = "sha256:" + "0123456789abcdef" * 4

Objects = dict[tuple[str, str], dict[str, Any]]


def _objects(text: str) -> Objects:
    return {
        (body["kind"], body["metadata"]["name"]): body
        for body in yaml.safe_load_all(text)
        if body is not None
    }


@pytest.fixture(scope="module")
def cluster(bare: Programs) -> Programs:
    """The chart brings the CRD there."""
    return bare


def _template(
    cluster: Programs, *flags: str, check: bool = True
) -> subprocess.CompletedProcess[str]:
    return cluster.helm(
        "template", "model-maintenance", str(CHART), "--namespace", NAMESPACE, *flags, check=check
    )


def _operator(objects: Objects) -> dict[str, Any]:
    return objects["Deployment", "model-maintenance"]["spec"]["template"]


def _read_configuration(objects: Objects) -> settings.Settings:
    """As the operator reads it."""
    [text] = [
        body["data"]["config.yaml"] for (kind, _), body in objects.items() if kind == "ConfigMap"
    ]
    return settings.read(yaml.safe_load(text), {})


# --- the same without Helm ------------------------------------------------------------


def _without_installer(objects: Objects) -> Objects:
    """Without what Helm or kustomize add for themselves."""
    plain: Objects = {}
    for (kind, name), body in objects.items():
        if kind == "Namespace" or "helm.sh/hook" in body["metadata"].get("annotations", {}):
            continue
        if kind == "ConfigMap":
            name = "model-maintenance"  # noqa: PLW2901 - the generator adds a digest
            body["data"] = {"config.yaml": yaml.safe_load(body["data"]["config.yaml"])}
        if kind == "CustomResourceDefinition":
            body["metadata"].pop("annotations", None)
            body["metadata"].pop("labels")
        if kind == "Deployment":
            template = body["spec"]["template"]
            template["metadata"].pop("annotations", None)
            [volume] = [volume for volume in template["spec"]["volumes"] if "configMap" in volume]
            volume["configMap"]["name"] = volume["configMap"]["name"][: len("model-maintenance")]
            _drop_helm_labels(template["metadata"])
        _drop_helm_labels(body["metadata"])
        body["metadata"]["name"] = name
        plain[kind, name] = body
    return plain


def _drop_helm_labels(metadata: dict[str, Any]) -> None:
    for label in ("helm.sh/chart", "app.kubernetes.io/managed-by"):
        metadata.get("labels", {}).pop(label, None)


def test_kustomize_installs_what_the_chart_installs(cluster: Programs) -> None:
    chart = _without_installer(_objects(_template(cluster).stdout))
    plain = _without_installer(
        _objects(cluster.kubectl("kustomize", str(ROOT / "manifests")).stdout)
    )

    assert chart.keys() == plain.keys()
    for key, body in chart.items():
        assert body == plain[key], key


# --- what it renders ----------------------------------------------------------------------------


def test_helm_lint_is_content(cluster: Programs) -> None:
    assert "0 chart(s) failed" in cluster.helm("lint", "--strict", str(CHART)).stdout


def test_the_defaults_are_a_configuration_that_the_operator_reads(cluster: Programs) -> None:
    read = _read_configuration(_objects(_template(cluster).stdout))

    assert read == settings.Settings(
        prometheus_servers={"default": Server("http://prometheus-operated.monitoring.svc:9090")},
        trainer_image="model-maintenance/trainer:0.1.0",
    )


def test_every_value_arrives(cluster: Programs) -> None:
    values = {
        "image": {
            "repository": "registry.example/team/operator",
            "digest": DIGEST,
            "pullPolicy": "Always",
        },
        "trainer": {
            "image": {
                "repository": "registry.example/team/trainer",
                "tag": "1.50",
                "pullPolicy": "Never",
            },
            "scratchSize": "100Gi",
            "allow": {"env": ["WANDB_*"], "serviceAccounts": ["finance/trainer"]},
        },
        "prometheus": {
            "servers": {
                "default": {"url": "https://a.example:9090/"},
                "eu1": {
                    "url": "http://b.example",
                    "headers": {"X-Scope-OrgID": "ml"},
                    "bearerTokenFile": "/etc/prometheus-auth/eu1/token",
                    "tls": {
                        "caFile": "/etc/prometheus-auth/eu1/ca.crt",
                        "serverName": "b.internal",
                    },
                    "namespaces": ["finance"],
                    "enforcedMatchers": {"namespace": "{{ namespace }}"},
                },
                "eu2": {
                    "url": "https://c.example",
                    "basicAuth": {
                        "username": "ml",
                        "passwordFile": "/etc/prometheus-auth/eu1/password",
                    },
                    "tls": {
                        "certFile": "/etc/prometheus-auth/eu1/tls.crt",
                        "keyFile": "/etc/prometheus-auth/eu1/tls.key",
                    },
                },
            },
            "secrets": ["eu1"],
        },
        "imagePullSecrets": [{"name": "registry"}],
        "watchNamespaces": ["finance", "packages"],
        "logging": {"level": "debug", "format": "text"},
        "serviceAccount": {"name": "watcher", "annotations": {"iam.example/role": "reader"}},
        "resources": {"limits": {"memory": "1Gi"}},
        "podAnnotations": {"note": "yes"},
        "podLabels": {"team": "ml", "app.kubernetes.io/name": "ours wins"},
        "nodeSelector": {"disk": "ssd"},
        "tolerations": [{"operator": "Exists"}],
        "affinity": {"nodeAffinity": {}},
        "priorityClassName": "important",
        "service": {"port": 9000, "annotations": {"prometheus.io/scrape": "true"}},
        "extraArgs": ["--log-level=debug"],
        "env": [{"name": "HTTPS_PROXY", "value": "http://proxy.example"}],
        "rbac": {"aggregateToDefaultRoles": False},
        "crds": {"enabled": False},
        "replicas": 2,
    }
    ended = cluster.helm(
        "template", "prod", str(CHART), "-n", "ml", "-f", "-", stdin=json.dumps(values)
    )
    objects = _objects(ended.stdout)
    pod = objects["Deployment", "prod-model-maintenance"]["spec"]["template"]
    [container] = pod["spec"]["containers"]

    assert _read_configuration(objects) == settings.Settings(
        prometheus_servers={
            "default": Server("https://a.example:9090"),
            "eu1": Server(
                "http://b.example",
                headers={"X-Scope-OrgID": "ml"},
                bearer_token_file="/etc/prometheus-auth/eu1/token",  # noqa: S106 - where it lies
                ca_file="/etc/prometheus-auth/eu1/ca.crt",
                server_name="b.internal",
                namespaces=frozenset({"finance"}),
                enforced_matchers={"namespace": "{{ namespace }}"},
            ),
            "eu2": Server(
                "https://c.example",
                username="ml",
                password_file="/etc/prometheus-auth/eu1/password",  # noqa: S106 - where it lies
                cert_file="/etc/prometheus-auth/eu1/tls.crt",
                key_file="/etc/prometheus-auth/eu1/tls.key",
            ),
        },
        trainer_image="registry.example/team/trainer:1.50",
        trainer_pull_policy="Never",
        watch_namespaces=("finance", "packages"),
        log_level="debug",
        log_format="text",
        allowed=Allowed(env=("WANDB_*",), service_accounts=("finance/trainer",)),
        scratch="100Gi",
    )
    assert container["image"] == f"registry.example/team/operator@{DIGEST}"
    [mounted] = [m for m in container["volumeMounts"] if m["mountPath"].startswith("/etc/prom")]
    assert (mounted["mountPath"], mounted["readOnly"]) == ("/etc/prometheus-auth/eu1", True)
    assert {"name": mounted["name"], "secret": {"secretName": "eu1"}} in pod["spec"]["volumes"]
    assert container["imagePullPolicy"] == "Always"
    assert container["args"] == [
        "run",
        "--config=/etc/model-maintenance/config.yaml",
        "--log-level=debug",
    ]
    assert container["env"] == values["env"]
    assert container["resources"] == values["resources"] | {
        "requests": {"cpu": "50m", "memory": "128Mi"}
    }
    for field in (
        "imagePullSecrets",
        "nodeSelector",
        "tolerations",
        "affinity",
        "priorityClassName",
    ):
        assert pod["spec"][field] == values[field]
    assert pod["spec"]["serviceAccountName"] == "watcher"
    assert pod["metadata"]["annotations"]["note"] == "yes"
    assert pod["metadata"]["labels"]["team"] == "ml"
    assert pod["metadata"]["labels"]["app.kubernetes.io/name"] == "model-maintenance"
    assert objects["ServiceAccount", "watcher"]["metadata"]["annotations"] == {
        "iam.example/role": "reader"
    }
    assert objects["Service", "prod-model-maintenance"]["spec"]["ports"][0]["port"] == 9000
    assert {kind for kind, _ in objects} == {
        "ServiceAccount",
        "Role",  # watchNamespaces: nothing in all namespaces
        "RoleBinding",
        "ConfigMap",
        "Deployment",
        "PodDisruptionBudget",
        "Service",
        "Pod",  # helm test
    }
    assert objects["Deployment", "prod-model-maintenance"]["spec"]["replicas"] == 2


def test_a_changed_configuration_starts_a_new_pod(cluster: Programs) -> None:
    before = _operator(_objects(_template(cluster).stdout))
    same = _operator(_objects(_template(cluster, "--set", "service.port=9000").stdout))
    after = _operator(
        _objects(_template(cluster, "--set", "prometheus.servers.default.url=http://other").stdout)
    )

    assert before == same
    assert before["metadata"]["annotations"] != after["metadata"]["annotations"]
    assert before["spec"] == after["spec"]


@pytest.mark.parametrize(
    "flag, message",
    [
        ("--set=image=operator:1", "at '/image': got string, want object"),
        ("--set-json=image.tag=1.50", "at '/image/tag': got number, want string"),
        ("--set=image.name=ours", "at '/image': additional properties 'name' not allowed"),
        ("--set=watchNamespace=finance", "additional properties 'watchNamespace' not allowed"),
        ("--set-json=image=null", "missing property 'image'"),
        ("--set=watchNamespaces=finance", "at '/watchNamespaces': got string, want array"),
        ("--set-json=watchNamespaces=[5]", "at '/watchNamespaces/0': got number, want string"),
        ("--set=watchNamespaces={team-*}", 'values: watchNamespaces: "team-*" is no name'),
        ("--set=trainer.allow.env=A", "at '/trainer/allow/env': got string, want array"),
        ("--set=trainer.allow.envs={A}", "at '/trainer/allow': additional properties 'envs'"),
        ("--set=tolerations.operator=Exists", "at '/tolerations': got object, want array"),
        ("--set-json=env={}", "at '/env': got object, want array"),
        ("--set-string=crds.enabled=false", "at '/crds/enabled': got string, want boolean"),
        ("--set=crds.keep=1", "at '/crds/keep': got number, want boolean"),
        ("--set=resources=small", "at '/resources': got string, want object"),
        ("--set=replicas=3", "at '/replicas': maximum: got 3, want 2"),
        (
            "--set=prometheus.servers.default=http://a",
            "at '/prometheus/servers/default': got string, want object",
        ),
        (
            "--set=prometheus.servers.default.url=a:9090",
            'values: prometheus.servers.default.url is "a:9090"; write http://<host>:<port>',
        ),
        ("--set=prometheus.servers.eu.uri=http://a", "missing property 'url'"),
        ("--set=prometheus.servers.EU.url=http://a", 'values: prometheus.servers: "EU" is no name'),
        ("--set=image.digest=abc", 'values: image.digest is "abc"; write sha256:'),
        (
            "--set=trainer.image.pullPolicy=always",
            "at '/trainer/image/pullPolicy': value must be one of 'Always',",
        ),
        ("--set=logging.level=loud", "at '/logging/level': value must be one of 'debug', 'info'"),
        ("--set=logging.format=xml", "at '/logging/format': value must be one of 'json', 'text'"),
        ("--set=service.port=http", "at '/service/port': got string, want integer"),
        (
            "--set=metrics.serviceMonitor.enabled=true,metrics.podMonitor.enabled=true",
            "values: metrics.serviceMonitor.enabled and metrics.podMonitor.enabled: enable one",
        ),
        (
            "--set=metrics.podMonitor.interval=often",
            'values: metrics.podMonitor.interval is "often"; write a duration like 30s',
        ),
        (
            "--set=metrics.prometheusRule.disabled={Down}",
            'there is no alert "Down"; there are ModelMaintenanceOperatorDown, ',
        ),
    ],
)
def test_a_wrong_value_is_refused_with_what_to_write(
    cluster: Programs, flag: str, message: str
) -> None:
    ended = _template(cluster, flag, check=False)

    assert ended.returncode == 1
    assert message in ended.stderr


# --- on the API server --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def installed(cluster: Programs) -> Iterator[str]:
    """What ``helm install`` says."""
    ended = cluster.helm(
        *("install", "model-maintenance", str(CHART), "--namespace", NAMESPACE),
        *(
            "--create-namespace",
            "--take-ownership",
            "--force-conflicts",
        ),  # another suite may have installed it here
    )
    yield ended.stdout
    cluster.helm("uninstall", "model-maintenance", "--namespace", NAMESPACE)


def test_the_notes_say_what_comes_next(installed: str) -> None:
    assert "kubectl -n model-maintenance rollout status deployment/model-maintenance" in installed
    assert "helm test model-maintenance -n model-maintenance" in installed
    assert "default: http://prometheus-operated.monitoring.svc:9090" in installed
    assert "kubectl apply -n <namespace> -f manifests/samples/initial-model.yaml" in installed


ALLOWED = {
    "modelmaintenances.modelmaintenance.dev": {"get", "list", "watch"},
    "modelmaintenances.modelmaintenance.dev/status": {"update"},
    "jobs.batch": {"get", "list", "watch", "create", "delete"},
    "pods": {"list"},
    "configmaps": {"get", "list", "watch", "create", "update"},
    "events.events.k8s.io": {"create", "list"},
}


def test_the_operators_rights_are_these_and_no_others(cluster: Programs) -> None:
    rules = _objects(_template(cluster).stdout)["ClusterRole", "model-maintenance"]["rules"]
    granted = {
        f"{resource.split('/')[0]}{'.' if group else ''}{group}{resource.partition('/')[1]}"
        f"{resource.partition('/')[2]}": set(rule["verbs"])
        for rule in rules
        for group in rule["apiGroups"]
        for resource in rule["resources"]
    }

    assert granted == ALLOWED
    assert all(set(rule) == {"apiGroups", "resources", "verbs"} for rule in rules)


@pytest.mark.usefixtures("installed")
def test_the_api_server_lets_the_operator_do_these_and_no_others(cluster: Programs) -> None:
    """Also what every account may do is in the list: reviews of oneself, and discovery."""
    own = rights_of(cluster, (NAMESPACE, "model-maintenance"), "default")

    assert own == ALLOWED


@pytest.mark.usefixtures("installed")
def test_the_operators_pod_passes_pod_security_restricted(cluster: Programs) -> None:
    cluster.kubectl(
        "label",
        "namespace",
        NAMESPACE,
        "pod-security.kubernetes.io/enforce=restricted",
        "--overwrite",
    )
    template = _operator(_objects(_template(cluster).stdout))
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "spec": template["spec"],
        "metadata": {"name": "try", "namespace": NAMESPACE},
    }

    accepted = cluster.kubectl("create", "--dry-run=server", "-f", "-", stdin=json.dumps(pod))
    del pod["spec"]["containers"][0]["securityContext"]["capabilities"]
    refused = cluster.kubectl(
        "create", "--dry-run=server", "-f", "-", stdin=json.dumps(pod), check=False
    )

    assert "pod/try created" in accepted.stdout
    assert 'violates PodSecurity "restricted' in refused.stderr
    assert template["spec"]["containers"][0]["securityContext"]["readOnlyRootFilesystem"]


def test_uninstall_leaves_the_resources_and_crds_can_go_with_it(
    cluster: Programs, installed: str
) -> None:
    assert installed
    sample = str(ROOT / "manifests/samples/minimal.yaml")
    cluster.kubectl("apply", "-f", sample)

    cluster.helm("uninstall", "model-maintenance", "--namespace", NAMESPACE)
    kept = cluster.kubectl("get", "-f", sample, "-o", "name").stdout
    again = [
        "upgrade",
        "--install",
        "model-maintenance",
        str(CHART),
        "--namespace",
        NAMESPACE,
        "--take-ownership",
    ]
    cluster.helm(*again, "--set", "crds.keep=false")
    cluster.helm("uninstall", "model-maintenance", "--namespace", NAMESPACE)
    crd = "crd/modelmaintenances.modelmaintenance.dev"
    cluster.kubectl("wait", "--for=delete", timeout_flag(60), crd)
    gone = cluster.kubectl("get", crd, check=False)
    cluster.helm("upgrade", "--install", "model-maintenance", str(CHART), "--namespace", NAMESPACE)

    assert kept == "modelmaintenance.modelmaintenance.dev/news-sentiment\n"
    assert "NotFound" in gone.stderr

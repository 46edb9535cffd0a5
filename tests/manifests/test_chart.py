"""The chart and the plain manifests: the same objects, with the least rights."""

import json
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from support.programs import ROOT, Programs

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
        if kind == "Namespace":
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
        prometheus_servers={"default": "http://prometheus-operated.monitoring.svc:9090"},
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
            }
        },
        "prometheus": {
            "servers": {
                "default": {"url": "https://a.example:9090/"},
                "eu1": {"url": "http://b.example"},
            }
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
    }
    ended = cluster.helm(
        "template", "prod", str(CHART), "-n", "ml", "-f", "-", stdin=json.dumps(values)
    )
    objects = _objects(ended.stdout)
    pod = objects["Deployment", "prod-model-maintenance"]["spec"]["template"]
    [container] = pod["spec"]["containers"]

    assert _read_configuration(objects) == settings.Settings(
        prometheus_servers={"default": "https://a.example:9090", "eu1": "http://b.example"},
        trainer_image="registry.example/team/trainer:1.50",
        trainer_pull_policy="Never",
        watch_namespaces=("finance", "packages"),
        log_level="debug",
        log_format="text",
    )
    assert container["image"] == f"registry.example/team/operator@{DIGEST}"
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
        "ClusterRole",
        "ClusterRoleBinding",
        "ConfigMap",
        "Deployment",
        "Service",
    }
    assert ("ClusterRole", "prod-model-maintenance-edit") not in objects


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
        ("--set=image=operator:1", "values: image is a string (operator:1); write a map"),
        (
            "--set-json=image.tag=1.50",
            "values: image.tag is a float64 (1.5); write a string; quote it",
        ),
        ("--set=image.repository=5", "values: image.repository is a int64 (5); write a string"),
        (
            "--set=watchNamespaces=finance",
            "values: watchNamespaces is a string (finance); write a list",
        ),
        ("--set-json=watchNamespaces=[5]", "values: watchNamespaces: 5 is no name of a namespace"),
        (
            "--set=tolerations.operator=Exists",
            "values: tolerations is a map (map[operator:Exists]); write a list",
        ),
        ("--set-json=env={}", "values: env is a map (map[]); write a list"),
        (
            "--set-string=crds.enabled=false",
            "values: crds.enabled is a string (false); write true or false, unquoted",
        ),
        ("--set=crds.keep=1", "values: crds.keep is a int64 (1); write true or false"),
        ("--set=resources=small", "values: resources is a string (small); write a map"),
        (
            "--set=prometheus.servers=http://a",
            "values: prometheus.servers is a string (http://a); write a map",
        ),
        (
            "--set=prometheus.servers.default=http://a",
            "values: prometheus.servers.default: write {url:",
        ),
        (
            "--set=prometheus.servers.default.url=a:9090",
            "values: prometheus.servers.default: write {url:",
        ),
        ("--set=prometheus.servers.EU.url=http://a", 'values: prometheus.servers: "EU" is no name'),
        ("--set=image.digest=abc", 'values: image digest "abc"; write sha256:'),
        (
            "--set=trainer.image.pullPolicy=always",
            'values: trainer.image.pullPolicy is "always"; write Always',
        ),
        ("--set=logging.level=loud", 'values: logging.level is "loud"; write debug'),
        ("--set=logging.format=xml", 'values: logging.format is "xml"; write json or text'),
        ("--set=service.port=http", "values: service.port is http; write a port number"),
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
    assert "default: http://prometheus-operated.monitoring.svc:9090" in installed
    assert "kubectl apply -f manifests/samples/minimal.yaml" in installed


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
    account = f"system:serviceaccount:{NAMESPACE}:model-maintenance"
    listed = cluster.kubectl(
        "auth",
        "can-i",
        "--list",
        "--as",
        account,
        "--as-group=system:serviceaccounts",
        "--as-group=system:authenticated",
    ).stdout
    rights = {
        line.split()[0]: set(line[line.rindex("[") + 1 : -1].split())
        for line in listed.splitlines()[1:]
        if not line.startswith(" ")
    }
    own = {name: verbs for name, verbs in rights.items() if not name.startswith("selfsubject")}

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
    cluster.kubectl("wait", "--for=delete", "--timeout=60s", crd)
    gone = cluster.kubectl("get", crd, check=False)
    cluster.helm("upgrade", "--install", "model-maintenance", str(CHART), "--namespace", NAMESPACE)

    assert kept == "modelmaintenance.modelmaintenance.dev/news-sentiment\n"
    assert "NotFound" in gone.stderr

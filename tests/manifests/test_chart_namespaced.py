"""watchNamespaces: rights in these namespaces alone, on a real API server, by a real operator."""

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator

import pytest
import yaml
from support.installed import (
    Installed,
    brought_along,
    operator_as,
    refused,
    requests_of,
    rights_of,
    until,
)
from support.programs import ROOT, Programs

pytestmark = [pytest.mark.api, pytest.mark.timeout(300)]

CHART = ROOT / "charts/model-maintenance"
HOME, WATCHED, OTHER = "narrow", ("narrow-a", "narrow-b"), "narrow-other"
ACCOUNT = (HOME, "narrow-model-maintenance")


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> str:
    return brought_along(tmp_path_factory.mktemp("sample"))


@pytest.fixture(scope="module")
def cluster(bare: Programs, sample: str) -> Iterator[Programs]:
    """The chart is installed for two namespaces; the third is nobody's."""
    for namespace in (*WATCHED, OTHER):
        bare.kubectl("create", "namespace", namespace)
    values = {
        "watchNamespaces": list(WATCHED),
        "prometheus": {"servers": {"default": {"url": "http://127.0.0.1:9"}}},
    }
    bare.helm(
        *("install", "narrow", str(CHART), "--namespace", HOME, "--create-namespace"),
        *("--take-ownership", "--force-conflicts", "-f", "-"),  # the CRD may be there
        stdin=json.dumps(values),
    )
    until(lambda: not bare.kubectl("get", "mm", "-A", check=False).returncode, "the kind is served")
    yield bare
    for namespace in (*WATCHED, OTHER):  # the next suite's operator watches all of them
        bare.kubectl("-n", namespace, "delete", "--ignore-not-found", "-f", sample)
    bare.helm("uninstall", "narrow", "--namespace", HOME)


@pytest.fixture(scope="module")
def operator(cluster: Programs, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installed]:
    """The operator with the configuration and the rights that the chart made."""
    folder = tmp_path_factory.mktemp("narrow")
    name = "narrow-model-maintenance"
    found = cluster.kubectl("-n", HOME, "get", "configmap", name, "-o", "json").stdout
    (folder / "config.yaml").write_text(json.loads(found)["data"]["config.yaml"])
    arguments = ["run", "--config", str(folder / "config.yaml")]
    with operator_as(cluster, ACCOUNT, arguments, folder) as running:
        yield running


RIGHTS = {
    resource + "".join(f".{group}" for group in rule["apiGroups"] if group): set(rule["verbs"])
    for rule in yaml.safe_load((ROOT / "manifests/rbac/clusterrole.yaml").read_text())["rules"]
    for resource in rule["resources"]
    if "/" not in resource
} | {"modelmaintenances.modelmaintenance.dev/status": {"update"}}


def test_the_rights_hold_in_the_named_namespaces_and_nowhere_else(cluster: Programs) -> None:
    for namespace in WATCHED:
        assert rights_of(cluster, ACCOUNT, namespace) == RIGHTS
    for namespace in (OTHER, HOME, "kube-system"):
        assert rights_of(cluster, ACCOUNT, namespace) == {}


def test_there_is_no_cluster_role_for_the_operator(cluster: Programs) -> None:
    selector = ["-l", "app.kubernetes.io/instance=narrow", "-o", "name"]
    roles = cluster.kubectl("get", "clusterroles,clusterrolebindings", *selector).stdout.split()
    narrow = cluster.kubectl("get", "roles,rolebindings", "-A", *selector).stdout.split()

    kind = "clusterrole.rbac.authorization.k8s.io/narrow-model-maintenance"
    assert roles == [f"{kind}-edit", f"{kind}-view"]  # for people
    assert len(narrow) == 2 * len(WATCHED)


def test_the_operator_works_in_them_and_asks_for_nothing_else(
    cluster: Programs, operator: Installed, sample: str
) -> None:
    def jobs(namespace: str) -> str:
        return cluster.kubectl("-n", namespace, "get", "jobs", "-o", "name").stdout

    for namespace in (OTHER, *WATCHED):
        cluster.kubectl("-n", namespace, "apply", "-f", sample)
    for namespace in WATCHED:
        until(lambda: jobs(namespace), f"a Job in {namespace}", operator.log)  # noqa: B023

    asked = requests_of(cluster, ACCOUNT)
    assert asked
    assert refused(asked) == []
    assert {event["objectRef"].get("namespace") for event in asked} == set(WATCHED)
    assert jobs(OTHER) == ""


def test_its_metrics_tell_of_each_resource(
    cluster: Programs, operator: Installed, sample: str
) -> None:
    cluster.kubectl("-n", WATCHED[0], "apply", "-f", sample)
    series = (
        'model_maintenance_condition{name="news-sentiment",namespace="narrow-a",'
        'type="MetricsAvailable"} 0.0'
    )

    def told() -> bool:
        with urllib.request.urlopen(f"{operator.url}/metrics", timeout=5) as reply:  # noqa: S310 - ours
            return series in reply.read().decode()

    until(told, series, operator.log)


# --- what helm test runs ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def probe(cluster: Programs) -> tuple[str, list[str]]:
    """Script and arguments of the container that the chart makes."""
    rendered = cluster.helm(
        *("template", "narrow", str(CHART), "--namespace", HOME),
        *("--set=service.port=9000", "--show-only=templates/tests/answers.yaml"),
    )
    [container] = yaml.safe_load(rendered.stdout)["spec"]["containers"]
    [python, flag, script] = container["command"]
    assert (python, flag) == ("python", "-c")
    return script, container["args"]


def _run(script: str, url: str, version: str, patience: int = 60) -> tuple[int, str]:
    written = "PATIENCE_SECONDS = 120\n"
    assert script.count(written) == 1
    script = script.replace(written, f"PATIENCE_SECONDS = {patience}\n")
    ended = subprocess.run(
        [sys.executable, "-c", script, url, version], capture_output=True, text=True, check=False
    )
    return ended.returncode, ended.stdout


def test_helm_test_asks_the_service_for_the_charts_version(probe: tuple[str, list[str]]) -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())

    assert probe[1] == [
        "http://narrow-model-maintenance.narrow.svc:9000",
        chart["appVersion"],
    ]


def test_what_helm_test_runs_is_content_with_this_operator(
    operator: Installed, probe: tuple[str, list[str]]
) -> None:
    script, [_, version] = probe

    code, said = _run(script, operator.url, version)
    assert (code, said) == (0, f"ok: version {version} answers at {operator.url} and watches\n")

    code, said = _run(script, operator.url, "9.9.9")
    assert code == 1
    assert "FAILED: version 9.9.9 is expected to run" in said

    code, said = _run(script, "http://127.0.0.1:9", version, patience=0)
    assert code == 1
    assert "http://127.0.0.1:9/readyz: no answer: " in said


@pytest.mark.parametrize(
    "values, name",
    [
        ("watchNamespaces={nowhere}", "watchNamespaces"),
        ("watchNamespaces={narrow-a,nowhere}", "watchNamespaces"),
        (
            "metrics.dashboard.enabled=true,metrics.dashboard.namespace=nowhere",
            "metrics.dashboard.namespace",
        ),
    ],
)
def test_a_namespace_that_is_not_there_is_named_before_anything_is_made(
    cluster: Programs, values: str, name: str
) -> None:
    ended = cluster.helm(
        *("install", "lost", str(CHART), "--namespace", HOME, "--set=crds.enabled=false"),
        f"--set={values}",
        check=False,
    )
    made = cluster.kubectl(
        *("get", "sa,cm,deploy,role,rolebinding,secret", "-A", "-o", "name"),
        *("-l", "app.kubernetes.io/instance=lost"),
    )
    listed = cluster.helm("list", "-q", "--namespace", HOME).stdout.split()

    assert ended.returncode == 1
    assert f'values: {name}: there is no namespace "nowhere" in this cluster' in ended.stderr
    assert made.stdout == ""
    assert listed == ["narrow"]

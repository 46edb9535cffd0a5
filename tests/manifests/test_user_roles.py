"""Who may view or edit a namespace may view or edit its ModelMaintenances."""

import time
from collections.abc import Iterator

import pytest
from support.pace import Allowance
from support.programs import ROOT, Programs

pytestmark = pytest.mark.api

RESOURCE = "modelmaintenances.modelmaintenance.dev"
VERBS = ("get", "list", "watch", "create", "update", "patch", "delete", "deletecollection")


@pytest.fixture(scope="module")
def namespace(cluster: Programs) -> Iterator[str]:
    """A namespace with a viewer and an editor, by the default roles view and edit."""
    name = "user-roles"
    cluster.kubectl("create", "namespace", name)
    cluster.kubectl("apply", "-f", str(ROOT / "manifests/rbac/userroles.yaml"))
    for role, user in (("view", "viewer"), ("edit", "editor")):
        cluster.kubectl(
            "-n", name, "create", "rolebinding", role, f"--clusterrole={role}", f"--user={user}"
        )
    allowance = Allowance(30)
    while not (_may(cluster, name, "viewer", "get") and _may(cluster, name, "editor", "create")):
        assert not allowance.used_up(), "the roles were not aggregated"
        time.sleep(0.1)
    yield name
    cluster.kubectl("delete", "-f", str(ROOT / "manifests/rbac/userroles.yaml"))
    cluster.kubectl("delete", "namespace", name, "--wait=false")


def _may(cluster: Programs, namespace: str, user: str, verb: str, *flags: str) -> bool:
    answer = cluster.kubectl(
        "-n",
        namespace,
        "auth",
        "can-i",
        verb,
        RESOURCE,
        "--as",
        user,
        "--as-group=system:authenticated",
        *flags,
        check=False,
    )
    assert answer.stdout in {"yes\n", "no\n"}, answer.stderr
    return answer.stdout == "yes\n"


def test_a_viewer_reads(cluster: Programs, namespace: str) -> None:
    assert [verb for verb in VERBS if _may(cluster, namespace, "viewer", verb)] == [
        "get",
        "list",
        "watch",
    ]


def test_an_editor_does_all_but_write_status(cluster: Programs, namespace: str) -> None:
    assert [verb for verb in VERBS if _may(cluster, namespace, "editor", verb)] == list(VERBS)
    assert not _may(cluster, namespace, "editor", "update", "--subresource=status")

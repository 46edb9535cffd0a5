"""The cluster adapter: Jobs as decisions see them, and its calls against a real API server."""

import asyncio
import contextlib
import gc
import os
import re
import signal
import warnings
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
import pytest_asyncio
from aiohttp import web
from support.api import Api, path, until
from support.control_plane import ControlPlane
from support.kubelet import Kubelet
from support.objects import resource
from support.trainer import Ending

from maintenance_contract import (
    DataRef,
    ModelRef,
    Operation,
    Recipes,
    ResourceRef,
    Task,
    TrainingRequest,
)
from maintenance_core.errors import ClusterError, Conflict, Gone
from maintenance_core.model import JobPhase
from maintenance_operator.adapters import job_views
from maintenance_operator.adapters.cluster import Cluster, _event
from maintenance_operator.adapters.credentials import login
from maintenance_operator.adapters.job_views import job_view

DIGEST = "modelmaintenance.dev/request-digest"
TIME = "2026-11-23T18:00:00Z"


# --- Jobs as decisions see them ----------------------------------------------------------


def job(*conditions: dict[str, str], **status: Any) -> dict[str, Any]:
    return {
        "metadata": {
            "name": "news-1a2b3c-7-train",
            "uid": "job-uid",
            "creationTimestamp": TIME,
            "annotations": {DIGEST: "d"},
            "ownerReferences": [{"uid": "other"}, {"uid": "owner", "controller": True}],
        },
        "status": {"conditions": list(conditions), **status},
    }


def pod(
    state: dict[str, Any],
    *,
    phase: str = "Pending",
    created: str = TIME,
    conditions: tuple[dict[str, str], ...] = (),
) -> dict[str, Any]:
    return {
        "metadata": {
            "creationTimestamp": created,
            "ownerReferences": [{"uid": "job-uid", "controller": True}],
        },
        "status": {
            "phase": phase,
            "conditions": list(conditions),
            "containerStatuses": [
                {"name": "sidecar", "state": {"terminated": {"message": "not ours"}}},
                {"name": "trainer", "state": state},
            ],
        },
    }


def ended(message: str = "report", code: int = 0, reason: str = "Completed") -> dict[str, Any]:
    return {"terminated": {"message": message, "exitCode": code, "reason": reason}}


COMPLETE = {"type": "Complete", "status": "True", "lastTransitionTime": TIME}


def failed(reason: str) -> dict[str, str]:
    return {
        "type": "Failed",
        "status": "True",
        "reason": reason,
        "message": "It failed.",
        "lastTransitionTime": TIME,
    }


def test_a_new_job_is_pending() -> None:
    view = job_view(job(), [])
    assert (view.phase, view.owner_uid, view.request_digest, view.uid) == (
        JobPhase.PENDING,
        "owner",
        "d",
        "job-uid",
    )
    assert view.message is None


def test_a_job_with_a_running_pod_runs() -> None:
    assert job_view(job(), [pod({"running": {}}, phase="Running")]).phase is JobPhase.RUNNING
    assert job_view(job(ready=1), []).phase is JobPhase.RUNNING


def test_a_pod_that_has_ended_does_not_end_its_job() -> None:
    view = job_view(
        job({"type": "SuccessCriteriaMet", "status": "True"}), [pod(ended(), phase="Succeeded")]
    )
    assert view.phase is JobPhase.RUNNING


def test_a_complete_job_carries_the_newest_message() -> None:
    pods = [pod(ended("first", 137), created="2026-11-23T17:00:00Z"), pod(ended("second"))]
    view = job_view(job(COMPLETE), pods)
    assert (view.phase, view.message) == (JobPhase.COMPLETE, "second")
    assert view.finished == datetime(2026, 11, 23, 18, tzinfo=UTC)


def test_a_complete_job_whose_pod_was_collected_has_no_message() -> None:
    assert job_view(job(COMPLETE), []).message is None


def test_a_failed_job_says_how() -> None:
    view = job_view(job(failed("PodFailurePolicy")), [pod(ended("report", 65, "Error"))])
    assert (view.phase, view.failure, view.message) == (
        JobPhase.FAILED,
        "PodFailurePolicy",
        "report",
    )
    assert view.detail == "It failed. (trainer: Error, exit code 65)"


def test_memory_that_ran_out_is_named() -> None:
    view = job_view(
        job(failed("BackoffLimitExceeded")), [pod(ended("", 137, "OOMKilled"), phase="Failed")]
    )
    assert view.failure == "OOMKilled"
    assert "OOMKilled" in view.detail


@pytest.mark.parametrize(
    "state, conditions, detail",
    [
        (
            {"waiting": {"reason": "ImagePullBackOff", "message": "Back-off pulling image"}},
            (),
            "ImagePullBackOff: Back-off pulling image",
        ),
        ({"waiting": {"reason": "ContainerCreating"}}, (), ""),
        (
            {},
            (
                {
                    "type": "PodScheduled",
                    "status": "False",
                    "reason": "Unschedulable",
                    "message": "0/1 nodes are available: 1 Insufficient nvidia.com/gpu.",
                },
            ),
            "Unschedulable: 0/1 nodes are available: 1 Insufficient nvidia.com/gpu.",
        ),
    ],
)
def test_a_pod_that_waits_says_why(
    state: dict[str, Any], conditions: tuple[dict[str, str], ...], detail: str
) -> None:
    view = job_view(job(), [pod(state, conditions=conditions)])
    assert (view.phase, view.detail) == (JobPhase.PENDING, detail)


@pytest.mark.parametrize(
    "message, unmounted",
    [
        ('0/1 nodes: persistentvolumeclaim "models" not found.', True),
        ("0/1 nodes: pod has unbound immediate PersistentVolumeClaims.", True),
        ("0/1 nodes: 1 node(s) had volume node affinity conflict.", True),
        ("0/1 nodes are available: 1 Insufficient nvidia.com/gpu.", False),
    ],
)
def test_a_claim_that_is_missing_or_unbound_is_told_from_a_busy_cluster(
    message: str,
    unmounted: bool,  # noqa: FBT001
) -> None:
    condition = {
        "type": "PodScheduled",
        "status": "False",
        "reason": "Unschedulable",
        "message": message,
    }
    view = job_view(job(), [pod({}, conditions=(condition,))])
    assert (view.phase, view.unmounted) == (JobPhase.PENDING, unmounted)
    assert message in view.detail


# --- against a real API server -----------------------------------------------------------


@pytest_asyncio.fixture
async def cluster(plane: ControlPlane, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Cluster]:
    monkeypatch.setenv("KUBECONFIG", str(plane.kubeconfig))
    async with Cluster(await login(), user_agent="model-maintenance-operator/test") as client:
        yield client


@pytest.mark.api
async def test_status_is_written_against_the_version_that_was_read(
    cluster: Cluster, api: Api, namespace: str
) -> None:
    await api.create(path("modelmaintenances", namespace), resource())
    read = await cluster.get(namespace, "news")
    assert read["status"] == {"observedGeneration": -1}
    written = await cluster.replace_status({**read, "status": {"observedGeneration": 1}})
    assert written["status"]["observedGeneration"] == 1
    with pytest.raises(Conflict):
        await cluster.replace_status({**read, "status": {"observedGeneration": 2}})
    await api.delete(path("modelmaintenances", namespace, "news"))
    with pytest.raises(Gone):
        await cluster.get(namespace, "news")
    with pytest.raises(Gone):
        await cluster.replace_status(written)


@pytest.mark.api
async def test_all_resources_come_in_one_stream(
    cluster: Cluster, api: Api, namespace: str, plane: ControlPlane
) -> None:
    for number in range(5):
        await api.create(path("modelmaintenances", namespace), resource(f"r{number}"))
    labels = {"app.kubernetes.io/managed-by": "model-maintenance"}
    for name, its in (("ours", labels), ("others", {})):
        body = {"metadata": {"name": name, "labels": its}}
        await api.create(path("configmaps", namespace), body)

    listed = [body["metadata"]["name"] async for body in cluster.resources(namespace)]
    assert sorted(listed) == [f"r{number}" for number in range(5)]
    assert len([body async for body in cluster.resources()]) >= 5
    assert [body["metadata"]["name"] async for body in cluster.config_maps(namespace)] == ["ours"]
    await cluster.served(namespace)

    asked = [event for event in plane.audit(namespace) if is_test(event)]
    assert [event["verb"] for event in asked] == ["watch", "watch", "list"]


@pytest.mark.api
def test_a_stream_is_broken_off_without_a_goodbye_that_a_busy_server_owes(
    plane: ControlPlane, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(plane.kubeconfig))

    api_server = plane.api_server

    async def read_all() -> None:
        async with Cluster(await login(), user_agent="test/1") as client:
            async for _ in client.config_maps():
                pass
            os.kill(api_server, signal.SIGSTOP)

    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always", ResourceWarning)
        for _ in range(10):
            try:
                asyncio.run(read_all())
            finally:
                os.kill(api_server, signal.SIGCONT)
        gc.collect()
    assert [str(each.message) for each in told] == [], "sockets are left open"


def is_test(event: dict[str, Any]) -> bool:
    agent: str = event.get("userAgent", "")
    return agent == "model-maintenance-operator/test"


@pytest.mark.api
async def test_all_resources_come_page_by_page_too(
    cluster: Cluster, api: Api, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("maintenance_operator.adapters.cluster.PAGE", 2)
    for number in range(5):
        await api.create(path("modelmaintenances", namespace), resource(f"r{number}"))
    cluster._streams = False
    listed = [body["metadata"]["name"] async for body in cluster.resources(namespace)]
    assert listed == [f"r{number}" for number in range(5)]


def manifest(namespace: str, owner: dict[str, Any], name: str = "news-1-train") -> dict[str, Any]:
    request = TrainingRequest(
        Operation.DIAGNOSE,
        ResourceRef(namespace, "news", "u"),
        1,
        ModelRef(Task.TEXT_CLASSIFICATION, "pvc://a/b", "pvc://a/c"),
        DataRef("pvc://a/d", "pvc://a/e"),
        Recipes(),
    )
    labels = {
        "app.kubernetes.io/managed-by": "model-maintenance",
        "modelmaintenance.dev/uid": owner["metadata"]["uid"],
    }
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": labels,
            "annotations": {DIGEST: request.digest},
            "ownerReferences": [
                {
                    "apiVersion": owner["apiVersion"],
                    "kind": owner["kind"],
                    "name": owner["metadata"]["name"],
                    "uid": owner["metadata"]["uid"],
                    "controller": True,
                }
            ],
        },
        "spec": {
            "backoffLimit": 0,
            "template": {
                "metadata": {
                    "labels": labels,
                    "annotations": {"modelmaintenance.dev/request": request.to_json()},
                },
                "spec": {
                    "restartPolicy": "Never",
                    "containers": [{"name": "trainer", "image": "x"}],
                },
            },
        },
    }


@pytest.mark.api
async def test_a_job_lives_ends_and_goes(cluster: Cluster, api: Api, namespace: str) -> None:
    owner = await api.create(path("modelmaintenances", namespace), resource())
    uid = owner["metadata"]["uid"]
    assert await cluster.jobs(namespace, uid) == []
    created = await cluster.create_job(manifest(namespace, owner))
    assert (created.phase, created.owner_uid) == (JobPhase.PENDING, uid)
    with pytest.raises(Conflict):
        await cluster.create_job(manifest(namespace, owner))

    async with Kubelet(api, namespace, lambda _: Ending("the report")).running():

        async def complete() -> bool:
            (view,) = await cluster.jobs(namespace, uid)
            return view.phase is JobPhase.COMPLETE

        await until(complete, 30, "the Job is complete")
    assert (await cluster.job(namespace, created.name)).message == "the report"

    await cluster.delete_job(namespace, created.name, "another-uid")
    assert len(await cluster.jobs(namespace, uid)) == 1, (
        "a Job of another uid is not ours to delete"
    )
    await cluster.delete_job(namespace, created.name, created.uid)

    async def gone() -> bool:
        with contextlib.suppress(Gone):
            await cluster.job(namespace, created.name)
            return False
        pods = await api.get(path("pods", namespace))
        return not pods["items"]

    await until(gone, 30, "the Job and its pods are gone")
    await cluster.delete_job(namespace, created.name, created.uid)


@pytest.mark.api
async def test_a_pod_whose_secret_is_missing_says_so_until_it_is_there(
    cluster: Cluster, api: Api, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_views, "A_LITTLE", timedelta(0))
    owner = await api.create(path("modelmaintenances", namespace), resource())
    uid = owner["metadata"]["uid"]
    created = await cluster.create_job(manifest(namespace, owner))
    pods: list[dict[str, Any]] = []

    async def made() -> bool:
        pods[:] = (await api.get(path("pods", namespace)))["items"]
        return bool(pods)

    await until(made, 60, "the Job controller makes a pod")
    name, pod_uid = pods[0]["metadata"]["name"], pods[0]["metadata"]["uid"]
    status = path("pods", namespace, name, "status")
    state = {"waiting": {"reason": "ContainerCreating"}}
    waiting = {"name": "trainer", "image": "x", "imageID": "", "ready": False, "restartCount": 0}
    # A Pending pod on a node; without a scheduler here its own condition must not speak first.
    await api.patch(
        status,
        {
            "status": {
                "conditions": [{"type": "PodScheduled", "status": "True"}],
                "containerStatuses": [{**waiting, "state": state}],
            }
        },
    )
    (view,) = await cluster.jobs(namespace, uid)
    assert (view.phase, view.detail, view.unmounted) == (JobPhase.PENDING, "", False)
    note = 'MountVolume.SetUp failed for volume "secret-0" : secret "keys" not found'
    core_events = f"/api/v1/namespaces/{namespace}/events"  # where the kubelet tells
    await api.create(core_events, kubelets_event(namespace, name, pod_uid, note))
    for view in (*await cluster.jobs(namespace, uid), await cluster.job(namespace, created.name)):
        assert (view.phase, view.unmounted) == (JobPhase.PENDING, True)
        assert view.detail == f"FailedMount: {note}"
    ready = [
        {"type": "PodScheduled", "status": "True"},
        {"type": "PodReadyToStartContainers", "status": "True"},
    ]
    await api.patch(status, {"status": {"conditions": ready}})
    (view,) = await cluster.jobs(namespace, uid)
    assert (view.detail, view.unmounted) == ("", False)


def kubelets_event(namespace: str, pod: str, uid: str, note: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"{pod}.1", "namespace": namespace},
        "involvedObject": {
            "apiVersion": "v1",
            "kind": "Pod",
            "namespace": namespace,
            "name": pod,
            "uid": uid,
        },
        "reason": "FailedMount",
        "message": note,
        "type": "Warning",
        "source": {"component": "kubelet"},
        "firstTimestamp": TIME,
        "lastTimestamp": TIME,
        "count": 3,
    }


@pytest.mark.api
async def test_a_refused_job_says_who_refused(cluster: Cluster, api: Api, namespace: str) -> None:
    owner = await api.create(path("modelmaintenances", namespace), resource())
    await api.create(
        path("resourcequotas", namespace),
        {
            "apiVersion": "v1",
            "kind": "ResourceQuota",
            "metadata": {"name": "none"},
            "spec": {"hard": {"count/jobs.batch": "0"}},
        },
    )

    async def enforced() -> bool:
        return "hard" in (await api.get(path("resourcequotas", namespace, "none")))["status"]

    await until(enforced, 30, "the quota is known")
    with pytest.raises(ClusterError, match="exceeded quota") as quota:
        await cluster.create_job(manifest(namespace, owner))
    assert quota.value.refused
    with pytest.raises(ClusterError, match="Required value") as invalid:
        await cluster.create_job({**manifest(namespace, owner), "spec": {}})
    assert invalid.value.refused
    elsewhere = {**manifest(namespace, owner)}
    elsewhere["metadata"] = {**elsewhere["metadata"], "namespace": "nowhere"}
    with pytest.raises(Gone):
        await cluster.create_job(elsewhere)


@pytest.mark.api
async def test_a_config_map_is_written_against_its_version(
    cluster: Cluster, api: Api, namespace: str
) -> None:
    assert await cluster.config_map(namespace, "news-champion") is None
    metadata = {"name": "news-champion", "namespace": namespace}
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"version": "1"}}
    created = await cluster.create_config_map(body)
    with pytest.raises(Conflict):
        await cluster.create_config_map(body)
    await cluster.replace_config_map({**created, "data": {"version": "2"}})
    with pytest.raises(Conflict):
        await cluster.replace_config_map({**created, "data": {"version": "3"}})
    found = await cluster.config_map(namespace, "news-champion")
    assert found is not None
    assert found["data"] == {"version": "2"}
    await api.delete(path("configmaps", namespace, "news-champion"))
    with pytest.raises(Conflict):
        await cluster.replace_config_map(found)


@pytest.mark.parametrize("end", ["-", ".", "-.", "x"])
def test_an_event_of_a_long_name_has_one_that_may_be(end: str) -> None:
    name = "n" * (200 - len(end)) + end + "news"
    body = {"metadata": {"namespace": "finance", "name": name, "uid": "u"}}
    made = _event(body, "Normal", "Degraded", "It fell.")["metadata"]["name"]
    assert all(re.fullmatch(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", part) for part in made.split("."))


@pytest.mark.api
async def test_an_event_is_told_and_its_loss_is_not_the_callers(
    cluster: Cluster, api: Api, namespace: str, caplog: pytest.LogCaptureFixture
) -> None:
    body = await api.create(path("modelmaintenances", namespace), resource())
    cluster.event(body, "Warning", "Degraded", "é" * 2000)

    async def told() -> list[dict[str, Any]]:
        return list((await api.get(path("events", namespace)))["items"])

    (event,) = await until(told, 10, "the Event is there")
    assert (event["type"], event["reason"], event["regarding"]["name"]) == (
        "Warning",
        "Degraded",
        "news",
    )
    assert event["reportingController"] == "modelmaintenance.dev/operator"
    assert event["note"] == "é" * 512
    cluster.event(body, "Loud", "Degraded", "no such type")

    async def complained() -> bool:
        return "could not be posted" in caplog.text

    await until(complained, 10, "the loss is told")


@pytest.mark.api
async def test_events_that_wait_are_posted_before_the_end(
    plane: ControlPlane, api: Api, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(plane.kubeconfig))
    body = await api.create(path("modelmaintenances", namespace), resource())
    async with Cluster(await login(), user_agent="model-maintenance-operator/test") as client:
        for number in range(20):
            client.event(body, "Normal", "Decided", f"number {number}")
    notes = {event["note"] for event in (await api.get(path("events", namespace)))["items"]}
    assert notes == {f"number {number}" for number in range(20)}


# --- faults at the wire ------------------------------------------------------------------


KUBECONFIG = """
apiVersion: v1
kind: Config
current-context: it
contexts: [{{name: it, context: {{cluster: it, user: it}}}}]
clusters: [{{name: it, cluster: {{server: "http://127.0.0.1:{port}"}}}}]
users: [{{name: it, user: {{token: secret}}}}]
"""


@contextlib.asynccontextmanager
async def wired(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, handler: Any
) -> AsyncIterator[Cluster]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    config = tmp_path / "kubeconfig"
    config.write_text(KUBECONFIG.format(port=runner.addresses[0][1]))
    monkeypatch.setenv("KUBECONFIG", str(config))
    try:
        async with Cluster(await login(), user_agent="test/1") as cluster:
            yield cluster
    finally:
        await runner.cleanup()


@pytest.mark.slow
@pytest.mark.parametrize(
    "status, reason, refused",
    [
        (500, "InternalError", False),
        (503, "ServiceUnavailable", False),
        (429, "TooManyRequests", False),
        (403, "Forbidden", True),
        (422, "Invalid", True),
        (401, "Unauthorized", False),
        (409, "Conflict", False),
    ],
)
async def test_what_the_server_answers_to_a_create(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    status: int,
    reason: str,
    *,
    refused: bool,
) -> None:
    async def handler(request: web.Request) -> web.Response:
        assert request.headers["Authorization"] == "Bearer secret"
        assert request.headers["User-Agent"] == "test/1"
        return web.json_response(
            {"kind": "Status", "reason": reason, "message": "so it is"}, status=status
        )

    async with wired(tmp_path, monkeypatch, handler) as cluster:
        with pytest.raises(ClusterError, match="so it is") as caught:
            await cluster.create_job({"metadata": {"namespace": "x"}})
    assert caught.value.refused is refused
    assert not isinstance(caught.value, Conflict | Gone)


WEBHOOK = 'admission webhook "policy.example.com" denied the request: not on a Friday'
POLICY = (
    "jobs \"x\" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' denied request: no"
)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 422, 429, 500, 503])
@pytest.mark.parametrize("message", [WEBHOOK, POLICY])
async def test_who_denies_a_request_may_choose_any_status(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: int, message: str
) -> None:
    """It is no conflict and nothing is gone; trying again soon is no cure."""

    async def handler(_: web.Request) -> web.Response:
        answer = {"kind": "Status", "message": message, "reason": "Odd", "details": {"name": "x"}}
        return web.json_response(answer, status=status)

    named = {"metadata": {"namespace": "x", "name": "x", "resourceVersion": "1"}}
    async with wired(tmp_path, monkeypatch, handler) as cluster:
        for asked in (
            cluster.create_job(named),
            cluster.delete_job("x", "x", "uid"),
            cluster.replace_config_map(named),
            cluster.replace_status(named),
        ):
            with pytest.raises(ClusterError) as caught:
                await asked
            assert caught.value.refused
            assert (caught.value.code, caught.value.words) == (status, f"Odd: {message}")


def test_a_job_that_is_being_deleted_says_since_when_and_what_holds_it() -> None:
    job = {
        "metadata": {
            "name": "x",
            "uid": "u",
            "deletionTimestamp": "2026-11-23T12:00:00Z",
            "finalizers": ["example.com/hold", "foregroundDeletion"],
        }
    }
    view = job_view(job, [])
    assert view.deleted == datetime(2026, 11, 23, 12, tzinfo=UTC)
    assert view.finalizers == ("example.com/hold", "foregroundDeletion")
    assert job_view({"metadata": {"name": "x", "uid": "u"}}, []).deleted is None


def line_of(kind: str, name: str = "", **metadata: Any) -> bytes:
    body = {"metadata": {"name": name, "namespace": "x", **metadata}}
    return orjson.dumps({"type": kind, "object": body}) + b"\n"


END = line_of("BOOKMARK", annotations={"k8s.io/initial-events-end": "true"})


@contextlib.asynccontextmanager
async def listing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stream: web.Response | bytes
) -> AsyncIterator[tuple[Cluster, list[str]]]:
    """A server that answers a request for a stream so, and lists one object by pages."""
    asked: list[str] = []

    async def handler(request: web.Request) -> web.Response:
        asked.append("stream" if "watch" in request.query else "page")
        if "watch" not in request.query:
            page = {"metadata": {}, "items": [{"metadata": {"name": "paged"}}]}
            return web.json_response(page)
        if isinstance(stream, bytes):
            return web.Response(body=stream)
        return web.Response(status=stream.status, text="{}")

    async with wired(tmp_path, monkeypatch, handler) as cluster:
        yield cluster, asked


async def names_of(cluster: Cluster) -> list[str]:
    return [body["metadata"]["name"] async for body in cluster.resources("x")]


@pytest.mark.slow
async def test_a_stream_ends_where_the_server_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    large = line_of("ADDED", "large", annotations={"note": "n" * 3_000_000})
    lines = [line_of("ADDED", "a"), line_of("BOOKMARK"), large, END, line_of("ADDED", "later")]
    async with listing(tmp_path, monkeypatch, b"".join(lines)) as (cluster, asked):
        assert await names_of(cluster) == ["a", "large"]
    assert asked == ["stream"]


async def test_a_server_that_cannot_stream_is_not_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with listing(tmp_path, monkeypatch, web.Response(status=422)) as (cluster, asked):
        assert await names_of(cluster) == ["paged"]
        assert await names_of(cluster) == ["paged"]
    assert asked == ["stream", "page", "page"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "stream",
    [
        b"",
        line_of("ADDED", "a"),
        line_of("ADDED", "a") + line_of("ERROR"),
        line_of("ADDED", "a") + END[:-20],
        line_of("ADDED", "a") + b"[]\n" + END,
        line_of("ADDED", "a") + b"<html>\n" + END,
    ],
)
async def test_a_stream_that_is_cut_is_made_good_page_by_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stream: bytes
) -> None:
    async with listing(tmp_path, monkeypatch, stream) as (cluster, asked):
        for _ in range(2):
            assert [name for name in await names_of(cluster) if name != "a"] == ["paged"]
    assert asked == ["stream", "page", "stream", "page"], "the next may be whole"


@pytest.mark.slow
async def test_a_missing_kind_is_no_missing_object(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def handler(_: web.Request) -> web.Response:
        return web.Response(status=404, text="404 page not found")

    async with wired(tmp_path, monkeypatch, handler) as cluster:
        with pytest.raises(ClusterError):
            await cluster.get("x", "y")


@pytest.mark.parametrize("text", ["", "<html>", "[]", '{"kind": '])
async def test_an_answer_that_is_no_object(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    async def handler(_: web.Request) -> web.Response:
        return web.Response(text=text)

    async with wired(tmp_path, monkeypatch, handler) as cluster:
        with pytest.raises(ClusterError):
            await cluster.get("x", "y")


@pytest.mark.slow
async def test_a_cut_connection_and_nobody_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def handler(request: web.Request) -> web.Response:
        assert request.transport is not None
        request.transport.close()
        await asyncio.sleep(0)
        return web.Response()

    async with wired(tmp_path, monkeypatch, handler) as cluster:
        with pytest.raises(ClusterError, match="is the API server there"):
            await cluster.create_job({"metadata": {"namespace": "x"}})
    with pytest.raises(ClusterError, match="is the API server there"):
        async with Cluster(await login(), user_agent="test/1") as away:
            await away.get("x", "y")


async def test_no_login_names_the_way_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    assert "KUBERNETES_SERVICE_HOST" not in os.environ
    with pytest.raises(ClusterError, match="set KUBECONFIG"):
        await login()

"""``kubectl mm logs`` through a real API server; the node's part is played at the wire."""

import asyncio
import contextlib
import os
import ssl
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web
from support.api import Api, ApiError, path, until
from support.bodies import CHAMPION, DOWN, FOLLOWED, READ, RUN
from support.control_plane import ControlPlane
from support.objects import resource
from support.plugin import Plugin


class Node:
    """A kubelet that has logs and nothing else."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.go_on = asyncio.Event()

    async def logs(self, request: web.Request) -> web.StreamResponse:
        """The first line at once; with ``follow`` the second when the test says so."""
        pod = request.match_info["pod"]
        self.asked.append(pod)
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(f"{pod}: epoch 1\n".encode())
        if request.query.get("follow") == "true":
            await self.go_on.wait()
            await response.write(f"{pod}: epoch 2\n".encode())
        await response.write_eof()
        return response


@pytest_asyncio.fixture
async def node(api: Api, plane: ControlPlane) -> AsyncIterator[Node]:
    played, name = Node(), f"node-{os.getpid()}"
    app = web.Application()
    app.router.add_get("/containerLogs/{namespace}/{pod}/trainer", played.logs)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    # A certificate of the cluster's authority for 127.0.0.1.
    tls.load_cert_chain(
        plane.directory / "pki/apiserver.crt", plane.directory / "pki/apiserver.key"
    )
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
    port = runner.addresses[0][1]
    await api.create("/api/v1/nodes", {"metadata": {"name": name}})
    await api.patch(
        f"/api/v1/nodes/{name}/status",
        {
            "status": {
                "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
                "daemonEndpoints": {"kubeletEndpoint": {"Port": port}},
            }
        },
    )
    try:
        yield played
    finally:
        await runner.cleanup()
        await api.delete(f"/api/v1/nodes/{name}")


@pytest_asyncio.fixture
async def uid(api: Api, namespace: str) -> str:
    """Of a resource with a live run 7, which trains."""
    made = await api.create(path("modelmaintenances", namespace), resource("news"))
    made["status"] = {
        "observedGeneration": 1,
        "conditions": [FOLLOWED, READ, DOWN],
        "champion": CHAMPION,
        "run": RUN,
    }
    await api.put(path("modelmaintenances", namespace, "news", "status"), made)
    return str(made["metadata"]["uid"])


async def pod(
    api: Api, namespace: str, uid: str, run: int, step: str, *, phase: str = "Running"
) -> None:
    """A pod of a run, on the played node unless it is pending."""
    labels = {
        "app.kubernetes.io/managed-by": "model-maintenance",
        "modelmaintenance.dev/uid": uid,
        "modelmaintenance.dev/run": str(run),
        "modelmaintenance.dev/step": step,
    }
    name = f"news-{run}-{step}"
    manifest: dict[str, Any] = {
        "metadata": {"name": name, "labels": labels},
        "spec": {
            "containers": [{"name": "trainer", "image": "trainer"}],
            **({} if phase == "Pending" else {"nodeName": f"node-{os.getpid()}"}),
        },
    }

    async def created() -> bool:
        with contextlib.suppress(ApiError):  # the namespace's service account may not be there yet
            await api.create(path("pods", namespace), manifest)
            return True
        return False

    await until(created, 30, f"pod {name} is created")
    await api.patch(path("pods", namespace, name, "status"), {"status": {"phase": phase}})


@pytest.fixture
def mm(plane: ControlPlane, namespace: str) -> Plugin:
    return Plugin(plane.kubeconfig, namespace)


async def test_the_live_run_is_shown_unless_another_is_asked_for(
    api: Api, namespace: str, mm: Plugin, node: Node, uid: str
) -> None:
    for run, step in ((6, "train"), (7, "diagnose"), (7, "train")):
        await pod(api, namespace, uid, run, step)
    for arguments, shown in (
        ((), "news-7-train"),
        (("--step", "diagnose"), "news-7-diagnose"),
        (("--run", "6"), "news-6-train"),
    ):
        done = await mm("logs", "news", *arguments)
        assert done.code == 0, done.err
        assert done.out == f"{shown}: epoch 1\n"
        assert f"pod {shown}" in done.err


async def test_following_shows_what_comes(
    api: Api, namespace: str, mm: Plugin, node: Node, uid: str
) -> None:
    await pod(api, namespace, uid, 7, "train")
    following = asyncio.create_task(mm("logs", "news", "-f"))

    async def asked() -> bool:
        return bool(node.asked)

    await until(asked, 30, "the log is read")
    node.go_on.set()
    done = await following
    assert done.code == 0, done.err
    assert done.out == "news-7-train: epoch 1\nnews-7-train: epoch 2\n"


async def test_following_waits_for_a_pod_to_begin(
    api: Api, namespace: str, mm: Plugin, node: Node, uid: str, plane: ControlPlane
) -> None:
    node.go_on.set()
    following = asyncio.create_task(mm("logs", "news", "-f"))

    async def looked() -> bool:
        return any(
            event["objectRef"]["resource"] == "pods"
            and event.get("userAgent", "").startswith("kubectl-mm")
            for event in plane.audit(namespace)
        )

    await until(looked, 30, "the plugin has looked for a pod")
    await pod(api, namespace, uid, 7, "train")
    done = await following
    assert done.code == 0, done.err
    assert "waiting: run 7 has no pod yet" in done.err
    assert "epoch 2" in done.out


async def test_a_pod_in_which_only_a_sidecar_runs_has_not_begun(
    api: Api, namespace: str, mm: Plugin, node: Node, uid: str
) -> None:
    await pod(api, namespace, uid, 7, "train")
    waiting = {"waiting": {"reason": "ContainerCreating"}}
    statuses = [
        {"name": "trainer", "state": waiting, "image": "", "imageID": "", "restartCount": 0}
        | {"ready": False}
    ]
    where = path("pods", namespace, "news-7-train", "status")
    await api.patch(where, {"status": {"phase": "Running", "containerStatuses": statuses}})
    done = await mm("logs", "news")
    assert done.code == 2
    assert "has not begun: its container is not started yet" in done.err
    assert node.asked == []


@pytest.mark.parametrize(
    "arguments, part",
    [
        (("logs", "news"), "has not begun: it waits for its node"),
        (("logs", "news", "--run", "3"), "pvc://models/news/runs/3/report.json"),
        (("logs", "news", "--step", "report"), "step report of run 7 has no pod yet"),
    ],
)
async def test_no_log_says_why(
    api: Api, namespace: str, mm: Plugin, uid: str, arguments: tuple[str, ...], part: str
) -> None:
    await pod(api, namespace, uid, 7, "train", phase="Pending")
    done = await mm(*arguments)
    assert done.code == 2
    assert part in done.err

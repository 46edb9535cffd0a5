"""The node's part: pods of our Jobs run and end, as the API server sees it."""

import asyncio
import contextlib
import inspect
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

from maintenance_contract import TrainingRequest
from support.api import Api, ApiError, path
from support.trainer import Ending

Work = Callable[[TrainingRequest], Ending | Awaitable[Ending | None] | None]
REQUEST = "modelmaintenance.dev/request"
OURS = "app.kubernetes.io/managed-by=model-maintenance"


class Kubelet:
    """Plays the pods of one namespace.

    Args:
        api: the API server.
        namespace: whose pods.
        work: how the container of a request ends; None (or an awaitable of it): it runs on.
        sidecar: a container that a mesh put into each pod, and that outlives the trainer.
    """

    def __init__(self, api: Api, namespace: str, work: Work, sidecar: str = "") -> None:
        self._api = api
        self._sidecar = sidecar
        self._namespace = namespace
        self._work = work
        self._pods: dict[str, asyncio.Task[None]] = {}

    @contextlib.asynccontextmanager
    async def running(self) -> Any:
        """Play pods as long as the block lasts."""
        watching = asyncio.create_task(self._watch())
        try:
            yield self
        finally:
            for task in (watching, *self._pods.values()):
                task.cancel()
            results = await asyncio.gather(watching, *self._pods.values(), return_exceptions=True)
        failures = [result for result in results if isinstance(result, Exception)]
        if failures:
            raise failures[0]

    async def _watch(self) -> None:
        where = path("pods", self._namespace)
        async for kind, pod in self._api.watch(where, labelSelector=OURS):
            uid = pod["metadata"]["uid"]
            if kind == "DELETED" and uid in self._pods:
                self._pods[uid].cancel()  # what runs in a pod ends with it
            elif kind != "DELETED" and uid not in self._pods:
                self._pods[uid] = asyncio.create_task(self._play(pod))

    async def _play(self, pod: dict[str, Any]) -> None:
        name = pod["metadata"]["name"]
        with contextlib.suppress(ApiError):  # the pod may be deleted at any moment
            await self._status(name, "Running", {"running": {"startedAt": _now()}})
            ending = self._work(TrainingRequest.from_json(pod["metadata"]["annotations"][REQUEST]))
            if inspect.isawaitable(ending):
                ending = await ending
            if ending is not None:
                await self._status(
                    name,
                    self._ended(ending),
                    {
                        "terminated": {
                            "exitCode": ending.exit_code,
                            "reason": ending.reason,
                            "message": ending.message,
                            "startedAt": _now(),
                            "finishedAt": _now(),
                        }
                    },
                )

    def _ended(self, ending: Ending) -> str:
        if self._sidecar:
            return "Running"
        return "Failed" if ending.exit_code else "Succeeded"

    async def _status(self, name: str, phase: str, state: dict[str, Any]) -> None:
        running = "running" in state
        beside = {"running": {"startedAt": _now()}}
        await self._api.patch(
            path("pods", self._namespace, name, "status"),
            {
                "status": {
                    "phase": phase,
                    "startTime": _now(),
                    "conditions": [
                        {"type": "Ready", "status": str(running), "lastTransitionTime": _now()}
                    ],
                    "containerStatuses": [
                        _container("trainer", state),
                        *([_container(self._sidecar, beside)] if self._sidecar else []),
                    ],
                }
            },
        )


def _container(name: str, state: dict[str, Any]) -> dict[str, Any]:
    running = "running" in state
    return {
        "name": name,
        "image": name,
        "imageID": "",
        "ready": running,
        "restartCount": 0,
        "started": running,
        "state": state,
    }


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

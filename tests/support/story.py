"""Where a story begins and how it ends: what several suites look at."""

import json
from typing import Any

from maintenance_contract.codec import digest
from support.api import Api, path, until
from support.objects import resource
from support.trainer import Trainer

LOW = 'model_accuracy{model="low"}'
HIGH = 'model_accuracy{model="high"}'
LONG_AGO = "2026-01-01T00:00:00Z"


async def status_of(api: Api, namespace: str, name: str = "news") -> dict[str, Any]:
    """The status as it is now; empty where the resource is gone or has none."""
    return (await api.get(path("modelmaintenances", namespace, name))).get("status") or {}


async def until_version(
    api: Api, namespace: str, version: int, name: str = "news", seconds: float = 90.0
) -> dict[str, Any]:
    """The status once that version is the champion, the run is over and the ConfigMap says so."""

    async def look() -> dict[str, Any] | None:
        status = await status_of(api, namespace, name)
        if status.get("champion", {}).get("version") != version or "run" in status:
            return None
        found = await api.get(
            path("configmaps", namespace), fieldSelector=f"metadata.name={name}-champion"
        )
        said = [item["data"]["version"] for item in found["items"]]
        return status if said == [str(version)] else None

    return await until(look, seconds, f"version {version} of {name} is in service")


async def until_condition(
    api: Api, namespace: str, name: str, kind: str, reason: str, seconds: float = 60.0
) -> dict[str, Any]:
    """The condition once it has that reason."""
    last: list[Any] = []

    async def look() -> dict[str, Any] | None:
        last[:] = (await status_of(api, namespace, name)).get("conditions") or []
        return next((c for c in last if (c["type"], c["reason"]) == (kind, reason)), None)

    try:
        return await until(look, seconds, f"{kind} is {reason} on {name}")
    except AssertionError as error:
        raise AssertionError(f"{error}; the conditions are {last}") from None


async def until_told(
    api: Api, namespace: str, reasons: set[str], seconds: float = 30.0
) -> set[str]:
    """The reasons of the operator's Events once these are among them: Events follow the status."""

    async def look() -> set[str] | None:
        told = {
            event["reason"]
            for event in (await api.get(path("events", namespace)))["items"]
            if event["reportingController"] == "modelmaintenance.dev/operator"
        }
        return told if reasons <= told else None

    return await until(look, seconds, f"the Events tell of {sorted(reasons)}")


async def in_service(api: Api, namespace: str, name: str = "news", **spec: Any) -> Trainer:
    """A resource whose version 1 has been in service for long; returns its store.

    The ConfigMap is there first, so the operator takes the champion over from it.
    """
    champion = {
        "version": 1,
        "storageUri": f"pvc://models/{name}/versions/1",
        "digest": digest("version 1"),
        "promotedTime": LONG_AGO,
        "action": "Retrain",
        "resource": {"namespace": namespace, "name": name},
    }
    await api.create(
        path("configmaps", namespace),
        {
            "metadata": {
                "name": f"{name}-champion",
                "labels": {"app.kubernetes.io/managed-by": "model-maintenance"},
            },
            "data": {
                "storageUri": champion["storageUri"],
                "version": "1",
                "digest": champion["digest"],
                "champion.json": json.dumps(champion),
            },
        },
    )
    await api.create(path("modelmaintenances", namespace), resource(name, **spec))
    return Trainer(trained=[0])


async def jobs_of(api: Api, namespace: str) -> list[str]:
    """Names of the Jobs there are."""
    return [job["metadata"]["name"] for job in (await api.get(path("jobs", namespace)))["items"]]

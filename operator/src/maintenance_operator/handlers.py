"""kopf's handlers; each one calls the work queue.

Only ``on.event``: kopf then neither adds finalizers nor annotations, and writes nothing at all.
"""

import sys
from collections.abc import Mapping
from typing import Any, Final

import kopf

from maintenance_core.names import (
    ANNOTATION_RESOURCE,
    CHAMPION_SUFFIX,
    GROUP,
    KIND,
    LABEL_MANAGED_BY,
    LABEL_UID,
    MANAGER,
    PLURAL,
    VERSION,
)
from maintenance_operator.resource_cache import Key, ResourceCache, key_of
from maintenance_operator.work_queue import WorkQueue

CHILDREN: Final = {
    ("batch", "v1", "jobs"): LABEL_UID,
    ("", "v1", "configmaps"): f"{LABEL_MANAGED_BY}={MANAGER}",
}
"""What is watched beside resources, and by which labels."""
JOB_NEWS: Final = ("ready", "succeeded", "failed", "terminating", "conditions")
"""Of a Job's status."""
WATCHED: Final = (PLURAL, *(plural for _, _, plural in CHILDREN))


def register(
    registry: kopf.OperatorRegistry, work_queue: WorkQueue, resources: ResourceCache
) -> None:
    """Register the handlers with kopf."""

    @kopf.on.event(GROUP, VERSION, PLURAL, registry=registry)
    async def resource(event: kopf.RawEvent, **_: object) -> None:
        body = event["object"]
        if event["type"] == "DELETED":
            work_queue.gone(body)
        elif event["type"] is None:  # of the list that a watch begins with
            work_queue.listed(body)
        else:
            work_queue.seen(body)

    @kopf.on.event("batch", "v1", "jobs", registry=registry)
    async def job(event: kopf.RawEvent, **_: object) -> None:
        key = resource_of_job(event["object"])
        if key is not None and (event["type"] == "DELETED" or has_news(event["object"])):
            work_queue.wake(key)

    @kopf.on.event("", "v1", "configmaps", registry=registry)
    async def config_map(event: kopf.RawEvent, **_: object) -> None:
        key = resource_of_config_map(event["object"])
        if key is not None and _is_news(event, key, resources):
            work_queue.wake(key)


def _is_news(event: kopf.RawEvent, key: Key, resources: ResourceCache) -> bool:
    """Whether an event of a champion's ConfigMap tells more than is known."""
    config_map = event["object"]
    if event["type"] == "DELETED":
        return resources.config_map_gone(key, str(config_map["metadata"].get("uid", "")))
    if event["type"] is None:  # of the list that a watch begins with
        return resources.config_map_listed(key, config_map)
    return resources.config_map_seen(key, config_map)


def has_news(job: Mapping[str, Any]) -> bool:
    """Whether a Job tells more than that it was made and waits: who made it knows that.

    What it waits for is looked up from time to time; no event of a Job tells it.
    """
    status = job.get("status") or {}
    return bool(job["metadata"].get("deletionTimestamp")) or any(map(status.get, JOB_NEWS))


def resource_of_job(body: Mapping[str, Any]) -> Key | None:
    """The resource that a Job belongs to: its owner, or whom its annotation names."""
    metadata = body["metadata"]
    for owner in metadata.get("ownerReferences") or ():
        if owner.get("kind") == KIND:
            return metadata["namespace"], owner["name"]
    name = (metadata.get("annotations") or {}).get(ANNOTATION_RESOURCE)
    return (metadata["namespace"], name) if name else None


def resource_of_config_map(body: Mapping[str, Any]) -> Key | None:
    """The resource whose champion a ConfigMap names."""
    namespace, name = key_of(body)
    resource = name.removesuffix(CHAMPION_SUFFIX)
    return (namespace, sys.intern(resource)) if resource != name else None

"""What the pass of a resource needs of its neighbours; who wires the operator gives them.

Errors are those of ``maintenance_core.errors``.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from maintenance_core.model import JobView, Schedule

Key = tuple[str, str]
"""Namespace and name of a resource."""
Body = Mapping[str, Any]
"""An object as the API server has it."""
Jobs = tuple[JobView, ...] | None
"""Those of a resource, None until somebody looks."""


class Cluster(Protocol):
    """What a pass needs of Kubernetes; errors are those of ``errors``."""

    async def get(self, namespace: str, name: str) -> Body:
        """The live resource."""

    async def replace_status(self, body: Body) -> Body:
        """Write status under the body's resourceVersion."""

    async def jobs(self, namespace: str, uid: str) -> Sequence[JobView]:
        """The live Jobs of a resource."""

    async def job(self, namespace: str, name: str) -> JobView:
        """One live Job, ours or not."""

    async def create_job(self, manifest: Body) -> JobView:
        """Create; Conflict where the name is taken."""

    async def delete_job(
        self, namespace: str, name: str, uid: str, *, pods_first: bool = ...
    ) -> None:
        """Delete it and its pods; Gone where somebody was faster."""

    async def config_map(self, namespace: str, name: str) -> Body | None:
        """The live ConfigMap."""

    async def create_config_map(self, manifest: Body) -> Body:
        """Create; Conflict where the name is taken."""

    async def replace_config_map(self, manifest: Body) -> Body:
        """Write under its resourceVersion."""

    def event(self, body: Body, type_: str, reason: str, message: str) -> None:
        """Tell, soon; never raises."""


class Clock(Protocol):
    """The time, and what it is time for."""

    def now(self) -> datetime:
        """In UTC."""

    def due(self, schedule: Schedule, now: datetime) -> tuple[datetime, datetime]:
        """The last time that was due, and the one after it; SpecError for no schedule."""


class ResourceCache(Protocol):
    """The last that the watches saw; may be stale."""

    def get(self, key: Key) -> Body | None:
        """The resource; None where its body is not kept."""

    def keep(self, body: Body) -> None:
        """The next look will need it."""

    def let_go(self, body: Body) -> None:
        """The next look can do without."""

    def config_map(self, key: Key) -> Body | None:
        """The ConfigMap of the resource's champion."""

    def known(self, key: Key) -> tuple[str, str, str] | None:
        """Which resource (by uid) and which states of it and of its ConfigMap the others are."""

    def seen(self, body: Body) -> bool:
        """Remember a newer body, our own write."""

    def version(self, key: Key) -> str:
        """The resourceVersion of the resource."""

    def read(self, body: Body, since: str) -> bool:
        """Remember a body that was read when ``since`` was the last version."""

    def is_another(self, key: Key, uid: str) -> bool:
        """Whether the resource of that name is known by another uid."""

    def __contains__(self, key: object) -> bool:
        """Whether there is such a resource."""

    def __len__(self) -> int:
        """How many resources there are."""


class Telemetry(Protocol):
    """The operator's own metrics."""

    def decided(self, action: str, reason: str) -> None:
        """A decision was recorded."""

    def run_ended(self, action: str, outcome: str, seconds: float) -> None:
        """A run ended."""

    def metrics_error(self, server: str, reason: str) -> None:
        """A resource's metric could not be read."""

    def performance(self, namespace: str, name: str, value: float, floor: float) -> None:
        """The latest reading and the bound it is held against."""

    def reconcile_failed(self, error: str) -> None:
        """A pass met an error of this type."""

    def conditions(self, namespace: str, name: str, statuses: Mapping[str, str]) -> None:
        """The conditions that status holds now."""

    def forget(self, namespace: str, name: str) -> None:
        """Drop the series of a resource."""

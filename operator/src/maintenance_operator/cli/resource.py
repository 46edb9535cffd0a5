"""A resource as the plugin thinks of it: the operator's own reading of spec and status."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from maintenance_core import status as status_json
from maintenance_core.errors import SpecError
from maintenance_core.lifecycle.conditions import METRICS_AVAILABLE, READY
from maintenance_core.lifecycle.jobs import Identity
from maintenance_core.model import Condition, Spec, Status, Step
from maintenance_operator.adapters.calendar import Clock
from maintenance_operator.specs import breaker_reset, read_spec

NEVER_SEEN = -1
"""``status.observedGeneration`` of a resource that no operator has looked at."""


@dataclass(frozen=True, slots=True)
class Resource:
    """``spec`` is the error where it cannot be followed; ``unreadable`` that of its status."""

    identity: Identity
    generation: int
    created: datetime | None
    deleting: bool
    suspended: bool
    raw_spec: Mapping[str, Any]
    spec: Spec | SpecError
    status: Status
    unreadable: SpecError | None = None
    breaker_reset: datetime | None = None

    @property
    def stalled(self) -> Condition | None:
        """The condition Ready, where it is False."""
        ready = self.status.condition(READY)
        return ready if ready is not None and ready.status == "False" else None

    @property
    def unread(self) -> Condition | None:
        """The condition MetricsAvailable, where the metric cannot be read."""
        metrics = self.status.condition(METRICS_AVAILABLE)
        return metrics if metrics is not None and metrics.status != "True" else None

    @property
    def seen(self) -> bool:
        """Whether an operator has looked at the spec as it is."""
        return self.status.observed_generation == self.generation


@dataclass(frozen=True, slots=True)
class LiveJob:
    """The Job of a live run. ``deadline``: when it is ended by force."""

    name: str
    step: Step
    started: datetime | None = None
    deadline: datetime | None = None
    waiting_for: str = ""


def read(body: Mapping[str, Any]) -> Resource:
    """A resource as the API server sends it; what is missing is missing."""
    metadata = body["metadata"]
    raw_spec, raw_status = body.get("spec") or {}, body.get("status") or {}
    unreadable = None
    try:
        status = status_json.read(raw_status)
    except SpecError as error:
        status, unreadable = Status(), error
    return Resource(
        identity=Identity(
            str(metadata.get("namespace", "")),
            str(metadata.get("name", "")),
            str(metadata.get("uid", "")),
        ),
        generation=int(metadata.get("generation", 0)),
        created=moment_of(metadata.get("creationTimestamp")),
        deleting=bool(metadata.get("deletionTimestamp")),
        suspended=raw_spec.get("suspend") is True,
        raw_spec=raw_spec,
        spec=parsed(raw_spec),
        status=status,
        unreadable=unreadable,
        breaker_reset=breaker_reset(metadata),
    )


def parsed(raw_spec: Mapping[str, Any]) -> Spec | SpecError:
    """The spec as the operator reads it, or why it refuses it."""
    clock = Clock()
    return read_spec(raw_spec, clock, clock.now())[0]


def moment_of(text: object) -> datetime | None:
    """A Kubernetes time, None where there is none that can be read."""
    try:
        return datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None

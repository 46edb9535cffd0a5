"""What a pass does: at most one effect at a time."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from maintenance_core.model.remembered import Decision, HistoryEntry, Status


@dataclass(frozen=True, slots=True)
class Note:
    """An Event to be."""

    reason: str
    message: str
    warning: bool = False


@dataclass(frozen=True, slots=True)
class WriteStatus:
    """Replace status, then tell: the events, the decision taken, the run that ended.

    ``instead`` of one that was refused: it only says so.
    """

    status: Status
    notes: tuple[Note, ...] = ()
    decided: Decision | None = None
    ended: HistoryEntry | None = None
    instead: bool = False


@dataclass(frozen=True, slots=True)
class CreateJob:
    """Create the Job of the live run's step."""

    manifest: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class DeleteJob:
    """Delete a Job of ours, and its pods; those first where something will hold the Job."""

    name: str
    uid: str
    pods_first: bool = False


@dataclass(frozen=True, slots=True)
class WriteConfigMap:
    """Project the champion; ``existing`` is the object to replace, None to create."""

    manifest: Mapping[str, Any]
    existing: Mapping[str, Any] | None


Effect = WriteStatus | CreateJob | DeleteJob | WriteConfigMap

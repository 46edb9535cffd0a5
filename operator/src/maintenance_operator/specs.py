"""What the operator makes of a ``spec`` and of annotations: one door for itself and its plugin.

Whatever makes the operator refuse a spec, before it has asked anybody, happens in ``read_spec``,
so that nobody who asks beforehand is told otherwise.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Protocol

from maintenance_core.allowed import EVERYTHING, Allowed, admit
from maintenance_core.errors import SpecError
from maintenance_core.model import Schedule, Spec
from maintenance_core.names import ANNOTATION_BREAKER_RESET
from maintenance_core.spec import parse

Due = tuple[datetime, datetime]
"""The last time that was due by a schedule, and the one after it."""


class Calendar(Protocol):
    """Reads cron expressions in time zones."""

    def due(self, schedule: Schedule, now: datetime) -> Due:
        """The last time that was due, and the one after it; SpecError for no schedule."""


def breaker_reset(metadata: Mapping[str, Any]) -> datetime | None:
    """The time that the annotation names; None for anything that is no time."""
    return moment((metadata.get("annotations") or {}).get(ANNOTATION_BREAKER_RESET))


def moment(text: object) -> datetime | None:
    """A time with its zone; None for anything else."""
    try:
        time = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return time if time.tzinfo is not None else None


def read_spec(
    raw_spec: Mapping[str, Any],
    calendar: Calendar,
    now: datetime,
    *,
    namespace: str = "",
    allowed: Allowed = EVERYTHING,
) -> tuple[Spec | SpecError, Due | None]:
    """The spec, or why it cannot be followed; and when its schedule was and will be due.

    ``allowed`` is what the operator's configuration lets a resource of the namespace choose of its
    pods; who cannot read the configuration takes everything for allowed.
    """
    try:
        spec = parse(raw_spec)
        admit(spec.training.pod, namespace, allowed)
        schedule = spec.triggers.schedule
        return spec, None if schedule is None else calendar.due(schedule, now)
    except SpecError as error:
        return error, None

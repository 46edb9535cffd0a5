"""Everything a pass has seen, in one immutable value."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from maintenance_core.errors import SpecError
from maintenance_core.lifecycle.jobs import Identity, TrainerImage
from maintenance_core.model import Assessment, JobView, Refusal, Spec, Status
from maintenance_core.watch.common_cause import CommonCause

SKEW: Final = timedelta(minutes=5)
"""A person's clock may be ahead of ours by so much."""


@dataclass(frozen=True, slots=True)
class Observation:
    """A snapshot of one resource and what belongs to it.

    ``spec`` is the error where it cannot be followed; ``jobs`` is None as long as nobody needed
    to look; ``config_map`` is the champion's projection, None where there is none; ``refusals``
    are requests that the API server did not carry out. Runs that ended before
    ``breaker_reset`` are forgiven, if that does not lie ahead. ``scheduled`` is the last time that
    was due by ``spec.triggers.schedule`` and the one after it; ``new_data`` the latest reading of
    ``spec.triggers.newData``. ``common_cause`` says whether a run may begin by the metric: many
    may have left their range together. ``clock_agrees``: another clock, that of Prometheus, shows
    ``now``, too. ``spec_digest`` is of what bears on a training in
    ``raw_spec`` (``digest_of``), empty where that cannot be followed.
    """

    identity: Identity
    generation: int
    suspended: bool
    spec: Spec | SpecError
    raw_spec: Mapping[str, Any]
    status: Status
    assessment: Assessment
    now: datetime
    trainer: TrainerImage
    jobs: tuple[JobView, ...] | None = None
    config_map: Mapping[str, Any] | None = None
    refusals: tuple[Refusal, ...] = ()
    breaker_reset: datetime | None = None
    created: datetime | None = None
    scheduled: tuple[datetime, datetime] | None = None
    scheduled_since: datetime | None = None
    """Since when the schedule is what it is; None for longer than anybody remembers."""
    new_data: float | None = None
    new_data_unread: tuple[str, str] | None = None
    """Reason and message, where the query of ``spec.triggers.newData`` can never be answered."""
    common_cause: CommonCause = CommonCause.ALLOW
    spec_digest: str = ""
    clock_agrees: bool = False

    @property
    def forgiven_until(self) -> datetime | None:
        """Runs that ended until then are forgiven; a time that lies ahead forgives nothing yet.

        Else a year that was misspelt would switch the breaker off.
        """
        return None if self.reset_lies_ahead else self.breaker_reset

    @property
    def reset_lies_ahead(self) -> bool:
        """Whether ``breaker_reset`` is later than clocks may differ."""
        return self.breaker_reset is not None and self.breaker_reset - self.now > SKEW

"""A resource about which nothing is to be done as long as its readings are good.

Most looks at most resources find a model that does well. Such a look needs little: that there is
no next step is known without building an Observation.
"""

from dataclasses import dataclass, replace
from datetime import datetime

from maintenance_core.lifecycle.observation import Observation
from maintenance_core.model import Assessment, Degraded, Healthy, Metrics, Spec
from maintenance_core.watch.assess import Bounds, baseline_of, held_against
from maintenance_core.watch.common_cause import CommonCause


@dataclass(frozen=True, slots=True)
class SharedBounds:
    """What readings are held against, whichever series they are of; many resources share it.

    ``learns``: the level of good readings would be written as the baseline.
    """

    metrics: Metrics
    bounds: Bounds
    learns: bool


@dataclass(frozen=True, slots=True)
class SteadyState:
    """What the next look needs: the bounds, the series, and since when its readings count."""

    shared: SharedBounds
    match: tuple[tuple[str, str], ...]
    since: datetime

    def metrics(self) -> Metrics:
        """``spec.metrics`` of the resource."""
        return replace(self.shared.metrics, match=dict(self.match))


def steady_state(seen: Observation) -> SteadyState | None:
    """The steady state of an observation without a next step; None if time alone may bring one.

    It holds for as long as the resource and its ConfigMap are not written.
    """
    spec, status = seen.spec, seen.status
    champion, found = status.champion, seen.assessment
    if not isinstance(spec, Spec) or not isinstance(spec.metrics, Metrics) or champion is None:
        return None
    if spec.triggers.schedule is not None or spec.triggers.new_data is not None:
        return None
    if (
        seen.refusals
        or status.run is not None
        or status.monitor is not None
        or not isinstance(found, Healthy)
    ):
        return None
    metrics = spec.metrics
    learns = metrics.max_drop is not None and baseline_of(metrics, status) is None
    since, bounds = held_against(metrics, status, degraded=False)
    if since is None:
        return None
    return SteadyState(
        SharedBounds(replace(metrics, match={}), bounds, learns),
        tuple(metrics.match.items()),
        since,
    )


def stays_steady(kept: SteadyState, found: Assessment, common_cause: CommonCause) -> bool:
    """Whether new readings leave nothing to do, or nothing before others are read."""
    if isinstance(found, Degraded):
        return common_cause is CommonCause.WAIT
    return isinstance(found, Healthy) and not (kept.shared.learns and found.level is not None)

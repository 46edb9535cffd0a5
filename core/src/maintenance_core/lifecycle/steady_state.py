"""A resource about which nothing is to be done as long as its readings are good.

Most looks at most resources find a model that does well. What such a look needs is little: the
whole story need not be told again to find that it has no next step.
"""

from dataclasses import dataclass, replace
from datetime import datetime

from maintenance_core.lifecycle.observation import Observation
from maintenance_core.model import Assessment, Degraded, Healthy, Metrics, Spec
from maintenance_core.watch.assess import Bounds, held_against
from maintenance_core.watch.common_cause import CommonCause


@dataclass(frozen=True, slots=True)
class SharedBounds:
    """What readings are held against, apart from which series they are of: many share it.

    ``learns`` where the level of good readings would be written.
    """

    metrics: Metrics
    bounds: Bounds
    learns: bool


@dataclass(frozen=True, slots=True)
class SteadyState:
    """What the next look needs: terms, which series, and since when its readings count."""

    shared: SharedBounds
    match: tuple[tuple[str, str], ...]
    since: datetime

    def metrics(self) -> Metrics:
        """Those of the spec."""
        return replace(self.shared.metrics, match=dict(self.match))


def steady_state(seen: Observation) -> SteadyState | None:
    """Of an observation that has no next step; None where time alone could bring one.

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
    learns = metrics.max_drop is not None and champion.baseline is None
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

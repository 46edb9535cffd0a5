"""A resource about which nothing is to be done as long as its readings are good.

Most looks at most resources find a model that does well. What such a look needs is little: the
whole story need not be told again to find that it has no next step.
"""

from dataclasses import dataclass
from datetime import datetime

from maintenance_operator.core.assess import Bounds, held_against
from maintenance_operator.core.model import Assessment, Healthy, Metrics, Spec
from maintenance_operator.core.observation import Observation


@dataclass(frozen=True, slots=True)
class Quiet:
    """What the next look needs; ``learns`` where the level of good readings would be written."""

    metrics: Metrics
    since: datetime
    bounds: Bounds
    learns: bool


def quiet(seen: Observation) -> Quiet | None:
    """Of an observation that has no next step; None where time alone could bring one.

    It holds for as long as the resource and its ConfigMap are not written.
    """
    spec, status = seen.spec, seen.status
    champion, found = status.champion, seen.assessment
    if not isinstance(spec, Spec) or not isinstance(spec.metrics, Metrics) or champion is None:
        return None
    if spec.triggers.schedule is not None or spec.triggers.new_data is not None:
        return None
    if status.run is not None or status.monitor is not None or not isinstance(found, Healthy):
        return None
    learns = spec.metrics.max_drop is not None and champion.baseline is None
    since, bounds = held_against(spec.metrics, status, degraded=False)
    return None if since is None else Quiet(spec.metrics, since, bounds, learns)


def stays_quiet(kept: Quiet, found: Assessment) -> bool:
    """Whether new readings leave nothing to do."""
    return isinstance(found, Healthy) and not (kept.learns and found.level is not None)

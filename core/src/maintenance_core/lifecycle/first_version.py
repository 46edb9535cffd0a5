"""The first version: it is trained beside whatever serves already, so somebody must be listening.

A model that no server serves yet has no readings, and without a first version it never gets any:
Prometheus, asked, says that there is nothing. That it does not answer, or not with one series, is
another matter: then nobody knows whether a model is in service that does well.
"""

from typing import Final

from maintenance_core.lifecycle.observation import Observation
from maintenance_core.lifecycle.promotion import in_service
from maintenance_core.model import Spec, Status, Unknown
from maintenance_core.reasons import MetricsReason

NOTHING_YET: Final = (
    MetricsReason.NO_DATA,
    MetricsReason.STALE,
    MetricsReason.NOT_A_NUMBER,
    MetricsReason.INSUFFICIENT_SAMPLES,
    MetricsReason.AWAITING_READINGS,
)
"""What is heard of a model that is not served yet: no series, no samples, nothing over nothing."""


def waits_for_metrics(seen: Observation, status: Status) -> bool:
    """Whether a first training is held back until Prometheus answers.

    A model that is brought along is only copied: for that nobody need wait.
    """
    found, spec = seen.assessment, seen.spec
    return (
        status.champion is None
        and isinstance(spec, Spec)
        and spec.initial_model is None
        and isinstance(found, Unknown)
        and found.reason not in NOTHING_YET
    )


def champion_missing(seen: Observation) -> bool:
    """Whether a first version is wanted: none is known, and no ConfigMap names one to take over."""
    return in_service(seen) is None

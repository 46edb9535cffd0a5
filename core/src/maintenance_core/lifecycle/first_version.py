"""When the first version may be trained: only once Prometheus can be asked.

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
"""Reasons that Prometheus gives for a model that is not served yet."""


def waits_for_metrics(seen: Observation, status: Status) -> bool:
    """Whether a first training is held back until Prometheus answers.

    ``spec.model.initialModel`` is only copied, so it does not wait.
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

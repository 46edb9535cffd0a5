"""What a pass does next: the whole life of a resource, as one pure function.

``next_effect`` looks at everything that was seen and names at most one thing to do. The shell
does it, looks again and asks again, until there is nothing left. Whatever was done before a crash
is seen by the next look, so no step is remembered anywhere but in the cluster.

::

    (no run)  ── first version wanted, or performance down ──▶  Diagnose
    Diagnose  ── decide ──▶  Train | no run
    Diagnose  ── a model is brought along ──▶  Train, which copies it
    Train     ── judge  ──▶  promoted | rejected (a fine-tune: once more, as a retrain) | failed
    Report    ── the Job is gone, or ended silently: read the stored report, then as above
"""

from collections.abc import Callable
from typing import Final

from maintenance_core.lifecycle.begin import begin
from maintenance_core.lifecycle.living_jobs import left_over
from maintenance_core.lifecycle.observation import Observation
from maintenance_core.lifecycle.progress import advance, stop
from maintenance_core.lifecycle.promotion import adopted, in_service, late_projection
from maintenance_core.lifecycle.run import live_run
from maintenance_core.lifecycle.settle import settle, with_baseline
from maintenance_core.lifecycle.times_ahead import any_ahead, none_ahead
from maintenance_core.lifecycle.triggers import wanted
from maintenance_core.model import Effect, Spec
from maintenance_core.watch.common_cause import CommonCause

Condition = Callable[[Observation], bool]
Act = Callable[[Observation], Effect | None]


def next_effect(seen: Observation) -> Effect | None:
    """The one thing to do now, or None where everything is as it should be."""
    return next(act(seen) for applies, act in STEPS if applies(seen))


def projection_is_late(seen: Observation) -> bool:
    """Whether the ConfigMap does not name the champion yet, and may be written."""
    return late_projection(seen) is not None


def clock_was_ahead(seen: Observation) -> bool:
    """Whether status holds times that cannot be yet, by two clocks: ours alone may be behind."""
    return seen.clock_agrees and any_ahead(seen)


def run_is_out_of_sight(seen: Observation) -> bool:
    """Whether there is a run whose Jobs may not be read: what became of it is not known."""
    return seen.status.run is not None and seen.jobs is None


def run_is_suspended(seen: Observation) -> bool:
    """Whether a live run is to be stopped."""
    return seen.status.run is not None and seen.suspended


def run_is_live(seen: Observation) -> bool:
    """Whether there is a run at all."""
    return seen.status.run is not None


def version_is_unknown(seen: Observation) -> bool:
    """Whether a version is in service that status does not know."""
    followed = isinstance(seen.spec, Spec)
    return followed and seen.status.champion is None and in_service(seen) is not None


def run_is_wanted(seen: Observation) -> bool:
    """Whether a run should begin, and it is known that no Job of ours goes on already."""
    return seen.jobs is not None and left_over(seen) is None and wanted(seen) is not None


def others_are_awaited(seen: Observation) -> bool:
    """Whether a breach waits for the other resources of its server to be read."""
    return seen.common_cause is CommonCause.WAIT


def otherwise(_: Observation) -> bool:
    """Always."""
    return True


def project(seen: Observation) -> Effect | None:
    """Let the ConfigMap name the champion."""
    return late_projection(seen)


def correct_times(seen: Observation) -> Effect | None:
    """Write times that lie ahead of the clock as now."""
    return settle(seen, none_ahead(seen))


def keep_status(seen: Observation) -> Effect | None:
    """Write what has changed of the conditions, if anything has."""
    return settle(seen, seen.status)


def stop_run(seen: Observation) -> Effect | None:
    """``spec.suspend``: delete the Job, then end the run."""
    return stop(seen, live_run(seen))


def advance_run(seen: Observation) -> Effect | None:
    """Do what the run's Job asks for."""
    return advance(seen, live_run(seen))


def adopt(seen: Observation) -> Effect | None:
    """Take over what is in service as the champion."""
    champion = in_service(seen)
    assert champion is not None  # noqa: S101 - the step applies
    return settle(seen, *adopted(seen, champion))


def begin_run(seen: Observation) -> Effect | None:
    """Give the run a number and freeze its spec."""
    trigger = wanted(seen)
    assert trigger is not None  # noqa: S101 - the step applies
    return begin(seen, trigger)


def nothing(_: Observation) -> Effect | None:
    """What is found out in a moment is written with it."""
    return None


def learn(seen: Observation) -> Effect | None:
    """Write what has changed, and what the champion achieves when it is new."""
    return settle(seen, with_baseline(seen))


STEPS: Final[tuple[tuple[Condition, Act], ...]] = (
    (projection_is_late, project),
    (clock_was_ahead, correct_times),
    (run_is_out_of_sight, keep_status),
    (run_is_suspended, stop_run),
    (run_is_live, advance_run),
    (version_is_unknown, adopt),
    (run_is_wanted, begin_run),
    (others_are_awaited, nothing),
    (otherwise, learn),
)
"""The first that applies names the effect, or says that there is none."""

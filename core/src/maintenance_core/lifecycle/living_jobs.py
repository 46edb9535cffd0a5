"""Jobs of a resource that go on: there is one run at a time, and so one of these."""

from maintenance_core.lifecycle.observation import Observation
from maintenance_core.model import JobPhase, JobView


def is_terminal(job: JobView) -> bool:
    """Whether a Job has ended."""
    return job.phase in {JobPhase.COMPLETE, JobPhase.FAILED}


def lives(seen: Observation, job: JobView | None) -> bool:
    """Whether a Job of the resource has not ended: no run ends, and none begins, beside it."""
    return job is not None and job.owner_uid == seen.identity.uid and not is_terminal(job)


def left_over(seen: Observation) -> JobView | None:
    """A Job of the resource that goes on without a run: status was lost, or restored."""
    if seen.status.run is not None:
        return None
    return next((job for job in seen.jobs or () if lives(seen, job) and job.deleted is None), None)

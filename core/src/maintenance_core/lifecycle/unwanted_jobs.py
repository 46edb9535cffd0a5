"""Jobs by the name of the live run's that are to be deleted before the run goes on, or ends."""

from maintenance_core.decide.training_plan import plan_of
from maintenance_core.errors import SpecError
from maintenance_core.lifecycle.jobs import request
from maintenance_core.lifecycle.observation import Observation
from maintenance_core.model import JobView, Run
from maintenance_core.spec import parse


def is_of(seen: Observation, run: Run, asked: str, job: JobView) -> bool:
    """Whether a Job is the one that the run has made: another one may have come by its name.

    One that was written down is known by its uid. What it was asked need not be what this release
    would ask (``asked``, a request's digest): another one may have begun the run.
    """
    if job.owner_uid != seen.identity.uid:
        return False
    return job.uid == run.job_uid if run.job_uid else job.request_digest == asked


def is_unwanted(seen: Observation, run: Run, job: JobView) -> bool:
    """Whether a living Job is to be deleted, as things are now: that may have changed."""
    if seen.suspended or run.stopping is not None or run.report:
        return True
    try:
        spec = parse(run.spec)
    except SpecError:
        return True
    plan = plan_of(seen.status.decision, spec)
    asked = "" if run.job_uid else request(seen.identity, run, spec, run.step, plan).digest
    return not is_of(seen, run, asked, job)

"""What ``kubectl mm status`` looks up beside the resource: the live run's Job, the metric."""

import math
from collections.abc import Sequence
from datetime import datetime

from maintenance_core.errors import ClusterError, Gone, MetricsError, SpecError
from maintenance_core.lifecycle.jobs import work_time
from maintenance_core.model import (
    Assessment,
    JobPhase,
    JobView,
    Metrics,
    Run,
)
from maintenance_core.spec import parse
from maintenance_operator.assessor import Assessor, not_followed, unread
from maintenance_operator.cli import check, findings
from maintenance_operator.cli.access import Access
from maintenance_operator.cli.resource import LiveJob, Resource, moment_of


async def job_of(access: Access, resource: Resource) -> LiveJob | None:
    """The Job of the live run; None where there is none, or no right to look."""
    run, namespace = resource.status.run, resource.identity.namespace
    if run is None or not run.job_name:
        return None
    try:
        raw = await access.raw_job(namespace, run.job_name)
        view = await access.job(namespace, run.job_name)
    except (ClusterError, Gone):
        return None
    if raw is None:
        return None
    started = moment_of((raw.get("status") or {}).get("startTime"))
    waiting = view.detail if view.phase is JobPhase.PENDING else ""
    return LiveJob(run.job_name, run.step, started, _ends(run, view), waiting)


def _ends(run: Run, job: JobView) -> datetime | None:
    """When the work ends at the latest; None while its time does not run."""
    if job.started is None or job.phase is not JobPhase.RUNNING:
        return None
    try:
        return job.started + work_time(run, parse(run.spec))
    except SpecError:
        return None


async def assessment_of(
    access: Access,
    resource: Resource,
    now: datetime,
    prometheus: str | None,
    operator_namespace: str,
) -> Assessment:
    """The metric read now, by the operator's own observation."""
    identity, spec, status = resource.identity, resource.spec, resource.status
    if isinstance(spec, SpecError):
        return not_followed(spec).assessment
    try:
        server = await check.chosen(spec.metrics, access, prometheus, operator_namespace)
    except MetricsError as error:
        return unread(error).assessment
    async with check.reaching(server, spec.metrics.server) as asked:
        return (await Assessor(asked).assess(identity, spec, status, now)).assessment


async def readings_of(
    access: Access,
    namespace: str,
    metrics: Metrics,
    grid: Sequence[datetime],
    ask: tuple[str | None, str],
) -> tuple[tuple[tuple[datetime, float], ...], str]:
    """The metric at these times, and what Prometheus it is from.

    ``ask`` is the Prometheus that the person names, if any, and the operator's namespace.

    Raises:
        MetricsError: it does not answer the query.
        ClusterError: which Prometheus it is cannot be found out.
    """
    server = await check.chosen(metrics, access, *ask)
    answers = await check.asked(server, metrics, tuple(grid), namespace)
    if isinstance(answers.performance, MetricsError):
        raise answers.performance
    points = findings.points(metrics, answers.performance, None, grid)
    known = tuple(
        (point.time, point.value)
        for point in points
        if point.value is not None and math.isfinite(point.value)
    )
    return known, server.told

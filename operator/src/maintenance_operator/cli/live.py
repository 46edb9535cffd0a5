"""What ``kubectl mm status`` looks up beside the resource: the live run's Job, the metric."""

import math
from collections.abc import Sequence
from datetime import datetime

from maintenance_core import outcomes
from maintenance_core.assess import assess, in_force
from maintenance_core.conditions import DEGRADED, is_true
from maintenance_core.errors import ClusterError, Gone, MetricsError, SpecError
from maintenance_core.grid import reading_times
from maintenance_core.jobs import work_time
from maintenance_core.model import (
    Assessment,
    JobPhase,
    JobView,
    Metrics,
    Outcomes,
    Run,
    Spec,
    Unknown,
)
from maintenance_core.spec import parse
from maintenance_operator.cli import check, findings
from maintenance_operator.cli.access import Access
from maintenance_operator.cli.resource import LiveJob, Resource, moment_of
from maintenance_operator.counting import Counting


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
    """The last readings, judged as the operator judges them."""
    if not isinstance(resource.spec, Spec):
        return Unknown(resource.spec.reason, str(resource.spec))
    metrics, champion = resource.spec.metrics, resource.status.champion
    if isinstance(metrics, Outcomes):
        return await _of_counters(access, resource, metrics, now, (prometheus, operator_namespace))
    grid = reading_times(metrics, now)
    try:
        server = await check.chosen(metrics, access, prometheus, operator_namespace)
        answers = await check.asked(server, metrics, grid, resource.identity.namespace)
        for answer in (answers.performance, answers.samples):
            if isinstance(answer, MetricsError):
                raise answer
    except MetricsError as error:
        return Unknown(error.reason, str(error))
    assert not isinstance(answers.performance, MetricsError)  # noqa: S101 - looked above
    assert not isinstance(answers.samples, MetricsError)  # noqa: S101 - looked above
    since = champion.promoted_time if champion is not None else None
    bounds = in_force(metrics, champion, degraded=is_true(resource.status, DEGRADED))
    return assess(metrics, answers.performance, answers.samples, grid, since, bounds)


async def _of_counters(
    access: Access,
    resource: Resource,
    metrics: Outcomes,
    now: datetime,
    ask: tuple[str | None, str],
) -> Assessment:
    identity, status = resource.identity, resource.status
    if status.champion is None:
        return outcomes.unserved()
    try:
        server = await check.chosen(metrics, access, *ask)
        async with check.reaching(server, metrics.server) as prometheus:
            query = outcomes.query(metrics, status.champion.version)
            await prometheus.admit(identity.namespace, metrics.server, query)
            counted = await Counting(prometheus).counted(
                (identity.namespace, identity.name), metrics, status.champion, status.monitor, now
            )
    except MetricsError as error:
        return Unknown(error.reason, str(error))
    return outcomes.assess(metrics, status.champion, counted)


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

"""What a pass sees of a resource: spec, status, metric, Jobs and ConfigMap, in one value.

Most of it is at hand. The API server is asked only for what this look needs.
"""

import asyncio
import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any, Final

from maintenance_core import status as status_json
from maintenance_core.errors import ClusterError, Gone, MetricsError, SpecError
from maintenance_core.lifecycle import projection
from maintenance_core.lifecycle.conditions import NEW_DATA_UNREAD
from maintenance_core.lifecycle.jobs import Identity, TrainerImage
from maintenance_core.lifecycle.observation import Observation
from maintenance_core.lifecycle.refusals import is_due, refused
from maintenance_core.lifecycle.settle import still_waiting
from maintenance_core.lifecycle.steady_state import SteadyState
from maintenance_core.lifecycle.triggers import onset, wanted
from maintenance_core.model import (
    Degraded,
    Healthy,
    JobView,
    Metrics,
    OutcomeCounters,
    Request,
    Schedule,
    Spec,
    Status,
)
from maintenance_core.reasons import MetricsReason
from maintenance_core.spec_digest import digest_of
from maintenance_core.watch.common_cause import CommonCause
from maintenance_core.watch.reading_times import reading_times
from maintenance_operator.assessor import Assessed, Assessor, MetricsSource
from maintenance_operator.fleet_breaches import FleetBreaches, Look
from maintenance_operator.protocols import Body, Clock, Cluster, Jobs, Key, ResourceCache, Telemetry
from maintenance_operator.refusals import Refusals, log_refusal
from maintenance_operator.specs import Due, breaker_reset, moment, read_spec

_log = logging.getLogger(__name__)

_Unread = tuple[str, str] | None
_AT_FAULT: Final = frozenset(
    {
        MetricsReason.INVALID_QUERY,
        MetricsReason.QUERY_FORBIDDEN,
        MetricsReason.REPLY_TOO_LARGE,
    }
)
"""Answers that another query would not get; the others are told of the metric itself."""
_SEVERAL: Final = "several series answer it; aggregate them, as with sum(...)"


class Observer:
    """Looks at resources; what it remembers can be rebuilt at any time."""

    def __init__(  # noqa: PLR0913 - one for each neighbour
        self,
        *,
        cluster: Cluster,
        metrics: MetricsSource,
        resources: ResourceCache,
        telemetry: Telemetry,
        trainer: TrainerImage,
        clock: Clock,
        fleet_breaches: FleetBreaches,
        refusals: Refusals,
    ) -> None:
        self._cluster = cluster
        self._metrics = metrics
        self._resources = resources
        self._telemetry = telemetry
        self._trainer = trainer
        self._clock = clock
        self._assessor = Assessor(metrics)
        self._fleet_breaches = fleet_breaches
        self._refusals = refusals
        self._unread_queries: dict[Key, str] = {}
        self._schedules: dict[Key, tuple[str, Schedule | None, datetime | None]] = {}

    async def steady(
        self, key: Key, kept: SteadyState
    ) -> tuple[Healthy | Degraded, CommonCause, datetime] | None:
        """The readings of a resource that was steady; None where that is not enough to go by."""
        metrics, now = kept.metrics(), self._clock.now()
        try:
            found = await self._assessor.gauge(metrics, kept.since, kept.shared.bounds, now)
        except MetricsError:
            return None
        if not isinstance(found, Healthy | Degraded):
            return None
        began = found.onset if isinstance(found, Degraded) else None
        return found, self._record(key, metrics, found, began, now), now

    def forget(self, key: Key) -> None:
        """The resource is gone."""
        self._assessor.forget(key)
        self._unread_queries.pop(key, None)
        self._schedules.pop(key, None)
        self._fleet_breaches.forget(key, len(self._resources))

    async def __call__(self, body: Body, jobs: Jobs, *, live: bool) -> Observation:
        """One look at a resource; what only a live look needs is asked for where it is ``live``."""
        now = self._clock.now()
        metadata = body["metadata"]
        identity = Identity(metadata["namespace"], metadata["name"], metadata["uid"])
        raw_spec = body.get("spec") or {}
        spec, scheduled = await self._read(raw_spec, identity.namespace, now)
        spec_digest = digest_of(raw_spec) if isinstance(spec, Spec) else ""
        status = status_json.read(body.get("status") or {})
        status = still_waiting(status, metadata["generation"], spec_digest)
        assessed = await self._assess(identity, spec, status, now)
        new_data, unread = await self._new_data(identity, spec, now)
        seen = Observation(
            identity=identity,
            generation=metadata["generation"],
            suspended=raw_spec.get("suspend") is True,
            spec=spec,
            raw_spec=raw_spec,
            spec_digest=spec_digest,
            status=status,
            assessment=assessed.assessment,
            clock_agrees=assessed.clock_agrees,
            new_data=new_data,
            new_data_unread=unread,
            scheduled=scheduled,
            scheduled_since=self._scheduled_since(identity, spec, now),
            created=moment(metadata.get("creationTimestamp")),
            now=now,
            trainer=self._trainer,
            config_map=self._resources.config_map((identity.namespace, identity.name)),
            breaker_reset=breaker_reset(metadata),
            jobs=jobs,
            refusals=self._refusals.of((identity.namespace, identity.name), identity.uid),
        )
        common_cause = self._common_cause(seen)
        seen = (
            seen if common_cause is seen.common_cause else replace(seen, common_cause=common_cause)
        )
        return await self._look_closer(seen, live=live)

    def _common_cause(self, seen: Observation) -> CommonCause:
        """Whether a run may begin by the metric, by what the others of its server read."""
        key = seen.identity.namespace, seen.identity.name
        found, spec = seen.assessment, seen.spec
        if isinstance(spec, Spec) and isinstance(found, Healthy | Degraded):
            return self._record(key, spec.metrics, found, onset(seen), seen.now)
        return self._fleet_breaches.record(key, None, seen.now, len(self._resources))

    def _record(
        self,
        key: Key,
        metrics: Metrics | OutcomeCounters,
        found: Healthy | Degraded,
        began: datetime | None,
        now: datetime,
    ) -> CommonCause:
        time = reading_times(metrics, now)[-1]
        down = isinstance(found, Degraded) and not found.recovering
        look = Look(metrics.server, metrics.interval, time, (began or time) if down else None)
        return self._fleet_breaches.record(key, look, now, len(self._resources))

    async def _read(
        self, raw_spec: Body, namespace: str, now: datetime
    ) -> tuple[Spec | SpecError, Due | None]:
        """The spec, and when its schedule was and will be due; to find out may take fifty years."""
        read = partial(
            read_spec,
            raw_spec,
            self._clock,
            now,
            namespace=namespace,
            allowed=self._trainer.allowed,
        )
        triggers = raw_spec.get("triggers")
        scheduled = isinstance(triggers, Mapping) and "schedule" in triggers
        return await asyncio.to_thread(read) if scheduled else read()

    def _scheduled_since(
        self, identity: Identity, spec: Spec | SpecError, now: datetime
    ) -> datetime | None:
        """Since when the schedule is what it is; None where it was so at the first look.

        A time from before somebody wrote the schedule is not due. After a restart that is not
        known any more.
        """
        key = identity.namespace, identity.name
        uid, before, since = self._schedules.get(key, ("", None, None))
        if isinstance(spec, SpecError):
            return since
        schedule = spec.triggers.schedule
        if uid == identity.uid and schedule != before:
            since = now
        self._schedules[key] = identity.uid, schedule, since if uid == identity.uid else None
        return self._schedules[key][2]

    async def _new_data(
        self, identity: Identity, spec: Spec | SpecError, now: datetime
    ) -> tuple[float | None, _Unread]:
        """The latest reading of ``spec.triggers.newData``; None where there is no single one.

        And why there never will be, where the query is at fault.
        """
        if isinstance(spec, SpecError) or spec.triggers.new_data is None:
            return None, self._told_unread(identity, None)
        metrics, grid = spec.metrics, reading_times(spec.metrics, now)
        query = spec.triggers.new_data.query
        try:
            await self._metrics.admit(identity.namespace, metrics.server, query)
            found = await self._metrics.range(metrics.server, query, grid)
        except MetricsError as error:
            self._telemetry.metrics_error(metrics.server, error.reason)
            lasting = error.reason in _AT_FAULT
            return None, self._told_unread(
                identity, (error.reason, str(error)) if lasting else None
            )
        values = [value for series in found for time, value in series.points if time == grid[-1]]
        if len(values) > 1:
            return None, self._told_unread(identity, (MetricsReason.AMBIGUOUS, _SEVERAL))
        self._told_unread(identity, None)
        return (values[0] if values and math.isfinite(values[0]) else None), None

    def _told_unread(self, identity: Identity, unread: _Unread) -> _Unread:
        """Log once what is wrong with the query of newData."""
        key = identity.namespace, identity.name
        before = self._unread_queries.pop(key, "")
        if unread is not None:
            reason, message = unread
            self._unread_queries[key] = reason
            if reason != before:
                extra = {"namespace": identity.namespace, "resource": identity.name}
                _log.warning("%s (%s): %s", NEW_DATA_UNREAD, reason, message, extra=extra)
        return unread

    async def _look_closer(self, seen: Observation, *, live: bool) -> Observation:
        """Ask the API server for what only some passes need."""
        identity, status = seen.identity, seen.status
        unsure = status.champion is not None and (
            seen.config_map is None
            or not projection.says(seen.config_map, identity, status.champion)
        )
        may_adopt = live and status.champion is None
        if unsure or may_adopt or refused(seen, Request.READ_CONFIG_MAP) is not None:
            seen = await self._with_config_map(seen)
        unread = refused(seen, Request.READ_JOBS) is not None
        if seen.jobs is not None or (status.run is None and not unread and wanted(seen) is None):
            return seen
        if status.run is None and not live and not unread:
            return replace(seen, jobs=())  # a run is to begin: that is looked at again, live
        return await self._with_jobs(seen)

    async def _with_config_map(self, seen: Observation) -> Observation:
        identity = seen.identity
        name = projection.config_map_name(identity.name)
        try:
            found = await self._cluster.config_map(identity.namespace, name)
        except ClusterError as error:
            return self._unread(seen, Request.READ_CONFIG_MAP, error)
        return replace(self._read_again(seen, Request.READ_CONFIG_MAP), config_map=found)

    async def _with_jobs(self, seen: Observation) -> Observation:
        try:
            jobs = await self._cluster.jobs(seen.identity.namespace, seen.identity.uid)
            jobs = [*jobs, *await self._unlisted(seen, jobs)]
        except ClusterError as error:
            return self._unread(seen, Request.READ_JOBS, error)
        return replace(self._read_again(seen, Request.READ_JOBS), jobs=tuple(jobs))

    async def _unlisted(self, seen: Observation, listed: Sequence[JobView]) -> list[JobView]:
        """The live run's Job where a list by label lacks it: it may have lost the label, and live.

        So no Job counts as deleted before it was asked for by its name.
        """
        run = seen.status.run
        if run is None or not run.job_uid or any(job.name == run.job_name for job in listed):
            return []
        try:
            job = await self._cluster.job(seen.identity.namespace, run.job_name)
        except Gone:
            return []
        return [job] if job.uid == run.job_uid else []

    def _unread(self, seen: Observation, request: Request, error: ClusterError) -> Observation:
        """Remember that a read was refused; steps that do not need it go on."""
        if not error.refused:
            raise error
        key, uid = (seen.identity.namespace, seen.identity.name), seen.identity.uid
        before = refused(seen, request)
        if before is None or is_due(seen, before):
            refusal = self._refusals.add(key, uid, (request, ""), error, seen.now)
            log_refusal(refusal, error, about(seen))
        return replace(seen, refusals=self._refusals.of(key, uid))

    def _read_again(self, seen: Observation, request: Request) -> Observation:
        if refused(seen, request) is None:
            return seen
        key, uid = (seen.identity.namespace, seen.identity.name), seen.identity.uid
        self._refusals.keep(key, uid, lambda one: one.request is not request)
        return replace(seen, refusals=self._refusals.of(key, uid))

    async def _assess(
        self, identity: Identity, spec: Spec | SpecError, status: Status, now: datetime
    ) -> Assessed:
        """The metric's assessment, which the operator's own gauges show as well."""
        assessed = await self._assessor.assess(identity, spec, status, now)
        found = assessed.assessment
        if assessed.failure and isinstance(spec, Spec):
            self._telemetry.metrics_error(spec.metrics.server, assessed.failure)
        if isinstance(found, Healthy | Degraded):
            value = found.reading.value
            self._telemetry.performance(identity.namespace, identity.name, value, assessed.bound)
        return assessed


def about(seen: Observation) -> dict[str, Any]:
    """Which resource and run a line of the log is about."""
    run = seen.status.run
    return {
        "namespace": seen.identity.namespace,
        "resource": seen.identity.name,
        "run": run.number if run else None,
    }

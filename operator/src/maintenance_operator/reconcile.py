"""The story, read top to bottom: wake, observe, ask what is next, do it, look again.

Level-triggered and safe to run twice: nothing is remembered here but what Prometheus would say
again. What to do is decided by the pure core (``core.story``); this module only looks and acts.
Before anything is changed, the live object is read, and every status write carries its
resourceVersion, so a second operator or a stale cache loses the write and looks again.
"""

import asyncio
import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final, Protocol

from maintenance_core import status as status_json
from maintenance_core.errors import (
    ClusterError,
    Conflict,
    Gone,
    MetricsError,
    OperatorError,
    SpecError,
)
from maintenance_core.lifecycle import projection
from maintenance_core.lifecycle.conditions import READY, STALLED, transitions_to_log
from maintenance_core.lifecycle.jobs import Identity, TrainerImage
from maintenance_core.lifecycle.next_effect import next_effect
from maintenance_core.lifecycle.observation import Observation
from maintenance_core.lifecycle.refusals import (
    is_due,
    message_of,
    refused,
    request_of,
    silences,
    still_asked,
)
from maintenance_core.lifecycle.requeue import (
    requeue_after,
    until_reading,
    until_the_others_are_read,
)
from maintenance_core.lifecycle.steady_state import SteadyState, stays_steady, steady_state
from maintenance_core.lifecycle.triggers import onset, wanted
from maintenance_core.model import (
    Assessment,
    CreateJob,
    Degraded,
    DeleteJob,
    Effect,
    Healthy,
    JobView,
    Metrics,
    Note,
    OutcomeCounters,
    Request,
    Schedule,
    Spec,
    Status,
    WriteConfigMap,
    WriteStatus,
)
from maintenance_core.names import ANNOTATION_BREAKER_RESET
from maintenance_core.reasons import EventReason, ReadyReason
from maintenance_core.watch.common_cause import CommonCause
from maintenance_core.watch.reading_times import reading_times
from maintenance_operator.assessor import Assessor, MetricsSource
from maintenance_operator.fleet_breaches import FleetBreaches, Look
from maintenance_operator.interning import Interner
from maintenance_operator.refusals import (
    Refusals,
    in_vain,
    is_told_now,
    kept_as_written,
    log_refusal,
    not_of,
)
from maintenance_operator.specs import Due, read_spec

Key = tuple[str, str]
Body = Mapping[str, Any]

Jobs = tuple[JobView, ...] | None
"""Those of a resource, None until somebody looks."""

EFFECTS_PER_PASS: Final = 12

_log = logging.getLogger(__name__)


class Cluster(Protocol):
    """What the story needs of Kubernetes; errors are those of ``errors``."""

    async def get(self, namespace: str, name: str) -> Body:
        """The live resource."""

    async def replace_status(self, body: Body) -> Body:
        """Write status under the body's resourceVersion."""

    async def jobs(self, namespace: str, uid: str) -> Sequence[JobView]:
        """The live Jobs of a resource."""

    async def job(self, namespace: str, name: str) -> JobView:
        """One live Job, ours or not."""

    async def create_job(self, manifest: Body) -> JobView:
        """Create; Conflict where the name is taken."""

    async def delete_job(
        self, namespace: str, name: str, uid: str, *, pods_first: bool = ...
    ) -> None:
        """Delete it and its pods; Gone where somebody was faster."""

    async def config_map(self, namespace: str, name: str) -> Body | None:
        """The live ConfigMap."""

    async def create_config_map(self, manifest: Body) -> Body:
        """Create; Conflict where the name is taken."""

    async def replace_config_map(self, manifest: Body) -> Body:
        """Write under its resourceVersion."""

    def event(self, body: Body, type_: str, reason: str, message: str) -> None:
        """Tell, soon; never raises."""


class Clock(Protocol):
    """The time, and what it is time for."""

    def now(self) -> datetime:
        """In UTC."""

    def due(self, schedule: Schedule, now: datetime) -> tuple[datetime, datetime]:
        """The last time that was due, and the one after it; SpecError for no schedule."""


class ResourceCache(Protocol):
    """The last that the watches saw; may be stale."""

    def get(self, key: Key) -> Body | None:
        """The resource; None where its body is not kept."""

    def keep(self, body: Body) -> None:
        """The next look will need it."""

    def let_go(self, body: Body) -> None:
        """The next look can do without."""

    def config_map(self, key: Key) -> Body | None:
        """The ConfigMap of the resource's champion."""

    def known(self, key: Key) -> tuple[str, str, str] | None:
        """Which resource (by uid) and which states of it and of its ConfigMap the others are."""

    def seen(self, body: Body) -> bool:
        """Remember a newer body, our own write."""

    def version(self, key: Key) -> str:
        """The resourceVersion of the resource."""

    def read(self, body: Body, since: str) -> bool:
        """Remember a body that was read when ``since`` was the last version."""

    def forget(self, key: Key) -> None:
        """The resource is gone."""

    def __contains__(self, key: object) -> bool:
        """Whether there is such a resource."""

    def __len__(self) -> int:
        """How many resources there are."""


class Telemetry(Protocol):
    """The operator's own counters."""

    def decided(self, action: str, reason: str) -> None:
        """A decision was recorded."""

    def run_ended(self, action: str, outcome: str, seconds: float) -> None:
        """A run ended."""

    def metrics_error(self, server: str, reason: str) -> None:
        """A resource's metric could not be read."""

    def performance(self, namespace: str, name: str, value: float, floor: float) -> None:
        """The latest reading and the bound it is held against."""

    def reconcile_failed(self, error: str) -> None:
        """A pass met an error of this type."""

    def conditions(self, namespace: str, name: str, statuses: Mapping[str, str]) -> None:
        """The conditions that status holds now."""

    def forget(self, namespace: str, name: str) -> None:
        """Drop the series of a resource."""


class Reconciler:
    """Brings one resource a step (or a few) closer to where it should be."""

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
    ) -> None:
        self._cluster = cluster
        self._metrics = metrics
        self._resources = resources
        self._telemetry = telemetry
        self._trainer = trainer
        self._clock = clock
        self._assessor = Assessor(metrics)
        self._fleet_breaches = fleet_breaches
        self._refusals = Refusals()
        self._interner = Interner()
        self._steady: dict[Key, tuple[tuple[str, str, str], SteadyState]] = {}

    async def __call__(self, key: Key) -> timedelta | None:
        """One pass.

        Returns:
            When to look again, or None where only an event can change anything.

        Raises:
            Conflict: somebody else wrote first; look again soon.
            ClusterError: the API server is away or refuses; look again later.
        """
        try:
            return await self._steady_check(key) or await self._reconcile(key)
        except Gone:
            self._forget(key)
            return None
        except SpecError as error:
            # Status was edited into what nobody can read. Writing would lose what is left of it.
            self._complain(key, error)
            return None

    async def _steady_check(self, key: Key) -> timedelta | None:
        """A look at a resource that was quiet; None where it has to be a whole one."""
        known, (about, kept) = self._resources.known(key), self._steady.pop(key, (None, None))
        if known is None or kept is None or about != known:
            return None
        metrics, bounds, now = kept.metrics(), kept.shared.bounds, self._clock.now()
        try:
            found = await self._assessor.gauge(metrics, kept.since, bounds, now)
        except MetricsError:
            return None
        if not isinstance(found, Healthy | Degraded):
            return None
        began = found.onset if isinstance(found, Degraded) else None
        common_cause = self._record(key, metrics, found, began, now)
        if not stays_steady(kept, found, common_cause):
            return None
        self._steady[key] = known, kept
        self._telemetry.performance(*key, found.reading.value, bounds.threshold.bound)
        if common_cause is CommonCause.WAIT:
            return until_the_others_are_read(known[0])
        return until_reading(known[0], metrics.interval, now)

    def _complain(self, key: Key, error: SpecError) -> None:
        body = self._resources.get(key)
        _log.error(
            "%s: %s",
            ReadyReason.INVALID_STATUS,
            error,
            extra={"namespace": key[0], "resource": key[1]},
        )
        if body is not None:
            self._cluster.event(body, "Warning", ReadyReason.INVALID_STATUS, str(error))
            self._resources.keep(body)

    async def _reconcile(self, key: Key) -> timedelta | None:
        body, live = await self._body(key)
        jobs: Jobs = None
        done: Effect | None = None
        for _ in range(EFFECTS_PER_PASS):
            known = self._resources.known(key)
            seen = await self._observe(body, jobs, live=live)
            effect = next_effect(seen)
            if effect is None:
                self._settled(key, seen, body, known)
                return requeue_after(seen)
            if not live:
                body, live, jobs = await self._live(key), True, None
                continue
            try:
                in_vain(effect, done, body)
                body, jobs = await self._carry_out(seen, effect, body)
                done = effect
                self._refusals.keep(key, seen.identity.uid, not_of(effect))
            except ClusterError as error:
                self._refused(key, seen, effect, body, error)
                live, jobs = error.refused, None  # what became of it is not known
            except Conflict:
                if not isinstance(effect, CreateJob):
                    raise
                name = str(effect.manifest["metadata"]["name"])
                others = (job for job in seen.jobs or () if job.name != name)
                jobs = (*others, await self._taken(key[0], name))
        msg = f"{key[0]}/{key[1]}: no end after {EFFECTS_PER_PASS} steps; looking again later"
        raise OperatorError(msg)

    def _settled(
        self, key: Key, seen: Observation, body: Body, known: tuple[str, str, str] | None
    ) -> None:
        """There is no next step: tell the gauges, and keep what the next look needs."""
        statuses = {row.type: row.status for row in seen.status.conditions}
        if silences(seen, seen.status) is not None:
            statuses |= {READY: "False", STALLED: "True"}  # though status may not say so
        self._telemetry.conditions(*key, statuses)
        self._refusals.keep(key, seen.identity.uid, lambda one: still_asked(seen, one))
        self._remember(key, seen, body, known)

    def _refused(
        self, key: Key, seen: Observation, effect: Effect, body: Body, error: ClusterError
    ) -> None:
        """The rest of the story goes on; a status that cannot be written is told otherwise."""
        asked = request_of(seen, effect)
        refusal = self._refusals.add(key, seen.identity.uid, asked, error, seen.now)
        log_refusal(refusal, error, _about(seen))
        self._telemetry.reconcile_failed(type(error).__name__)
        if asked[0] is Request.TELL_REFUSAL and is_told_now(refusal):
            message = message_of(seen, seen.status, refusal)
            self._cluster.event(body, "Warning", ReadyReason.STATUS_REFUSED, message)

    async def _body(self, key: Key) -> tuple[Body, bool]:
        """What a pass begins with, and whether it is live; Gone where there is nothing."""
        if key not in self._resources:
            raise Gone(f"{key[0]}/{key[1]} is not there")
        body = self._resources.get(key)
        return (await self._live(key), True) if body is None else (_unless_deleted(body), False)

    async def _live(self, key: Key) -> Body:
        since = self._resources.version(key)
        body = _unless_deleted(await self._cluster.get(*key))
        self._resources.read(body, since)
        return body

    def _remember(
        self, key: Key, seen: Observation, body: Body, known: tuple[str, str, str] | None
    ) -> None:
        """What the next look needs: little where the resource is quiet, or else its body."""
        version = body["metadata"].get("resourceVersion")
        kept = steady_state(seen)
        still = known is not None and known[1] == version and known == self._resources.known(key)
        if kept is None or known is None or not still:
            self._resources.keep(body)
            return
        self._steady[key] = known, replace(kept, shared=self._interner(kept.shared))
        self._resources.let_go(body)

    async def _taken(self, namespace: str, name: str) -> JobView:
        """The Job that has the name already."""
        try:
            return await self._cluster.job(namespace, name)
        except Gone:  # the Job, not the resource: look again
            raise Conflict(f"Job {name} was there, and is gone") from None

    def _forget(self, key: Key) -> None:
        self._resources.forget(key)
        self._steady.pop(key, None)
        self._assessor.forget(key)
        self._fleet_breaches.forget(key)
        self._refusals.forget(key)
        self._telemetry.forget(*key)

    # --- observe ------------------------------------------------------------------------

    async def _observe(self, body: Body, jobs: Jobs, *, live: bool) -> Observation:
        now = self._clock.now()
        metadata = body["metadata"]
        identity = Identity(metadata["namespace"], metadata["name"], metadata["uid"])
        raw_spec = body.get("spec") or {}
        spec, scheduled = await self._read(raw_spec, identity.namespace, now)
        status = status_json.read(body.get("status") or {})
        if status.observed_generation not in {-1, metadata["generation"]}:
            status = replace(status, recheck=None)
        seen = Observation(
            identity=identity,
            generation=metadata["generation"],
            suspended=raw_spec.get("suspend") is True,
            spec=spec,
            raw_spec=raw_spec,
            status=status,
            assessment=await self._assess(identity, spec, status, now),
            new_data=await self._new_data(identity, spec, now),
            scheduled=scheduled,
            created=_time(metadata.get("creationTimestamp")),
            now=now,
            trainer=self._trainer,
            config_map=self._resources.config_map((identity.namespace, identity.name)),
            breaker_reset=_breaker_reset(metadata),
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

    async def _new_data(
        self, identity: Identity, spec: Spec | SpecError, now: datetime
    ) -> float | None:
        """The latest reading of ``spec.triggers.newData``; None where there is no single one."""
        if isinstance(spec, SpecError) or spec.triggers.new_data is None:
            return None
        metrics, grid = spec.metrics, reading_times(spec.metrics, now)
        query = spec.triggers.new_data.query
        try:
            await self._metrics.admit(identity.namespace, metrics.server, query)
            found = await self._metrics.range(metrics.server, query, grid)
        except MetricsError as error:
            self._telemetry.metrics_error(metrics.server, error.reason)
            return None
        values = [value for series in found for time, value in series.points if time == grid[-1]]
        return values[0] if len(values) == 1 and math.isfinite(values[0]) else None

    async def _look_closer(self, seen: Observation, *, live: bool) -> Observation:
        """Ask the API server for what only some passes need."""
        identity, status = seen.identity, seen.status
        unsure = status.champion is not None and (
            seen.config_map is None
            or not projection.says(seen.config_map, identity, status.champion)
        )
        may_adopt = live and status.champion is None and status.run is None
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
        except ClusterError as error:
            return self._unread(seen, Request.READ_JOBS, error)
        return replace(self._read_again(seen, Request.READ_JOBS), jobs=tuple(jobs))

    def _unread(self, seen: Observation, request: Request, error: ClusterError) -> Observation:
        """What may not be read is not known; what does not need it goes on."""
        if not error.refused:
            raise error
        key, uid = (seen.identity.namespace, seen.identity.name), seen.identity.uid
        before = refused(seen, request)
        if before is None or is_due(seen, before):
            refusal = self._refusals.add(key, uid, (request, ""), error, seen.now)
            log_refusal(refusal, error, _about(seen))
        return replace(seen, refusals=self._refusals.of(key, uid))

    def _read_again(self, seen: Observation, request: Request) -> Observation:
        if refused(seen, request) is None:
            return seen
        key, uid = (seen.identity.namespace, seen.identity.name), seen.identity.uid
        self._refusals.keep(key, uid, lambda one: one.request is not request)
        return replace(seen, refusals=self._refusals.of(key, uid))

    async def _assess(
        self, identity: Identity, spec: Spec | SpecError, status: Status, now: datetime
    ) -> Assessment:
        """The metric's assessment, which the operator's own gauges show as well."""
        assessed = await self._assessor.assess(identity, spec, status, now)
        found = assessed.assessment
        if assessed.failure and isinstance(spec, Spec):
            self._telemetry.metrics_error(spec.metrics.server, assessed.failure)
        if isinstance(found, Healthy | Degraded):
            value = found.reading.value
            self._telemetry.performance(identity.namespace, identity.name, value, assessed.bound)
        return found

    # --- act ----------------------------------------------------------------------------

    async def _carry_out(self, seen: Observation, effect: Effect, body: Body) -> tuple[Body, Jobs]:
        """Do it; the resource and its Jobs as they are then.

        A Job that was created is handed on, so that one which is gone again at once (its owner was
        deleted) is not taken for one that was never made.
        """
        namespace = seen.identity.namespace
        match effect:
            case WriteStatus():
                body = await self._cluster.replace_status(
                    {**body, "status": status_json.write(effect.status)}
                )
                self._resources.seen(body)
                self._count(seen, effect)
                for note in effect.notes:
                    self._tell(body, note)
            case CreateJob(manifest=manifest):
                job = await self._cluster.create_job(manifest)
                _log.info("created Job %s", job.name, extra=_about(seen))
                return body, (*(seen.jobs or ()), job)
            case DeleteJob(name=name, uid=uid, pods_first=pods_first):
                try:
                    await self._cluster.delete_job(namespace, name, uid, pods_first=pods_first)
                    _log.info("deleted Job %s", name, extra=_about(seen))
                except Gone:
                    _log.info("Job %s is gone already", name, extra=_about(seen))
                return body, None
            case WriteConfigMap(manifest=manifest, existing=None):
                kept_as_written(await self._cluster.create_config_map(manifest), manifest)
                _log.info("created ConfigMap %s", manifest["metadata"]["name"], extra=_about(seen))
            case WriteConfigMap(manifest=manifest):
                kept_as_written(await self._cluster.replace_config_map(manifest), manifest)
                note = Note(EventReason.CHAMPION_PROJECTED, _projected(manifest))
                _log_note(note, seen)
                self._tell(body, note)
        return body, seen.jobs

    def _tell(self, body: Body, note: Note) -> None:
        kind = "Warning" if note.warning else "Normal"
        self._cluster.event(body, kind, note.reason, note.message)

    def _count(self, seen: Observation, done: WriteStatus) -> None:
        if done.decided is not None:
            self._telemetry.decided(done.decided.action.value, str(done.decided.reason))
        if done.ended is not None:
            self._telemetry.run_ended(
                done.ended.action.value,
                done.ended.outcome.value,
                (done.ended.end_time - done.ended.start_time).total_seconds(),
            )
        for note in done.notes:
            _log_note(note, seen)
        for changed in transitions_to_log(seen.status, done.status):
            _log.info(
                "%s is %s (%s): %s",
                changed.type,
                changed.status,
                changed.reason,
                changed.message,
                extra=_about(seen),
            )


def _unless_deleted(body: Body) -> Body:
    if body["metadata"].get("deletionTimestamp"):
        raise Gone(f"{body['metadata']['namespace']}/{body['metadata']['name']} is being deleted")
    return body


def _projected(manifest: Body) -> str:
    name, version = manifest["metadata"]["name"], manifest["data"]["version"]
    return f"ConfigMap {name} names version {version} now, as the status does."


def _log_note(note: Note, seen: Observation) -> None:
    level = logging.WARNING if note.warning else logging.INFO
    _log.log(level, "%s: %s", note.reason, note.message, extra=_about(seen))


def _about(seen: Observation) -> dict[str, Any]:
    run = seen.status.run
    return {
        "namespace": seen.identity.namespace,
        "resource": seen.identity.name,
        "run": run.number if run else None,
    }


def _breaker_reset(metadata: Body) -> datetime | None:
    """The time that an annotation names; what is no time is as if it were not there."""
    return _time((metadata.get("annotations") or {}).get(ANNOTATION_BREAKER_RESET))


def _time(text: object) -> datetime | None:
    try:
        time = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return time if time.tzinfo is not None else None

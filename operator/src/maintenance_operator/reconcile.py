"""The pass of one resource, top to bottom: observe, ask what is next, do it, observe again.

Level-triggered and safe to run twice: nothing is remembered here but what Prometheus would say
again. The pure core decides what to do (``lifecycle.next_effect``); here it is asked, and obeyed.
Before anything is changed, the live object is read, and every status write carries its
resourceVersion, so a second operator or a stale cache loses the write and looks again.
"""

import asyncio
import logging
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from maintenance_core import status as status_json
from maintenance_core.errors import (
    ClusterError,
    Conflict,
    Gone,
    OperatorError,
    SpecError,
)
from maintenance_core.lifecycle.conditions import READY, STALLED, transitions_to_log
from maintenance_core.lifecycle.jobs import TrainerImage
from maintenance_core.lifecycle.next_effect import next_effect
from maintenance_core.lifecycle.observation import Observation
from maintenance_core.lifecycle.refusals import (
    message_of,
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
from maintenance_core.model import (
    CreateJob,
    DeleteJob,
    Effect,
    JobView,
    Note,
    Request,
    WriteConfigMap,
    WriteStatus,
)
from maintenance_core.reasons import EventReason, ReadyReason
from maintenance_core.watch.common_cause import CommonCause
from maintenance_operator.assessor import MetricsSource
from maintenance_operator.contested import Contests
from maintenance_operator.fleet_breaches import FleetBreaches
from maintenance_operator.interning import Interner
from maintenance_operator.observer import Observer, about
from maintenance_operator.protocols import Body, Clock, Cluster, Jobs, Key, ResourceCache, Telemetry
from maintenance_operator.refusals import (
    Refusals,
    in_vain,
    is_told_now,
    kept_as_written,
    log_refusal,
    not_of,
)

EFFECTS_PER_PASS: Final = 12
TOLD_AGAIN: Final = timedelta(hours=1)
"""An Event is kept that long; what no condition can say is told again then."""

_log = logging.getLogger(__name__)


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
        self._resources = resources
        self._telemetry = telemetry
        self._clock = clock
        self._refusals = Refusals()
        self._contests = Contests()
        self._observer = Observer(
            cluster=cluster,
            metrics=metrics,
            resources=resources,
            telemetry=telemetry,
            trainer=trainer,
            clock=clock,
            fleet_breaches=fleet_breaches,
            refusals=self._refusals,
        )
        self._interner = Interner()
        self._steady: dict[Key, tuple[tuple[str, str, str], SteadyState]] = {}
        self._unreadable: dict[Key, tuple[str, str, datetime]] = {}

    async def __call__(self, key: Key) -> timedelta | None:
        """One pass.

        Returns:
            When to look again, or None where only an event can change anything.

        Raises:
            Gone: there is no such resource.
            Conflict: somebody else wrote first; look again soon.
            ClusterError: the API server is away or refuses; look again later.
        """
        try:
            looked = await self._steady_check(key) or await self._reconcile(key)
        except SpecError as error:
            # Status was edited into something unreadable; a write would lose the rest of it.
            return self._complain(key, error)
        self._unreadable.pop(key, None)
        return looked

    async def _steady_check(self, key: Key) -> timedelta | None:
        """A look at a resource that was steady; None where it has to be a whole one."""
        known, (about, kept) = self._resources.known(key), self._steady.pop(key, (None, None))
        if known is None or kept is None or about != known:
            return None
        looked = await self._observer.steady(key, kept)
        if looked is None:
            return None
        found, common_cause, now = looked
        if not stays_steady(kept, found, common_cause):
            return None
        self._steady[key] = known, kept
        bound = kept.shared.bounds.threshold.bound
        self._telemetry.performance(*key, found.reading.value, bound)
        if common_cause is CommonCause.WAIT:
            return until_the_others_are_read(known[0])
        return until_reading(known[0], kept.shared.metrics.interval, now)

    def _complain(self, key: Key, error: SpecError) -> timedelta:
        """Tell of a status that cannot be read, again and again; returns when to do so next."""
        self._telemetry.conditions(*key, {READY: "False", STALLED: "True"})
        body, now = self._resources.get(key), self._clock.now()
        uid = "" if body is None else str(body["metadata"]["uid"])
        *said, told = self._unreadable.get(key, ("", "", now - TOLD_AGAIN))
        if said == [uid, str(error)] and timedelta() <= now - told < TOLD_AGAIN:
            told_again = told + TOLD_AGAIN - now
        else:
            self._unreadable[key] = uid, str(error), now
            told_again = TOLD_AGAIN
            _log.error(
                "%s: %s",
                ReadyReason.INVALID_STATUS,
                error,
                extra={"namespace": key[0], "resource": key[1]},
            )
            if body is not None:
                self._cluster.event(body, "Warning", ReadyReason.INVALID_STATUS, str(error))
        if body is not None:
            self._resources.keep(body)
        return told_again

    async def _reconcile(self, key: Key) -> timedelta | None:
        body, live = await self._body(key)
        jobs: Jobs = None
        done: Effect | None = None
        for _ in range(EFFECTS_PER_PASS):
            known = self._resources.known(key)
            seen = await self._observer(body, jobs, live=live)
            effect = next_effect(seen)
            if effect is None:
                self._settled(key, seen, body, known)
                return requeue_after(seen)
            if not live:
                body, live, jobs = await self._live(key), True, None
                continue
            if wait := self._contested(key, effect, body):
                self._resources.keep(body)
                return min(wait, requeue_after(seen) or wait)
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
        """There is no next step: export the conditions, and keep what the next look needs."""
        statuses = {row.type: row.status for row in seen.status.conditions}
        if silences(seen, seen.status) is not None:
            statuses |= {READY: "False", STALLED: "True"}  # though status may not say so
        self._telemetry.conditions(*key, statuses)
        self._refusals.keep(key, seen.identity.uid, lambda one: still_asked(seen, one))
        self._remember(key, seen, body, known)

    def _refused(
        self, key: Key, seen: Observation, effect: Effect, body: Body, error: ClusterError
    ) -> None:
        """Remember a refusal; everything else goes on. A refused status becomes an Event."""
        asked = request_of(seen, effect)
        refusal = self._refusals.add(key, seen.identity.uid, asked, error, seen.now)
        log_refusal(refusal, error, about(seen))
        self._telemetry.reconcile_failed(type(error).__name__)
        if asked[0] is Request.TELL_REFUSAL and is_told_now(refusal):
            message = message_of(seen, seen.status, refusal)
            self._cluster.event(body, "Warning", ReadyReason.STATUS_REFUSED, message)

    def _contested(self, key: Key, effect: Effect, body: Body) -> timedelta | None:
        """How long a status that another operator changed back is not written again, if so."""
        if not isinstance(effect, WriteStatus):
            return None
        status = status_json.write(effect.status)
        seconds = self._contests.wait(body, key, status, _monotonic())
        return timedelta(seconds=seconds) if seconds else None

    async def _body(self, key: Key) -> tuple[Body, bool]:
        """What a pass begins with, and whether it is live; Gone where there is nothing."""
        if key not in self._resources:
            raise Gone(f"{key[0]}/{key[1]} is not there")
        body = self._resources.get(key)
        return (await self._live(key), True) if body is None else (_unless_deleted(body), False)

    async def _live(self, key: Key) -> Body:
        since = self._resources.version(key)
        body = _unless_deleted(await self._cluster.get(*key))
        if self._resources.is_another(key, str(body["metadata"].get("uid", ""))):
            self.forget(key)  # what is remembered is of the one that had the name before
        self._resources.read(body, since)
        return body

    def _remember(
        self, key: Key, seen: Observation, body: Body, known: tuple[str, str, str] | None
    ) -> None:
        """What the next look needs: little where the resource is steady, or else its body."""
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

    def forget(self, key: Key) -> None:
        """The resource is gone, and so is all that is remembered by its key."""
        self._steady.pop(key, None)
        self._unreadable.pop(key, None)
        self._observer.forget(key)
        self._refusals.forget(key)
        self._contests.forget(key)
        self._telemetry.forget(*key)

    # --- act ----------------------------------------------------------------------------

    async def _carry_out(self, seen: Observation, effect: Effect, body: Body) -> tuple[Body, Jobs]:
        """Carry out an effect; returns the resource and its Jobs as they are afterwards.

        A Job that was created is handed on, so that one which is gone again at once (its owner was
        deleted) is not taken for one that was never made.
        """
        namespace = seen.identity.namespace
        match effect:
            case WriteStatus():
                written = {**body, "status": status_json.write(effect.status)}
                stored = await self._cluster.replace_status(written)
                key = namespace, seen.identity.name
                self._contests.wrote(body, key, written["status"], stored, _monotonic())
                body = stored
                self._resources.seen(body)
                self._count(seen, effect)
                for note in effect.notes:
                    self._tell(body, note)
            case CreateJob(manifest=manifest):
                job = await self._cluster.create_job(manifest)
                _log.info("created Job %s", job.name, extra=about(seen))
                return body, (*(seen.jobs or ()), job)
            case DeleteJob(name=name, uid=uid, pods_first=pods_first):
                try:
                    await self._cluster.delete_job(namespace, name, uid, pods_first=pods_first)
                    _log.info("deleted Job %s", name, extra=about(seen))
                except Gone:
                    _log.info("Job %s is gone already", name, extra=about(seen))
                return body, None
            case WriteConfigMap(manifest=manifest, existing=None):
                kept_as_written(await self._cluster.create_config_map(manifest), manifest)
                _log.info("created ConfigMap %s", manifest["metadata"]["name"], extra=about(seen))
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
                extra=about(seen),
            )


def _monotonic() -> float:
    return asyncio.get_running_loop().time()


def _unless_deleted(body: Body) -> Body:
    if body["metadata"].get("deletionTimestamp"):
        raise Gone(f"{body['metadata']['namespace']}/{body['metadata']['name']} is being deleted")
    return body


def _projected(manifest: Body) -> str:
    name, version = manifest["metadata"]["name"], manifest["data"]["version"]
    return f"ConfigMap {name} names version {version} now, as the status does."


def _log_note(note: Note, seen: Observation) -> None:
    level = logging.WARNING if note.warning else logging.INFO
    _log.log(level, "%s: %s", note.reason, note.message, extra=about(seen))

"""Requests that the API server does not carry out: when to try again, and what to tell whom.

A refusal stops only what it is about. It is told as a condition, with the server's words and who
must act; the same request is tried again after a while, another one at once. A request that failed
for no lasting reason is tried a few times before anybody is told.
"""

import json
import re
import zlib
from datetime import timedelta
from typing import Final

from maintenance_contract.plain import plain
from maintenance_core.lifecycle import projection
from maintenance_core.lifecycle.observation import Observation
from maintenance_core.lifecycle.unwanted_jobs import is_unwanted
from maintenance_core.model import (
    CreateJob,
    DeleteJob,
    Effect,
    JobPhase,
    JobView,
    Refusal,
    Request,
    Status,
    WriteConfigMap,
    WriteStatus,
)
from maintenance_core.numbers import shortened
from maintenance_core.reasons import ReadyReason
from maintenance_core.status import timestamp

FIRST_WAIT: Final = timedelta(seconds=1)
LONGEST_WAIT: Final = timedelta(minutes=1)
TRIES_UNTOLD: Final = 3
"""A refusal that may be transient becomes a condition after this many tries in a row."""
HELD_UNTOLD: Final = timedelta(minutes=5)
"""How long pods may take to end before a person is asked to look at their Job."""

NAMES_CHARACTERS: Final = 512
"""Of finalizers in a message: what follows them must still be read."""
INVALID: Final = frozenset({400, 413, 422})
"""HTTP: the request itself cannot be carried out."""
FORBIDDEN: Final = 403
OF_KUBERNETES: Final = {
    "foregroundDeletion": "it waits for its pods to end",
    "orphan": "it waits until its pods are let go",
}

_POLICY: Final = re.compile(
    r"""admission webhook "[^"]*" denied|ValidatingAdmissionPolicy '[^']*'|PodSecurity"""
)
_WEBHOOK_AWAY: Final = re.compile(r'failed calling webhook "([^"]*)"')
_NO_RIGHT: Final = re.compile(r'User "[^"]*" cannot')
_QUOTA: Final = re.compile(r"exceeded quota: ([^,]+)|failed quota: ([^:]+)")
_IMMUTABLE: Final = re.compile(r"immutable")


# --- which request an effect is -----------------------------------------------------------


def request_of(seen: Observation, effect: Effect) -> tuple[Request, str]:
    """What an effect asks for, and which object and state of it."""
    match effect:
        case WriteConfigMap(manifest=manifest, existing=existing):
            uid = existing["metadata"].get("uid", "") if existing is not None else ""
            content = zlib.crc32(json.dumps(manifest["data"], sort_keys=True).encode())
            return Request.WRITE_CONFIG_MAP, f"{uid} {content}"
        case CreateJob(manifest=manifest):
            return Request.CREATE_JOB, str(manifest["metadata"]["name"])
        case DeleteJob(uid=uid):
            return Request.DELETE_JOB, uid
        case WriteStatus(instead=instead):
            return Request.TELL_REFUSAL if instead else Request.WRITE_STATUS, str(seen.generation)


def refused(seen: Observation, request: Request, about: str | None = None) -> Refusal | None:
    """The refusal of a request, due to be tried again or not."""
    return next(
        (one for one in seen.refusals if one.request is request and about in {None, one.about}),
        None,
    )


def waits(seen: Observation, effect: Effect) -> bool:
    """Whether an effect was refused and it is too early to try again."""
    refusal = refused(seen, *request_of(seen, effect))
    return refusal is not None and not is_due(seen, refusal)


def is_due(seen: Observation, refusal: Refusal) -> bool:
    """Whether to try again. A clock that was put back makes nobody wait longer."""
    return not timedelta() < refusal.until - seen.now <= LONGEST_WAIT


def wait_after(count: int) -> timedelta:
    """How long to wait after so many refusals in a row."""
    return min(FIRST_WAIT * (1 << min(count - 1, 16)), LONGEST_WAIT)


def is_hopeless(refusal: Refusal) -> bool:
    """Whether the request itself is at fault: who forbids it may change their mind, this stays."""
    changeable = _POLICY.search(refusal.words) or _QUOTA.search(refusal.words)
    return refusal.refused and refusal.code in INVALID and changeable is None


def is_told(refusal: Refusal) -> bool:
    """Whether a refusal is lasting, or has been repeated often enough to report."""
    return refusal.refused or refusal.count >= TRIES_UNTOLD


def still_asked(seen: Observation, refusal: Refusal) -> bool:
    """Whether what was refused is still to be done."""
    run, champion = seen.status.run, seen.status.champion
    job = next((job for job in seen.jobs or () if refusal.about in {job.uid, job.name}), None)
    match refusal.request:
        case Request.READ_CONFIG_MAP | Request.READ_JOBS:
            return True
        case Request.WRITE_CONFIG_MAP:
            return champion is not None and not _is_said(seen)
        case Request.CREATE_JOB:
            return run is not None and run.job_name == refusal.about and job is None
        case Request.DELETE_JOB:
            if run is None or job is None or _ends(job):
                return False
            return is_unwanted(seen, run, job)
        case Request.WRITE_STATUS | Request.TELL_REFUSAL:
            return not is_due(seen, refusal)


def _is_said(seen: Observation) -> bool:
    """Whether the ConfigMap names the champion, or is not ours to write."""
    config_map, champion = seen.config_map, seen.status.champion
    if config_map is None or champion is None:
        return False
    ours = projection.is_ours(config_map)
    return not ours or projection.says(config_map, seen.identity, champion)


def _ends(job: JobView) -> bool:
    return job.deleted is not None or job.phase in {JobPhase.COMPLETE, JobPhase.FAILED}


# --- what is told -------------------------------------------------------------------------


def hinders(seen: Observation, status: Status) -> tuple[str, str] | None:
    """Reason and message of a refusal for which no run may begin: what serves is not known."""
    for request, reason in (
        (Request.READ_CONFIG_MAP, ReadyReason.CONFIGMAP_REFUSED),
        (Request.WRITE_CONFIG_MAP, ReadyReason.CONFIGMAP_REFUSED),
        (Request.READ_JOBS, ReadyReason.JOBS_UNREADABLE),
    ):
        refusal = refused(seen, request)
        if refusal is not None and is_told(refusal) and still_asked(seen, refusal):
            return reason, message_of(seen, status, refusal)
    return None


def silences(seen: Observation, status: Status) -> tuple[str, str] | None:
    """Reason and message where status itself cannot be written: nothing else in it is sure."""
    refusal = refused(seen, Request.WRITE_STATUS, str(seen.generation))
    if refusal is None or not is_told(refusal) or not still_asked(seen, refusal):
        return None
    return ReadyReason.STATUS_REFUSED, message_of(seen, status, refusal)


def stops(seen: Observation, status: Status) -> tuple[str, str] | None:
    """Reason and message of a refusal, or of a finalizer, that keeps the live run from going on."""
    if status.run is None:
        return None
    for request, reason in (
        (Request.CREATE_JOB, ReadyReason.JOB_REFUSED),
        (Request.DELETE_JOB, ReadyReason.JOB_NOT_DELETED),
    ):
        refusal = refused(seen, request)
        if refusal is not None and is_told(refusal) and still_asked(seen, refusal):
            return reason, message_of(seen, status, refusal)
    job = live_job(seen, status)
    if job is not None and job.deleted is not None and seen.now - job.deleted > HELD_UNTOLD:
        return ReadyReason.JOB_NOT_DELETED, f"Job {job.name}: {what_holds(job)}"
    return None


def live_job(seen: Observation, status: Status) -> JobView | None:
    """The Job of the live run's step."""
    run = status.run
    return next(
        (job for job in seen.jobs or () if run is not None and job.name == run.job_name), None
    )


def what_holds(job: JobView) -> str:
    """Of a Job that is being deleted: since when, and who lets it go."""
    since = f"it was deleted at {timestamp(job.deleted)} and is still there" if job.deleted else ""
    others = [name for name in job.finalizers if name not in OF_KUBERNETES]
    if others:
        names = shortened(", ".join(plain(name) for name in others), NAMES_CHARACTERS)
        return (
            f"{since}, held by finalizer {names}: whoever set that must remove it "
            "(metadata.finalizers of the Job). Its pod may run on until then."
        )
    waits_for = [OF_KUBERNETES[name] for name in job.finalizers]
    return f"{since}; {waits_for[0] if waits_for else 'Kubernetes is about to remove it'}."


def message_of(seen: Observation, status: Status, refusal: Refusal) -> str:
    """What was refused, by whom and in which words, and who must act."""
    code = f" (HTTP {refusal.code})" if refusal.code else ""
    who = "The API server refuses to" if refusal.refused else "Several tries failed to"
    asked = f"{who} {_asked(seen, status, refusal)}{code}: "
    act = f" {_who_acts(refusal)}"
    return shortened(asked + refusal.words.rstrip(". ") + "." + act)


def _asked(seen: Observation, status: Status, refusal: Refusal) -> str:
    name = projection.config_map_name(seen.identity.name)
    match refusal.request:
        case Request.READ_CONFIG_MAP:
            return f"let the operator read ConfigMap {name}"
        case Request.WRITE_CONFIG_MAP:
            return _projection_asked(seen, status, name)
        case Request.READ_JOBS:
            return "let the operator read its Jobs and their pods"
        case Request.CREATE_JOB:
            return f"create Job {refusal.about}"
        case Request.DELETE_JOB:
            job = live_job(seen, status)
            return f"delete Job {job.name if job else refusal.about}, which may run on"
        case Request.WRITE_STATUS | Request.TELL_REFUSAL:
            return "write status, so what it says is of the past"


def _projection_asked(seen: Observation, status: Status, name: str) -> str:
    champion = status.champion
    version = champion.version if champion is not None else "?"
    if seen.config_map is None:
        return f"create ConfigMap {name}, so servers are not told of version {version}"
    named = (seen.config_map.get("data") or {}).get("version")
    known = "no version" if named is None else f"version {plain(str(named), 20)}"
    return f"write ConfigMap {name}: it names {known}, and version {version} is the champion"


def _who_acts(refusal: Refusal) -> str:
    """The sentence on who must do what."""
    words = refusal.words
    if _POLICY.search(words):
        return (
            "Do what that policy asks for, or have whoever runs it let the operator's objects pass."
        )
    if away := _WEBHOOK_AWAY.search(words):
        return f"Whoever runs webhook {away[1]} must bring it back or let it be passed over."
    if _NO_RIGHT.search(words):
        return "The platform team must grant the operator's service account that right (RBAC)."
    if _QUOTA.search(words):
        return "The platform team must raise the quota, or the author ask for less."
    return _who_mends(refusal)


def _who_mends(refusal: Refusal) -> str:
    if refusal.request is Request.WRITE_CONFIG_MAP and _IMMUTABLE.search(refusal.words):
        return "Somebody made it immutable, for good: delete it, and the operator makes it anew."
    if refusal.request in {Request.WRITE_STATUS, Request.TELL_REFUSAL}:
        return "The platform team must install the CRD of the operator's release."
    if refusal.request is Request.CREATE_JOB and is_hopeless(refusal):
        return (
            "The author must mend what it names in spec.training.pod or in the resources of "
            "spec.training and spec.diagnosis; all else is of the operator's configuration."
        )
    if refusal.refused:
        return "The platform team must see what forbids it."
    return "The platform team must see what ails the API server; the operator goes on trying."


def cause_of(refusal: Refusal) -> tuple[Request, str, int, str]:
    """What makes two refusals the same, though numbers in their words differ."""
    return refusal.request, refusal.about, refusal.code, _who_acts(refusal)

"""A Job and its pods, as the API server has them, become the one value that decisions need."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from maintenance_core.model import JobPhase, JobView
from maintenance_core.names import ANNOTATION_DIGEST, LABEL_MANAGED_BY, LABEL_UID, MANAGER
from maintenance_operator.adapters.pods import (
    Cause,
    endings,
    how_it_ended,
    how_pod_ended,
    in_short,
    suspended,
    told_apart,
    unmounted,
    waits_since,
    when,
    work,
    worked_too_long,
)

OOM_KILLED: Final = "OOMKilled"
FAILURE_TARGET: Final = "FailureTarget"
"""A Job's condition: Kubernetes has given it up, and waits for its pods to go."""
SUSPENDED: Final = (
    "Suspended: a queue such as Kueue, or a person, holds the Job (its spec.suspend); this time "
    "does not count for pendingTimeout"
)
CONTRADICT: Final = "each ended this Job, with different reports"
A_LITTLE: Final = timedelta(seconds=5)
"""A Job that has not waited that long is about to start: nobody asks why it waits."""


def _annotations(body: Mapping[str, Any]) -> Mapping[str, str]:
    return body["metadata"].get("annotations") or {}


def is_new(view: JobView) -> bool:
    """Whether the Job has not waited long. A clock that is behind ours or ahead makes it old."""
    since = view.waits_since
    return since is not None and timedelta(0) <= datetime.now(UTC) - since < A_LITTLE


def job_view(job: Mapping[str, Any], pods: Iterable[Mapping[str, Any]]) -> JobView:
    """A Job and its pods, as far as decisions need them."""
    metadata, status = job["metadata"], job.get("status") or {}
    own, foreign = told_apart(job, pods)
    phase, failure, detail, finished = _end(status)
    owner_uid = _owner_uid(metadata)
    view = JobView(
        name=metadata["name"],
        uid=metadata["uid"],
        owner_uid=owner_uid,
        request_digest=_annotations(job).get(ANNOTATION_DIGEST, ""),
        phase=phase or JobPhase.PENDING,
        failure=failure,
        detail=detail,
        finished=finished,
        deadline_exceeded=any(map(worked_too_long, own)),
        foreign=foreign,
        relabelled=_relabelled(metadata, owner_uid),
        waits_since=waits_since(job, own),
        deleted=when(metadata.get("deletionTimestamp")),
        finalizers=tuple(map(str, metadata.get("finalizers") or ())),
    )
    return _living(view, job, own) if phase is None else _ended(view, own)


def _owner_uid(metadata: Mapping[str, Any]) -> str:
    owners = metadata.get("ownerReferences") or ()
    return next((owner["uid"] for owner in owners if owner.get("controller")), "")


def _relabelled(metadata: Mapping[str, Any], owner_uid: str) -> str:
    """Which of the labels that it was made with another one has changed, and into what."""
    labels = metadata.get("labels") or {}
    made = {LABEL_MANAGED_BY: MANAGER, LABEL_UID: owner_uid}
    return in_short(
        ", ".join(
            f"{name} is {labels.get(name) or 'gone'}, not {value}"
            for name, value in made.items()
            if owner_uid and labels.get(name) != value
        )
    )


def _living(view: JobView, job: Mapping[str, Any], pods: list[Mapping[str, Any]]) -> JobView:
    """A Job that has not ended, with how far its newest pod has come."""
    status = job.get("status") or {}
    done, held = work(pods), suspended(job)
    cause = Cause("Suspended", SUSPENDED) if held and not done.cause else done.cause
    running = done.phase is JobPhase.RUNNING or (not pods and bool(status.get("ready")))
    view = replace(
        view,
        phase=JobPhase.RUNNING if running else JobPhase.PENDING,
        message=(done.terminated or {}).get("message") or None,
        detail=cause.sentence,
        cause=cause.word,
        unmounted=not running and unmounted(cause),
        suspended=held,
        started=done.started,
        ended=done.ended,
        kept_by=done.kept_by,
    )
    condemned = next(
        (row for row in status.get("conditions") or () if _is_true(row, FAILURE_TARGET)), None
    )
    if condemned is None:
        return view if not done.terminated else replace(view, failure=_failure("", done.terminated))
    told = in_short(f"{FAILURE_TARGET}: {condemned.get('message') or condemned.get('reason')}")
    return replace(
        view,
        failure=str(condemned.get("reason") or ""),
        detail=in_short("; ".join(part for part in (told, view.detail) if part)),
        cause=FAILURE_TARGET,
        condemned=when(condemned.get("lastTransitionTime")),
    )


def _ended(view: JobView, pods: list[Mapping[str, Any]]) -> JobView:
    """A Job that has ended, with what its trainer said and how its pods went."""
    ends = endings(pods)
    if view.phase is JobPhase.COMPLETE:
        # Only one pod of a Job can have completed it; of two that differ none is believed.
        said = {str(one.get("message") or "") for one in ends if not one.get("exitCode")}
        if len(said) > 1:
            names = ", ".join(str(pod["metadata"].get("name", "?")) for pod in pods)
            foreign = "; ".join(part for part in (view.foreign, f"{names} {CONTRADICT}") if part)
            return replace(view, foreign=foreign)
        return replace(view, message=next(iter(said), None))
    last = ends[-1] if ends else {}
    how = (pods and how_pod_ended(pods[-1])) or ""
    parts = [f"pod: {how}" if how else "", f"trainer: {how_it_ended(last)}" if last else ""]
    told = "; ".join(part for part in parts if part)
    return replace(
        view,
        message=last.get("message") if last else None,
        failure=_failure(view.failure, last),
        detail=in_short(f"{view.detail} ({told})" if told else view.detail),
    )


def _failure(failure: str, terminated: Mapping[str, Any]) -> str:
    return OOM_KILLED if terminated.get("reason") == OOM_KILLED else failure


def _end(status: Mapping[str, Any]) -> tuple[JobPhase | None, str, str, datetime | None]:
    """Phase, failure, detail and time of a Job's end; no phase while it lives."""
    for condition in status.get("conditions") or ():
        if condition.get("status") != "True":
            continue
        time = when(condition.get("lastTransitionTime"))
        if condition.get("type") == "Complete":
            return JobPhase.COMPLETE, "", "", when(status.get("completionTime")) or time
        if condition.get("type") == "Failed":
            return (
                JobPhase.FAILED,
                str(condition.get("reason", "")),
                str(condition.get("message", "")),
                time,
            )
    return None, "", "", None


def _is_true(row: Mapping[str, Any], kind: str) -> bool:
    return row.get("type") == kind and row.get("status") == "True"

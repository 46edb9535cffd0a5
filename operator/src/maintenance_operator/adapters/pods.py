"""What the pods of a Job tell: of those that the Job made, and with Kubernetes' own words.

Values in, values out: JSON as the API server has it. The trainer's container counts, not its pod:
a pod runs while an image is pulled for one of its containers, and may run on after the trainer.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from maintenance_contract.plain import plain
from maintenance_core.model import JobPhase
from maintenance_core.names import ANNOTATION_REQUEST, CONTAINER

Body = Mapping[str, Any]

DETAIL_CHARACTERS: Final = 500
MOUNT_FAILURES: Final = frozenset({"FailedMount", "FailedAttachVolume", "FailedMapVolume"})
"""Reasons of the kubelet's Events, and of the attach controller's."""
VOLUME_WORDS: Final = ("persistentvolumeclaim", "volume node affinity", "unbound immediate")
"""In what the scheduler says of a pod whose claim is missing, unbound or elsewhere."""
ENDED: Final = frozenset({"Succeeded", "Failed"})
"""Phases of a pod that the Job does not wait for any more."""
NOTHING_TO_TELL: Final = frozenset({"", "ContainerCreating", "PodInitializing"})
SCHEDULED: Final = "PodScheduled"
MOUNTED: Final = "PodReadyToStartContainers"
FAILED_SCHEDULING: Final = "FailedScheduling"
DEADLINE_EXCEEDED: Final = "DeadlineExceeded"
DISRUPTED: Final = "DisruptionTarget"
CLOCKS_APART: Final = timedelta(minutes=1)
NOT_READY_BY_ITSELF: Final = frozenset({"ContainersNotReady", "ContainersNotInitialized"})
"""Why Ready is False where the kubelet says it; whoever misses the kubelet gives no such reason."""


@dataclass(frozen=True, slots=True)
class Cause:
    """Why a Job stands where it does: Kubernetes' word for it, and a sentence that has the word."""

    word: str = ""
    sentence: str = ""

    def __bool__(self) -> bool:
        return bool(self.sentence)


@dataclass(frozen=True, slots=True)
class Work:
    """How far the newest pod of a Job that has not ended has come.

    ``started`` is when the trainer's container did. ``ended``: it is done and its pod is not tried
    again, ``kept_by`` says which containers keep the pod.
    """

    phase: JobPhase
    cause: Cause = Cause()
    started: datetime | None = None
    ended: datetime | None = None
    terminated: Body | None = None
    kept_by: str = ""


NOTHING: Final = Work(JobPhase.PENDING)


# --- which pods are the Job's -------------------------------------------------------------


def told_apart(job: Body, pods: Iterable[Body]) -> tuple[list[Body], str]:
    """The pods that the Job made, newest last; and a sentence on others that claim to be its own.

    Whoever may create pods can give one the labels and the owner of a Job.
    """
    own, others = [], []
    for pod in sorted(pods, key=lambda pod: str(pod["metadata"].get("creationTimestamp", ""))):
        owner = _owner(pod, job["metadata"]["uid"])
        if owner is None:
            continue
        difference = _difference(job, pod, owner)
        if difference:
            others.append(f"{pod['metadata'].get('name', '?')} ({difference})")
        else:
            own.append(pod)
    return own, in_short(", ".join(others))


def _owner(pod: Body, uid: str) -> Body | None:
    owners = pod["metadata"].get("ownerReferences") or ()
    return next((owner for owner in owners if owner.get("uid") == uid), None)


def _difference(job: Body, pod: Body, owner: Body) -> str:
    """In what a pod is not as the Job's controller makes it; empty where it is.

    What admission adds (sidecars, variables, volumes) is no difference; what decides which program
    runs, on which request, and who writes its report, must be as in the Job's template.
    """
    if not owner.get("controller"):
        return "the Job is not its controller"
    selector = ((job.get("spec") or {}).get("selector") or {}).get("matchLabels") or {}
    labels = pod["metadata"].get("labels") or {}
    if any(labels.get(name) != value for name, value in selector.items()):
        return "it lacks the Job's labels"
    if not _made_in_its_time(job, pod):
        return "it was made before the Job or after its end"
    template = (job.get("spec") or {}).get("template") or {}
    wanted, made = template.get("spec") or {}, pod.get("spec") or {}
    told = [(body.get("metadata") or {}).get("annotations") or {} for body in (template, pod)]
    if told[0].get(ANNOTATION_REQUEST) != told[1].get(ANNOTATION_REQUEST):
        return "its request is another"
    for part in _PARTS_OF_PODS:
        if (wanted.get(part) or None) != (made.get(part) or None):
            return f"its {part} is another"
    return _lacking(wanted, made, "volumes") or _of_containers(
        _named(wanted, "containers"), _named(made, "containers")
    )


_PARTS_OF_PODS: Final = (
    "activeDeadlineSeconds",
    "hostIPC",
    "hostNetwork",
    "hostPID",
    "restartPolicy",
    "shareProcessNamespace",
)
_PARTS_OF_CONTAINERS: Final = (
    "command",
    "args",
    "workingDir",
    "lifecycle",
    "terminationMessagePath",
    "terminationMessagePolicy",
)


def _of_containers(wanted: Mapping[str, Body], made: Mapping[str, Body]) -> str:
    if CONTAINER not in wanted:
        return ""
    if CONTAINER not in made:
        return f"it has no container {CONTAINER}"
    asked, got = wanted[CONTAINER], made[CONTAINER]
    if not _same_image(str(asked.get("image")), str(got.get("image"))):
        return f"the image of container {CONTAINER} is another"
    for part in _PARTS_OF_CONTAINERS:
        if (asked.get(part) or None) != (got.get(part) or None):
            return f"the {part} of container {CONTAINER} is another"
    return _lacking(asked, got, "env") or _lacking(asked, got, "volumeMounts", key="mountPath")


def _same_image(wanted: str, made: str) -> bool:
    """Whether it is the same, though admission may name its digest, or where else that is kept."""
    name, _, digest = wanted.partition("@")
    name_made, _, digest_made = made.partition("@")
    if digest:
        return digest_made == digest
    if not digest_made:
        return made == wanted
    repository, colon, tag = name.rpartition(":")
    return name_made in {name, repository if colon and "/" not in tag else name}


def _lacking(wanted: Body, made: Body, part: str, key: str = "name") -> str:
    """Which of a list's items are missing or other than wanted; further ones may be there."""
    have = _named(made, part, key)
    for name, item in _named(wanted, part, key).items():
        if have.get(name) != item:
            return f"{part} {name} is missing or another"
    return ""


def _named(body: Body, part: str, key: str = "name") -> dict[str, Body]:
    return {str(item.get(key)): item for item in body.get(part) or ()}


def _made_in_its_time(job: Body, pod: Body) -> bool:
    """API servers and controllers that stand beside each other have a clock each."""
    made, begun = (when(body["metadata"].get("creationTimestamp")) for body in (pod, job))
    if made is None or begun is None:
        return False
    ends = [
        when(row.get("lastTransitionTime"))
        for row in (job.get("status") or {}).get("conditions") or ()
        if row.get("type") in {"Complete", "Failed"} and row.get("status") == "True"
    ]
    return begun - CLOCKS_APART <= made and all(
        made <= end + CLOCKS_APART for end in ends if end is not None
    )


# --- of a Job that lives -------------------------------------------------------------------


def work(pods: Sequence[Body]) -> Work:
    """Where the newest pod stands."""
    if not pods:
        return NOTHING
    pod = pods[-1]
    state = trainer_state(pod)
    terminated, running = state.get("terminated"), state.get("running")
    if terminated is not None:
        return _after(pod, terminated)
    going = bool(pod["metadata"].get("deletionTimestamp"))
    if running is not None and _phase(pod) not in ENDED:  # else its node is gone, and it with it
        started = when(running.get("startedAt"))
        if going:  # on a node that is lost for ever: until then its time goes on
            return Work(JobPhase.PENDING, _leaving(pod), started)
        return Work(JobPhase.RUNNING, _unseen(pod), started)
    if _phase(pod) == "Succeeded":
        return Work(JobPhase.RUNNING)
    leaves = going and _phase(pod) not in ENDED
    return Work(JobPhase.PENDING, _leaving(pod) if leaves else _not_started(pod))


def _after(pod: Body, terminated: Body) -> Work:
    """The trainer has ended; its Job has not."""
    code = terminated.get("exitCode", 0)
    started, ended = when(terminated.get("startedAt")), when(terminated.get("finishedAt"))
    others = _still_running(pod)
    going = bool(pod["metadata"].get("deletionTimestamp"))
    if code and (going or _phase(pod) == "Failed"):
        how = f"the trainer ended ({how_it_ended(terminated)}{_and(how_pod_ended(pod))})"
        return Work(JobPhase.PENDING, _cause("Retry", f"{how}; the Job tries again or gives up"))
    cause = Cause()
    if others:
        sentence = f"the trainer has ended, and its pod is kept running by container {others}"
        cause = _cause("Sidecar", sentence)
    return Work(JobPhase.RUNNING, cause, started, ended, terminated, others)


def _still_running(pod: Body) -> str:
    """The containers beside the trainer's that keep a pod; the kubelet ends native sidecars."""
    statuses = (pod.get("status") or {}).get("containerStatuses") or ()
    return in_short(
        ", ".join(
            str(status.get("name"))
            for status in statuses
            if status.get("name") != CONTAINER and not (status.get("state") or {}).get("terminated")
        )
    )


def _leaving(pod: Body) -> Cause:
    """A pod that is being deleted and is still there."""
    since = pod["metadata"].get("deletionTimestamp")
    name = pod["metadata"].get("name", "?")
    why = how_pod_ended(pod) or "somebody or something deleted it"
    return _cause("Terminating", f"pod {name} was to be gone at {since} and is still there; {why}")


def _unseen(pod: Body) -> Cause:
    """A container that runs as far as anybody knows: its node may not answer any more."""
    told = _condition(pod, "Ready")
    if told is None or told.get("status") == "True":
        return Cause()
    reason = str(told.get("reason") or "")
    by_itself = reason in NOT_READY_BY_ITSELF or not (reason or _ready(pod))
    if told.get("status") == "False" and by_itself:
        return Cause()
    node = (pod.get("spec") or {}).get("nodeName") or "?"
    why = how_pod_ended(pod)
    return _cause("NodeLost", f"node {node} does not answer for its pod{_and(why)}")


def _ready(pod: Body) -> bool:
    statuses = (pod.get("status") or {}).get("containerStatuses") or ()
    return any(status.get("ready") for status in statuses if status.get("name") == CONTAINER)


def _not_started(pod: Body) -> Cause:
    """Why the trainer's container does not run yet, as far as the pod itself says it."""
    if _phase(pod) == "Failed" or (pod.get("status") or {}).get("reason"):
        told = how_pod_ended(pod)
        if told:
            return _cause(told.partition(":")[0], told.partition(": ")[2])
    for status in _containers(pod):
        state = status.get("state") or {}
        waiting, terminated = state.get("waiting") or {}, state.get("terminated") or {}
        of = "" if status.get("name") == CONTAINER else f"container {status.get('name')}: "
        if str(waiting.get("reason") or "") not in NOTHING_TO_TELL:
            return _cause(str(waiting["reason"]), of + str(waiting.get("message") or ""))
        if of and terminated.get("exitCode"):
            return _cause("InitError", of + how_it_ended(terminated))
    scheduled = _condition(pod, SCHEDULED)
    if scheduled is not None and scheduled.get("status") == "False":
        return _cause(str(scheduled.get("reason") or ""), str(scheduled.get("message") or ""))
    return Cause()


def _containers(pod: Body) -> Iterator[Body]:
    """What the pod says of its containers: of the trainer first, then in the order of starting."""
    status = pod.get("status") or {}
    own = status.get("containerStatuses") or ()
    yield from (one for one in own if one.get("name") == CONTAINER)
    yield from status.get("initContainerStatuses") or ()
    yield from (one for one in own if one.get("name") != CONTAINER)


def _cause(word: str, text: str) -> Cause:
    return Cause(in_short(word), in_short(": ".join(part for part in (word, text) if part)))


def unmounted(cause: Cause) -> bool:
    """Whether a volume or Secret is what is waited for."""
    lower = cause.sentence.lower()
    return cause.word in MOUNT_FAILURES or any(word in lower for word in VOLUME_WORDS)


def suspended(job: Body) -> bool:
    """Whether somebody holds the Job, as a queue does."""
    return bool((job.get("spec") or {}).get("suspend"))


def waits_since(job: Body, pods: Sequence[Body]) -> datetime | None:
    """Since when the Job waits for a pod to start, by Kubernetes' clock.

    Not since the Job was made where a queue held it, or where an earlier pod ran until it was taken
    away: that was no waiting. Between two pods the last change of the Job's status tells it.
    """
    status = job.get("status") or {}
    times = [when(job["metadata"].get("creationTimestamp")), when(status.get("startTime"))]
    if pods:
        metadata, terminated = pods[-1]["metadata"], trainer_state(pods[-1]).get("terminated") or {}
        times += [
            when(metadata.get("creationTimestamp")),
            when(metadata.get("deletionTimestamp")),
            when(terminated.get("finishedAt")),
        ]
    else:
        times += [
            when(entry.get("time"))
            for entry in job["metadata"].get("managedFields") or ()
            if entry.get("subresource") == "status"
        ]
    return max((known for known in times if known is not None), default=None)


# --- of a Job that has ended ---------------------------------------------------------------


def endings(pods: Sequence[Body]) -> list[Body]:
    """How the trainer's containers ended, newest last."""
    ends = (trainer_state(pod).get("terminated") for pod in pods)
    return [ended for ended in ends if ended is not None]


def worked_too_long(pod: Body) -> bool:
    """Whether a pod met its deadline while, or after, its trainer ran."""
    state, reason = trainer_state(pod), (pod.get("status") or {}).get("reason")
    ran = (state.get("terminated") or {}).get("startedAt") or state.get("running") is not None
    return reason == DEADLINE_EXCEEDED and bool(ran)


def how_it_ended(terminated: Body) -> str:
    """Of a container, without what it wrote."""
    return in_short(
        f"{terminated.get('reason') or 'Error'}, exit code {terminated.get('exitCode')}"
    )


def how_pod_ended(pod: Body) -> str:
    """Why a pod was ended or refused, in Kubernetes' words; empty where it ended by itself."""
    status = pod.get("status") or {}
    if status.get("reason"):
        return in_short(f"{status['reason']}: {status.get('message') or ''}").rstrip(": ")
    disrupted = _condition(pod, DISRUPTED)
    if disrupted is not None and disrupted.get("status") == "True":
        told = f"{disrupted.get('reason') or DISRUPTED}: {disrupted.get('message') or ''}"
        return in_short(told).rstrip(": ")
    return ""


# --- Events --------------------------------------------------------------------------------


def awaited(pods: Sequence[Body]) -> Body | None:
    """The pod that is waited for; None where the Job is yet to make it: its Events tell then."""
    return None if not pods or _phase(pods[-1]) in ENDED else pods[-1]


def told_by(events: Iterable[Body], pod: Body | None, waits_since: datetime | None) -> Cause:
    """What the newest warning says, of the pod or of the Job; nothing where none still holds."""
    past = _past(pod) if pod is not None else frozenset()
    since = _stage_began(pod) if pod is not None else _seconds(waits_since)
    holding = (
        event
        for event in events
        if str(event.get("reason")) not in past and _last_seen(event) >= since
    )
    newest = max(holding, key=_last_seen, default=None)
    if newest is None:
        return Cause()
    return _cause(str(newest.get("reason") or "Warning"), str(newest.get("note") or ""))


def _past(pod: Body) -> frozenset[str]:
    """Reasons of what a pod has behind it."""
    scheduled = frozenset({FAILED_SCHEDULING}) if _is_true(pod, SCHEDULED) else frozenset[str]()
    return scheduled | (MOUNT_FAILURES if _is_true(pod, MOUNTED) else frozenset())


def _stage_began(pod: Body) -> str:
    """When the pod came where it is: what was told before is past."""
    reached = (_condition(pod, kind) for kind in (SCHEDULED, MOUNTED) if _is_true(pod, kind))
    times = (str(row.get("lastTransitionTime") or "") for row in reached if row is not None)
    return max(times, default="").removesuffix("Z")


def _seconds(known: datetime | None) -> str:
    return known.isoformat(timespec="seconds")[:19] if known is not None else ""


def _last_seen(event: Body) -> str:
    times = (
        (event.get("series") or {}).get("lastObservedTime"),
        event.get("deprecatedLastTimestamp"),
        event.get("eventTime"),
    )
    return max((str(time) for time in times if time), default="")


# --- small parts ---------------------------------------------------------------------------


def when(text: object) -> datetime | None:
    """A time as Kubernetes writes it."""
    try:
        return datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None


def in_short(text: str) -> str:
    """What somebody else wrote, as one line that is not too long for a condition."""
    return plain(text, DETAIL_CHARACTERS)


def _and(text: str) -> str:
    return f"; {text}" if text else ""


def trainer_state(pod: Body) -> Body:
    """Of the trainer's container, as Kubernetes has it; empty where nothing is known of it yet."""
    for status in (pod.get("status") or {}).get("containerStatuses") or ():
        if status.get("name") == CONTAINER:
            return status.get("state") or {}
    return {}


def _phase(pod: Body) -> str:
    return str((pod.get("status") or {}).get("phase", "Pending"))


def _condition(pod: Body, kind: str) -> Body | None:
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return next((row for row in conditions if row.get("type") == kind), None)


def _is_true(pod: Body, kind: str) -> bool:
    row = _condition(pod, kind)
    return row is not None and row.get("status") == "True"

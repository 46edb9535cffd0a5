"""What is seen of the cluster: Jobs, and requests that the API server did not carry out."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class JobPhase(StrEnum):
    """Where a Job stands."""

    PENDING = "Pending"
    RUNNING = "Running"
    COMPLETE = "Complete"
    FAILED = "Failed"


@dataclass(frozen=True, slots=True)
class JobView:
    """One of our Jobs, as far as decisions need it.

    ``message`` is the raw termination message of its last pod, None where none can be had;
    ``failure`` is the reason of the Failed condition (``DeadlineExceeded``, ``PodFailurePolicy``,
    ``BackoffLimitExceeded``) or of its pod; ``detail`` a sentence on it, or on why the Job stands
    where it does, and ``cause`` Kubernetes' word for that. ``deadline_exceeded``
    tells that a pod of it ran longer than it may; ``unmounted`` that its pod waits for a volume or
    a Secret that somebody must provide, and ``detail`` says which. ``foreign`` names pods that
    claim to be the Job's and are not as it makes them: nothing is taken from those. ``relabelled``
    names labels of the Job that are not as it was made with.

    Times are Kubernetes': ``waits_since`` of the newest wait for a pod to start, which a
    ``suspended`` Job does not do; ``started`` of the trainer's container. Of a Job that has not
    ended: ``ended`` is when its trainer did, for good, and ``message`` then what it said;
    ``kept_by`` names the containers that keep the pod, ``condemned`` is when Kubernetes gave the
    Job up and began to wait for its pods.
    """

    name: str
    uid: str
    owner_uid: str
    request_digest: str
    phase: JobPhase
    message: str | None = None
    failure: str = ""
    detail: str = ""
    finished: datetime | None = None
    deadline_exceeded: bool = False
    unmounted: bool = False
    deleted: datetime | None = None
    """Since when it is being deleted; ``finalizers`` are what keeps it until then."""
    finalizers: tuple[str, ...] = ()
    cause: str = ""
    foreign: str = ""
    relabelled: str = ""
    suspended: bool = False
    waits_since: datetime | None = None
    started: datetime | None = None
    ended: datetime | None = None
    kept_by: str = ""
    condemned: datetime | None = None


class Request(StrEnum):
    """What the API server is asked for; a refusal of it is told, and the rest goes on."""

    READ_CONFIG_MAP = "ReadConfigMap"
    WRITE_CONFIG_MAP = "WriteConfigMap"
    READ_JOBS = "ReadJobs"
    CREATE_JOB = "CreateJob"
    DELETE_JOB = "DeleteJob"
    WRITE_STATUS = "WriteStatus"
    TELL_REFUSAL = "TellRefusal"
    """A status that only says that another one was refused."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A request that the API server did not carry out, ``count`` times in a row.

    ``about`` says which object and state of it was asked for: another one is tried at once, the
    same not before ``until``. ``refused``: it would be refused again; else it may have been bad
    luck. ``code`` is the HTTP status, 0 for no answer; ``words`` are the server's.
    """

    request: Request
    about: str
    refused: bool
    code: int
    words: str
    count: int
    until: datetime

"""What the API server's audit log and the operator's own log say about latency. Pure."""

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

JOB: Final = re.compile(
    r"(?P<resource>.+)-[0-9a-f]{6}-(?P<run>\d+)-(?P<step>diagnose|train|report)"
)
WRITES: Final = frozenset({"create", "update", "patch", "delete", "deletecollection"})
CREATED: Final = 201


@dataclass(frozen=True, slots=True)
class Request:
    """One request that the API server has answered, or a watch that it has begun to answer."""

    user: str
    verb: str
    kind: str
    """Plural, with the subresource: ``jobs/status``."""
    name: str
    code: int
    received: datetime
    answered: datetime


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply of Prometheus, as the operator's debug log tells of it."""

    key: str
    grid_end: float
    """The time that the query asks about: seconds since the epoch."""
    last_byte: datetime


@dataclass(frozen=True, slots=True)
class Delay:
    """Seconds from a cause to the Job that it leads to."""

    run: tuple[str, int]
    to_received: float
    """Until the API server had the request to create the Job."""
    to_created: float
    """Until it had answered that request, so that the Job was stored."""


def request_of(event: Mapping[str, Any]) -> Request | None:
    """A record of the audit log (audit.k8s.io/v1 Event); None for one that counts nothing.

    A watch is counted when it begins: its end comes minutes later, or not at all.
    """
    watch = event["verb"] == "watch"
    if event["stage"] != ("ResponseStarted" if watch else "ResponseComplete"):
        return None
    reference = event.get("objectRef") or {}
    kind = "/".join(filter(None, (reference.get("resource"), reference.get("subresource"))))
    return Request(
        user=event["user"]["username"],
        verb=event["verb"],
        kind=kind,
        name=reference.get("name", ""),
        code=(event.get("responseStatus") or {}).get("code", 0),
        received=datetime.fromisoformat(event["requestReceivedTimestamp"]),
        answered=datetime.fromisoformat(event["stageTimestamp"]),
    )


def reply_of(line: Mapping[str, Any]) -> Reply | None:
    """A line of the operator's log; None where it tells of something else."""
    if line.get("message") != "Prometheus replied":
        return None
    return Reply(line["query_key"], line["grid_end"], datetime.fromisoformat(line["last_byte"]))


def query_key(query: str) -> str:
    """By what the operator's log names a query."""
    return hashlib.sha256(query.encode()).hexdigest()[:12]


def created_jobs(requests: Iterable[Request], step: str) -> dict[tuple[str, int], Request]:
    """(resource, run) → the request that created its Job of a step."""
    found = {}
    for request in requests:
        match = JOB.fullmatch(request.name)
        made = (request.verb, request.kind, request.code) == ("create", "jobs", CREATED)
        if made and match and match["step"] == step:
            found[match["resource"], int(match["run"])] = request
    return found


def breach_to_diagnose(
    requests: Sequence[Request],
    replies: Sequence[Reply],
    breaches: Mapping[tuple[str, int], float],
    queries: Mapping[str, str],
) -> list[Delay]:
    """From the last byte of the reply that completes a breach to the diagnose Job.

    Args:
        requests: what the API server was asked.
        replies: what Prometheus answered.
        breaches: (resource, run) → time of the reading that status names as the breach.
        queries: resource → its query, which no other resource asks.
    """
    byte: dict[tuple[str, float], datetime] = {}
    for reply in replies:  # asked again for the same reading, the first reply is the cause
        byte.setdefault((reply.key, reply.grid_end), reply.last_byte)
    delays = []
    for run, job in created_jobs(requests, "diagnose").items():
        if run in breaches:
            since = byte[query_key(queries[run[0]]), breaches[run]]
            delays.append(_delay(run, since, job))
    return delays


def diagnosed_to_train(requests: Sequence[Request]) -> list[Delay]:
    """From the status write that ends the diagnose Job to the train Job.

    That write is the Job's last: the Job controller does not touch a Job that has ended. It counts
    from its answer, so not before the end can be read.
    """
    ends: dict[str, list[Request]] = {}
    for request in requests:
        if request.kind == "jobs/status" and request.verb in WRITES:
            ends.setdefault(request.name, []).append(request)
    diagnosed = created_jobs(requests, "diagnose")
    delays = []
    for run, job in created_jobs(requests, "train").items():
        if run in diagnosed:
            written = [end.answered for end in ends[diagnosed[run].name]]
            delays.append(_delay(run, max(written), job))
    return delays


def _delay(run: tuple[str, int], since: datetime, job: Request) -> Delay:
    return Delay(run, _seconds(job.received - since), _seconds(job.answered - since))


def _seconds(span: timedelta) -> float:
    return span / timedelta(seconds=1)


def during(requests: Iterable[Request], start: datetime, end: datetime) -> list[Request]:
    """Those that were received in [start, end)."""
    return [request for request in requests if start <= request.received < end]


def writes(requests: Iterable[Request]) -> list[Request]:
    """Those that ask for a change, of any kind, whatever the answer; Events are writes too."""
    return [request for request in requests if request.verb in WRITES]

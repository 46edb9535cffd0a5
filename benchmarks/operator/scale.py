"""How the operator does with 1,000 and 10,000 resources; see ``scale --help``."""

import asyncio
import json
import re
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import aiohttp
from figures import quantile
from fleet import Fleet, create_settled, fleet, name_of
from records import Request, created_jobs, during, reply_of, request_of, writes
from rounds import asked
from support.api import path
from support.control_plane import ControlPlane, own_control_plane
from support.operator import OperatorProcess, operator
from surroundings import cpu_seconds, load, resident_mib
from world import NAMESPACE, USER, few_at_once, install

DESCRIPTION: Final = """\
1,000 and 10,000 resources that have been in service for long (ten runs in their history), a series
each in one Prometheus, one query text for all. The control plane is real (etcd, API server,
controllers: Jobs get pods); no pod is started, as nothing that comes after a Job's creation is
measured here. Takes about ten minutes.

  cold_start_seconds           process start -> every resource's metric read once; writes meanwhile
  rss_mib, idle_cpu_cores      over the idle stretch
  idle_writes                  0 is the promise
  requests_per_interval        of Prometheus, by its own count; distinct queries are 1
  breach_seconds               one resource breaches: last byte of the reply -> its diagnose Job is
                               stored
  breaches_seconds             a tenth of the resources breach at once: the same, until the last Job
  raw_creates_per_second       as many of the same Jobs, afterwards, by a client that does nothing
                               else
  raw_breaches_per_second      as many resources read, their run written to status, its Job created,
                               the Job's uid written to status, by such a client and no operator:
                               whatever is to survive a crash needs as much
"""

INTERVALS: Final = {1_000: 10, 10_000: 30}
"""Resources -> seconds between their readings."""
SINGLE_BREACHES: Final = 3
SHARE_OF_BREACHES: Final = 10
START_SECONDS: Final = 180.0
BREACH_SECONDS: Final = 240.0
RAW_CLIENTS: Final = 32
RAW: Final = "raw"
"""The namespace of the Jobs that a plain client creates."""
LOOK_SECONDS: Final = 0.1
LOOK_AT_JOBS_SECONDS: Final = 3.0
FOLLOWED, AWAITED = "model_maintenance_resources", "model_maintenance_resources_awaited"
GAUGE: Final = re.compile(r"^(model_maintenance_resources\w*) (\S+)$", re.MULTILINE)

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Scale:
    """What one size of a fleet has measured. Times are seconds."""

    resources: int
    interval: int
    cold_start: float
    cold_start_writes: int
    rss_mib: float
    idle_seconds: float
    idle_writes: int
    idle_cpu_cores: float
    api_requests: int
    requests_per_interval: float
    breach: tuple[float, ...]
    breaches: int
    breaches_seconds: float
    raw_creates_per_second: float
    raw_breaches_per_second: float
    rss_after_mib: float
    load: float

    @property
    def creates_per_second(self) -> float:
        """Diagnose Jobs, while many resources breached at once."""
        return self.breaches / self.breaches_seconds


async def measure(plane: ControlPlane, size: int, directory: Path, say: Say) -> Scale:
    """One size, on a control plane without resources; it has none afterwards."""
    interval = INTERVALS.get(size, 10)
    say(f"{size} resources are created")
    async with fleet(plane, size, interval, create_settled) as made:
        kubeconfig = directory / "operator.kubeconfig"
        began, clock = datetime.now(UTC), time.perf_counter()
        servers = {"default": made.prometheus.url}
        async with operator(kubeconfig, NAMESPACE, servers, wait=False) as process:
            await all_looked_at(process, size)
            cold, started = time.perf_counter() - clock, datetime.now(UTC)
            say(f"{size} resources: all read {cold:.1f} s after the start")
            idle = await _idle(made, process, say)
            say("one resource after the other breaches")
            singles = await _single_breaches(made, process)
            say(f"{size // SHARE_OF_BREACHES} resources breach at once")
            together = made.names[size // 2 :][: size // SHARE_OF_BREACHES]
            several = await breaches_of(made, process, together)
            say(f"{len(together)} Jobs after {max(several):.1f} s; as many by a client")
            raw = await _raw_creates(made, len(together))
            after = resident_mib(process.pid)
            await process.stop()
            if process.complaints():
                raise RuntimeError("the operator complains: " + process.complaints()[0])
        own = [each for each in requests_of(plane) if each.user == USER]
        raw_breaches = await _raw_breaches(made, together[0], made.names[: len(together)])
        say(f"{raw_breaches:.0f} breaches a second by a client that makes four requests for each")
    return Scale(
        resources=size,
        interval=interval,
        cold_start=cold,
        cold_start_writes=len(writes(during(own, began, started))),
        breach=tuple(singles),
        breaches=len(together),
        breaches_seconds=max(several),
        raw_creates_per_second=raw,
        raw_breaches_per_second=raw_breaches,
        rss_after_mib=after,
        load=load(),
        **idle,
    )


def requests_of(plane: ControlPlane) -> list[Request]:
    """What the API server was asked so far."""
    with (plane.directory / "audit.jsonl").open(encoding="utf-8") as lines:
        events = (json.loads(line) for line in lines if line.endswith("\n"))
        return [found for event in events if (found := request_of(event)) is not None]


async def all_looked_at(process: OperatorProcess, size: int) -> None:
    """Wait until the operator knows every resource and has looked at each."""
    deadline = time.monotonic() + START_SECONDS
    names = f"name[]={FOLLOWED}&name[]={AWAITED}"
    port = None
    async with aiohttp.ClientSession() as session:
        while True:
            if not process.running or time.monotonic() > deadline:
                raise RuntimeError(f"{size} resources were not read:\n{process.tail(8)}")
            await asyncio.sleep(LOOK_SECONDS)
            port = port or process.port
            if port is None:
                continue
            async with session.get(f"http://127.0.0.1:{port}/metrics?{names}") as reply:
                found = {name: float(value) for name, value in GAUGE.findall(await reply.text())}
            if found == {FOLLOWED: size, AWAITED: 0}:
                return


async def _idle(made: Fleet, process: OperatorProcess, say: Say) -> dict[str, Any]:
    """Two intervals from the middle between readings, after one that lets everything settle."""
    interval = made.interval
    start = (time.time() // interval + 1.5) * interval
    say(f"nothing happens for {2 * interval} s, from in {start - time.time():.0f} s on")
    await asyncio.sleep(start - time.time())
    before, cpu, began = await asked(made.prometheus), cpu_seconds(process.pid), datetime.now(UTC)
    await asyncio.sleep(2 * interval)
    ended, cpu = datetime.now(UTC), cpu_seconds(process.pid) - cpu
    questions = await asked(made.prometheus) - before
    requests = await asyncio.to_thread(requests_of, made.plane)
    own = during([each for each in requests if each.user == USER], began, ended)
    seconds = (ended - began).total_seconds()
    return {
        "idle_seconds": seconds,
        "idle_writes": len(writes(own)),
        "idle_cpu_cores": cpu / seconds,
        "api_requests": len(own),
        "requests_per_interval": questions / 2,
        "rss_mib": resident_mib(process.pid),
    }


async def _single_breaches(made: Fleet, process: OperatorProcess) -> list[float]:
    found = []
    for number in range(SINGLE_BREACHES):
        found += await breaches_of(made, process, [name_of(number * 7)])
    return found


async def breaches_of(made: Fleet, process: OperatorProcess, names: Sequence[str]) -> list[float]:
    """Seconds from the reply that tells of the breach to each resource's diagnose Job.

    All fall in the middle between two readings, so that one reply tells of all.
    """
    await asyncio.sleep((1.5 - time.time() / made.interval % 1) % 1 * made.interval)
    made.fall(names)
    fell, deadline = datetime.now(UTC), time.monotonic() + BREACH_SECONDS
    wanted = set(names)
    while True:
        await asyncio.sleep(LOOK_AT_JOBS_SECONDS)
        jobs = await made.api.get(path("jobs", NAMESPACE), limit="5000")
        if wanted <= {name for job in jobs["items"] if (name := _resource_of(job)) in wanted}:
            break
        if time.monotonic() > deadline or not process.running:
            raise RuntimeError(f"no Jobs for {len(wanted)} breaches:\n{process.tail(8)}")
    requests = await asyncio.to_thread(requests_of, made.plane)
    created = created_jobs([each for each in requests if each.answered > fell], "diagnose")
    replies = [reply for line in process.log() if (reply := reply_of(line)) is not None]
    told = min(reply.last_byte for reply in replies if reply.grid_end > fell.timestamp() - 0.001)
    return [
        (job.answered - told).total_seconds()
        for (name, _), job in created.items()
        if name in wanted
    ]


def _resource_of(job: dict[str, Any]) -> str:
    owners = job["metadata"].get("ownerReferences") or [{}]
    return str(owners[0].get("name"))


async def _raw_creates(made: Fleet, count: int) -> float:
    """Creates a second of the very Jobs that the operator made, by a client that does only that."""
    job = await _job_like_theirs(made)

    async def one(number: int) -> None:
        await _create_raw(made, f"raw-{count}-{number}", job)

    began = time.perf_counter()
    await few_at_once(RAW_CLIENTS, one, range(count))
    return count / (time.perf_counter() - began)


async def _raw_breaches(made: Fleet, fallen: str, names: Sequence[str]) -> float:
    """A second, by a client alone: each resource takes the status of one that has a run."""
    like_theirs, where = await _job_like_theirs(made), path("modelmaintenances", NAMESPACE)
    with_run = (await made.api.get(f"{where}/{fallen}"))["status"]
    before = {**with_run, "run": {**with_run["run"], "jobUID": ""}}

    async def one(name: str) -> None:
        live = await made.api.get(f"{where}/{name}")
        written = await made.api.put(f"{where}/{name}/status", {**live, "status": before})
        job = await _create_raw(made, f"raw-{name}", like_theirs)
        after = {**with_run, "run": {**with_run["run"], "jobUID": job["metadata"]["uid"]}}
        await made.api.put(f"{where}/{name}/status", {**written, "status": after})

    began = time.perf_counter()
    await few_at_once(RAW_CLIENTS, one, names)
    return len(names) / (time.perf_counter() - began)


async def _job_like_theirs(made: Fleet) -> dict[str, Any]:
    """A Job of the operator's, as it would be created again, with no owner and without its name."""
    found = (await made.api.get(path("jobs", NAMESPACE), limit="1"))["items"][0]
    spec, template = {**found["spec"]}, found["spec"]["template"]
    spec.pop("selector", None)
    labels = {"app.kubernetes.io/managed-by": "benchmark"}
    spec["template"] = {**template, "metadata": {**template["metadata"], "labels": labels}}
    annotations = found["metadata"].get("annotations", {})
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"annotations": annotations},
        "spec": spec,
    }


async def _create_raw(made: Fleet, name: str, job: dict[str, Any]) -> dict[str, Any]:
    named = {**job, "metadata": {**job["metadata"], "name": name}}
    return await made.api.create(path("jobs", RAW), named)


def figures_of(found: Sequence[Scale]) -> dict[str, Any]:
    """What goes on record, by the number of resources."""
    return {
        f"{each.resources}": {
            "interval_seconds": each.interval,
            "cold_start_seconds": round(each.cold_start, 2),
            "cold_start_writes": each.cold_start_writes,
            "rss_mib": round(each.rss_mib, 1),
            "rss_after_breaches_mib": round(each.rss_after_mib, 1),
            "idle_seconds": round(each.idle_seconds, 1),
            "idle_writes": each.idle_writes,
            "idle_api_requests": each.api_requests,
            "idle_cpu_cores": round(each.idle_cpu_cores, 4),
            "prometheus_requests_per_interval": each.requests_per_interval,
            "breach_seconds": {
                "value": round(quantile(each.breach, 0.5), 3),
                "max": round(max(each.breach), 3),
                "n": len(each.breach),
            },
            "breaches_at_once": each.breaches,
            "breaches_seconds": round(each.breaches_seconds, 2),
            "creates_per_second": round(each.creates_per_second, 1),
            "raw_creates_per_second": round(each.raw_creates_per_second, 1),
            "raw_breaches_per_second": round(each.raw_breaches_per_second, 1),
            "load": each.load,
        }
        for each in found
    }


async def run(sizes: Sequence[int], say: Say) -> dict[str, Any]:
    """All sizes, each on a control plane of its own; figures by size."""
    found = []
    for size in sizes:
        with (
            own_control_plane() as plane,
            tempfile.TemporaryDirectory(prefix="model-maintenance-scale-") as directory,
        ):
            await asyncio.to_thread(install, plane, Path(directory))
            for namespace in (NAMESPACE, RAW):
                plane.kubectl("create", "namespace", namespace)
            found.append(await measure(plane, size, Path(directory), say))
    return figures_of(found)


def headline(found: Mapping[str, Any]) -> dict[str, float]:
    """The figures of the largest fleet under the names by which they are known."""
    largest = found[max(found, key=int)]
    thousands = int(max(found, key=int)) // 1000
    return {
        f"cold_start_{thousands}k_seconds": largest["cold_start_seconds"],
        f"rss_{thousands}k_mb": largest["rss_mib"],
        f"breach_1_of_{thousands}k_seconds": largest["breach_seconds"]["value"],
        f"breach_{largest['breaches_at_once']}_of_{thousands}k_seconds": largest[
            "breaches_seconds"
        ],
        "raw_creates_per_second": largest["raw_creates_per_second"],
        "prometheus_requests_per_interval": largest["prometheus_requests_per_interval"],
    }

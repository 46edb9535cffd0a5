"""One round: start the operator, let it idle, let metrics fall, and measure."""

import asyncio
import json
import re
import time
import urllib.request
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from readings import AFTER_READING, quiet_moment, readings_due
from records import (
    Delay,
    Request,
    breach_to_diagnose,
    created_jobs,
    diagnosed_to_train,
    during,
    reply_of,
    request_of,
    writes,
)
from support.api import until
from support.operator import OperatorProcess, operator
from support.prometheus import PrometheusServer
from surroundings import cpu_seconds, load, resident_mib
from world import NAMESPACE, USER, World

Say = Callable[[str], None]

DRAIN_SECONDS: Final = 60.0
PACE_SECONDS: Final = 1.5
TELL_SECONDS: Final = 5.0
START_SECONDS: Final = 60.0
SHOWN: Final = 8
PERFORMANCE: Final = re.compile(
    r'^model_maintenance_performance\{[^}]*name="([^"]+)"', re.MULTILINE
)
QUERY_REQUESTS: Final = re.compile(
    r'^prometheus_http_requests_total\{[^}]*handler="/api/v1/query(?:_range)?"[^}]*\} (\S+)$',
    re.MULTILINE,
)


@dataclass(frozen=True)
class Plan:
    """How long and how much."""

    idle_seconds: float
    breaches: int
    breach_seconds: float
    """At most so long."""
    last: bool
    """No round follows that would have to begin with nothing to do."""


@dataclass
class Idle:
    """A stretch without change."""

    seconds: float
    resources: int
    writes: list[Request]
    api_requests: int
    prometheus_requests: float
    readings_due: int
    """How often a distinct query had to be asked."""
    cpu_seconds: float
    rss_mib: float


@dataclass
class Round:
    """What one round has measured. Times are seconds."""

    cold_start: float
    cold_start_writes: int
    idle: Idle
    to_diagnose: list[Delay] = field(default_factory=list)
    to_train: list[Delay] = field(default_factory=list)
    writes_per_run: float = 0.0
    requests_per_run: float = 0.0
    cpu_per_run: float = 0.0
    rss_mib: float = 0.0
    load: float = 0.0


async def adopt(world: World) -> None:
    """Let a first operator take over all champions, so that rounds begin with nothing to do."""
    async with operator(world.kubeconfig, NAMESPACE, _servers(world)) as process:

        async def all_adopted() -> bool:
            return len(world.adopted) == len(world.resources)

        await until(all_adopted, 60, "the operator takes over all champions", every=0.1)
        await _all_read(process, {each.name for each in world.resources})
        await asyncio.sleep(1)  # the last conditions
        await process.stop()


async def measure(world: World, plan: Plan, say: Say, keep: Path | None) -> Round:
    """One round, with an operator of its own."""
    began, clock = datetime.now(UTC), time.perf_counter()
    async with operator(world.kubeconfig, NAMESPACE, _servers(world), wait=False) as process:
        await _all_read(process, {each.name for each in world.resources})
        cold_start = time.perf_counter() - clock
        started = datetime.now(UTC)
        say(f"all {len(world.resources)} resources read {cold_start:.1f} s after the start")
        idle = await _idle(world, process, plan.idle_seconds, say)
        fell, cpu = datetime.now(UTC), cpu_seconds(process.pid)
        await _breaches(world, plan, say)
        cpu = cpu_seconds(process.pid) - cpu
        rss = resident_mib(process.pid)
        await process.stop()
        requests = await asyncio.to_thread(_requests, world)
        lines = process.log()
        if keep is not None:
            text = "".join(json.dumps(line) + "\n" for line in lines)
            await asyncio.to_thread(keep.write_text, text, encoding="utf-8")
        complaints = process.complaints()
    if complaints:
        raise RuntimeError("the operator complains: " + complaints[0])
    own = [each for each in requests if each.user == USER]
    these, mine = (during(each, fell, datetime.now(UTC)) for each in (requests, own))
    replies = [reply for line in lines if (reply := reply_of(line)) is not None]
    queries = {each.name: each.query for each in world.falling}
    done = max(1, len(created_jobs(these, "train")))
    return Round(
        cold_start=cold_start,
        cold_start_writes=len(writes(during(own, began, started))),
        idle=idle,
        to_diagnose=breach_to_diagnose(these, replies, world.breaches, queries),
        to_train=diagnosed_to_train(these),
        writes_per_run=len(writes(mine)) / done,
        requests_per_run=len(mine) / done,
        cpu_per_run=cpu / done,
        rss_mib=rss,
        load=load(),
    )


def _servers(world: World) -> dict[str, str]:
    return {"default": world.prometheus.url}


def _requests(world: World) -> list[Request]:
    return [found for event in world.audit_log() if (found := request_of(event)) is not None]


async def _all_read(process: OperatorProcess, names: Collection[str]) -> None:
    """Wait until the operator shows a reading of every resource."""
    deadline, missing = time.monotonic() + START_SECONDS, set(names)
    while missing:
        if not process.running or time.monotonic() > deadline:
            shown = ", ".join(sorted(missing)[:SHOWN])
            raise RuntimeError(
                f"the operator has no reading of {len(missing)} resources ({shown}) "
                f"{START_SECONDS:.0f} s after its start:\n{process.tail(SHOWN)}"
            )
        await asyncio.sleep(0.1)
        _, page = await process.page("/metrics")
        missing -= set(PERFORMANCE.findall(page))


# --- nothing happens ---------------------------------------------------------------------


async def _idle(world: World, process: OperatorProcess, seconds: float, say: Say) -> Idle:
    intervals = list(world.queries.values())
    start = quiet_moment(time.time() + 1, set(intervals))
    end = quiet_moment(start + seconds, set(intervals))
    say(f"nothing happens for {end - start:.0f} s, from in {start - time.time():.0f} s on")
    await _sleep_until(start)
    questions, cpu = await asked(world.prometheus), cpu_seconds(process.pid)
    began = datetime.now(UTC)
    await _sleep_until(end)
    ended = datetime.now(UTC)
    questions, cpu = await asked(world.prometheus) - questions, cpu_seconds(process.pid) - cpu
    requests = await asyncio.to_thread(_requests, world)
    own = during([each for each in requests if each.user == USER], began, ended)
    return Idle(
        seconds=(ended - began).total_seconds(),
        resources=len(world.resources),
        writes=writes(own),
        api_requests=len(own),
        prometheus_requests=questions,
        readings_due=readings_due(start, end, intervals),
        cpu_seconds=cpu,
        rss_mib=resident_mib(process.pid),
    )


async def _sleep_until(moment: float) -> None:
    await asyncio.sleep(max(0.0, moment - time.time()))


async def asked(server: PrometheusServer) -> float:
    """Queries, of a range or not, that Prometheus has answered, by its own count."""

    def get() -> str:
        with urllib.request.urlopen(  # noqa: S310 - our own address
            f"{server.url}/metrics", timeout=5
        ) as reply:
            return str(reply.read().decode())

    return sum(map(float, QUERY_REQUESTS.findall(await asyncio.to_thread(get))))


# --- metrics fall ------------------------------------------------------------------------


async def _breaches(world: World, plan: Plan, say: Say) -> None:
    """Let one metric after the other fall, each until its run has begun; then let all runs end.

    At a fixed pace rather than as fast as runs end: latency is measured here, not throughput.
    """
    began, before = time.monotonic(), set(world.breaches)
    fallen, told = 0, 0.0
    while True:
        begun = world.breaches.keys() - before
        world.fallen -= {name for name, _ in begun} & world.training
        passed = time.monotonic() - began
        if len(begun) >= plan.breaches or passed > plan.breach_seconds:
            break
        if fallen < plan.breaches and passed >= fallen * PACE_SECONDS:
            fallen += _let_one_fall(world, fallen)
        if passed - told > TELL_SECONDS:
            told = passed
            say(f"metrics fall: {len(begun)} of {plan.breaches} breaches led to a run")
        await asyncio.sleep(0.1)
    world.fallen.clear()
    say("metrics rise; the last runs end")
    # The first reading that counts for a new version lies up to two intervals after its promotion;
    # what it changes in status is this round's, not a write of the next one's start.
    settled = 2 * max(world.queries.values()) + AFTER_READING
    await _drained(world, 0.5 if plan.last else settled)


def _let_one_fall(world: World, turn: int) -> int:
    """The next in turn that is at rest; returns how many there were to choose, at most one."""
    rotated = world.falling[turn % len(world.falling) :] + world.falling
    at_rest = [each.name for each in rotated if each.name not in world.training | world.fallen]
    world.fallen.update(at_rest[:1])
    return len(at_rest[:1])


async def _drained(world: World, seconds: float) -> None:
    """Wait until no run has been live for so long."""
    quiet, deadline = time.monotonic(), time.monotonic() + DRAIN_SECONDS
    while time.monotonic() - quiet < seconds:
        await asyncio.sleep(0.1)
        if world.training:
            quiet = time.monotonic()
        if time.monotonic() > deadline:
            raise RuntimeError("runs that do not end: " + ", ".join(sorted(world.training)))

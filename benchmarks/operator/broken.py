"""What one broken resource in a hundred costs the others; see ``broken --help``."""

import asyncio
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from figures import quantile
from fleet import Fleet, body_of, create_settled, fleet, name_of
from scale import all_looked_at, breaches_of
from support.api import path
from support.control_plane import ControlPlane, own_control_plane
from support.operator import OperatorProcess, operator
from surroundings import cpu_seconds
from world import NAMESPACE, install

DESCRIPTION: Final = """\
1,000 resources in service, ten of which are broken and well in turns: in each turn half of the
starts find them broken (a query that is none, no series, several series, a Prometheus server that
the operator does not know, a value that is no number), half find them well. What the other 990 see
of it is measured. Takes about ten minutes.

  start_seconds     process start -> every resource looked at once (their state does not change)
  cpu_cores         while nothing happens
  breach_seconds    ten of the others breach at once: last byte of the reply -> the diagnose Job is
                    stored; the median of the ten
  ratios            broken over well, pair by pair: median, least, most
"""

INTERVAL: Final = 10
PAIRS: Final = 5
ONE_IN: Final = 100
IDLE_SECONDS: Final = 20.0
BREACHES: Final = 10
SETTLE_SECONDS: Final = INTERVAL + 2.0
"""A reading of the state that was changed into, and its write."""

Say = Callable[[str], None]

PERFORMANCE: Final[Sequence[dict[str, Any]]] = (
    {"query": "sum(rate(", "match": None},
    {"query": 'model_accuracy{model="nobody"}', "match": None},
    {"query": 'model_accuracy{model=~"model-0000."}', "match": None},
    {"query": "model_accuracy / 0 - model_accuracy / 0"},
)
"""What is laid over a sound ``spec.metrics.performance``; see :func:`broken_metrics`."""


@dataclass(frozen=True, slots=True)
class Turn:
    """What one start has measured. Seconds, but for ``cpu_cores``."""

    start: float
    cpu_cores: float
    breach: float


def broken_metrics(number: int) -> dict[str, Any]:
    """A merge patch of ``spec.metrics``; every fifth names a server that is not configured."""
    which = number % (len(PERFORMANCE) + 1)
    if which == len(PERFORMANCE):
        return {"server": "nowhere"}
    return {"performance": PERFORMANCE[which]}


def well_metrics(number: int) -> dict[str, Any]:
    """A merge patch that makes it well again."""
    return {"server": None, **body_of(number, INTERVAL)["spec"]["metrics"]}


async def measure(plane: ControlPlane, size: int, kubeconfig: Path, say: Say) -> dict[str, Any]:
    """All turns, on a control plane without resources."""
    say(f"{size} resources are created")
    patients = list(range(size - size // ONE_IN, size))
    others = iter(range(0, size, 3))
    found: dict[str, list[Turn]] = {"broken": [], "well": []}
    async with fleet(plane, size, INTERVAL, create_settled) as made:
        for pair in range(PAIRS):
            order = ("broken", "well") if pair % 2 == 0 else ("well", "broken")
            for state in order:
                patch = broken_metrics if state == "broken" else well_metrics
                await _change(made, patients, patch)
                await _settle(made, kubeconfig)
                await _check(made, patients, state)
                falling = [name_of(next(others)) for _ in range(BREACHES)]
                turn = await _turn(made, kubeconfig, falling)
                found[state].append(turn)
                say(f"pair {pair + 1} of {PAIRS}, {state}: {turn}")
    return figures_of(size, len(patients), found)


async def _change(
    made: Fleet, numbers: Sequence[int], patch: Callable[[int], dict[str, Any]]
) -> None:
    where = path("modelmaintenances", NAMESPACE)
    for number in numbers:
        body = {"spec": {"metrics": patch(number)}}
        await made.api.patch(f"{where}/{name_of(number)}", body)


async def _settle(made: Fleet, kubeconfig: Path) -> None:
    """The operator writes what has changed, so that the start that is measured writes nothing."""
    async with operator(
        kubeconfig, NAMESPACE, {"default": made.prometheus.url}, wait=False
    ) as process:
        await all_looked_at(process, made.size)
        await asyncio.sleep(SETTLE_SECONDS)
        await process.stop()


async def _check(made: Fleet, numbers: Sequence[int], state: str) -> None:
    """The operator must have found all of them as they are meant to be."""
    readable = {"True"} if state == "well" else {"False"}
    where = path("modelmaintenances", NAMESPACE)
    for number in numbers:
        body = await made.api.get(f"{where}/{name_of(number)}")
        rows = body["status"]["conditions"]
        found = {row["status"] for row in rows if row["type"] == "MetricsAvailable"}
        if found != readable:
            raise RuntimeError(f"{name_of(number)} is not {state}: {rows}")


async def _turn(made: Fleet, kubeconfig: Path, falling: Sequence[str]) -> Turn:
    began = time.perf_counter()
    async with operator(
        kubeconfig, NAMESPACE, {"default": made.prometheus.url}, wait=False
    ) as process:
        await all_looked_at(process, made.size)
        start = time.perf_counter() - began
        cores = await _idle(made, process)
        breaches = await breaches_of(made, process, falling)
        await process.stop()
    return Turn(start, cores, quantile(breaches, 0.5))


async def _idle(made: Fleet, process: OperatorProcess) -> float:
    """Cores, over whole intervals between two readings."""
    now = datetime.now(UTC).timestamp()
    await asyncio.sleep((now // made.interval + 1.5) * made.interval - now)
    cpu = cpu_seconds(process.pid)
    await asyncio.sleep(IDLE_SECONDS)
    return (cpu_seconds(process.pid) - cpu) / IDLE_SECONDS


def figures_of(size: int, broken: int, found: Mapping[str, Sequence[Turn]]) -> dict[str, Any]:
    """What goes on record."""
    figures: dict[str, Any] = {"resources": size, "broken": broken, "pairs": len(found["well"])}
    for name in ("start", "cpu_cores", "breach"):
        measured = {state: [getattr(turn, name) for turn in found[state]] for state in found}
        ratios = [b / w for b, w in zip(measured["broken"], measured["well"], strict=True)]
        figures[name] = {
            state: round(quantile(values, 0.5), 3) for state, values in measured.items()
        } | {
            "ratio": round(quantile(ratios, 0.5), 3),
            "ratio_min": round(min(ratios), 3),
            "ratio_max": round(max(ratios), 3),
        }
    return figures


async def run(size: int, say: Say) -> dict[str, Any]:
    """On a control plane of its own."""
    with (
        own_control_plane() as plane,
        tempfile.TemporaryDirectory(prefix="model-maintenance-broken-") as directory,
    ):
        await asyncio.to_thread(install, plane, Path(directory))
        plane.kubectl("create", "namespace", NAMESPACE)
        return await measure(plane, size, Path(directory) / "operator.kubeconfig", say)

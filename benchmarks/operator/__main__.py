"""Measures the operator; see --help."""

import argparse
import asyncio
import json
import os
import shlex
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

ROOT = Path(__file__).resolve().parents[2]
sys.path[1:1] = [
    str(ROOT / "tests"),
    *(str(ROOT / part / "src") for part in ("contract", "core", "operator")),
]

import figures  # noqa: E402 - the paths above come first
import surroundings  # noqa: E402

RESULTS: Final = ROOT / "benchmarks/results"
AT_MOST_SECONDS: Final = 600
TO_RECORD: Final = (
    "operator_image_mb",
    "demo_cold_seconds",
    "demo_warm_seconds",
    "test_cold_seconds",
)

LARGE: Final = ("scale", "broken", "keda")

DESCRIPTION: Final = """\
Measures the operator on this machine: a real API server (control plane alone), a real Prometheus,
and the operator as a process of its own with the rights that it ships with. Only the pods are
played: they report, after a moment, what a trainer would. Takes about six minutes, leaves nothing
running, writes benchmarks/results/operator.json and a dated copy, and prints a table.

  breach_to_diagnose_seconds     last byte of the Prometheus reply that completes a breach
                                 → the API server has stored the diagnose Job
  diagnosed_to_train_seconds     the diagnose Job has ended → the train Job is stored
  idle_writes_per_resource_hour  writes while metrics move within their bands; 0 is the promise
  idle_api_requests_per_hour, idle_prometheus_requests_per_reading, idle_cpu_cores
  operator_cold_start_seconds    process start → every resource's metric read once
  operator_rss_mib, writes_per_run, api_requests_per_run, cpu_seconds_per_run
"""
EPILOG: Final = """\
three more parts, with a --help of their own:
  python benchmarks/operator scale                      1,000 and 10,000 resources
  python benchmarks/operator broken                     what one broken resource in a hundred costs
  python benchmarks/operator keda                       the same work by KEDA and by this operator

examples:
  make bench-operator                                   the figures
  python benchmarks/operator --quick                    under a minute; does the benchmark work?
  python benchmarks/operator --logs /tmp/raw            keep the audit log and the operator's log
  python benchmarks/operator --record demo_warm_seconds=312 operator_image_mb=173
                                                        put on record what another command measured
Figures of a busy machine are worth little: the load is recorded beside them. Times come from one
clock: the audit log's stageTimestamp (requestReceivedTimestamp beside it), and the operator's
debug log.
"""


@dataclass(frozen=True)
class Size:
    """How much is measured."""

    steady: int
    falling: int
    rounds: int
    idle_seconds: float
    breaches: int
    breach_seconds: float


FULL: Final = Size(200, 24, 3, 15, 34, 75)
QUICK: Final = Size(20, 6, 1, 5, 6, 25)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given and given[0] in LARGE:
        return _large(given[0], given[1:])
    parser = _parser()
    options = parser.parse_args(given)
    output: Path = options.output
    if options.record:
        return _record(parser, output, options.record)
    if options.quick and output == RESULTS / "operator.json":
        output = Path(tempfile.gettempdir()) / "operator-quick.json"
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        results = asyncio.run(_measured(_size(options), options.logs))
    except KeyboardInterrupt:
        print("stopped; nothing was written", file=sys.stderr)
        return 130
    results = figures.merged(results, _read(output))
    kept = _write(output, results, dated=not options.quick)
    print(figures.table(results))
    print(f"\nwritten: {', '.join(map(str, kept))}")
    return _verdict(results)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python benchmarks/operator",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--quick", action="store_true", help="few resources, one round, results to a temporary file"
    )
    parser.add_argument(
        "--steady",
        type=int,
        metavar="N",
        help=f"resources whose metric stays in its band ({FULL.steady})",
    )
    parser.add_argument(
        "--falling", type=int, metavar="N", help=f"resources whose metric falls ({FULL.falling})"
    )
    parser.add_argument(
        "--rounds",
        type=int,
        metavar="N",
        help=f"repetitions, each with a new operator process ({FULL.rounds})",
    )
    parser.add_argument("--logs", type=Path, metavar="DIR", help="keep the raw logs there")
    parser.add_argument(
        "--output",
        type=Path,
        default=RESULTS / "operator.json",
        metavar="FILE",
        help="where the results go; a dated copy goes beside it",
    )
    parser.add_argument(
        "--record",
        nargs="+",
        metavar="NAME=NUMBER",
        help=f"measure nothing; put numbers on record: {', '.join(TO_RECORD)}",
    )
    return parser


def _size(options: argparse.Namespace) -> Size:
    size = QUICK if options.quick else FULL
    return Size(
        options.steady or size.steady,
        options.falling or size.falling,
        options.rounds or size.rounds,
        size.idle_seconds,
        size.breaches,
        size.breach_seconds,
    )


# --- measuring ---------------------------------------------------------------------------


async def _measured(size: Size, logs: Path | None) -> dict[str, Any]:
    from rounds import Plan, adopt, measure  # noqa: PLC0415 - --help and --record need no aiohttp
    from world import keep_logs, population, world  # noqa: PLC0415

    say, date, load = _progress(), surroundings.now(), surroundings.load()

    async with asyncio.timeout(AT_MOST_SECONDS):
        with tempfile.TemporaryDirectory(prefix="model-maintenance-benchmark-") as directory:
            _keep_bytecode(Path(directory))
            resources = population(size.steady, size.falling)
            say(f"starting an API server, a Prometheus and {len(resources)} resources")
            async with world(resources, Path(directory)) as made:
                version = json.loads(made.plane.kubectl("get", "--raw", "/version"))
                say("the operator takes over the models that are in service")
                await adopt(made)
                rounds = []
                for number in range(1, size.rounds + 1):
                    keep = Path(directory) / f"operator-{number}.jsonl"
                    rounds.append(
                        await measure(
                            made,
                            Plan(
                                size.idle_seconds,
                                size.breaches,
                                size.breach_seconds,
                                last=number == size.rounds,
                            ),
                            lambda text, number=number: say(  # type: ignore[misc]
                                f"round {number}/{size.rounds}: {text}"
                            ),
                            keep if logs else None,
                        )
                    )
                    if logs:
                        keep_logs(made, keep, logs)
                say("stopping everything")
    about = {
        "date": date,
        "command": _command(),
        "commit": surroundings.commit(),
        "machine": surroundings.machine(),
        "versions": surroundings.versions(version),
        "load_average": {"before": load, "rounds": [each.load for each in rounds]},
        "population": {
            "steady": size.steady,
            "falling": size.falling,
            "distinct_queries": len({each.query for each in resources}),
        },
    }
    return {"about": about, **_figures(rounds)}


def _large(part: str, arguments: Sequence[str]) -> int:
    """Many resources, or the same work by KEDA: slow, so apart from the rest."""
    import beside_keda  # noqa: PLC0415 - --help and --record need no aiohttp
    import broken  # noqa: PLC0415
    import scale  # noqa: PLC0415

    subject = {"scale": scale, "broken": broken, "keda": beside_keda}[part]
    sizes = list(scale.INTERVALS) if part == "scale" else [1000]
    parser = argparse.ArgumentParser(
        prog=f"python benchmarks/operator {part}",
        description=subject.DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--resources", type=int, nargs="+", default=sizes, metavar="N")
    parser.add_argument("--output", type=Path, default=RESULTS / "operator.json", metavar="FILE")
    options = parser.parse_args(arguments)
    say, date = _progress(), surroundings.now()
    with tempfile.TemporaryDirectory(prefix="model-maintenance-benchmark-") as directory:
        _keep_bytecode(Path(directory))
        if part == "scale":
            found = asyncio.run(scale.run(options.resources, say))
            numbers = scale.headline(found)
        else:
            found, numbers = asyncio.run(subject.run(options.resources[0], say)), {}
    about = {"recorded": True, "date": date, "machine": surroundings.machine()}
    results = figures.record(_read(options.output), numbers, date, surroundings.machine())
    results[part] = {**about, "commit": surroundings.commit(), **found}
    _write(options.output, results, dated=False)
    print(json.dumps(found, indent=1))
    return 0


def _progress() -> Callable[[str], None]:
    """Says how far it is, with the seconds since now."""
    started = time.monotonic()

    def say(text: str) -> None:
        print(f"{time.monotonic() - started:5.0f} s  {text}", file=sys.stderr, flush=True)

    return say


def _keep_bytecode(directory: Path) -> None:
    """The operator's image has its bytecode; its starts here find some, too, from the second on."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ["PYTHONPYCACHEPREFIX"] = str(directory / "bytecode")


def _figures(rounds: Sequence[Any]) -> dict[str, Any]:
    idle = [each.idle for each in rounds]
    hours = [each.seconds / 3600 for each in idle]
    return {
        "breach_to_diagnose_seconds": figures.summary(
            [[delay.to_created for delay in each.to_diagnose] for each in rounds],
            start="last byte of the Prometheus reply that completes the breach",
            end="stageTimestamp of the diagnose Job's create",
        ),
        "breach_to_diagnose_received_seconds": figures.summary(
            [[delay.to_received for delay in each.to_diagnose] for each in rounds],
            start="the same",
            end="requestReceivedTimestamp of the diagnose Job's create",
        ),
        "diagnosed_to_train_seconds": figures.summary(
            [[delay.to_created for delay in each.to_train] for each in rounds],
            start="stageTimestamp of the status write that ends the diagnose Job",
            end="stageTimestamp of the train Job's create",
        ),
        "diagnosed_to_train_received_seconds": figures.summary(
            [[delay.to_received for delay in each.to_train] for each in rounds],
            start="the same",
            end="requestReceivedTimestamp of the train Job's create",
        ),
        "idle_writes_per_resource_hour": figures.value(
            [
                len(each.writes) / (each.resources * hour)
                for each, hour in zip(idle, hours, strict=True)
            ],
            resource_hours=round(
                sum(each.resources * hour for each, hour in zip(idle, hours, strict=True)), 2
            ),
            writes=[
                f"{write.verb} {write.kind} {write.name}" for each in idle for write in each.writes
            ][:20],
        ),
        "idle_api_requests_per_hour": figures.value(
            [each.api_requests / hour for each, hour in zip(idle, hours, strict=True)],
            seconds=round(sum(each.seconds for each in idle), 1),
            note="the relist every ten minutes adds six per hour for each 500 resources",
        ),
        "idle_prometheus_requests_per_reading": figures.value(
            [each.prometheus_requests / each.readings_due for each in idle],
            requests=sum(each.prometheus_requests for each in idle),
            readings_due=sum(each.readings_due for each in idle),
            note="by Prometheus' own count; 1 is one request per distinct query and interval",
        ),
        "idle_cpu_cores": figures.value([each.cpu_seconds / each.seconds for each in idle]),
        "operator_cold_start_seconds": figures.value([each.cold_start for each in rounds]),
        "cold_start_writes": figures.value([each.cold_start_writes for each in rounds]),
        "operator_rss_mib": figures.value([each.idle.rss_mib for each in rounds]),
        "operator_rss_after_runs_mib": figures.value([each.rss_mib for each in rounds]),
        "writes_per_run": figures.value(
            [each.writes_per_run for each in rounds],
            note="all writes of the operator from breach to promotion, Jobs and Events too",
        ),
        "api_requests_per_run": figures.value([each.requests_per_run for each in rounds]),
        "cpu_seconds_per_run": figures.value(
            [each.cpu_per_run for each in rounds],
            note="of the operator's process; what the steady resources cost meanwhile is in it",
        ),
    }


def _command() -> str:
    return shlex.join(["python", "benchmarks/operator", *sys.argv[1:]])


def _verdict(results: dict[str, Any]) -> int:
    """A promise that is broken fails the command; a slow machine does not."""
    broken = [
        name
        for name, wanted in (
            ("idle_writes_per_resource_hour", 0),
            ("idle_prometheus_requests_per_reading", 1),
            ("cold_start_writes", 0),
        )
        if {results[name]["min"], results[name]["max"]} != {wanted}
    ]
    for name in broken:
        print(f"BROKEN: {name}: {json.dumps(results[name])}", file=sys.stderr)
    return 1 if broken else 0


# --- results -----------------------------------------------------------------------------


def _record(parser: argparse.ArgumentParser, output: Path, pairs: Sequence[str]) -> int:
    numbers = {}
    for pair in pairs:
        name, _, text = pair.partition("=")
        if name not in TO_RECORD:
            parser.error(f"--record: {name!r} is not known; write one of {', '.join(TO_RECORD)}")
        try:
            numbers[name] = float(text)
        except ValueError:
            parser.error(f"--record: {pair!r}: write {name}=NUMBER, like {name}=312")
        if not 0 < numbers[name] < float("inf"):
            parser.error(f"--record: {pair!r}: a measured number is above 0")
    results = figures.record(_read(output), numbers, surroundings.now(), surroundings.machine())
    _write(output, results, dated=False)
    print(figures.table({name: results[name] for name in numbers}))
    return 0


def _read(file: Path) -> dict[str, Any]:
    if not file.exists():
        return {}
    document: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return document


def _write(file: Path, results: dict[str, Any], *, dated: bool) -> list[Path]:
    """The newest results, and a copy by date that stays."""
    files = [file]
    if dated:
        stamp = results["about"]["date"][:16].replace(":", "")
        files.append(file.parent / file.stem / f"{stamp}.json")
    text = json.dumps(results, indent=1) + "\n"
    for each in files:
        each.parent.mkdir(parents=True, exist_ok=True)
        temporary = each.with_suffix(f".{os.getpid()}")
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(each)
    return files


if __name__ == "__main__":
    sys.exit(main())

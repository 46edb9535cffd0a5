"""The one wiring place: ``python -m maintenance_operator run``."""

import argparse
import asyncio
import contextlib
import functools
import gc
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from dataclasses import replace
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final, TypeVar

if __name__ == "__main__":
    import maintenance_operator.slim_imports  # noqa: F401  # before kopf; nobody else is to be without

import kopf
from aiohttp import web

from maintenance_core.errors import ClusterError, Gone, OperatorError
from maintenance_core.lifecycle.jobs import TrainerImage
from maintenance_core.names import GROUP, PLURAL
from maintenance_operator import __version__
from maintenance_operator.adapters.calendar import Clock
from maintenance_operator.adapters.cluster import PAGE, Cluster
from maintenance_operator.adapters.credentials import login
from maintenance_operator.adapters.prometheus import Prometheus
from maintenance_operator.fleet_breaches import FleetBreaches
from maintenance_operator.handlers import register, resource_of_config_map
from maintenance_operator.health import Watches, application
from maintenance_operator.reconcile import Reconciler
from maintenance_operator.resource_cache import Key, ResourceCache
from maintenance_operator.settings import (
    DEFAULT_CONFIG,
    LOG_FORMATS,
    LOG_LEVELS,
    ConfigurationError,
    Settings,
    check_namespaces,
    load,
)
from maintenance_operator.telemetry import Telemetry, configure_logging
from maintenance_operator.watching import expected_watches, watch
from maintenance_operator.work_queue import WorkQueue

logger = logging.getLogger(__name__)

_Listed = TypeVar("_Listed")

CRD_WAIT_SECONDS: Final = 120.0
CRD_RETRY_SECONDS: Final = 5.0
GRACE_SECONDS: Final = 8.0
"""For passes in flight; a pod has 30 s between SIGTERM and SIGKILL by default."""

FIRST_LOOK_SECONDS: Final = 60.0
"""The watches wait no longer for the first look at all resources."""

GC_THRESHOLDS: Final = (20_000, 20, 50)
"""Python's defaults (700, 10, 10) take a fifth of a start with ten thousand resources."""

CONFIGURATION_EXIT: Final = 78
FAILURE_EXIT: Final = 1

_DESCRIPTION: Final = """\
Watches ModelMaintenance resources and their metrics, and decides for each deployed model:
fine-tune, retrain or neither. Trainings run as Jobs; the better model is promoted.
"""
_EPILOG: Final = """\
In a cluster the operator uses its service account; elsewhere KUBECONFIG or ~/.kube/config:

  cat > config.yaml <<END
  prometheusServers:
    default: {url: "http://localhost:9090"}
  trainer: {image: "model-maintenance/trainer:0.1.0"}
  END
  python -m maintenance_operator run --config config.yaml --log-format text

GET /healthz fails when the watches are dead, /readyz until they have begun; /metrics is
Prometheus'. SIGTERM waits a few seconds for what is in flight. Everything is kept in the cluster:
the operator may be killed at any moment and takes up where it was.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    options = _parser().parse_args(arguments)
    try:
        settings = _settings(options, os.environ)
    except ConfigurationError as error:
        print(f"configuration: {error}", file=sys.stderr)
        return CONFIGURATION_EXIT
    configure_logging(settings.log_format, settings.log_level)
    _collect_seldom()
    try:
        asyncio.run(run(settings))
    except OperatorError as error:
        logger.critical("%s", error)
        return FAILURE_EXIT
    except Exception:
        logger.critical("The operator ends; a watch may have died for good", exc_info=True)
        return FAILURE_EXIT
    return 0


def _collect_seldom() -> None:
    """Collect cycles less often: bodies are trees, which reference counting frees."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m maintenance_operator",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="command", required=True)
    start = commands.add_parser(
        "run",
        help="watch and maintain, until SIGTERM",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    start.add_argument(
        "--config",
        type=Path,
        default=DEFAULT_CONFIG,
        metavar="FILE",
        help=f"YAML; the default is {DEFAULT_CONFIG}",
    )
    start.add_argument(
        "--namespace",
        action="append",
        default=[],
        metavar="NS",
        help="watch this namespace only; may be given several times "
        "(overrides watchNamespaces of the file; none: all)",
    )
    start.add_argument(
        "--port",
        type=int,
        metavar="PORT",
        help="of /healthz, /readyz and /metrics (overrides http.port; 0: any)",
    )
    start.add_argument("--log-format", choices=LOG_FORMATS, help="overrides log.format")
    start.add_argument("--log-level", choices=LOG_LEVELS, help="overrides log.level")
    return parser


def _settings(options: argparse.Namespace, environment: Mapping[str, str]) -> Settings:
    settings = load(options.config, environment)
    changes: dict[str, Any] = {
        "log_format": options.log_format,
        "log_level": options.log_level,
        "http_port": options.port,
        "watch_namespaces": check_namespaces(options.namespace, "--namespace") or None,
    }
    return replace(settings, **{key: value for key, value in changes.items() if value is not None})


async def run(settings: Settings) -> None:
    """Wire the parts, and run them until SIGTERM or until one of them dies."""
    loop = asyncio.get_running_loop()
    stop, telemetry, resources = asyncio.Event(), Telemetry(), ResourceCache()
    watches = Watches(expected_watches(settings.watch_namespaces), loop.time)
    agent = f"model-maintenance-operator/{__version__}"
    async with (
        Cluster(await login(), user_agent=agent) as cluster,
        Prometheus(settings.prometheus_servers, telemetry) as prometheus,
        _served(watches, telemetry, settings.http_port),
    ):
        _stop_on_signals(stop)
        await _until_crd(cluster, settings.watch_namespaces, stop)
        reconcile = Reconciler(
            cluster=cluster,
            metrics=prometheus,
            resources=resources,
            telemetry=telemetry,
            trainer=TrainerImage(
                settings.trainer_image,
                settings.trainer_pull_policy,
                settings.allowed,
                settings.scratch,
            ),
            clock=Clock(),
            fleet_breaches=FleetBreaches(settings.most_breaching_percent, telemetry),
        )
        unlisted: set[str] = set()
        work_queue = WorkQueue(
            reconcile,
            resources,
            telemetry,
            relist=lambda: _listed(cluster, settings, unlisted),
            relist_config_maps=lambda: _listed_config_maps(cluster, settings, unlisted),
            is_unlisted=lambda name: name in unlisted and not watches.out_of_reach((name, PLURAL)),
        )
        registry = kopf.OperatorRegistry()
        register(registry, work_queue, resources)
        logger.info(
            "Watching %s",
            ", ".join(settings.watch_namespaces) or "all namespaces",
            extra={
                "version": __version__,
                "prometheus_servers": sorted(settings.prometheus_servers),
            },
        )
        first = functools.partial(_first_look, cluster, settings, work_queue, resources)
        await _run_queue_and_watches(
            work_queue, first, registry, settings.watch_namespaces, watches, stop
        )
    logger.info("Stopped")


async def _first_look(
    cluster: Cluster, settings: Settings, work_queue: WorkQueue, resources: ResourceCache
) -> None:
    """List everything and look at it once, before the watches begin: they tell it one by one.

    ConfigMaps come first, or each resource would ask for its own. Resources are taken no faster
    than they are looked at: what waits has to be packed.
    """
    try:
        async with asyncio.timeout(FIRST_LOOK_SECONDS):
            async for key, config_map in _listed_config_maps(cluster, settings, set()):
                resources.config_map_seen(key, config_map)
            async for body in _listed(cluster, settings, set()):
                work_queue.seen(body)
                await work_queue.drained(to=PAGE)
            await work_queue.drained()
    except (ClusterError, Gone, TimeoutError) as error:
        logger.warning("The first look was cut short, the watches tell the rest: %s", error)


async def _run_queue_and_watches(
    work_queue: WorkQueue,
    first_look: Callable[[], Coroutine[Any, Any, None]],
    registry: kopf.OperatorRegistry,
    namespaces: Sequence[str],
    watches: Watches,
    stop: asyncio.Event,
) -> None:
    """Run work queue and watches; when one ends, or at ``stop``, end the other in order."""
    stop_watching, ready = asyncio.Event(), asyncio.Event()
    working = asyncio.create_task(work_queue.run(), name="work queue")
    stopping = asyncio.create_task(stop.wait(), name="stop")
    looking = asyncio.create_task(first_look(), name="first look")
    await asyncio.wait({looking, stopping, working}, return_when=asyncio.FIRST_COMPLETED)
    looking.cancel()
    await asyncio.gather(looking, return_exceptions=True)
    await asyncio.sleep(0)  # kopf cancels, when it ends, what was begun after it
    watching = asyncio.create_task(
        watch(registry, namespaces, watches, stop_watching, ready, work_queue.relist_now),
        name="watches",
    )
    signals = asyncio.create_task(_signals_after(ready, stop), name="signals")
    try:
        await asyncio.wait({working, stopping, watching}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        signals.cancel()
        await work_queue.stop(GRACE_SECONDS)
        stop_watching.set()
        results = await asyncio.gather(watching, working, return_exceptions=True)
        stopping.cancel()
    for result in results:
        if isinstance(result, BaseException):
            raise result


def _stop_on_signals(stop: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)


async def _signals_after(ready: asyncio.Event, stop: asyncio.Event) -> None:
    """Handle signals again after kopf has taken them, so that passes in flight can end."""
    await ready.wait()
    _stop_on_signals(stop)


async def _until_crd(cluster: Cluster, namespaces: Sequence[str], stop: asyncio.Event) -> None:
    """Wait for the CRD: kopf would pass over a kind that is not there, and never look again."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + CRD_WAIT_SECONDS
    while not stop.is_set():
        try:
            await _served_somewhere(cluster, namespaces)
        except (ClusterError, Gone) as error:
            if loop.time() > deadline:
                raise
            answered = isinstance(error, Gone) or error.refused
            awaited = f"{PLURAL}.{GROUP} (is the CRD installed?)" if answered else "the API server"
            logger.warning("Waiting for %s: %s", awaited, error)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), CRD_RETRY_SECONDS)
        else:
            return


async def _served_somewhere(cluster: Cluster, namespaces: Sequence[str]) -> None:
    """Nothing where one namespace has such a kind; one that is gone takes its Role along.

    Raises what the last one says where all refuse.
    """
    for last, namespace in enumerate(namespaces or (None,), start=1):
        try:
            await cluster.served(namespace)
        except (ClusterError, Gone) as error:
            if last >= len(namespaces) or not _is_forbidden(error):
                raise
        else:
            return


def _is_forbidden(error: ClusterError | Gone) -> bool:
    return isinstance(error, ClusterError) and error.code == HTTPStatus.FORBIDDEN


async def _of_each(
    namespaces: Sequence[str],
    listed: Callable[[str | None], AsyncIterator[_Listed]],
    unlisted: set[str],
) -> AsyncIterator[_Listed]:
    """What a list shows of each namespace; ``unlisted`` are those that may not be listed."""
    passed_over = 0
    for namespace in namespaces or (None,):
        unlisted.discard(namespace or "")
        try:
            async for body in listed(namespace):
                yield body
        except ClusterError as error:
            passed_over += 1
            if not _is_forbidden(error) or passed_over >= max(1, len(namespaces)):
                raise
            unlisted.add(namespace or "")
            logger.warning("Namespace %s is passed over: %s", namespace, error)


def _listed(
    cluster: Cluster, settings: Settings, unlisted: set[str]
) -> AsyncIterator[Mapping[str, Any]]:
    return _of_each(settings.watch_namespaces, cluster.resources, unlisted)


async def _listed_config_maps(
    cluster: Cluster, settings: Settings, unlisted: set[str]
) -> AsyncIterator[tuple[Key, Mapping[str, Any]]]:
    async for body in _of_each(settings.watch_namespaces, cluster.config_maps, unlisted):
        if (key := resource_of_config_map(body)) is not None:
            yield key, body


@contextlib.asynccontextmanager
async def _served(watches: Watches, telemetry: Telemetry, port: int) -> AsyncIterator[None]:
    runner = web.AppRunner(
        application(watches, telemetry.exposition), access_log=None, shutdown_timeout=1.0
    )
    await runner.setup()
    try:
        site = web.TCPSite(runner, port=port)
        try:
            await site.start()
        except OSError as error:
            raise OperatorError(f"port {port} cannot be used: {error}; set http.port") from None
        # With port 0 each family has a port of its own; IPv4 addresses have two parts.
        _, chosen, *_ = min(runner.addresses, key=len)
        logger.info("Serving /healthz, /readyz and /metrics", extra={"port": chosen})
        yield
    finally:
        await runner.cleanup()


if __name__ == "__main__":
    sys.exit(main())

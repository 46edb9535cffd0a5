"""What the operator tells about itself: metrics, and logs that machines can read."""

import json
import logging
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.gc_collector import GCCollector
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector
from typing_extensions import override

from maintenance_contract.plain import plain
from maintenance_core.model import Action, RunOutcome
from maintenance_operator import __version__
from maintenance_operator.interning import Interner

PREFIX: Final = "model_maintenance"
MESSAGE_CHARACTERS: Final = 8192
"""Of a line of the log."""
_REQUEST_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_Row = tuple[tuple[str, bool], ...]
_RUN_BUCKETS: Final = (30, 60, 300, 900, 1800, 3600, 7200, 14400, 28800, 86400)


class Telemetry:
    """The operator's metrics, in a registry of their own. Times are seconds."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._conditions, self._readings = _Conditions(), _Readings()
        self.registry.register(self._conditions)
        self.registry.register(self._readings)
        self._own_metrics()
        self._product_metrics()
        ProcessCollector(registry=self.registry)
        GCCollector(registry=self.registry)

    def _own_metrics(self) -> None:
        self._requests = self._counter(
            "prometheus_requests", "Requests to Prometheus.", "server", "outcome"
        )
        self._request_seconds = self._histogram(
            "prometheus_request_duration_seconds",
            "Request to last byte.",
            _REQUEST_BUCKETS,
            "server",
        )
        self._metrics_errors = self._counter(
            "metrics_errors", "Readings that could not be had.", "server", "reason"
        )
        self._pass_seconds = self._histogram(
            "reconcile_duration_seconds", "One pass for one resource.", _REQUEST_BUCKETS
        )
        self._pass_errors = self._counter(
            "reconcile_errors", "Passes that met an error, by its type.", "error"
        )
        self._queue_depth = self._gauge("queue_depth", "Resources that wait for a worker.")
        self._followed = self._gauge("resources", "Resources that are followed.")
        self._awaited = self._gauge(
            "resources_awaited", "Of them, those not looked at since the operator started."
        )
        self._info = self._gauge("build_info", "Always 1; the label says what runs.", "version")
        self._info.labels(__version__).set(1)

    def _product_metrics(self) -> None:
        self._decisions = self._counter("decisions", "Decisions made.", "action", "reason")
        self._runs = self._counter("runs", "Runs that ended.", "action", "outcome")
        for action in Action:  # a counter that begins at 1 has not increased, so no alert sees it
            for outcome in RunOutcome:
                self._runs.labels(action.value, outcome.value)
        self._run_seconds = self._histogram(
            "run_duration_seconds", "Run allocated to run ended.", _RUN_BUCKETS, "action"
        )
        self._held = self._gauge(
            "held_resources",
            "Resources that wait, as too many of a server left their range together.",
            "server",
        )

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"{PREFIX}_{name}", text, labels, registry=self.registry)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(f"{PREFIX}_{name}", text, labels, registry=self.registry)

    def _histogram(
        self, name: str, text: str, buckets: tuple[float, ...], *labels: str
    ) -> Histogram:
        return Histogram(f"{PREFIX}_{name}", text, labels, buckets=buckets, registry=self.registry)

    # --- told by reconcile --------------------------------------------------------------

    def decided(self, action: str, reason: str) -> None:
        """A decision was written."""
        self._decisions.labels(action, reason).inc()

    def run_ended(self, action: str, outcome: str, seconds: float) -> None:
        """A run ended after so many seconds."""
        self._runs.labels(action, outcome).inc()
        self._run_seconds.labels(action).observe(seconds)

    def metrics_error(self, server: str, reason: str) -> None:
        """No usable reading, for this reason."""
        self._metrics_errors.labels(server, reason).inc()

    def performance(self, namespace: str, name: str, value: float, floor: float) -> None:
        """The latest reading, and what it is held against."""
        self._readings.rows[namespace, name] = value, floor

    def followed(self, resources: int, awaited: int) -> None:
        """So many resources are known, and so many of them have not been looked at yet."""
        self._followed.set(resources)
        self._awaited.set(awaited)

    def held(self, server: str, resources: int) -> None:
        """So many resources of a server wait, as too many left their range together."""
        self._held.labels(server).set(resources)

    def conditions(self, namespace: str, name: str, statuses: Mapping[str, str]) -> None:
        """The conditions of a resource: type → ``True``, ``False`` or ``Unknown``."""
        self._conditions.tell(namespace, name, statuses)

    def forget(self, namespace: str, name: str) -> None:
        """A resource is gone: its series end."""
        self._conditions.forget(namespace, name)
        self._readings.rows.pop((namespace, name), None)

    # --- counted by the work queue and the adapters ------------------------------------------

    def reconciled(self, seconds: float) -> None:
        """A pass ended."""
        self._pass_seconds.observe(seconds)

    def reconcile_failed(self, error: str) -> None:
        """A pass ended in an error of this type."""
        self._pass_errors.labels(error).inc()

    def queue_depth(self, depth: int) -> None:
        """So many resources wait for a worker."""
        self._queue_depth.set(depth)

    def prometheus_request(self, server: str, outcome: str, seconds: float) -> None:
        """A request to Prometheus ended; ``outcome`` is ``Success`` or a ``MetricsReason``."""
        self._requests.labels(server, outcome).inc()
        self._request_seconds.labels(server).observe(seconds)

    def exposition(self, names: Sequence[str] = ()) -> bytes:
        """All metrics in Prometheus' text format, or those of the given names."""
        if names:
            return generate_latest(self.registry.restricted_registry(names))
        return generate_latest(self.registry)


class _Conditions(Collector):
    """One series for each condition, made when asked for: ten thousand resources cost little."""

    def __init__(self) -> None:
        self._rows: dict[tuple[str, str], _Row] = {}
        self._interner = Interner()

    def tell(self, namespace: str, name: str, statuses: Mapping[str, str]) -> None:
        row = tuple(
            (kind, status == "True") for kind, status in statuses.items() if status != "Unknown"
        )
        self._rows[namespace, name] = self._interner(row)

    def forget(self, namespace: str, name: str) -> None:
        self._rows.pop((namespace, name), None)

    def describe(self) -> Iterator[GaugeMetricFamily]:
        yield GaugeMetricFamily(
            f"{PREFIX}_condition",
            "A condition of a resource: 1 True, 0 False, no series Unknown.",
            labels=("namespace", "name", "type"),
        )

    @override
    def collect(self) -> Iterator[GaugeMetricFamily]:
        (family,) = self.describe()
        for (namespace, name), row in self._rows.items():
            for kind, status in row:
                family.add_metric((namespace, name, kind), float(status))
        yield family


class _Readings(Collector):
    """Readings and what they are held against, by namespace and name; as lean as conditions."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, str], tuple[float, float]] = {}

    def describe(self) -> Iterator[GaugeMetricFamily]:
        for name, text in (
            ("performance", "The latest reading that counts."),
            ("performance_threshold", "The floor or ceiling it is held against."),
        ):
            yield GaugeMetricFamily(f"{PREFIX}_{name}", text, labels=("namespace", "name"))

    @override
    def collect(self) -> Iterator[GaugeMetricFamily]:
        for index, family in enumerate(self.describe()):
            for key, row in self.rows.items():
                family.add_metric(key, row[index])
            yield family


# --- logs -------------------------------------------------------------------------------

_FIELDS: Final = ("namespace", "resource", "run")
_RESERVED: Final = frozenset(logging.LogRecord("", 0, "", 0, "", None, None).__dict__) | {
    "message",
    "asctime",
    "taskName",
    "settings",
    "k8s_skip",
    "k8s_ref",
    *_FIELDS,
}


def configure_logging(log_format: str, level: str) -> None:
    """Send all logs, kopf's included, to stdout: ``json``, one object a line, or ``text``."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonFormatter() if log_format == "json" else TextFormatter())
    logging.basicConfig(handlers=[handler], level=level.upper(), force=True)
    logging.getLogger("kopf.objects").setLevel(logging.WARNING)  # else a line for every event seen
    logging.getLogger("aiohttp.access").setLevel(logging.WARNING)
    logging.captureWarnings(capture=True)


class JsonFormatter(logging.Formatter):
    """``{"time", "level", "logger", "message", "namespace", "name", "run", …}``."""

    @override
    def format(self, record: logging.LogRecord) -> str:
        document: dict[str, Any] = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": plain(record.getMessage(), MESSAGE_CHARACTERS),
            **_subject(record),
        }
        document |= {key: value for key, value in record.__dict__.items() if key not in _RESERVED}
        if record.exc_info:
            document["traceback"] = self.formatException(record.exc_info)
        return json.dumps(document, ensure_ascii=False, default=str)


class TextFormatter(logging.Formatter):
    """For eyes: time, level, the resource, the message."""

    @override
    def format(self, record: logging.LogRecord) -> str:
        subject = _subject(record)
        where = "/".join(str(subject[key]) for key in ("namespace", "name") if key in subject)
        if "run" in subject:
            where += f" run {subject['run']}"
        line = " ".join(
            part
            for part in (
                _time(record),
                record.levelname,
                where and f"[{where}]",
                plain(record.getMessage(), MESSAGE_CHARACTERS),
            )
            if part
        )
        if record.exc_info:
            line += "\n" + self.formatException(record.exc_info)
        return line


def _time(record: logging.LogRecord) -> str:
    time = datetime.fromtimestamp(record.created, UTC)
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _subject(record: logging.LogRecord) -> dict[str, Any]:
    """What a record is about. ``name`` is the logger's in Python: it travels as ``resource``."""
    kopf: Mapping[str, Any] = getattr(record, "k8s_ref", {})
    subject = {
        "namespace": getattr(record, "namespace", kopf.get("namespace")),
        "name": getattr(record, "resource", kopf.get("name")),
        "run": getattr(record, "run", None),
    }
    return {key: value for key, value in subject.items() if value is not None}

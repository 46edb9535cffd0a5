"""Eyes on an example: its resource, its Jobs, its events and its metrics."""

import json
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from kubernetes import config

from maintenance_examples import waiting
from maintenance_examples.clusters import MONITORING
from maintenance_examples.deployment import Example
from maintenance_examples.shell import Failure

PROMETHEUS_PATH = f"/api/v1/namespaces/{MONITORING}/services/prometheus:9090/proxy"
GROUP, VERSION, PLURAL = "modelmaintenance.dev", "v1alpha1", "modelmaintenances"
Document = dict[str, Any]


@dataclass(slots=True)
class Watched:
    """One look after another at a resource (``name``; else the example's own) and its metrics.

    Keeps each decision by its number.
    """

    example: Example
    name: str = ""
    decisions: dict[int, Document] = field(default_factory=dict)
    _told: set[str] = field(default_factory=set)
    _api: Any = None

    def __post_init__(self) -> None:
        self.name = self.name or self.example.name
        self._api = config.new_client_from_config(str(self.example.cluster.kubeconfig))

    def status(self) -> Document:
        """The resource's status as it is now; empty while there is none."""
        path = f"/apis/{GROUP}/{VERSION}/namespaces/{self.example.name}/{PLURAL}/{self.name}"
        status: Document = self._get(path).get("status", {})
        decision = status.get("decision")
        if decision:
            self.decisions[decision["number"]] = decision
        return status

    def new_events(self) -> list[tuple[str, str, str]]:
        """Events on the resource that were not returned before: type, reason, message."""
        found = self._get(f"/apis/events.k8s.io/v1/namespaces/{self.example.name}/events")
        mine = [
            event for event in found.get("items", [])
            if event["regarding"].get("kind") == "ModelMaintenance"
            and event["regarding"].get("name") == self.name
            and event["metadata"]["uid"] not in self._told
        ]  # fmt: skip
        self._told.update(event["metadata"]["uid"] for event in mine)
        mine.sort(key=lambda event: event.get("eventTime") or "")
        return [(event["type"], event["reason"], event.get("note", "")) for event in mine]

    def jobs(self) -> list[str]:
        """The names of the Jobs in the example's namespace."""
        found = self._get(f"/apis/batch/v1/namespaces/{self.example.name}/jobs")
        return [job["metadata"]["name"] for job in found.get("items", [])]

    def progress(self) -> str:
        """The last line that the running Job's pod has said; empty without one."""
        pods = f"/api/v1/namespaces/{self.example.name}/pods"
        ours = "labelSelector=app.kubernetes.io/managed-by=model-maintenance"
        running = [
            pod["metadata"]["name"]
            for pod in self._get(f"{pods}?{ours}&fieldSelector=status.phase=Running")["items"]
        ]
        if not running:
            return ""
        status, said = self._fetch(f"{pods}/{running[0]}/log?tailLines=1")
        # The trainer's own clock ("[  12.3 s] training ...") is left out: the reader has one.
        return said.strip().rpartition("s] ")[2] if status == HTTPStatus.OK else ""

    def how_far(self) -> tuple[object, ...]:
        """A value that changes as long as the resource's run gets on, or its pods do."""
        status = self.status()
        run = status.get("run") or {}
        pods = self._get(f"/api/v1/namespaces/{self.example.name}/pods")["items"]
        phases = sorted((pod["metadata"]["name"], pod["status"]["phase"]) for pod in pods)
        waits = tuple(f"{name}: {why}: {told}" for name, why, told in waiting.reasons(pods))
        done = len(status.get("history", []))
        return done, run.get("number"), run.get("step"), self.progress(), tuple(phases), waits

    def accuracy(self, seconds: int = 5) -> float | None:
        """What Prometheus says of the last seconds; None where it has nothing."""
        return self.query(f'avg(avg_over_time(model_accuracy{{model="{self.name}"}}[{seconds}s]))')

    def served_version(self) -> int | None:
        """The version that answered last."""
        value = self._ask(f'model_accuracy{{model="{self.name}"}}')
        return max((int(series["metric"]["version"]) for series in value), default=None)

    def answers(self, version: int) -> int:
        """How many answers of a version have been counted; 0 while Prometheus is away."""
        labels = f'model="{self.name}",version="{version}"'
        return self._count(f"sum(model_predictions_total{{{labels}}})")

    def readings(self) -> int:
        """How often the operator has read the metric and the number of its samples."""
        return self._count(
            'sum(model_maintenance_prometheus_requests_total{outcome="Success"}) / 2'
        )

    def _count(self, query: str) -> int:
        try:
            return int(self.query(query) or 0)
        except OSError:
            return 0

    def query(self, query: str) -> float | None:
        """A query that yields one number or none."""
        found = self._ask(query)
        return float(found[0]["value"][1]) if found else None

    def _get(self, path: str) -> Document:
        """What the API server has there; empty where it has nothing."""
        status, text = self._fetch(path)
        if status == HTTPStatus.NOT_FOUND:
            return {}
        if status != HTTPStatus.OK:
            raise Failure(f"GET {path}: {status}: {text[:500]}")
        found: Document = json.loads(text)
        return found

    def _fetch(self, path: str) -> tuple[int, str]:
        url = self._api.configuration.host + path
        response = self._api.call_api("GET", url, {"Accept": "application/json"})
        return response.status, response.read().decode(errors="replace")

    def _ask(self, query: str) -> list[Document]:
        """Of the examples' Prometheus, by the API server, for it may not be reached from here."""
        path = f"{PROMETHEUS_PATH}/api/v1/query?{urllib.parse.urlencode({'query': query})}"
        status, text = self._fetch(path)
        if status != HTTPStatus.OK:
            raise OSError(f"Prometheus: {status}: {text[:200]}")
        result: list[Document] = json.loads(text)["data"]["result"]
        return result


def condition(status: Mapping[str, Any], kind: str) -> Document | None:
    """A condition of a status."""
    found = (c for c in status.get("conditions", []) if c["type"] == kind)
    return next(found, None)


def is_true(status: Mapping[str, Any], kind: str) -> bool:
    """Whether a condition is True."""
    found = condition(status, kind)
    return found is not None and found["status"] == "True"

"""Which Prometheus ``kubectl mm check`` asks, and on which way."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final
from urllib.parse import quote, urlsplit, urlunsplit

import yaml

from maintenance_core import model
from maintenance_core.allowed import Allowed
from maintenance_core.errors import ClusterError, Gone, MetricsError
from maintenance_core.reasons import MetricsReason
from maintenance_operator.adapters.prometheus import Connect
from maintenance_operator.cli.access import Access
from maintenance_operator.settings import ConfigurationError, check_url, read_allowed, read_servers

PORTS: Final = {"http": 80, "https": 443}
_HINT: Final = (
    "name the server yourself: --prometheus URL, for example after kubectl -n monitoring "
    "port-forward service/prometheus-operated 9090 with --prometheus http://localhost:9090"
)


@dataclass(frozen=True, slots=True)
class ReachableServer:
    """``asked``: as the operator's configuration has it, or only an address that a person gave.

    ``told``: the way to it. ``connect``: None for a plain session.
    """

    asked: model.Server
    told: str
    connect: Connect | None = None


@dataclass(frozen=True, slots=True)
class Service:
    """A Service that an address names."""

    scheme: str
    namespace: str
    name: str
    port: int
    path: str

    @property
    def proxy(self) -> str:
        """Its path on the API server."""
        target = quote(f"{self.scheme}:{self.name}:{self.port}", safe=":")
        namespace = quote(self.namespace, safe="")
        return f"/api/v1/namespaces/{namespace}/services/{target}/proxy{self.path}"


def given(url: str) -> ReachableServer:
    """The server that the person names.

    Raises:
        ConfigurationError: it is no address.
    """
    server = model.Server(check_url(url, "--prometheus"))
    return ReachableServer(server, f"asked at {without_password(url)}")


async def configured(access: Access, namespace: str, name: str) -> ReachableServer:
    """The server of that name in the operator's configuration.

    Raises:
        MetricsError: the configuration names no such server.
        ClusterError: the configuration cannot be read; says what to write instead.
    """
    servers = await _servers(access, namespace)
    if name not in servers:
        known = ", ".join(sorted(servers)) or "none"
        raise MetricsError(
            MetricsReason.UNKNOWN_SERVER,
            f"{name!r} is not in the operator's configuration; known: {known}",
        )
    found = _without_files(servers[name])
    service = service_of(found.url, namespace)
    if service is None or not await _exists(access, service):
        return ReachableServer(found, f"{name}, asked at {without_password(found.url)}")
    return ReachableServer(
        replace(found, url=access.host + service.proxy),
        f"{name}, asked through the API server: Service {service.namespace}/{service.name}",
        access.session,
    )


def _without_files(server: model.Server) -> model.Server:
    """What holds for whoever asks; tokens and certificates lie in the operator's pod alone."""
    return model.Server(
        server.url,
        server.headers,
        namespaces=server.namespaces,
        enforced_matchers=server.enforced_matchers,
    )


def service_of(url: str, namespace: str) -> Service | None:
    """The Service that an address within the cluster names, None for any other address."""
    parts = urlsplit(url)
    labels = (parts.hostname or "").split(".")
    if len(labels) == 1 and labels != ["localhost"]:
        labels.append(namespace)
    within = len(labels) == 2 or labels[2:3] == ["svc"]  # noqa: PLR2004 - name and namespace
    if not within or parts.username or not all(labels[:2]):
        return None
    port = parts.port or PORTS[parts.scheme]
    return Service(parts.scheme, labels[1], labels[0], port, parts.path.rstrip("/"))


def without_password(url: str) -> str:
    """An address fit for a screen."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


async def allowed(access: Access, namespace: str) -> Allowed | None:
    """What the operator's configuration allows of pods; None where it cannot be read."""
    try:
        trainer = (await _document(access, namespace)).get("trainer")
        return read_allowed(trainer.get("allow", {}) if isinstance(trainer, Mapping) else {})
    except (ClusterError, ConfigurationError):
        return None


async def _servers(access: Access, namespace: str) -> dict[str, model.Server]:
    entries = (await _document(access, namespace)).get("prometheusServers") or {}
    try:
        return read_servers(entries)
    except ConfigurationError as error:
        raise ClusterError(f"the operator's configuration cannot be used: {error}") from None


async def _document(access: Access, namespace: str) -> Mapping[str, Any]:
    """The operator's configuration as it is written."""
    try:
        maps = await access.configurations(namespace)
    except (ClusterError, Gone) as error:
        raise ClusterError(
            f"the operator's configuration cannot be read ({error}): {_HINT}"
        ) from None
    documents = [_configuration(found) for found in maps]
    read = [document for document in documents if document is not None]
    if not read:
        raise ClusterError(
            f"no operator's configuration is in the namespace {namespace} (--operator-namespace): "
            f"{_HINT}"
        )
    return read[-1]


def _configuration(config_map: Mapping[str, Any]) -> Mapping[str, Any] | None:
    text = (config_map.get("data") or {}).get("config.yaml")
    try:
        document = yaml.safe_load(text) if isinstance(text, str) else None
    except yaml.YAMLError:
        return None
    return document if isinstance(document, Mapping) else None


async def _exists(access: Access, service: Service) -> bool:
    try:
        return await access.service(service.namespace, service.name) is not None
    except ClusterError:
        return True  # no right to look; the question itself will tell

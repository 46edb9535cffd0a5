"""``kubectl mm check``: what the operator would see, asked of the real Prometheus."""

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

import yaml

from maintenance_operator.adapters.prometheus import Prometheus
from maintenance_operator.cli import findings, schema, servers
from maintenance_operator.cli.access import Access
from maintenance_operator.cli.findings import UNKNOWN_FIELD, Answers, Checked, Finding, wrong
from maintenance_operator.cli.resource import moment_of, parsed
from maintenance_operator.cli.schema import Schema
from maintenance_operator.core import outcomes as counters
from maintenance_operator.core.grid import reading_times
from maintenance_operator.core.model import Metrics, Outcomes, Series, Spec
from maintenance_operator.core.names import GROUP, KIND, VERSION
from maintenance_operator.core.sequential import Window
from maintenance_operator.errors import ClusterError, Gone, MetricsError, OperatorError, SpecError

API_VERSION: Final = f"{GROUP}/{VERSION}"
STDIN: Final = "-"


@dataclass(frozen=True, slots=True)
class Source:
    """A document of a file. ``name``: the file, and which of its documents if there are several."""

    name: str
    document: Any


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a check may ask.

    ``access`` is None without a cluster; then ``crd`` has the defaults. ``prometheus`` is the
    address that the person gave, None for the operator's own.
    """

    namespace: str
    explicit_namespace: bool
    access: Access | None
    crd: Schema | None
    prometheus: str | None
    operator_namespace: str
    now: datetime


class Silent:
    """Telemetry that nobody reads."""

    def prometheus_request(self, server: str, outcome: str, seconds: float) -> None:
        """A request ended."""


# --- files ------------------------------------------------------------------------------


def sources(file: str) -> list[Source]:
    """The documents of a file; lists come item by item.

    Raises:
        OperatorError: there is no such file.
    """
    name = "standard input" if file == STDIN else file
    try:
        text = sys.stdin.read() if file == STDIN else Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise OperatorError(f"{name}: {error}") from None
    try:
        documents = [document for document in yaml.safe_load_all(text) if document is not None]
    except yaml.YAMLError as error:
        return [Source(name, error)]
    flat = [item for document in documents for item in _items(document)]
    if len(flat) == 1:
        return [Source(name, flat[0])]
    return [Source(f"{name}, document {number}", item) for number, item in enumerate(flat, 1)]


def _items(document: Any) -> Iterator[Any]:
    if isinstance(document, Mapping) and str(document.get("kind", "")).endswith("List"):
        yield from document.get("items") or ()
    else:
        yield document


def crd_of(file: str) -> Schema:
    """The schema in a file that holds the CRD.

    Raises:
        OperatorError: it does not.
    """
    for source in sources(file):
        found = schema.of_crd(source.document)
        if found is not None:
            return found
    raise OperatorError(f"--crd {file}: no CustomResourceDefinition of {KIND} {API_VERSION} in it")


def is_other(document: Any) -> bool:
    """Whether it is an object of another kind, which is none of our business."""
    return (
        isinstance(document, Mapping)
        and isinstance(document.get("kind"), str)
        and document["kind"] != KIND
        and "apiVersion" in document
    )


# --- one document -----------------------------------------------------------------------


async def check(source: Source, around: Surroundings) -> Checked:
    """Say what is wrong with one document, and what the operator would read."""
    shape = list(_shape(source.document, around))
    if shape:
        return Checked(source.name, _name(source.document, around), tuple(shape))
    document = {**source.document, "metadata": dict(source.document["metadata"])}
    document["metadata"].setdefault("namespace", around.namespace)
    name = f"{KIND} {_name(document, around)}"
    found, spec, since = await _written(document, around)
    if not isinstance(spec, Spec):
        if not any(_about(finding.field, spec.field) for finding in found if not finding.ok):
            found.append(findings.of_spec_error(spec))
        return Checked(source.name, name, tuple(found))
    namespace = str(document["metadata"]["namespace"])
    read, points = await _readings(spec.metrics, since, around, namespace)
    gauge = spec.metrics if isinstance(spec.metrics, Metrics) else None
    return Checked(source.name, name, (*found, *read), points, gauge)


def _about(field: str, other: str) -> bool:
    """Whether a finding on a field says enough of another, the same or one within it."""
    return bool(field) and f"{other}.".startswith(f"{field}.")


def _shape(document: Any, around: Surroundings) -> Iterator[Finding]:
    """What keeps a document from being a resource at all."""
    if isinstance(document, yaml.YAMLError):
        yield wrong("", f"no YAML: {document}")
        return
    if not isinstance(document, Mapping):
        kind = type(document).__name__
        yield wrong("", f"an object is expected, not {kind}")
        return
    if document.get("kind") != KIND:
        yield wrong("kind", f"write {KIND}")
    if document.get("apiVersion") != API_VERSION:
        yield wrong("apiVersion", f"write {API_VERSION}")
    metadata = document.get("metadata")
    if not isinstance(metadata, Mapping) or not isinstance(metadata.get("name"), str):
        yield wrong("metadata.name", "give the resource a name")
        return
    own = metadata.get("namespace")
    if around.explicit_namespace and own not in {None, around.namespace}:
        yield wrong(
            "metadata.namespace", f"is {own}, but -n says {around.namespace}: leave one of them out"
        )


def _name(document: Any, around: Surroundings) -> str:
    metadata = document.get("metadata") if isinstance(document, Mapping) else None
    if not isinstance(metadata, Mapping) or not isinstance(metadata.get("name"), str):
        return ""
    return f"{metadata.get('namespace') or around.namespace}/{metadata['name']}"


async def _written(
    document: Mapping[str, Any], around: Surroundings
) -> tuple[list[Finding], Spec | SpecError, datetime | None]:
    """What the schema says; the spec with defaults; since when the champion serves, if one does."""
    if around.access is None:
        assert around.crd is not None, "the command asks for one of them"  # noqa: S101
        found = _by_schema(document, around.crd)
        filled = schema.with_defaults(document, around.crd)
        return found, parsed(_spec_of(filled)), None
    status, answer = await around.access.dry_run(document)
    if status < HTTPStatus.MULTIPLE_CHOICES:
        accepted = Finding("", "the API server accepts it (a dry run: nothing was stored)")
        champion = (answer.get("status") or {}).get("champion") or {}
        since = moment_of(champion.get("promotedTime"))
        return [accepted], parsed(_spec_of(answer)), since
    if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        raise ClusterError(
            f"{answer.get('message', status)}; a dry run needs the rights of kubectl apply. "
            "Without them: --crd FILE, the CRD's manifest"
        )
    published = await _published(around.access)
    found = [_suggesting(finding, published) for finding in findings.of_refusal(status, answer)]
    return found, parsed(_spec_of(schema.with_defaults(document, published))), None


def _by_schema(document: Mapping[str, Any], crd: Schema) -> list[Finding]:
    known = (crd.get("properties") or {}).get("spec") or {}
    unknown = [
        wrong(path, f"{UNKNOWN_FIELD}: {instead}")
        for path, instead in schema.unknown_fields(document.get("spec") or {}, known, "spec")
    ]
    return unknown or [
        Finding("", "every field is known; the schema's rules are asked of an API server only")
    ]


async def _published(access: Access) -> Schema:
    """The schema that the API server publishes; empty where it does not."""
    try:
        return schema.of_openapi(await access.schema()) or {}
    except (ClusterError, Gone):
        return {}


def _suggesting(finding: Finding, published: Schema) -> Finding:
    if finding.told != UNKNOWN_FIELD:
        return finding
    instead = schema.suggestion(finding.field, published)
    return wrong(finding.field, f"{UNKNOWN_FIELD}: {instead}")


def _spec_of(document: Mapping[str, Any]) -> Mapping[str, Any]:
    spec = document.get("spec")
    return spec if isinstance(spec, Mapping) else {}


# --- Prometheus -------------------------------------------------------------------------


async def _readings(
    metrics: Metrics | Outcomes, since: datetime | None, around: Surroundings, namespace: str
) -> tuple[list[Finding], tuple[findings.Point, ...]]:
    """Ask as the operator does, on the same grid, with the same client."""
    try:
        server = await chosen(metrics, around.access, around.prometheus, around.operator_namespace)
    except MetricsError as error:
        return [wrong("spec.metrics.server", str(error), error.reason)], ()
    grid = reading_times(metrics, around.now)
    if isinstance(metrics, Outcomes):
        labels = await _windows(server, metrics, grid, namespace)
        return [
            Finding("spec.metrics.server", server.told),
            *findings.of_labels(metrics, labels),
        ], ()
    answers = await asked(server, metrics, grid, namespace)
    found, points = findings.of_answers(metrics, answers, grid, since)
    return [Finding("spec.metrics.server", server.told), *found], points


async def _windows(
    server: servers.Server, outcomes: Outcomes, grid: tuple[datetime, ...], namespace: str
) -> tuple[Window, ...] | MetricsError:
    """What the counters say of the last interval, whichever version is in service."""
    try:
        async with reaching(server, outcomes.server) as prometheus:
            query = counters.query(outcomes, None)
            await prometheus.admit(namespace, outcomes.server, query)
            return counters.windows(outcomes, await prometheus.range(outcomes.server, query, grid))
    except MetricsError as error:
        return error


def reaching(server: servers.Server, name: str) -> Prometheus:
    """The operator's own client of a server."""
    options: dict[str, Any] = {} if server.connect is None else {"connect": server.connect}
    return Prometheus({name: server.asked}, Silent(), **options)


async def chosen(
    metrics: Metrics | Outcomes,
    access: Access | None,
    prometheus: str | None,
    operator_namespace: str,
) -> servers.Server:
    """The Prometheus to ask: the one given, or the operator's of that name."""
    if prometheus is not None:
        return servers.given(prometheus)
    assert access is not None, "the command asks for one of them"  # noqa: S101
    return await servers.configured(access, operator_namespace, metrics.server)


async def asked(
    server: servers.Server, metrics: Metrics, grid: tuple[datetime, ...], namespace: str
) -> Answers:
    """Both queries of a resource of that namespace, each answered or refused."""
    async with reaching(server, metrics.server) as prometheus:

        async def ask(query: str) -> tuple[Series, ...] | MetricsError:
            try:
                await prometheus.admit(namespace, metrics.server, query)
                return await prometheus.range(metrics.server, query, grid)
            except MetricsError as error:
                return error

        samples = metrics.samples
        return Answers(
            await ask(metrics.query), None if samples is None else await ask(samples.query)
        )

"""``kubectl mm check``: what the operator would see, asked of the real Prometheus."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

import yaml

from maintenance_contract import LOSSES
from maintenance_core.allowed import EVERYTHING, NOTHING_MORE, admit
from maintenance_core.errors import (
    ClusterError,
    Gone,
    MetricsError,
    OperatorError,
    SpecError,
)
from maintenance_core.lifecycle.conditions import is_down
from maintenance_core.model import Metrics, OutcomeCounters, Series, Spec
from maintenance_core.names import GROUP, KIND, VERSION
from maintenance_core.watch import counters
from maintenance_core.watch.assess import held_against
from maintenance_core.watch.e_detector import Window
from maintenance_core.watch.reading_times import reading_times
from maintenance_operator.adapters.calendar import Clock
from maintenance_operator.adapters.prometheus import Prometheus
from maintenance_operator.adapters.selectors import selections
from maintenance_operator.cli import findings, hints, manifests, rehearsal, schema, servers
from maintenance_operator.cli.access import Access
from maintenance_operator.cli.findings import UNKNOWN_FIELD, Answers, Checked, CheckFinding, wrong
from maintenance_operator.cli.resource import Resource
from maintenance_operator.cli.resource import read as read_resource
from maintenance_operator.cli.schema import Schema
from maintenance_operator.counter_cache import answered
from maintenance_operator.specs import read_spec

API_VERSION: Final = f"{GROUP}/{VERSION}"
STDIN: Final = "-"
MANIFESTS: Final = frozenset({".yaml", ".yml", ".json"})
_RIGHTS: Final = 'User "'
"""What the API server says where rights are lacking, and no policy does."""
_NO_ANSWER: Final = (
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.CONFLICT,
    HTTPStatus.TOO_MANY_REQUESTS,
)


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


def all_sources(files: Sequence[str]) -> list[Source]:
    """The documents of files and folders, in the order in which kubectl would apply them.

    Raises:
        OperatorError: there is no such file, or a folder holds no manifest.
    """
    return [source for file in files for one in _within(file) for source in sources(one)]


def _within(file: str) -> list[str]:
    """A folder's manifests by name, as ``kubectl apply -f FOLDER`` takes them."""
    folder = Path(file)
    if file == STDIN or not folder.is_dir():
        return [file]
    found = sorted(str(one) for one in folder.iterdir() if one.suffix in MANIFESTS)
    if not found:
        raise OperatorError(f"{file}: no {', '.join(sorted(MANIFESTS))} in this folder")
    return found


def sources(file: str) -> list[Source]:
    """The documents of a file; lists come item by item.

    Raises:
        OperatorError: there is no such file.
    """
    name = "standard input" if file == STDIN else file
    try:
        text = sys.stdin.read() if file == STDIN else Path(file).read_text(encoding="utf-8")
    except OSError as error:
        raise OperatorError(f"{name}: {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        raise OperatorError(f"{name}: no UTF-8: {error}") from None
    try:
        documents = manifests.documents(text)
    except yaml.YAMLError as error:
        return [Source(name, error)]
    flat = [item for document in documents for item in _items(document)]
    if len(flat) == 1:
        return [Source(name, flat[0])]
    return [Source(f"{name}, document {number}", item) for number, item in enumerate(flat, 1)]


def _items(document: Any) -> Iterator[Any]:
    """Of a list of whatever kind, what is in it; kubectl knows one by its items."""
    items = document.get("items") if isinstance(document, Mapping) else None
    if not isinstance(items, list):
        yield document
        return
    for item in items:
        yield from _items(item)


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


async def check(source: Source, around: Surroundings, before: Sequence[Source] = ()) -> Checked:
    """Say what is wrong with one document, and what the operator would read.

    ``before``: those that stand before it in the file, and would be applied first.
    """
    shape = list(_shape(source.document, around))
    if shape:
        return Checked(source.name, _name(source.document, around), tuple(shape))
    document = {**source.document, "metadata": dict(source.document["metadata"])}
    document["metadata"].setdefault("namespace", around.namespace)
    name = f"{KIND} {_name(document, around)}"
    found, resource = await _written(document, around)
    found += _same_name(document, around, before)
    spec = resource.spec
    if not isinstance(spec, Spec):
        if not any(_about(finding.field, spec.field) for finding in found if not finding.ok):
            found.append(findings.of_spec_error(spec))
        return Checked(source.name, name, findings.settled(found))
    found += _same_store(document, spec, around, before)
    found += await _pod(spec, resource.identity.namespace, around)
    read, points = await _readings(resource, spec, around)
    found += await _around(resource, spec, around, points)
    gauge = spec.metrics if isinstance(spec.metrics, Metrics) else None
    return Checked(source.name, name, findings.settled([*found, *read]), points, gauge)


def _same_name(
    document: Mapping[str, Any], around: Surroundings, before: Sequence[Source]
) -> list[CheckFinding]:
    name = _name(document, around)
    return [
        findings.hint("metadata.name", f"{other.name} has the same name, and is overwritten")
        for other in before
        if _name(other.document, around) == name
    ][:1]


def _same_store(
    document: Mapping[str, Any], spec: Spec, around: Surroundings, before: Sequence[Source]
) -> list[CheckFinding]:
    name = _name(document, around)
    namespace = name.partition("/")[0]
    return [
        rehearsal.shared_store(other.name)
        for other in before
        if (its := _name(other.document, around)) != name
        and its.partition("/")[0] == namespace
        and rehearsal.same_store(other.document.get("spec"), spec)
    ][:1]


async def _around(
    resource: Resource, spec: Spec, around: Surroundings, points: Sequence[findings.Point]
) -> list[CheckFinding]:
    """What stands in the way in the cluster, and what happens first."""
    found, served = (
        ([], False)
        if around.access is None
        else await rehearsal.obstacles(around.access, resource, spec, around.now)
    )
    _, due = read_spec(resource.raw_spec, Clock(), around.now)
    found += [] if due is None else [hints.of_schedule(due[1])]
    found += [] if resource.status.decision is None else hints.of_rows(resource.status.decision)
    if not served:
        read = any(point.value is not None for point in points)
        found.append(hints.of_first_version(spec, read=read))
    return found


async def _pod(spec: Spec, namespace: str, around: Surroundings) -> list[CheckFinding]:
    """Whether the resource may choose its pods so."""
    access = around.access
    known = None if access is None else await servers.allowed(access, around.operator_namespace)
    try:
        admit(spec.training.pod, namespace, known or EVERYTHING)
    except SpecError as error:
        return [findings.of_spec_error(error)]
    try:
        admit(spec.training.pod, namespace, known or NOTHING_MORE)
    except SpecError as error:  # the configuration, which cannot be read, may allow it
        return [findings.hint(error.field, str(error).removeprefix(f"{error.field}: "))]
    return []


def _about(field: str, other: str) -> bool:
    """Whether a finding on a field says enough of another, the same or one within it."""
    return bool(field) and f"{other}.".startswith(f"{field}.")


def _shape(document: Any, around: Surroundings) -> Iterator[CheckFinding]:
    """What keeps a document from being a resource at all."""
    if isinstance(document, yaml.YAMLError):
        yield wrong("", f"no YAML that kubectl reads: {document}")
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
) -> tuple[list[CheckFinding], Resource]:
    """What the schema says; the resource with defaults, and with its status if it is there."""
    if around.access is None:
        assert around.crd is not None, "the command asks for one of them"  # noqa: S101
        found = _by_schema(document, around.crd)
        return found, read_resource(_filled(document, around.crd))
    status, answer = await around.access.dry_run(document)
    if status < HTTPStatus.MULTIPLE_CHOICES:
        accepted = CheckFinding("", "the API server accepts it (a dry run: nothing was stored)")
        return [accepted], read_resource(answer)
    _must_be_an_answer(status, answer)
    published = await _published(around.access)
    found = [_suggesting(finding, published) for finding in findings.of_refusal(status, answer)]
    return found, read_resource(_filled(document, published))


def _filled(document: Mapping[str, Any], known: Schema) -> Mapping[str, Any]:
    filled: Mapping[str, Any] = schema.with_defaults(document, known)
    return {**filled, "spec": _spec_of(filled), "status": {}}


def _must_be_an_answer(status: int, answer: Mapping[str, Any]) -> None:
    """Raise where the API server says nothing of the document: no rights, no kind, no server."""
    said = str(answer.get("message") or status)
    told = answer.get("details")
    kind = told.get("kind") if isinstance(told, Mapping) else None
    if status == HTTPStatus.UNAUTHORIZED or (status == HTTPStatus.FORBIDDEN and _RIGHTS in said):
        raise ClusterError(
            f"{said}; a dry run needs the rights of kubectl apply. "
            "Without them: --crd FILE, the CRD's manifest"
        )
    if status == HTTPStatus.NOT_FOUND and kind != "namespaces":
        raise ClusterError(
            f"{said}; does this cluster have the CRD of {KIND}? Without it: --crd FILE"
        )
    if status in _NO_ANSWER or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        raise ClusterError(f"the API server answers {status}: {said}; try again")


def _by_schema(document: Mapping[str, Any], crd: Schema) -> list[CheckFinding]:
    known = (crd.get("properties") or {}).get("spec") or {}
    spec = document.get("spec")
    if not isinstance(spec, Mapping):
        return [wrong("spec", "write what is to be maintained, and how")]
    unknown = [
        wrong(path, f"{UNKNOWN_FIELD}: {instead}")
        for path, instead in schema.unknown_fields(spec, known, "spec")
    ]
    beyond = [wrong(path, told) for path, told in schema.violations(spec, known, "spec")]
    return unknown + beyond or [
        CheckFinding(
            "",
            "every field is known and within its bounds; the schema's rules across fields "
            "(CEL) are left to the API server",
        )
    ]


async def _published(access: Access) -> Schema:
    """The schema that the API server publishes; empty where it does not."""
    try:
        return schema.of_openapi(await access.schema()) or {}
    except (ClusterError, Gone):
        return {}


def _suggesting(finding: CheckFinding, published: Schema) -> CheckFinding:
    if finding.told != UNKNOWN_FIELD:
        return finding
    instead = schema.suggestion(finding.field, published)
    return wrong(finding.field, f"{UNKNOWN_FIELD}: {instead}")


def _spec_of(document: Mapping[str, Any]) -> Mapping[str, Any]:
    spec = document.get("spec")
    return spec if isinstance(spec, Mapping) else {}


# --- Prometheus -------------------------------------------------------------------------


async def _readings(
    resource: Resource, spec: Spec, around: Surroundings
) -> tuple[list[CheckFinding], tuple[findings.Point, ...]]:
    """Ask as the operator does, on the same grid, with the same client."""
    metrics, namespace = spec.metrics, resource.identity.namespace
    try:
        server = await chosen(metrics, around.access, around.prometheus, around.operator_namespace)
    except MetricsError as error:
        return [wrong("spec.metrics.server", str(error), error.reason)], ()
    grid = reading_times(metrics, around.now)
    found = [CheckFinding("spec.metrics.server", server.told)]
    points: tuple[findings.Point, ...] = ()
    if isinstance(metrics, OutcomeCounters):
        labels = await _windows(server, metrics, grid, namespace)
        found += findings.of_labels(metrics, labels)
        queries = {f"{findings.OUTCOMES}.counter": counters.query(metrics, None)}
    else:
        answers = await asked(server, metrics, grid, namespace)
        status = resource.status
        since, bounds = held_against(metrics, status, degraded=is_down(status))
        judged, points = findings.of_answers(metrics, answers, grid, since, bounds)
        shares = spec.gate.metric not in LOSSES
        found += [*judged, *hints.of_scale(metrics, points, shares=shares)]
        queries = hints.queries(spec)
        for where, query in queries.items():
            found += hints.of_windows(where, query, metrics.interval)
    if not any(finding.field == "spec.metrics.server" and not finding.ok for finding in found):
        found += await _spacing(server, metrics, queries, grid, namespace)
        found += await _new_data(server, spec, grid, namespace)
    return _with_the_way(found, server.told), points


def _with_the_way(found: Sequence[CheckFinding], told: str) -> list[CheckFinding]:
    """What is wrong with the server, and which way it was asked."""
    field = "spec.metrics.server"
    return [
        replace(finding, told=f"{told}. {finding.told}")
        if finding.field == field and not finding.ok
        else finding
        for finding in found
    ]


async def _spacing(
    server: servers.ReachableServer,
    metrics: Metrics | OutcomeCounters,
    queries: Mapping[str, str],
    grid: tuple[datetime, ...],
    namespace: str,
) -> list[CheckFinding]:
    """Whether windows hold enough samples; nothing where Prometheus does not tell."""
    found: list[CheckFinding] = []
    async with reaching(server, metrics.server) as prometheus:
        for where, query in queries.items():
            for selected in selections(query)[0]:
                ask, over = hints.spacing_query(selected, metrics.interval)
                try:
                    await prometheus.admit(namespace, metrics.server, ask)
                    answer = await prometheus.range(metrics.server, ask, grid[-1:])
                except MetricsError:
                    continue
                counts = [value for series in answer for _, value in series.points if value > 1]
                for count in counts:
                    found += hints.of_spacing(where, selected, metrics.interval, over / count)
    return found


async def _new_data(
    server: servers.ReachableServer, spec: Spec, grid: tuple[datetime, ...], namespace: str
) -> list[CheckFinding]:
    """The trigger's own query, which the operator lets pass in silence where it cannot be asked."""
    trigger, name = spec.triggers.new_data, spec.metrics.server
    if trigger is None:
        return []
    try:
        async with reaching(server, name) as prometheus:
            await prometheus.admit(namespace, name, trigger.query)
            answer = await prometheus.range(name, trigger.query, grid)
    except MetricsError as error:
        return [wrong("spec.triggers.newData.query", str(error), error.reason)]
    windows = hints.of_new_data_window(trigger, spec.metrics.interval)
    return [hints.of_new_data(trigger, answer, grid[-1]), *windows]


async def _windows(
    server: servers.ReachableServer,
    outcomes: OutcomeCounters,
    grid: tuple[datetime, ...],
    namespace: str,
) -> tuple[Window, ...] | MetricsError:
    """What the counters say of the last interval, whichever version is in service."""
    try:
        async with reaching(server, outcomes.server) as prometheus:
            query = counters.query(outcomes, None)
            await prometheus.admit(namespace, outcomes.server, query)
            return counters.readable(outcomes, await answered(prometheus, outcomes, query, grid))
    except MetricsError as error:
        return error


def reaching(server: servers.ReachableServer, name: str) -> Prometheus:
    """The operator's own client of a server."""
    options: dict[str, Any] = {} if server.connect is None else {"connect": server.connect}
    return Prometheus({name: server.asked}, Silent(), **options)


async def chosen(
    metrics: Metrics | OutcomeCounters,
    access: Access | None,
    prometheus: str | None,
    operator_namespace: str,
) -> servers.ReachableServer:
    """The Prometheus to ask: the one given, or the operator's of that name."""
    if prometheus is not None:
        return servers.given(prometheus)
    assert access is not None, "the command asks for one of them"  # noqa: S101
    return await servers.configured(access, operator_namespace, metrics.server)


async def asked(
    server: servers.ReachableServer, metrics: Metrics, grid: tuple[datetime, ...], namespace: str
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

"""``kubectl mm check`` against a real API server and a real Prometheus."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
import yaml
from aiohttp import web
from support.api import Api, path
from support.control_plane import ControlPlane
from support.objects import resource
from support.plugin import Done, Plugin
from support.prometheus import PrometheusServer, free_port, seen
from support.proxy import Proxy
from support.story import HIGH, LOW

from maintenance_operator.cli.schema import of_openapi, with_defaults

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def mm(plane: ControlPlane, namespace: str) -> Plugin:
    return Plugin(plane.kubeconfig, namespace)


@pytest_asyncio.fixture
async def server(prometheus_server: PrometheusServer) -> PrometheusServer:
    await seen(prometheus_server, f"{LOW} offset 5s")
    return prometheus_server


def manifest(*documents: dict[str, Any]) -> str:
    return yaml.safe_dump_all(documents)


def with_performance(query: str = HIGH, **changes: Any) -> dict[str, Any]:
    document = resource(query=query)
    document["spec"]["metrics"]["performance"] |= changes
    return document


def findings(done: Done, number: int = 0) -> dict[str, str]:
    """What is wrong in a document, by field."""
    checked = json.loads(done.out)["items"][number]
    assert checked["usable"] == (not any(not f["ok"] for f in checked["findings"]))
    return {f["field"]: f["message"] for f in checked["findings"] if not f["ok"]}


async def test_a_good_one_is_usable_and_nothing_is_stored(
    mm: Plugin, server: PrometheusServer, api: Api, namespace: str
) -> None:
    done = await mm(
        "check", "-f", "-", "--prometheus", server.url, text=manifest(resource(query=LOW))
    )
    assert done.code == 0, done.err
    assert f"standard input: ModelMaintenance {namespace}/news" in done.out
    assert "1 of 1 readings are bad" in done.out
    assert "a run would begin" in done.out
    assert done.out.rstrip().endswith("usable")
    assert "\x1b" not in done.out
    assert (await api.get(path("modelmaintenances", namespace)))["items"] == []


WRONG = (
    (with_performance(thresholdRange={}), "spec.metrics.performance.thresholdRange", "exactly"),
    (
        with_performance(breach={"count": 8, "of": 5}),
        "spec.metrics.performance.breach.count",
        "{count: 3, of: 5}",
    ),
    (
        with_performance(tresholdRange={"min": 0.9}),
        "spec.metrics.performance.tresholdRange",
        "do you mean thresholdRange?",
    ),
    (with_performance("avg("), "spec.metrics.performance.query", "parse error"),
    (with_performance("nothing_here"), "spec.metrics.performance.query", "no series"),
    (
        with_performance("model_accuracy"),
        "spec.metrics.performance.match",
        "Pick one with spec.metrics.performance.match",
    ),
    (
        with_performance("model_accuracy", match={"model": "middle"}),
        "spec.metrics.performance.match",
        "correct spec.metrics.performance.match",
    ),
    (
        with_performance(samples={"query": "nothing_here", "min": 5}),
        "spec.metrics.performance.samples.query",
        "yields nothing",
    ),
)


async def test_what_is_wrong_is_named_with_its_field(mm: Plugin, server: PrometheusServer) -> None:
    text = manifest(*(document for document, _, _ in WRONG))
    done = await mm("check", "-f", "-", "-o", "json", "--prometheus", server.url, text=text)
    assert done.code == 1, done.err
    for number, (_, field, part) in enumerate(WRONG):
        wrong = findings(done, number)
        assert list(wrong) == [field], wrong
        assert part in wrong[field]


async def test_a_server_that_is_away_is_no_error_of_the_command(mm: Plugin) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    done = await mm(
        "check", "-f", "-", "-o", "json", "--prometheus", url, text=manifest(resource())
    )
    assert done.code == 1
    assert "does not answer" in findings(done)["spec.metrics.server"]
    told = json.loads(done.out)["items"][0]["findings"]
    assert [one["ok"] for one in told if one["field"] == "spec.metrics.server"] == [False]


async def test_each_document_of_a_file_is_checked_and_other_kinds_are_passed_over(
    mm: Plugin, server: PrometheusServer, tmp_path: Path
) -> None:
    file = tmp_path / "several.yaml"
    other = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}}
    many = {"apiVersion": "v1", "kind": "List", "items": [with_performance("avg(")]}
    file.write_text(manifest(resource(query=HIGH), other, many), encoding="utf-8")
    done = await mm("check", "-f", str(file), "-o", "yaml", "--prometheus", server.url)
    assert done.code == 1
    told = yaml.safe_load(done.out)["items"]
    assert [item["usable"] for item in told] == [True, False]
    assert [item["source"] for item in told] == [f"{file}, document {n}" for n in (1, 3)]
    assert f"{file}, document 2: ConfigMap, passed over" in done.err


@pytest.mark.parametrize(
    "text, part",
    [
        ("a: [", "no YAML"),
        ("just words", "an object is expected, not str"),
        (manifest({**resource(), "apiVersion": "modelmaintenance.dev/v2"}), "write modelm"),
        (manifest({**resource(), "metadata": {}}), "give the resource a name"),
        (manifest({**resource(), "metadata": {"name": "a", "namespace": "other"}}), "leave one"),
        (manifest({**resource(), "metadata": {"name": "Upper"}}), "lower case"),
    ],
)
async def test_what_is_no_resource(mm: Plugin, text: str, part: str) -> None:
    done = await mm("check", "-f", "-", "--prometheus", "http://127.0.0.1:9", text=text)
    assert done.code == 1, done.err
    assert part in " ".join(done.out.split())


async def test_a_resource_that_exists_is_checked_as_a_change_of_it(
    mm: Plugin, server: PrometheusServer, api: Api, namespace: str
) -> None:
    await api.create(path("modelmaintenances", namespace), resource(query=HIGH))
    moved = resource(query=HIGH)
    moved["spec"]["model"]["storage"]["storageUri"] = "pvc://models/elsewhere"
    done = await mm(
        "check", "-f", "-", "-o", "json", "--prometheus", server.url, text=manifest(moved)
    )
    assert done.code == 1
    assert "storage cannot move" in findings(done)["spec.model.storage.storageUri"]
    kept = await api.get(path("modelmaintenances", namespace, "news"))
    assert kept["spec"]["model"]["storage"]["storageUri"] == "pvc://models/news"


@pytest.mark.slow  # by itself, ten seconds until Prometheus has scraped
async def test_without_a_cluster_the_crd_has_the_defaults(
    server: PrometheusServer, tmp_path: Path
) -> None:
    nowhere = Plugin(tmp_path / "no-kubeconfig", "finance")
    options = ("--crd", str(ROOT / "manifests/crd/modelmaintenances.yaml"))
    asked = ("--prometheus", server.url)
    done = await nowhere("check", "-f", "-", *options, *asked, text=manifest(resource(query=HIGH)))
    assert done.code == 0, done.err
    wrong = with_performance(HIGH, qurey=1)
    done = await nowhere("check", "-f", "-", "-o", "json", *options, *asked, text=manifest(wrong))
    assert done.code == 1
    assert "do you mean query?" in findings(done)["spec.metrics.performance.qurey"]


async def test_defaults_from_the_schema_are_those_of_the_api_server(
    api: Api, namespace: str
) -> None:
    published = of_openapi(await api.get("/openapi/v3/apis/modelmaintenance.dev/v1alpha1"))
    assert published is not None
    minimal = yaml.safe_load((ROOT / "manifests/samples/minimal.yaml").read_text())
    created = await api.create(path("modelmaintenances", namespace), minimal)
    assert with_defaults(minimal, published)["spec"] == created["spec"]


@pytest.mark.parametrize(
    "arguments, part",
    [
        (("-f", "no-such-file.yaml", "--prometheus", "http://127.0.0.1:9"), "no-such-file.yaml"),
        (("-f", "-", "--prometheus", "prometheus:9090"), "--prometheus: 'prometheus:9090'"),
        (("-f", "-", "--crd", "-"), "--prometheus URL"),
        (("-f", "-", "--operator-namespace", "nowhere"), "--operator-namespace"),
    ],
)
async def test_what_cannot_be_done_is_told_apart(
    mm: Plugin, arguments: tuple[str, ...], part: str
) -> None:
    done = await mm("check", *arguments, text=manifest(resource()))
    assert done.code == 2, done.out
    assert part in done.err
    assert "Traceback" not in done.err


# --- what the operator would run into ---------------------------------------------------------


def changed(**spec: Any) -> dict[str, Any]:
    document = resource(query=HIGH)
    document["spec"] |= spec
    return document


WITH_A_BERLIN = {"schedule": {"cron": "0 3 * * 1", "timeZone": "Berlin"}}


@pytest.mark.parametrize(
    "document, field, says",
    [
        (changed(triggers=WITH_A_BERLIN), "spec.triggers.schedule.timeZone", "like Europe/Berlin"),
        (
            changed(triggers={"schedule": {"cron": "0 0 31 2 *"}}),
            "spec.triggers.schedule.cron",
            "write minute, hour",
        ),
        (
            changed(triggers={"newData": {"query": "sum(", "min": 5}}),
            "spec.triggers.newData.query",
            "parse error",
        ),
        (
            changed(training={"pod": {"env": [{"name": "A B"}]}}),
            "spec.training.pod.env[0].name",
            "",
        ),
        (
            changed(training={"pod": {"nodeSelector": {"pool": "a b"}}}),
            "spec.diagnosis",
            "the API server refuses its Job",
        ),
        (
            with_performance(HIGH, thresholdRange={"min": 90}),
            "spec.metrics.performance.thresholdRange.min",
            "percent? Write 0.9",
        ),
    ],
)
async def test_what_the_operator_would_refuse_or_nobody_means_is_wrong(
    mm: Plugin, server: PrometheusServer, document: dict[str, Any], field: str, says: str
) -> None:
    done = await mm(
        "check", "-f", "-", "-o", "json", "--prometheus", server.url, text=manifest(document)
    )
    assert done.code == 1, done.out
    assert says in findings(done)[field]


async def test_hints_cost_no_exit_code(
    mm: Plugin, server: PrometheusServer, tmp_path: Path
) -> None:
    (tmp_path / "one.yaml").write_text(manifest(resource(query=HIGH)))
    (tmp_path / "two.yml").write_text(manifest(resource("other", query=HIGH)))
    (tmp_path / "notes.txt").write_text("none of it")
    done = await mm("check", "-f", str(tmp_path), "--prometheus", server.url)
    told = " ".join(done.out.split())
    assert done.code == 0, done.out
    assert "HINT spec.metrics.performance.query: looks at one moment" in told
    assert "HINT spec.model.initialModel: is not given: version 1 will be trained" in told
    assert "beside the model whose metric is read already" in told
    assert told.count("usable") == 2


async def test_what_stands_in_the_way_in_the_cluster_is_told(
    mm: Plugin, server: PrometheusServer, api: Api, namespace: str
) -> None:
    await api.create(path("configmaps", namespace), {"metadata": {"name": "news-champion"}})
    await api.create(path("modelmaintenances", namespace), resource("elder", query=HIGH))
    shared = resource(query=HIGH)
    shared["spec"]["model"]["storage"] = {"storageUri": "pvc://models/elder"}
    done = await mm(
        "check", "-f", "-", "-o", "json", "--prometheus", server.url, text=manifest(shared)
    )
    assert done.code == 1
    wrong = findings(done)
    assert "is not the operator's" in wrong["metadata.name"]
    assert "elder keeps its versions there" in wrong["spec.model.storage.storageUri"]


@pytest.mark.parametrize(
    "status, answer, code",
    [
        (500, {"message": "etcd is away"}, 2),
        (503, {"message": "shutting down"}, 2),
        (429, {"message": "too many requests"}, 2),
        (404, {"message": "the server could not find the requested resource"}, 2),
        (403, {"message": 'forbidden: User "ann" cannot create resource'}, 2),
        (403, {"message": "exceeded quota: resources"}, 1),
        (403, {"message": "admission webhook denied the request"}, 1),
    ],
)
async def test_an_answer_that_says_nothing_of_the_document_is_no_verdict(
    api: Api, namespace: str, tmp_path: Path, status: int, answer: dict[str, str], code: int
) -> None:
    proxy = Proxy(api)
    proxy.spoil = lambda request: (
        (status, json.dumps(answer).encode())
        if request.method == "POST" and "modelmaintenances" in request.path
        else None
    )
    async with proxy.running():
        mm = Plugin(proxy.kubeconfig(tmp_path), namespace)
        url = f"http://127.0.0.1:{free_port()}"
        done = await mm("check", "-f", "-", "--prometheus", url, text=manifest(resource()))
    assert done.code == code, done.out + done.err
    assert answer["message"] in " ".join((done.out + done.err).split())


async def test_a_namespace_that_is_not_there_is_the_documents_fault(
    plane: ControlPlane, namespace: str
) -> None:
    mm = Plugin(plane.kubeconfig, f"{namespace}-nosuch")
    url = f"http://127.0.0.1:{free_port()}"
    done = await mm("check", "-f", "-", "--prometheus", url, text=manifest(resource()))
    assert done.code == 1
    assert "not found" in done.out


# --- the Prometheus of the operator's configuration ---------------------------------------


class ServiceProxy(Proxy):
    """The API server, with the one Service proxy that a control plane without a node lacks."""

    def __init__(self, api: Api, prometheus: str) -> None:
        super().__init__(api)
        self._prometheus = prometheus
        self.asked: list[str] = []

    async def _pass_on(self, request: web.Request) -> web.StreamResponse:
        before, proxied, rest = request.path.partition("/services/http:prometheus:9090/proxy")
        if not proxied:
            return await super()._pass_on(request)
        self.asked.append(before + proxied)
        async with (
            aiohttp.ClientSession() as session,
            session.post(
                self._prometheus + rest,
                data=await request.read(),
                headers={"Content-Type": request.headers["Content-Type"]},
            ) as reply,
        ):
            return web.Response(status=reply.status, body=await reply.read())


@pytest_asyncio.fixture
async def configured(api: Api, namespace: str) -> AsyncIterator[str]:
    """A namespace with an operator's configuration and the Service that it names."""
    service = f"http://prometheus.{namespace}.svc:9090"
    labels = {
        "app.kubernetes.io/part-of": "model-maintenance",
        "app.kubernetes.io/component": "operator",
    }
    config = yaml.safe_dump({"prometheusServers": {"default": {"url": service}}})
    await api.create(
        path("configmaps", namespace),
        {"metadata": {"name": "operator", "labels": labels}, "data": {"config.yaml": config}},
    )
    await api.create(
        path("services", namespace),
        {"metadata": {"name": "prometheus"}, "spec": {"ports": [{"port": 9090}]}},
    )
    yield namespace


async def test_the_operators_own_server_is_asked_through_the_api_server(
    api: Api, configured: str, server: PrometheusServer, tmp_path: Path
) -> None:
    async with ServiceProxy(api, server.url).running() as proxy:
        assert isinstance(proxy, ServiceProxy)
        mm = Plugin(proxy.kubeconfig(tmp_path), configured)
        options = ("-f", "-", "--operator-namespace", configured)
        done = await mm("check", *options, text=manifest(resource(query=HIGH)))
        assert done.code == 0, done.out + done.err
        told = " ".join(done.out.split())
        assert f"asked through the API server: Service {configured}/prometheus" in told
        assert set(proxy.asked) == {
            f"/api/v1/namespaces/{configured}/services/http:prometheus:9090/proxy"
        }
        elsewhere = resource(query=HIGH)
        elsewhere["spec"]["metrics"]["server"] = "elsewhere"
        done = await mm("check", *options, "-o", "json", text=manifest(elsewhere))
        assert done.code == 1
        assert "known: default" in findings(done)["spec.metrics.server"]


async def test_what_pods_may_not_choose_is_said_before_it_is_applied(
    api: Api, configured: str, server: PrometheusServer, mm: Plugin
) -> None:
    """By the operator's configuration; where that cannot be read, as what it may allow."""
    document = resource(query=HIGH)
    document["spec"]["training"]["pod"] = {"env": [{"name": "SSL_CERT_FILE", "value": "/x"}]}
    options = ("check", "-f", "-", "-o", "json", "--prometheus", server.url)
    field = "spec.training.pod.env[0].name"

    done = await mm(*options, "--operator-namespace", configured, text=manifest(document))
    assert "SSL_CERT_FILE is not allowed" in findings(done)[field]
    done = await mm(*options, "--operator-namespace", "elsewhere", text=manifest(document))
    assert findings(done) == {}
    assert "SSL_CERT_FILE is not allowed" in done.out

    found = await api.get(path("configmaps", configured, "operator"))
    configuration = yaml.safe_load(found["data"]["config.yaml"])
    configuration["trainer"] = {"image": "a", "allow": {"env": ["SSL_*"]}}
    await api.put(
        path("configmaps", configured, "operator"),
        {**found, "data": {"config.yaml": yaml.safe_dump(configuration)}},
    )
    done = await mm(*options, "--operator-namespace", configured, text=manifest(document))
    assert findings(done) == {}
    assert "SSL_CERT_FILE" not in done.out


async def test_a_service_without_endpoints_is_told(api: Api, configured: str, mm: Plugin) -> None:
    """The real API server's own Service proxy, which has nobody to ask."""
    options = ("-f", "-", "-o", "json", "--operator-namespace", configured)
    done = await mm("check", *options, text=manifest(resource(query=HIGH)))
    assert done.code == 1, done.err
    assert '"prometheus"' in findings(done)["spec.metrics.performance.query"]

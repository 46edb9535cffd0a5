"""Who is let in: credentials against a real Prometheus, and what a namespace may ask."""

import asyncio
import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiohttp import web
from support.pace import Allowance
from support.prometheus import Exporter, PrometheusServer

from maintenance_core.errors import MetricsError
from maintenance_core.model import Server
from maintenance_core.reasons import MetricsReason
from maintenance_operator.adapters.access import ServerCredentials
from maintenance_operator.adapters.prometheus import Prometheus

NOW = datetime(2026, 11, 23, 18, tzinfo=UTC)
GRID = (NOW - timedelta(minutes=1), NOW)
HASHED = "$2b$04$4VGK8j5aJlHVGvOh4IgD0.Gcx/fylAieiyabHEfxWBxNseeUP50hu"
PASSWORD = "s3cret"  # noqa: S105 - of a server that lives as long as this test


class Silent:
    def prometheus_request(self, *_: object) -> None:
        """Count nothing."""


# --- a real server that asks for a certificate and a password -----------------------------


@dataclass(frozen=True)
class Guarded:
    """A Prometheus behind TLS with client certificates and basic authentication."""

    server: Server
    folder: Path


def _openssl(folder: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)


def _certificates(folder: Path) -> None:
    new = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    _openssl(folder, *new, "-subj", "/CN=ca", "-keyout", "ca.key", "-out", "ca.crt")
    for name, subject in (("server", "prometheus.test"), ("client", "operator")):
        (folder / f"{name}.ext").write_text(f"subjectAltName=DNS:{subject}\n")
        _openssl(folder, "req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={subject}",
                 "-keyout", f"{name}.key", "-out", f"{name}.csr")  # fmt: skip
        _openssl(folder, "x509", "-req", "-in", f"{name}.csr", "-CA", "ca.crt", "-CAkey", "ca.key",
                 "-CAcreateserial", "-days", "2", "-extfile", f"{name}.ext",
                 "-out", f"{name}.crt")  # fmt: skip


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    folder = tmp_path_factory.mktemp("guarded")
    _certificates(folder)
    (folder / "password").write_text(f"{PASSWORD}\n")
    web_config = {
        "tls_server_config": {
            "cert_file": str(folder / "server.crt"),
            "key_file": str(folder / "server.key"),
            "client_auth_type": "RequireAndVerifyClientCert",
            "client_ca_file": str(folder / "ca.crt"),
        },
        "basic_auth_users": {"operator": HASHED},
    }
    (folder / "web.yml").write_text(yaml.safe_dump(web_config))
    exporter = Exporter()
    server = PrometheusServer(exporter, folder, web_config=folder / "web.yml")
    server.start()
    yield Guarded(
        Server(
            f"https://127.0.0.1:{server.port}",
            username="operator",
            password_file=str(folder / "password"),
            ca_file=str(folder / "ca.crt"),
            cert_file=str(folder / "client.crt"),
            key_file=str(folder / "client.key"),
            server_name="prometheus.test",
        ),
        folder,
    )
    server.stop()
    exporter.close()


async def ask(server: Server) -> Any:
    async with Prometheus({"default": server}, Silent()) as prometheus:
        return await prometheus.range("default", "vector(1)", GRID)


async def refusal(server: Server) -> MetricsError:
    with pytest.raises(MetricsError) as caught:
        await ask(server)
    assert PASSWORD not in str(caught.value)
    return caught.value


@pytest.mark.api
async def test_certificates_and_a_password_open_a_real_prometheus(guarded: Guarded) -> None:
    (series,) = await ask(guarded.server)
    assert [value for _, value in series.points] == [1.0, 1.0]


@pytest.mark.api
async def test_what_is_wrong_with_the_credentials_is_said(guarded: Guarded, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong"
    wrong.write_text("guess")
    refused = await refusal(replace(guarded.server, password_file=str(wrong)))
    assert refused.reason == MetricsReason.CREDENTIALS_REFUSED
    assert "HTTP 401: the server does not let the operator in" in str(refused)
    changes: tuple[dict[str, Any], ...] = (
        {"cert_file": "", "key_file": ""},
        {"ca_file": "", "cert_file": "", "key_file": ""},
        {"server_name": "other.test"},
    )
    for change in changes:
        refused = await refusal(replace(guarded.server, **change))
        assert refused.reason == MetricsReason.UNREACHABLE, change


@pytest.mark.api
async def test_a_password_that_is_rotated_is_read_again(guarded: Guarded, tmp_path: Path) -> None:
    password = tmp_path / "password"
    password.write_text("before the rotation")
    server = replace(guarded.server, password_file=str(password))
    async with Prometheus({"default": server}, Silent()) as prometheus:
        with pytest.raises(MetricsError):
            await prometheus.range("default", "vector(1)", GRID)
        password.write_text(PASSWORD)
        allowance = Allowance(60)
        while True:  # a failure is shared for a moment
            try:
                assert await prometheus.range("default", "vector(1)", GRID)
                break
            except MetricsError:
                assert not allowance.used_up()
                await asyncio.sleep(0.1)


def test_a_certificate_that_is_rotated_is_loaded_again(guarded: Guarded) -> None:
    access = ServerCredentials("default", guarded.server)
    first = access.tls()
    assert access.tls() is first
    certificate = guarded.folder / "client.crt"
    certificate.touch()
    assert access.tls() is not first


# --- files and headers --------------------------------------------------------------------


@pytest.mark.parametrize(
    "content, why",
    [(None, "No such file"), (b"", "one line"), (b"a\nb", "one line"), (b"\xff", "decode")],
)
async def test_a_token_that_cannot_be_read_is_the_configurations_fault(
    content: bytes | None, why: str, tmp_path: Path
) -> None:
    token = tmp_path / "token"
    if content is not None:
        token.write_bytes(content)
    refused = await refusal(Server("http://127.0.0.1:9", bearer_token_file=str(token)))
    assert refused.reason == MetricsReason.CREDENTIALS_REFUSED
    assert f"{token} of the operator's configuration cannot be used" in str(refused)
    assert why in str(refused)


async def test_a_certificate_that_is_none_is_the_configurations_fault(tmp_path: Path) -> None:
    (tmp_path / "ca").write_text("no certificate")
    refused = await refusal(Server("https://127.0.0.1:9", ca_file=str(tmp_path / "ca")))
    assert "tls of the operator's configuration cannot be used" in str(refused)


async def test_tokens_and_tenant_headers_arrive(tmp_path: Path) -> None:
    asked: list[dict[str, str]] = []

    async def handler(request: web.Request) -> web.StreamResponse:
        asked.append(dict(request.headers))
        data = {"status": "success", "data": {"resultType": "matrix", "result": []}}
        return web.Response(text=json.dumps(data), content_type="application/json")

    (tmp_path / "token").write_text("abc\n")
    app = web.Application()
    app.router.add_post("/prometheus/api/v1/query_range", handler)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        await ask(
            Server(
                f"http://127.0.0.1:{runner.addresses[0][1]}/prometheus",
                headers={"X-Scope-OrgID": "ml"},
                bearer_token_file=str(tmp_path / "token"),
            )
        )
    finally:
        await runner.cleanup()
    assert asked[0]["X-Scope-OrgID"] == "ml"
    assert asked[0]["Authorization"] == "Bearer abc"


# --- who may ask what ---------------------------------------------------------------------


async def admitted(server: Server, namespace: str, *queries: str) -> None:
    async with Prometheus({"default": server}, Silent()) as prometheus:
        await prometheus.admit(namespace, "default", *queries)


async def test_a_server_is_for_the_namespaces_that_its_configuration_names() -> None:
    server = Server("http://x", namespaces=frozenset({"finance"}))
    await admitted(server, "finance", "up")
    with pytest.raises(MetricsError, match="not for namespace sports") as caught:
        await admitted(server, "sports", "up")
    assert caught.value.reason == MetricsReason.SERVER_FORBIDDEN
    await admitted(Server("http://x"), "sports", "up")


async def test_each_selector_must_carry_the_namespace_of_the_resource() -> None:
    server = Server("http://x", enforced_matchers={"namespace": "{{ namespace }}"})
    good = 'avg(model_accuracy{namespace="finance"})'
    await admitted(server, "finance", good)
    for queries in (("up",), (good, "up")):
        with pytest.raises(MetricsError, match='up lacks namespace="finance"') as caught:
            await admitted(server, "finance", *queries)
        assert caught.value.reason == MetricsReason.QUERY_FORBIDDEN
    with pytest.raises(MetricsError):
        await admitted(server, "sports", good)

"""Which way leads to a server: as kubectl reads HTTPS_PROXY and NO_PROXY."""

import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml
from aiohttp import web
from support.prometheus import free_port

from maintenance_core.errors import ClusterError, MetricsError
from maintenance_core.model import Server
from maintenance_operator import watching
from maintenance_operator.adapters.cluster import Cluster
from maintenance_operator.adapters.credentials import login
from maintenance_operator.adapters.prometheus import Prometheus
from maintenance_operator.adapters.proxies import proxy_for
from maintenance_operator.cli import access
from maintenance_operator.health import Watches

PROXY = "http://proxy.example:3128"
NAMES = ("http_proxy", "https_proxy", "no_proxy", "all_proxy")


@pytest.mark.parametrize(
    "no_proxy, server",
    [
        ("10.0.0.0/8", "https://10.96.0.1"),
        ("192.168.0.0/16, 10.96.0.0/12", "https://10.96.0.1:443"),
        ("10.96.0.1", "https://10.96.0.1"),
        ("10.96.0.1:443", "https://10.96.0.1"),
        ("10.96.0.1:6443", "https://10.96.0.1:6443"),
        ("fd00::/8", "https://[fd00::1]"),
        ("fd00::1", "https://[FD00:0::1]:6443"),
        ("[fd00::1]:6443", "https://[fd00::1]:6443"),
        ("[fd00::1]", "https://[fd00::1]:6443"),
        ("10.0.0.0/8", "https://[::ffff:10.96.0.1]"),
        (".svc", "http://prometheus.monitoring.svc:9090"),
        ("svc", "http://prometheus.monitoring.svc:9090"),
        ("*.svc", "http://prometheus.monitoring.svc:9090"),
        ("Example.COM", "https://mimir.example.com"),
        ("example.com", "https://example.com."),
        ("mimir.example.com:8443", "https://mimir.example.com:8443"),
        ("a,,  *", "https://anywhere"),
        ("", "https://localhost:6443"),
        ("", "http://127.0.0.1:9090"),
        ("", "http://127.8.0.1:9090"),
        ("", "http://[::1]:9090"),
    ],
)
def test_what_no_proxy_names_is_reached_directly(no_proxy: str, server: str) -> None:
    environment = {"HTTPS_PROXY": PROXY, "HTTP_PROXY": PROXY}
    assert proxy_for(server, environment | {"NO_PROXY": no_proxy}) is None
    assert proxy_for(server, environment | {"no_proxy": no_proxy}) is None
    assert proxy_for(server, {}) is None


@pytest.mark.parametrize(
    "no_proxy, server",
    [
        ("10.0.0.0/8", "https://11.96.0.1"),
        ("10.0.0.0/8", "https://[fd00::1]"),
        ("10.0.0.0/8", "https://10.example.com"),
        ("10.0.0.0/80", "https://10.96.0.1"),
        ("10.96.0.1:6443", "https://10.96.0.1"),
        ("0.1", "https://10.96.0.1"),
        (".example.com", "https://example.com"),
        ("*.example.com", "https://example.com"),
        ("example.com", "https://badexample.com"),
        ("example.com:many", "https://example.com"),
        (":443", "https://example.com"),
        ("", "https://example.com"),
    ],
)
def test_what_no_proxy_does_not_name_goes_by_the_proxy(no_proxy: str, server: str) -> None:
    assert proxy_for(server, {"HTTPS_PROXY": PROXY, "NO_PROXY": no_proxy}) == PROXY


@pytest.mark.parametrize(
    "environment, server, proxy",
    [
        ({"https_proxy": PROXY}, "https://x", PROXY),
        ({"https_proxy": PROXY}, "http://x", None),
        ({"http_proxy": "proxy:3128"}, "http://x", "http://proxy:3128"),
        ({"HTTP_PROXY": " "}, "http://x", None),
        ({"HTTPS_PROXY": PROXY}, "x:443", None),
        ({"HTTPS_PROXY": PROXY}, "", None),
    ],
)
def test_the_proxy_is_that_of_the_scheme(
    environment: dict[str, str], server: str, proxy: str | None
) -> None:
    assert proxy_for(server, environment) == proxy


# --- all who open connections -------------------------------------------------------------


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    return monkeypatch


def kubeconfig(folder: Path, server: str) -> Path:
    file = folder / "kubeconfig"
    here = {"name": "here", "context": {"cluster": "here", "user": "here"}}
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "here",
        "contexts": [here],
        "clusters": [{"name": "here", "cluster": {"server": server}}],
        "users": [{"name": "here", "user": {}}],
    }
    file.write_text(yaml.safe_dump(document))
    return file


@contextlib.asynccontextmanager
async def proxy() -> AsyncIterator[tuple[str, list[str]]]:
    """One that answers itself, and what it was asked for."""
    asked: list[str] = []

    async def handler(request: web.Request) -> web.Response:
        asked.append(request.raw_path)
        return web.Response(status=403, text="<h1>by order of the proxy</h1>")

    runner = web.ServerRunner(web.Server(handler))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}", asked
    finally:
        await runner.cleanup()


API = "http://10.96.0.1:6443"


@pytest.mark.slow
@pytest.mark.parametrize("no_proxy", ["", "10.0.0.0/8"])
async def test_all_clients_take_the_same_way(
    environment: pytest.MonkeyPatch, tmp_path: Path, no_proxy: str
) -> None:
    environment.setenv("KUBECONFIG", str(kubeconfig(tmp_path, API)))
    async with proxy() as (url, asked):
        environment.setenv("HTTP_PROXY", url)
        environment.setenv("NO_PROXY", no_proxy)
        configuration = await login()
        plugin = await access.login(None, None)
        session = watching._session(configuration, Watches([], lambda: 0.0), lambda: None)
        ways = [
            configuration.proxy,
            plugin.configuration.proxy,
            str(session._default_proxy or ""),
            proxy_for(API),
        ]
        await session.close()
        assert {way.rstrip("/") if way else None for way in ways} == {None if no_proxy else url}
        assert not session.trust_env
        if no_proxy:
            return
        async with Cluster(configuration, user_agent="test") as cluster:
            with pytest.raises(ClusterError, match="HTTP_PROXY") as caught:
                await cluster.served()
        assert f"through the proxy {url} (by HTTP_PROXY and NO_PROXY)" in str(caught.value)
        assert "no answer of Kubernetes" in str(caught.value)
        prometheus = Prometheus({"default": Server(API)}, Silent())
        async with prometheus:
            with pytest.raises(MetricsError):
                await prometheus.range("default", "up", (datetime.now(UTC),))
        assert [path.startswith(API) for path in asked] == [True] * 2


@pytest.mark.slow
async def test_a_proxy_that_is_away_is_named_without_its_password(
    environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    port = free_port()
    environment.setenv("KUBECONFIG", str(kubeconfig(tmp_path, API)))
    environment.setenv("HTTP_PROXY", f"http://user:s3cret@127.0.0.1:{port}")
    named = f"through the proxy http://127.0.0.1:{port} "
    async with Cluster(await login(), user_agent="test") as cluster:
        with pytest.raises(ClusterError) as caught:
            await cluster.served()
    async with Prometheus({"default": Server(API)}, Silent()) as prometheus:
        with pytest.raises(MetricsError) as missed:
            await prometheus.range("default", "up", (datetime.now(UTC),))
    for error in (caught.value, missed.value):
        assert named in str(error)
        assert "s3cret" not in str(error)


class Silent:
    def prometheus_request(self, *_: object) -> None:
        """Count nothing."""

"""etcd was restored from a backup: resourceVersions go back, and the operator takes notice."""

import asyncio
from pathlib import Path

import pytest
from support.api import Api, path, until
from support.control_plane import ControlPlane
from support.operator import operator
from support.prometheus import PrometheusServer, seen
from support.proxy import Proxy
from support.story import HIGH, in_service, status_of, until_condition

pytestmark = [pytest.mark.api, pytest.mark.slow, pytest.mark.timeout(900)]


async def test_what_is_written_after_resource_versions_went_back_is_noticed(
    api: Api,
    plane: ControlPlane,
    namespace: str,
    prometheus_server: PrometheusServer,
    tmp_path: Path,
) -> None:
    await seen(prometheus_server, f"{HIGH} offset 5s", 60)
    resource = path("modelmaintenances", namespace, "news")
    config_map = path("configmaps", namespace, "news-champion")
    async with Proxy(api).running() as proxy:
        proxy.ahead = 1_000_000
        servers = {"default": prometheus_server.url}
        async with operator(proxy.kubeconfig(tmp_path), namespace, servers) as process:
            await in_service(api, namespace, query=HIGH)
            await until_condition(api, namespace, "news", "MetricsAvailable", "Reading")
            await asyncio.sleep(6)  # it is quiet
            proxy.ahead = 0
            proxy.disconnect()
            edited = await api.patch(resource, {"spec": {"gate": {"confidence": 0.9}}})

            async def observed() -> bool:
                observed = (await status_of(api, namespace))["observedGeneration"]
                return bool(observed == edited["metadata"]["generation"])

            await until(observed, 20, "the edit is observed")
            await api.delete(config_map)

            async def there() -> bool:
                named = "metadata.name=news-champion"
                found = await api.get(path("configmaps", namespace), fieldSelector=named)
                return bool(found["items"])

            await until(there, 20, "the ConfigMap is made anew")
            writes = plane.writes(namespace)
            await asyncio.sleep(10)
            assert plane.writes(namespace) == writes
            assert process.running

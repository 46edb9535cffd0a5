"""Fixtures that several suites share: a conftest imports them."""

import itertools
import os
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from support.api import Api
from support.control_plane import ControlPlane, control_plane
from support.prometheus import Exporter, PrometheusServer, prometheus

__all__ = ["api", "exporter", "namespace", "plane", "prometheus_server"]

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def plane() -> ControlPlane:
    """A real control plane with the CRD installed."""
    return control_plane()


@pytest_asyncio.fixture
async def api(plane: ControlPlane) -> AsyncIterator[Api]:
    """A client of it."""
    async with Api(plane.kubeconfig) as client:
        yield client


@pytest_asyncio.fixture
async def namespace(api: Api) -> AsyncIterator[str]:
    """A namespace of the test's own."""
    name = f"test-{os.getpid()}-{next(_numbers)}"
    await api.create(
        "/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    )
    yield name
    await api.delete(f"/api/v1/namespaces/{name}")


@pytest.fixture(scope="session")
def exporter() -> Iterator[Exporter]:
    """Series that a test may set; ``low`` and ``high`` are always there."""
    page = Exporter()
    page['model_accuracy{model="low"}'] = 0.5
    page['model_accuracy{model="high"}'] = 0.95
    yield page
    page.close()


@pytest.fixture(scope="session")
def prometheus_server(exporter: Exporter) -> Iterator[PrometheusServer]:
    """A real Prometheus that scrapes the exporter."""
    with prometheus(exporter) as server:
        yield server

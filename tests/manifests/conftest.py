"""What the tests of the manifests share: the schema as a document, and on a real API server."""

from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from support.control_plane import control_plane
from support.programs import ROOT, Programs, empty_control_plane
from support.resources_api import Resources


@pytest.fixture(scope="session")
def cluster() -> Programs:
    """Kubectl for the API server that all suites share, with the CRD installed."""
    plane = control_plane()
    return Programs(plane.programs, plane.kubeconfig)


@pytest.fixture(scope="session")
def bare() -> Iterator[Programs]:
    """Kubectl and helm for an API server to install on: no CRD, no controllers, nobody else."""
    with empty_control_plane() as running:
        yield running


@pytest.fixture(scope="session")
def api(cluster: Programs) -> Iterator[Resources]:
    connected = Resources(cluster.kubeconfig)
    yield connected
    connected.close()


@pytest.fixture(scope="session")
def schema() -> dict[str, Any]:
    """The schema in the source."""
    crd = yaml.safe_load((ROOT / "manifests/crd/modelmaintenances.yaml").read_text())
    return crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]


@pytest.fixture
def minimal() -> dict[str, Any]:
    """The least that has to be said, as in the samples."""
    return yaml.safe_load((ROOT / "manifests/samples/minimal.yaml").read_text())

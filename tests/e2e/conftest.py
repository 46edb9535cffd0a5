"""The whole product on a real node: cluster, images, Prometheus, operator, one example."""

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "examples/support"), str(ROOT / "examples/green-bonds")]

import headlines  # noqa: E402  # found through the path above
from maintenance_examples.clusters import MONITORING, Cluster, fresh_cluster  # noqa: E402
from maintenance_examples.deployment import Example, install_operator  # noqa: E402
from maintenance_examples.shell import run  # noqa: E402
from maintenance_examples.watching import Watched  # noqa: E402


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A fresh node with the operator and Prometheus; it is gone afterwards."""
    node = fresh_cluster(loud=False)
    try:
        install_operator(node)
        yield node
    finally:
        run(node.kubectl_program.parent / "mm-cluster", "down")


@pytest.fixture(scope="session")
def green_bonds(cluster: Cluster) -> Watched:
    """Headlines, a server and traffic without green-bond news; no resource yet."""
    example = Example(cluster, "green-bonds")
    with tempfile.TemporaryDirectory() as folder:
        headlines.write(Path(folder))
        example.load(Path(folder))
    example.apply("prometheus.yaml")
    example.apply("serving.yaml")
    example.apply("traffic.yaml")
    example.rollout("prometheus", namespace=MONITORING)
    example.rollout("traffic")
    return Watched(example)

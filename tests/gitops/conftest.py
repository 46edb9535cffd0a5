"""The parts that these tests run against, and the judge."""

import pytest
from gitops.judging import Judge, program, verdicts
from support.fixtures import api, exporter, namespace, plane, prometheus_server

__all__ = ["api", "exporter", "judge", "namespace", "plane", "prometheus_server"]


@pytest.fixture(scope="session")
def judge() -> Judge:
    """Verdicts of kstatus and Argo CD on resources."""
    program()
    return verdicts

"""The parts that these tests run against."""

from support.fixtures import api, exporter, namespace, plane, prometheus_server

__all__ = ["api", "exporter", "namespace", "plane", "prometheus_server"]

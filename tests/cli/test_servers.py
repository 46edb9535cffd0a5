"""Which Service an address names, and what is shown of an address."""

import pytest

from maintenance_operator.cli.servers import given, service_of, without_password
from maintenance_operator.settings import ConfigurationError

PROXY = "/api/v1/namespaces/{}/services/{}/proxy{}"


@pytest.mark.parametrize(
    "url, path",
    [
        (
            "http://prometheus-operated.monitoring.svc:9090",
            PROXY.format("monitoring", "http:prometheus-operated:9090", ""),
        ),
        (
            "https://thanos.monitoring.svc.cluster.local/query",
            PROXY.format("monitoring", "https:thanos:443", "/query"),
        ),
        ("http://prometheus.monitoring", PROXY.format("monitoring", "http:prometheus:80", "")),
        ("http://prometheus:9090", PROXY.format("ops", "http:prometheus:9090", "")),
        ("http://localhost:9090", None),
        ("http://127.0.0.1:9090", None),
        ("https://thanos.example.com", None),
        ("http://user:secret@prometheus.monitoring.svc", None),
    ],
)
def test_an_address_within_the_cluster_names_a_service(url: str, path: str | None) -> None:
    service = service_of(url, "ops")
    assert (None if service is None else service.proxy) == path


def test_a_password_is_not_shown() -> None:
    assert without_password("https://me:secret@thanos.example/x") == "https://thanos.example/x"
    assert "secret" not in given("https://me:secret@thanos.example").told


def test_what_is_no_address_is_refused_by_name() -> None:
    with pytest.raises(ConfigurationError, match="--prometheus: 'prometheus:9090' cannot be used"):
        given("prometheus:9090")

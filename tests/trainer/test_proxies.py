"""Who gives a pod its identity is asked directly, whatever proxy is named."""

import urllib.request

import pytest

from maintenance_trainer.proxies import AGENTS, past_the_proxy


def test_without_a_proxy_nothing_is_set() -> None:
    environment = {"HOME": "/tmp"}  # noqa: S108
    past_the_proxy(environment)
    assert environment == {"HOME": "/tmp"}  # noqa: S108


@pytest.mark.parametrize("name", ["HTTP_PROXY", "https_proxy", "ALL_PROXY"])
def test_agents_are_reached_without(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    environment = {name: "http://proxy.example:3128", "NO_PROXY": ".svc,10.0.0.0/8"}
    past_the_proxy(environment)
    assert (
        environment["no_proxy"] == environment["NO_PROXY"] == ",".join((".svc,10.0.0.0/8", *AGENTS))
    )
    for variable, value in environment.items():
        monkeypatch.setenv(variable, value)
    assert all(urllib.request.proxy_bypass(host) for host in (*AGENTS, "a.svc"))
    assert not urllib.request.proxy_bypass("hub.example")
